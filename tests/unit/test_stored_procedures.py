"""Statements that a stored procedure ran: which one, and whether they stayed."""

from __future__ import annotations

from warehouse_story import Warehouse, short

TABLES = {"dev.public.landing": "id amount", "dev.public.orders": "id amount", "dev.public.report": "id total"}
FILL = "INSERT INTO orders SELECT id, amount FROM landing"
REPORT = "INSERT INTO report SELECT id, amount FROM orders"


def procedures(warehouse: Warehouse) -> dict[str, tuple[str, ...]]:
    return {query.text: query.procedures for query in warehouse.history.queries()}


def test_what_began_before_the_call_ended_ran_in_it() -> None:
    warehouse = Warehouse(TABLES).run("CALL Mart.load('2026-03-01', 3)", seconds=1.5)
    warehouse.run(FILL, seconds=0.2).run(REPORT, seconds=0.2)
    assert procedures(warehouse) == {FILL: ("dev.mart.load",), REPORT: ()}


def test_of_nested_calls_the_innermost() -> None:
    warehouse = Warehouse(TABLES).run("CALL outer_one()", seconds=10).run("CALL inner_one()", seconds=1.5)
    warehouse.run(FILL, seconds=0.2).run(REPORT, seconds=0.2)
    assert procedures(warehouse) == {FILL: ("dev.public.inner_one",), REPORT: ("dev.public.outer_one",)}


def test_another_session_is_not_in_the_call() -> None:
    warehouse = Warehouse(TABLES).run("CALL load()", seconds=10, session="a").run(FILL, session="b")
    assert procedures(warehouse) == {FILL: ()}


def test_a_statement_may_run_in_several_procedures_and_by_itself() -> None:
    warehouse = Warehouse(TABLES)
    for name in ("b.load", "a.load"):
        warehouse.run(f"CALL {name}()", seconds=1.5).run(FILL, seconds=0.2)
    warehouse.run("SELECT 1").run(FILL)
    assert procedures(warehouse) == {FILL: ("dev.a.load", "dev.b.load")}


def test_without_ends_a_call_is_its_transaction() -> None:
    warehouse = Warehouse(TABLES).run("CALL load()", seconds=None, transaction="1", succeeded=None)
    warehouse.run(FILL, seconds=None, transaction="1", succeeded=None)
    warehouse.run(REPORT, seconds=None, transaction="2", succeeded=None)
    assert procedures(warehouse) == {FILL: ("dev.public.load",), REPORT: ()}


def test_without_ends_a_call_within_a_transaction_cannot_be_told_from_what_follows_it() -> None:
    warehouse = Warehouse(TABLES)
    warehouse.run("BEGIN", "CALL load()", FILL, "COMMIT", seconds=None, transaction="1", succeeded=None)
    assert procedures(warehouse) == {FILL: ()}
    assert len(warehouse.edges) == 2


def test_a_call_that_failed_undoes_what_it_ran() -> None:
    warehouse = Warehouse(TABLES).run("CALL load()", transaction="1", succeeded=False, seconds=10)
    warehouse.run(FILL, transaction="1").run(REPORT, transaction="2")
    assert warehouse.edges == {"public.orders:id -> public.report:id", "public.orders:amount -> public.report:total"}
    assert warehouse.report.skipped.counts == {"redshift statement: rolled_back": 1}


def test_a_procedure_that_commits_keeps_what_it_committed() -> None:
    warehouse = Warehouse(TABLES).run("CALL load()", transaction="1", succeeded=False, seconds=10)
    warehouse.run(FILL, transaction="2")
    assert len(warehouse.edges) == 2


# ---- what each procedure did ------------------------------------------------------------------------------------


def work(warehouse: Warehouse) -> dict[str, tuple[set[str], set[str]]]:
    """What each procedure read, and its edges between columns."""
    return {
        str(lineage.procedure): (
            {short(dataset) for dataset in lineage.reads},
            {
                f"{short(column.upstream)}:{column.upstream_column} -> {short(written.downstream)}:"
                f"{column.downstream_column}"
                for written in lineage.writes
                for column in written.columns
            },
        )
        for lineage in warehouse.history.procedures()
    }


FILLED = {"public.landing:id -> public.orders:id", "public.landing:amount -> public.orders:amount"}
REPORTED = {"public.orders:id -> public.report:id", "public.orders:amount -> public.report:total"}


def called(*texts: str, procedure: str = "load", warehouse: Warehouse | None = None) -> Warehouse:
    warehouse = warehouse or Warehouse(TABLES)
    return warehouse.run(f"CALL {procedure}()", seconds=len(texts) + 0.5).run(*texts, seconds=0.2)


def test_a_procedure_has_the_edges_of_its_statements_alone() -> None:
    warehouse = called(FILL).run(REPORT, seconds=0.2)
    assert work(warehouse) == {"dev.public.load": ({"public.landing"}, FILLED)}
    assert warehouse.edges == FILLED | REPORTED


def test_a_statement_that_two_procedures_and_nobody_ran_belongs_to_each() -> None:
    warehouse = called(FILL)
    for name in ("again", "load", "again"):
        warehouse.run(FILL, seconds=0.2)
        called(FILL, procedure=name, warehouse=warehouse)
    assert work(warehouse) == {
        "dev.public.again": ({"public.landing"}, FILLED),
        "dev.public.load": ({"public.landing"}, FILLED),
    }


def test_temporary_and_dropped_tables_are_seen_through() -> None:
    warehouse = called(
        "CREATE TEMP TABLE picked AS SELECT id, amount FROM landing",
        "CREATE TABLE dev.public.work AS SELECT id, amount FROM picked",
        "INSERT INTO orders SELECT id, amount FROM dev.public.work",
        "DROP TABLE dev.public.work",
    )
    assert work(warehouse) == {"dev.public.load": ({"public.landing"}, FILLED)}


def test_a_table_that_is_built_aside_and_renamed_counts_under_its_name() -> None:
    swap = (
        "CREATE TABLE public.orders_new AS SELECT id, amount FROM landing",
        "DROP TABLE public.orders",
        "ALTER TABLE public.orders_new RENAME TO orders",
    )
    warehouse = called(*swap)
    for _ in range(30):
        called(*swap, warehouse=warehouse)
    assert work(warehouse) == {"dev.public.load": ({"public.landing"}, FILLED)}


def test_a_table_that_others_have_built_anew_since_is_still_what_the_procedure_wrote() -> None:
    warehouse = called("TRUNCATE orders", FILL)
    warehouse.run("TRUNCATE orders", "INSERT INTO orders VALUES (1, 2)", seconds=0.2)
    assert work(warehouse) == {"dev.public.load": ({"public.landing"}, FILLED)}


def test_the_latest_build_counts() -> None:
    warehouse = called("TRUNCATE orders", FILL)
    called("TRUNCATE orders", "INSERT INTO orders SELECT id, total FROM report", warehouse=warehouse)
    ((reads, edges),) = work(warehouse).values()
    assert edges == {"public.report:id -> public.orders:id", "public.report:total -> public.orders:amount"}
    assert reads == {"public.landing", "public.report"}


def test_what_is_only_read_and_what_is_written_from_nothing() -> None:
    warehouse = called("SELECT max(id) FROM report", "INSERT INTO orders VALUES (1, 2)")
    (lineage,) = warehouse.history.procedures()
    assert [short(dataset) for dataset in lineage.reads] == ["public.report"]
    assert [short(written.downstream) for written in lineage.writes] == ["public.orders"]


def test_a_call_that_was_rolled_back_did_nothing() -> None:
    warehouse = Warehouse(TABLES).run("BEGIN").run("CALL load()", seconds=1.5).run(FILL, seconds=0.2).run("ROLLBACK")
    assert work(warehouse) == {}
