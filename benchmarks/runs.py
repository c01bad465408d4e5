"""The same log through this package and through DataHub's aggregator, each to the end: proposals for DataHub."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from time import process_time

from datahub.emitter.mce_builder import make_data_platform_urn, make_dataset_urn
from datahub.metadata.schema_classes import (
    OtherSchemaClass,
    SchemaFieldClass,
    SchemaFieldDataTypeClass,
    SchemaMetadataClass,
    StringTypeClass,
)
from datahub.metadata.urns import CorpUserUrn
from datahub.sql_parsing.schema_resolver import SchemaResolver
from datahub.sql_parsing.sql_parsing_aggregator import ObservedQuery, SqlParsingAggregator

from benchmarks.workload import CATALOGS, Workload
from datahub_aws_lineage.config import AwsLineageConfig
from datahub_aws_lineage.garbage import collected_seldom
from datahub_aws_lineage.lineage.catalog import CatalogIndex
from datahub_aws_lineage.lineage.history import History
from datahub_aws_lineage.lineage.resolver import Naming, Resolver
from datahub_aws_lineage.model.catalog import Table
from datahub_aws_lineage.model.queries import QueryRecord
from datahub_aws_lineage.publication import Publication
from datahub_aws_lineage.report import AwsLineageReport
from datahub_aws_lineage.sql import Repeats, fingerprint


@dataclass(frozen=True)
class Measured:
    """CPU seconds of this process, from the first statement to the last proposal, and how many proposals there were."""

    statements: int
    seconds: float
    proposals: int

    @property
    def rate(self) -> float:
        return self.statements / self.seconds


def measured(run: Callable[[Workload], Callable[[], Iterator[object]]], workload: Workload) -> Measured:
    """Schemas are loaded before the clock starts; the log's text is made before, too."""
    proposals = run(workload)
    start = process_time()
    count = sum(1 for _ in proposals())
    return Measured(len(workload), process_time() - start, count)


class Run:
    """This package over a catalog, without its readers."""

    def __init__(self, catalog: Iterable[Table]) -> None:
        report = AwsLineageReport()
        resolver = Resolver(CatalogIndex(), Naming())
        self._history = History(resolver, report.diagnostics, fingerprint)
        self._publication = Publication(AwsLineageConfig.model_validate({}), report, None)
        self._repeats = Repeats()
        for table in catalog:
            self._history.add_table(table)
            self._publication.add_table(resolver.data_catalog_dataset(table.name, None), table, None)

    def read(self, records: Iterable[QueryRecord]) -> None:
        for record in records:
            session = self._history.session(record)
            self._history.apply(record, self._repeats.analyze(record.text, session.context, session))

    def work_units(self) -> Iterator[object]:
        yield from self._publication.work_units(self._history)


def ours(workload: Workload) -> Callable[[], Iterator[object]]:
    run = Run(workload.catalog())
    records = list(workload.records())

    def proposals() -> Iterator[object]:
        with collected_seldom():
            run.read(records)
            yield from run.work_units()

    return proposals


def datahubs(workload: Workload) -> Callable[[], Iterator[object]]:
    resolver = SchemaResolver(platform=workload.dialect, env="PROD")
    aggregator = SqlParsingAggregator(
        platform=workload.dialect,
        schema_resolver=resolver,
        generate_lineage=True,
        generate_queries=True,
        format_queries=False,
    )
    for table in workload.catalog():
        aggregator.register_schema(_urn(workload, table), _schema(table, workload.dialect))
    observed = [_observed(record) for record in workload.records()]

    def proposals() -> Iterator[object]:
        for query in observed:
            aggregator.add(query)
        yield from aggregator.gen_metadata()

    return proposals


def _urn(workload: Workload, table: Table) -> str:
    catalog = CATALOGS[workload.dialect]
    return make_dataset_urn(workload.dialect, f"{catalog}.{table.name.database}.{table.name.table}")


def _observed(record: QueryRecord) -> ObservedQuery:
    context = record.context
    return ObservedQuery(
        query=record.text,
        timestamp=record.started_at,
        user=CorpUserUrn(record.actor or "etl"),
        default_db=context.default_catalog,
        default_schema=context.default_database,
    )


def _schema(table: Table, platform: str) -> SchemaMetadataClass:
    text = SchemaFieldDataTypeClass(StringTypeClass._construct_with_defaults())
    return SchemaMetadataClass(
        schemaName=str(table.name),
        platform=make_data_platform_urn(platform),
        version=0,
        hash="",
        platformSchema=OtherSchemaClass(rawSchema=""),
        fields=[SchemaFieldClass(column.name, text, column.type) for column in table.columns or ()],
    )
