"""From one query execution, as the API describes it, to a record; the same for whatever it was read from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from datahub_aws_lineage.aws.own_statements import OWN_STATEMENT_MARK
from datahub_aws_lineage.model.names import DATA_CATALOG
from datahub_aws_lineage.model.ports import Diagnostics
from datahub_aws_lineage.model.queries import QueryRecord, SqlContext, TimeWindow

if TYPE_CHECKING:
    from mypy_boto3_athena.type_defs import QueryExecutionTypeDef

TEXT_LIMIT = 262_144
"""Bytes of UTF-8 that a query string can have (Amazon Athena User Guide, "Service Quotas")."""


class AthenaRecords:
    """Converts executions that lie within `window`; what is left out is counted.

    `with_failed`: one that did not succeed, or whose text is hidden, gives a record all the same, for what another log
    knows of it.
    """

    def __init__(
        self,
        diagnostics: Diagnostics,
        window: TimeWindow,
        source: str,
        *,
        work_group_allowed: Callable[[str], bool] = lambda _: True,
        with_failed: bool = False,
    ) -> None:
        self._diagnostics = diagnostics
        self._window = window
        self._source = source
        self._work_group_allowed = work_group_allowed
        self._with_failed = with_failed

    def record(
        self,
        execution: QueryExecutionTypeDef,
        *,
        window: TimeWindow | None = None,
        actor: str | None = None,
        invoked_by: str | None = None,
        succeeded: bool | None = True,
    ) -> QueryRecord | None:
        """None where it is skipped. `window` takes the place of the reader's; `succeeded` counts without a state."""
        query_id = execution.get("QueryExecutionId")
        status = execution.get("Status", {})
        submitted = status.get("SubmissionDateTime")
        if not query_id or submitted is None:
            self._diagnostics.skipped("malformed", "athena query", f"{query_id}: no id or submission time")
            return None
        if submitted not in (window or self._window):
            self._diagnostics.skipped("outside_window", "athena query", query_id)
            return None
        work_group = execution.get("WorkGroup")
        if work_group and not self._work_group_allowed(work_group):
            self._diagnostics.skipped("filtered", "athena query", f"{query_id}: work group {work_group}")
            return None
        state: str | None = status.get("State")
        failed = state is not None and state != "SUCCEEDED"
        if failed:
            self._diagnostics.skipped("failed_statement", "athena query", f"{query_id}: {state}")
            if not self._with_failed:
                return None
        text = execution.get("Query") or ""
        if text.startswith(OWN_STATEMENT_MARK):
            self._diagnostics.skipped("filtered", "athena query", f"{query_id}: read the query history for this tool")
            return None
        if not text and not self._with_failed:
            self._diagnostics.skipped("hidden", "athena query", query_id)
            return None
        truncated = len(text.encode("utf-8", "surrogatepass")) >= TEXT_LIMIT
        if truncated:
            self._diagnostics.truncated("athena query text", query_id)
        if not failed:
            self._diagnostics.seen("athena queries")
        return QueryRecord(
            query_id=query_id,
            text=text,
            context=_context(execution),
            started_at=submitted.astimezone(timezone.utc),
            source=self._source,
            ended_at=_utc(status.get("CompletionDateTime")),
            actor=actor,
            succeeded=False if failed else (True if state else succeeded),
            truncated=truncated,
            work_group=work_group,
            statistics=_statistics(execution),
            invoked_by=invoked_by,
        )


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
        key: str(value)
        for key, value in execution.get("Statistics", {}).items()
        if value is not None and not isinstance(value, dict)
    }
    described = {
        "StatementType": execution.get("StatementType"),
        "SubstatementType": execution.get("SubstatementType"),
        "OutputLocation": execution.get("ResultConfiguration", {}).get("OutputLocation"),
    }
    return statistics | {key: value for key, value in described.items() if value}


def _utc(moment: datetime | None) -> datetime | None:
    return moment.astimezone(timezone.utc) if moment else None
