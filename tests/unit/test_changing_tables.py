"""Temporary and staging tables whose names or columns change while the session goes on."""

from __future__ import annotations

import pytest
from warehouse_story import Warehouse

TABLES = dict.fromkeys(("dev.public.orders", "dev.public.clicks", "dev.public.report"), "id amount")


def test_a_column_that_is_added_and_filled() -> None:
    warehouse = Warehouse(TABLES)
    warehouse.run(
        "CREATE TEMP TABLE stage AS SELECT id FROM orders",
        "ALTER TABLE stage ADD COLUMN amount int DEFAULT 0",
        "UPDATE stage SET amount = clicks.amount FROM clicks WHERE clicks.id = stage.id",
        "INSERT INTO report SELECT * FROM stage",
    )
    assert warehouse.edges == {"public.orders:id -> public.report:id", "public.clicks:amount -> public.report:amount"}


def test_a_column_that_is_renamed_keeps_what_filled_it() -> None:
    warehouse = Warehouse(TABLES)
    warehouse.run(
        "CREATE TEMP TABLE stage AS SELECT id, amount AS net FROM orders",
        "ALTER TABLE stage RENAME COLUMN net TO gross",
        "INSERT INTO report SELECT id, gross FROM stage",
    )
    assert warehouse.edges == {"public.orders:id -> public.report:id", "public.orders:amount -> public.report:amount"}


def test_a_column_that_is_dropped_leaves_the_others_in_their_places() -> None:
    warehouse = Warehouse(TABLES)
    warehouse.run(
        "CREATE TEMP TABLE stage AS SELECT 1 AS batch, id, amount FROM orders",
        "ALTER TABLE stage DROP COLUMN batch",
        "INSERT INTO report SELECT * FROM stage",
    )
    assert warehouse.edges == {"public.orders:id -> public.report:id", "public.orders:amount -> public.report:amount"}


@pytest.mark.parametrize("begin", [(), ("BEGIN",)])
def test_a_staging_table_that_is_gone_by_the_end(begin: tuple[str, ...]) -> None:
    warehouse = Warehouse(TABLES)
    warehouse.run(
        *begin,
        "CREATE TABLE stage AS SELECT id FROM orders",
        "ALTER TABLE stage ADD COLUMN amount int",
        "UPDATE stage SET amount = clicks.amount FROM clicks WHERE clicks.id = stage.id",
        "INSERT INTO report SELECT * FROM stage",
        "COMMIT",
        "DROP TABLE stage",
    )
    assert warehouse.edges == {"public.orders:id -> public.report:id", "public.clicks:amount -> public.report:amount"}


def test_a_change_that_is_rolled_back() -> None:
    warehouse = Warehouse(TABLES)
    warehouse.run(
        "CREATE TEMP TABLE stage AS SELECT id, amount FROM orders",
        "BEGIN",
        "ALTER TABLE stage RENAME COLUMN amount TO net",
        "ROLLBACK",
        "INSERT INTO report SELECT id, amount FROM stage",
    )
    assert warehouse.edges == {"public.orders:id -> public.report:id", "public.orders:amount -> public.report:amount"}


def test_a_staging_table_whose_column_is_renamed_between_two_readers() -> None:
    warehouse = Warehouse(TABLES)
    warehouse.run(
        "CREATE TABLE stage AS SELECT id, amount AS net FROM orders",
        "INSERT INTO report (id) SELECT net FROM stage",
        "ALTER TABLE stage RENAME COLUMN net TO gross",
        "INSERT INTO report (amount) SELECT gross FROM stage",
        "DROP TABLE stage",
    )
    assert warehouse.edges == {
        "public.orders:amount -> public.report:id",
        "public.orders:amount -> public.report:amount",
    }


def test_a_table_that_is_filled_under_another_name_has_its_own_columns() -> None:
    warehouse = Warehouse(TABLES)
    warehouse.run(
        "ALTER TABLE report RENAME TO report_loading",
        "INSERT INTO report_loading SELECT * FROM orders",
        "ALTER TABLE report_loading RENAME TO report",
    )
    assert warehouse.edges == {"public.orders:id -> public.report:id", "public.orders:amount -> public.report:amount"}


@pytest.mark.parametrize("transaction", [(), ("BEGIN", "COMMIT")])
def test_a_table_that_is_set_aside_and_read_whole_keeps_the_columns_of_its_catalog(
    transaction: tuple[str, ...],
) -> None:
    begin, commit = transaction[:1], transaction[1:]
    warehouse = Warehouse({"dev.public.report": "id total", "dev.public.totals": "id total"}).run(
        *begin,
        "ALTER TABLE report RENAME TO report_old",
        "INSERT INTO totals SELECT * FROM report_old",
        "ALTER TABLE report_old RENAME TO report",
        *commit,
    )
    assert warehouse.edges == {"public.report:id -> public.totals:id", "public.report:total -> public.totals:total"}
