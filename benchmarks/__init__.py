"""How fast this package makes lineage of a log, beside DataHub's own aggregator: `make bench`."""
