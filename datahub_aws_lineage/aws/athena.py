"""Athena's query history: what ran in every work group within a window."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from datahub_aws_lineage.aws.calls import call, paginate
from datahub_aws_lineage.aws.clients import Clients
from datahub_aws_lineage.errors import (
    AccessDeniedError,
    AwsLineageError,
    NotFoundError,
    RetriableError,
    SkippableError,
)
from datahub_aws_lineage.model.names import DATA_CATALOG
from datahub_aws_lineage.model.ports import Diagnostics
from datahub_aws_lineage.model.queries import QueryRecord, SqlContext, TimeWindow

if TYPE_CHECKING:
    from mypy_boto3_athena.type_defs import (
        QueryExecutionTypeDef,
        UnprocessedQueryExecutionIdTypeDef,
        WorkGroupSummaryTypeDef,
    )

PERMISSIONS: tuple[str, ...] = ("athena:ListWorkGroups", "athena:ListQueryExecutions", "athena:BatchGetQueryExecution")

RETENTION = timedelta(days=45)
"""How long Athena keeps a query's history (Amazon Athena User Guide, "View recent queries")."""

TEXT_LIMIT = 262_144
"""Bytes of UTF-8 that a query string can have (Amazon Athena User Guide, "Service Quotas")."""

_PAGE = 50
"""The most ids that ListQueryExecutions gives and BatchGetQueryExecution takes."""

_GONE = re.compile(r"\bnot found\b|\bdoes ?n[o']t exist\b", re.IGNORECASE)


class AthenaHistoryReader:
    """Reads successful queries of all work groups that are allowed, enabled or not, submitted within `window`.

    Athena lists executions of one work group without a filter. They come newest first, which is observed and not
    documented: a work group ends at the first page that lies wholly before the window, not at the first such query.

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
    ) -> None:
        self._as_of = as_of
        self._client = clients.client("athena")
        self._diagnostics = diagnostics
        self._window = window
        self._work_group_allowed = work_group_allowed
        self._in_batches = True
        """Until batches are refused where single queries are given."""

    def read_queries(self) -> Iterator[QueryRecord]:
        """Yields the records, newest first within a work group. Raises FatalError alone."""
        oldest = (self._as_of or datetime.now(timezone.utc)) - RETENTION
        if self._window.start < oldest:
            self._diagnostics.truncated(
                "athena history", f"Athena keeps {RETENTION.days} days: nothing before {oldest:%Y-%m-%d %H:%M} UTC"
            )
        # Listed before any is read: a page token would not outlive hours of reading.
        for work_group in list(self._list_work_groups()):
            yield from self._read_work_group(work_group)

    def _list_work_groups(self) -> Iterator[str]:
        try:
            for page in paginate(self._client, "ListWorkGroups", MaxResults=_PAGE):
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

    def _read_work_group(self, work_group: str) -> Iterator[QueryRecord]:
        pages = paginate(self._client, "ListQueryExecutions", WorkGroup=work_group, MaxResults=_PAGE)
        try:
            for page in pages:
                ids = page.get("QueryExecutionIds", [])
                executions = self._fetch(ids, work_group)
                yield from filter(None, map(self._record, executions))
                if ids and len(executions) == len(ids) and all(map(self._is_before_window, executions)):
                    return
        except NotFoundError as e:
            self._diagnostics.skipped("unknown_dataset", "athena work group", f"{work_group} is gone: {e}")
        except AccessDeniedError as e:
            self._diagnostics.warning("An Athena work group is refused", f"{work_group}: needs {e.permission}: {e}")
        except (SkippableError, RetriableError) as e:
            self._diagnostics.failure("An Athena work group could not be read to its end", f"{work_group}: {e}")

    def _fetch(self, ids: Sequence[str], work_group: str) -> list[QueryExecutionTypeDef]:
        """Gets the executions of one page; ids that Athena leaves unprocessed are asked for once more."""
        if not ids:
            return []
        executions, left = self._fetch_once(ids)
        again = [row["QueryExecutionId"] for row in left if row.get("QueryExecutionId") and not _is_gone(row)]
        if again:
            more, still_left = self._fetch_once(again)
            executions, left = [*executions, *more], [*filter(_is_gone, left), *still_left]
        for row in left:
            self._report_unprocessed(row, work_group)
        return executions

    def _fetch_once(
        self, ids: Sequence[str]
    ) -> tuple[list[QueryExecutionTypeDef], list[UnprocessedQueryExecutionIdTypeDef]]:
        if not self._in_batches:
            return self._fetch_single(ids)
        try:
            response = call(self._client, "BatchGetQueryExecution", QueryExecutionIds=list(ids))
            return response.get("QueryExecutions", []), response.get("UnprocessedQueryExecutionIds", [])
        except (SkippableError, RetriableError) as e:
            first, first_left = self._fetch_single(ids[:1], instead_of=e)
            self._in_batches = not isinstance(e, AccessDeniedError)
        rest, rest_left = self._fetch_single(ids[1:])
        return [*first, *rest], [*first_left, *rest_left]

    def _fetch_single(
        self, ids: Sequence[str], instead_of: AwsLineageError | None = None
    ) -> tuple[list[QueryExecutionTypeDef], list[UnprocessedQueryExecutionIdTypeDef]]:
        """By GetQueryExecution, one call each: older policies allow nothing else, and a batch may be what fails.

        Raises `instead_of` where a single query cannot be had either.
        """
        try:
            given = {query_id: self._get(query_id) for query_id in ids}
        except (SkippableError, RetriableError) as e:
            raise instead_of or e from e
        executions = [row for row in given.values() if not isinstance(row, NotFoundError)]
        gone = [(query_id, row) for query_id, row in given.items() if isinstance(row, NotFoundError)]
        return executions, [{"QueryExecutionId": query_id, "ErrorMessage": str(row)} for query_id, row in gone]

    def _get(self, query_id: str) -> QueryExecutionTypeDef | NotFoundError:
        try:
            execution: QueryExecutionTypeDef = call(self._client, "GetQueryExecution", QueryExecutionId=query_id)[
                "QueryExecution"
            ]
        except NotFoundError as e:
            return e
        self._diagnostics.seen("athena queries read one at a time")
        return execution

    def _report_unprocessed(self, row: UnprocessedQueryExecutionIdTypeDef, work_group: str) -> None:
        detail = f"{work_group}: {row.get('QueryExecutionId')}: {row.get('ErrorCode')}: {row.get('ErrorMessage')}"
        if _is_gone(row):
            self._diagnostics.skipped("outside_window", "athena query", detail)
        else:
            self._diagnostics.failure("Athena did not give a query that it lists", detail)

    def _is_before_window(self, execution: QueryExecutionTypeDef) -> bool:
        submitted = execution.get("Status", {}).get("SubmissionDateTime")
        return submitted is not None and submitted < self._window.start

    def _record(self, execution: QueryExecutionTypeDef) -> QueryRecord | None:
        """Converts one execution; None where it is skipped, which is counted."""
        query_id = execution.get("QueryExecutionId")
        status = execution.get("Status", {})
        submitted = status.get("SubmissionDateTime")
        text = execution.get("Query")
        if not query_id or not text or submitted is None:
            self._diagnostics.skipped("malformed", "athena query", f"{query_id}: no id, text or submission time")
            return None
        if submitted not in self._window:
            self._diagnostics.skipped("outside_window", "athena query", query_id)
            return None
        if status.get("State") != "SUCCEEDED":
            self._diagnostics.skipped("failed_statement", "athena query", f"{query_id}: {status.get('State')}")
            return None
        truncated = len(text.encode("utf-8", "surrogatepass")) >= TEXT_LIMIT
        if truncated:
            self._diagnostics.truncated("athena query text", query_id)
        self._diagnostics.seen("athena queries")
        return QueryRecord(
            query_id=query_id,
            text=text,
            context=_context(execution),
            started_at=submitted.astimezone(timezone.utc),
            source="athena-api",
            ended_at=_utc(status.get("CompletionDateTime")),
            truncated=truncated,
            work_group=execution.get("WorkGroup"),
            statistics=_statistics(execution),
        )


def _is_gone(row: UnprocessedQueryExecutionIdTypeDef) -> bool:
    return _GONE.search(row.get("ErrorMessage", "")) is not None


def probe_work_groups(clients: Clients) -> None:
    """Asks for one work group. Raises what `call` raises."""
    call(clients.client("athena"), "ListWorkGroups", MaxResults=1)


def probe_history(clients: Clients, work_group_allowed: Callable[[str], bool] = lambda _: True) -> None:
    """Asks for one query of one allowed work group, and its text.

    Raises what `call` raises, and NotFoundError where there is no such work group.
    """
    client = clients.client("athena")
    pages = paginate(client, "ListWorkGroups", MaxResults=_PAGE)
    names = (str(summary.get("Name")) for page in pages for summary in page.get("WorkGroups", []))
    work_group = next(filter(work_group_allowed, names), None)
    if work_group is None:
        raise NotFoundError("Athena: no work group that work_group_pattern allows")
    ids = call(client, "ListQueryExecutions", WorkGroup=work_group, MaxResults=1).get("QueryExecutionIds", [])
    if not ids:
        return
    try:
        call(client, "BatchGetQueryExecution", QueryExecutionIds=ids[:1])
    except (SkippableError, RetriableError) as e:
        try:
            call(client, "GetQueryExecution", QueryExecutionId=ids[0])
        except (SkippableError, RetriableError):
            raise e from None


def _context(execution: QueryExecutionTypeDef) -> SqlContext:
    """Without a context, Athena reads names in `awsdatacatalog` and the database `default`."""
    context = execution.get("QueryExecutionContext", {})
    return SqlContext(
        dialect="athena",
        default_catalog=(context.get("Catalog") or DATA_CATALOG).lower(),
        default_database=(context.get("Database") or "default").lower(),
    )


def _statistics(execution: QueryExecutionTypeDef) -> Mapping[str, str]:
    """Scalars of `Statistics` under their own names, with the statement's types and where its result lies."""
    statistics = {
        key: str(value) for key, value in execution.get("Statistics", {}).items() if not isinstance(value, dict)
    }
    described = {
        "StatementType": execution.get("StatementType"),
        "SubstatementType": execution.get("SubstatementType"),
        "OutputLocation": execution.get("ResultConfiguration", {}).get("OutputLocation"),
    }
    return statistics | {key: value for key, value in described.items() if value}


def _utc(moment: datetime | None) -> datetime | None:
    return moment.astimezone(timezone.utc) if moment else None
