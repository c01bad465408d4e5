"""Athena's query history through its API: what ran in every work group within a window."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import TYPE_CHECKING

from datahub_aws_lineage.aws.athena_executions import PAGE, Executions, Fetched, Paces
from datahub_aws_lineage.aws.athena_records import AthenaRecords
from datahub_aws_lineage.aws.calls import call, paginate
from datahub_aws_lineage.aws.clients import Clients
from datahub_aws_lineage.aws.pace import paced
from datahub_aws_lineage.aws.prefetch import in_turn
from datahub_aws_lineage.errors import AccessDeniedError, NotFoundError, RetriableError, SkippableError
from datahub_aws_lineage.model.ports import Diagnostics
from datahub_aws_lineage.model.queries import QueryRecord, TimeWindow

if TYPE_CHECKING:
    from mypy_boto3_athena.type_defs import QueryExecutionTypeDef, WorkGroupSummaryTypeDef

PERMISSIONS: tuple[str, ...] = ("athena:ListWorkGroups", "athena:ListQueryExecutions", "athena:BatchGetQueryExecution")

RETENTION = timedelta(days=45)
"""How long Athena keeps a query's history (Amazon Athena User Guide, "View recent queries")."""

LISTING_LAG = timedelta(minutes=5)
"""What was submitted this long before a listing began is taken to be in it."""

_UNFINISHED = frozenset({"QUEUED", "RUNNING"})


@dataclass(frozen=True, slots=True)
class Earlier:
    """What earlier runs have read: of each work group, a window without a gap.

    `begin_of` rounds a moment down, for whoever needs whole days. `reaches_back` says that a gap between what was read
    and the window's start is to be closed.
    """

    read: Mapping[str, TimeWindow] = field(default_factory=dict)
    begin_of: Callable[[datetime], datetime] = lambda moment: moment
    reaches_back: bool = False

    def remaining(self, work_group: str, window: TimeWindow) -> TimeWindow:
        """The part of `window` that is still to be read. It is read whole where it begins before what was read."""
        known = self.read.get(work_group)
        if known is None or window.start < known.start:
            return window
        start = self.begin_of(known.end)
        if known.end < window.start:
            return TimeWindow(start, window.end) if self.reaches_back else window
        return TimeWindow(max(start, window.start), window.end)

    def with_more(self, work_group: str, read: TimeWindow) -> TimeWindow:
        """What has been read of a work group in all, once `read` is."""
        known = self.read.get(work_group)
        if known is None or known.end < read.start or read.end < known.start:
            return read
        return TimeWindow(min(known.start, read.start), max(known.end, read.end))


class AthenaHistoryReader:
    """Reads the queries of all work groups that are allowed, enabled or not, submitted within `window`.

    Athena lists executions of one work group without a filter. They come newest first, which is observed and not
    documented: a work group ends at the first page that lies wholly before what is to be read, not at the first such
    query. Up to `threads` work groups are asked at a time, and held under `paces` together.

    `as_of` is the moment that retention counts from: now, unless a recording of an earlier day is replayed.

    A refused work group is a warning, one that is gone since it was listed is skipped; any other failed listing is a
    failure. Either way the other work groups go on, and what was read before stays.
    """

    def __init__(
        self,
        clients: Clients,
        diagnostics: Diagnostics,
        window: TimeWindow,
        *,
        work_group_allowed: Callable[[str], bool] = lambda _: True,
        as_of: datetime | None = None,
        with_failed: bool = False,
        earlier: Earlier | None = None,
        paces: Paces | None = None,
        threads: int = 1,
    ) -> None:
        self._as_of = as_of
        self._client = clients.client("athena")
        self._diagnostics = diagnostics
        self._window = window
        self._work_group_allowed = work_group_allowed
        self._earlier = earlier or Earlier()
        self._paces = paces or Paces()
        self._threads = threads
        self._executions = Executions(clients, self._paces.getting)
        self._records = AthenaRecords(diagnostics, window, "athena-api", with_failed=with_failed)
        self.read: dict[str, TimeWindow] = {}
        """What this run and earlier ones have read of each work group that was read to its end."""

    def read_queries(self) -> Iterator[QueryRecord]:
        """Yields the records, newest first within a work group. Raises FatalError alone."""
        oldest = (self._as_of or datetime.now(timezone.utc)) - RETENTION
        if self._window.start < oldest:
            self._diagnostics.truncated(
                "athena history", f"Athena keeps {RETENTION.days} days: nothing before {oldest:%Y-%m-%d %H:%M} UTC"
            )
        # Before any list is asked for: work groups are listed ahead of being consumed, which can take long.
        until = min(self._window.end, datetime.now(timezone.utc) - LISTING_LAG)
        # Listed before any is read: a page token would not outlive hours of reading.
        windows = {name: self._earlier.remaining(name, self._window) for name in self._list_work_groups()}
        reads = [partial(self._pages, name, window.start) for name, window in windows.items()]
        for (name, window), pages in zip(windows.items(), in_turn(reads, threads=self._threads), strict=True):
            yield from self._read_work_group(name, TimeWindow(window.start, until), window, pages)

    def _list_work_groups(self) -> Iterator[str]:
        try:
            for page in paginate(self._client, "ListWorkGroups", MaxResults=PAGE):
                for summary in page.get("WorkGroups", []):
                    if self._is_wanted(summary):
                        self._diagnostics.seen("athena work groups")
                        yield summary["Name"]
        except AccessDeniedError as e:
            self._diagnostics.warning("Athena's work groups are refused", f"needs {e.permission}: {e}")
        except (SkippableError, RetriableError) as e:
            self._diagnostics.failure("Athena's work groups could not be listed", str(e))

    def _is_wanted(self, summary: WorkGroupSummaryTypeDef) -> bool:
        name = summary.get("Name")
        if not name:
            self._diagnostics.skipped("malformed", "athena work group", "a work group without a name")
        elif not self._work_group_allowed(name):
            self._diagnostics.skipped("filtered", "athena work group", name)
        elif "spark" in str(summary.get("EngineVersion", {}).get("EffectiveEngineVersion", "")).lower():
            self._diagnostics.skipped("unsupported", "athena work group", f"{name}: runs Apache Spark, not SQL")
        else:
            return True
        return False

    def _pages(self, work_group: str, start: datetime) -> Iterator[Fetched]:
        """The executions of a work group, page by page, down to `start`. Runs in a thread: says nothing of its own."""
        pages = paginate(self._client, "ListQueryExecutions", WorkGroup=work_group, MaxResults=PAGE)
        for page in paced(pages, self._paces.listing):
            ids = page.get("QueryExecutionIds", [])
            fetched = self._executions.fetch(ids)
            yield fetched
            executions = fetched.executions
            if ids and len(executions) == len(ids) and all(_submitted_before(one, start) for one in executions):
                return

    def _read_work_group(
        self, work_group: str, listed: TimeWindow, window: TimeWindow, pages: Iterator[Fetched]
    ) -> Iterator[QueryRecord]:
        """`listed` is the part of `window` whose queries are all in the list."""
        until, whole = listed.end, True
        try:
            for fetched in pages:
                fetched.report(self._diagnostics, work_group)
                whole = whole and not fetched.unprocessed
                for execution in fetched.executions:
                    until = min(until, _unfinished_since(execution) or until)
                    record = self._records.record(execution, window=window)
                    if record is not None:
                        yield record
        except NotFoundError as e:
            self._diagnostics.skipped("unknown_dataset", "athena work group", f"{work_group} is gone: {e}")
        except AccessDeniedError as e:
            self._diagnostics.warning("An Athena work group is refused", f"{work_group}: needs {e.permission}: {e}")
        except (SkippableError, RetriableError) as e:
            self._diagnostics.failure("An Athena work group could not be read to its end", f"{work_group}: {e}")
        else:
            if whole and window.start < until:
                self.read[work_group] = self._earlier.with_more(work_group, TimeWindow(window.start, until))


def _submitted_before(execution: QueryExecutionTypeDef, start: datetime) -> bool:
    submitted = execution.get("Status", {}).get("SubmissionDateTime")
    return submitted is not None and submitted < start


def _unfinished_since(execution: QueryExecutionTypeDef) -> datetime | None:
    """A later run has to come back to what still runs."""
    status = execution.get("Status", {})
    return status.get("SubmissionDateTime") if status.get("State") in _UNFINISHED else None


def probe_work_groups(clients: Clients) -> None:
    """Asks for one work group. Raises what `call` raises."""
    call(clients.client("athena"), "ListWorkGroups", MaxResults=1)


def probe_history(clients: Clients, work_group_allowed: Callable[[str], bool] = lambda _: True) -> None:
    """Asks for one query of one allowed work group, and its text.

    Raises what `call` raises, and NotFoundError where there is no such work group.
    """
    client = clients.client("athena")
    pages = paginate(client, "ListWorkGroups", MaxResults=PAGE)
    names = (str(summary.get("Name")) for page in pages for summary in page.get("WorkGroups", []))
    work_group = next(filter(work_group_allowed, names), None)
    if work_group is None:
        raise NotFoundError("Athena: no work group that work_group_pattern allows")
    ids = call(client, "ListQueryExecutions", WorkGroup=work_group, MaxResults=1).get("QueryExecutionIds", [])
    Executions(clients).fetch(ids[:1])
