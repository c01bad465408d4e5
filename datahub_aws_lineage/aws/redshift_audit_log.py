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
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta, timezone
from typing import Any, TypeAlias

from botocore import exceptions as boto

from datahub_aws_lineage.aws.calls import call, paginate
from datahub_aws_lineage.aws.clients import Clients
from datahub_aws_lineage.aws.redshift_audit_records import AuditRecords
from datahub_aws_lineage.errors import AccessDeniedError, NotFoundError, RetriableError, SkippableError
from datahub_aws_lineage.model.ports import Diagnostics
from datahub_aws_lineage.model.queries import QueryRecord, TimeWindow

PERMISSIONS: tuple[str, ...] = ("s3:GetObject", "s3:ListBucket")
SOURCE = "redshift-audit-log"

LATEST_UPLOAD = timedelta(days=1)
"""A log lies under the day of its upload, which can come after the last statement in it."""

_LOG_NAME = re.compile(
    r"(?P<account>\d+)_redshift_(?P<region>[a-z0-9-]+)_(?P<cluster>.+)_useractivitylog_(?P<time>.+)\.gz"
)

_Date: TypeAlias = tuple[int, ...]
"""Year, year and month, or year, month and day."""


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
        self._client = clients.client("s3")
        self._diagnostics = diagnostics
        self._window = window
        self._bucket = bucket
        self._place = log_place(prefix)
        self._denied = False
        self._records = AuditRecords(diagnostics, window, SOURCE)

    def read_queries(self) -> Iterator[QueryRecord]:
        """Yields records day by day, in log order. What cannot be read is reported; only FatalError is raised."""
        found = False
        try:
            for log in self._logs():
                found = True
                yield from self._read_log(log)
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

    def _logs(self) -> Iterator[LogFile]:
        root, account, region = self._place.root, self._place.account, self._place.region
        for account_folder in [f"{root}{account}/"] if account else self._folders(root):
            service_folder = f"{account_folder}redshift/"
            for region_folder in [f"{service_folder}{region}/"] if region else self._folders(service_folder):
                for day in self._days(region_folder):
                    yield from self._logs_of_day(day)

    def _days(self, region: str) -> Iterator[str]:
        """Day folders within the window: only the years, months and days that can hold its logs are listed."""
        first = self._window.start.astimezone(timezone.utc).date()
        last = (self._window.end.astimezone(timezone.utc) + LATEST_UPLOAD).date()
        bounds = (first.year, first.month, first.day), (last.year, last.month, last.day)
        for year, year_folder in self._numbered(region, (), bounds):
            for month, month_folder in self._numbered(year_folder, year, bounds):
                for _, day_folder in self._numbered(month_folder, month, bounds):
                    yield day_folder

    def _numbered(self, parent: str, above: _Date, bounds: tuple[_Date, _Date]) -> list[tuple[_Date, str]]:
        """The numbered folders of `parent` (itself the year and month `above`) within `bounds`, in order."""
        dates = [((*above, int(name)), folder) for folder in self._folders(parent) if (name := _name(folder)).isdigit()]
        depth = len(above) + 1
        return sorted(entry for entry in dates if bounds[0][:depth] <= entry[0] <= bounds[1][:depth])

    def _folders(self, parent: str) -> list[str]:
        pages = paginate(self._client, "ListObjectsV2", Bucket=self._bucket, Prefix=parent, Delimiter="/")
        return [str(folder["Prefix"]) for page in pages for folder in page.get("CommonPrefixes", ())]

    def _logs_of_day(self, day: str) -> list[LogFile]:
        logs = []
        for page in paginate(self._client, "ListObjectsV2", Bucket=self._bucket, Prefix=day):
            for item in page.get("Contents", ()):
                parts = _LOG_NAME.fullmatch(str(item["Key"]).rpartition("/")[2])
                if parts is not None:
                    cluster = f"{parts['account']}.{parts['region']}.{parts['cluster']}"
                    logs.append(LogFile(str(item["Key"]), cluster))
        return logs

    def _read_log(self, log: LogFile) -> Iterator[QueryRecord]:
        """One log. Damage ends it alone: the records before the damage count."""
        self._diagnostics.seen("redshift audit logs")
        try:
            body = call(self._client, "GetObject", Bucket=self._bucket, Key=log.key)["Body"]
            with body:
                yield from self._records.read(_lines(body), log.cluster, _name(log.key).removesuffix(".gz"))
        except (gzip.BadGzipFile, zlib.error, EOFError) as e:
            self._diagnostics.skipped("malformed", "redshift audit log", f"{log.key}: {e}")
        except AccessDeniedError as e:
            self._report_denial(log, e)
        except (SkippableError, RetriableError, boto.BotoCoreError) as e:
            self._diagnostics.failure("Redshift audit log cannot be read", f"{log.key}: {e}")

    def _report_denial(self, log: LogFile, error: AccessDeniedError) -> None:
        self._diagnostics.skipped("denied", "redshift audit log", f"{log.key}: {error.permission}")
        if not self._denied:
            self._diagnostics.warning("Redshift audit logs are denied", f"{error.permission}: {error}")
        self._denied = True


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
    before, _, after = f"/{prefix.strip('/')}/".partition("/AWSLogs/")
    own = before.strip("/")
    below = [part for part in after.split("/") if part]
    return LogPlace(
        root=f"{own}/AWSLogs/" if own else "AWSLogs/",
        account=below[0] if below else None,
        region=below[2] if len(below) > 2 else None,
    )


def _lines(body: Any) -> io.TextIOWrapper:
    # Undecodable bytes lie within literals or broken identifiers: they must not cost the rest of the log.
    return io.TextIOWrapper(gzip.GzipFile(fileobj=body), encoding="utf-8", errors="replace")


def _name(path: str) -> str:
    return path.rstrip("/").rpartition("/")[2]


def probe(clients: Clients, bucket: str, prefix: str = "") -> None:
    """Opens the log's first object. Raises what `calls.call` raises, and NotFoundError where there is no log at all."""
    place = log_place(prefix)
    folder = f"{place.root}{place.account}/redshift/" if place.account else place.root
    client = clients.client("s3")
    contents = call(client, "ListObjectsV2", Bucket=bucket, Prefix=folder, MaxKeys=1).get("Contents")
    if not contents:
        raise NotFoundError(f"s3://{bucket}/{folder} is empty: is audit logging on, and is this its prefix?")
    call(client, "GetObject", Bucket=bucket, Key=contents[0]["Key"])["Body"].close()
