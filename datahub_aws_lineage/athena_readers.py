"""From a recipe to the readers of Athena that it asks for. No call is made before a reader is read."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path

from typing_extensions import assert_never

from datahub_aws_lineage.aws import athena, athena_file, athena_system_table, cloudtrail_lookup, cloudtrail_trail
from datahub_aws_lineage.aws.athena import AthenaHistoryReader, Earlier
from datahub_aws_lineage.aws.athena_catalogs import DataCatalogReader
from datahub_aws_lineage.aws.athena_cloudtrail import CloudTrailHistoryReader, StartedReader
from datahub_aws_lineage.aws.athena_executions import Executions, Paces
from datahub_aws_lineage.aws.athena_file import AthenaFileReader
from datahub_aws_lineage.aws.athena_queries import AthenaQueries
from datahub_aws_lineage.aws.athena_saved import SavedStatementReader
from datahub_aws_lineage.aws.athena_system_table import SystemTableHistoryReader
from datahub_aws_lineage.aws.clients import Clients
from datahub_aws_lineage.aws.cloudtrail_lookup import LookupEventsReader
from datahub_aws_lineage.aws.cloudtrail_trail import TrailReader
from datahub_aws_lineage.aws.pace import unpaced
from datahub_aws_lineage.checks import Check
from datahub_aws_lineage.config import (
    AthenaApi,
    AthenaFile,
    AthenaLog,
    AthenaSystemTable,
    AwsLineageConfig,
    CloudTrailEvents,
    CloudTrailTrail,
)
from datahub_aws_lineage.model.catalog import DataCatalog
from datahub_aws_lineage.model.ports import Diagnostics, HistoryReader
from datahub_aws_lineage.model.queries import NamedQuery, PreparedStatement, QueryRecord, TimeWindow

_EXECUTE = re.compile(r"\bEXECUTE\b", re.IGNORECASE)


class AthenaReaders:
    """The readers of one recipe over one set of clients.

    `earlier` is what earlier runs have read of the API's history. What a recording is asked about is old: retention
    then counts from the end of the window, and nothing is waited for.
    """

    def __init__(
        self,
        config: AwsLineageConfig,
        clients: Clients,
        diagnostics: Diagnostics,
        window: TimeWindow,
        earlier: Earlier | None = None,
    ) -> None:
        self._config = config.athena
        self._is_replay = config.snapshot is not None
        self._is_offline = not config.glue.enabled and all(isinstance(log, AthenaFile) for log in self.history_logs)
        self._clients = clients
        self._diagnostics = diagnostics
        self._window = window
        self._earlier = earlier
        self._api: AthenaHistoryReader | None = None
        self.in_turn = self._is_replay
        """Whether to read one work group after the other, so that a recording always has the same order."""

    @property
    def history_logs(self) -> Sequence[AthenaLog]:
        return self._config.query_logs if self._config.reads_history else ()

    def history(self, log: AthenaLog) -> HistoryReader:
        """Raises ConfigurationError or CredentialsError where that needs AWS and cannot have it."""
        work_group_allowed, several = self._config.work_group_pattern.allowed, len(self._config.query_logs) > 1
        match log:
            case AthenaApi():
                self._api = AthenaHistoryReader(
                    self._clients,
                    self._diagnostics,
                    self._window,
                    work_group_allowed=work_group_allowed,
                    as_of=self._as_of,
                    with_failed=several,
                    earlier=self._earlier,
                    paces=self._paces,
                    threads=1 if self.in_turn else self._config.max_workers,
                )
                return self._api
            case AthenaSystemTable():
                queries = AthenaQueries(self._clients, log.work_group, log.output_location)
                return SystemTableHistoryReader(
                    queries,
                    self._diagnostics,
                    self._window,
                    work_group_allowed=work_group_allowed,
                    with_failed=several,
                )
            case AthenaFile():
                return AthenaFileReader(
                    Path(log.path),
                    self._diagnostics,
                    self._window,
                    work_group_allowed=work_group_allowed,
                    with_failed=several,
                )
            case CloudTrailEvents() | CloudTrailTrail():
                return CloudTrailHistoryReader(
                    self._started_queries(log),
                    self._diagnostics,
                    self._window,
                    executions=None if self._config.reads_api else Executions(self._clients, self._paces.getting),
                    work_group_allowed=work_group_allowed,
                    with_failed=several,
                )
            case _:
                assert_never(log)

    def data_catalogs(self) -> Iterator[DataCatalog]:
        """The further catalogs of Athena; none where the recipe reads files alone. Raises FatalError alone."""
        if not self._is_offline:
            yield from DataCatalogReader(self._clients, self._diagnostics).read_data_catalogs()

    def prepared_statements(self, work_groups: Sequence[str]) -> Iterator[PreparedStatement]:
        """What EXECUTE can run there; none where the recipe reads files alone. Raises FatalError alone."""
        if work_groups and not self._is_offline:
            yield from self._saved.read_prepared(work_groups)

    def named_queries(self) -> Iterator[NamedQuery]:
        """None unless the recipe asks for them. Raises FatalError alone."""
        if self._config.include_named_queries:
            yield from self._saved.read_named()

    @property
    def work_groups_read(self) -> Mapping[str, TimeWindow]:
        """What this run and earlier ones have read from the API, of each work group that was read to its end."""
        return self._api.read if self._api is not None else {}

    def was_read_before(self, record: QueryRecord) -> bool:
        """Whether an earlier run has read a query from the API that this one therefore does not ask it for."""
        known = self._earlier.read.get(record.work_group or "") if self._earlier is not None else None
        return known is not None and record.started_at in known

    def _started_queries(self, log: CloudTrailEvents | CloudTrailTrail) -> StartedReader:
        match log:
            case CloudTrailEvents():
                if self._is_replay:
                    return LookupEventsReader(
                        self._clients, self._diagnostics, self._window, pause=unpaced, as_of=self._as_of
                    )
                return LookupEventsReader(self._clients, self._diagnostics, self._window)
            case CloudTrailTrail():
                return TrailReader(
                    self._clients,
                    self._diagnostics,
                    self._window,
                    log.bucket,
                    log.prefix,
                    account_id=log.account_id or self._clients.account_id(),
                    region=self._clients.region,
                )
            case _:
                assert_never(log)

    @property
    def _as_of(self) -> datetime | None:
        return self._window.end if self._is_replay else None

    @property
    def _paces(self) -> Paces:
        return Paces() if self._is_replay else Paces.under_quota()

    @property
    def _saved(self) -> SavedStatementReader:
        allowed = self._config.work_group_pattern.allowed
        return SavedStatementReader(self._clients, self._diagnostics, work_group_allowed=allowed)


def may_execute(record: QueryRecord) -> bool:
    """Whether a record may run a prepared statement of its work group."""
    return record.work_group is not None and _EXECUTE.search(record.text) is not None


def log_name(log: AthenaLog) -> str:
    """How reports name a way to the history."""
    match log:
        case AthenaApi():
            return "query history"
        case AthenaSystemTable():
            return "system table"
        case CloudTrailEvents():
            return "CloudTrail events"
        case CloudTrailTrail():
            return f"CloudTrail trail s3://{log.bucket}/{log.prefix}"
        case AthenaFile():
            return f"file {log.path}"
        case _:
            assert_never(log)


_HISTORY = "what ran on Athena: every edge but those of views, links and locations"
_WHO = "who ran what on Athena, and what ran 45 to 90 days ago"


def checks(config: AwsLineageConfig, clients: Clients) -> Iterator[Check]:
    """One cheap call for each thing of Athena that a run would read."""
    if config.athena.reads_history:
        for log in config.athena.query_logs:
            yield from _log_checks(log, config, clients)


def _log_checks(log: AthenaLog, config: AwsLineageConfig, clients: Clients) -> Iterator[Check]:
    name = f"Athena {log_name(log)}"
    match log:
        case AthenaApi():
            yield Check("Athena work groups", partial(athena.probe_work_groups, clients), athena.PERMISSIONS, _HISTORY)
            allowed = config.athena.work_group_pattern.allowed
            yield Check(name, partial(athena.probe_history, clients, allowed), athena.PERMISSIONS, _HISTORY)
        case AthenaSystemTable():
            queries = partial(AthenaQueries, clients, log.work_group, log.output_location)
            needs = athena_system_table.PERMISSIONS
            yield Check(name, lambda: athena_system_table.probe(queries(), config.window), needs, _HISTORY)
        case CloudTrailEvents():
            attempt = partial(cloudtrail_lookup.probe, clients, config.window)
            yield Check(name, attempt, cloudtrail_lookup.PERMISSIONS, _WHO)
        case CloudTrailTrail():
            attempt = partial(cloudtrail_trail.probe, clients, log.bucket, log.prefix)
            yield Check(name, attempt, cloudtrail_trail.PERMISSIONS, _WHO)
        case AthenaFile():
            yield Check(name, partial(athena_file.probe, Path(log.path)), gives=_HISTORY)
        case _:
            assert_never(log)
