"""How datasets and queries are used: DataHub's usage statistics and operations, from the statements that ran."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime

from datahub.configuration.time_window_config import BucketDuration, get_time_bucket
from datahub.emitter.mce_builder import make_ts_millis
from datahub.emitter.mcp import MetadataChangeProposalWrapper
from datahub.ingestion.source.usage.usage_common import BaseUsageConfig, UsageAggregator, extract_user_email
from datahub.metadata.schema_classes import (
    DatasetUserUsageCountsClass,
    OperationClass,
    OperationSourceTypeClass,
    OperationTypeClass,
    QueryUsageStatisticsClass,
    TimeWindowSizeClass,
)

from datahub_aws_lineage.emit.queries import Mask, QueryText
from datahub_aws_lineage.emit.schema_index import SchemaIndex
from datahub_aws_lineage.emit.urns import dataset_urn, query_urn
from datahub_aws_lineage.emit.users import Users
from datahub_aws_lineage.emit.work_units import WorkUnits, mentioned
from datahub_aws_lineage.model.lineage import RanStatement, StatementKind
from datahub_aws_lineage.model.names import Dataset

_OPERATIONS: dict[StatementKind, str] = {
    "insert": OperationTypeClass.INSERT,
    "copy": OperationTypeClass.INSERT,
    "append": OperationTypeClass.INSERT,
    "unload": OperationTypeClass.INSERT,
    "merge": OperationTypeClass.UPDATE,
    "update": OperationTypeClass.UPDATE,
    "delete": OperationTypeClass.DELETE,
    "truncate": OperationTypeClass.DELETE,
    "create_table_as": OperationTypeClass.CREATE,
    "create_table": OperationTypeClass.CREATE,
    "create_external_table": OperationTypeClass.CREATE,
    "create_external_table_as": OperationTypeClass.CREATE,
    "create_view": OperationTypeClass.CREATE,
    "create_materialized_view": OperationTypeClass.CREATE,
    "rename": OperationTypeClass.ALTER,
    "drop": OperationTypeClass.DROP,
}
"""As DataHub's SQL parser ranks them (`QueryType.to_operation_type`); the statement's own kind is a property beside."""


_DEFINITIONS: frozenset[StatementKind] = frozenset({"create_view", "create_external_table", "create_procedure"})
"""What they name is not read when they run."""


@dataclass(slots=True)
class _QueryUse:
    """How often a query ran within one bucket, and by whom."""

    count: int = 0
    users: Counter[str] = field(default_factory=Counter)
    last: datetime | None = None


@dataclass(slots=True)
class _Change:
    """The last time that a query changed a dataset within one bucket."""

    kind: StatementKind
    at: datetime
    user: str | None


class Usage:
    """Counts statements as they run; gives what it counted once all have.

    Dataset usage goes through DataHub's `UsageAggregator`, which keeps its counts on disk. Memory grows with distinct
    queries, by bucket. `is_ours` says of a dataset whether its usage is told here.
    """

    def __init__(
        self,
        config: BaseUsageConfig,
        *,
        env: str,
        users: Users,
        schemas: SchemaIndex,
        query_text: QueryText,
        mask: Mask,
    ) -> None:
        self._config = config if query_text != "none" else config.model_copy(update={"include_top_n_queries": False})
        self._env = env
        self._users = users
        self._schemas = schemas
        self._query_text = query_text
        self._mask = mask
        self._datasets: UsageAggregator[Dataset] | None = None
        self._texts: dict[str, str] = {}
        self._queries: dict[str, dict[datetime, _QueryUse]] = {}
        self._changes: dict[tuple[Dataset, str, datetime], _Change] = {}

    def add_use(self, run: RanStatement) -> None:
        """Counts what a statement reads, and the statement itself."""
        user = self._users.known_urn(run.actor)
        use = self._queries.setdefault(run.query, {}).setdefault(self._bucket(run.started_at), _QueryUse())
        use.count += 1
        use.last = run.started_at
        if user is not None:
            use.users[user] += 1
        if not run.reads or run.kind in _DEFINITIONS:
            return
        if self._datasets is None:
            self._datasets = UsageAggregator(self._config)
        columns: dict[Dataset, set[str]] = {}
        for dataset, path in run.columns:
            known = self._schemas.known_path(dataset, path)
            if known is not None:
                columns.setdefault(dataset, set()).add(known)
        for dataset in run.reads:
            self._datasets.aggregate_event(
                resource=dataset,
                start_time=run.started_at,
                query=self._text(run),
                user=user,
                fields=sorted(columns.get(dataset, ())),
            )

    def add_change(self, run: RanStatement) -> None:
        """Notes what a statement changes; with `include_read_operational_stats` what it reads, too."""
        at = run.ended_at or run.started_at
        user, bucket = self._users.known_urn(run.actor), self._bucket(run.started_at)
        if run.kind in _OPERATIONS or run.kind in {"execute", "call"}:
            for dataset in run.writes:
                self._changes[dataset, run.query, bucket] = _Change(run.kind, at, user)
        if self._config.include_read_operational_stats and not run.writes:
            for dataset in run.reads:
                self._changes[dataset, run.query, bucket] = _Change("select", at, user)

    def dataset_units(self, is_ours: Callable[[Dataset], bool]) -> WorkUnits:
        """Usage statistics and operations of datasets, which other sources may describe."""
        ours: dict[str, bool] = {}

        def urn(dataset: Dataset) -> str:
            made = dataset_urn(dataset, self._env)
            ours[made] = is_ours(dataset)
            return made

        if self._datasets is not None:
            with closing(self._datasets) as aggregator:
                for unit in aggregator.generate_workunits(urn, str):
                    if ours[unit.get_urn()]:
                        unit.is_primary_source = False
                        yield unit
        yield from mentioned(self._operations(is_ours))

    def query_proposals(self, query_id: str) -> Iterator[MetadataChangeProposalWrapper]:
        """Usage statistics of one query, a bucket each."""
        granularity = TimeWindowSizeClass(unit=self._config.bucket_duration, multiple=1)
        for bucket, use in sorted(self._queries.get(query_id, {}).items()):
            yield MetadataChangeProposalWrapper(
                entityUrn=query_urn(query_id),
                aspect=QueryUsageStatisticsClass(
                    timestampMillis=make_ts_millis(bucket),
                    eventGranularity=granularity,
                    queryCount=use.count,
                    lastExecutedAt=make_ts_millis(use.last) if use.last else None,
                    uniqueUserCount=len(use.users),
                    userCounts=[
                        DatasetUserUsageCountsClass(user=user, count=count, userEmail=extract_user_email(user))
                        for user, count in use.users.most_common()
                    ],
                ),
            )

    def _operations(self, is_ours: Callable[[Dataset], bool]) -> Iterator[MetadataChangeProposalWrapper]:
        for (dataset, query, _), change in self._changes.items():
            if is_ours(dataset):
                at = make_ts_millis(change.at)
                yield MetadataChangeProposalWrapper(
                    entityUrn=dataset_urn(dataset, self._env),
                    aspect=OperationClass(
                        timestampMillis=at,
                        operationType=_OPERATIONS.get(change.kind, OperationTypeClass.CUSTOM),
                        customOperationType=None if change.kind in _OPERATIONS else change.kind.upper(),
                        lastUpdatedTimestamp=at,
                        actor=change.user,
                        sourceType=OperationSourceTypeClass.DATA_PLATFORM,
                        customProperties={"statement": change.kind},
                        queries=None if self._query_text == "none" else [query_urn(query)],
                    ),
                )

    def _text(self, run: RanStatement) -> str:
        """One text stands for all runs of a query: with its literals, each run would be a query of its own.

        Without texts, the id is counted, and no query is named: the number of queries is the sum of their counts.
        """
        if self._query_text == "none":
            return run.query
        text = self._texts.get(run.query)
        if text is None:
            whole = self._mask(run.text, run.dialect) if self._query_text == "masked" else run.text
            most = self._config.queries_character_limit // self._config.top_n_queries
            text = self._texts[run.query] = whole[: most + 1]
        return text

    def _bucket(self, moment: datetime) -> datetime:
        return get_time_bucket(moment, BucketDuration(self._config.bucket_duration))
