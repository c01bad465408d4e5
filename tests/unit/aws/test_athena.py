"""Athena's history: paging, the window, denials, throttling and unprocessed ids, against botocore's stubber."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any
from unittest.mock import MagicMock, create_autospec

import boto3
import pytest
from botocore.stub import Stubber
from freezegun import freeze_time

from datahub_aws_lineage.aws.athena import (
    LISTING_LAG,
    PERMISSIONS,
    AthenaHistoryReader,
    probe_history,
    probe_work_groups,
)
from datahub_aws_lineage.aws.athena_records import TEXT_LIMIT
from datahub_aws_lineage.aws.calls import iam_action
from datahub_aws_lineage.aws.clients import Clients
from datahub_aws_lineage.errors import AccessDeniedError, CredentialsError, NotFoundError
from datahub_aws_lineage.model.ports import Diagnostics
from datahub_aws_lineage.model.queries import QueryRecord, SqlContext, TimeWindow

NOW = datetime(2026, 3, 31, 12, tzinfo=timezone.utc)
WINDOW = TimeWindow(NOW - timedelta(days=7), NOW)
CEST = timezone(timedelta(hours=2))


@pytest.fixture(scope="module")
def session() -> boto3.Session:
    return boto3.Session(aws_access_key_id="testing", aws_secret_access_key="testing", region_name="eu-west-1")


@pytest.fixture
def clients(session: boto3.Session) -> Clients:
    return Clients(session)


@pytest.fixture
def diagnostics() -> MagicMock:
    mock: MagicMock = create_autospec(Diagnostics, instance=True)
    return mock


@pytest.fixture
def athena(clients: Clients) -> Iterator[Stubber]:
    with Stubber(clients.client("athena")) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


def execution(query_id: str, *, age: timedelta = timedelta(hours=1), state: str = "SUCCEEDED", **more: Any) -> Any:
    status = {"State": state, "SubmissionDateTime": NOW - age}
    row = {"QueryExecutionId": query_id, "Query": f"SELECT '{query_id}'", "Status": status, "WorkGroup": "primary"}
    return {key: value for key, value in (row | more).items() if value is not None}


class History:
    """Queues answers in the order in which a correct reader asks for them."""

    def __init__(self, stubber: Stubber) -> None:
        self._stubber = stubber

    def work_groups(self, *groups: str | dict[str, Any], token: str = "", following: str = "") -> None:
        rows = [{"Name": group, "State": "ENABLED"} if isinstance(group, str) else group for group in groups]
        asked = {"MaxResults": 50} | ({"NextToken": token} if token else {})
        answer = {"WorkGroups": rows} | ({"NextToken": following} if following else {})
        self._stubber.add_response("list_work_groups", answer, asked)

    def ids(self, *ids: str, group: str = "primary", token: str = "", following: str = "") -> None:
        asked = {"WorkGroup": group, "MaxResults": 50} | ({"NextToken": token} if token else {})
        answer = ({"QueryExecutionIds": list(ids)} if ids else {}) | ({"NextToken": following} if following else {})
        self._stubber.add_response("list_query_executions", answer, asked)

    def batch(self, *executions: Any, asked: list[str] | None = None, left: list[dict[str, str]] | None = None) -> None:
        ids = [row["QueryExecutionId"] for row in executions] if asked is None else asked
        answer = {"QueryExecutions": list(executions), "UnprocessedQueryExecutionIds": left or []}
        self._stubber.add_response("batch_get_query_execution", answer, {"QueryExecutionIds": ids})

    def single(self, *ids: str) -> None:
        for query_id in ids:
            answer = {"QueryExecution": execution(query_id)}
            self._stubber.add_response("get_query_execution", answer, {"QueryExecutionId": query_id})

    def page(self, *executions: Any, group: str = "primary", token: str = "", following: str = "") -> None:
        self.ids(*(row["QueryExecutionId"] for row in executions), group=group, token=token, following=following)
        self.batch(*executions)


@pytest.fixture
def history(athena: Stubber) -> History:
    return History(athena)


def read(clients: Clients, diagnostics: MagicMock, window: TimeWindow = WINDOW, **options: Any) -> list[QueryRecord]:
    with freeze_time(NOW):
        return list(AthenaHistoryReader(clients, diagnostics, window, **options).read_queries())


def ids_of(records: list[QueryRecord]) -> list[str]:
    return [record.query_id for record in records]


def complaints(diagnostics: MagicMock) -> dict[str, int]:
    kinds = ("skipped", "unresolved", "truncated", "warning", "failure")
    return {kind: getattr(diagnostics, kind).call_count for kind in kinds if getattr(diagnostics, kind).called}


def test_a_record(clients: Clients, diagnostics: MagicMock, history: History) -> None:
    submitted = datetime(2026, 3, 31, 10, tzinfo=CEST)
    row = execution(
        "q1",
        StatementType="DDL",
        SubstatementType="CREATE_TABLE_AS_SELECT",
        QueryExecutionContext={"Catalog": "AwsDataCatalog", "Database": "Sales"},
        ResultConfiguration={"OutputLocation": "s3://results/q1.csv"},
        Statistics={
            "DataScannedInBytes": 2048,
            "TotalExecutionTimeInMillis": 1500,
            "ResultReuseInformation": {"ReusedPreviousResult": False},
        },
        Status={
            "State": "SUCCEEDED",
            "SubmissionDateTime": submitted,
            "CompletionDateTime": submitted + timedelta(seconds=2),
        },
    )
    history.work_groups("primary")
    history.page(row)
    (record,) = read(clients, diagnostics)
    assert record == QueryRecord(
        query_id="q1",
        text="SELECT 'q1'",
        context=SqlContext("athena", "awsdatacatalog", "sales"),
        started_at=datetime(2026, 3, 31, 8, tzinfo=timezone.utc),
        ended_at=datetime(2026, 3, 31, 8, 0, 2, tzinfo=timezone.utc),
        source="athena-api",
        work_group="primary",
        statistics={
            "DataScannedInBytes": "2048",
            "TotalExecutionTimeInMillis": "1500",
            "StatementType": "DDL",
            "SubstatementType": "CREATE_TABLE_AS_SELECT",
            "OutputLocation": "s3://results/q1.csv",
        },
    )
    assert record.started_at.tzinfo is timezone.utc
    assert complaints(diagnostics) == {}


@pytest.mark.parametrize(
    ("context", "catalog", "database"),
    [
        ({}, "awsdatacatalog", "default"),
        ({"QueryExecutionContext": {"Database": "Sales"}}, "awsdatacatalog", "sales"),
        ({"QueryExecutionContext": {"Catalog": "Lambda_MySQL"}}, "lambda_mysql", "default"),
    ],
)
def test_names_under_which_the_text_is_read(
    clients: Clients, diagnostics: MagicMock, history: History, context: Any, catalog: str, database: str
) -> None:
    history.work_groups("primary")
    history.page(execution("q1", **context))
    (record,) = read(clients, diagnostics)
    assert (record.context.default_catalog, record.context.default_database) == (catalog, database)


def test_every_work_group_over_pages_disabled_ones_too(
    clients: Clients, diagnostics: MagicMock, history: History
) -> None:
    history.work_groups("primary", following="w")
    history.work_groups({"Name": "old", "State": "DISABLED"}, token="w")
    history.page(execution("q1"), following="p")
    history.ids(token="p", following="q")
    history.page(execution("q2"), token="q")
    history.page(execution("q3"), group="old")
    assert ids_of(read(clients, diagnostics)) == ["q1", "q2", "q3"]
    assert [call.args[0] for call in diagnostics.seen.mock_calls].count("athena work groups") == 2
    assert complaints(diagnostics) == {}


def test_a_full_page_is_one_batch(clients: Clients, diagnostics: MagicMock, history: History) -> None:
    rows = [execution(f"q{number}") for number in range(50)]
    history.work_groups("primary")
    history.page(*rows)
    assert len(read(clients, diagnostics)) == 50


def test_work_groups_that_are_not_read(clients: Clients, diagnostics: MagicMock, history: History) -> None:
    spark = {"Name": "notebooks", "EngineVersion": {"EffectiveEngineVersion": "PySpark engine version 3"}}
    history.work_groups("primary", "adhoc", spark)
    history.page(execution("q1"))
    records = read(clients, diagnostics, work_group_allowed=lambda name: name != "adhoc")
    assert ids_of(records) == ["q1"]
    diagnostics.skipped.assert_any_call("filtered", "athena work group", "adhoc")
    assert diagnostics.skipped.call_args.args[:2] == ("unsupported", "athena work group")


@pytest.mark.parametrize("state", ["FAILED", "CANCELLED", "RUNNING", "QUEUED"])
def test_only_what_succeeded(clients: Clients, diagnostics: MagicMock, history: History, state: str) -> None:
    history.work_groups("primary")
    history.page(execution("q1"), execution("q2", state=state))
    assert ids_of(read(clients, diagnostics)) == ["q1"]
    diagnostics.skipped.assert_called_once_with("failed_statement", "athena query", f"q2: {state}")


def test_the_window_is_half_open(clients: Clients, diagnostics: MagicMock, history: History) -> None:
    second = timedelta(seconds=1)
    history.work_groups("primary")
    history.page(
        execution("at-end", age=timedelta(0)),
        execution("before-end", age=second),
        execution("at-start", age=timedelta(days=7)),
        execution("before-start", age=timedelta(days=7) + second),
    )
    assert ids_of(read(clients, diagnostics)) == ["before-end", "at-start"]
    assert {call.args for call in diagnostics.skipped.mock_calls} == {
        ("outside_window", "athena query", "at-end"),
        ("outside_window", "athena query", "before-start"),
    }


OLD = timedelta(days=8)


def test_a_work_group_ends_at_a_page_wholly_before_the_window(
    clients: Clients, diagnostics: MagicMock, history: History
) -> None:
    history.work_groups("primary", "second")
    history.page(execution("q1"), execution("q2", age=OLD), following="p")
    history.page(execution("q3", age=OLD), execution("q4", age=OLD), token="p", following="q")
    history.page(execution("q5"), group="second")
    assert ids_of(read(clients, diagnostics)) == ["q1", "q5"]


def test_an_old_query_among_newer_ones_does_not_end_a_work_group(
    clients: Clients, diagnostics: MagicMock, history: History
) -> None:
    history.work_groups("primary")
    history.page(execution("q1", age=OLD), execution("q2"), following="p")
    history.page(execution("q3"), token="p")
    assert ids_of(read(clients, diagnostics)) == ["q2", "q3"]


def test_pages_after_the_window_are_read_through(clients: Clients, diagnostics: MagicMock, history: History) -> None:
    window = TimeWindow(NOW - timedelta(days=7), NOW - timedelta(days=6))
    history.work_groups("primary")
    history.page(execution("new"), following="p")
    history.page(execution("q1", age=timedelta(days=6, hours=1)), token="p")
    assert ids_of(read(clients, diagnostics, window)) == ["q1"]


def test_unprocessed_ids_are_asked_for_once_more(clients: Clients, diagnostics: MagicMock, history: History) -> None:
    history.work_groups("primary")
    history.ids("q1", "q2")
    history.batch(execution("q1"), asked=["q1", "q2"], left=[{"QueryExecutionId": "q2", "ErrorCode": "INTERNAL"}])
    history.batch(execution("q2"))
    assert ids_of(read(clients, diagnostics)) == ["q1", "q2"]
    assert complaints(diagnostics) == {}


@pytest.mark.parametrize(
    ("message", "expected"),
    [("Rate exceeded", {"failure": 1}), ("QueryExecution q2 was not found", {"skipped": 1})],
)
def test_ids_that_stay_unprocessed_are_reported(
    clients: Clients, diagnostics: MagicMock, history: History, message: str, expected: dict[str, int]
) -> None:
    left = [{"QueryExecutionId": "q2", "ErrorCode": "X", "ErrorMessage": message}]
    history.work_groups("primary")
    history.ids("q1", "q2", following="p")
    history.batch(execution("q1", age=timedelta(minutes=1)), asked=["q1", "q2"], left=left)
    if "not found" not in message:
        history.batch(asked=["q2"], left=left)
    history.page(execution("q3"), token="p")
    assert ids_of(read(clients, diagnostics)) == ["q1", "q3"]
    assert complaints(diagnostics) == expected


def test_a_page_with_unprocessed_ids_does_not_end_a_work_group(
    clients: Clients, diagnostics: MagicMock, history: History
) -> None:
    left = [{"QueryExecutionId": "q2", "ErrorCode": "X", "ErrorMessage": "Rate exceeded"}]
    history.work_groups("primary")
    history.ids("q1", "q2", following="p")
    history.batch(execution("q1", age=OLD), asked=["q1", "q2"], left=left)
    history.batch(asked=["q2"], left=left)
    history.page(execution("q3"), token="p")
    assert ids_of(read(clients, diagnostics)) == ["q3"]


def test_text_at_the_limit_of_bytes_may_be_cut(clients: Clients, diagnostics: MagicMock, history: History) -> None:
    whole = "SELECT '" + "é" * ((TEXT_LIMIT - 10) // 2) + "'"
    history.work_groups("primary")
    history.page(execution("whole", Query=whole), execution("cut", Query=whole + " "))
    assert [(record.query_id, record.truncated) for record in read(clients, diagnostics)] == [
        ("whole", False),
        ("cut", True),
    ]
    diagnostics.truncated.assert_called_once_with("athena query text", "cut")


@pytest.mark.parametrize("broken", [{"Query": None}, {"Status": {"State": "SUCCEEDED"}}])
def test_a_malformed_execution_loses_no_other(
    clients: Clients, diagnostics: MagicMock, history: History, broken: dict[str, Any]
) -> None:
    history.work_groups("primary")
    history.page(execution("q1", **broken), execution("q2"), following="p")
    history.page(execution("q3"), token="p")
    assert ids_of(read(clients, diagnostics)) == ["q2", "q3"]
    reason = "hidden" if "Query" in broken else "malformed"
    assert diagnostics.skipped.call_args.args[:2] == (reason, "athena query")


def test_a_refused_work_group_is_a_warning_and_the_others_go_on(
    clients: Clients, diagnostics: MagicMock, athena: Stubber, history: History
) -> None:
    text = "You are not authorized to perform: athena:ListQueryExecutions on the resource."
    history.work_groups("finance", "primary")
    athena.add_client_error("list_query_executions", "AccessDeniedException", text)
    history.page(execution("q1"))
    assert ids_of(read(clients, diagnostics)) == ["q1"]
    assert diagnostics.warning.call_args.args[1].startswith("finance: needs athena:ListQueryExecutions")
    assert complaints(diagnostics) == {"warning": 1}


def test_texts_that_are_refused_are_a_warning(
    clients: Clients, diagnostics: MagicMock, athena: Stubber, history: History
) -> None:
    history.work_groups("primary")
    history.ids("q1")
    athena.add_client_error("batch_get_query_execution", "AccessDeniedException")
    athena.add_client_error("get_query_execution", "AccessDeniedException")
    assert read(clients, diagnostics) == []
    assert "needs athena:BatchGetQueryExecution" in diagnostics.warning.call_args.args[1]


def test_where_batches_are_refused_queries_are_read_one_at_a_time(
    clients: Clients, diagnostics: MagicMock, athena: Stubber, history: History
) -> None:
    history.work_groups("primary")
    history.ids("q1", "q2", following="p")
    athena.add_client_error("batch_get_query_execution", "AccessDeniedException")
    history.single("q1", "q2")
    history.ids("q3", "gone", token="p")
    history.single("q3")
    athena.add_client_error(
        "get_query_execution", "InvalidRequestException", "QueryExecution gone was not found", http_status_code=400
    )
    assert ids_of(read(clients, diagnostics)) == ["q1", "q2", "q3"]
    assert [call.args[:2] for call in diagnostics.skipped.call_args_list] == [("outside_window", "athena query")]
    assert complaints(diagnostics) == {"skipped": 1}


def test_a_batch_that_fails_is_read_one_at_a_time_and_the_next_as_a_batch(
    clients: Clients, diagnostics: MagicMock, athena: Stubber, history: History
) -> None:
    history.work_groups("primary")
    history.ids("q1", "q2", following="p")
    athena.add_client_error("batch_get_query_execution", "InternalServerException", http_status_code=500)
    history.single("q1", "q2")
    history.page(execution("q3"), token="p")
    assert ids_of(read(clients, diagnostics)) == ["q1", "q2", "q3"]
    assert complaints(diagnostics) == {}


def test_throttling_between_pages_is_a_failure_that_keeps_what_came(
    clients: Clients, diagnostics: MagicMock, athena: Stubber, history: History
) -> None:
    history.work_groups("primary", "second")
    history.page(execution("q1"), following="p")
    athena.add_client_error("list_query_executions", "ThrottlingException", "Rate exceeded")
    history.page(execution("q2"), group="second")
    assert ids_of(read(clients, diagnostics)) == ["q1", "q2"]
    assert diagnostics.failure.call_args.args[1].startswith("primary: athena:ListQueryExecutions: ThrottlingException")
    assert complaints(diagnostics) == {"failure": 1}


def test_a_work_group_that_is_gone_is_skipped(
    clients: Clients, diagnostics: MagicMock, athena: Stubber, history: History
) -> None:
    history.work_groups("gone", "primary")
    athena.add_client_error("list_query_executions", "InvalidRequestException", "WorkGroup gone is not found.")
    history.page(execution("q1"))
    assert ids_of(read(clients, diagnostics)) == ["q1"]
    assert diagnostics.skipped.call_args.args[1] == "athena work group"
    assert complaints(diagnostics) == {"skipped": 1}


def test_refused_work_groups_are_a_warning(clients: Clients, diagnostics: MagicMock, athena: Stubber) -> None:
    athena.add_client_error("list_work_groups", "AccessDeniedException")
    assert read(clients, diagnostics) == []
    assert "athena:ListWorkGroups" in diagnostics.warning.call_args.args[1]
    assert complaints(diagnostics) == {"warning": 1}


def test_work_groups_listed_in_part_are_read_and_the_rest_is_a_failure(
    clients: Clients, diagnostics: MagicMock, athena: Stubber, history: History
) -> None:
    history.work_groups("primary", following="w")
    athena.add_client_error("list_work_groups", "TooManyRequestsException", "slow down")
    history.page(execution("q1"))
    assert ids_of(read(clients, diagnostics)) == ["q1"]
    assert complaints(diagnostics) == {"failure": 1}


def test_expired_credentials_stop_the_run(
    clients: Clients, diagnostics: MagicMock, athena: Stubber, history: History
) -> None:
    history.work_groups("primary")
    athena.add_client_error("list_query_executions", "ExpiredTokenException")
    with pytest.raises(CredentialsError):
        read(clients, diagnostics)


@pytest.mark.parametrize(("days", "truncated"), [(44, 0), (46, 1)])
def test_a_window_older_than_athena_keeps_is_said(
    clients: Clients, diagnostics: MagicMock, history: History, days: int, truncated: int
) -> None:
    history.work_groups()
    read(clients, diagnostics, TimeWindow(NOW - timedelta(days=days), NOW))
    assert diagnostics.truncated.call_count == truncated


def test_the_age_of_a_recording_does_not_count(clients: Clients, diagnostics: MagicMock, history: History) -> None:
    year = timedelta(days=365)
    history.work_groups()
    read(clients, diagnostics, TimeWindow(NOW - year - timedelta(days=7), NOW - year), as_of=NOW - year)
    assert complaints(diagnostics) == {}


def test_probes_name_what_is_denied(clients: Clients, athena: Stubber) -> None:
    athena.add_client_error("list_work_groups", "AccessDeniedException")
    with pytest.raises(AccessDeniedError, match="athena:ListWorkGroups"):
        probe_work_groups(clients)
    athena.add_client_error("list_work_groups", "AccessDeniedException")
    with pytest.raises(AccessDeniedError, match="athena:ListWorkGroups"):
        probe_history(clients)
    athena.add_response("list_work_groups", {"WorkGroups": [{"Name": "primary"}]})
    athena.add_response("list_query_executions", {"QueryExecutionIds": ["q1"]})
    athena.add_client_error("batch_get_query_execution", "AccessDeniedException")
    athena.add_client_error("get_query_execution", "AccessDeniedException")
    with pytest.raises(AccessDeniedError, match="athena:BatchGetQueryExecution"):
        probe_history(clients)


def test_the_probe_is_content_with_single_queries(clients: Clients, athena: Stubber) -> None:
    athena.add_response("list_work_groups", {"WorkGroups": [{"Name": "primary"}]})
    athena.add_response("list_query_executions", {"QueryExecutionIds": ["q1"]})
    athena.add_client_error("batch_get_query_execution", "AccessDeniedException")
    athena.add_response("get_query_execution", {"QueryExecution": execution("q1")}, {"QueryExecutionId": "q1"})
    probe_history(clients)


def test_the_probe_asks_a_work_group_that_is_read(clients: Clients, athena: Stubber) -> None:
    groups = {"WorkGroups": [{"Name": "primary"}, {"Name": "etl"}]}
    athena.add_response("list_work_groups", groups)
    athena.add_response("list_query_executions", {}, {"WorkGroup": "etl", "MaxResults": 1})
    probe_history(clients, lambda name: name != "primary")
    athena.add_response("list_work_groups", groups)
    with pytest.raises(NotFoundError, match="work_group_pattern"):
        probe_history(clients, lambda _: False)


def test_permissions_are_those_of_the_calls_made(
    clients: Clients, diagnostics: MagicMock, athena: Stubber, history: History
) -> None:
    client = clients.client("athena")
    called: set[str] = set()
    note: Any = lambda model, **_: called.add(iam_action(client, model.name))  # noqa: E731
    client.meta.events.register("before-parameter-build.athena", note)
    history.work_groups("primary")
    history.page(execution("q1"))
    read(clients, diagnostics)
    athena.add_response("list_work_groups", {"WorkGroups": []})
    probe_work_groups(clients)
    athena.add_response("list_work_groups", {"WorkGroups": [{"Name": "primary"}]})
    athena.add_response("list_query_executions", {"QueryExecutionIds": ["q1"]})
    athena.add_response("batch_get_query_execution", {})
    probe_history(clients)
    assert called == set(PERMISSIONS)


def test_what_counts_as_read_ends_before_the_lists_were_asked_for(
    clients: Clients, diagnostics: MagicMock, history: History
) -> None:
    """Lists are asked for ahead of being consumed: what was submitted in between is not in them."""
    history.work_groups("primary", "etl")
    history.page(execution("q1"))
    history.page(execution("q2"), group="etl")
    with freeze_time(NOW) as clock:
        reader = AthenaHistoryReader(clients, diagnostics, TimeWindow(WINDOW.start, NOW + timedelta(days=9)))
        for _ in reader.read_queries():
            clock.tick(timedelta(hours=1))
    assert {name: window.end for name, window in reader.read.items()} == dict.fromkeys(
        ("primary", "etl"), NOW - LISTING_LAG
    )


def test_what_is_still_running_is_to_be_read_again(clients: Clients, diagnostics: MagicMock, history: History) -> None:
    history.work_groups("primary")
    history.page(execution("q1"), execution("q2", state="RUNNING", age=timedelta(hours=5)))
    with freeze_time(NOW):
        reader = AthenaHistoryReader(clients, diagnostics, WINDOW)
        list(reader.read_queries())
    assert reader.read["primary"] == TimeWindow(WINDOW.start, NOW - timedelta(hours=5))


@pytest.mark.parametrize("lost", [{"ErrorMessage": "Internal error"}, {"ErrorCode": "THROTTLED"}])
def test_a_work_group_with_a_query_that_was_not_given_is_not_read(
    clients: Clients, diagnostics: MagicMock, history: History, lost: dict[str, str]
) -> None:
    history.work_groups("primary")
    history.ids("q1", "q2")
    history.batch(execution("q1"), asked=["q1", "q2"], left=[{"QueryExecutionId": "q2", **lost}])
    history.batch(asked=["q2"], left=[{"QueryExecutionId": "q2", **lost}])
    with freeze_time(NOW):
        reader = AthenaHistoryReader(clients, diagnostics, WINDOW)
        assert ids_of(list(reader.read_queries())) == ["q1"]
    assert reader.read == {}
    diagnostics.failure.assert_called_once()
