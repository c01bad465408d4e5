"""DataHub ingestion source `aws-lineage`: column-level lineage of Glue, Athena and Redshift."""
