"""Statements as large or as deep as generators write them: right where they are read, refused with a reason where not.

The time limits are wide (a slow machine passes them); what they rule out is work that grows faster than the text.
"""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from datahub_aws_lineage.sql.contract import explain_line

ORDERS = "awsdatacatalog.shop.orders"
TABLES = {ORDERS: [("order_id", "bigint"), ("amount", "double"), ("status", "string"), ("dt", "string")]}
SECONDS = 20


@contextmanager
def bounded() -> Iterator[None]:
    """Ends what would otherwise not come back, so that one such statement does not hide the others."""
    before = signal.signal(signal.SIGALRM, lambda *_: pytest.fail(f"no answer after {SECONDS} s", pytrace=False))
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def explain(sql: str) -> list[dict[str, Any]]:
    line = json.dumps({"id": "large", "dialect": "athena", "default_database": "shop", "sql": sql})
    with bounded():
        statements: list[dict[str, Any]] = explain_line(line, TABLES)["statements"]
    return statements


def edges(statement: dict[str, Any]) -> dict[str, set[tuple[str, str]]]:
    assert statement["outcome"] == "lineage", statement["reason"]
    return {c["column"]: {(u["table"], u["column"]) for u in c["upstreams"]} for c in statement["columns"]}


def own(*columns: str) -> set[tuple[str, str]]:
    return {(ORDERS, column) for column in columns}


def test_case_of_ten_thousand_branches() -> None:
    branches = " ".join(f"WHEN status = 's{i}' THEN amount + {i}" for i in range(10_000))
    (statement,) = explain(f"SELECT CASE {branches} ELSE order_id END AS v FROM orders")
    assert edges(statement) == {"v": own("status", "amount", "order_id")}


def test_two_thousand_columns_over_two_thousand() -> None:
    inner = ", ".join(f"{'amount' if i % 2 else 'order_id'} + {i} AS c{i}" for i in range(2_000))
    outer = ", ".join(f"c{i} * 2 AS d{i}" for i in range(2_000))
    (statement,) = explain(f"CREATE TABLE x AS SELECT {outer} FROM (SELECT {inner} FROM orders)")
    assert edges(statement) == {f"d{i}": own("amount" if i % 2 else "order_id") for i in range(2_000)}


def test_union_of_five_hundred_branches() -> None:
    branches = " UNION ALL ".join(f"SELECT dt AS k, v{i} AS v FROM part{i}" for i in range(500))
    (statement,) = explain(f"CREATE TABLE x AS {branches}")
    tables = [f"awsdatacatalog.shop.part{i}" for i in range(500)]
    assert set(statement["inputs"]) == set(tables)
    assert edges(statement) == {
        "k": {(table, "dt") for table in tables},
        "v": {(table, f"v{i}") for i, table in enumerate(tables)},
    }


def test_chain_of_three_hundred_ctes() -> None:
    steps = "".join(f", c{i} AS (SELECT dt, amount + 1 AS amount FROM c{i - 1})" for i in range(1, 300))
    (statement,) = explain(f"WITH c0 AS (SELECT dt, amount FROM orders){steps} SELECT * FROM c299")
    assert edges(statement) == {"dt": own("dt"), "amount": own("amount")}


def test_each_cte_read_twice_by_the_next() -> None:
    """Expanding every reference would walk two to the power of sixty scopes."""
    steps = "".join(
        f", c{i} AS (SELECT a.dt, b.amount FROM c{i - 1} a JOIN c{i - 1} b ON a.dt = b.dt)" for i in range(1, 60)
    )
    (statement,) = explain(f"WITH c0 AS (SELECT dt, amount FROM orders){steps} SELECT * FROM c59")
    assert edges(statement) == {"dt": own("dt"), "amount": own("amount")}


def test_two_hundred_joins() -> None:
    joins = " ".join(f"JOIN orders a{i} ON a{i}.order_id = a{i - 1}.order_id" for i in range(1, 200))
    (statement,) = explain(f"SELECT a199.dt FROM orders a0 {joins}")
    assert edges(statement) == {"dt": own("dt")}
    assert {(i["subtype"], i["column"]) for i in statement["indirect"]} == {("JOIN", "order_id")}


@pytest.mark.parametrize("word", ["AND", "OR"])
def test_ten_thousand_conditions(word: str) -> None:
    conditions = f" {word} ".join(f"(amount <> {i})" for i in range(10_000))
    (statement,) = explain(f"SELECT dt FROM orders WHERE {conditions}")
    assert {(i["subtype"], i["column"]) for i in statement["indirect"]} == {("FILTER", "amount")}


@pytest.mark.parametrize("operator", ["+", "||"])
def test_five_thousand_operands(operator: str) -> None:
    (statement,) = explain(f"SELECT {f' {operator} '.join(['amount'] * 5_000)} AS v FROM orders")
    assert edges(statement) == {"v": own("amount")}


def test_a_quarter_megabyte_of_values_and_of_comment() -> None:
    rows = ",".join(f"('a{i}', 'b', 1.0, {i})" for i in range(10_000))
    statements = explain(f"INSERT INTO totals VALUES {rows}; /* {'x;' * 125_000} */ SELECT dt FROM orders")
    assert [s["outcome"] for s in statements] == ["no_lineage", "lineage"]


def test_two_thousand_statements() -> None:
    statements = explain(";\n".join(f"INSERT INTO t{i} (a) SELECT dt FROM orders" for i in range(2_000)))
    assert [s["index"] for s in statements] == list(range(2_000))
    assert statements[1_999]["output"] == "awsdatacatalog.shop.t1999"
    assert edges(statements[1_999]) == {"a": own("dt")}


def test_two_thousand_statements_with_escaped_quotes() -> None:
    ddl = "CREATE EXTERNAL TABLE t{i} (a string COMMENT 'it\\'s; {i}') LOCATION 's3://b/{i}/'; SELECT a FROM t{i}"
    statements = explain(";\n".join(ddl.replace("{i}", str(i)) for i in range(1_000)))
    assert [s["outcome"] for s in statements] == ["lineage"] * 2_000
    assert statements[1_998]["inputs"] == ["s3://b/999/"]


def nested_case(depth: int) -> str:
    return "".join(f"CASE WHEN status = '{i}' THEN amount ELSE " for i in range(depth)) + "order_id" + " END" * depth


def nested_exists(depth: int) -> str:
    tests = "".join(
        f"EXISTS (SELECT 1 FROM orders o{i} WHERE o{i}.order_id = o{i - 1}.order_id AND " for i in range(1, depth)
    )
    return f"SELECT dt FROM orders o0 WHERE {tests}true{')' * (depth - 1)}"


DEEP: dict[str, Callable[[int], str]] = {
    "subqueries": lambda n: f"SELECT v FROM {'(SELECT v FROM ' * n}(SELECT dt AS v FROM orders){')' * n}",
    "parentheses": lambda n: f"SELECT {'(' * n}dt{')' * n} AS v FROM orders",
    "functions": lambda n: f"SELECT {'replace(' * n}dt{', 1, 2)' * n} AS v FROM orders",
    "case": lambda n: f"SELECT {nested_case(n)} AS v FROM orders",
    "exists": nested_exists,
    "ctes": lambda n: f"{'WITH a AS (' * n}SELECT dt FROM orders{') SELECT dt FROM a' * n}",
    "set operations": lambda n: f"{'(' * n}SELECT dt FROM orders{') UNION ALL SELECT dt FROM orders' * n}",
    "arrays": lambda n: f"SELECT {'ARRAY[' * n}dt{']' * n} AS v FROM orders",
    "rows": lambda n: f"SELECT {'ROW(' * n}dt{')' * n} AS v FROM orders",
    "maps": lambda n: f"SELECT {'MAP(ARRAY[1], ARRAY[' * n}dt{'])' * n} AS v FROM orders",
    "casts": lambda n: f"SELECT {'CAST(' * n}dt{' AS varchar)' * n} AS v FROM orders",
    "reductions": lambda n: f"SELECT {'reduce(status, 0, (s, x) -> ' * n}dt{', s -> s)' * n} AS v FROM orders",
    "choices": lambda n: f"SELECT {'coalesce(IF(true, NULL), ' * n}dt{')' * n} AS v FROM orders",
    "concatenations": lambda n: f"SELECT {'concat(status, ' * n}dt{')' * n} AS v FROM orders",
    "lambdas": lambda n: f"SELECT {'transform(status, x -> ' * n}dt{')' * n} AS v FROM orders",
}


@pytest.mark.parametrize("name", DEEP)
def test_fifty_levels_are_read(name: str) -> None:
    (statement,) = explain(DEEP[name](50))
    assert (ORDERS, "order_id" if name == "case" else "dt") in next(iter(edges(statement).values()))


@pytest.mark.parametrize("name", DEEP)
@pytest.mark.parametrize("depth", [2_000, 20_000])
def test_what_is_too_deep_is_refused_with_a_reason(name: str, depth: int) -> None:
    first = explain(DEEP[name](depth) + "; SELECT dt FROM orders")
    assert first[0]["outcome"] == "unresolved"
    assert first[0]["reason"]["code"] in {"too_deep", "too_long"}
    assert first[-1]["outcome"] == "lineage", "the next statement is read all the same"


@pytest.mark.parametrize("text", ["SELECT " + "(" * 100_000, "/*" * 50_000, "'" * 100_001, "SELECT " + '"' * 99_999])
def test_what_never_closes_is_refused(text: str) -> None:
    assert {s["outcome"] for s in explain(text)} == {"unresolved"}
