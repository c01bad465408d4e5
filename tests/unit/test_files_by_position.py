"""COPY and UNLOAD go by position where files hold no names; the Data Catalog says what stands in which place."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest
from warehouse_story import Warehouse

from datahub_aws_lineage.lineage import CatalogIndex, History, Resolver
from datahub_aws_lineage.model.catalog import Column, Table
from datahub_aws_lineage.model.names import TableName
from datahub_aws_lineage.model.queries import QueryRecord, SqlContext
from datahub_aws_lineage.report import AwsLineageReport
from datahub_aws_lineage.sql import analyze, fingerprint

IN_FILES = (Column("order_id", "int"), Column("total", "double"), Column("dt", "string", partition_key=True))
ROLE = "IAM_ROLE 'arn:aws:iam::111122223333:role/r'"


def edges(
    text: str, *, tables: tuple[tuple[Column, ...], ...] = (IN_FILES,), location: str = "s3://lake/in/"
) -> set[str]:
    history = History(Resolver(CatalogIndex()), AwsLineageReport().diagnostics, fingerprint)
    for number, columns in enumerate(tables):
        name = TableName("awsdatacatalog", "raw", f"orders{number}")
        history.add_table(Table("glue", name, columns, location=location))
    here = TableName("dev", "public", "sales")
    history.add_table(Table("redshift", here, (Column("id", "integer"), Column("amount", "float"))))
    context = SqlContext("redshift", "dev", "public", ("public",))
    record = QueryRecord("1", text, context, datetime(2026, 3, 1, tzinfo=timezone.utc), "test")
    session = history.session(record)
    history.apply(record, analyze(text, session.context, session))
    return {
        f"{edge.upstream.name}:{edge.upstream_column} -> {edge.downstream_column}"
        for lineage in history.lineages()
        for edge in lineage.columns
        if "s3" in (edge.upstream.platform, lineage.downstream.platform) and edge.query is not None
    }


@pytest.mark.parametrize(
    "options", ["FORMAT AS PARQUET", "ORC", "CSV IGNOREHEADER 1", "DELIMITER '|' GZIP", "FIXEDWIDTH 'a:3,b:4'"]
)
def test_a_column_is_read_from_its_place(options: str) -> None:
    expected = {"lake/in:order_id -> id", "lake/in:total -> amount"}
    assert edges(f"COPY sales FROM 's3://lake/in/dt=2026-03-01/' {ROLE} {options}") == expected


def test_a_column_list_says_which_place_is_whose() -> None:
    expected = {"lake/in:order_id -> amount", "lake/in:total -> id"}
    assert edges(f"COPY sales (amount, id) FROM 's3://lake/in/' {ROLE} CSV") == expected


@pytest.mark.parametrize("options", ["JSON 'auto'", "FORMAT AS JSON 'noshred'", "AVRO 'auto'"])
def test_json_and_avro_have_names_of_their_own(options: str) -> None:
    expected = {"lake/in:id -> id", "lake/in:amount -> amount"}
    assert edges(f"COPY sales FROM 's3://lake/in/' {ROLE} {options}") == expected


def test_what_is_of_another_width_goes_by_name() -> None:
    one = ((Column("id", "int"),),)
    assert edges(f"COPY sales FROM 's3://lake/in/' {ROLE} CSV", tables=one) == {
        "lake/in:id -> id",
        "lake/in:amount -> amount",
    }


def test_tables_that_disagree_on_a_location_say_nothing() -> None:
    two = (IN_FILES, (Column("total", "double"), Column("order_id", "int")))
    assert edges(f"COPY sales FROM 's3://lake/in/' {ROLE} CSV", tables=two) == {
        "lake/in:id -> id",
        "lake/in:amount -> amount",
    }


@pytest.mark.parametrize("options", ["", "FORMAT AS CSV HEADER", "DELIMITER ',' GZIP ALLOWOVERWRITE"])
def test_text_files_are_read_by_position(options: str) -> None:
    expected = {"dev.public.sales:id -> order_id", "dev.public.sales:amount -> total"}
    assert edges(f"UNLOAD ('SELECT id, amount FROM sales') TO 's3://lake/in/' {ROLE} {options}") == expected


@pytest.mark.parametrize("options", ["FORMAT AS PARQUET", "JSON", "CSV PARTITION BY (id)"])
def test_other_files_keep_the_names(options: str) -> None:
    expected = {"dev.public.sales:id -> id", "dev.public.sales:amount -> amount"}
    assert edges(f"UNLOAD ('SELECT id, amount FROM sales') TO 's3://lake/in/' {ROLE} {options}") == expected


# ---- files that an UNLOAD has written, of which no catalog knows -------------------------------------------------

TABLES = {"dev.public.orders": "id amount city", "dev.public.sales": "no total"}


def unloaded(*texts: str) -> set[str]:
    return Warehouse(TABLES).run(*(f"{text} {ROLE}" for text in texts)).edges


@pytest.mark.parametrize("options", ["", "PARQUET", "CSV HEADER"])
def test_copy_reads_what_unload_has_put_there_place_by_place(options: str) -> None:
    assert unloaded(
        f"UNLOAD ('SELECT id, amount * 2 AS twice FROM orders') TO 's3://x/out/dt=1/part_' {options}",
        f"COPY sales FROM 's3://x/out/dt=1/' {options}",
    ) == {
        "public.orders:id -> x/out:id",
        "public.orders:amount -> x/out:twice",
        "x/out:id -> public.sales:no",
        "x/out:twice -> public.sales:total",
    }


def test_a_column_list_names_the_places_of_unloaded_files() -> None:
    found = unloaded(
        "UNLOAD ('SELECT id, amount FROM orders') TO 's3://x/out/'", "COPY sales(total, no) FROM 's3://x/out/'"
    )
    assert {"x/out:id -> public.sales:total", "x/out:amount -> public.sales:no"} <= found


BY_NAME = {"x/out:no -> public.sales:no", "x/out:total -> public.sales:total"}


@pytest.mark.parametrize(
    "texts",
    [
        pytest.param(
            ["UNLOAD ('SELECT id, amount, city FROM orders') TO 's3://x/out/' PARTITION BY (city)"], id="part"
        ),
        pytest.param(["UNLOAD ('SELECT id, amount, city FROM orders') TO 's3://x/out/'"], id="wider"),
        pytest.param(
            [
                "UNLOAD ('SELECT id, amount FROM orders') TO 's3://x/out/a_'",
                "UNLOAD ('SELECT city, id FROM orders') TO 's3://x/out/b_'",
                "UNLOAD ('SELECT amount, id FROM orders WHERE city = 1') TO 's3://x/out/b_'",
                "UNLOAD ('SELECT id, amount FROM orders WHERE city = 1') TO 's3://x/out/a_'",
            ],
            id="two things in one folder",
        ),
        pytest.param(["UNLOAD ('SELECT * FROM gone') TO 's3://x/out/'"], id="unknown"),
    ],
)
def test_where_the_files_are_not_certain_copy_goes_by_name(texts: list[str]) -> None:
    copied = {edge for edge in unloaded(*texts, "COPY sales FROM 's3://x/out/'") if edge.startswith("x/out:")}
    assert copied == BY_NAME


def test_an_unload_does_not_take_the_names_of_another() -> None:
    assert unloaded(
        "UNLOAD ('SELECT id, amount FROM orders') TO 's3://x/out/a_'",
        "UNLOAD ('SELECT no, total FROM sales') TO 's3://x/out/b_'",
    ) == {
        "public.orders:id -> x/out:id",
        "public.orders:amount -> x/out:amount",
        "public.sales:no -> x/out:no",
        "public.sales:total -> x/out:total",
    }
