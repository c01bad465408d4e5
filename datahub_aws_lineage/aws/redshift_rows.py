"""Rows of SYS_QUERY_HISTORY joined with SYS_QUERY_TEXT, to records: one statement, its text stitched.

Source: Amazon Redshift Database Developer Guide, SYS_QUERY_HISTORY and SYS_QUERY_TEXT.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from itertools import groupby
from typing import TypeAlias

from datahub_aws_lineage.aws.own_statements import OWN_STATEMENT_MARK
from datahub_aws_lineage.aws.redshift_data import Value
from datahub_aws_lineage.aws.redshift_sessions import SessionNames, session_context
from datahub_aws_lineage.aws.redshift_text import SYS_ROW_WIDTH, parse_timestamp, restore_line_ends, stitch
from datahub_aws_lineage.model.ports import Diagnostics
from datahub_aws_lineage.model.queries import QueryRecord

Row: TypeAlias = Mapping[str, Value]

_FAILED = {"failed", "canceled"}


class HistoryRows:
    """Makes records of the rows of one warehouse; the statements of `databases` count.

    A row has `query_id`, `session_id`, `transaction_id`, `user_id`, `database_name`, `query_type`, `status`,
    `start_time` and `end_time` (UTC), and `sequence` and `text` of one piece of its text, NULL where it failed.
    `users` are names by user id, as far as they are known.
    """

    def __init__(self, diagnostics: Diagnostics, databases: tuple[str, ...], source: str) -> None:
        self._diagnostics = diagnostics
        self._databases = frozenset(name.lower() for name in databases)
        self._source = source
        self._sessions = SessionNames()
        self.users: dict[str, str] = {}

    def records(self, rows: Iterable[Row], rolled_back: frozenset[str] = frozenset()) -> Iterator[QueryRecord]:
        """One record a statement; `rows` come by time, those of one statement together. `rolled_back` are ids of
        transactions."""
        for _, group in groupby(rows, key=lambda row: row["query_id"]):
            record = self._record(list(group), rolled_back)
            if record is not None:
                if record.succeeded:
                    self._diagnostics.seen("redshift statements")
                yield record

    def _record(self, rows: list[Row], rolled_back: frozenset[str]) -> QueryRecord | None:
        head = rows[0]
        query_id = str(head["query_id"])
        if not self._counts(head, rolled_back):
            return None
        try:
            text, missing = ("", False) if _failed(head) else stitch([_piece(row) for row in rows], SYS_ROW_WIDTH)
            record = self._build(head, restore_line_ends(text), truncated=missing)
        except (KeyError, TypeError, ValueError) as e:
            self._diagnostics.skipped("malformed", "redshift query", f"{query_id}: {e}")
            return None
        if record.text.startswith(OWN_STATEMENT_MARK):
            return None
        if missing:
            self._diagnostics.truncated("redshift query", f"{query_id}: rows of its text are missing")
        return record

    def _counts(self, head: Row, rolled_back: frozenset[str]) -> bool:
        """Whether it matters to what comes before or after it; what did nothing itself is counted as skipped."""
        query_id, status = str(head["query_id"]), _status(head)
        in_vain = str(head["transaction_id"]) in rolled_back
        if str(head["database_name"]).lower() not in self._databases:
            self._diagnostics.skipped("filtered", "redshift query", f"{query_id} in database {head['database_name']}")
        elif _failed(head):
            self._diagnostics.skipped("failed_statement", "redshift query", f"{query_id}: {status}")
            return not in_vain
        elif status != "success":
            self._diagnostics.skipped("outside_window", "redshift query", f"{query_id} has not ended: {status}")
        elif in_vain:
            self._diagnostics.skipped("rolled_back", "redshift query", query_id)
        else:
            return True
        return False

    def _build(self, head: Row, text: str, *, truncated: bool) -> QueryRecord:
        database = str(head["database_name"])
        user_id = str(head["user_id"])
        started_at = _moment(head["start_time"])
        ended_at = _moment(head["end_time"]) if head["end_time"] else None
        session = (database, user_id, str(head["session_id"]))
        return QueryRecord(
            query_id=str(head["query_id"]),
            text=text,
            context=session_context(database),
            started_at=started_at,
            ended_at=ended_at,
            source=self._source,
            actor=self.users.get(user_id),
            session=self._sessions.name(session, started_at, ended_at),
            transaction=str(head["transaction_id"]),
            succeeded=not _failed(head),
            truncated=truncated,
            statistics={"query_type": str(head["query_type"])} if head["query_type"] else {},
        )


def _status(head: Row) -> str:
    return str(head["status"]).lower()


def _failed(head: Row) -> bool:
    return _status(head) in _FAILED


def _piece(row: Row) -> tuple[int, str]:
    if row["text"] is None or row["sequence"] is None:
        raise ValueError("no text is kept for it")
    return int(row["sequence"]), str(row["text"])


def _moment(value: Value) -> datetime:
    return parse_timestamp(str(value))
