"""What Athena keeps beside its history, and queries that are run: refused, gone, failed, too slow."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any
from unittest.mock import MagicMock, create_autospec

import boto3
import pytest
from botocore.stub import Stubber

from datahub_aws_lineage.aws.athena_catalogs import DataCatalogReader
from datahub_aws_lineage.aws.athena_queries import AthenaQueries
from datahub_aws_lineage.aws.athena_saved import SavedStatementReader
from datahub_aws_lineage.aws.clients import Clients
from datahub_aws_lineage.errors import MalformedError, RetriableError, SkippableError
from datahub_aws_lineage.model.catalog import DataCatalog
from datahub_aws_lineage.model.ports import Diagnostics

AT = datetime(2026, 3, 1, tzinfo=timezone.utc)


@pytest.fixture
def clients() -> Clients:
    session = boto3.Session(aws_access_key_id="testing", aws_secret_access_key="testing", region_name="eu-west-1")
    return Clients(session)


@pytest.fixture
def athena(clients: Clients) -> Iterator[Stubber]:
    with Stubber(clients.client("athena")) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


@pytest.fixture
def diagnostics() -> MagicMock:
    mock: MagicMock = create_autospec(Diagnostics, instance=True)
    return mock


def complaints(diagnostics: MagicMock) -> dict[str, int]:
    kinds = ("skipped", "warning", "failure")
    return {kind: getattr(diagnostics, kind).call_count for kind in kinds if getattr(diagnostics, kind).called}


# ---- prepared statements --------------------------------------------------------------------------------------------


def listed(*names: str) -> dict[str, Any]:
    return {"PreparedStatements": [{"StatementName": name, "LastModifiedTime": AT} for name in names]}


def prepared(name: str, **more: Any) -> dict[str, Any]:
    found = {"StatementName": name, "QueryStatement": "SELECT 1", "LastModifiedTime": AT, **more}
    return {"PreparedStatement": {key: value for key, value in found.items() if value is not None}}


def test_prepared_statements_of_work_groups_of_which_one_is_refused(
    clients: Clients, athena: Stubber, diagnostics: MagicMock
) -> None:
    athena.add_client_error("list_prepared_statements", "AccessDeniedException", http_status_code=400)
    athena.add_response("list_prepared_statements", listed("a", "gone", "odd"))
    athena.add_response("get_prepared_statement", prepared("a"), {"WorkGroup": "etl", "StatementName": "a"})
    athena.add_client_error("get_prepared_statement", "ResourceNotFoundException", http_status_code=400)
    athena.add_response("get_prepared_statement", prepared("odd", QueryStatement=None))
    found = list(SavedStatementReader(clients, diagnostics).read_prepared(["closed", "etl"]))
    assert [(one.work_group, one.name, one.text, one.modified_at) for one in found] == [("etl", "a", "SELECT 1", AT)]
    assert complaints(diagnostics) == {"warning": 1, "skipped": 1}
    assert "athena:ListPreparedStatements" in diagnostics.warning.call_args.args[1]


def test_a_throttled_work_group_is_a_failure(clients: Clients, athena: Stubber, diagnostics: MagicMock) -> None:
    athena.add_client_error("list_prepared_statements", "ThrottlingException", http_status_code=400)
    athena.add_response("list_prepared_statements", listed())
    assert list(SavedStatementReader(clients, diagnostics).read_prepared(["busy", "etl"])) == []
    assert complaints(diagnostics) == {"failure": 1}


# ---- named queries --------------------------------------------------------------------------------------------------


def test_named_queries(clients: Clients, athena: Stubber, diagnostics: MagicMock) -> None:
    athena.add_response("list_work_groups", {"WorkGroups": [{"Name": "etl"}, {"Name": "adhoc"}]})
    athena.add_response("list_named_queries", {"NamedQueryIds": ["n1", "n2"]}, {"WorkGroup": "etl", "MaxResults": 50})
    row = {"NamedQueryId": "n1", "Name": "Revenue", "Database": "Sales", "QueryString": "SELECT 1", "WorkGroup": "etl"}
    left = [{"NamedQueryId": "n2", "ErrorCode": "INTERNAL"}]
    athena.add_response("batch_get_named_query", {"NamedQueries": [row], "UnprocessedNamedQueryIds": left})
    reader = SavedStatementReader(clients, diagnostics, work_group_allowed=lambda name: name == "etl")
    (found,) = reader.read_named()
    assert (found.query_id, found.name, found.context.default_database) == ("n1", "Revenue", "sales")
    assert complaints(diagnostics) == {"skipped": 1}


def test_work_groups_that_are_refused(clients: Clients, athena: Stubber, diagnostics: MagicMock) -> None:
    athena.add_client_error("list_work_groups", "AccessDeniedException", http_status_code=400)
    assert list(SavedStatementReader(clients, diagnostics).read_named()) == []
    assert complaints(diagnostics) == {"warning": 1}


# ---- data catalogs --------------------------------------------------------------------------------------------------


def test_data_catalogs_of_which_one_does_not_tell_whose_it_is(
    clients: Clients, athena: Stubber, diagnostics: MagicMock
) -> None:
    rows = [
        {"CatalogName": "AwsDataCatalog", "Type": "GLUE"},
        {"CatalogName": "Partner", "Type": "GLUE"},
        {"CatalogName": "Closed", "Type": "GLUE"},
        {"CatalogName": "shop", "Type": "FEDERATED", "ConnectionType": "MYSQL"},
        {"CatalogName": "nameless"},
    ]
    athena.add_response("list_data_catalogs", {"DataCatalogsSummary": rows})
    partner = {"Name": "Partner", "Type": "GLUE", "Parameters": {"catalog-id": "999988887777"}}
    athena.add_response("get_data_catalog", {"DataCatalog": partner}, {"Name": "Partner"})
    athena.add_client_error("get_data_catalog", "AccessDeniedException", http_status_code=400)
    assert list(DataCatalogReader(clients, diagnostics).read_data_catalogs()) == [
        DataCatalog("partner", "glue", "999988887777"),
        DataCatalog("closed", "glue"),
        DataCatalog("shop", "federated", None, "MYSQL"),
    ]
    assert complaints(diagnostics) == {"warning": 1, "skipped": 1}


@pytest.mark.parametrize(
    ("code", "complaint"), [("AccessDeniedException", "warning"), ("InternalServerException", "failure")]
)
def test_data_catalogs_that_cannot_be_listed(
    clients: Clients, athena: Stubber, diagnostics: MagicMock, code: str, complaint: str
) -> None:
    athena.add_client_error("list_data_catalogs", code, http_status_code=400)
    assert list(DataCatalogReader(clients, diagnostics).read_data_catalogs()) == []
    assert complaints(diagnostics) == {complaint: 1}


# ---- queries that are run -------------------------------------------------------------------------------------------


def started(athena: Stubber, *states: str) -> None:
    athena.add_response("start_query_execution", {"QueryExecutionId": "q"}, {"QueryString": "S", "WorkGroup": "etl"})
    for state in states:
        status = {"State": state, "StateChangeReason": "TABLE_NOT_FOUND"}
        athena.add_response("get_query_execution", {"QueryExecution": {"Status": status}})


def result(*rows: list[str | None], token: str | None = None) -> dict[str, Any]:
    data = [{"Data": [{"VarCharValue": value} if value is not None else {} for value in row]} for row in rows]
    return {"ResultSet": {"Rows": data}} | ({"NextToken": token} if token else {})


def test_rows_over_pages(clients: Clients, athena: Stubber) -> None:
    slept: list[float] = []
    started(athena, "QUEUED", "RUNNING", "SUCCEEDED")
    athena.add_response("get_query_results", result(["a", "b"], ["1", None], token="t"))
    athena.add_response("get_query_results", result(["2", "x"]))
    rows = list(AthenaQueries(clients, "etl", sleep=slept.append).rows("S"))
    assert rows == [{"a": "1", "b": None}, {"a": "2", "b": "x"}]
    assert slept == [0.5, 0.75]


def test_a_query_that_fails_says_why(clients: Clients, athena: Stubber) -> None:
    started(athena, "FAILED")
    with pytest.raises(SkippableError, match="TABLE_NOT_FOUND"):
        list(AthenaQueries(clients, "etl").rows("S"))


def test_a_query_that_takes_too_long_is_stopped(clients: Clients, athena: Stubber) -> None:
    started(athena, "RUNNING", "RUNNING")
    athena.add_response("stop_query_execution", {}, {"QueryExecutionId": "q"})
    queries = AthenaQueries(clients, "etl", poll_seconds=5, timeout_seconds=5, sleep=lambda _: None)
    with pytest.raises(RetriableError, match="still RUNNING"):
        list(queries.rows("S"))


def test_a_row_of_another_width_is_no_row(clients: Clients, athena: Stubber) -> None:
    started(athena, "SUCCEEDED")
    athena.add_response("get_query_results", result(["a", "b"], ["1"]))
    with pytest.raises(MalformedError):
        list(AthenaQueries(clients, "etl").rows("S"))
