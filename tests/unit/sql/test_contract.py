"""The JSON form: bad lines are answered, and the answer holds every key that scripts rely on."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from datahub_aws_lineage.sql.contract import explain_line

KEYS = ["index", "kind", "outcome", "reason", "output", "temporary", "inputs", "columns", "indirect", "unresolved"]


def explained(**case: Any) -> dict[str, Any]:
    return explain_line(json.dumps({"id": "c", "dialect": "redshift", **case}), {})


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "not JSON"),
        ("[]", "JSON object"),
        ('{"id": 1, "sql": "SELECT 1"}', "'dialect' is missing"),
        ('{"id": 1, "dialect": "oracle", "sql": "SELECT 1"}', "athena, redshift"),
        ('{"id": 1, "dialect": "athena"}', "'sql' is missing"),
        ('{"id": 1, "dialect": "athena", "sql": 5}', "not a string"),
        ('{"id": 1, "dialect": "athena", "sql": "SELECT 1", "tables": {"a.b.c": 5}}', "not iterable"),
    ],
)
def test_a_line_that_cannot_be_read_is_answered(line: str, said: str) -> None:
    answer = explain_line(line, {})
    assert answer["statements"] == []
    assert said in answer["error"]


def test_each_statement_has_every_key() -> None:
    answer = explained(sql="BEGIN; INSERT INTO t (a) SELECT b FROM s; nonsense; COMMIT")
    assert [list(statement) for statement in answer["statements"]] == [KEYS] * 4
    assert [statement["outcome"] for statement in answer["statements"]] == [
        "no_lineage",
        "lineage",
        "unresolved",
        "no_lineage",
    ]
    assert answer["statements"][2]["reason"]["code"] == "syntax"


def test_upstreams_carry_openlineages_words() -> None:
    (statement,) = explained(sql="INSERT INTO t (a) SELECT CASE WHEN c > 1 THEN sum(b) END FROM s WHERE d = 1")[
        "statements"
    ]
    (column,) = statement["columns"]
    assert {(u["column"], u["type"], u["subtype"]) for u in column["upstreams"]} == {
        ("b", "DIRECT", "AGGREGATION"),
        ("c", "INDIRECT", "CONDITIONAL"),
    }
    assert statement["indirect"] == [{"table": "dev.public.s", "column": "d", "subtype": "FILTER"}]


def test_given_tables_of_the_line_add_to_those_of_all_lines() -> None:
    line = {"id": 1, "dialect": "redshift", "sql": "SELECT a, b FROM t, s", "tables": {"DEV.public.S": [["B", "int"]]}}
    answer = explain_line(json.dumps(line), {"dev.public.t": [("a", "int")]})
    (statement,) = answer["statements"]
    assert [column["confidence"] for column in statement["columns"]] == [1.0, 1.0]


def test_a_procedure_shows_its_statements_in_the_same_form() -> None:
    (statement,) = explained(sql="CREATE PROCEDURE p() AS $$ BEGIN DELETE FROM t; INSERT INTO t SELECT 1; END $$")[
        "statements"
    ]
    assert [(inner["index"], inner["kind"]) for inner in statement["body"]] == [(0, "delete"), (1, "insert")]
    assert statement["outcome"] == "no_lineage"


PROCEDURE = """
CREATE PROCEDURE load_goods(p_day date, cost INOUT numeric) AS $$
DECLARE
  one record; many CURSOR (k int) FOR SELECT sku FROM feed WHERE id = k;
BEGIN
  SELECT INTO one, cost sku, (SELECT max(price) FROM prices) FROM feed WHERE note IS NULL;
  FOR one IN SELECT sku FROM feed LOOP cost := cost + 1; END LOOP;
  CREATE TEMP TABLE w AS SELECT f.sku AS k, cost AS c FROM feed f;
  IF FOUND THEN INSERT INTO goods (sku, cost) SELECT k, c FROM w; END IF;
  MERGE INTO goods USING w ON goods.sku = w.k
    WHEN MATCHED THEN UPDATE SET title = w.k WHEN NOT MATCHED THEN INSERT (sku) VALUES (w.k);
EXCEPTION WHEN OTHERS THEN
  INSERT INTO errors (said, sku) SELECT sqlerrm, one.sku FROM feed;
END $$ LANGUAGE plpgsql
"""


def test_the_body_of_a_procedure_is_read_in_order_and_by_its_own_names() -> None:
    (statement,) = explained(sql=PROCEDURE)["statements"]
    body = [
        (inner["kind"], inner["output"], set(inner["inputs"]), {c["column"] for c in inner["columns"]})
        for inner in statement["body"]
    ]
    feed = "dev.public.feed"
    assert body == [
        ("select", None, {feed}, {"sku"}),
        ("select", None, {feed, "dev.public.prices"}, {"sku", "?column?"}),
        ("select", None, {feed}, {"sku"}),
        ("create_table_as", "w", {feed}, {"k"}),
        ("insert", "dev.public.goods", {"w"}, {"sku", "cost"}),
        ("merge", "dev.public.goods", {"w"}, {"title", "sku"}),
        ("insert", "dev.public.errors", {feed}, set()),
    ]
    assert not any(inner["unresolved"] for inner in statement["body"])


@pytest.mark.parametrize("dialect", ["athena", "redshift"])
def test_no_text_of_a_statement_is_logged(dialect: str, caplog: pytest.LogCaptureFixture) -> None:
    """sqlglot warns of what it does not read, with the text, in which passwords can stand."""
    secret = "WITH w AS (SELECT 'hunter2' AS p) CREATE TABLE t AS SELECT p FROM w"
    answer = explain_line(json.dumps({"id": 1, "dialect": dialect, "sql": secret}), {})
    assert [statement["outcome"] for statement in answer["statements"]] == ["unresolved"]
    assert caplog.text == ""
    logging.getLogger("sqlglot").warning("of others")
    assert "of others" in caplog.text
