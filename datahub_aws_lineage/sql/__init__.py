"""SQL to lineage. Pure: no clock, no network, no globals; sqlglot is used here alone."""

from datahub_aws_lineage.sql.fingerprints import fingerprint, mask_literals
from datahub_aws_lineage.sql.repeats import Repeats
from datahub_aws_lineage.sql.scripts import analyze

__all__ = ["Repeats", "analyze", "fingerprint", "mask_literals"]
