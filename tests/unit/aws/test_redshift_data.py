"""The Data API client against botocore's stubber, which checks requests and answers by the service's model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.stub import Stubber
from redshift_samples import Warehouse, test_session

from datahub_aws_lineage.aws import redshift_sql
from datahub_aws_lineage.aws.calls import iam_action
from datahub_aws_lineage.aws.clients import Clients
from datahub_aws_lineage.aws.redshift_data import (
    PERMISSIONS,
    Cluster,
    RedshiftDataApi,
    ResultTooLargeError,
    StatementFailedError,
    Target,
    WorkGroup,
    login_permission,
    probe,
)
from datahub_aws_lineage.errors import AccessDeniedError, MalformedError, RetriableError

ID = "d9b6c0c9-0747-4bf4-b142-e8883122f766"
SQL = "SELECT 1 AS one WHERE 1 = :one"
WORK_GROUP = WorkGroup("analytics")


@pytest.fixture
def clients() -> Clients:
    return Clients(test_session())


@pytest.fixture
def stub(clients: Clients) -> Iterator[Stubber]:
    with Stubber(clients.client("redshift-data")) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


@pytest.fixture
def pauses() -> list[float]:
    return []


@pytest.fixture
def api(clients: Clients, pauses: list[float]) -> RedshiftDataApi:
    return RedshiftDataApi(clients, WORK_GROUP, poll_seconds=1, longest_poll_seconds=4, sleep=pauses.append)


def executes(stub: Stubber, **expected: Any) -> None:
    request = {"Sql": SQL, "Database": "dev", "WorkgroupName": "analytics", **expected}
    stub.add_response(
        "execute_statement", {"Id": ID}, {name: value for name, value in request.items() if value is not None}
    )


def describes(stub: Stubber, status: str, **more: Any) -> None:
    stub.add_response("describe_statement", {"Id": ID, "Status": status, **more}, {"Id": ID})


def gives(
    stub: Stubber, records: list[list[dict[str, Any]]], names: list[str], token: str = "", after: str = ""
) -> None:
    answer: dict[str, Any] = {"Records": records, "ColumnMetadata": [{"name": name} for name in names]}
    request = {"Id": ID} | ({"NextToken": after} if after else {})
    stub.add_response("get_statement_result", answer | ({"NextToken": token} if token else {}), request)


def fails(stub: Stubber, message: str, status: str = "FAILED") -> None:
    executes(stub)
    describes(stub, status, Error=message)


def test_reads_all_pages_and_types_every_value(api: RedshiftDataApi, stub: Stubber, pauses: list[float]) -> None:
    executes(stub, Parameters=[{"name": "one", "value": "1"}, {"name": "two", "value": "2"}])
    describes(stub, "FINISHED", HasResultSet=True)
    names = ["N", "text", "flag", "ratio", "nothing", "bytes"]
    row: list[dict[str, Any]] = [
        {"longValue": 7},
        {"stringValue": "x"},
        {"booleanValue": False},
        {"doubleValue": 0.5},
        {"isNull": True},
    ]
    gives(stub, [[*row, {"blobValue": b"\xc3\xa9"}]], names, token="p2")
    gives(stub, [[*row, {"blobValue": b""}]], names, after="p2")

    rows = list(api.query(SQL, "dev", {"two": "2", "one": "1"}))

    first = {"n": 7, "text": "x", "flag": False, "ratio": 0.5, "nothing": None, "bytes": "é"}
    assert rows == [first, {**first, "bytes": ""}]
    assert pauses == []


def test_a_statement_without_a_result_gives_no_rows(api: RedshiftDataApi, stub: Stubber) -> None:
    executes(stub)
    describes(stub, "FINISHED", HasResultSet=False)

    assert list(api.query(SQL, "dev")) == []


def test_waits_ever_longer_up_to_a_limit(api: RedshiftDataApi, stub: Stubber, pauses: list[float]) -> None:
    executes(stub)
    for status in ("SUBMITTED", "PICKED", "STARTED", "STARTED", "STARTED"):
        describes(stub, status)
    describes(stub, "FINISHED", HasResultSet=False)

    assert list(api.query(SQL, "dev")) == []
    assert pauses == [1, 2, 4, 4, 4]


def test_a_statement_that_does_not_end_is_cancelled(clients: Clients, stub: Stubber, pauses: list[float]) -> None:
    api = RedshiftDataApi(clients, WORK_GROUP, poll_seconds=1, timeout_seconds=3, sleep=pauses.append)
    executes(stub)
    for _ in range(3):
        describes(stub, "STARTED")
    stub.add_response("cancel_statement", {"Status": True}, {"Id": ID})

    with pytest.raises(StatementFailedError, match="no end after 3 s"):
        api.query(SQL, "dev")
    assert pauses == [1, 2]


def test_a_denied_cancel_does_not_hide_the_timeout(clients: Clients, stub: Stubber) -> None:
    api = RedshiftDataApi(clients, WORK_GROUP, timeout_seconds=0, sleep=lambda _: None)
    executes(stub)
    describes(stub, "STARTED")
    stub.add_client_error("cancel_statement", "AccessDeniedException", "no", 400)

    with pytest.raises(StatementFailedError, match="no end after"):
        api.query(SQL, "dev")


@pytest.mark.parametrize(
    ("message", "permission"),
    [
        ("ERROR: permission denied for relation stl_query", "SELECT ON stl_query"),
        ("ERROR: permission denied for schema pg_internal; hint", "SELECT ON pg_internal"),
        ("ERROR: must be superuser to read this", "SELECT"),
        ("Insufficient privileges on catalog", "SELECT"),
        ("User: arn:aws:iam::111122223333:role/r is not authorized to assume IAM Role", "SELECT"),
    ],
)
def test_a_refused_privilege_is_a_denial(api: RedshiftDataApi, stub: Stubber, message: str, permission: str) -> None:
    fails(stub, message)

    with pytest.raises(AccessDeniedError) as caught:
        api.query(SQL, "dev")
    assert caught.value.permission == permission
    assert message in str(caught.value)


def test_a_result_above_the_limit_has_its_own_error(api: RedshiftDataApi, stub: Stubber) -> None:
    fails(stub, "Database response exceeded size limit")

    with pytest.raises(ResultTooLargeError):
        api.query(SQL, "dev")


@pytest.mark.parametrize(("status", "message"), [("FAILED", 'ERROR: relation "x" does not exist'), ("ABORTED", "gone")])
def test_any_other_end_is_a_failed_statement(api: RedshiftDataApi, stub: Stubber, status: str, message: str) -> None:
    fails(stub, message, status)

    with pytest.raises(StatementFailedError, match=f"{status}: {message}") as caught:
        api.query(SQL, "dev")
    assert not isinstance(caught.value, ResultTooLargeError)


def test_iam_denials_and_busy_warehouses_are_told_apart(api: RedshiftDataApi, stub: Stubber) -> None:
    stub.add_client_error("execute_statement", "AccessDeniedException", "not authorized", 400)
    with pytest.raises(AccessDeniedError) as caught:
        api.query(SQL, "dev")
    assert caught.value.permission == "redshift-data:ExecuteStatement"

    stub.add_client_error("execute_statement", "ActiveStatementsExceededException", "too many", 400)
    with pytest.raises(RetriableError):
        api.query(SQL, "dev")


def test_a_row_that_does_not_fit_its_columns_is_malformed(api: RedshiftDataApi, stub: Stubber) -> None:
    executes(stub)
    describes(stub, "FINISHED", HasResultSet=True)
    gives(stub, [[{"longValue": 1}, {"longValue": 2}]], ["only"])

    with pytest.raises(MalformedError, match="2 values under 1 columns"):
        list(api.query(SQL, "dev"))


SECRET = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:x"


@pytest.mark.parametrize(
    ("target", "request_members", "permission"),
    [
        (WORK_GROUP, {"WorkgroupName": "analytics"}, "redshift-serverless:GetCredentials"),
        (
            WorkGroup("analytics", SECRET),
            {"WorkgroupName": "analytics", "SecretArn": SECRET},
            "secretsmanager:GetSecretValue",
        ),
        (Cluster("c1", "etl"), {"ClusterIdentifier": "c1", "DbUser": "etl"}, "redshift:GetClusterCredentials"),
        (Cluster("c1"), {"ClusterIdentifier": "c1"}, "redshift:GetClusterCredentialsWithIAM"),
        (
            Cluster("c1", "etl", SECRET),
            {"ClusterIdentifier": "c1", "SecretArn": SECRET},
            "secretsmanager:GetSecretValue",
        ),
    ],
)
def test_each_way_of_login(
    clients: Clients, stub: Stubber, target: Target, request_members: dict[str, str], permission: str
) -> None:
    executes(stub, **{"WorkgroupName": None, **request_members})
    describes(stub, "FINISHED", HasResultSet=False)

    assert list(RedshiftDataApi(clients, target).query(SQL, "dev")) == []
    assert login_permission(target) == permission


def test_permissions_are_the_operations_that_are_called(clients: Clients) -> None:
    client = clients.client("redshift-data")
    operations = ("CancelStatement", "DescribeStatement", "ExecuteStatement", "GetStatementResult")
    assert tuple(iam_action(client, operation) for operation in operations) == PERMISSIONS


def test_probe_tells_who_is_logged_in() -> None:
    assert probe(Warehouse({redshift_sql.PROBE: [{"user_name": "IAMR:reader"}]}).api(), "dev") == "IAMR:reader"
    with pytest.raises(MalformedError):
        probe(Warehouse({}).api(), "dev")
