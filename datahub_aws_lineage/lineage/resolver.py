"""Names of SQL to datasets: the one place where it is decided which node of the graph a name is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from typing_extensions import assert_never

from datahub_aws_lineage.lineage.catalog import CatalogIndex, Found
from datahub_aws_lineage.lineage.homes import (
    S3_TABLES,
    BehindExternalSchema,
    InDataCatalog,
    InFederatedCatalog,
    InSystem,
    InWarehouse,
    Mounted,
)
from datahub_aws_lineage.lineage.locations import folder_segments, location_name
from datahub_aws_lineage.model.catalog import Column, ExternalSchemaKind
from datahub_aws_lineage.model.names import (
    DATA_CATALOG,
    Dataset,
    Dialect,
    Platform,
    S3Location,
    StatementTable,
    TableName,
    TemporaryTable,
)

_MOST_TABLES = 100_000
"""Names of statements whose dataset is remembered."""

UnknownReason: TypeAlias = Literal[
    "temporary",  # a temporary table is no dataset: it is collapsed within its session
    "system",  # the engine's own tables are no datasets
    "external_schema",  # of a kind that DataHub has no dataset for (streams), or without its source's name
    "location",  # not an S3 location, or without a bucket
]


@dataclass(frozen=True, slots=True)
class Unknown:
    """A name that is no dataset. `system` and `temporary` are as they should be; the others deserve a report."""

    reason: UnknownReason
    name: str


@dataclass(frozen=True, slots=True)
class Resolved:
    """A dataset and what the catalogs say of it.

    `known`: a catalog has it. `complete`: its catalog was read to its end. `all_visible`: and it hides nothing from the
    login, so that what is not known is not there.
    `source` is what lies behind a table of an external schema: lineage written to the one is written to both.
    `storage` is the catalogued location of its data, which what is written to the table is written to as well.
    """

    dataset: Dataset
    known: bool
    complete: bool = False
    columns: tuple[Column, ...] | None = None
    source: Resolved | None = None
    all_visible: bool = False
    storage: Dataset | None = None

    @property
    def names(self) -> tuple[Dataset | None, ...]:
        """Every dataset that has the same data."""
        behind = (self.source.dataset, self.source.storage) if self.source is not None else ()
        return (self.dataset, self.storage, *behind)


Resolution: TypeAlias = Resolved | Unknown


@dataclass(frozen=True, slots=True)
class Naming:
    """The recipe's part in names: platform instances, kept as given, and what lies behind connectors.

    `data_catalog_platform` is `glue`, or `athena` where DataHub's source of that name describes the tables.
    `glue_instance` is the instance of the Data Catalog, `site_instances` those of the sites of a recipe of several,
    `glue_instances` those of other owners by account id.
    `redshift_instances` go by the warehouse's label, `namespace_instances` by a datashare producer's namespace id.
    `athena_catalogs` gives platform, instance and database of a further Athena catalog. `external_instances` gives the
    instance of a federated external schema by `database.schema` as Redshift calls it.
    """

    data_catalog_platform: Platform = "glue"
    glue_instance: str | None = None
    glue_instances: Mapping[str, str | None] = field(default_factory=dict)
    site_instances: Mapping[str | None, str | None] = field(default_factory=dict)
    redshift_instances: Mapping[str | None, str | None] = field(default_factory=dict)
    namespace_instances: Mapping[str, str | None] = field(default_factory=dict)
    athena_catalogs: Mapping[str, tuple[Platform, str | None, str | None]] = field(default_factory=dict)
    external_instances: Mapping[str, str | None] = field(default_factory=dict)
    s3_instance: str | None = None
    s3_tables_platform: Literal["iceberg", "glue"] = "iceberg"


class Resolver:
    """Turns names into datasets under the names of a recipe."""

    def __init__(self, index: CatalogIndex, naming: Naming | None = None) -> None:
        self.index = index
        self._naming = naming or Naming()
        self._tables: dict[tuple[TableName, Dialect, str | None], Resolution] = {}
        self._tables_at = index.changes
        self._athena_catalogs = {name.lower(): target for name, target in self._naming.athena_catalogs.items()}

    def resolve(
        self, table: StatementTable, dialect: Dialect, warehouse: str | None = None, *, written: bool = False
    ) -> Resolution:
        """The dataset that `table` is in a statement of `dialect` on `warehouse`.

        `written` tells apart what an S3 prefix means: a COPY from it reads all folders below, an UNLOAD to it
        writes to none of them.
        """
        match table:
            case TableName():
                return self._remembered(table, dialect, warehouse)
            case S3Location():
                return self._location(table, written=written)
            case TemporaryTable():
                return Unknown("temporary", table.name)
            case _:
                assert_never(table)

    def data_catalog_dataset(self, name: TableName, catalog_id: str | None, site: str | None = None) -> Dataset:
        """The dataset of a table of a Data Catalog under its own name: links are not followed."""
        table = f"{name.database}.{name.table}"
        if name.catalog.startswith(f"{S3_TABLES}/"):
            return Dataset(self._naming.s3_tables_platform, table, name.catalog)
        if name.catalog != DATA_CATALOG:
            table = f"{name.catalog}.{table}"
        return Dataset(self._naming.data_catalog_platform, table, self._glue_instance(catalog_id, site))

    def location_dataset(self, uri: str) -> Dataset | None:
        """The dataset of a catalogued location, as it stands in the catalog."""
        name = location_name(uri)
        return Dataset("s3", name, self._naming.s3_instance) if name else None

    def redshift_instance(self, warehouse: str | None) -> str | None:
        return self._naming.redshift_instances.get(warehouse)

    def default_instance(self, dialect: Dialect, warehouse: str | None) -> str | None:
        """The platform instance of what statements name without a catalog of their own."""
        return self.redshift_instance(warehouse) if dialect == "redshift" else self._glue_instance(None, warehouse)

    def names_of(self, dataset: Dataset) -> Iterator[tuple[TableName, Dialect, str | None]]:
        """What a table of a Data Catalog or a warehouse of the recipe may be called, and where."""
        parts = dataset.name.split(".")
        if dataset.platform == self._naming.data_catalog_platform and len(parts) == 2:
            for site in self._naming.site_instances or [None]:
                if self._glue_instance(None, site) == dataset.instance:
                    yield TableName(DATA_CATALOG, *parts), "athena", site
        elif dataset.platform == "redshift" and len(parts) == 3:
            for warehouse, instance in self._naming.redshift_instances.items():
                if instance == dataset.instance:
                    yield TableName(*parts), "redshift", warehouse

    def _remembered(self, name: TableName, dialect: Dialect, warehouse: str | None) -> Resolution:
        if self._tables_at != self.index.changes or len(self._tables) >= _MOST_TABLES:
            self._tables.clear()
            self._tables_at = self.index.changes
        key = name, dialect, warehouse
        known = self._tables.get(key)
        if known is None:
            known = self._tables[key] = self._table(name, dialect, warehouse)
        return known

    def _table(self, name: TableName, dialect: Dialect, warehouse: str | None) -> Resolution:
        found = self.index.find(name, dialect, warehouse)
        home = found.home
        match home:
            case InDataCatalog():
                return self._in_data_catalog(home, found)
            case InWarehouse():
                return self._resolved(self._in_warehouse(home), found)
            case Mounted():
                source = self._in_data_catalog(home.inner, found)
                dataset = self._in_warehouse(home.outer)
                return Resolved(dataset, found.known, found.complete, found.columns, source, found.all_visible)
            case InFederatedCatalog():
                return self._resolved(self._behind_connector(home), found)
            case BehindExternalSchema():
                return self._behind_external_schema(home, found)
            case InSystem():
                return Unknown("system", str(name))
            case _:
                assert_never(home)

    def _in_data_catalog(self, home: InDataCatalog, found: Found) -> Resolved:
        return self._resolved(self.data_catalog_dataset(home.name, home.catalog_id, home.site), found)

    def _in_warehouse(self, home: InWarehouse) -> Dataset:
        instance = self.redshift_instance(home.warehouse)
        if home.namespace is not None:
            instance = self._naming.namespace_instances.get(home.namespace, instance)
        return Dataset("redshift", str(home.name), instance)

    def _behind_connector(self, home: InFederatedCatalog) -> Dataset:
        target = self._athena_catalogs.get(home.name.catalog)
        if target is None:
            return Dataset("athena", str(home.name), self._naming.site_instances.get(home.site))
        platform, instance, database = target
        parts = (database, home.name.database, home.name.table)
        return Dataset(platform, ".".join(filter(None, parts)), instance)

    def _behind_external_schema(self, home: BehindExternalSchema, found: Found) -> Resolution:
        parts = _parts_of(home.kind, home)
        if parts is None:
            return Unknown("external_schema", f"{home.external_schema}.{home.table}")
        instance = self._naming.external_instances.get(home.external_schema)
        return self._resolved(Dataset(home.kind, ".".join(parts), instance), found)

    def _resolved(self, dataset: Dataset, found: Found) -> Resolved:
        storage = self.location_dataset(found.location) if found.location else None
        columns, all_visible = found.columns, found.all_visible
        return Resolved(dataset, found.known, found.complete, columns, all_visible=all_visible, storage=storage)

    def _glue_instance(self, catalog_id: str | None, site: str | None) -> str | None:
        default = self._naming.site_instances.get(site, self._naming.glue_instance)
        return self._naming.glue_instances.get(catalog_id, default) if catalog_id else default

    def _location(self, location: S3Location, *, written: bool) -> Resolution:
        """The Data Catalog's location that holds it; for what is read, also the only one below; else its folder."""
        name = self.index.location_of(location.uri, written=written)
        if name is not None:
            return Resolved(Dataset("s3", name, self._naming.s3_instance), known=True)
        segments = folder_segments(location.uri)
        if segments is None:
            return Unknown("location", location.uri)
        return Resolved(Dataset("s3", "/".join(segments), self._naming.s3_instance), known=True)


def _parts_of(kind: ExternalSchemaKind, home: BehindExternalSchema) -> tuple[str, ...] | None:
    """The name that DataHub's source of the other system gives a table; None where it has none."""
    match kind:
        case "kinesis" | "kafka":  # a stream, or a topic
            return (home.table,)
        case _ if home.database is None:
            return None
        case "postgres":
            return home.database, home.schema or "public", home.table
        case "mysql" | "hive":
            return home.database, home.table
        case _:
            return None
