"""Statements that a stored procedure ran: which one, and whether they stayed."""

from __future__ import annotations

from warehouse_story import Warehouse

TABLES = {"dev.public.landing": "id amount", "dev.public.orders": "id amount", "dev.public.report": "id total"}
FILL = "INSERT INTO orders SELECT id, amount FROM landing"
REPORT = "INSERT INTO report SELECT id, amount FROM orders"


def procedures(warehouse: Warehouse) -> dict[str, tuple[str, ...]]:
    return {query.text: query.procedures for query in warehouse.history.queries()}


def test_what_began_before_the_call_ended_ran_in_it() -> None:
    warehouse = Warehouse(TABLES).run("CALL Mart.load('2026-03-01', 3)", seconds=1.5)
    warehouse.run(FILL, seconds=0.2).run(REPORT, seconds=0.2)
    assert procedures(warehouse) == {FILL: ("mart.load",), REPORT: ()}


def test_of_nested_calls_the_innermost() -> None:
    warehouse = Warehouse(TABLES).run("CALL outer_one()", seconds=10).run("CALL inner_one()", seconds=1.5)
    warehouse.run(FILL, seconds=0.2).run(REPORT, seconds=0.2)
    assert procedures(warehouse) == {FILL: ("inner_one",), REPORT: ("outer_one",)}


def test_another_session_is_not_in_the_call() -> None:
    warehouse = Warehouse(TABLES).run("CALL load()", seconds=10, session="a").run(FILL, session="b")
    assert procedures(warehouse) == {FILL: ()}


def test_a_statement_may_run_in_several_procedures_and_by_itself() -> None:
    warehouse = Warehouse(TABLES)
    for name in ("b.load", "a.load"):
        warehouse.run(f"CALL {name}()", seconds=1.5).run(FILL, seconds=0.2)
    warehouse.run("SELECT 1").run(FILL)
    assert procedures(warehouse) == {FILL: ("a.load", "b.load")}


def test_without_ends_a_call_is_its_transaction() -> None:
    warehouse = Warehouse(TABLES).run("CALL load()", seconds=None, transaction="1", succeeded=None)
    warehouse.run(FILL, seconds=None, transaction="1", succeeded=None)
    warehouse.run(REPORT, seconds=None, transaction="2", succeeded=None)
    assert procedures(warehouse) == {FILL: ("load",), REPORT: ()}


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
