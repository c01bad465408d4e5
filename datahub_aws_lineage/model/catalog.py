"""Catalogs as they are read: databases, tables, views, external schemas."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, TypeAlias

from datahub_aws_lineage.model.names import TableName

ViewDialect: TypeAlias = Literal["athena", "redshift", "hive"]
TableFormat: TypeAlias = Literal["hive", "iceberg", "delta", "hudi", "redshift"]
CatalogPlatform: TypeAlias = Literal["glue", "redshift"]


@dataclass(frozen=True, slots=True)
class Column:
    """`type` is the catalog's own text: a Hive type (`array<struct<sku:string>>`) or a Redshift type (`varchar(8)`)."""

    name: str
    type: str
    comment: str | None = None
    partition_key: bool = False


@dataclass(frozen=True, slots=True, order=True)
class Tag:
    """One value of a tag of Lake Formation, both in lower case, as it keeps them."""

    key: str
    value: str


@dataclass(frozen=True, slots=True)
class AssignedTags:
    """The tags that are assigned to a database, or to a table and, by their names in lower case, to its columns.

    What they inherit (a table from its database, a column from both) is not among them.
    """

    own: tuple[Tag, ...] = ()
    of_columns: Mapping[str, tuple[Tag, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ViewDefinition:
    """The SQL of a view (its query, or the whole CREATE VIEW statement) and the names it was written under.

    `original` is what its author wrote, where `sql` is an engine's expansion of that.
    """

    sql: str
    dialect: ViewDialect
    default_catalog: str
    default_database: str
    materialized: bool = False
    original: str | None = None


@dataclass(frozen=True, slots=True)
class LinkTarget:
    """What a Glue resource link points to. `table` is None for a database link; `catalog_id` is the owner's account."""

    catalog_id: str
    database: str
    table: str | None = None
    region: str | None = None


@dataclass(frozen=True, slots=True)
class Database:
    """A Glue database, or a schema of a Redshift database.

    `name.catalog` is `awsdatacatalog` or the Redshift database. `tags` is None where they are not known.
    """

    platform: CatalogPlatform
    catalog: str
    name: str
    catalog_id: str | None = None
    description: str | None = None
    location: str | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)
    link: LinkTarget | None = None
    created_at: datetime | None = None
    tags: AssignedTags | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """A table or view of a catalog. `columns` come in storage order, partition keys last, as the engines see them.

    `columns` is None where the catalog does not say (a resource link that cannot be followed, a broken view).
    `location` is the storage URI as catalogued; `parameters` holds table, storage and serde parameters as read.
    `tags` is None where they are not known.
    """

    platform: CatalogPlatform
    name: TableName
    columns: tuple[Column, ...] | None
    format: TableFormat = "hive"
    view: ViewDefinition | None = None
    link: LinkTarget | None = None
    location: str | None = None
    catalog_id: str | None = None
    table_type: str | None = None
    owner: str | None = None
    description: str | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)
    created_at: datetime | None = None
    updated_at: datetime | None = None
    tags: AssignedTags | None = None

    @property
    def is_view(self) -> bool:
        return self.view is not None or self.table_type in {"VIRTUAL_VIEW", "VIEW"}


ExternalSchemaKind: TypeAlias = Literal[
    "data_catalog", "hive", "postgres", "mysql", "redshift", "datashare", "kinesis", "kafka", "system", "other"
]


@dataclass(frozen=True, slots=True)
class ExternalSchema:
    """A Redshift external schema, or a database made from a datashare (then `schema` is None).

    `source_database` is the Glue database, the federated database or the producer's database. `options` are named as
    Redshift names them; of a datashare, `datashare_name` and `datashare_producer_namespace` tell whose it is.
    """

    database: str
    schema: str | None
    kind: ExternalSchemaKind
    source_database: str | None
    source_schema: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Datashare:
    """A datashare as its producer knows it: `database` is the one whose tables it shows. `namespace` is the id under
    which consumers know the producer."""

    namespace: str
    name: str
    database: str


DataCatalogKind: TypeAlias = Literal["glue", "lambda", "hive", "federated"]


@dataclass(frozen=True, slots=True)
class DataCatalog:
    """A further catalog that Athena knows by `name`, lower case.

    `catalog_id` is what a catalog of kind `glue` stands for: an account, or `<account>:s3tablescatalog/<bucket>`.
    `connection_type` is the connector's of a federated one, as Athena spells it (`MYSQL`).
    """

    name: str
    kind: DataCatalogKind
    catalog_id: str | None = None
    connection_type: str | None = None
