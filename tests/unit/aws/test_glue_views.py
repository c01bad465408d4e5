"""Views as the catalog stores them: Athena's encoded ones, Hive's and Spark's, and those in several dialects."""

from __future__ import annotations

import base64
import json
import textwrap
from typing import Any
from unittest.mock import MagicMock, create_autospec

import boto3
import pytest
from botocore.stub import Stubber

from datahub_aws_lineage.aws.clients import Clients
from datahub_aws_lineage.aws.glue import GlueCatalogReader
from datahub_aws_lineage.model.catalog import Column, Table, ViewDefinition
from datahub_aws_lineage.model.ports import Diagnostics

SESSION = boto3.Session(aws_access_key_id="testing", aws_secret_access_key="testing", region_name="eu-west-1")
SQL = "SELECT id, \"lines\"[1].sku FROM orders WHERE note <> 'naïve */ text'"
STORED = {
    "originalSql": SQL,
    "catalog": "AwsDataCatalog",
    "schema": "Sales",
    "columns": [{"name": "id", "type": "bigint"}, {"name": "sku", "type": "row(a integer, b varchar(3))"}],
}


def encode(stored: Any) -> str:
    return base64.b64encode(json.dumps(stored).encode()).decode()


@pytest.fixture
def diagnostics() -> MagicMock:
    mock: MagicMock = create_autospec(Diagnostics, instance=True)
    return mock


def read(diagnostics: MagicMock, payload: dict[str, Any]) -> Table:
    """Reads one table of database `reports` through the reader; the stubber checks the payload."""
    clients = Clients(SESSION)
    with Stubber(clients.client("glue")) as stubber:
        stubber.add_response("get_databases", {"DatabaseList": [{"Name": "reports"}]})
        stubber.add_response("get_tables", {"TableList": [{"Name": "v", **payload}]})
        (table,) = GlueCatalogReader(clients, diagnostics).read_tables()
    return table


def view_of(diagnostics: MagicMock, payload: dict[str, Any]) -> ViewDefinition:
    table = read(diagnostics, payload)
    assert table.view is not None
    assert table.is_view
    diagnostics.unresolved.assert_not_called()
    diagnostics.seen.assert_any_call("glue views")
    return table.view


def virtual(original: str | None = None, expanded: str | None = None) -> dict[str, Any]:
    texts = {"ViewOriginalText": original, "ViewExpandedText": expanded}
    return {"TableType": "VIRTUAL_VIEW", **{key: text for key, text in texts.items() if text is not None}}


@pytest.mark.parametrize(
    "text",
    [
        f"/* Presto View: {encode(STORED)} */",
        f"/* Trino View: {encode(STORED)} */",
        f"/*presto view:{encode(STORED)}*/",
        f"/* Presto View: {encode(STORED).rstrip('=')} */",
        f"/* Presto View: {encode(STORED)}== */",
        "/* Presto View:\n" + "\n".join(textwrap.wrap(encode(STORED), 76)) + "\n*/\n",
        f"  /* Presto View: {base64.urlsafe_b64encode(json.dumps(STORED).encode()).decode()} */",
    ],
)
def test_athena_view(diagnostics: MagicMock, text: str) -> None:
    view = view_of(diagnostics, virtual(text, "/* Presto View */"))
    assert view == ViewDefinition(SQL, "athena", "awsdatacatalog", "sales")


@pytest.mark.parametrize("surplus", ["", "a", "ab"])
def test_padding_of_every_length(diagnostics: MagicMock, surplus: str) -> None:
    encoded = encode({"originalSql": "SELECT 1", "x": surplus}).rstrip("=")
    assert view_of(diagnostics, virtual(f"/* Presto View: {encoded} */")).sql == "SELECT 1"


def test_names_default_to_where_the_view_lies(diagnostics: MagicMock) -> None:
    view = view_of(diagnostics, virtual(f"/* Presto View: {encode({'originalSql': 'SELECT 1'})} */"))
    assert (view.default_catalog, view.default_database) == ("awsdatacatalog", "reports")


def test_catalog_that_trino_on_emr_calls_hive(diagnostics: MagicMock) -> None:
    view = view_of(diagnostics, virtual(f"/* Presto View: {encode({**STORED, 'catalog': 'hive'})} */"))
    assert view.default_catalog == "awsdatacatalog"


def test_catalog_of_another_data_source(diagnostics: MagicMock) -> None:
    view = view_of(diagnostics, virtual(f"/* Presto View: {encode({**STORED, 'catalog': 'Lambda_MySQL'})} */"))
    assert view.default_catalog == "lambda_mysql"


def test_materialized_view_by_marker(diagnostics: MagicMock) -> None:
    assert view_of(diagnostics, virtual(f"/* Presto Materialized View: {encode(STORED)} */")).materialized


def test_materialized_view_by_flag(diagnostics: MagicMock) -> None:
    payload = {"TableType": "EXTERNAL_TABLE", "IsMaterializedView": True, "ViewOriginalText": "SELECT 1 AS one"}
    assert view_of(diagnostics, payload) == ViewDefinition("SELECT 1 AS one", "hive", "awsdatacatalog", "reports", True)


def test_a_marker_makes_a_view_of_any_table_type(diagnostics: MagicMock) -> None:
    payload = {"TableType": "EXTERNAL_TABLE", "ViewOriginalText": f"/* Presto View: {encode(STORED)} */"}
    assert view_of(diagnostics, payload).sql == SQL


@pytest.mark.parametrize("text", ["", "/* Presto View */"])
def test_a_table_is_no_view(diagnostics: MagicMock, text: str) -> None:
    table = read(diagnostics, {"TableType": "EXTERNAL_TABLE", "ViewOriginalText": text, "ViewExpandedText": text})
    assert table.view is None
    diagnostics.unresolved.assert_not_called()


def test_columns_of_the_catalog_come_first(diagnostics: MagicMock) -> None:
    payload = virtual(f"/* Presto View: {encode(STORED)} */")
    payload["StorageDescriptor"] = {"Columns": [{"Name": "id", "Type": "bigint", "Comment": "key"}]}
    assert read(diagnostics, payload).columns == (Column("id", "bigint", "key"),)


@pytest.mark.parametrize("storage", [{}, {"StorageDescriptor": {}}, {"StorageDescriptor": {"Columns": []}}])
def test_columns_of_the_definition_stand_in(diagnostics: MagicMock, storage: dict[str, Any]) -> None:
    payload = virtual(f"/* Presto View: {encode(STORED)} */") | storage
    assert read(diagnostics, payload).columns == (Column("id", "bigint"), Column("sku", "struct<a:int,b:varchar(3)>"))


@pytest.mark.parametrize("columns", [None, [], "id", [{"type": "bigint"}], ["id"]])
def test_columns_of_the_definition_that_cannot_be_read_are_unknown(diagnostics: MagicMock, columns: Any) -> None:
    table = read(diagnostics, virtual(f"/* Presto View: {encode({**STORED, 'columns': columns})} */"))
    assert table.columns is None
    assert table.view is not None


def test_hive_view_prefers_the_expanded_text_and_keeps_what_was_written(diagnostics: MagicMock) -> None:
    view = view_of(diagnostics, virtual("SELECT * FROM t", "SELECT `t`.`a` FROM `sales`.`t`"))
    assert view == ViewDefinition(
        "SELECT `t`.`a` FROM `sales`.`t`", "hive", "awsdatacatalog", "reports", original="SELECT * FROM t"
    )


@pytest.mark.parametrize("expanded", [None, "", "  ", "/* nothing */", "-- nothing"])
def test_hive_view_without_expanded_text(diagnostics: MagicMock, expanded: str | None) -> None:
    assert view_of(diagnostics, virtual("SELECT a FROM t", expanded)).sql == "SELECT a FROM t"


def test_spark_view_keeps_the_database_that_was_current(diagnostics: MagicMock) -> None:
    parameters = {
        "view.catalogAndNamespace.numParts": "2",
        "view.catalogAndNamespace.part.0": "spark_catalog",
        "view.catalogAndNamespace.part.1": "Sales",
    }
    view = view_of(diagnostics, {**virtual("SELECT a FROM t"), "Parameters": parameters})
    assert (view.default_catalog, view.default_database) == ("awsdatacatalog", "sales")


def multi(*representations: tuple[str, str | None, str | None, bool]) -> dict[str, Any]:
    rows = [
        {"Dialect": dialect, "IsStale": stale}
        | ({"ViewOriginalText": original} if original is not None else {})
        | ({"ViewExpandedText": expanded} if expanded is not None else {})
        for dialect, original, expanded, stale in representations
    ]
    definition = {"Representations": rows} if rows else {}
    return {"TableType": "VIRTUAL_VIEW", "IsMultiDialectView": True, "ViewDefinition": definition}


REDSHIFT = ("REDSHIFT", "select 1 r", "select 1 r", False)
SPARK = ("SPARK", "SELECT 1 s", "SELECT 1 AS s", False)
ATHENA = ("ATHENA", "SELECT 1 a", "SELECT 1 expanded", False)


@pytest.mark.parametrize(
    ("representations", "dialect", "sql"),
    [
        ([REDSHIFT, SPARK, ATHENA], "athena", "SELECT 1 a"),
        ([REDSHIFT, SPARK], "hive", "SELECT 1 AS s"),
        ([REDSHIFT], "redshift", "select 1 r"),
        ([SPARK, ("ATHENA", f"/* Presto View: {encode(STORED)} */", None, False)], "athena", SQL),
        ([SPARK, ("ATHENA", "", "SELECT 1 expanded", False)], "athena", "SELECT 1 expanded"),
        ([SPARK, ("ATHENA", "SELECT 1 old", None, True)], "hive", "SELECT 1 AS s"),
        ([("ATHENA", "SELECT 1 old", None, True)], "athena", "SELECT 1 old"),
        ([SPARK, ("ATHENA", "/* Presto View: ??? */", None, False)], "hive", "SELECT 1 AS s"),
    ],
)
def test_multi_dialect_view(diagnostics: MagicMock, representations: Any, dialect: str, sql: str) -> None:
    view = view_of(diagnostics, multi(*representations))
    assert (view.dialect, view.sql) == (dialect, sql)


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (virtual(), "empty"),
        (virtual("", "/* Presto View */"), "empty"),
        (virtual("/* Presto View: !!!! */"), "syntax"),
        (virtual("/* Presto View: aGVsbG8= */"), "syntax"),
        (virtual("/* Presto View: /w== */"), "syntax"),
        (virtual(f"/* Presto View: {encode(STORED)[:40]}"), "truncated"),
        (virtual(f"/* Presto View: {encode([1])} */"), "empty"),
        (virtual(f"/* Presto View: {encode({'originalSql': ' '})} */"), "empty"),
        (virtual(f"/* Presto View: {encode({'originalSql': 7})} */"), "empty"),
        (multi(), "empty"),
        (multi(("ATHENA", "", None, False)), "empty"),
    ],
)
def test_a_view_that_cannot_be_decoded_is_still_a_table(
    diagnostics: MagicMock, payload: dict[str, Any], reason: str
) -> None:
    table = read(diagnostics, payload)
    assert table.view is None
    assert table.is_view
    (given, detail) = diagnostics.unresolved.call_args.args
    assert given == reason
    assert detail.startswith("glue view reports.v: ")
    diagnostics.failure.assert_not_called()
