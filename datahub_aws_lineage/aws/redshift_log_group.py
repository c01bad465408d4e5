"""Statements from the user-activity log that Redshift exports to CloudWatch Logs.

Sources: Amazon Redshift Management Guide, "Database audit logging" (db-auditing) and "Audit logging for Amazon Redshift
Serverless" (serverless-audit-logging); Amazon CloudWatch Logs API Reference, `FilterLogEvents`. A provisioned cluster
writes to `/aws/redshift/cluster/<cluster>/useractivitylog`, a serverless namespace, which logs nowhere else, to
`/aws/redshift/<namespace>/useractivitylog`. No login to the database is needed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

from datahub_aws_lineage.aws.calls import call, paginate
from datahub_aws_lineage.aws.clients import Clients
from datahub_aws_lineage.aws.pace import Pace, Pause, paced
from datahub_aws_lineage.aws.redshift_audit_records import AuditRecords, begins_record
from datahub_aws_lineage.errors import AccessDeniedError, RetriableError, SkippableError
from datahub_aws_lineage.model.ports import Diagnostics
from datahub_aws_lineage.model.queries import QueryRecord, TimeWindow

PERMISSIONS: tuple[str, ...] = ("logs:FilterLogEvents",)
SOURCE = "redshift-cloudwatch-logs"

LATENESS = timedelta(minutes=15)
"""How much later than its statement an event may be stamped: it is asked for that much beyond the window's end."""

_PAGES_A_SECOND = 5
"""FilterLogEvents' quota in the regions that allow least (Amazon CloudWatch Logs User Guide, "Quotas")."""


class LogGroupHistoryReader:
    """Reads the records of `log_group`, in the session's account and region, whose stamp lies within `window`.

    The log is written before a statement runs, so `succeeded` is None on every record. Sessions: see `SessionNames`;
    log streams are kept apart as clusters are. `pause` is called before each page; by default it keeps to the quota.
    """

    def __init__(
        self,
        clients: Clients,
        diagnostics: Diagnostics,
        window: TimeWindow,
        log_group: str,
        *,
        pause: Pause | None = None,
    ) -> None:
        self._client = clients.client("logs")
        self._diagnostics = diagnostics
        self._window = window
        self._log_group = log_group
        self._pause = pause or Pace(rate=_PAGES_A_SECOND, burst=1)
        self._records = AuditRecords(diagnostics, window, SOURCE)
        self._unended: dict[str, list[Mapping[str, Any]]] = {}
        """By log stream, the events of a record that a further event may still go on with."""

    def read_queries(self) -> Iterator[QueryRecord]:
        """Yields records stream by stream in log order. What cannot be read is reported; only FatalError is raised."""
        last: datetime | None = None
        try:
            for event in self._events():
                last = datetime.fromtimestamp(event["timestamp"] / 1000, timezone.utc)
                yield from self._take(event)
        except AccessDeniedError as e:
            self._diagnostics.warning("Redshift log group is denied", f"{e.permission}: {e}")
        except (SkippableError, RetriableError) as e:
            read = f"read up to {last:%Y-%m-%d %H:%M:%S} UTC" if last else "nothing was read"
            self._diagnostics.failure("Redshift log group cannot be read to its end", f"{read}: {e}")
        else:
            if last is None:
                self._diagnostics.warning(
                    "No Redshift user-activity log",
                    f"log group {self._log_group} has no event in the time window; is enable_user_activity_logging on?",
                )
        for stream in list(self._unended):
            yield from self._end(stream)

    def _events(self) -> Iterator[dict[str, Any]]:
        pages = paginate(
            self._client,
            "FilterLogEvents",
            logGroupName=self._log_group,
            startTime=math.floor(self._window.start.timestamp() * 1000),
            endTime=math.ceil((self._window.end + LATENESS).timestamp() * 1000),
        )
        for page in paced(pages, self._pause):
            yield from page.get("events", [])

    def _take(self, event: Mapping[str, Any]) -> Iterator[QueryRecord]:
        """An event that does not begin a record goes on with the one before it in its stream."""
        stream = str(event["logStreamName"])
        if begins_record(str(event["message"])):
            yield from self._end(stream)
        self._unended.setdefault(stream, []).append(event)

    def _end(self, stream: str) -> Iterator[QueryRecord]:
        events = self._unended.pop(stream, [])
        if not events:
            return
        text = "\n".join(str(event["message"]).removesuffix("\n") for event in events)
        lines = text.splitlines(keepends=True)
        yield from self._records.read(lines, f"{self._log_group}:{stream}", f"{stream}/{events[0]['eventId']}")


def probe(clients: Clients, log_group: str) -> None:
    """Asks for one event. Raises what `call` raises."""
    call(clients.client("logs"), "FilterLogEvents", logGroupName=log_group, limit=1)
