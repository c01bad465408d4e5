"""One run of a recipe: from the readers through the stages to work units."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from datahub_aws_lineage.aws.lake_formation import TaggedCatalogReader
from datahub_aws_lineage.aws.redshift_catalog import RedshiftCatalogReader
from datahub_aws_lineage.checkpoints import WorkGroupCheckpoints
from datahub_aws_lineage.config import AwsLineageConfig, RedshiftConfig
from datahub_aws_lineage.config.lineage_file import Complaint, read_lineage_file
from datahub_aws_lineage.edge_memories import EdgeMemories
from datahub_aws_lineage.emit.containers import Containers
from datahub_aws_lineage.emit.datasets import table_proposals
from datahub_aws_lineage.emit.siblings import sibling_units
from datahub_aws_lineage.emit.stored import Stored
from datahub_aws_lineage.emit.tags import Tags
from datahub_aws_lineage.emit.urns import container_key, dataset_urn
from datahub_aws_lineage.emit.work_units import BrowsePaths, WorkUnits, described
from datahub_aws_lineage.errors import AwsLineageError, SnapshotError
from datahub_aws_lineage.garbage import collected_seldom
from datahub_aws_lineage.lineage.catalog import CatalogIndex
from datahub_aws_lineage.lineage.history import History
from datahub_aws_lineage.lineage.notes import notes_of
from datahub_aws_lineage.lineage.resolver import Resolver
from datahub_aws_lineage.lineage.session import Session
from datahub_aws_lineage.model.catalog import Database, DataCatalog, Table
from datahub_aws_lineage.model.lineage import Statement, StatementLineage, Unresolved
from datahub_aws_lineage.model.names import Dataset, Dialect, S3Location, TableName
from datahub_aws_lineage.model.ports import CatalogReader
from datahub_aws_lineage.model.queries import NamedQuery, QueryRecord, SqlContext, well_formed
from datahub_aws_lineage.model.secrets import mask_member, mask_text
from datahub_aws_lineage.publication import Publication
from datahub_aws_lineage.query_logs import QueryLogs
from datahub_aws_lineage.readers import Labelled, Readers, open_window
from datahub_aws_lineage.report import AwsLineageReport
from datahub_aws_lineage.sites import Site, naming
from datahub_aws_lineage.sql import Repeats, analyze, fingerprint


class Run:
    """One run: catalogs, then what ran in time order, then views, then what all of that makes of each dataset.

    Each part fails alone. A failure in the report keeps DataHub from removing what was merely not read.
    """

    def __init__(
        self,
        config: AwsLineageConfig,
        report: AwsLineageReport,
        sites: Sequence[Site],
        with_browse_paths: BrowsePaths,
        stored: Stored | None,
        checkpoints: WorkGroupCheckpoints,
        memories: EdgeMemories,
    ) -> None:
        self._config, self._report, self._with_browse_paths = config, report, with_browse_paths
        self._diagnostics = report.diagnostics
        self._checkpoints = checkpoints
        self._earlier = checkpoints.earlier()
        self._sites = {site.name: site for site in sites}
        self._readers = self._open_readers(sites)
        self._index = CatalogIndex(self._data_catalogs, config.athena.catalogs)
        for site in sites:
            warehouses = [warehouse.name for warehouse in site.config.redshift]
            self._index.sites.add(site.name, site.region, site.account_id, warehouses)
        self._resolver = Resolver(self._index, naming(config, sites))
        self._memories, self._memory = memories, memories.open()
        self._publication = Publication(config, report, stored, self._memory)
        self._tags = Tags(self._diagnostics, stored)
        self._history = History(
            self._resolver,
            self._diagnostics,
            fingerprint,
            storage_lineage=config.glue.include_storage_lineage,
            on_run=self._publication.add_run,
            columns_elsewhere=self._publication.stored_columns if stored is not None else None,
            procedures_of={one.name for one in config.warehouses if one.include_stored_procedures},
            manifests={
                warehouse: readers.manifests.files
                for readers in self._readers.values()
                for warehouse in readers.reads_manifests_of
            },
        )
        self._repeats = Repeats()
        self._views: list[tuple[Table, str | None]] = []
        self._site_of: dict[Dataset, str] = {}
        self._noted: list[tuple[Table, str | None]] = []

    def _open_readers(self, sites: Sequence[Site]) -> dict[str | None, Readers]:
        window = open_window(self._config, [site.config for site in sites])
        may_share = sum(one.reads_catalog for one in self._config.warehouses) > 1
        readers = {}
        for site in sites:
            diagnostics = self._diagnostics if site.name is None else Labelled(self._diagnostics, site.name)
            earlier = self._checkpoints.of_site(self._earlier, site.name)
            readers[site.name] = Readers(
                site.config, site.clients, diagnostics, window, earlier, site=site.name, may_share=may_share
            )
        return readers

    def work_units(self) -> WorkUnits:
        for site in self._sites.values():
            yield from self._glue(site)
            for warehouse in site.config.redshift:
                yield from self._warehouse(site, warehouse)
        with self._part("Hand-written lineage"):
            self._add_hand_written()
        with collected_seldom():
            with self._report.new_stage("Query histories"):
                self._read_histories()
            with self._report.new_stage("Views"):
                for table, warehouse_name in self._views:
                    self._apply_view(table, warehouse_name)
            for readers in self._readers.values():
                with self._part(_of_site("Athena named queries", readers.site)):
                    for query in readers.athena.named_queries():
                        self._apply_named_query(query, readers.site)
            with self._report.new_stage("Lineage"):
                yield from self._publication.work_units(self._history)
        failed = bool(self._report.failures)
        read = {site: readers.athena.work_groups_read for site, readers in self._readers.items()}
        self._checkpoints.keep(read, self._earlier, failed=failed)
        try:
            self._memories.keep(self._memory, failed=failed)
        except OSError as e:
            self._diagnostics.failure("The memory of edges could not be written", str(e))

    # ---- catalogs ---------------------------------------------------------------------------------------------------

    def _glue(self, site: Site) -> WorkUnits:
        with self._part(_of_site("Glue Data Catalog", site.name)):
            reader = self._readers[site.name].glue()
            if reader is not None:
                units = self._catalog(reader, site.name, site.clients.region)
                yield from self._with_browse_paths(units, self._config.glue.platform, site.config)
            if isinstance(reader, TaggedCatalogReader):
                reader.report_faults()

    def _warehouse(self, site: Site, warehouse: RedshiftConfig) -> WorkUnits:
        with self._part(_of_site(f"Redshift {warehouse.name}: catalog", site.name)):
            readers = self._readers[site.name]
            reader = readers.redshift(warehouse)
            if reader is not None:
                for schema in reader.read_external_schemas():
                    self._history.add_external_schema(schema, warehouse.name)
                if readers.may_share:
                    self._add_shares(reader, warehouse)
                units = self._catalog(reader, warehouse.name, site.clients.region)
                yield from self._with_browse_paths(units, "redshift", warehouse)

    def _add_shares(self, reader: RedshiftCatalogReader, warehouse: RedshiftConfig) -> None:
        with self._added_part(f"Redshift {warehouse.name}: datashares"):
            for share in reader.read_shares():
                self._index.add_share(share, warehouse.name)

    def _catalog(self, reader: CatalogReader, warehouse: str | None, region: str) -> WorkUnits:
        """Containers and datasets of one catalog, which are put into the index on the way."""
        gaps_before = self._diagnostics.gaps
        catalogs: dict[str, str | None] = {}
        containers = Containers(env=self._config.env, region=region)
        of_warehouse = isinstance(reader, RedshiftCatalogReader)
        for database in reader.read_databases():
            self._index.add_database(database, warehouse)
            catalogs.setdefault(database.catalog, database.catalog_id)
            if self._config.include_catalog_metadata:
                place = self._place(database, warehouse)
                yield from described(containers.proposals(database, place.instance, platform=place.platform))
                key = container_key(database, place.instance, self._config.env, platform=place.platform)
                yield from self._tags.work_units(key.as_urn(), database.tags)
        for table in reader.read_tables():
            yield from self._table(table, warehouse, region)
        covers = self._redshift_covers if of_warehouse else self._glue_covers
        sees_all = isinstance(reader, RedshiftCatalogReader) and reader.sees_everything()
        if self._diagnostics.gaps == gaps_before and (sees_all or not of_warehouse):
            for catalog, catalog_id in catalogs.items():
                self._index.mark_complete(
                    catalog, warehouse=warehouse, catalog_id=catalog_id, covers=covers, all_visible=sees_all
                )

    def _table(self, table: Table, warehouse: str | None, region: str) -> WorkUnits:
        table = _without_secrets(table)
        self._history.add_table(table, warehouse)
        if table.view is not None:
            self._views.append((table, warehouse))
        if self._config.include_noted_lineage and any(notes_of(table)):
            self._noted.append((table, warehouse))
        dataset = self._dataset(table, warehouse)
        if table.platform == "glue" and warehouse is not None:
            self._tell_apart(dataset, warehouse)
        if self._publication.add_table(dataset, table, self._location(table)):
            env, notes = self._config.env, self._diagnostics
            yield from described(table_proposals(table, dataset, env=env, region=region, diagnostics=notes))
            yield from self._tags.work_units(dataset_urn(dataset, env), table.tags)
        if self._config.glue.include_siblings and table.platform == "glue":
            yield from sibling_units(dataset, self._config.env)

    def _tell_apart(self, dataset: Dataset, site: str) -> None:
        """Says where two sites have a table of one name under one platform instance: they become one dataset."""
        first = self._site_of.setdefault(dataset, site)
        if first != site:
            detail = f"{dataset}: {first}, {site}; give each a platform_instance, as {{account_name}}-{{region}}"
            self._diagnostics.warning("Tables of two accounts or regions have one name", detail)

    def _dataset(self, table: Table, warehouse: str | None) -> Dataset:
        if table.platform == "redshift":
            return Dataset("redshift", str(table.name), self._resolver.redshift_instance(warehouse))
        return self._resolver.data_catalog_dataset(table.name, table.catalog_id, warehouse)

    def _location(self, table: Table) -> Dataset | None:
        """Where the data of a table lies, as edges name it; a view has none, and that of a link is its target's."""
        if table.platform != "glue" or table.is_view or table.link is not None or table.location is None:
            return None
        return self._resolver.location_dataset(table.location)

    def _place(self, database: Database, warehouse: str | None) -> Dataset:
        """A dataset as those of the database are, but for its name."""
        name = TableName(database.catalog, database.name, "")
        return self._dataset(Table(database.platform, name, None, catalog_id=database.catalog_id), warehouse)

    def _redshift_covers(self, name: TableName) -> bool:
        """Whether the recipe's patterns let a table of a warehouse be read."""
        return self._config.table_pattern.allowed(str(name))

    def _glue_covers(self, name: TableName) -> bool:
        """Whether the recipe's patterns let a table of the Glue Data Catalog be read."""
        config = self._config
        return config.database_pattern.allowed(name.database) and config.table_pattern.allowed(
            f"{name.database}.{name.table}"
        )

    def _add_hand_written(self) -> None:
        for table, warehouse in self._noted:
            self._history.hand_written.add_notes(table, self._dataset(table, warehouse), warehouse)
        if self._config.lineage_file is not None:
            for said in read_lineage_file(self._config.lineage_file, self._config.env):
                if isinstance(said, Complaint):
                    self._diagnostics.warning("A part of lineage_file is left out", said.text)
                else:
                    self._history.hand_written.add(said)

    # ---- statements -------------------------------------------------------------------------------------------------

    def _read_histories(self) -> None:
        logs = QueryLogs(self._config, list(self._readers.values()), self._diagnostics, self._part)
        for number, (record, warehouse) in enumerate(logs.read()):
            if number == 0:
                for site, work_groups in logs.executing_work_groups.items():
                    self._add_prepared_statements(site, work_groups)
            self._apply(record, warehouse)

    def _add_prepared_statements(self, site: str | None, work_groups: list[str]) -> None:
        with self._added_part(_of_site("Athena prepared statements", site)):
            for statement in self._readers[site].athena.prepared_statements(work_groups):
                self._history.add_prepared(replace(statement, text=mask_text(well_formed(statement.text))), site)

    def _apply(self, record: QueryRecord, warehouse: str | None) -> None:
        session = self._history.session(record, warehouse)
        statements = self._statements(record, session)
        self._report.count_statements(record.context.dialect, statements)
        self._history.apply(record, statements, warehouse)

    def _statements(self, record: QueryRecord, session: Session) -> tuple[Statement, ...]:
        if record.succeeded is False:
            return ()
        if record.truncated:
            return (_cut(record),)
        statements = self._repeats.analyze(record.text, session.context, session, session.prepared)
        if self._config.athena.include_result_locations and record.result_location is not None:
            return tuple(_with_result(statement, record.result_location) for statement in statements)
        return statements

    def _apply_named_query(self, query: NamedQuery, site: str | None) -> None:
        query = replace(query, text=mask_text(well_formed(query.text)))
        statements = analyze(query.text, query.context, self._index.schemas("athena", site))
        self._publication.add_named_query(query, self._history.subjects(statements, "athena", site))

    def _apply_view(self, table: Table, warehouse: str | None) -> None:
        if table.view is None or not (table.platform == "redshift" or self._config.glue.include_views):
            return
        dialect: Dialect = "redshift" if table.view.dialect == "redshift" else "athena"
        catalog, database = table.view.default_catalog, table.view.default_database
        search_path = (database,) if dialect == "redshift" else ()
        context = SqlContext(dialect, catalog, database, search_path)
        statements = analyze(table.view.sql, context, self._index.schemas(dialect, warehouse))
        self._report.count_statements(dialect, statements)
        self._history.apply_view(table, statements, warehouse)
        if all(isinstance(one.outcome, StatementLineage) and not one.outcome.gaps for one in statements):
            self._publication.note_understood_view(self._dataset(table, warehouse))

    def _data_catalogs(self, site: str | None) -> Iterator[DataCatalog]:
        """Asked for when a statement names a catalog that the recipe does not know."""
        readers = self._readers.get(site)
        with self._added_part(_of_site("Athena data catalogs", site)):
            for catalog in readers.athena.data_catalogs() if readers is not None else ():
                if catalog.kind != "glue" and catalog.name not in self._config.athena.catalogs:
                    kind = f"{catalog.connection_type or catalog.kind} connector"
                    detail = f"{catalog.name}: a {kind}; its platform in athena.catalogs would link its tables"
                    self._diagnostics.skipped("unsupported", "athena data catalog", detail)
                yield catalog

    @contextmanager
    def _part(self, name: str) -> Iterator[None]:
        """A part of the account: what ends it is a failure of the run, and the other parts go on."""
        with self._report.new_stage(name):
            try:
                yield
            except AwsLineageError as e:
                self._diagnostics.failure("A part of the account could not be read", f"{name}: {e}")

    @contextmanager
    def _added_part(self, name: str) -> Iterator[None]:
        """A part that only adds to others, and that a recording of an earlier version may lack."""
        with self._part(name):
            try:
                yield
            except SnapshotError as e:
                self._diagnostics.warning("The recording lacks a part of the account", f"{name}: {e}")


def _of_site(part: str, site: str | None) -> str:
    return part if site is None else f"{site}: {part}"


def _without_secrets(table: Table) -> Table:
    """Keys and passwords stand in parameters (of connectors) and in SQL (COPY … CREDENTIALS); none is passed on."""
    parameters = {name: str(mask_member(name, value)) for name, value in table.parameters.items()}
    view = table.view
    if view is not None:
        original = mask_text(well_formed(view.original)) if view.original else None
        view = replace(view, sql=mask_text(well_formed(view.sql)), original=original)
    return replace(table, parameters=parameters, view=view)


def _with_result(statement: Statement, location: str) -> Statement:
    """A SELECT as what it is where its result is read next: an UNLOAD to the result's location."""
    selects = statement.kind in {"select", "execute"} and statement.output is None
    if not selects or not isinstance(statement.outcome, StatementLineage):
        return statement
    return replace(statement, kind="unload", output=S3Location(location))


def _cut(record: QueryRecord) -> Statement:
    """A text that is known to be cut may still parse, into lineage that is wrong."""
    return Statement(0, "utility", record.text, Unresolved("truncated", "the log holds only a part of the text"))
