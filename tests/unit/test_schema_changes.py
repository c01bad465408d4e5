"""Schemas that change: renamed (blue and green ones that swap), dropped with their tables, set for a transaction."""

from __future__ import annotations

from warehouse_story import Warehouse


def test_what_was_built_under_the_old_name_is_found_under_the_new_one() -> None:
    warehouse = Warehouse({"dev.raw.orders": "id", "dev.mart.facts": "id"})
    warehouse.run(
        "CREATE TABLE mart_new.facts AS SELECT id FROM raw.orders",
        "ALTER SCHEMA mart RENAME TO mart_old",
        "ALTER SCHEMA mart_new RENAME TO mart",
        "DROP SCHEMA mart_old CASCADE",
    )
    assert warehouse.edges == {"raw.orders:id -> mart.facts:id"}


def test_what_read_the_old_name_reads_the_new_one() -> None:
    warehouse = Warehouse({"dev.raw.orders": "id", "dev.mart.facts": "id", "dev.public.report": "n"})
    warehouse.run(
        "CREATE TABLE stage.facts AS SELECT id FROM raw.orders",
        "INSERT INTO report (n) SELECT id FROM stage.facts",
        "ALTER SCHEMA stage RENAME TO mart",
    )
    assert warehouse.edges == {"raw.orders:id -> mart.facts:id", "mart.facts:id -> public.report:n"}


def test_within_a_transaction_the_next_statement_sees_it() -> None:
    warehouse = Warehouse({"dev.raw.orders": "id", "dev.mart.facts": "id", "dev.public.report": "id"})
    warehouse.run(
        "BEGIN",
        "CREATE TABLE stage.facts AS SELECT id FROM raw.orders",
        "ALTER SCHEMA stage RENAME TO mart",
        "INSERT INTO report SELECT * FROM mart.facts",
        "COMMIT",
    )
    assert warehouse.edges == {"raw.orders:id -> mart.facts:id", "mart.facts:id -> public.report:id"}


def test_a_rename_that_was_rolled_back_did_not_happen() -> None:
    warehouse = Warehouse({"dev.raw.orders": "id", "dev.stage.facts": "id"})
    warehouse.run(
        "CREATE TABLE stage.facts AS SELECT id FROM raw.orders",
        "BEGIN",
        "ALTER SCHEMA stage RENAME TO mart",
        "ROLLBACK",
    )
    assert warehouse.edges == {"raw.orders:id -> stage.facts:id"}


def test_in_one_text() -> None:
    warehouse = Warehouse({"dev.raw.orders": "id", "dev.mart.facts": "id", "dev.public.report": "id"})
    warehouse.run(
        "CREATE TABLE stage.facts AS SELECT id FROM raw.orders; ALTER SCHEMA stage RENAME TO mart;"
        " INSERT INTO report SELECT * FROM mart.facts"
    )
    assert warehouse.edges == {"raw.orders:id -> mart.facts:id", "mart.facts:id -> public.report:id"}


def test_an_owner_or_a_quota_renames_nothing() -> None:
    warehouse = Warehouse({"dev.raw.orders": "id", "dev.stage.facts": "id"})
    warehouse.run(
        "CREATE TABLE stage.facts AS SELECT id FROM raw.orders",
        "ALTER SCHEMA stage OWNER TO etl",
        "ALTER SCHEMA stage QUOTA 50 GB",
    )
    assert warehouse.edges == {"raw.orders:id -> stage.facts:id"}


def test_what_a_log_cannot_confirm_is_less_sure() -> None:
    tables = {"dev.raw.orders": "id", "dev.mart.facts": "id"}
    text = "INSERT INTO mart.facts SELECT id FROM raw.orders"
    assert Warehouse(tables).run(text, succeeded=None).confidences == {0.9}
    assert Warehouse(tables).run(text, succeeded=None).run(text).confidences == {1.0}
    assert Warehouse(tables).run(text, text).run(text, succeeded=None).confidences == {1.0}


def test_what_a_dropped_schema_held_is_gone() -> None:
    tables = ("dev.raw.orders", "dev.raw.clicks", "dev.stage.facts", "dev.public.report")
    warehouse = Warehouse(dict.fromkeys(tables, "id"))
    warehouse.run(
        "CREATE TABLE stage.facts AS SELECT id FROM raw.orders",
        "DROP SCHEMA IF EXISTS stage CASCADE",
        "CREATE SCHEMA stage",
        "CREATE TABLE stage.facts AS SELECT id FROM raw.clicks",
        "INSERT INTO report SELECT id FROM stage.facts",
    )
    assert warehouse.edges == {"raw.clicks:id -> stage.facts:id", "stage.facts:id -> public.report:id"}


def test_a_schema_is_not_dropped_while_it_holds_tables() -> None:
    warehouse = Warehouse({"dev.raw.orders": "id", "dev.stage.facts": "id"})
    warehouse.run("INSERT INTO stage.facts SELECT id FROM raw.orders", "DROP SCHEMA stage")
    assert warehouse.edges == {"raw.orders:id -> stage.facts:id"}


def test_a_schema_with_the_same_beginning_stays() -> None:
    warehouse = Warehouse({"dev.raw.orders": "id", "dev.stage2.facts": "id"})
    warehouse.run("INSERT INTO stage2.facts SELECT id FROM raw.orders", "DROP SCHEMA stage CASCADE")
    assert warehouse.edges == {"raw.orders:id -> stage2.facts:id"}


def test_set_local_ends_with_the_transaction() -> None:
    warehouse = Warehouse(
        {"dev.raw.orders": "id amount", "dev.mart.facts": "id amount", "dev.public.facts": "id amount"}
    )
    warehouse.run(
        "BEGIN",
        "SET LOCAL search_path TO mart",
        "INSERT INTO facts (id) SELECT id FROM raw.orders",
        "COMMIT",
        "SET LOCAL search_path TO mart",
        "INSERT INTO facts (amount) SELECT amount FROM raw.orders",
    )
    assert warehouse.edges == {"raw.orders:id -> mart.facts:id", "raw.orders:amount -> public.facts:amount"}


def test_a_session_setting_stays_after_the_transaction() -> None:
    warehouse = Warehouse(
        {"dev.raw.orders": "id amount", "dev.mart.facts": "id amount", "dev.public.facts": "id amount"}
    )
    warehouse.run(
        "BEGIN",
        "SET search_path TO mart",
        "SET LOCAL search_path TO raw",
        "COMMIT",
        "INSERT INTO facts (id) SELECT id FROM raw.orders",
        "BEGIN",
        "SET search_path TO public",
        "ROLLBACK",
        "INSERT INTO facts (amount) SELECT amount FROM raw.orders",
    )
    assert warehouse.edges == {"raw.orders:id -> mart.facts:id", "raw.orders:amount -> mart.facts:amount"}
