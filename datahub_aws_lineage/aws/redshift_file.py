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
time, query and sequence. In `text`, `query_text` and `querytxt` a literal `\\n` is a line end. Rows without a start
time are taken to have run one after another from the beginning of the time window.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from datahub_aws_lineage.aws.redshift_audit_records import INTERNAL_USER_ID, AuditRecords, begins_record
from datahub_aws_lineage.aws.redshift_export import DAMAGE, ExportedRow, MalformedRow, open_lines, read_rows
from datahub_aws_lineage.aws.redshift_sessions import SessionNames, session_context
from datahub_aws_lineage.aws.redshift_sql import OWN_STATEMENT_MARK
from datahub_aws_lineage.aws.redshift_text import (
    STL_ROW_WIDTH,
    SYS_ROW_WIDTH,
    parse_timestamp,
    restore_line_ends,
    stitch,
)
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
        self._sessions = SessionNames()
        self._undated = 0

    def read_queries(self) -> Iterator[QueryRecord]:
        """Yields records in the order of the file, those within the window.

        Raises ConfigurationError where the file cannot be opened or has no column with SQL. Damage ends the reading
        there, and is reported as a failure.
        """
        try:
            with open_lines(self._path) as (first, lines):
                yield from self._read(first, lines)
        except DAMAGE as e:
            self._diagnostics.failure("Redshift file is damaged; what follows is lost", f"{self._path}: {e}")
        if self._undated:
            self._diagnostics.warning(
                "Redshift statements without a start time",
                f"{self._path}: {self._undated} are taken to have run in the order of the file",
            )

    def _read(self, first: str, lines: Iterator[str]) -> Iterator[QueryRecord]:
        if begins_record(first):
            yield from AuditRecords(self._diagnostics, self._window, SOURCE).read(lines, "file", self._path.name)
            return
        for ordinal, rows in enumerate(_statements(self._rows(first, lines)), start=1):
            record = self._record(ordinal, rows)
            if record is not None:
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
        try:
            text, truncated = _text(rows)
            started_at, ended_at = self._times(head)
        except ValueError as e:
            self._skip("malformed", f"{name}: {e}")
            return None
        if not text or text.startswith(OWN_STATEMENT_MARK):
            return None
        if started_at not in self._window:
            self._skip("outside_window", name)
            return None
        if truncated:
            self._diagnostics.truncated("redshift query", f"{self._path}: {name}: its text is not whole")
        return self._build(_Statement(name, head, text, truncated), started_at, ended_at)

    def _counts(self, head: ExportedRow, name: str) -> bool:
        if head.cell(head.layout.user) == "rdsdb" or head.cell(head.layout.user_id) == INTERNAL_USER_ID:
            self._diagnostics.seen("redshift internal statements")
            return False
        match head.layout.status_of(head.cells):
            case "failed":
                self._skip("failed_statement", name)
                return False
            case "unfinished":
                self._skip("outside_window", f"{name} has not ended")
                return False
            case "success" | "unknown":
                return True

    def _build(self, statement: _Statement, started_at: datetime, ended_at: datetime | None) -> QueryRecord:
        head, layout = statement.head, statement.head.layout
        database = head.cell(layout.database) or self._database
        actor = head.cell(layout.user) or head.cell(layout.user_id)
        session = head.cell(layout.session)
        key = (database, actor or "", session or "")
        return QueryRecord(
            query_id=statement.name,
            text=statement.text,
            context=session_context(database),
            started_at=started_at,
            ended_at=ended_at,
            source=SOURCE,
            actor=actor,
            session=self._sessions.name(key, started_at, ended_at) if session else None,
            transaction=head.cell(layout.transaction),
            succeeded=True if layout.status_of(head.cells) == "success" else None,
            truncated=statement.truncated,
        )

    def _times(self, head: ExportedRow) -> tuple[datetime, datetime | None]:
        started, ended = head.cell(head.layout.started_at), head.cell(head.layout.ended_at)
        ended_at = parse_timestamp(ended) if ended else None
        if started:
            return parse_timestamp(started), ended_at
        self._undated += 1
        return self._window.start + timedelta(microseconds=self._undated - 1), ended_at

    def _skip(self, reason: SkipReason, detail: str) -> None:
        self._diagnostics.skipped(reason, "redshift file", f"{self._path}: {detail}")


def _statements(rows: Iterator[ExportedRow]) -> Iterator[list[ExportedRow]]:
    """Groups the adjacent rows of one statement; without a sequence every row is a statement."""
    group: list[ExportedRow] = []
    taken: set[str | None] = set()
    for row in rows:
        part = row.cell(row.layout.sequence)
        if group and (not _same_statement(group[0], row) or part in taken):
            yield group
            group, taken = [], set()
        group.append(row)
        taken.add(part)
    if group:
        yield group


def _same_statement(one: ExportedRow, other: ExportedRow) -> bool:
    return one.layout.statement_key(one.cells) == other.layout.statement_key(other.cells)


def _text(rows: list[ExportedRow]) -> tuple[str, bool]:
    """The statement's text, and whether some of it is missing. Raises ValueError for a sequence that is no number."""
    layout = rows[0].layout
    if layout.sequence is None:
        text = rows[0].cells[layout.text]
        missing = layout.cuts(text)
    else:
        pieces = [(int(row.cells[layout.sequence]), row.cells[layout.text]) for row in rows]
        longest = max(len(piece) for _, piece in pieces)
        text, missing = stitch(pieces, STL_ROW_WIDTH if longest <= STL_ROW_WIDTH else SYS_ROW_WIDTH)
    return (restore_line_ends(text) if layout.from_system_view else text).strip(), missing


def probe(path: Path) -> None:
    """Opens the file and reads its first statement. Raises ConfigurationError."""
    try:
        with open_lines(path) as (first, lines):
            if not begins_record(first):
                next(read_rows(first, lines, str(path)), None)
    except DAMAGE as e:
        raise ConfigurationError(f"{path}: cannot be read: {e}") from e
