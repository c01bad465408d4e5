"""Names to datasets, sessions, and the graph that merges: from statements in SQL's names to lineage by dataset."""

from __future__ import annotations

from datahub_aws_lineage.lineage.catalog import CatalogIndex
from datahub_aws_lineage.lineage.history import History
from datahub_aws_lineage.lineage.resolver import Naming, Resolution, Resolved, Resolver, Unknown, UnknownReason
from datahub_aws_lineage.lineage.session import Session
from datahub_aws_lineage.lineage.settle import UnknownTables

__all__ = [
    "CatalogIndex",
    "History",
    "Naming",
    "Resolution",
    "Resolved",
    "Resolver",
    "Session",
    "Unknown",
    "UnknownReason",
    "UnknownTables",
]
