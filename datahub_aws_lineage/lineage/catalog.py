"""What the catalogs hold, found by the names that SQL uses."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass

from typing_extensions import assert_never

from datahub_aws_lineage.lineage.homes import (
    S3_TABLES,
    BehindExternalSchema,
    Home,
    InDataCatalog,
    InFederatedCatalog,
    InSystem,
    InWarehouse,
    Mounted,
)
from datahub_aws_lineage.lineage.locations import LocationIndex, location_name
from datahub_aws_lineage.lineage.sites import Sites
from datahub_aws_lineage.model.catalog import (
    Column,
    Database,
    DataCatalog,
    Datashare,
    ExternalSchema,
    LinkTarget,
    Table,
)
from datahub_aws_lineage.model.names import DATA_CATALOG, Dialect, S3Location, StatementTable, TableName
from datahub_aws_lineage.model.ports import Schemas

ICEBERG_METADATA = frozenset(
    "all_data_files all_delete_files all_entries all_files all_manifests data_files delete_files entries files history "
    "manifests metadata_log_entries partitions position_deletes properties refs snapshots".split()
)
"""`"t$history"`: what Athena offers about table `t` (Athena user guide, Query Apache Iceberg table metadata)."""

_SYSTEM_SCHEMAS = frozenset({"information_schema", "pg_catalog", "pg_internal", "pg_toast"})
_LONGEST_CHAIN = 8
"""Links and external schemas followed at most: a chain that is longer runs in a circle."""
_MOST_FINDS = 100_000
"""Names of statements whose place is remembered."""


@dataclass(frozen=True, slots=True)
class CataloguedTable:
    """What is kept of a `Table`: a catalog can hold a million of them."""

    name: TableName
    columns: tuple[Column, ...] | None
    link: LinkTarget | None
    location: str | None
    catalog_id: str | None
    site: str | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """Where a name leads. `complete`: the catalog was read to its end. `all_visible`: and hides nothing.

    `location` is where the data of a table of a Data Catalog lies.
    """

    home: Home
    known: bool
    complete: bool
    columns: tuple[Column, ...] | None
    all_visible: bool = False
    location: str | None = None


@dataclass(frozen=True, slots=True)
class _Extent:
    """What of a catalog was read: all that `covers` (the recipe's patterns) lets in, or of it what the login sees."""

    covers: Callable[[TableName], bool]
    all_visible: bool


def _everything(_: TableName) -> bool:
    return True


class CatalogIndex:
    """Tables of the Data Catalog and of each warehouse. Order of adding does not matter.

    `warehouse` is the label that the recipe gives a warehouse; None where there is only one. For what is of Athena or
    Glue it is that of the site (`sites`), None where the recipe reads one account in one region.

    `data_catalogs` gives the further catalogs of Athena. A site is asked once, when a statement first names one that is
    not in `mapped`, whose names the recipe explains: most accounts have none, and need no permission to list them.
    """

    def __init__(
        self,
        data_catalogs: Callable[[str | None], Iterable[DataCatalog]] = lambda _: (),
        mapped: Container[str] = (),
    ) -> None:
        self.sites = Sites()
        self.locations = LocationIndex()
        self._in_files: dict[str, tuple[Column, ...] | None] = {}
        """Columns of the files at a catalogued location, in their order; None where tables there disagree."""
        self._data_catalog: dict[tuple[str | None, str | None, TableName], CataloguedTable] = {}
        self._warehouses: dict[tuple[str | None, TableName], CataloguedTable] = {}
        self._database_links: dict[tuple[str | None, str, str], LinkTarget] = {}
        self._external: dict[tuple[str | None, str, str | None], ExternalSchema] = {}
        self._namespaces: dict[str, str | None] = {}
        self._shared_databases: dict[tuple[str, str], str] = {}
        self._list_data_catalogs = data_catalogs
        self._mapped = mapped
        self._data_catalogs: dict[str | None, Mapping[str, tuple[str, str | None]]] = {}
        self._schemas: set[tuple[str | None, str, str]] = set()
        self._extents: dict[tuple[str | None, str, str | None], _Extent] = {}
        self._finds: dict[tuple[TableName, Dialect, str | None], Found] = {}
        self.changes = 0
        """Grows with whatever could change what a name leads to."""

    # ---- what was read ------------------------------------------------------------------------------------------

    def add_database(self, database: Database, warehouse: str | None = None) -> None:
        """A database is needed for its resource link (Glue), a schema for `$user` in a search path (Redshift)."""
        self._changed()
        if database.platform == "redshift":
            self._schemas.add((warehouse, database.catalog.lower(), database.name.lower()))
        elif database.link is not None:
            self._database_links[warehouse, database.catalog.lower(), database.name.lower()] = database.link
        elif database.catalog_id is not None:
            self.sites.learn_account(warehouse, database.catalog_id)

    def add_table(self, table: Table, warehouse: str | None = None) -> None:
        self._changed()
        name = _lower(table.name)
        location = None if table.is_view else table.location
        site = None if table.platform == "redshift" else warehouse
        known = CataloguedTable(name, table.columns, table.link, location, table.catalog_id, site)
        if table.platform == "redshift":
            self._warehouses[warehouse, name] = known
            self._schemas.add((warehouse, name.catalog, name.database))
            return
        self._data_catalog[site, table.catalog_id, name] = known
        first = self._data_catalog.setdefault((site, None, name), known)
        if (table.catalog_id or "") <= (first.catalog_id or ""):
            self._data_catalog[site, None, name] = known
        if location is not None and table.link is None:
            self._add_location(location, table.columns)

    def _add_location(self, location: str, columns: tuple[Column, ...] | None) -> None:
        self.locations.add(location)
        name = location_name(location)
        if name is not None and columns is not None:
            in_files = tuple(column for column in columns if not column.partition_key)
            known = self._in_files.setdefault(name, in_files)
            if known is not None and [column.name for column in known] != [column.name for column in in_files]:
                self._in_files[name] = None

    def add_external_schema(self, schema: ExternalSchema, warehouse: str | None = None) -> None:
        """An external schema of a warehouse, or a database that it made from a datashare."""
        self._changed()
        local = schema.schema.lower() if schema.schema else None
        self._external[warehouse, schema.database.lower(), local] = schema

    def learn_external_schema(self, schema: ExternalSchema, warehouse: str | None = None) -> None:
        """An external schema that a statement made: what was read from the catalog says more, and stays."""
        self._changed()
        key = warehouse, schema.database.lower(), schema.schema.lower() if schema.schema else None
        self._external.setdefault(key, schema)

    def add_share(self, share: Datashare, warehouse: str | None = None) -> None:
        """Says that this warehouse of the recipe gives the datashare, so that databases made from it lead there."""
        self._changed()
        self._namespaces[share.namespace] = warehouse
        self._shared_databases[share.namespace, share.name] = share.database

    def mark_complete(
        self,
        catalog: str = DATA_CATALOG,
        *,
        warehouse: str | None = None,
        catalog_id: str | None = None,
        covers: Callable[[TableName], bool] = _everything,
        all_visible: bool = True,
    ) -> None:
        """Says that a catalog (of Glue), or database (of a warehouse), was read to its end without an error.

        `covers` tells which names the recipe's patterns let in: of the others nothing is known. Without `all_visible`
        there may be tables that the login is not shown (Lake Formation leaves them out of Glue's listings).
        """
        self._changed()
        extent = _Extent(covers, all_visible)
        self._extents[warehouse, catalog.lower(), None] = extent
        if catalog_id is not None:
            self._extents[warehouse, catalog.lower(), catalog_id] = extent

    # ---- what it says -------------------------------------------------------------------------------------------

    def find(self, name: TableName, dialect: Dialect, warehouse: str | None = None) -> Found:
        """Where `name` leads, when a statement of `dialect` (on `warehouse`) uses it."""
        key = name, dialect, warehouse
        found = self._finds.get(key)
        if found is None:
            if len(self._finds) >= _MOST_FINDS:
                self._finds.clear()
            found = self._finds[key] = self._find(name, dialect, warehouse)
        return found

    def _changed(self) -> None:
        self.changes += 1
        if self._finds:
            self._finds.clear()

    def _find(self, name: TableName, dialect: Dialect, warehouse: str | None) -> Found:
        home = self._home(name, dialect, warehouse)
        match home:
            case InDataCatalog():
                return self._found_in_data_catalog(home)
            case Mounted():
                inner = self._found_in_data_catalog(home.inner)
                outer = self._warehouses.get((home.outer.warehouse, home.outer.name))
                columns = inner.columns or (outer.columns if outer else None)
                known = inner.known or outer is not None
                return Found(home, known, inner.complete, columns, inner.all_visible, inner.location)
            case InWarehouse():
                table = self._warehouses.get((home.warehouse, home.name)) or self._warehouses.get((warehouse, name))
                extent = self._extent(home.warehouse, home.name, None) if home.namespace is None else None
                return _found(home, table, extent)
            case InFederatedCatalog() | BehindExternalSchema():
                return Found(home, known=False, complete=False, columns=None)
            case InSystem():
                return Found(home, known=True, complete=True, columns=None)
            case _:
                assert_never(home)

    def columns(
        self, table: StatementTable, dialect: Dialect, warehouse: str | None = None
    ) -> tuple[Column, ...] | None:
        """The columns that a statement sees; None for what is not known, and for tables of metadata.

        Of an S3 location, what the Data Catalog says of the files there, in their order.
        """
        if isinstance(table, S3Location):
            name = self.location_of(table.uri)
            return self._in_files.get(name) if name is not None else None
        if not isinstance(table, TableName):
            return None
        found = self.find(table, dialect, warehouse)
        if isinstance(found.home, InDataCatalog) and "$" in table.table and "$" not in found.home.name.table:
            return None
        return found.columns

    def location_of(self, uri: str, *, written: bool = False) -> str | None:
        """The catalogued location that holds `uri`; for what is read, also the only one below it."""
        name = self.locations.longest_prefix(uri)
        return self.locations.only_one_below(uri) if name is None and not written else name

    def schemas(self, dialect: Dialect, warehouse: str | None = None) -> Schemas:
        """This index as the `Schemas` port, for statements without a session."""
        return _SchemasOf(self, dialect, warehouse)

    def has_schema(self, warehouse: str | None, database: str, schema: str) -> bool:
        return (warehouse, database, schema) in self._schemas or (warehouse, database, schema) in self._external

    def data_catalog_tables(self) -> Iterator[CataloguedTable]:
        """Each table of every Data Catalog once."""
        for (_, catalog_id, _), table in self._data_catalog.items():
            if catalog_id == table.catalog_id:
                yield table

    def warehouse_tables(self) -> Iterator[tuple[str | None, TableName]]:
        yield from self._warehouses

    # ---- how names lead there -----------------------------------------------------------------------------------

    def _home(self, name: TableName, dialect: Dialect, warehouse: str | None) -> Home:
        name = _lower(name)
        if dialect == "redshift":
            return self._home_on_redshift(name, warehouse, _LONGEST_CHAIN)
        if name.database in _SYSTEM_SCHEMAS:
            return InSystem(name)
        site = warehouse
        if name.catalog == DATA_CATALOG or name.catalog.startswith(f"{S3_TABLES}/"):
            return self._home_in_data_catalog(name, site)
        registered = None if name.catalog in self._mapped else self._registered(site).get(name.catalog)
        if registered is None:
            return InFederatedCatalog(name, site)
        catalog, catalog_id = registered
        return self._home_in_data_catalog(TableName(catalog, name.database, name.table), site, catalog_id)

    def _registered(self, site: str | None) -> Mapping[str, tuple[str, str | None]]:
        """Other names under which Athena knows a Data Catalog: another account's, or an S3 Tables bucket."""
        if site not in self._data_catalogs:
            self._data_catalogs[site] = {
                catalog.name: _catalog_and_account(catalog.catalog_id)
                for catalog in self._list_data_catalogs(site)
                if catalog.catalog_id is not None
            }
        return self._data_catalogs[site]

    def _home_on_redshift(self, name: TableName, warehouse: str | None, chain: int) -> Home:
        if name.database in _SYSTEM_SCHEMAS:
            return InSystem(name)
        site = self.sites.of_warehouse(warehouse)
        if name.catalog == DATA_CATALOG:
            return self._home_in_data_catalog(name, site)
        if name.catalog.endswith(f"@{S3_TABLES}"):
            bucket = name.catalog.removesuffix(f"@{S3_TABLES}")
            return self._home_in_data_catalog(TableName(f"{S3_TABLES}/{bucket}", name.database, name.table), site)
        schema = self._external.get((warehouse, name.catalog, name.database))
        schema = schema or self._external.get((warehouse, name.catalog, None))
        if schema is None or chain == 0:
            return InWarehouse(warehouse, name)
        return self._home_behind(schema, name, warehouse, chain)

    def _home_behind(self, schema: ExternalSchema, name: TableName, warehouse: str | None, chain: int) -> Home:
        source = schema.source_database.lower() if schema.source_database else None
        match schema.kind:
            case "data_catalog":
                if source is None:
                    return InWarehouse(warehouse, name)
                catalog, catalog_id = _catalog_of(schema)
                behind, site = TableName(catalog, source, name.table), self.sites.of_warehouse(warehouse)
                inner = self._home_in_data_catalog(behind, site, catalog_id, _option(schema, "region"))
                return Mounted(InWarehouse(warehouse, name), inner)
            case "redshift":
                table = TableName(source or name.catalog, (schema.source_schema or "public").lower(), name.table)
                return self._home_on_redshift(table, warehouse, chain - 1)
            case "datashare":
                shared_schema = (schema.source_schema or name.database).lower()
                namespace = schema.options.get("datashare_producer_namespace", "")
                told = self._shared_databases.get((namespace, schema.options.get("datashare_name", "")))
                database = told or source
                if database is None:
                    return InWarehouse(warehouse, name)
                table = TableName(database, shared_schema, name.table)
                if namespace in self._namespaces:
                    return InWarehouse(self._namespaces[namespace], table)
                return InWarehouse(warehouse, table, namespace)
            case "hive" | "postgres" | "mysql" | "kinesis" | "kafka" | "system" | "other":
                label = f"{name.catalog}.{name.database}"
                return BehindExternalSchema(schema.kind, label, source, schema.source_schema, name.table)
            case _:
                assert_never(schema.kind)

    def _home_in_data_catalog(
        self, name: TableName, site: str | None, catalog_id: str | None = None, region: str | None = None
    ) -> InDataCatalog:
        """Follows links to the owner's table; a metadata table is the table that it tells about."""
        first_link, link_site = None, site
        for _ in range(_LONGEST_CHAIN):
            site = self.sites.owner(site, catalog_id, region)
            if (site, catalog_id, name) not in self._data_catalog:
                name = _without_metadata_suffix(name)
            table = self._data_catalog.get((site, catalog_id, name))
            link = table.link if table else self._database_links.get((site, name.catalog, name.database))
            if link is None:
                return InDataCatalog(name, table.catalog_id if table else catalog_id, first_link, site, link_site)
            if first_link is None and table is not None:
                first_link, link_site = name, site
            name = TableName(name.catalog, link.database.lower(), (link.table or name.table).lower())
            catalog_id, region = link.catalog_id, link.region
        return InDataCatalog(name, catalog_id, first_link, site, link_site)

    def _found_in_data_catalog(self, home: InDataCatalog) -> Found:
        """A link is proof enough of its target, whose own catalog may be another account's."""
        known = self._data_catalog.get((home.site, home.catalog_id, home.name))
        if known is None and home.link is not None:
            known = self._data_catalog.get((home.link_site, None, home.link))
        return _found(home, known, self._extent(home.site, home.name, home.catalog_id))

    def _extent(self, warehouse: str | None, name: TableName, catalog_id: str | None) -> _Extent | None:
        extent = self._extents.get((warehouse, name.catalog, catalog_id))
        return extent if extent is not None and extent.covers(name) else None


@dataclass(frozen=True, slots=True)
class _SchemasOf:
    index: CatalogIndex
    dialect: Dialect
    warehouse: str | None

    def columns(self, table: StatementTable) -> tuple[Column, ...] | None:
        return self.index.columns(table, self.dialect, self.warehouse)


def _found(home: Home, table: CataloguedTable | None, extent: _Extent | None) -> Found:
    columns = table.columns if table else None
    all_visible = extent is not None and extent.all_visible
    location = table.location if table and table.link is None else None
    return Found(home, table is not None, extent is not None, columns, all_visible, location)


def _lower(name: TableName) -> TableName:
    return TableName(name.catalog.lower(), name.database.lower(), name.table.lower())


def _without_metadata_suffix(name: TableName) -> TableName:
    base, dollar, suffix = name.table.rpartition("$")
    return TableName(name.catalog, name.database, base) if dollar and base and suffix in ICEBERG_METADATA else name


def _catalog_of(schema: ExternalSchema) -> tuple[str, str | None]:
    """The catalog and account of an external schema: `CATALOG_ID '123456789012'`, or `'…:s3tablescatalog/bucket'`."""
    return _catalog_and_account(_option(schema, "catalog_id") or "")


def _option(schema: ExternalSchema, name: str) -> str | None:
    return next((value for key, value in schema.options.items() if key.lower() == name), None)


def _catalog_and_account(catalog_id: str) -> tuple[str, str | None]:
    account, _, nested = catalog_id.partition(":")
    return (nested.lower() if nested else DATA_CATALOG), (account or None if not nested else None)
