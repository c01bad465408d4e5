"""In which order an exported file gives its statements, and which sessions they make up: both need a first reading."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import groupby

from datahub_aws_lineage.aws.redshift_sessions import SessionSpans
from datahub_aws_lineage.model.queries import QueryRecord

_WIDEST_ID = 20
"""Digits of a 64-bit query id."""


class FileOrder:
    """Sees all statements of a file, in its own order, before any of them becomes a record."""

    def __init__(self) -> None:
        self.sessions = SessionSpans()
        self._last: datetime | None = None
        self._rises = 0
        self._falls = 0

    def see(self, started_at: datetime) -> None:
        """Takes the start of the next statement."""
        if self._last is not None:
            self._rises += started_at > self._last
            self._falls += started_at < self._last
        self._last = started_at

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
            yield from _turned(list(tied))


def _turned(tied: list[QueryRecord]) -> list[QueryRecord]:
    """By query id, which Redshift counts up: a file that is newest first can still be in that order in an instant."""
    if all(record.query_id.isdecimal() for record in tied):
        return sorted(tied, key=lambda record: record.query_id.zfill(_WIDEST_ID))
    return tied[::-1]
