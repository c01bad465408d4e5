"""What must not change lineage: names of aliases, quotes, layout, wrapping, the order of joins, `*`, a detour."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from random import Random

import pytest
from generated_queries import BASE_TABLES, Features, Query, Select, SetOperation, Source, Spelling, query, text_of
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle_lineage import CONTEXTS, BaseColumn, BaseSchemas, Read, read_by, read_of

from datahub_aws_lineage.model.lineage import DIRECT_SUBTYPES, NoLineage, StatementLineage
from datahub_aws_lineage.model.names import Dialect
from datahub_aws_lineage.sql import analyze

DIALECTS: tuple[Dialect, ...] = ("athena", "redshift")
DETOUR = "detour"
examples = settings(
    max_examples=int(os.environ.get("ORACLE_QUERIES", "150")), deadline=None, derandomize=True, database=None
)
seeds = given(seed=st.integers(0, 2**40))


def generated(seed: int, dialect: Dialect) -> Query:
    return query(Random(seed), Features(using=dialect == "redshift"))


SPELLINGS: dict[str, tuple[Spelling, Spelling]] = {
    "aliases": (Spelling(), Spelling(alias=lambda number: f"t{10_000 - number}")),
    "quotes": (Spelling(), Spelling(quoted=True)),
    "qualified names": (Spelling(), Spelling(qualified=True)),
    "stars written out": (Spelling(), Spelling(stars=False)),
    "joins the other way round": (Spelling(stars=False), Spelling(stars=False, swapped=True)),
    "lower case": (Spelling(), Spelling(keyword=str.lower)),
    "lines": (Spelling(), Spelling(blank="\n\t")),
    "comments": (Spelling(), Spelling(blank=" /* it's \" a note */ ")),
}


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("spellings", SPELLINGS.values(), ids=SPELLINGS.keys())
@examples
@seeds
def test_another_spelling(spellings: tuple[Spelling, Spelling], dialect: Dialect, seed: int) -> None:
    made = generated(seed, dialect)
    one, other = (text_of(made, spelling) for spelling in spellings)
    assert read_by(one, dialect) == read_by(other, dialect), f"{one}\n\n{other}"


WRAPPINGS: dict[str, Callable[[str, str], str]] = {
    "a subquery": lambda sql, columns: f"SELECT * FROM ({sql}) AS wrapped",
    "a subquery's columns": lambda sql, columns: f"SELECT {columns} FROM ({sql}) AS wrapped",
    "a CTE": lambda sql, columns: f"WITH wrapped AS ({sql}) SELECT * FROM wrapped",
    "a CTE read by a CTE": lambda sql, columns: (
        f"WITH inside AS ({sql}), wrapped AS (SELECT {columns} FROM inside AS i) SELECT wrapped.* FROM wrapped"
    ),
    "parentheses": lambda sql, columns: f"({sql})",
    "a union with nothing": lambda sql, columns: f"SELECT * FROM ({sql}) AS w UNION ALL SELECT * FROM ({sql}) AS v",
}


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("wrapping", WRAPPINGS.values(), ids=WRAPPINGS.keys())
@examples
@seeds
def test_wrapping(wrapping: Callable[[str, str], str], dialect: Dialect, seed: int) -> None:
    made = generated(seed, dialect)
    plain = text_of(made)
    wrapped = wrapping(plain, ", ".join(made.columns))
    assert read_by(plain, dialect) == read_by(wrapped, dialect), wrapped


@pytest.mark.parametrize("dialect", DIALECTS)
@examples
@seeds
def test_a_detour_by_a_table(dialect: Dialect, seed: int) -> None:
    """A derived table or CTE that is made a table first, and read by the second statement of the same text."""
    made = generated(seed, dialect)
    source = next((source for source in _sources(made) if isinstance(source.body, Select | SetOperation)), None)
    if source is None or not isinstance(source.body, Select | SetOperation) or source.lateral:
        return
    whole = read_by(text_of(made), dialect)
    inner = text_of(source.body)
    source.body = DETOUR
    outer = text_of(made)
    temporary = "TEMP " if dialect == "redshift" else ""
    first, second = analyze(f"CREATE {temporary}TABLE {DETOUR} AS {inner};\n{outer}", CONTEXTS[dialect], BaseSchemas())
    assert _composed(read_of(first), read_of(second)) == whole, f"{inner}\n\n{outer}"


def _sources(made: Query) -> Iterator[Source]:
    """The sources of the outermost SELECT, which see no CTE but their own."""
    while isinstance(made, SetOperation):
        made = made.left
    if not made.ctes:
        yield from (one.source for one in made.sources)


def _composed(first: Read, second: Read) -> Read:
    """What `second` reads, with the table of the detour replaced by what `first` made it from."""

    def through(found: frozenset[tuple[BaseColumn, str]]) -> frozenset[tuple[BaseColumn, str]]:
        result = set()
        for (table, column), subtype in found:
            if table != DETOUR:
                result.add(((table, column), subtype))
                continue
            result |= {(base, _after(inner, subtype)) for base, inner in first.columns.get(column, ())}
        return frozenset(result)

    columns = {name: through(found) for name, found in second.columns.items()}
    tables = (second.tables - {DETOUR}) | (first.tables if DETOUR in second.tables else frozenset())
    return Read(
        {name: found for name, found in columns.items() if found}, first.statement | through(second.statement), tables
    )


def _after(inner: str, outer: str) -> str:
    if outer not in DIRECT_SUBTYPES:
        return outer
    if inner not in DIRECT_SUBTYPES:
        return inner
    return max(inner, outer, key=["IDENTITY", "TRANSFORMATION", "AGGREGATION"].index)


LESS_KNOWN: dict[str, tuple[Spelling, bool]] = {
    "qualified names": (Spelling(qualified=True), True),
    "bare names": (Spelling(), False),  # which within a correlated subquery are taken for the subquery's own
}


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(("spelling", "correlated"), LESS_KNOWN.values(), ids=LESS_KNOWN.keys())
@examples
@seeds
def test_less_is_known(spelling: Spelling, correlated: bool, dialect: Dialect, seed: int) -> None:
    """Where schemas are missing, edges may be missing, which is said; none is invented."""
    features = Features(using=dialect == "redshift", correlated=correlated, lateral=correlated)
    text = text_of(query(Random(seed), features), spelling)
    random = Random(seed)
    known = [table for table in BASE_TABLES if random.random() < 0.5]
    whole = read_by(text, dialect)
    (statement,) = analyze(text, CONTEXTS[dialect], BaseSchemas(known))
    assert isinstance(statement.outcome, StatementLineage | NoLineage), statement.outcome
    part = read_of(replace(statement, outcome=replace(statement.outcome, gaps=())))
    assert part.tables == whole.tables
    for name, found in part.columns.items():
        assert found <= whole.columns.get(name, frozenset()), f"{name} knowing {known}\n{text}"
    assert part.statement <= whole.statement, f"knowing {known}\n{text}"
    if not statement.outcome.gaps:
        assert part == whole, f"knowing {known}\n{text}"
