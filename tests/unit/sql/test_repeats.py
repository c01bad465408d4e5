"""Statements answered from memory: always what `analyze` says, and from memory where only fillings differ."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from datahub_aws_lineage.model.catalog import Column
from datahub_aws_lineage.model.lineage import Statement, StatementLineage
from datahub_aws_lineage.model.names import Dialect, StatementTable, TableName
from datahub_aws_lineage.model.queries import SqlContext
from datahub_aws_lineage.sql import Repeats, analyze, fingerprint

CASES = Path(__file__).parents[2] / "cases"
CONTEXTS: Mapping[Dialect, SqlContext] = {
    "athena": SqlContext("athena", "awsdatacatalog", "db"),
    "redshift": SqlContext("redshift", "dev", "public", ("public",)),
}
SALES = TableName("dev", "public", "sales")


class Known:
    def __init__(self, tables: Mapping[StatementTable, tuple[str, ...]]) -> None:
        self.tables = {table: tuple(Column(name, "int") for name in names) for table, names in tables.items()}

    def columns(self, table: StatementTable) -> tuple[Column, ...] | None:
        return self.tables.get(table)


def ask(repeats: Repeats, text: str, schemas: Known | None = None, dialect: Dialect = "redshift") -> Statement:
    """The only statement of the text, which is also what `analyze` gives."""
    known = schemas or Known({SALES: ("id", "day", "amount", "kind")})
    found = repeats.analyze(text, CONTEXTS[dialect], known)
    assert found == analyze(text, CONTEXTS[dialect], known)
    return found[0]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("SELECT amount FROM sales WHERE day = '2026-01-01'", "SELECT amount FROM sales WHERE day = '2026-01-02'"),
        (
            "SELECT amount FROM sales WHERE day >= DATE '2026-01-01'",
            "SELECT amount FROM sales WHERE day >= DATE '2026-02-01'",
        ),
        ("SELECT amount FROM sales WHERE id IN (1, 2)", "SELECT amount FROM sales WHERE id IN (3)"),
        ("SELECT amount FROM sales WHERE id BETWEEN -1 AND 5", "SELECT amount FROM sales WHERE id BETWEEN 7 AND 8.5"),
        ("SELECT amount FROM sales WHERE kind LIKE 'a%'", "SELECT amount FROM sales WHERE kind LIKE '%b--'"),
        ("-- run 1\nSELECT amount FROM sales", "-- run 22: 'x' \nSELECT amount FROM sales"),
        (
            "SELECT \"amount\" FROM sales WHERE kind = 'a' AND id > 2",
            'SELECT "amount" FROM sales WHERE kind = \'"\' AND id > 3',
        ),
        ('SELECT amount /* {"run": 1} */ FROM sales', 'SELECT amount /* {"run": "two"} */ FROM sales'),
        ("UPDATE sales SET amount = id WHERE day = 'a' ;\n", "UPDATE sales SET amount = id WHERE day = 'bcd' ;\n"),
        ("DELETE FROM sales USING other o WHERE o.id = 7", "DELETE FROM sales USING other o WHERE o.id = 8"),
    ],
)
def test_texts_that_differ_in_fillings_are_answered_from_memory(first: str, second: str) -> None:
    repeats = Repeats()
    ask(repeats, first)
    assert repeats.answered == 0
    statement = ask(repeats, second)
    assert repeats.answered == 1
    assert statement.text in second


@pytest.mark.parametrize(
    ("first", "second"),
    [
        # what is quoted in an answer
        (
            "SELECT CASE WHEN kind = 'a' THEN amount END x FROM sales",
            "SELECT CASE WHEN kind = 'b' THEN amount END x FROM sales",
        ),
        (
            "SELECT amount > 1 AND id > 1 AS x FROM sales WHERE id = 1",
            "SELECT amount > 1 AND id > 2 AS x FROM sales WHERE id = 1",
        ),
        # what names columns, places and options
        (
            "SELECT * FROM sales PIVOT (sum(amount) FOR kind IN ('a'))",
            "SELECT * FROM sales PIVOT (sum(amount) FOR kind IN ('b'))",
        ),
        ("SELECT id, amount FROM sales GROUP BY 1", "SELECT id, amount FROM sales GROUP BY 2"),
        ("UNLOAD ('SELECT id FROM sales') TO 's3://b/1/'", "UNLOAD ('SELECT id FROM sales') TO 's3://b/2/'"),
        ("/* a /* b */ c = 'x' */ SELECT id FROM sales", "/* a /* b */ c = 'y' */ SELECT id FROM sales"),
        ("SELECT id FROM sales /* a */", "SELECT id FROM sales /* a"),
        ("SET search_path = 'a'", "SET search_path = 'b'"),
        ("SELECT id FROM sales WHERE kind = 'it''s'", "SELECT id FROM sales WHERE kind = 'it''s not'"),
        ("SELECT amount FROM sales WHERE id = 1", "SELECT id FROM sales WHERE id = 1"),
    ],
)
def test_texts_that_differ_in_more_are_not(first: str, second: str) -> None:
    repeats = Repeats()
    for text in (first, second):
        ask(repeats, text)
    assert repeats.answered == 0
    ask(repeats, first)
    assert repeats.answered == 1, "the same text again is"


def test_a_location_in_the_options_behind_a_condition_is_no_filling() -> None:
    text = "UNLOAD (SELECT id FROM sales WHERE day = 'x') TO 's3://b/' WITH (format = '{}')"
    repeats = Repeats()
    ask(repeats, text.format("PARQUET"), dialect="athena")
    ask(repeats, text.format("ORC"), dialect="athena")
    assert repeats.answered == 0


def test_an_answer_holds_while_the_schemas_are_the_same() -> None:
    repeats = Repeats()
    text = "SELECT * FROM sales WHERE day = '2026-01-0{}'"
    before = ask(repeats, text.format(1))
    after = ask(repeats, text.format(2), Known({SALES: ("id", "day", "tax")}))
    assert repeats.answered == 0
    assert outputs(before) == ["id", "day", "amount", "kind"]
    assert outputs(after) == ["id", "day", "tax"]
    ask(repeats, text.format(3))
    assert repeats.answered == 1


def test_a_table_that_was_missing_is_asked_for_again() -> None:
    """A temporary table of the session comes before a table of the search path."""
    repeats = Repeats()
    text = "INSERT INTO sales (id) SELECT id FROM staged WHERE day = '{}'"
    ask(repeats, text.format("a"))
    statement = ask(repeats, text.format("b"), Known({TableName("dev", "public", "staged"): ("id", "day")}))
    assert isinstance(statement.outcome, StatementLineage)
    assert statement.outcome.columns[0].confidence == 1.0
    assert repeats.answered == 0


def test_what_was_not_understood_is_read_again() -> None:
    """Its position is that within the text."""
    repeats = Repeats()
    for literal in ("'a'", "'abc'"):
        ask(repeats, f"SELECT 1 WHERE x = {literal} AND )")
    assert repeats.answered == 0


def test_the_oldest_template_gives_way() -> None:
    repeats = Repeats(max_templates=2)
    for column in ("id", "day", "amount", "id"):
        ask(repeats, f"SELECT {column} FROM sales")
    assert repeats.answered == 0
    ask(repeats, "SELECT amount FROM sales")
    assert repeats.answered == 1


def outputs(statement: Statement) -> list[str]:
    assert isinstance(statement.outcome, StatementLineage)
    return [column.column for column in statement.outcome.columns]


# ---- every case of this suite, run four times with other literals ---------------------------------------------------


def stored_texts() -> Iterator[tuple[Dialect, str]]:
    dialects: tuple[Dialect, ...] = ("athena", "redshift")
    for dialect in dialects:
        for line in (CASES / f"{dialect}.jsonl").read_text(encoding="utf-8").splitlines():
            yield dialect, json.loads(line)["sql"]


def varied(text: str, chance: random.Random) -> str:
    """Other literals at some places, whatever they are for, and now and then a comment in front."""
    if chance.random() < 0.2:
        text = f'/* run {chance.randrange(100)} of "job" */ {text}'

    def other(match: re.Match[str]) -> str:
        if chance.random() < 0.5:
            return match[0]
        return (
            f"'{chance.choice(['a', 'b', '', '-- c', 's3://b/c/'])}'"
            if match[0].startswith("'")
            else str(chance.randrange(1, 4))
        )

    return re.sub(r"'[^']*'|(?<![\w.])\d+(?![\w.])", other, text)


def test_memory_changes_no_answer() -> None:
    """All cases through one memory, in an order that mixes them, each with several sets of literals."""
    chance = random.Random(20260101)
    texts = [(dialect, text) for dialect, text in stored_texts() if len(text) < 5_000]
    texts += [(dialect, varied(text, chance)) for dialect, text in texts for _ in range(2)]
    chance.shuffle(texts)
    repeats = Repeats()
    known_by_outline = 0
    for dialect, text in texts:
        for schemas in (Known({}), Known({SALES: ("id",)})):
            statements = repeats.analyze(text, CONTEXTS[dialect], schemas)
            assert statements == analyze(text, CONTEXTS[dialect], schemas), text
            for statement in statements:
                if statement.fingerprint is not None:
                    known_by_outline += 1
                    assert statement.fingerprint == fingerprint(statement.text, dialect), text
    assert repeats.answered > len(texts) / 2
    assert known_by_outline > len(texts) / 3
