"""The JSON form: bad lines are answered, and the answer holds every key that scripts rely on."""

from __future__ import annotations

import json
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
