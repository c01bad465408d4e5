"""In which order an exported file gives its statements, and which sessions they make up: both need a first reading."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import groupby
from typing import TypeGuard

from datahub_aws_lineage.aws.redshift_sessions import SessionSpans
from datahub_aws_lineage.model.queries import QueryRecord


class FileOrder:
    """Sees all statements of a file, in its own order, before any of them becomes a record."""

    def __init__(self) -> None:
        self.sessions = SessionSpans()
        self._last: tuple[datetime, str | None] | None = None
        self._rises = 0
        self._falls = 0
        self._falls_of_ids = 0

    def see(self, started_at: datetime, query_id: str | None) -> None:
        """Takes the start and the id of the next statement."""
        if self._last is not None:
            last_start, last_id = self._last
            self._rises += started_at > last_start
            self._falls += started_at < last_start
            if started_at < last_start and _is_number(query_id) and _is_number(last_id):
                self._falls_of_ids += 1 if _rank(query_id) < _rank(last_id) else -1
        self._last = started_at, query_id

    @property
    def newest_first(self) -> bool:
        """Whether time runs backwards more often than not, as it also does where sessions stand one after another."""
        return self._falls > self._rises

    def settle(self, records: Iterable[QueryRecord]) -> Iterator[QueryRecord]:
        """Puts records of one instant, which nothing sets apart later, into the order in which they ran."""
        if not self.newest_first:
            yield from records
            return
        for _, tied in groupby(records, key=lambda record: record.started_at):
            yield from self._turn(list(tied))

    def _turn(self, tied: list[QueryRecord]) -> list[QueryRecord]:
        """By id where ids count up with time: a file that is newest first may not be so within an instant."""
        if self._falls_of_ids > 0 and all(_is_number(record.query_id) for record in tied):
            return sorted(tied, key=lambda record: _rank(record.query_id))
        return tied[::-1]


def _is_number(query_id: str | None) -> TypeGuard[str]:
    return query_id is not None and query_id.isdecimal()


def _rank(query_id: str) -> tuple[int, str]:
    """Sorts numbers of any length by their value."""
    digits = query_id.lstrip("0")
    return len(digits), digits
