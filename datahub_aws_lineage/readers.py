"""From a recipe to the readers of AWS that it asks for. No call is made before a reader is read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from typing_extensions import assert_never

from datahub_aws_lineage import athena_readers
from datahub_aws_lineage.athena_readers import AthenaReaders, may_execute
from datahub_aws_lineage.aws.athena import Earlier
from datahub_aws_lineage.aws.athena_queries import AthenaQueries
from datahub_aws_lineage.aws.clients import Clients
from datahub_aws_lineage.aws.copy_manifests import CopyManifests
from datahub_aws_lineage.aws.glue import GlueCatalogReader
from datahub_aws_lineage.aws.lake_formation import THREADS, TaggedCatalogReader
from datahub_aws_lineage.aws.pace import unpaced
from datahub_aws_lineage.aws.redshift_audit_log import AuditLogHistoryReader
from datahub_aws_lineage.aws.redshift_catalog import RedshiftCatalogReader, local_databases
from datahub_aws_lineage.aws.redshift_data import Cluster, RedshiftDataApi, Target, WorkGroup
from datahub_aws_lineage.aws.redshift_file import FileHistoryReader
from datahub_aws_lineage.aws.redshift_history import SystemViewHistoryReader
from datahub_aws_lineage.aws.redshift_log_group import LogGroupHistoryReader
from datahub_aws_lineage.aws.redshift_published import PublishedHistoryReader
from datahub_aws_lineage.aws.sessions import open_session
from datahub_aws_lineage.config import (
    AuditLog,
    AwsLineageConfig,
    FileLog,
    LogGroup,
    PublishedTables,
    QueryLog,
    RedshiftConfig,
    SystemViewsLog,
)
from datahub_aws_lineage.errors import ConfigurationError
from datahub_aws_lineage.lineage import CatalogIndex
from datahub_aws_lineage.model.lineage import StatementLineage
from datahub_aws_lineage.model.names import S3Location
from datahub_aws_lineage.model.ports import CatalogReader, Diagnostics, HistoryReader, SkipReason
from datahub_aws_lineage.model.queries import QueryRecord, TimeWindow
from datahub_aws_lineage.snapshot.recording import Recording
from datahub_aws_lineage.snapshot.replay import replaying_session
from datahub_aws_lineage.sql import analyze


@dataclass(frozen=True, slots=True)
class History:
    """One query history: where it is read, for reports, and of which warehouse (of Athena: site) its names are.
    Histories that are `joint` tell of the same queries.

    `open` makes its reader. Raises ConfigurationError or CredentialsError where that needs AWS and cannot have it.
    """

    label: str
    open: Callable[[], HistoryReader]
    warehouse: str | None = None
    joint: bool = False


def open_clients(config: AwsLineageConfig) -> Clients:
    """Clients of the account that the recipe names, or of the recording that stands in for it.

    Raises SnapshotError where the recording cannot be read. AWS is asked for a session when a client is first needed.
    """
    if config.snapshot is not None:
        return Clients(replaying_session(config.snapshot))
    connect, expiry = config.aws_config.get_session, config.credentials_expiry
    return Clients(partial(open_session, connect, expiry), **config.client_options())


def open_window(config: AwsLineageConfig, parts: Sequence[AwsLineageConfig] = ()) -> TimeWindow:
    """The recipe's window; when it gives none and replays recordings (those of its `parts`), all that was recorded."""
    folders = [one.snapshot for one in parts or [config]]
    recorded = [Recording.load(folder).window for folder in folders if folder is not None]
    windows = [window for window in recorded if window is not None]
    if not windows or config.window_is_given:
        return config.window
    return TimeWindow(min(one.start for one in windows), max(one.end for one in windows))


def data_api_target(warehouse: RedshiftConfig) -> Target | None:
    """How the Data API reaches a warehouse; None where only its logs are read."""
    if warehouse.work_group is not None:
        return WorkGroup(warehouse.work_group, warehouse.secret_arn)
    if warehouse.cluster_identifier is not None:
        return Cluster(warehouse.cluster_identifier, warehouse.database_user, warehouse.secret_arn)
    return None


class Readers:
    """The readers of one recipe, or of one site of it, over one set of clients.

    `may_share`: whether one warehouse of the recipe may use a datashare of another. Default: as this recipe says.
    """

    def __init__(
        self,
        config: AwsLineageConfig,
        clients: Clients,
        diagnostics: Diagnostics,
        window: TimeWindow,
        earlier: Earlier | None = None,
        *,
        site: str | None = None,
        may_share: bool | None = None,
    ) -> None:
        self.site = site
        self.may_share = sum(one.reads_catalog for one in config.redshift) > 1 if may_share is None else may_share
        self._config = config
        self._clients = clients
        self._diagnostics = diagnostics
        self._window = window
        self._all_databases: dict[str, tuple[str, ...]] = {}
        self.manifests = CopyManifests(clients, diagnostics)
        self.reads_manifests_of = frozenset(one.name for one in config.redshift if one.read_copy_manifests)
        self.athena = AthenaReaders(config, clients, diagnostics, window, earlier)

    def glue(self) -> CatalogReader | None:
        if not self._config.glue.enabled:
            return None
        reader = GlueCatalogReader(
            self._clients,
            self._diagnostics,
            catalog_id=self._config.glue.catalog_id,
            database_allowed=self._config.database_pattern.allowed,
            table_allowed=self._config.table_pattern.allowed,
        )
        if not self._config.glue.extract_lakeformation_tags:
            return reader
        threads = 1 if self.athena.in_turn else THREADS
        return TaggedCatalogReader(reader, self._clients, self._diagnostics, threads=threads)

    def redshift(self, warehouse: RedshiftConfig) -> RedshiftCatalogReader | None:
        target = data_api_target(warehouse)
        if target is None or not warehouse.include_catalog:
            return None
        return RedshiftCatalogReader(
            RedshiftDataApi(self._clients, target),
            Labelled(self._diagnostics, warehouse.name),
            self._databases(warehouse, target),
            table_allowed=self._config.table_pattern.allowed,
        )

    def histories(self) -> Iterator[History]:
        athena_logs = self.athena.history_logs
        for athena_log in athena_logs:
            name = f"Athena {athena_readers.log_name(athena_log)}"
            yield History(name, partial(self.athena.history, athena_log), self.site, joint=len(athena_logs) > 1)
        for warehouse in self._config.redshift:
            for log in warehouse.query_logs:
                label = f"{warehouse.name}: {log_name(log)}"
                open_log = partial(self._log_reader, log, warehouse, Labelled(self._diagnostics, label))
                yield History(f"Redshift {label}", open_log, warehouse.name)

    def read_all(self) -> None:
        """Reads everything that a run reads, and keeps nothing. Raises FatalError."""
        self.athena.in_turn = True
        catalogs = [self.glue(), *map(self.redshift, self._config.redshift)]
        for catalog in catalogs:
            if catalog is not None:
                _exhaust(catalog.read_databases())
                _exhaust(catalog.read_tables())
            if isinstance(catalog, RedshiftCatalogReader):
                _exhaust(catalog.read_external_schemas())
                _exhaust(catalog.read_shares() if self.may_share else ())
                catalog.sees_everything()
            if isinstance(catalog, TaggedCatalogReader):
                catalog.report_faults()
        executing: dict[str, None] = {}
        for history in self.histories():
            for record in history.open().read_queries():
                if may_execute(record):
                    executing[str(record.work_group)] = None
                if history.warehouse in self.reads_manifests_of:
                    for manifest in copied_manifests(record):
                        self.manifests.files(manifest)
        _exhaust(self.athena.prepared_statements(list(executing)))
        _exhaust(self.athena.named_queries())
        if self.athena.history_logs:
            _exhaust(self.athena.data_catalogs())

    def _databases(self, warehouse: RedshiftConfig, target: Target) -> tuple[str, ...]:
        """The databases of a warehouse that are read; AWS is asked once where that is all of them."""
        given = tuple(warehouse.databases)
        if not warehouse.all_databases:
            return given
        if warehouse.name not in self._all_databases:
            diagnostics = Labelled(self._diagnostics, warehouse.name)
            found = local_databases(RedshiftDataApi(self._clients, target), diagnostics, given)
            self._all_databases[warehouse.name] = found
        return self._all_databases[warehouse.name]

    def _log_reader(self, log: QueryLog, warehouse: RedshiftConfig, diagnostics: Diagnostics) -> HistoryReader:
        match log:
            case SystemViewsLog():
                target = data_api_target(warehouse)
                if target is None:
                    raise ConfigurationError(f"{warehouse.name}: system_views need work_group or cluster_identifier")
                api = RedshiftDataApi(self._clients, target)
                databases = self._databases(warehouse, target)
                return SystemViewHistoryReader(api, diagnostics, self._window, databases)
            case AuditLog():
                return AuditLogHistoryReader(self._clients, diagnostics, self._window, log.bucket, log.prefix)
            case LogGroup():
                pause = unpaced if self._config.snapshot is not None else None
                return LogGroupHistoryReader(self._clients, diagnostics, self._window, log.log_group, pause=pause)
            case PublishedTables():
                target = data_api_target(warehouse)
                databases = tuple(warehouse.databases) if target is None else self._databases(warehouse, target)
                queries = AthenaQueries(self._clients, log.work_group, log.output_location)
                return PublishedHistoryReader(queries, diagnostics, self._window, databases, log.namespace)
            case FileLog():
                return FileHistoryReader(Path(log.path), diagnostics, self._window, database=warehouse.databases[0])
            case _:
                assert_never(log)


def copied_manifests(record: QueryRecord) -> Iterator[S3Location]:
    """The manifests that a record's COPY statements name."""
    if record.succeeded is False or "manifest" not in record.text.lower():
        return
    for statement in analyze(record.text, record.context, CatalogIndex().schemas("redshift")):
        if isinstance(statement.outcome, StatementLineage):
            for table in statement.outcome.inputs:
                if isinstance(table, S3Location) and table.is_manifest:
                    yield table


def log_name(log: QueryLog) -> str:
    """How reports name a query log of a warehouse."""
    match log:
        case SystemViewsLog():
            return "query history"
        case AuditLog():
            return f"audit log s3://{log.bucket}/{log.prefix}"
        case LogGroup():
            return f"log group {log.log_group}"
        case PublishedTables():
            return f"S3 tables {log.namespace}"
        case FileLog():
            return f"file {log.path}"
        case _:
            assert_never(log)


class Labelled:
    """Diagnostics of one warehouse or site: its name stands before each detail."""

    def __init__(self, diagnostics: Diagnostics, label: str) -> None:
        self._diagnostics = diagnostics
        self._label = label

    def seen(self, what: str, count: int = 1) -> None:
        self._diagnostics.seen(what, count)

    def skipped(self, reason: SkipReason, what: str, detail: str) -> None:
        self._diagnostics.skipped(reason, what, f"{self._label}: {detail}")

    def unresolved(self, reason: str, detail: str) -> None:
        self._diagnostics.unresolved(reason, f"{self._label}: {detail}")

    def truncated(self, what: str, detail: str) -> None:
        self._diagnostics.truncated(what, f"{self._label}: {detail}")

    def warning(self, title: str, detail: str) -> None:
        self._diagnostics.warning(title, f"{self._label}: {detail}")

    def failure(self, title: str, detail: str) -> None:
        self._diagnostics.failure(title, f"{self._label}: {detail}")


def _exhaust(values: Iterable[object]) -> None:
    for _ in values:
        pass
