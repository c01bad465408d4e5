"""The written histories of all users as one log: with ids, sessions and transactions, in time order."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from answers.history import Execution, read_history

_COMMENTS = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
_KINDS = {
    **{word: word for word in ("SELECT", "INSERT", "UPDATE", "DELETE", "COPY", "UNLOAD", "MERGE")},
    **dict.fromkeys(("CREATE", "DROP", "ALTER", "TRUNCATE"), "DDL"),
    "WITH": "SELECT",
}
_BEGIN, _COMMIT, _ROLLBACK = {"BEGIN", "START"}, {"COMMIT", "END"}, {"ROLLBACK", "ABORT"}
_FIRST_QUERY, _FIRST_TRANSACTION = 2_184_001, 8_831_200


@dataclass(slots=True)
class Logged:
    """`rolled_back` is true for every statement of a transaction that ended so, the ROLLBACK among them."""

    query_id: int
    session: int
    transaction: int
    user_id: int
    kind: str
    status: str
    started_at: datetime
    ended_at: datetime
    text: str
    rolled_back: bool = False


def read_log(folder: Path, users: Mapping[str, int]) -> list[Logged]:
    executions = [execution for path in sorted(folder.glob("*.sql")) for execution in read_history(path)]
    executions.sort(key=lambda execution: execution.started_at)
    log: list[Logged] = []
    open_transactions: dict[int, int] = {}
    for number, execution in enumerate(executions):
        session = int(execution.options["session"]) + 1000 * execution.repetition
        transaction = open_transactions.get(session, _FIRST_TRANSACTION + 3 * number)
        word = first_word(execution.text)
        if word in _BEGIN:
            open_transactions[session] = transaction
        elif word in _COMMIT | _ROLLBACK:
            open_transactions.pop(session, None)
        log.append(_logged(execution, _FIRST_QUERY + 7 * number, session, transaction, users))
        if word in _ROLLBACK:
            _mark_rolled_back(log, transaction)
    return log


def first_word(text: str) -> str:
    return _COMMENTS.sub(" ", text).split(maxsplit=1)[0].upper().rstrip(";")


def _logged(execution: Execution, query_id: int, session: int, transaction: int, users: Mapping[str, int]) -> Logged:
    return Logged(
        query_id=query_id,
        session=session,
        transaction=transaction,
        user_id=users[execution.options["user"]],
        kind=_KINDS.get(first_word(execution.text), "UTILITY"),
        status=execution.options.get("status", "success"),
        started_at=execution.started_at,
        ended_at=execution.ended_at,
        text=execution.text,
    )


def _mark_rolled_back(log: list[Logged], transaction: int) -> None:
    for entry in log:
        if entry.transaction == transaction:
            entry.rolled_back = True
