"""The SQL texts can be read by sqlglot's Redshift dialect, and say which parameters and columns they have."""

from __future__ import annotations

import pytest
import sqlglot
from sqlglot import exp

from datahub_aws_lineage.aws import redshift_sql
from datahub_aws_lineage.aws.own_statements import OWN_STATEMENT_MARK

TEXTS = {
    name: value
    for name, value in vars(redshift_sql).items()
    if name.isupper() and isinstance(value, str) and name != "OWN_STATEMENT_MARK"
}
WINDOW = {"window_start", "window_end"}
PARAMETERS = {
    "HISTORY": WINDOW,
    "ROLLED_BACK": WINDOW,
    "LONG_VIEW": {"schema_name", "view_name", "first_character"},
    **{name: {"database_name"} for name in ("SCHEMAS", "TABLES", "COLUMNS", "MATERIALIZED_VIEWS", "EXTERNAL_TABLES")},
}
REFUSED_ON_SERVERLESS = ("stl_", "stv_", "svl_", "svcs_")


def test_every_text_is_found() -> None:
    assert len(TEXTS) == 21


@pytest.mark.parametrize("name", TEXTS)
def test_is_one_query_that_parses(name: str) -> None:
    (statement,) = sqlglot.parse(TEXTS[name], dialect="redshift")

    assert isinstance(statement, exp.Select)
    assert {placeholder.name for placeholder in statement.find_all(exp.Placeholder)} == PARAMETERS.get(name, set())
    assert all(column for column in statement.named_selects)


@pytest.mark.parametrize("name", TEXTS)
def test_is_marked_as_ours_and_fits_the_data_api(name: str) -> None:
    assert TEXTS[name].startswith(OWN_STATEMENT_MARK)
    assert len(TEXTS[name].encode()) < 100_000


@pytest.mark.parametrize("name", TEXTS)
def test_uses_no_view_that_serverless_refuses(name: str) -> None:
    statement = sqlglot.parse_one(TEXTS[name], dialect="redshift")

    assert not [table.name for table in statement.find_all(exp.Table) if table.name.startswith(REFUSED_ON_SERVERLESS)]


@pytest.mark.parametrize("name", [name for name in TEXTS if "PROBE" not in name])
def test_rows_come_in_a_fixed_order(name: str) -> None:
    statement = sqlglot.parse_one(TEXTS[name], dialect="redshift")

    assert statement.args.get("order") is not None or name in {"VISIBILITY", "RETENTION"}
