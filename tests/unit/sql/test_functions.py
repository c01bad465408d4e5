"""Functions of Athena by whatever name: sqlglot knows many of them, with other numbers of arguments or none at all."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from sqlglot.parsers.trino import TrinoParser

from datahub_aws_lineage.sql.contract import explain_line

COLUMNS = ["a", "b", "c", "d"]
TABLES = {"awsdatacatalog.shop.t": [(column, "super") for column in COLUMNS]}
RESERVED = set(
    "AND CASE CAST CUBE CURRENT_TIME CURRENT_TIMESTAMP EXISTS EXTRACT GROUPING INSERT LEFT LIKE LISTAGG LOCALTIME "
    "LOCALTIMESTAMP NORMALIZE OR RIGHT ROLLUP TRIM UNNEST VALUES".split()
)
OWN_GRAMMAR = {"IF", "POSITION", "REDUCE", "SUBSTRING", "TRY_CAST"}
OF_ONE_ARGUMENT = {"ARRAY_AGG", "SET_AGG"}
OF_FUNCTIONS = (
    "all_match any_match array_sort filter map_filter map_zip_with my_own none_match reduce reduce_agg transform "
    "transform_keys transform_values zip_with element_at map_agg map_from_entries repeat zip"
).split()


def explain(sql: str) -> dict[str, Any]:
    line = json.dumps({"id": 1, "dialect": "athena", "default_database": "shop", "sql": sql})
    statement: dict[str, Any] = explain_line(line, TABLES)["statements"][0]
    return statement


def upstreams(statement: dict[str, Any]) -> list[str]:
    return sorted({upstream["column"] for column in statement["columns"] for upstream in column["upstreams"]})


def names_that_sqlglot_knows() -> Iterator[str]:
    known = (set(TrinoParser.FUNCTIONS) | set(TrinoParser.FUNCTION_PARSERS)) - RESERVED - OWN_GRAMMAR
    yield from sorted(name for name in known if name.isidentifier() and not name.startswith("JSON_"))


@pytest.mark.parametrize(("quote", "counts"), [("", (1, 4)), ('"', (2,))])
def test_every_argument_of_every_function_is_an_upstream(quote: str, counts: tuple[int, ...]) -> None:
    wrong = {}
    for name in names_that_sqlglot_knows():
        for count in (1,) if name in OF_ONE_ARGUMENT else counts:
            statement = explain(f"SELECT {quote}{name}{quote}({', '.join(COLUMNS[:count])}) AS x FROM t")
            if upstreams(statement) != COLUMNS[:count]:
                wrong[name, count] = statement["reason"] or upstreams(statement)
    assert not wrong


@pytest.mark.parametrize("name", OF_FUNCTIONS)
def test_functions_of_functions_with_any_arguments_are_no_defects(name: str) -> None:
    for count in range(5):
        for given in ("x -> x", "(x, y) -> x || y", "a", "'l'", "ARRAY[ROW(a, b)]"):
            for arguments in ([given] * count, [*COLUMNS[1:count], given][:count]):
                call = f"{name}({', '.join(arguments)})"
                statement = explain(f"SELECT {call}, {call}[1].k FROM t CROSS JOIN UNNEST({call}) AS u (p, q)")
                assert (statement["reason"] or {}).get("code") != "internal", call
