"""The format of Redshift's user-activity log: records that begin with a quoted stamp and can span lines.

Source: Amazon Redshift Management Guide, "Database audit logging" (db-auditing, "User activity log").
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from datahub_aws_lineage.aws.own_statements import OWN_STATEMENT_MARK
from datahub_aws_lineage.aws.redshift_sessions import SessionNames, session_context
from datahub_aws_lineage.aws.redshift_text import parse_timestamp
from datahub_aws_lineage.model.ports import Diagnostics
from datahub_aws_lineage.model.queries import QueryRecord, TimeWindow

_STAMP = re.compile(r"'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z UTC \[ ")
"""How a record begins; what lies between two such lines is SQL."""
_HEADER = re.compile(
    r"'(?P<time>[^ ]+) UTC \[ db=(?P<database>.*?) user=(?P<user>.*?) pid=(?P<pid>\d+) userid=(?P<user_id>\d+)"
    r" xid=(?P<transaction>\d+) \]' LOG: ?"
)
INTERNAL_USER_ID = "1"
"""The service's own user, `rdsdb`: it watches the cluster, thousands of statements an hour."""
_TICK = timedelta(microseconds=1)
_EXCERPT = 60
"""Characters of a malformed line that go to the report: its stamp, not its SQL."""


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """One logged statement. `ordinal` counts the records of its file from 1; `time` is UTC in whole seconds."""

    ordinal: int
    time: datetime
    database: str
    user: str
    user_id: str
    pid: str
    transaction: str
    text: str

    @property
    def internal(self) -> bool:
        return self.user_id == INTERNAL_USER_ID


@dataclass(frozen=True, slots=True)
class MalformedRecord:
    """Lines that do not follow the format. `excerpt` holds none of their SQL."""

    ordinal: int
    excerpt: str


def begins_record(line: str) -> bool:
    return _STAMP.match(line) is not None


def parse_records(lines: Iterable[str]) -> Iterator[AuditRecord | MalformedRecord]:
    """Parses a log line by line, in its own order, holding one record at a time."""
    ordinal = 0
    pending: list[str] = []
    for line in lines:
        if begins_record(line) and pending:
            ordinal += 1
            yield _parse(ordinal, pending)
            pending = []
        if pending or line.strip():
            pending.append(line)
    if pending:
        yield _parse(ordinal + 1, pending)


def _parse(ordinal: int, lines: list[str]) -> AuditRecord | MalformedRecord:
    header = _HEADER.match(lines[0])
    if header is None:
        excerpt = lines[0].split("]' LOG:", 1)[0] if begins_record(lines[0]) else "text before the first record"
        return MalformedRecord(ordinal, excerpt[:_EXCERPT])
    try:
        time = parse_timestamp(header["time"])
    except ValueError as e:
        return MalformedRecord(ordinal, str(e)[:_EXCERPT])
    return AuditRecord(
        ordinal=ordinal,
        time=time,
        database=header["database"],
        user=header["user"],
        user_id=header["user_id"],
        pid=header["pid"],
        transaction=header["transaction"],
        text=(lines[0][header.end() :] + "".join(lines[1:])).strip(),
    )


class AuditRecords:
    """Turns the logs of one or several clusters into query records; keeps sessions apart across files.

    The log tells seconds only. Records of one second are set apart by microseconds in the order of the log, so that a
    CREATE stays before the INSERT that needs it, however they are sorted later.
    """

    def __init__(self, diagnostics: Diagnostics, window: TimeWindow, source: str) -> None:
        self._diagnostics = diagnostics
        self._window = window
        self._source = source
        self._sessions = SessionNames()
        self._last_time: dict[str, datetime] = {}

    def read(self, lines: Iterable[str], cluster: str, log_name: str) -> Iterator[QueryRecord]:
        """Yields the records of one log that lie within the window. `log_name` makes query ids unique."""
        internal = 0
        for record in parse_records(lines):
            if isinstance(record, MalformedRecord):
                self._diagnostics.skipped(
                    "malformed", "redshift audit record", f"{log_name}#{record.ordinal}: {record.excerpt}"
                )
            elif record.internal:
                internal += 1
            elif record.time not in self._window:
                self._diagnostics.skipped("outside_window", "redshift audit record", f"{log_name}#{record.ordinal}")
            elif record.text and not record.text.startswith(OWN_STATEMENT_MARK):
                self._diagnostics.seen("redshift statements")
                yield self._query_record(record, cluster, log_name)
        if internal:
            self._diagnostics.seen("redshift internal statements", internal)

    def _query_record(self, record: AuditRecord, cluster: str, log_name: str) -> QueryRecord:
        started_at = self._ordered_time(cluster, record.time)
        return QueryRecord(
            query_id=f"{log_name}#{record.ordinal}",
            text=record.text,
            context=session_context(record.database),
            started_at=started_at,
            source=self._source,
            actor=record.user or None,
            session=self._sessions.name((cluster, record.database, record.user, record.pid), started_at),
            transaction=f"{cluster}:{record.transaction}",
            succeeded=None,
        )

    def _ordered_time(self, cluster: str, time: datetime) -> datetime:
        last = self._last_time.get(cluster, datetime.min.replace(tzinfo=timezone.utc))
        same_second = last.replace(microsecond=0) == time and last + _TICK < time + timedelta(seconds=1)
        ordered = last + _TICK if same_second else time
        self._last_time[cluster] = ordered
        return ordered
