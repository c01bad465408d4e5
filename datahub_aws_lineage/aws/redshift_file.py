"""Statements from a file that somebody exported from Redshift.

The form is told by the content, not by the name; any of them can be gzipped:

- a user-activity log, as it lies in S3 (see `redshift_audit_records`);
- CSV with a header line, with comma, semicolon, tab or `|` between values;
- JSON lines: one object a line, its keys as the columns of CSV.

Columns, in any order and case. One that holds SQL text is needed, all others can be missing:

- SQL text: `text` (SYS_QUERY_TEXT, STL_QUERYTEXT, SVL_STATEMENTTEXT), `query_text` (SYS_QUERY_HISTORY),
  `querytxt` (STL_QUERY), `query_statement`, `sql`, `sql_text`, `statement`, `query`;
- number of the row within a divided text, from 0: `sequence`;
- query id: `query_id`, or `query` beside another text column;
- start: `start_time`, `starttime`, `recordtime`, `timestamp`, `time`; end: `end_time`, `endtime`
  (UTC unless an offset stands there);
- connected database: `database_name`, `database`, `dbname`, `db`;
- user: `user_name`, `username`, `usename`, `user`; else `user_id`, `userid`;
- session: `session_id`, `pid`, `session`; transaction: `transaction_id`, `xid`, `transaction`;
- outcome: `status` (`success`, `failed`, `canceled`, and so on), or `aborted` (0 or 1, STL_QUERY).

A text with `sequence` is put together from its rows, which have to stand next to one another: sort the export by start
time, query and sequence. In `text`, `query_text` and `querytxt` a literal `\\n` is a line end.

A file can also be newest first, or in any other order; it is read twice, the first time to learn which. What began in
one instant is taken to have run in the order of the file; where that is newest first, in the order of the query ids if
these are numbers that count up with time, else in the opposite one. Rows without a start time are taken to have run one
after another from the beginning of the time window.

A statement that failed comes without its text, and only where it has a session: there it spoils the transaction that it
ran in.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from datahub_aws_lineage.aws.own_statements import OWN_STATEMENT_MARK
from datahub_aws_lineage.aws.redshift_audit_records import AuditRecords, begins_record
from datahub_aws_lineage.aws.redshift_export import (
    DAMAGE,
    ExportedRow,
    MalformedRow,
    open_lines,
    read_rows,
    statement_text,
    statements,
)
from datahub_aws_lineage.aws.redshift_file_order import FileOrder
from datahub_aws_lineage.aws.redshift_sessions import SessionKey, session_context
from datahub_aws_lineage.errors import ConfigurationError
from datahub_aws_lineage.model.ports import Diagnostics, SkipReason
from datahub_aws_lineage.model.queries import QueryRecord, TimeWindow

PERMISSIONS: tuple[str, ...] = ()
"""The file is local: no IAM action is needed."""
SOURCE = "redshift-file"


@dataclass(frozen=True, slots=True)
class _Statement:
    """One statement of the file. `head` is its first row; the text is whole unless `truncated`."""

    name: str
    head: ExportedRow
    text: str
    truncated: bool


class FileHistoryReader:
    """Reads one exported file; its form is described at the top of this module.

    `database` is the connected database of rows that do not name theirs.
    """

    def __init__(self, path: Path, diagnostics: Diagnostics, window: TimeWindow, *, database: str) -> None:
        self._path = path
        self._diagnostics = diagnostics
        self._window = window
        self._database = database
        self._order = FileOrder()
        self._undated = 0

    def read_queries(self) -> Iterator[QueryRecord]:
        """Yields the records within the window, in the order of the file, those of one instant as they ran.

        Raises ConfigurationError where the file cannot be opened or has no column with SQL. Damage ends the reading
        there, and is reported as a failure.
        """
        self._order = self._survey()
        yield from self._order.settle(self._read())
        if self._undated:
            self._diagnostics.warning(
                "Redshift statements without a start time",
                f"{self._path}: {self._undated} are taken to have run in the order of the file",
            )

    def _survey(self) -> FileOrder:
        order = FileOrder()
        # What is wrong with the file is said by the second reading, which comes just as far.
        with suppress(ConfigurationError, *DAMAGE), open_lines(self._path) as (first, lines):
            if not begins_record(first):
                rows = read_rows(first, lines, str(self._path))
                for statement in statements(row for row in rows if isinstance(row, ExportedRow)):
                    self._see(statement[0], order)
        return order

    def _see(self, head: ExportedRow, order: FileOrder) -> None:
        try:
            started_at, ended_at = head.times()
        except ValueError:
            return
        if started_at is not None:
            order.see(started_at, head.cell(head.layout.query_id))
        session = self._session_key(head)
        if session is not None and not head.internal:
            order.sessions.see(session, started_at or self._window.start, ended_at)

    def _read(self) -> Iterator[QueryRecord]:
        try:
            with open_lines(self._path) as (first, lines):
                yield from self._read_lines(first, lines)
        except DAMAGE as e:
            self._diagnostics.failure("Redshift file is damaged; what follows is lost", f"{self._path}: {e}")

    def _read_lines(self, first: str, lines: Iterator[str]) -> Iterator[QueryRecord]:
        if begins_record(first):
            yield from AuditRecords(self._diagnostics, self._window, SOURCE).read(lines, "file", self._path.name)
            return
        for ordinal, rows in enumerate(statements(self._rows(first, lines)), start=1):
            record = self._record(ordinal, rows)
            if record is not None:
                if record.succeeded is not False:
                    self._diagnostics.seen("redshift statements")
                yield record

    def _rows(self, first: str, lines: Iterator[str]) -> Iterator[ExportedRow]:
        for row in read_rows(first, lines, str(self._path)):
            if isinstance(row, MalformedRow):
                self._skip("malformed", row.detail)
            else:
                yield row

    def _record(self, ordinal: int, rows: list[ExportedRow]) -> QueryRecord | None:
        head = rows[0]
        name = head.cell(head.layout.query_id) or f"{self._path.name}#{ordinal}"
        if not self._counts(head, name):
            return None
        failed = head.status == "failed"
        try:
            text, truncated = ("", False) if failed else statement_text(rows)
            started_at, ended_at = head.times()
        except ValueError as e:
            self._skip("malformed", f"{name}: {e}")
            return None
        if not failed and (not text or text.startswith(OWN_STATEMENT_MARK)):
            return None
        if started_at is None:
            started_at = self._next_undated()
        if started_at not in self._window:
            self._skip("outside_window", name)
            return None
        if truncated:
            self._diagnostics.truncated("redshift query", f"{self._path}: {name}: its text is not whole")
        return self._build(_Statement(name, head, text, truncated), started_at, ended_at)

    def _counts(self, head: ExportedRow, name: str) -> bool:
        """Whether it matters to what comes before or after it; what did nothing itself is counted as skipped."""
        if head.internal:
            self._diagnostics.seen("redshift internal statements")
            return False
        match head.status:
            case "failed":
                self._skip("failed_statement", name)
                return self._session_key(head) is not None
            case "unfinished":
                self._skip("outside_window", f"{name} has not ended")
                return False
            case "success" | "unknown":
                return True

    def _build(self, statement: _Statement, started_at: datetime, ended_at: datetime | None) -> QueryRecord:
        head, layout = statement.head, statement.head.layout
        session = self._session_key(head)
        return QueryRecord(
            query_id=statement.name,
            text=statement.text,
            context=session_context(self._connected_database(head)),
            started_at=started_at,
            ended_at=ended_at,
            source=SOURCE,
            actor=head.actor,
            session=self._order.sessions.name(session, started_at) if session else None,
            transaction=head.cell(layout.transaction),
            succeeded=None if head.status == "unknown" else head.status == "success",
            truncated=statement.truncated,
        )

    def _session_key(self, head: ExportedRow) -> SessionKey | None:
        session = head.cell(head.layout.session)
        return (self._connected_database(head), head.actor or "", session) if session else None

    def _connected_database(self, head: ExportedRow) -> str:
        return head.cell(head.layout.database) or self._database

    def _next_undated(self) -> datetime:
        self._undated += 1
        return self._window.start + timedelta(microseconds=self._undated - 1)

    def _skip(self, reason: SkipReason, detail: str) -> None:
        self._diagnostics.skipped(reason, "redshift file", f"{self._path}: {detail}")


def probe(path: Path) -> None:
    """Opens the file and reads its first statement. Raises ConfigurationError."""
    try:
        with open_lines(path) as (first, lines):
            if not begins_record(first):
                next(read_rows(first, lines, str(path)), None)
    except DAMAGE as e:
        raise ConfigurationError(f"{path}: cannot be read: {e}") from e
