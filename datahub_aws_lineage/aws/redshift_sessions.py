"""Names for sessions whose logged identifier is used again, and the context in which their statements begin."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple, TypeAlias

from datahub_aws_lineage.model.queries import SqlContext

IDLE_LIMIT = timedelta(hours=4)
"""Redshift ends a session that is idle for four hours (Management Guide, "Quotas and limits")."""

_ENTRIES_BEFORE_PRUNING = 10_000

DEFAULT_SCHEMA = "public"
DEFAULT_SEARCH_PATH = ("$user", DEFAULT_SCHEMA)
"""The `search_path` a session begins with (Database Developer Guide, r_search_path)."""

SessionKey: TypeAlias = tuple[str, ...]
"""Database, user and process id, and the cluster where a history has several."""


def session_context(database: str) -> SqlContext:
    """The names under which a session that is connected to `database` reads SQL before any SET search_path."""
    return SqlContext(
        dialect="redshift",
        default_catalog=database.lower(),
        default_database=DEFAULT_SCHEMA,
        search_path=DEFAULT_SEARCH_PATH,
    )


class Span(NamedTuple):
    """A stretch of time, from its first moment to its last."""

    first: datetime
    last: datetime

    @classmethod
    def of(cls, started_at: datetime, ended_at: datetime | None) -> Span:
        return cls(started_at, max(started_at, ended_at or started_at))

    def distance(self, other: Span) -> timedelta:
        """How long nothing happens between the two; negative where they overlap."""
        return max(self.first - other.last, other.first - self.last)

    def union(self, other: Span) -> Span:
        return Span(min(self.first, other.first), max(self.last, other.last))


def _name(key: SessionKey, began_at: datetime) -> str:
    return f"{':'.join(key)}@{began_at:%Y%m%dT%H%M%S.%f}"


class SessionNames:
    """Tells apart the sessions behind one process id, which the operating system gives out again.

    One process id, user and database are one session until they are silent for `idle_limit`; the name then changes.
    A session cut in two loses its temporary tables (their edges are missing, and counted); two sessions taken for one
    could give an edge that is wrong. So the limit is the shorter that is sure, not the longer that is likely.

    >>> from datetime import timezone
    >>> noon = datetime(2024, 5, 1, 12, tzinfo=timezone.utc)
    >>> names = SessionNames()
    >>> names.name(("dev", "etl", "685"), noon)
    'dev:etl:685@20240501T120000.000000'
    """

    def __init__(self, idle_limit: timedelta = IDLE_LIMIT) -> None:
        self._idle_limit = idle_limit
        self._open: dict[SessionKey, tuple[str, Span]] = {}

    def name(self, key: SessionKey, started_at: datetime, ended_at: datetime | None = None) -> str:
        """The name of the session that `key` stands for at `started_at`.

        Calls come in about the order of time. One from long before what was last seen is another session too.
        """
        own = Span.of(started_at, ended_at)
        name, span = self._open.get(key, ("", own))
        if not name or span.distance(own) > self._idle_limit:
            name, span = _name(key, started_at), own
        self._open[key] = (name, span.union(own))
        if len(self._open) > _ENTRIES_BEFORE_PRUNING:
            self._open = {key: entry for key, entry in self._open.items() if entry[1].distance(own) <= self._idle_limit}
        return name


class SessionSpans:
    """Tells sessions apart as `SessionNames` does, in a history of any order: all is seen first, and named afterwards.

    >>> from datetime import timezone
    >>> evening, morning = (datetime(2024, 5, 1, hour, tzinfo=timezone.utc) for hour in (20, 8))
    >>> spans = SessionSpans()
    >>> spans.see(("dev", "etl", "685"), evening)
    >>> spans.see(("dev", "etl", "685"), morning)
    >>> spans.name(("dev", "etl", "685"), evening + timedelta(minutes=1))
    'dev:etl:685@20240501T200000.000000'
    """

    def __init__(self, idle_limit: timedelta = IDLE_LIMIT) -> None:
        self._idle_limit = idle_limit
        self._spans: dict[SessionKey, list[Span]] = {}

    def see(self, key: SessionKey, started_at: datetime, ended_at: datetime | None = None) -> None:
        """Takes one statement: what lies within the limit of it is the same session."""
        grown = own = Span.of(started_at, ended_at)
        apart = []
        for span in self._spans.get(key, ()):
            if span.distance(own) > self._idle_limit:
                apart.append(span)
            else:
                grown = grown.union(span)
        self._spans[key] = sorted([*apart, grown])

    def name(self, key: SessionKey, started_at: datetime) -> str:
        """The name of the session that a statement was part of. It is one that was seen, or began within one."""
        began = [span.first for span in self._spans.get(key, ()) if span.first <= started_at]
        return _name(key, began[-1] if began else started_at)
