"""`search_path` and USE from record to record: which table a bare name means."""

from __future__ import annotations

import pytest
from warehouse_story import Warehouse

TABLES = {
    "dev.public.landing": "id",
    "dev.staging.landing": "id",
    "dev.public.orders": "id",
    "other.public.landing": "id",
}
PUBLIC = {"public.landing:id -> public.orders:id"}
STAGING = {"staging.landing:id -> public.orders:id"}
FILL = "INSERT INTO public.orders SELECT id FROM landing"


@pytest.mark.parametrize("reset", ["RESET search_path", "RESET ALL", "SET search_path TO DEFAULT"])
def test_reset_goes_back_to_the_path_of_the_connection(reset: str) -> None:
    assert Warehouse(TABLES).run("SET search_path TO staging", FILL).edges == STAGING
    assert Warehouse(TABLES).run("SET search_path TO staging", reset, FILL).edges == PUBLIC
    assert Warehouse(TABLES).run("SET search_path TO staging", f"{reset}; {FILL}").edges == PUBLIC
    assert Warehouse(TABLES).run(f"SET search_path TO staging; {reset}; {FILL}").edges == PUBLIC


def test_a_local_default_holds_for_its_transaction() -> None:
    local = ("SET search_path TO staging", "BEGIN", "SET LOCAL search_path TO DEFAULT", FILL, "COMMIT")
    assert Warehouse(TABLES).run(*local).edges == PUBLIC
    assert Warehouse(TABLES).run(*local, FILL).edges == PUBLIC | STAGING


def test_a_path_that_is_rolled_back_is_not_set() -> None:
    assert Warehouse(TABLES).run("BEGIN", "SET search_path TO staging", "ROLLBACK", FILL).edges == PUBLIC
    assert Warehouse(TABLES).run("BEGIN", "SET search_path TO staging", "COMMIT", FILL).edges == STAGING


def test_reset_use_goes_back_to_the_database_of_the_connection() -> None:
    fill = "INSERT INTO dev.public.orders SELECT id FROM landing"
    elsewhere = {"other.public.landing:id -> public.orders:id"}
    assert Warehouse(TABLES).run("USE other", fill).edges == elsewhere
    assert Warehouse(TABLES).run("USE other", "RESET USE", fill).edges == PUBLIC
    assert Warehouse(TABLES).run("USE other", f"RESET USE; {fill}").edges == PUBLIC


def test_sessions_do_not_share_a_path() -> None:
    assert Warehouse(TABLES).run("SET search_path TO staging", session="a").run(FILL, session="b").edges == PUBLIC
