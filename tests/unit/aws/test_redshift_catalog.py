"""The catalog of a warehouse that answers at the wire level."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from redshift_samples import Answerer, Fails, Notes, Row, Warehouse

from datahub_aws_lineage.aws import redshift_sql
from datahub_aws_lineage.aws.redshift_catalog import RedshiftCatalogReader, local_databases, probe
from datahub_aws_lineage.aws.redshift_mounts import parse_datashare, parse_external_schema, parse_options
from datahub_aws_lineage.errors import AccessDeniedError
from datahub_aws_lineage.model.catalog import Column, Database, ExternalSchema, Table, ViewDefinition
from datahub_aws_lineage.model.names import TableName


def schema(name: str, kind: str = "local", source: str | None = None) -> dict[str, Any]:
    return {"schema_name": name, "schema_type": kind, "source_database": source}


def table(schema_name: str, name: str, kind: str = "TABLE", remarks: str | None = None) -> dict[str, Any]:
    return {"schema_name": schema_name, "table_name": name, "table_type": kind, "remarks": remarks}


def column(schema_name: str, table_name: str, name: str, data_type: str, **other: Any) -> dict[str, Any]:
    return {
        "schema_name": schema_name,
        "table_name": table_name,
        "column_name": name,
        "data_type": data_type,
        "character_maximum_length": None,
        "numeric_precision": None,
        "numeric_scale": None,
        "remarks": None,
        **other,
    }


def view(schema_name: str, name: str, definition: str | None) -> dict[str, Any]:
    return {"schema_name": schema_name, "view_name": name, "owner_name": "etl", "definition": definition}


def late_binding(schema_name: str, name: str, column_name: str, data_type: str) -> dict[str, Any]:
    return {"view_schema": schema_name, "view_name": name, "col_name": column_name, "col_type": data_type}


LATE_VIEW = "create view mart.late as select id from sales.orders with no schema binding;"
MATERIALIZED = "CREATE MATERIALIZED VIEW mart.daily AS SELECT id FROM sales.orders"

ANSWERS: dict[str, Answerer] = {
    redshift_sql.SCHEMAS: [
        schema("information_schema"),
        schema("mart"),
        schema("Sales"),
        schema("spectrum", "external", "lake"),
    ],
    redshift_sql.TABLES: [
        table("information_schema", "columns", "VIEW"),
        table("mart", "daily", "VIEW"),
        table("mart", "late", "VIEW"),
        table("mart", "mv_tbl__daily__0"),
        table("mart", "summary", "VIEW"),
        table("Sales", "Orders", remarks="one row an order"),
        table("spectrum", "clicks", "EXTERNAL TABLE"),
    ],
    redshift_sql.COLUMNS: [
        column("information_schema", "columns", "table_name", "character varying"),
        column("mart", "daily", "id", "integer", numeric_precision=32, numeric_scale=0),
        column("mart", "mv_tbl__daily__0", "id", "integer"),
        column("mart", "summary", "total", "numeric", numeric_precision=18, numeric_scale=2),
        column("Sales", "Orders", "ID", "bigint", numeric_precision=64, numeric_scale=0, remarks="key"),
        column("Sales", "Orders", "state", "character varying", character_maximum_length=8),
        column("Sales", "Orders", "flag", "character", character_maximum_length=1),
        column("Sales", "Orders", "at", "timestamp without time zone"),
        column("spectrum", "clicks", "tags", "array<varchar(20)>", character_maximum_length=20),
        column("spectrum", "clicks", "url", "varchar(200)", character_maximum_length=200),
    ],
    redshift_sql.LATE_BINDING_COLUMNS: [late_binding("mart", "late", "id", "bigint")],
    redshift_sql.VIEWS: [
        view("information_schema", "columns", None),
        view("mart", "daily", MATERIALIZED),
        view("mart", "late", LATE_VIEW),
        view("mart", "summary", " SELECT sum(orders.amount) AS total\n   FROM sales.orders;"),
    ],
    redshift_sql.EXTERNAL_TABLES: [
        {"schemaname": "spectrum", "tablename": "clicks", "location": "s3://lake/clicks/"},
    ],
}


@pytest.fixture
def notes() -> Notes:
    return Notes()


def reader(notes: Notes, answers: dict[str, Answerer] | None = None, **options: Any) -> RedshiftCatalogReader:
    return RedshiftCatalogReader(Warehouse(ANSWERS | (answers or {})).api(), notes, ("dev",), **options)


def tables(notes: Notes, answers: dict[str, Answerer] | None = None, **options: Any) -> dict[str, Table]:
    return {str(table.name): table for table in reader(notes, answers, **options).read_tables()}


def test_schemas_become_databases_of_the_catalog(notes: Notes) -> None:
    assert list(reader(notes).read_databases()) == [
        Database("redshift", "dev", "mart", parameters={"schema_type": "local"}),
        Database("redshift", "dev", "sales", parameters={"schema_type": "local"}),
        Database("redshift", "dev", "spectrum", parameters={"schema_type": "external", "source_database": "lake"}),
    ]
    assert notes.untroubled


def test_a_table_has_a_lower_case_name_and_columns_as_they_are_stored(notes: Notes) -> None:
    assert tables(notes)["dev.sales.orders"] == Table(
        platform="redshift",
        name=TableName("dev", "sales", "orders"),
        columns=(
            Column("ID", "bigint", "key"),
            Column("state", "character varying(8)"),
            Column("flag", "character(1)"),
            Column("at", "timestamp without time zone"),
        ),
        format="redshift",
        table_type="TABLE",
        description="one row an order",
    )


def test_system_schemas_and_hidden_storage_are_left_out_silently(notes: Notes) -> None:
    assert set(tables(notes)) == {
        "dev.mart.daily",
        "dev.mart.late",
        "dev.mart.summary",
        "dev.sales.orders",
        "dev.spectrum.clicks",
    }
    assert notes.untroubled
    assert notes.counts == {"redshift tables": 2, "redshift views": 3}


def test_the_three_kinds_of_views(notes: Notes) -> None:
    found = tables(notes)

    bound, late, materialized = (found[f"dev.mart.{name}"] for name in ("summary", "late", "daily"))
    assert bound.view == ViewDefinition(
        "SELECT sum(orders.amount) AS total\n   FROM sales.orders;", "redshift", "dev", "public"
    )
    assert bound.columns == (Column("total", "numeric(18,2)"),)
    assert late.view == ViewDefinition(LATE_VIEW, "redshift", "dev", "public")
    assert late.columns == (Column("id", "bigint"),)
    assert materialized.view == ViewDefinition(MATERIALIZED, "redshift", "dev", "public", materialized=True)
    assert {view.table_type for view in (bound, late, materialized)} == {"VIEW"}
    assert {view.owner for view in (bound, late, materialized)} == {"etl"}


def test_a_materialized_view_is_known_without_its_text(notes: Notes) -> None:
    answers: dict[str, Answerer] = {
        redshift_sql.VIEWS: [view("mart", "daily", None)],
        redshift_sql.MATERIALIZED_VIEWS: [{"schema_name": "mart", "view_name": "daily"}],
    }
    found = tables(notes, answers)["dev.mart.daily"]

    assert (found.view, found.is_view, found.parameters) == (None, True, {"materialized": "true"})
    assert len(notes.cuts) == 1


class LongView:
    """A view's SQL, given in pieces of 15,000 characters as the warehouse would."""

    def __init__(self, sql: str) -> None:
        self.sql = sql
        self.asked: list[tuple[str, str]] = []

    def __call__(self, parameters: Mapping[str, str]) -> list[Row]:
        self.asked.append((parameters["schema_name"], parameters["view_name"]))
        start = int(parameters["first_character"]) - 1
        return [{"piece": self.sql[start : start + 15_000]}]


def test_a_view_too_long_for_a_row_is_read_in_pieces(notes: Notes) -> None:
    columns = ", ".join(f"'\N{GREEK SMALL LETTER BETA}{n}' AS column_{n}" for n in range(3000))
    long = LongView(f"SELECT {columns} FROM sales.orders")
    found = tables(notes, {redshift_sql.VIEWS: [view("Mart", "Summary", None)], redshift_sql.LONG_VIEW: long})

    definition = found["dev.mart.summary"].view
    assert definition is not None
    assert definition.sql == long.sql
    assert len(long.sql.encode()) > 60_000
    assert set(long.asked) == {("Mart", "Summary")}
    assert len(long.asked) == len(long.sql) // 15_000 + 2
    assert notes.untroubled


def test_a_long_view_that_is_filtered_is_not_read(notes: Notes) -> None:
    long = LongView("SELECT 1")
    answers: dict[str, Answerer] = {redshift_sql.VIEWS: [view("mart", "summary", None)], redshift_sql.LONG_VIEW: long}
    assert "dev.mart.summary" not in tables(notes, answers, table_allowed=lambda name: name != "dev.mart.summary")
    assert long.asked == []


def test_a_long_view_that_fails_is_told_and_loses_nothing_else(notes: Notes) -> None:
    answers: dict[str, Answerer] = {
        redshift_sql.VIEWS: [view("mart", "summary", None)],
        redshift_sql.LONG_VIEW: Fails("ERROR: out of memory"),
    }
    assert {"dev.mart.summary", "dev.sales.orders"} <= set(tables(notes, answers))
    ((what, detail),) = notes.cuts
    assert what == "redshift view"
    assert detail.startswith("dev.mart.summary: ")


def test_all_databases_of_a_warehouse(notes: Notes) -> None:
    listed = [{"database_name": name} for name in ("Dev", "finance", "sample")]
    source = Warehouse({redshift_sql.LOCAL_DATABASES: listed})
    assert local_databases(source.api(), notes, ("finance",)) == ("finance", "dev", "sample")
    assert [database for _, database, _ in source.asked] == ["finance"]
    assert notes.untroubled


def test_databases_that_cannot_be_listed_leave_those_that_are_named(notes: Notes) -> None:
    source = Warehouse({redshift_sql.LOCAL_DATABASES: Fails("permission denied for relation svv_redshift_databases")})
    assert local_databases(source.api(), notes, ("finance", "dev")) == ("finance", "dev")
    ((_, detail),) = notes.failures
    assert detail.startswith("only finance, dev will be read")


def test_an_external_table_says_where_it_lies(notes: Notes) -> None:
    clicks = tables(notes)["dev.spectrum.clicks"]

    assert (clicks.location, clicks.table_type, clicks.format) == ("s3://lake/clicks/", "EXTERNAL TABLE", "redshift")
    assert clicks.columns == (Column("tags", "array<varchar(20)>"), Column("url", "varchar(200)"))


def test_filters_get_full_names_and_are_counted(notes: Notes) -> None:
    found = tables(
        notes,
        schema_allowed=lambda name: name != "dev.spectrum",
        table_allowed=lambda name: name != "dev.mart.late",
    )

    assert set(found) == {"dev.mart.daily", "dev.mart.summary", "dev.sales.orders"}
    assert sorted(detail for _, _, detail in notes.skips) == ["dev.mart.late", "dev.spectrum.clicks"]
    assert notes.reasons == {"filtered": 2}


def test_a_table_whose_columns_are_hidden_is_still_there(notes: Notes) -> None:
    found = tables(notes, {redshift_sql.COLUMNS: []})

    assert found["dev.sales.orders"].columns is None
    assert found["dev.mart.late"].columns == (Column("id", "bigint"),)


def test_a_denied_part_warns_and_the_rest_is_read(notes: Notes) -> None:
    found = tables(notes, {redshift_sql.EXTERNAL_TABLES: Fails("permission denied for relation svv_external_tables")})

    assert len(found) == 5
    assert found["dev.spectrum.clicks"].location is None
    ((title, detail),) = notes.warnings
    assert title == "Redshift external tables are denied"
    assert "SELECT ON svv_external_tables" in detail
    assert not notes.failures


@pytest.mark.parametrize("listing", [redshift_sql.SCHEMAS, redshift_sql.TABLES, redshift_sql.COLUMNS])
def test_a_denied_listing_is_a_failure_so_that_no_table_seems_to_be_gone(notes: Notes, listing: str) -> None:
    denied = reader(notes, {listing: Fails("permission denied for relation svv_all_tables")})
    list(denied.read_databases())
    list(denied.read_tables())
    assert [title.rpartition(" ")[2] for title, _ in notes.failures] == ["denied"]
    assert not notes.warnings


def test_a_part_that_fails_is_a_failure(notes: Notes) -> None:
    found = tables(notes, {redshift_sql.COLUMNS: Fails("ERROR: external catalog timed out")})

    assert all(table.columns is None for name, table in found.items() if name != "dev.mart.late")
    ((title, detail),) = notes.failures
    assert title == "Redshift columns cannot be read"
    assert "database dev" in detail


def test_every_database_is_asked_by_its_own_login(notes: Notes) -> None:
    warehouse = Warehouse({redshift_sql.SCHEMAS: [schema("public")]})

    found = list(RedshiftCatalogReader(warehouse.api(), notes, ("dev", "prod")).read_databases())

    assert [(item.catalog, item.name) for item in found] == [("dev", "public"), ("prod", "public")]
    assert [(database, parameters) for _, database, parameters in warehouse.asked] == [
        ("dev", {"database_name": "dev"}),
        ("prod", {"database_name": "prod"}),
    ]


ROLE = "arn:aws:iam::111122223333:role/spectrum"


def external(kind: int, database: str | None, options: str | None) -> ExternalSchema:
    row: dict[str, str | int | None] = {
        "schemaname": "Spec",
        "eskind": kind,
        "databasename": database,
        "esoptions": options,
    }
    return parse_external_schema("DEV", row)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (1, "data_catalog"),
        (2, "hive"),
        (3, "postgres"),
        (4, "redshift"),
        (5, "redshift"),
        (6, "system"),
        (7, "other"),
        (8, "mysql"),
        (9, "kinesis"),
        (10, "kafka"),
    ],
)
def test_kinds_of_external_schemas(kind: int, name: str) -> None:
    assert external(kind, "src", None) == ExternalSchema("dev", "spec", name, "src")  # type: ignore[arg-type]


def test_options_keep_the_source_and_drop_the_keys_to_it() -> None:
    options = f'{{"IAM_ROLE":"{ROLE}","SECRET_ARN":"arn:x","CATALOG_ID":"111122223333","Region":"eu-west-1"}}'

    assert external(1, "lake", options).options == {"CATALOG_ID": "111122223333", "REGION": "eu-west-1"}


def test_federated_and_redshift_schemas_name_the_schema_behind() -> None:
    federated = external(3, "shop", '{"URI":"db.example.com","PORT":5432,"SCHEMA":"public","SECRET_ARN":"arn:x"}')

    assert (federated.source_database, federated.source_schema) == ("shop", "public")
    assert federated.options == {"URI": "db.example.com", "PORT": "5432", "SCHEMA": "public"}
    assert external(4, "other", '{"SCHEMA":"mart"}').source_schema == "mart"


@pytest.mark.parametrize("text", ["", "null", "[1]", "not json"])
def test_options_that_are_no_object_are_none(text: str) -> None:
    assert parse_options(text) == {}


NAMESPACE = "13b8833d-17c6-4f16-8fe4-1a018f5ed00d"
WHOLE = {
    "datashare_name": "sales",
    "datashare_producer_account": "444455556666",
    "datashare_producer_namespace": NAMESPACE,
}
OPTIONS = json.dumps(WHOLE, separators=(",", ":"))
SHARE = {
    "consumer_database": "",
    "share_name": "sales",
    "source_database": "",
    "producer_account": "444455556666",
    "producer_namespace": NAMESPACE,
}


@pytest.mark.parametrize(
    ("text", "shares", "options"),
    [
        (OPTIONS, [], WHOLE),
        (OPTIONS[:128], [SHARE], WHOLE),
        (OPTIONS[:128], [], {"datashare_name": "sales", "datashare_producer_account": "444455556666"}),
        (
            OPTIONS[:128],
            [SHARE, SHARE | {"producer_namespace": NAMESPACE[:30] + "ffffff"}],
            {"datashare_name": "sales", "datashare_producer_account": "444455556666"},
        ),
        (OPTIONS, [SHARE | {"share_name": "other"}], WHOLE),
    ],
)
def test_datashares_are_completed_only_where_one_fits(
    text: str, shares: list[dict[str, str]], options: dict[str, str]
) -> None:
    mounted = parse_datashare({"database_name": "Shared", "database_options": text}, shares)

    assert mounted == ExternalSchema("shared", None, "datashare", None, options=options)


def test_the_producers_database_is_taken_where_it_is_told() -> None:
    mounted = parse_datashare(
        {"database_name": "shared", "database_options": OPTIONS}, [SHARE | {"source_database": "prod"}]
    )

    assert mounted.source_database == "prod"


def test_external_schemas_and_shared_databases_are_read(notes: Notes) -> None:
    warehouse = Warehouse(
        {
            redshift_sql.EXTERNAL_SCHEMAS: [
                {"schemaname": "spec", "eskind": 1, "databasename": "lake", "esoptions": f'{{"IAM_ROLE":"{ROLE}"}}'}
            ],
            redshift_sql.SHARED_DATABASES: [{"database_name": "shared", "database_options": OPTIONS}],
            redshift_sql.INBOUND_DATASHARES: [SHARE],
        }
    )

    found = list(RedshiftCatalogReader(warehouse.api(), notes, ("dev",)).read_external_schemas())

    assert found == [
        ExternalSchema("dev", "spec", "data_catalog", "lake"),
        ExternalSchema("shared", None, "datashare", None, options=WHOLE),
    ]
    assert notes.counts == {"redshift external schemas": 1, "redshift shared databases": 1}


def test_without_shared_databases_no_datashare_is_asked_for(notes: Notes) -> None:
    warehouse = Warehouse({})
    list(RedshiftCatalogReader(warehouse.api(), notes, ("dev",)).read_external_schemas())

    assert warehouse.times_asked(redshift_sql.INBOUND_DATASHARES) == 0


def test_probe_passes_a_denial_on() -> None:
    probe(Warehouse({}).api(), "dev")
    with pytest.raises(AccessDeniedError):
        probe(Warehouse({redshift_sql.PROBE_CATALOG: Fails("permission denied for relation x")}).api(), "dev")
