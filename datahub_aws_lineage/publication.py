"""What a run tells DataHub of lineage: edges, the datasets at their ends that no catalog describes, and queries."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime

from datahub_aws_lineage.config import AwsLineageConfig
from datahub_aws_lineage.emit.datasets import open_proposals, schema_proposals, stored_columns
from datahub_aws_lineage.emit.memory import EdgeMemory, Edges, Recollection, Story, joined, own_alone
from datahub_aws_lineage.emit.procedures import ProcedureJobs
from datahub_aws_lineage.emit.queries import QueryBuilder
from datahub_aws_lineage.emit.schema_index import SchemaIndex
from datahub_aws_lineage.emit.stored import Stored, StoredDataset, UpstreamLineage, stale_view_lineage
from datahub_aws_lineage.emit.upstreams import UpstreamBuilder, lineage_proposal
from datahub_aws_lineage.emit.urns import dataset_urn, is_accepted
from datahub_aws_lineage.emit.usage import Usage
from datahub_aws_lineage.emit.users import Users
from datahub_aws_lineage.emit.work_units import WorkUnits, described, lineage_unit, mentioned
from datahub_aws_lineage.errors import RetriableError
from datahub_aws_lineage.lineage.history import History
from datahub_aws_lineage.lineage.query_log import dataset_order
from datahub_aws_lineage.model.catalog import Column, Table
from datahub_aws_lineage.model.lineage import DatasetLineage, RanStatement
from datahub_aws_lineage.model.names import Dataset
from datahub_aws_lineage.model.queries import NamedQuery
from datahub_aws_lineage.report import AwsLineageReport
from datahub_aws_lineage.sql import mask_literals


class Publication:
    """Takes the tables of the catalogs first, then the history. `stored` asks DataHub, where one can be asked; `memory`
    has what earlier runs said, where the recipe asks for it."""

    def __init__(
        self,
        config: AwsLineageConfig,
        report: AwsLineageReport,
        stored: Stored | None,
        memory: EdgeMemory | None = None,
    ) -> None:
        self._config = config
        self._memory = memory
        self._report = report
        self._stored = stored
        self._diagnostics = report.diagnostics
        self._schemas = SchemaIndex(self._diagnostics)
        self._users = Users(config.user_map)
        self._usage = Usage(
            config.usage_config,
            env=config.env,
            users=self._users,
            schemas=self._schemas,
            query_text=config.query_text,
            mask=mask_literals,
        )
        self._upstreams = UpstreamBuilder(
            env=config.env,
            schemas=self._schemas,
            query_text=config.query_text,
            mask=mask_literals,
            include_column_lineage=config.include_column_lineage,
            users=self._users,
        )
        self._described: set[Dataset] = set()
        self._understood_views: set[Dataset] = set()
        self._stored_columns: dict[Dataset, tuple[Column, ...] | None] = {}
        self._named_queries: list[tuple[NamedQuery, tuple[Dataset, ...]]] = []
        self._acceptance: dict[Dataset, bool] = {}
        self._datahub_is_silent = False

    def add_table(self, dataset: Dataset, table: Table, location: Dataset | None) -> bool:
        """Whether this source describes the table."""
        self._schemas.add(dataset, table, location)
        if self._config.include_catalog_metadata and self._is_accepted(dataset):
            self._described.add(dataset)
        return dataset in self._described

    def note_understood_view(self, view: Dataset) -> None:
        """Says that the lineage of a view is all that its definition says."""
        self._understood_views.add(view)

    def stored_columns(self, dataset: Dataset) -> tuple[Column, ...] | None:
        """What DataHub knows of a table that this run's catalogs do not have: another source may have read it."""
        if dataset not in self._stored_columns:
            accepted = not self._datahub_is_silent and self._is_accepted(dataset)
            stored = self._ask_datahub(dataset_urn(dataset, self._config.env)) if accepted else None
            self._stored_columns[dataset] = stored_columns(stored.schema) if stored is not None else None
        return self._stored_columns[dataset]

    def add_run(self, run: RanStatement) -> None:
        """Takes a statement that ran, as far as the recipe asks for usage and operations of where it ran."""
        tells = self._config.tells_of(run.dialect, run.warehouse)
        if tells.include_usage_statistics:
            self._usage.add_use(run)
        if tells.include_operational_stats:
            self._usage.add_change(run)

    def add_named_query(self, query: NamedQuery, subjects: tuple[Dataset, ...]) -> None:
        self._named_queries.append((query, subjects))

    def work_units(self, history: History) -> WorkUnits:
        lineages = list(self._accepted(history.lineages()))
        self._schemas.learn(lineages)
        yield from self._open_datasets(lineages)
        yield from self._lineages(lineages, history)
        yield from self._queries(history)
        yield from self._procedures(history)
        yield from self._usage.dataset_units(lambda dataset: self._tells_usage_of(dataset, history))

    def _lineages(self, lineages: Iterable[DatasetLineage], history: History) -> WorkUnits:
        described = {dataset_urn(dataset, self._config.env) for dataset in self._described}
        stories = self._stories(history) if self._memory is not None else {}
        for lineage in lineages:
            said = self._upstreams.aspect(lineage)
            if said is not None:
                self._report.coverage.add_lineage(lineage)
                urn = dataset_urn(lineage.downstream, self._config.env)
                recalled = self._recall(urn, said, stories)
                understood = lineage.downstream in self._understood_views
                yield from self._lineage(urn, said, recalled, described=urn in described, understood=understood)
        for urn in self._memory.unspoken() if self._memory is not None else ():
            recalled = self._recall(urn, None, stories)
            yield from self._lineage(urn, None, recalled, described=urn in described, understood=False)

    def _stories(self, history: History) -> Mapping[str, Story]:
        """By URN. Of a run that may have missed something, nothing is over."""
        if self._report.failures:
            return {}
        void = {dataset_urn(dataset, self._config.env): _millis(moment) for dataset, moment in history.over()}
        emptied = {dataset_urn(dataset, self._config.env): _millis(moment) for dataset, moment in history.emptied()}
        return {urn: Story(void.get(urn), emptied.get(urn)) for urn in {**void, **emptied}}

    def _recall(self, urn: str, said: UpstreamLineage | None, stories: Mapping[str, Story]) -> Recollection:
        """What earlier runs said of a dataset."""
        if self._memory is None:
            return Recollection(Edges(), Edges())
        is_whole = not (self._report.failures or self._report.warnings)
        recalled = self._memory.recall(urn, said, stories.get(urn, Story()), is_whole=is_whole)
        if recalled.kept:
            self._diagnostics.seen("edges of earlier runs that still hold", len(recalled.kept))
        if recalled.over:
            self._diagnostics.seen("edges of earlier runs that are over", len(recalled.over))
        return recalled

    def _lineage(
        self, urn: str, said: UpstreamLineage | None, recalled: Recollection, *, described: bool, understood: bool
    ) -> WorkUnits:
        """What is said of one dataset. `understood`: a view whose definition tells all of its lineage."""
        if not self._config.incremental_lineage and (said is not None or recalled.kept):
            if said is not None or recalled.over:
                whole = lineage_proposal(urn, joined(said, recalled.kept.aspect()))
                yield lineage_unit(whole, described=described, incremental=False)
            return
        stale = self._stale(urn, said, recalled.over, understood=understood)
        if said is not None or stale.upstreams or stale.fineGrainedLineages:
            added = lineage_proposal(urn, joined(said, None))
            yield lineage_unit(added, described=described, incremental=True, stale=stale)

    def _stale(self, urn: str, said: UpstreamLineage | None, over: Edges, *, understood: bool) -> UpstreamLineage:
        """What DataHub has of this source's own words that does not hold any more."""
        understood = understood and not (self._report.failures or self._report.warnings)
        stored = self._ask_datahub(urn) if understood or over else None
        lineage = stored.lineage if stored is not None else None
        of_view = stale_view_lineage(lineage, said) if understood and said is not None else None
        return joined(of_view, own_alone(over.aspect(), lineage))

    def _queries(self, history: History) -> WorkUnits:
        builder = QueryBuilder(
            env=self._config.env,
            schemas=self._schemas,
            diagnostics=self._diagnostics,
            query_text=self._config.query_text,
            mask=mask_literals,
            users=self._users,
        )
        for query in history.queries():
            yield from described(builder.proposals(query))
            if self._config.query_text != "none":
                yield from described(self._usage.query_proposals(query.query_id))
        for named, subjects in self._named_queries:
            accepted = [dataset for dataset in subjects if self._is_accepted(dataset) and history.stays(dataset)]
            yield from described(builder.named_query_proposals(named, accepted, self._config.end_time))

    def _procedures(self, history: History) -> WorkUnits:
        jobs = ProcedureJobs(self._upstreams, env=self._config.env)
        warehouses = {warehouse.name: warehouse for warehouse in self._config.warehouses}
        for lineage in history.procedures():
            warehouse = warehouses[lineage.warehouse or ""]
            reads = tuple(filter(self._is_accepted, lineage.reads))
            accepted = replace(lineage, reads=reads, writes=tuple(self._accepted(lineage.writes)))
            has_containers = warehouse.reads_schemas_of(lineage.procedure.database)
            yield from mentioned(jobs.proposals(accepted, warehouse.platform_instance, has_containers=has_containers))

    def _tells_usage_of(self, dataset: Dataset, history: History) -> bool:
        """Tables of this account's own engines: how others are used, their own sources know better."""
        own = {self._config.glue.platform, "iceberg", "redshift"}
        return dataset.platform in own and self._is_accepted(dataset) and history.stays(dataset)

    # ---- names that DataHub refuses ---------------------------------------------------------------------------------

    def _accepted(self, lineages: Iterable[DatasetLineage]) -> Iterator[DatasetLineage]:
        for lineage in lineages:
            if self._is_accepted(lineage.downstream):
                edges = tuple(edge for edge in lineage.edges if self._is_accepted(edge.upstream))
                columns = tuple(edge for edge in lineage.columns if self._is_accepted(edge.upstream))
                yield replace(lineage, edges=edges, columns=columns)

    def _is_accepted(self, dataset: Dataset) -> bool:
        if dataset not in self._acceptance:
            self._acceptance[dataset] = is_accepted(dataset, self._config.env)
            if not self._acceptance[dataset]:
                self._diagnostics.skipped("unsupported", "dataset with a long name", str(dataset))
        return self._acceptance[dataset]

    # ---- datasets that no catalog describes -------------------------------------------------------------------------

    def _open_datasets(self, lineages: Iterable[DatasetLineage]) -> WorkUnits:
        """What no catalog gives a schema: S3 locations, tables of logs, and links, which are described but for it."""
        env, schemas = self._config.env, self._schemas
        ends = {end for lineage in lineages for end in (lineage.downstream, *(edge.upstream for edge in lineage.edges))}
        for dataset in sorted(filter(schemas.is_open, ends), key=dataset_order):
            if dataset in self._described:
                yield from described(schema_proposals(dataset, schemas.fields_of_same_data(dataset), env=env))
                continue
            stored = self._ask_datahub(dataset_urn(dataset, env))
            if stored is not None and stored.schema is not None:
                schemas.adopt(dataset, stored.schema.fields)
            if self._is_known_by_lineage_alone(dataset):
                fields = schemas.open_fields(dataset) if self._config.include_column_lineage else []
                yield from mentioned(open_proposals(dataset, fields, stored, env=env))

    def _is_known_by_lineage_alone(self, dataset: Dataset) -> bool:
        if dataset.platform == "s3":
            return self._config.include_s3_datasets
        warehouses = [one for one in self._config.warehouses if one.platform_instance == dataset.instance]
        database = dataset.name.partition(".")[0]
        return (
            dataset.platform == "redshift"
            and any(one.describes_log_tables for one in warehouses)
            and not any(one.reads_schemas_of(database) for one in warehouses)
        )

    # ---- what DataHub has already -----------------------------------------------------------------------------------

    def _ask_datahub(self, urn: str) -> StoredDataset | None:
        """None where it does not answer; from then on it is not asked again."""
        if self._stored is None:
            return StoredDataset()
        if self._datahub_is_silent:
            return None
        try:
            return self._stored(urn)
        except RetriableError as e:
            self._datahub_is_silent = True
            self._diagnostics.warning("What DataHub has already could not be asked for, and stays as it is", str(e))
            return None


def _millis(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)
