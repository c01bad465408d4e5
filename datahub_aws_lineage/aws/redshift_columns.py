"""Columns of an exported query history: which spellings are known, and what a row of them says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from datahub_aws_lineage.aws.redshift_text import SYS_ROW_WIDTH
from datahub_aws_lineage.errors import ConfigurationError

TEXT_COLUMNS = ("text", "query_text", "querytxt", "query_statement", "sql", "sql_text", "statement", "query")
_CUT_COLUMNS = {"query_text", "querytxt"}
"""SYS_QUERY_HISTORY.query_text and STL_QUERY.querytxt: cut at 4,000 characters."""

_SPELLINGS: dict[str, tuple[str, ...]] = {
    "query_id": ("query_id", "query"),
    "sequence": ("sequence",),
    "started_at": ("start_time", "starttime", "recordtime", "timestamp", "time"),
    "ended_at": ("end_time", "endtime"),
    "database": ("database_name", "database", "dbname", "db"),
    "user": ("user_name", "username", "usename", "user"),
    "user_id": ("user_id", "userid"),
    "session": ("session_id", "pid", "session"),
    "transaction": ("transaction_id", "xid", "transaction"),
    "status": ("status",),
    "aborted": ("aborted",),
}

RowStatus: TypeAlias = Literal["success", "failed", "unfinished", "unknown"]
_STATUSES: dict[str, RowStatus] = {
    **dict.fromkeys(("success", "succeeded", "finished", "completed", "complete", "ok", "true"), "success"),
    **dict.fromkeys(("failed", "failure", "canceled", "cancelled", "aborted", "error", "false"), "failed"),
    **dict.fromkeys(("planning", "queued", "running", "returning"), "unfinished"),
}


@dataclass(frozen=True, slots=True)
class Layout:
    """The column of the file that holds each thing; None where the file has no such column."""

    text: str
    query_id: str | None = None
    sequence: str | None = None
    started_at: str | None = None
    ended_at: str | None = None
    database: str | None = None
    user: str | None = None
    user_id: str | None = None
    session: str | None = None
    transaction: str | None = None
    status: str | None = None
    aborted: str | None = None

    @property
    def from_system_view(self) -> bool:
        """The text is as a system view stores it: a line end is a literal `\\n`."""
        return self.sequence is not None or self.text.strip().lower() in {"text", *_CUT_COLUMNS}

    def cuts(self, text: str) -> bool:
        """Whether a text that fills its column is cut there."""
        return self.sequence is None and self.text.strip().lower() in _CUT_COLUMNS and len(text) >= SYS_ROW_WIDTH

    def statement_key(self, row: Mapping[str, str]) -> tuple[str, ...]:
        """What the rows of one statement share. SVL_STATEMENTTEXT has no query id; there it is all the rest."""
        names = (self.query_id,) if self.query_id else (self.session, self.transaction, self.started_at)
        return tuple(row[name] for name in names if name is not None)

    def status_of(self, row: Mapping[str, str]) -> RowStatus:
        if self.aborted and row[self.aborted].strip():
            return "success" if row[self.aborted].strip().lower() in {"0", "f", "false"} else "failed"
        return _STATUSES.get(row[self.status].strip().lower(), "unknown") if self.status else "unknown"


def read_layout(columns: list[str], path: str) -> Layout:
    """Finds the known columns among `columns` (any case). Raises ConfigurationError where none holds SQL text."""
    names = {column.strip().lower(): column for column in columns}
    text = next((name for name in TEXT_COLUMNS if name in names), None)
    if text is None:
        raise ConfigurationError(
            f"{path}: no column holds SQL text. Found: {', '.join(columns) or 'none'}. "
            f"Needed: one of {', '.join(TEXT_COLUMNS)}"
        )
    rest = {name: column for name, column in names.items() if name != text}
    found = {field: next((rest[name] for name in known if name in rest), None) for field, known in _SPELLINGS.items()}
    return Layout(text=names[text], **found)
