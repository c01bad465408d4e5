"""Athena's started queries from CloudTrail's event history, which every account has without setting anything up.

Source: AWS CloudTrail API Reference, `LookupEvents`: the events of one account and region, newest first.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

from datahub_aws_lineage.aws.calls import call, paginate
from datahub_aws_lineage.aws.clients import Clients
from datahub_aws_lineage.aws.cloudtrail_events import EVENT_NAME, StartedQueries, StartedQuery
from datahub_aws_lineage.errors import AccessDeniedError, RetriableError, SkippableError
from datahub_aws_lineage.model.ports import Diagnostics
from datahub_aws_lineage.model.queries import TimeWindow

PERMISSIONS: tuple[str, ...] = ("cloudtrail:LookupEvents",)

RETENTION = timedelta(days=90)
"""How long the event history goes back (AWS CloudTrail API Reference, `LookupEvents`)."""

_PAGE = 50
"""The most events that LookupEvents gives at once."""

_STARTS = [{"AttributeKey": "EventName", "AttributeValue": EVENT_NAME}]


def _half_a_second() -> None:
    # LookupEvents allows two calls a second for a whole account and region, other tools included.
    time.sleep(0.5)


class LookupEventsReader:
    """Reads the queries that were started within `window`, newest first, in the session's account and region.

    `pause` is called before each page. `as_of` is the moment that retention counts from: now, unless a recording of an
    earlier day is replayed.
    """

    def __init__(
        self,
        clients: Clients,
        diagnostics: Diagnostics,
        window: TimeWindow,
        *,
        pause: Callable[[], None] = _half_a_second,
        as_of: datetime | None = None,
    ) -> None:
        self._client = clients.client("cloudtrail")
        self._diagnostics = diagnostics
        self._window = window
        self._pause = pause
        self._as_of = as_of
        self._queries = StartedQueries(diagnostics, window)
        self._read_back_to: datetime | None = None

    def read_started(self) -> Iterator[StartedQuery]:
        """Yields the queries; one event may come twice. What cannot be read is reported. Raises FatalError alone."""
        start = self._kept_since()
        if start >= self._window.end:
            return
        try:
            for page in self._pages(start):
                for item in page.get("Events", []):
                    self._diagnostics.seen("cloudtrail events")
                    self._read_back_to = item.get("EventTime") or self._read_back_to
                    started = self._started(item)
                    if started is not None:
                        self._diagnostics.seen("athena queries in cloudtrail")
                        yield started
        except AccessDeniedError as e:
            self._diagnostics.warning("CloudTrail's event history is refused", f"needs {e.permission}: {e}")
        except (SkippableError, RetriableError) as e:
            self._diagnostics.failure("CloudTrail's event history could not be read to its end", f"{self._gap()}: {e}")

    def _kept_since(self) -> datetime:
        """Where reading starts: the window's start, or the oldest moment that CloudTrail keeps."""
        oldest = (self._as_of or datetime.now(timezone.utc)) - RETENTION
        if self._window.start < oldest:
            self._diagnostics.truncated(
                "cloudtrail event history",
                f"CloudTrail keeps {RETENTION.days} days: nothing before {oldest:%Y-%m-%d %H:%M} UTC",
            )
        return max(oldest, self._window.start)

    def _pages(self, start: datetime) -> Iterator[dict[str, Any]]:
        self._pause()
        for page in paginate(
            self._client,
            "LookupEvents",
            LookupAttributes=_STARTS,
            StartTime=start,
            EndTime=self._window.end,
            MaxResults=_PAGE,
        ):
            yield page
            if page.get("NextToken"):
                self._pause()

    def _started(self, item: Mapping[str, Any]) -> StartedQuery | None:
        name = str(item.get("EventId"))
        try:
            event = json.loads(item.get("CloudTrailEvent") or "")
        except ValueError as e:
            self._diagnostics.skipped("malformed", "cloudtrail event", f"{name}: {e}")
            return None
        return self._queries.take(event, name)

    def _gap(self) -> str:
        if self._read_back_to is None:
            return "no event was read"
        return (
            f"events are read back to {self._read_back_to.astimezone(timezone.utc):%Y-%m-%d %H:%M:%S} UTC, none before"
        )


def probe(clients: Clients, window: TimeWindow) -> None:
    """Asks for one event. Raises what `call` raises."""
    call(
        clients.client("cloudtrail"),
        "LookupEvents",
        LookupAttributes=_STARTS,
        StartTime=window.start,
        EndTime=window.end,
        MaxResults=1,
    )
