"""Which stored procedure a statement ran in: Redshift logs a CALL, and beside it each statement that it ran."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from datahub_aws_lineage.model.queries import QueryRecord


@dataclass(frozen=True, slots=True)
class _Call:
    procedure: str
    transaction: str | None
    ended_at: datetime | None

    def spans(self, record: QueryRecord) -> bool:
        """By time; a log without ends says which transaction a call was, and a call by itself is the whole of one."""
        if self.ended_at is not None:
            return record.started_at < self.ended_at
        return self.transaction is not None and self.transaction == record.transaction


@dataclass(slots=True)
class Calls:
    """The calls that a session is in, the outermost first. Records come in the order in which they began."""

    _open: list[_Call] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self._open)

    def begin(self, procedure: str, record: QueryRecord, *, within_transaction: bool) -> None:
        """Within a transaction, a call whose end the log does not tell cannot be told from what follows it."""
        if record.ended_at is not None or not within_transaction:
            self._open.append(_Call(procedure, record.transaction, record.ended_at))

    def around(self, record: QueryRecord) -> str | None:
        """The innermost procedure in which `record` ran; calls that ended before it are forgotten."""
        self._open = [call for call in self._open if call.spans(record)]
        return self._open[-1].procedure if self._open else None
