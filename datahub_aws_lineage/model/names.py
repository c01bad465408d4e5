"""What SQL calls a table, and which dataset it turns out to be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Dialect: TypeAlias = Literal["athena", "redshift"]
Platform: TypeAlias = str
"""A DataHub data platform: `glue`, `athena`, `redshift`, `s3`, `iceberg`, `postgres`, …"""

DATA_CATALOG = "awsdatacatalog"
"""The name of an account's own Glue Data Catalog, in Athena and (auto-mounted) in Redshift."""


@dataclass(frozen=True, slots=True, order=True)
class TableName:
    """A table as SQL names it, fully qualified and lower case.

    Athena: catalog, database, table. Redshift: database, schema, table; the parts keep Athena's names.

    >>> str(TableName("awsdatacatalog", "sales", "orders"))
    'awsdatacatalog.sales.orders'
    """

    catalog: str
    database: str
    table: str

    def __str__(self) -> str:
        return f"{self.catalog}.{self.database}.{self.table}"


@dataclass(frozen=True, slots=True, order=True)
class S3Location:
    """An S3 URI exactly as the statement or the catalog wrote it. `is_manifest`: the object lists the files meant."""

    uri: str
    is_manifest: bool = False

    def __str__(self) -> str:
        return self.uri


@dataclass(frozen=True, slots=True, order=True)
class TemporaryTable:
    """A Redshift temporary table: a bare lower-case name (`#stg`, `stg`) that lives within one session."""

    name: str

    def __str__(self) -> str:
        return self.name


StatementTable: TypeAlias = TableName | S3Location | TemporaryTable
"""Everything a statement can read from or write to."""


@dataclass(frozen=True, slots=True, order=True)
class Dataset:
    """One node of the graph, as DataHub's own sources name it.

    `name` has no instance in it: `sales.orders` (glue), `dev.public.orders` (redshift), `bucket/prefix` (s3).
    """

    platform: Platform
    name: str
    instance: str | None = None

    def __str__(self) -> str:
        return f"{self.platform}:{self.instance + '.' if self.instance else ''}{self.name}"
