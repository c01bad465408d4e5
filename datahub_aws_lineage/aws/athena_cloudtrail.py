"""Athena's history as CloudTrail tells it: who started which query; how it ended and what it said, by asking Athena."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Protocol

from datahub_aws_lineage.aws.athena_executions import PAGE, Executions
from datahub_aws_lineage.aws.athena_records import AthenaRecords
from datahub_aws_lineage.aws.cloudtrail_events import StartedQuery
from datahub_aws_lineage.errors import AccessDeniedError, RetriableError, SkippableError
from datahub_aws_lineage.model.ports import Diagnostics
from datahub_aws_lineage.model.queries import QueryRecord, TimeWindow

if TYPE_CHECKING:
    from mypy_boto3_athena.type_defs import QueryExecutionTypeDef


class StartedReader(Protocol):
    """CloudTrail's event history, or the files of a trail."""

    def read_started(self) -> Iterator[StartedQuery]: ...


class CloudTrailHistoryReader:
    """Gives a record for each query that CloudTrail saw start, with who started it.

    With `executions`, Athena is asked for each of them, 50 at a time: CloudTrail does not know how a query ended, and
    hides its text. What Athena no longer keeps, or does not give, stands as CloudTrail has it, with `succeeded` None.
    """

    def __init__(
        self,
        started: StartedReader,
        diagnostics: Diagnostics,
        window: TimeWindow,
        *,
        executions: Executions | None = None,
        work_group_allowed: Callable[[str], bool] = lambda _: True,
        with_failed: bool = False,
    ) -> None:
        self._started = started
        self._diagnostics = diagnostics
        self._executions = executions
        self._records = AthenaRecords(
            diagnostics, window, "cloudtrail", work_group_allowed=work_group_allowed, with_failed=with_failed
        )

    def read_queries(self) -> Iterator[QueryRecord]:
        """Yields the records in the order of CloudTrail, each query once. Raises FatalError alone."""
        started = self._each_once()
        while batch := list(islice(started, PAGE)):
            executions = self._fetch(batch)
            for one in batch:
                record = self._record(one, executions.get(one.query_id))
                if record is not None:
                    yield record

    def _each_once(self) -> Iterator[StartedQuery]:
        """CloudTrail may deliver an event twice."""
        seen: set[str] = set()
        for started in self._started.read_started():
            if started.query_id not in seen:
                seen.add(started.query_id)
                yield started

    def _fetch(self, batch: list[StartedQuery]) -> dict[str, QueryExecutionTypeDef]:
        if self._executions is None:
            return {}
        try:
            fetched = self._executions.fetch([one.query_id for one in batch])
        except AccessDeniedError as e:
            self._executions = None
            self._diagnostics.warning(
                "Athena is refused: how a query ended is not known, and hidden texts stay hidden",
                f"needs {e.permission}: {e}",
            )
            return {}
        except (SkippableError, RetriableError) as e:
            self._diagnostics.failure("Athena did not give queries that CloudTrail saw", f"{len(batch)}: {e}")
            return {}
        replace(fetched, gone=()).report(self._diagnostics, "CloudTrail")  # what is gone stands as CloudTrail has it
        return {execution.get("QueryExecutionId", ""): execution for execution in fetched.executions}

    def _record(self, started: StartedQuery, execution: QueryExecutionTypeDef | None) -> QueryRecord | None:
        if execution is None:
            self._diagnostics.seen("athena queries whose end CloudTrail does not tell")
            execution = _execution(started)
        return self._records.record(execution, actor=started.principal, invoked_by=started.invoked_by, succeeded=None)


def _execution(started: StartedQuery) -> QueryExecutionTypeDef:
    execution: QueryExecutionTypeDef = {
        "QueryExecutionId": started.query_id,
        "QueryExecutionContext": {},
        "Status": {"SubmissionDateTime": started.started_at},
        "ResultConfiguration": {},
    }
    if started.text is not None:
        execution["Query"] = started.text
    if started.catalog is not None:
        execution["QueryExecutionContext"]["Catalog"] = started.catalog
    if started.database is not None:
        execution["QueryExecutionContext"]["Database"] = started.database
    if started.output_location is not None:
        execution["ResultConfiguration"]["OutputLocation"] = started.output_location
    if not started.request_omitted:
        execution["WorkGroup"] = started.work_group or "primary"
    return execution
