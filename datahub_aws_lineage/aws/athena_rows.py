"""Query executions as flat rows or as JSON that the AWS CLI prints, brought into the form of the API.

Rows have the columns of Athena's system table `query_executions` (Amazon Athena User Guide, "query_executions"), which
are the members of the API's QueryExecution in snake case, and `principal_arn`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, cast

from datahub_aws_lineage.errors import MalformedError

if TYPE_CHECKING:
    from mypy_boto3_athena.type_defs import QueryExecutionTypeDef

_MEMBERS: dict[str, tuple[str, ...]] = {
    "query_execution_id": ("QueryExecutionId",),
    "query_string": ("Query",),
    "query": ("Query",),
    "work_group_name": ("WorkGroup",),
    "work_group": ("WorkGroup",),
    "statement_type": ("StatementType",),
    "substatement_type": ("SubstatementType",),
    "catalog_name": ("QueryExecutionContext", "Catalog"),
    "database_name": ("QueryExecutionContext", "Database"),
    "output_location": ("ResultConfiguration", "OutputLocation"),
    "state": ("Status", "State"),
    "status": ("Status", "State"),
    "query_state": ("Status", "State"),
    "submission_date_time": ("Status", "SubmissionDateTime"),
    "completion_date_time": ("Status", "CompletionDateTime"),
    "data_scanned_in_bytes": ("Statistics", "DataScannedInBytes"),
    "engine_execution_time_in_millis": ("Statistics", "EngineExecutionTimeInMillis"),
    "total_execution_time_in_millis": ("Statistics", "TotalExecutionTimeInMillis"),
    "query_queue_time_in_millis": ("Statistics", "QueryQueueTimeInMillis"),
    "query_planning_time_in_millis": ("Statistics", "QueryPlanningTimeInMillis"),
}
"""Where the value of a column goes. Columns that are not here (tables_accessed, …) are passed over."""

_ZONE = re.compile(r"\s*(?:UTC|Z)$", re.IGNORECASE)
_FRACTION = re.compile(r"(\.\d{1,6})\d*")
_MILLIS_FROM = 10**11
"""Seconds of an epoch stay below this for three thousand years; what is above counts milliseconds."""


def execution_of_row(row: Mapping[str, Any]) -> tuple[QueryExecutionTypeDef, str | None]:
    """The execution, and the ARN of who ran it. Raises MalformedError for a time that cannot be read.

    >>> row = {"query_execution_id": "q1", "state": "SUCCEEDED", "submission_date_time": "2026-03-01 10:00:00.123 UTC"}
    >>> execution_of_row(row)[0]["Status"]["SubmissionDateTime"].isoformat()
    '2026-03-01T10:00:00.123000+00:00'
    """
    execution: dict[str, Any] = {}
    for column, value in row.items():
        path = _MEMBERS.get(column.lower())
        if path is None or value in (None, ""):
            continue
        *parents, member = path
        place = execution
        for parent in parents:
            place = place.setdefault(parent, {})
        place[member] = value
    principal = row.get("principal_arn")
    return _typed(execution), str(principal) if principal else None


def execution_of_json(found: Mapping[str, Any]) -> QueryExecutionTypeDef:
    """An execution that the AWS CLI printed: times are ISO 8601 (version 2) or seconds since 1970 (version 1).

    Raises MalformedError for what has another form.
    """
    execution = dict(found)
    for member in ("Status", "Statistics", "QueryExecutionContext", "ResultConfiguration"):
        value = execution.get(member) or {}
        if not isinstance(value, dict):
            raise MalformedError(f"{member} is no object")
        execution[member] = dict(value)
    for member in ("QueryExecutionId", "Query", "WorkGroup"):
        if not isinstance(execution.get(member) or "", str):
            raise MalformedError(f"{member} is no text")
    return _typed(execution)


def _typed(execution: dict[str, Any]) -> QueryExecutionTypeDef:
    status = execution.get("Status", {})
    for member in ("SubmissionDateTime", "CompletionDateTime"):
        if status.get(member) is not None:
            status[member] = moment(status[member])
    return cast("QueryExecutionTypeDef", execution)


def moment(value: object) -> datetime:
    """A moment in UTC, from what Athena, the AWS CLI or a JSON writer makes of it. Raises MalformedError.

    >>> moment("2026-03-01T10:00:00+01:00").isoformat(), moment(1772359200).isoformat()
    ('2026-03-01T09:00:00+00:00', '2026-03-01T10:00:00+00:00')
    """
    try:
        if isinstance(value, (int, float)):
            return datetime.fromtimestamp(value / 1000 if value >= _MILLIS_FROM else value, timezone.utc)
        text = _FRACTION.sub(lambda digits: digits.group(1).ljust(7, "0"), _ZONE.sub("+00:00", str(value).strip()))
        parsed = datetime.fromisoformat(text)
    except (ValueError, OverflowError, OSError) as e:
        raise MalformedError(f"{value!r} is no time") from e
    return parsed.replace(tzinfo=timezone.utc) if parsed.tzinfo is None else parsed.astimezone(timezone.utc)
