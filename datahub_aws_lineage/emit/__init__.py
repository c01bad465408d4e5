"""Model values to DataHub's metadata change proposals: aspects, URNs, and what they hold."""
