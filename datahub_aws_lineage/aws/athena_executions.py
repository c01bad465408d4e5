"""Athena's query executions by id: 50 at a time, or one at a time where nothing else is allowed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from datahub_aws_lineage.aws.calls import call
from datahub_aws_lineage.aws.clients import Clients
from datahub_aws_lineage.aws.pace import Pace, Pause, unpaced
from datahub_aws_lineage.errors import (
    AccessDeniedError,
    AwsLineageError,
    NotFoundError,
    RetriableError,
    SkippableError,
)
from datahub_aws_lineage.model.ports import Diagnostics

if TYPE_CHECKING:
    from mypy_boto3_athena.type_defs import QueryExecutionTypeDef, UnprocessedQueryExecutionIdTypeDef

PAGE = 50
"""The most ids that ListQueryExecutions gives and BatchGetQueryExecution takes."""

_GONE = re.compile(r"\bnot found\b|\bdoes ?n[o']t exist\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Paces:
    """What is waited for before each call.

    Athena allows an account 5 ListQueryExecutions a second, with a burst of 10, and 20 calls of BatchGetQueryExecution,
    with a burst of 40 (Amazon Athena User Guide, "Service Quotas"). The console and every other tool share them.
    """

    listing: Pause = unpaced
    getting: Pause = unpaced

    @classmethod
    def under_quota(cls) -> Paces:
        return cls(listing=Pace(rate=4, burst=5), getting=Pace(rate=16, burst=20))


@dataclass(frozen=True, slots=True)
class Fetched:
    """What came of some ids. `gone` are no longer kept; `unprocessed` were refused; `singly` were asked for alone."""

    executions: Sequence[QueryExecutionTypeDef] = ()
    gone: Sequence[str] = ()
    unprocessed: Sequence[UnprocessedQueryExecutionIdTypeDef] = ()
    singly: int = 0

    def __add__(self, other: Fetched) -> Fetched:
        return Fetched(
            [*self.executions, *other.executions],
            [*self.gone, *other.gone],
            [*self.unprocessed, *other.unprocessed],
            self.singly + other.singly,
        )

    def report(self, diagnostics: Diagnostics, where: str) -> None:
        """Says what is missing; `where` stands before each detail."""
        if self.singly:
            diagnostics.seen("athena queries read one at a time", self.singly)
        for query_id in self.gone:
            diagnostics.skipped("outside_window", "athena query", f"{where}: {query_id}: Athena no longer keeps it")
        for row in self.unprocessed:
            detail = f"{where}: {row.get('QueryExecutionId')}: {row.get('ErrorCode')}: {row.get('ErrorMessage')}"
            diagnostics.failure("Athena did not give a query that it knows", detail)


class Executions:
    """Asks for executions. Several threads may."""

    def __init__(self, clients: Clients, pause: Pause = unpaced) -> None:
        self._client = clients.client("athena")
        self._pause = pause
        self._in_batches = True
        """Until batches are refused where single queries are given."""

    def fetch(self, ids: Sequence[str]) -> Fetched:
        """At most `PAGE` ids; those that are left unprocessed are asked for once more. Raises what `call` raises."""
        if not ids:
            return Fetched()
        first = self._fetch_once(ids)
        again = [row["QueryExecutionId"] for row in first.unprocessed if row.get("QueryExecutionId")]
        if not again:
            return first
        return Fetched(first.executions, first.gone, (), first.singly) + self._fetch_once(again)

    def _fetch_once(self, ids: Sequence[str]) -> Fetched:
        if not self._in_batches:
            return self._fetch_singly(ids)
        try:
            self._pause()
            response = call(self._client, "BatchGetQueryExecution", QueryExecutionIds=list(ids))
        except (SkippableError, RetriableError) as e:
            first = self._fetch_singly(ids[:1], instead_of=e)
            self._in_batches = not isinstance(e, AccessDeniedError)
            return first + self._fetch_singly(ids[1:])
        left = response.get("UnprocessedQueryExecutionIds", [])
        return Fetched(
            response.get("QueryExecutions", []),
            [str(row.get("QueryExecutionId")) for row in left if _is_gone(row)],
            [row for row in left if not _is_gone(row)],
        )

    def _fetch_singly(self, ids: Sequence[str], instead_of: AwsLineageError | None = None) -> Fetched:
        """By GetQueryExecution, one call each: older policies allow nothing else, and a batch may be what fails.

        Raises `instead_of` where a single query cannot be had either.
        """
        try:
            given = {query_id: self._get(query_id) for query_id in ids}
        except (SkippableError, RetriableError) as e:
            raise instead_of or e from e
        executions = [execution for execution in given.values() if execution is not None]
        gone = [query_id for query_id, execution in given.items() if execution is None]
        return Fetched(executions, gone, singly=len(executions))

    def _get(self, query_id: str) -> QueryExecutionTypeDef | None:
        self._pause()
        try:
            response = call(self._client, "GetQueryExecution", QueryExecutionId=query_id)
        except NotFoundError:
            return None
        execution: QueryExecutionTypeDef = response["QueryExecution"]
        return execution


def _is_gone(row: UnprocessedQueryExecutionIdTypeDef) -> bool:
    return _GONE.search(row.get("ErrorMessage", "")) is not None
