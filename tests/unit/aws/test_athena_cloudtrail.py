"""CloudTrail's queries completed by Athena: what Athena refuses is said, and stands as CloudTrail has it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any
from unittest.mock import MagicMock, create_autospec

import boto3
import pytest
from botocore.stub import Stubber

from datahub_aws_lineage.aws.athena_cloudtrail import CloudTrailHistoryReader
from datahub_aws_lineage.aws.athena_executions import Executions
from datahub_aws_lineage.aws.clients import Clients
from datahub_aws_lineage.aws.cloudtrail_events import StartedQuery
from datahub_aws_lineage.model.ports import Diagnostics
from datahub_aws_lineage.model.queries import QueryRecord, TimeWindow

AT = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
WINDOW = TimeWindow(AT - timedelta(days=1), AT + timedelta(days=1))


def started(query_id: str, text: str | None = None, **more: Any) -> StartedQuery:
    fields: dict[str, Any] = {
        "query_id": query_id,
        "started_at": AT,
        "principal": "arn:aws:iam::123456789012:user/alice",
        "invoked_by": None,
        "text": text,
        "catalog": None,
        "database": "Sales",
        "work_group": None,
        "output_location": None,
        "execution_parameters": (),
        "account_id": "123456789012",
        "region": "eu-west-1",
    }
    return StartedQuery(**(fields | more))


class Trail:
    def __init__(self, *queries: StartedQuery) -> None:
        self._queries = queries

    def read_started(self) -> Iterator[StartedQuery]:
        yield from self._queries


@pytest.fixture
def clients() -> Clients:
    session = boto3.Session(aws_access_key_id="testing", aws_secret_access_key="testing", region_name="eu-west-1")
    return Clients(session)


@pytest.fixture
def diagnostics() -> MagicMock:
    mock: MagicMock = create_autospec(Diagnostics, instance=True)
    return mock


def execution(query_id: str, state: str = "SUCCEEDED") -> dict[str, Any]:
    status = {"State": state, "SubmissionDateTime": AT}
    return {"QueryExecutionId": query_id, "Query": "SELECT 1", "WorkGroup": "etl", "Status": status}


def test_each_query_once_as_athena_and_cloudtrail_know_it(clients: Clients, diagnostics: MagicMock) -> None:
    trail = Trail(started("a"), started("b", "SELECT 2", work_group="adhoc"), started("a"), started("c"), started("d"))
    left = [
        {"QueryExecutionId": "b", "ErrorMessage": "QueryExecution b was not found"},
        {"QueryExecutionId": "c", "ErrorMessage": "Internal error"},
    ]
    with Stubber(clients.client("athena")) as athena:
        answer = {"QueryExecutions": [execution("a"), execution("d", "FAILED")], "UnprocessedQueryExecutionIds": left}
        athena.add_response("batch_get_query_execution", answer, {"QueryExecutionIds": ["a", "b", "c", "d"]})
        again = {"QueryExecutions": [], "UnprocessedQueryExecutionIds": left[1:]}
        athena.add_response("batch_get_query_execution", again, {"QueryExecutionIds": ["c"]})
        reader = CloudTrailHistoryReader(trail, diagnostics, WINDOW, executions=Executions(clients))
        records = list(reader.read_queries())
    assert [(one.query_id, one.text, one.succeeded, one.work_group, one.actor) for one in records] == [
        ("a", "SELECT 1", True, "etl", "arn:aws:iam::123456789012:user/alice"),
        ("b", "SELECT 2", None, "adhoc", "arn:aws:iam::123456789012:user/alice"),
    ]
    assert "Internal error" in diagnostics.failure.call_args.args[1]
    assert {call.args[:2] for call in diagnostics.skipped.mock_calls} == {
        ("hidden", "athena query"),
        ("failed_statement", "athena query"),
    }


def test_the_work_group_is_primary_unless_the_request_was_cut(diagnostics: MagicMock) -> None:
    trail = Trail(started("a", "SELECT 1"), started("b", "SELECT 1", request_omitted=True))
    records: list[QueryRecord] = list(CloudTrailHistoryReader(trail, diagnostics, WINDOW).read_queries())
    assert [(one.work_group, one.context.default_database) for one in records] == [
        ("primary", "sales"),
        (None, "sales"),
    ]
