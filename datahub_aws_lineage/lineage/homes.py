"""Where a table that SQL names really lives: one of a closed set of places."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from datahub_aws_lineage.model.catalog import ExternalSchemaKind
from datahub_aws_lineage.model.names import TableName

S3_TABLES = "s3tablescatalog"
"""Athena: catalog `s3tablescatalog/<bucket>`. Redshift: database `<bucket>@s3tablescatalog`."""


@dataclass(frozen=True, slots=True)
class InDataCatalog:
    """A table of a Glue Data Catalog (S3 Tables included), links followed to their end.

    `catalog_id` is the owner's account where a link or the catalog says it, `site` the part of the recipe that reads
    it. `link` is the first link on the way, `link_site` where it lies.
    """

    name: TableName
    catalog_id: str | None = None
    link: TableName | None = None
    site: str | None = None
    link_site: str | None = None


@dataclass(frozen=True, slots=True)
class InWarehouse:
    """A table of a Redshift warehouse. `namespace` is the producer's of a datashare, if the recipe lacks it."""

    warehouse: str | None
    name: TableName
    namespace: str | None = None


@dataclass(frozen=True, slots=True)
class Mounted:
    """A table of an external schema: `outer` is its name within the warehouse, `inner` what lies behind it."""

    outer: InWarehouse
    inner: InDataCatalog


@dataclass(frozen=True, slots=True)
class InFederatedCatalog:
    """A table behind an Athena connector; `name.catalog` is the name of the catalog in Athena of `site`."""

    name: TableName
    site: str | None = None


@dataclass(frozen=True, slots=True)
class BehindExternalSchema:
    """A table of another database system that a Redshift external schema shows.

    `database` and `schema` are the other system's; `external_schema` is Redshift's own, `database.schema`.
    """

    kind: ExternalSchemaKind
    external_schema: str
    database: str | None
    schema: str | None
    table: str


@dataclass(frozen=True, slots=True)
class InSystem:
    """A table that the engine keeps about itself (`information_schema`, `pg_catalog`, `svv_…`)."""

    name: TableName


Home: TypeAlias = InDataCatalog | InWarehouse | Mounted | InFederatedCatalog | BehindExternalSchema | InSystem
