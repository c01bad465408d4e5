"""Statements that ran on a Redshift warehouse, from its system views through the Data API.

Source: Amazon Redshift Database Developer Guide, SYS_QUERY_HISTORY, SYS_QUERY_TEXT and SYS_TRANSACTION_HISTORY, which
provisioned clusters and serverless work groups both have and which keep seven days.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from typing import TypeAlias

from datahub_aws_lineage.aws import redshift_data, redshift_sql
from datahub_aws_lineage.aws.redshift_data import RedshiftDataApi, ResultTooLargeError, Value
from datahub_aws_lineage.aws.redshift_rows import HistoryRows
from datahub_aws_lineage.aws.redshift_text import parse_timestamp
from datahub_aws_lineage.errors import AccessDeniedError, RetriableError, SkippableError
from datahub_aws_lineage.model.ports import Diagnostics
from datahub_aws_lineage.model.queries import QueryRecord, TimeWindow

PERMISSIONS: tuple[str, ...] = redshift_data.PERMISSIONS
SOURCE = "redshift-data-api"

DEFAULT_SLICE = timedelta(days=1)
SHORTEST_SLICE = timedelta(minutes=1)
RETENTION = timedelta(days=7)
"""What the system views keep ("System tables and views reference", cm_chap_system-tables)."""

_Row: TypeAlias = dict[str, Value]


class SystemViewHistoryReader:
    """Reads the statements that began within `window` and have ended, in time order.

    One that failed comes without its text: it did nothing, and spoils the transaction that it ran in. One that still
    runs while it is read is left out and counted, and the next window, which begins where this one ends, does not pick
    it up: for a load that runs across the end of a window, begin the next one earlier, so that both overlap.

    The window is read in slices, so that no result nears the Data API's 500 MB; a slice that is still too large is
    halved. `databases` are the connected databases whose statements count; the first is the one to log in to.
    """

    def __init__(
        self,
        api: RedshiftDataApi,
        diagnostics: Diagnostics,
        window: TimeWindow,
        databases: tuple[str, ...],
        *,
        slice_length: timedelta = DEFAULT_SLICE,
    ) -> None:
        self._api = api
        self._diagnostics = diagnostics
        self._window = window
        self._rows = HistoryRows(diagnostics, databases, SOURCE)
        self._login_database = databases[0]
        self._slice_length = slice_length
        self._sees_transactions = False
        self._oldest: datetime | None = None

    def read_queries(self) -> Iterator[QueryRecord]:
        """Yields one record a statement. What cannot be read is reported and left out; only FatalError is raised."""
        try:
            self._look_around()
            for span in slices(self._window, self._slice_length):
                if self._oldest is None or span.end > self._oldest:
                    yield from self._read_span(span)
        except AccessDeniedError as e:
            self._diagnostics.warning("Redshift query history is denied", f"{e.permission}: {e}")
        except (SkippableError, RetriableError) as e:
            self._diagnostics.failure("Redshift query history cannot be read to its end", str(e))

    def _look_around(self) -> None:
        self._try("Redshift user", self._check_visibility)
        self._try("Redshift history's age", self._check_retention)
        self._try("Redshift user names", self._read_users)

    def _try(self, what: str, look: Callable[[], None]) -> None:
        try:
            look()
        except AccessDeniedError as e:
            self._diagnostics.warning(f"{what}: denied", f"{e.permission}: {e}")

    def _read_users(self) -> None:
        self._rows.users = {str(row["user_id"]): str(row["user_name"]) for row in self._query(redshift_sql.USERS)}

    def _check_visibility(self) -> None:
        user = next(self._query(redshift_sql.VISIBILITY), None)
        if user is None:
            return
        self._sees_transactions = bool(user["superuser"])
        if self._sees_transactions:
            return
        self._diagnostics.skipped(
            "denied",
            "redshift transaction history",
            "SYS_TRANSACTION_HISTORY is for superusers: roll-backs are known by their ROLLBACK statements alone",
        )
        if str(user["syslog_access"]).strip().upper() != "UNRESTRICTED":
            self._diagnostics.warning(
                "Redshift shows this user its own statements only",
                f"A superuser can change that: ALTER USER {user['user_name']} SYSLOG ACCESS UNRESTRICTED",
            )

    def _check_retention(self) -> None:
        row = next(self._query(redshift_sql.RETENTION), None)
        if row is None or row["oldest"] is None:
            return
        oldest, now = parse_timestamp(str(row["oldest"])), parse_timestamp(str(row["now"]))
        self._oldest = oldest
        if self._window.start < oldest and self._window.start < now - RETENTION:
            self._diagnostics.truncated(
                "redshift history", f"asked from {self._window.start.isoformat()}, kept since {oldest.isoformat()}"
            )

    def _read_span(self, span: TimeWindow) -> Iterator[QueryRecord]:
        bounds = {"window_start": _bound(span.start), "window_end": _bound(span.end)}
        try:
            rows = self._query(redshift_sql.HISTORY, bounds)
        except ResultTooLargeError as e:
            yield from self._read_halves(span, e)
            return
        yield from self._rows.records(rows, self._rolled_back(bounds))

    def _read_halves(self, span: TimeWindow, error: ResultTooLargeError) -> Iterator[QueryRecord]:
        if span.end - span.start <= SHORTEST_SLICE:
            self._diagnostics.truncated(
                "redshift history", f"{span.start.isoformat()} to {span.end.isoformat()}: {error}"
            )
            return
        for half in slices(span, (span.end - span.start) / 2):
            yield from self._read_span(half)

    def _rolled_back(self, bounds: dict[str, str]) -> frozenset[str]:
        if not self._sees_transactions:
            return frozenset()
        return frozenset(str(row["transaction_id"]) for row in self._query(redshift_sql.ROLLED_BACK, bounds))

    def _query(self, sql: str, parameters: dict[str, str] | None = None) -> Iterator[_Row]:
        return self._api.query(sql, self._login_database, parameters)


def slices(window: TimeWindow, length: timedelta) -> Iterator[TimeWindow]:
    """Cuts `window` into consecutive windows of `length`, the last one shorter where it does not come out even."""
    start = window.start
    while start < window.end:
        end = min(start + length, window.end)
        yield TimeWindow(start, end)
        start = end


def _bound(moment: datetime) -> str:
    return f"{moment.astimezone(timezone.utc):%Y-%m-%d %H:%M:%S.%f}"


def probe(api: RedshiftDataApi, database: str) -> None:
    """Reads one row of the views that the reader needs. Raises what `RedshiftDataApi.query` raises."""
    next(api.query(redshift_sql.PROBE_HISTORY, database), None)
