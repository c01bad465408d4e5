"""Statements from the user-activity log that a provisioned Redshift cluster writes to S3.

Source: Amazon Redshift Management Guide, "Database audit logging" (db-auditing, "Bucket structure"): keys are
`[prefix/]AWSLogs/<account>/redshift/<region>/<year>/<month>/<day>/
<account>_redshift_<region>_<cluster>_useractivitylog_<timestamp>.gz`. It needs the parameter
`enable_user_activity_logging`; a serverless work group writes no log to S3. No login to the database is needed.
"""

from __future__ import annotations

import gzip
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass

from datahub_aws_lineage.aws.clients import Clients
from datahub_aws_lineage.aws.dated_folders import DatedLogs, name_of, open_first, split_prefix
from datahub_aws_lineage.aws.redshift_audit_records import AuditRecords
from datahub_aws_lineage.errors import AccessDeniedError, RetriableError, SkippableError
from datahub_aws_lineage.model.ports import Diagnostics
from datahub_aws_lineage.model.queries import QueryRecord, TimeWindow

PERMISSIONS: tuple[str, ...] = ("s3:GetObject", "s3:ListBucket")
SOURCE = "redshift-audit-log"

_LOG_NAME = re.compile(
    r"(?P<account>\d+)_redshift_(?P<region>[a-z0-9-]+)_(?P<cluster>.+)_useractivitylog_(?P<time>.+)\.gz"
)


@dataclass(frozen=True, slots=True)
class LogFile:
    """`cluster` is `<account>.<region>.<identifier>`: identifiers are unique within one account and region only."""

    key: str
    cluster: str


class AuditLogHistoryReader:
    """Reads the logs of every account, region and cluster under `prefix`, day by day, within `window`.

    The log is written before a statement runs, so `succeeded` is None on every record. Sessions: see `SessionNames`.
    """

    def __init__(
        self, clients: Clients, diagnostics: Diagnostics, window: TimeWindow, bucket: str, prefix: str = ""
    ) -> None:
        self._diagnostics = diagnostics
        self._window = window
        self._bucket = bucket
        self._place = log_place(prefix)
        self._logs = DatedLogs(clients.client("s3"), diagnostics, bucket, "Redshift audit log")
        self._records = AuditRecords(diagnostics, window, SOURCE)

    def read_queries(self) -> Iterator[QueryRecord]:
        """Yields records day by day, in log order. What cannot be read is reported; only FatalError is raised."""
        found = False
        try:
            for log in self._list():
                found = True
                yield from self._read(log)
        except AccessDeniedError as e:
            self._diagnostics.warning("Redshift audit log is denied", f"{e.permission}: {e}")
        except (SkippableError, RetriableError) as e:
            self._diagnostics.failure("Redshift audit log cannot be listed", str(e))
        else:
            if not found:
                self._diagnostics.warning(
                    "No Redshift user-activity log",
                    f"s3://{self._bucket}/{self._place.root} holds none for the time window",
                )

    def _list(self) -> Iterator[LogFile]:
        root, account, region = self._place.root, self._place.account, self._place.region
        for account_folder in [f"{root}{account}/"] if account else self._logs.folders(root):
            service_folder = f"{account_folder}redshift/"
            for region_folder in [f"{service_folder}{region}/"] if region else self._logs.folders(service_folder):
                for day in self._logs.days(region_folder, self._window):
                    yield from filter(None, map(_log_file, self._logs.keys(day)))

    def _read(self, log: LogFile) -> Iterator[QueryRecord]:
        name = name_of(log.key).removesuffix(".gz")
        yield from self._logs.read(log.key, lambda file: self._records.read(_lines(file), log.cluster, name))


@dataclass(frozen=True, slots=True)
class LogPlace:
    """Where logs lie. `root` is the folder of account folders; an account or region narrows the search."""

    root: str
    account: str | None = None
    region: str | None = None


def log_place(prefix: str) -> LogPlace:
    """Reads `prefix`: the key prefix set for audit logging, or a path down to `AWSLogs`, an account or a region.

    >>> log_place("audit")
    LogPlace(root='audit/AWSLogs/', account=None, region=None)
    >>> log_place("AWSLogs/111122223333/redshift/eu-west-1/")
    LogPlace(root='AWSLogs/', account='111122223333', region='eu-west-1')
    """
    root, below = split_prefix(prefix)
    return LogPlace(
        root=root,
        account=below[0] if below else None,
        region=below[2] if len(below) > 2 else None,
    )


def _log_file(key: str) -> LogFile | None:
    """None for the other logs of the service, which lie in the same folders."""
    parts = _LOG_NAME.fullmatch(name_of(key))
    return LogFile(key, f"{parts['account']}.{parts['region']}.{parts['cluster']}") if parts else None


def _lines(file: gzip.GzipFile) -> io.TextIOWrapper:
    # Undecodable bytes lie within literals or broken identifiers: they must not cost the rest of the log.
    return io.TextIOWrapper(file, encoding="utf-8", errors="replace")


def probe(clients: Clients, bucket: str, prefix: str = "") -> None:
    """Opens the log's first object. Raises what `calls.call` raises, and NotFoundError where there is no log at all."""
    place = log_place(prefix)
    folder = f"{place.root}{place.account}/redshift/" if place.account else place.root
    open_first(clients.client("s3"), bucket, folder, hint="is audit logging on, and is this its prefix?")
