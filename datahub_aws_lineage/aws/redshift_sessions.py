"""Names for sessions whose logged identifier is used again, and the context in which their statements begin."""

from __future__ import annotations

from datetime import datetime, timedelta

from datahub_aws_lineage.model.queries import SqlContext

IDLE_LIMIT = timedelta(hours=4)
"""Redshift ends a session that is idle for four hours (Management Guide, "Quotas and limits")."""

_ENTRIES_BEFORE_PRUNING = 10_000

DEFAULT_SCHEMA = "public"
DEFAULT_SEARCH_PATH = ("$user", DEFAULT_SCHEMA)
"""The `search_path` a session begins with (Database Developer Guide, r_search_path)."""


def session_context(database: str) -> SqlContext:
    """The names under which a session that is connected to `database` reads SQL before any SET search_path."""
    return SqlContext(
        dialect="redshift",
        default_catalog=database.lower(),
        default_database=DEFAULT_SCHEMA,
        search_path=DEFAULT_SEARCH_PATH,
    )


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
        self._open: dict[tuple[str, ...], tuple[str, datetime]] = {}

    def name(self, key: tuple[str, ...], started_at: datetime, ended_at: datetime | None = None) -> str:
        """The name of the session that `key` stands for at `started_at`. Calls come in about the order of time."""
        name, last_seen = self._open.get(key, ("", started_at))
        if not name or started_at - last_seen > self._idle_limit:
            name = f"{':'.join(key)}@{started_at:%Y%m%dT%H%M%S.%f}"
        self._open[key] = (name, max(last_seen, started_at, ended_at or started_at))
        if len(self._open) > _ENTRIES_BEFORE_PRUNING:
            self._prune(started_at)
        return name

    def _prune(self, now: datetime) -> None:
        self._open = {key: entry for key, entry in self._open.items() if now - entry[1] <= self._idle_limit}
