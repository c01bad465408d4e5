"""The catalog reader: paging, filters, links and what a failed listing leaves, against botocore's stubber and moto."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import MagicMock, create_autospec

import boto3
import pytest
from botocore.awsrequest import AWSRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.stub import Stubber
from moto import mock_aws

from datahub_aws_lineage.aws.calls import iam_action
from datahub_aws_lineage.aws.clients import Clients
from datahub_aws_lineage.aws.glue import PERMISSIONS, GlueCatalogReader, probe_databases, probe_tables
from datahub_aws_lineage.errors import AccessDeniedError, CredentialsError, NotFoundError
from datahub_aws_lineage.model.catalog import Column, LinkTarget, Table
from datahub_aws_lineage.model.names import TableName
from datahub_aws_lineage.model.ports import Diagnostics

OWNER = "444455556666"


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
def glue(clients: Clients) -> Iterator[Stubber]:
    with Stubber(clients.client("glue")) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


def names(tables: Iterator[Table]) -> list[str]:
    return [f"{table.name.database}.{table.name.table}" for table in tables]


def seen(diagnostics: MagicMock, what: str) -> int:
    return sum(
        call.args[1] if len(call.args) > 1 else 1 for call in diagnostics.seen.mock_calls if call.args[0] == what
    )


def complaints(diagnostics: MagicMock) -> dict[str, int]:
    kinds = ("skipped", "unresolved", "truncated", "warning", "failure")
    return {kind: getattr(diagnostics, kind).call_count for kind in kinds if getattr(diagnostics, kind).called}


def test_databases_and_tables_over_pages(clients: Clients, diagnostics: MagicMock, glue: Stubber) -> None:
    glue.add_response("get_databases", {"DatabaseList": [{"Name": "a"}], "NextToken": "d"}, {})
    glue.add_response("get_databases", {"DatabaseList": [{"Name": "b"}]}, {"NextToken": "d"})
    glue.add_response("get_tables", {"TableList": [{"Name": "t1"}], "NextToken": "p"}, {"DatabaseName": "a"})
    glue.add_response("get_tables", {"TableList": [], "NextToken": "q"}, {"DatabaseName": "a", "NextToken": "p"})
    glue.add_response("get_tables", {"TableList": [{"Name": "t2"}]}, {"DatabaseName": "a", "NextToken": "q"})
    glue.add_response("get_tables", {"TableList": [{"Name": "t3"}]}, {"DatabaseName": "b"})
    reader = GlueCatalogReader(clients, diagnostics)
    assert [database.name for database in reader.read_databases()] == ["a", "b"]
    assert names(reader.read_tables()) == ["a.t1", "a.t2", "b.t3"]
    assert (seen(diagnostics, "glue databases"), seen(diagnostics, "glue tables")) == (2, 3)
    assert complaints(diagnostics) == {}


def test_catalog_of_another_account(clients: Clients, diagnostics: MagicMock, glue: Stubber) -> None:
    glue.add_response("get_databases", {"DatabaseList": [{"Name": "a"}]}, {"CatalogId": OWNER})
    glue.add_response("get_tables", {"TableList": [{"Name": "t"}]}, {"CatalogId": OWNER, "DatabaseName": "a"})
    (table,) = GlueCatalogReader(clients, diagnostics, catalog_id=OWNER).read_tables()
    assert table.name == TableName("awsdatacatalog", "a", "t")
    assert table.catalog_id == OWNER


def test_catalog_of_a_table_bucket(clients: Clients, diagnostics: MagicMock, glue: Stubber) -> None:
    catalog_id = f"{OWNER}:s3tablescatalog/Lake"
    glue.add_response("get_databases", {"DatabaseList": [{"Name": "a", "CatalogId": catalog_id}]})
    glue.add_response("get_tables", {"TableList": [{"Name": "t", "CatalogId": catalog_id}]})
    (table,) = GlueCatalogReader(clients, diagnostics, catalog_id=catalog_id).read_tables()
    assert table.name == TableName("s3tablescatalog/lake", "a", "t")


def test_filters_are_asked_before_anything_is_read(clients: Clients, diagnostics: MagicMock, glue: Stubber) -> None:
    glue.add_response("get_databases", {"DatabaseList": [{"Name": "a"}, {"Name": "tmp"}]})
    glue.add_response("get_tables", {"TableList": [{"Name": "keep"}, {"Name": "drop"}]}, {"DatabaseName": "a"})
    reader = GlueCatalogReader(
        clients, diagnostics, database_allowed=lambda name: name != "tmp", table_allowed=lambda name: name != "a.drop"
    )
    assert names(reader.read_tables()) == ["a.keep"]
    diagnostics.skipped.assert_any_call("filtered", "glue database", "tmp")
    diagnostics.skipped.assert_any_call("filtered", "glue table", "a.drop")
    assert seen(diagnostics, "glue tables") == 1


def test_table_link(clients: Clients, diagnostics: MagicMock, glue: Stubber) -> None:
    target = {"CatalogId": OWNER, "DatabaseName": "Sales", "Name": "Orders", "Region": "us-east-1"}
    glue.add_response("get_databases", {"DatabaseList": [{"Name": "a", "CatalogId": "1"}]})
    glue.add_response("get_tables", {"TableList": [{"Name": "link", "TargetTable": target}]})
    (table,) = GlueCatalogReader(clients, diagnostics).read_tables()
    assert table.link == LinkTarget(OWNER, "sales", "orders", "us-east-1")
    assert table.columns is None


def test_table_link_with_columns(clients: Clients, diagnostics: MagicMock, glue: Stubber) -> None:
    glue.add_response("get_databases", {"DatabaseList": [{"Name": "a"}]})
    row = {
        "Name": "link",
        "TargetTable": {"CatalogId": OWNER, "DatabaseName": "sales", "Name": "orders"},
        "StorageDescriptor": {"Columns": [{"Name": "id", "Type": "int"}]},
    }
    glue.add_response("get_tables", {"TableList": [row]})
    (table,) = GlueCatalogReader(clients, diagnostics).read_tables()
    assert table.columns == (Column("id", "int"),)


def test_tables_of_a_database_link_stand_under_its_own_name(
    clients: Clients, diagnostics: MagicMock, glue: Stubber
) -> None:
    target = {"CatalogId": OWNER, "DatabaseName": "sales", "Region": "us-east-1"}
    glue.add_response(
        "get_databases", {"DatabaseList": [{"Name": "shared", "CatalogId": "1", "TargetDatabase": target}]}
    )
    row = {"Name": "orders", "DatabaseName": "sales", "CatalogId": OWNER, "StorageDescriptor": {"Columns": []}}
    glue.add_response("get_tables", {"TableList": [row]}, {"DatabaseName": "shared"})
    reader = GlueCatalogReader(clients, diagnostics)
    (database,) = reader.read_databases()
    (table,) = reader.read_tables()
    assert database.link == LinkTarget(OWNER, "sales", None, "us-east-1")
    assert table.name == TableName("awsdatacatalog", "shared", "orders")
    assert table.link == LinkTarget(OWNER, "sales", "orders", "us-east-1")
    assert table.catalog_id == "1"
    assert table.columns == ()


def test_throttling_between_pages_keeps_what_came_and_reads_on(
    clients: Clients, diagnostics: MagicMock, glue: Stubber
) -> None:
    glue.add_response("get_databases", {"DatabaseList": [{"Name": "a"}, {"Name": "b"}]})
    glue.add_response("get_tables", {"TableList": [{"Name": "t1"}], "NextToken": "p"})
    glue.add_client_error("get_tables", "ThrottlingException", "Rate exceeded")
    glue.add_response("get_tables", {"TableList": [{"Name": "t3"}]})
    assert names(GlueCatalogReader(clients, diagnostics).read_tables()) == ["a.t1", "b.t3"]
    (title, detail) = diagnostics.failure.call_args.args
    assert "could not be listed" in title
    assert detail.startswith("a: glue:GetTables: ThrottlingException")
    assert complaints(diagnostics) == {"failure": 1}


def test_a_refused_database_is_a_failure_that_names_the_permission(
    clients: Clients, diagnostics: MagicMock, glue: Stubber
) -> None:
    glue.add_response("get_databases", {"DatabaseList": [{"Name": "a"}, {"Name": "b"}]})
    glue.add_client_error("get_tables", "AccessDeniedException", "Insufficient Lake Formation permission(s) on a")
    glue.add_response("get_tables", {"TableList": [{"Name": "t"}]})
    assert names(GlueCatalogReader(clients, diagnostics).read_tables()) == ["b.t"]
    assert "allow glue:GetTables" in diagnostics.failure.call_args.args[1]
    assert complaints(diagnostics) == {"failure": 1}


def test_a_refused_link_target_is_a_warning(clients: Clients, diagnostics: MagicMock, glue: Stubber) -> None:
    target = {"CatalogId": OWNER, "DatabaseName": "sales"}
    glue.add_response("get_databases", {"DatabaseList": [{"Name": "shared", "TargetDatabase": target}]})
    glue.add_client_error("get_tables", "AccessDeniedException")
    assert names(GlueCatalogReader(clients, diagnostics).read_tables()) == []
    assert "glue:GetTables" in diagnostics.warning.call_args.args[1]
    assert complaints(diagnostics) == {"warning": 1}


def test_a_database_that_is_gone_is_skipped(clients: Clients, diagnostics: MagicMock, glue: Stubber) -> None:
    glue.add_response("get_databases", {"DatabaseList": [{"Name": "a"}, {"Name": "b"}]})
    glue.add_client_error("get_tables", "EntityNotFoundException")
    glue.add_response("get_tables", {"TableList": [{"Name": "t"}]})
    assert names(GlueCatalogReader(clients, diagnostics).read_tables()) == ["b.t"]
    assert complaints(diagnostics) == {"skipped": 1}


def test_databases_listed_in_part_are_read_and_the_rest_is_a_failure(
    clients: Clients, diagnostics: MagicMock, glue: Stubber
) -> None:
    glue.add_response("get_databases", {"DatabaseList": [{"Name": "a"}], "NextToken": "d"})
    glue.add_client_error("get_databases", "InternalServiceException", http_status_code=500)
    glue.add_response("get_tables", {"TableList": [{"Name": "t"}]})
    reader = GlueCatalogReader(clients, diagnostics)
    assert [database.name for database in reader.read_databases()] == ["a"]
    assert names(reader.read_tables()) == ["a.t"]
    assert complaints(diagnostics) == {"failure": 1}


def test_expired_credentials_stop_the_run(clients: Clients, diagnostics: MagicMock, glue: Stubber) -> None:
    glue.add_response("get_databases", {"DatabaseList": [{"Name": "a"}]})
    glue.add_client_error("get_tables", "ExpiredTokenException")
    with pytest.raises(CredentialsError):
        list(GlueCatalogReader(clients, diagnostics).read_tables())


def answers(bodies: dict[str, Any]) -> Callable[..., Any]:
    """Answers at wire level by operation: for what the service model forbids and a service can send all the same."""

    def respond(request: AWSRequest, **_: object) -> AWSResponse:
        target = request.headers["X-Amz-Target"]
        body = json.dumps(bodies[(target.decode() if isinstance(target, bytes) else target).split(".")[1]]).encode()
        raw = MagicMock()
        raw.stream.return_value = iter([body])
        return AWSResponse(str(request.url), 200, HTTPHeaders(), raw)

    return respond


@pytest.mark.parametrize(
    "broken",
    [
        None,
        {},
        {"Name": "broken", "StorageDescriptor": {"Columns": [{"Type": "int"}]}},
        {"Name": "broken", "StorageDescriptor": {"Columns": [None]}},
        {"Name": "broken", "StorageDescriptor": {}, "PartitionKeys": [{"Name": ""}]},
        {"Name": "broken", "TargetTable": {"CatalogId": OWNER, "DatabaseName": "sales"}},
        {"Name": "broken", "TargetTable": {"CatalogId": OWNER, "Name": "orders"}},
        {"Name": "broken", "TargetTable": {"DatabaseName": "sales", "Name": "orders"}},
    ],
)
def test_a_malformed_table_loses_no_other(clients: Clients, diagnostics: MagicMock, broken: Any) -> None:
    bodies = {
        "GetDatabases": {"DatabaseList": [{"Name": "a"}]},
        "GetTables": {"TableList": [{"Name": "first"}, broken, {"Name": "last"}]},
    }
    clients.client("glue").meta.events.register("before-send.glue", answers(bodies))
    assert names(GlueCatalogReader(clients, diagnostics).read_tables()) == ["a.first", "a.last"]
    assert diagnostics.skipped.call_args.args[:2] == ("malformed", "glue table")
    assert complaints(diagnostics) == {"skipped": 1}


def test_a_broken_schema_in_parameters_keeps_the_table_and_is_counted(
    clients: Clients, diagnostics: MagicMock, glue: Stubber
) -> None:
    row = {"Name": "t", "Parameters": {"spark.sql.sources.schema": "{"}, "StorageDescriptor": {"Columns": []}}
    glue.add_response("get_databases", {"DatabaseList": [{"Name": "a"}]})
    glue.add_response("get_tables", {"TableList": [row]})
    (table,) = GlueCatalogReader(clients, diagnostics).read_tables()
    assert table.columns is None
    assert diagnostics.skipped.call_args.args[:2] == ("malformed", "glue table schema")


@pytest.mark.parametrize("broken", [None, {}, {"Name": "x", "TargetDatabase": {"CatalogId": OWNER}}])
def test_a_malformed_database_loses_no_other(clients: Clients, diagnostics: MagicMock, broken: Any) -> None:
    bodies = {"GetDatabases": {"DatabaseList": [{"Name": "a"}, broken, {"Name": "b"}]}}
    clients.client("glue").meta.events.register("before-send.glue", answers(bodies))
    assert [database.name for database in GlueCatalogReader(clients, diagnostics).read_databases()] == ["a", "b"]
    assert diagnostics.skipped.call_args.args[:2] == ("malformed", "glue database")


@mock_aws
def test_catalog_kept_by_moto(clients: Clients, diagnostics: MagicMock) -> None:
    glue = clients.client("glue")
    glue.create_database(DatabaseInput={"Name": "sales", "Description": "what was sold", "LocationUri": "s3://lake/"})
    glue.create_table(
        DatabaseName="sales",
        TableInput={
            "Name": "orders",
            "Owner": "hadoop",
            "TableType": "EXTERNAL_TABLE",
            "PartitionKeys": [{"Name": "day", "Type": "date"}],
            "StorageDescriptor": {
                "Location": "s3://lake/orders/",
                "Columns": [{"Name": "lines", "Type": "array<struct<sku:string>>", "Comment": "bought"}],
            },
        },
    )
    reader = GlueCatalogReader(clients, diagnostics)
    (database,) = reader.read_databases()
    (table,) = reader.read_tables()
    assert (database.description, database.location) == ("what was sold", "s3://lake/")
    assert database.created_at is not None
    assert table.columns == (
        Column("lines", "array<struct<sku:string>>", "bought"),
        Column("day", "date", partition_key=True),
    )
    assert (table.owner, table.table_type, table.location) == ("hadoop", "EXTERNAL_TABLE", "s3://lake/orders/")
    assert table.created_at is not None
    probe_databases(clients)
    probe_tables(clients)


def test_probes_name_what_is_denied(clients: Clients, glue: Stubber) -> None:
    glue.add_client_error("get_databases", "AccessDeniedException")
    with pytest.raises(AccessDeniedError, match="glue:GetDatabases"):
        probe_databases(clients)
    glue.add_response("get_databases", {"DatabaseList": [{"Name": "a"}]}, {"MaxResults": 1})
    glue.add_client_error("get_tables", "AccessDeniedException")
    with pytest.raises(AccessDeniedError, match="glue:GetTables"):
        probe_tables(clients)


def test_probe_of_an_empty_catalog_shows_the_permission(clients: Clients, glue: Stubber) -> None:
    glue.add_response("get_databases", {"DatabaseList": []})
    asked = {"DatabaseName": "default", "MaxResults": 1}
    glue.add_client_error("get_tables", "EntityNotFoundException", expected_params=asked)
    probe_tables(clients)


def test_probe_of_a_catalog_that_does_not_exist(clients: Clients, glue: Stubber) -> None:
    asked = {"MaxResults": 1, "CatalogId": "9"}
    glue.add_client_error("get_databases", "EntityNotFoundException", expected_params=asked)
    with pytest.raises(NotFoundError):
        probe_tables(clients, catalog_id="9")


def test_permissions_are_those_of_the_calls_made(clients: Clients, diagnostics: MagicMock, glue: Stubber) -> None:
    client = clients.client("glue")
    called: set[str] = set()
    note: Any = lambda model, **_: called.add(iam_action(client, model.name))  # noqa: E731
    client.meta.events.register("before-parameter-build.glue", note)
    databases = ("get_databases", {"DatabaseList": [{"Name": "a"}]})
    tables: tuple[str, Any] = ("get_tables", {"TableList": []})
    for method, response in (databases, tables, databases, databases, tables):
        glue.add_response(method, response)
    list(GlueCatalogReader(clients, diagnostics).read_tables())
    probe_databases(clients)
    probe_tables(clients)
    assert called == set(PERMISSIONS)
