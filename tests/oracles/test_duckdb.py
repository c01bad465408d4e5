"""DuckDB runs the query; then one input column is changed. An output column that changes has that input upstream.

Either as an upstream of its own, or among the columns that influence the whole statement. Queries have no DISTINCT and
no UNION without ALL: which rows are equal depends on every column of them, and no kind of lineage says so.
"""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from random import Random
from typing import TypeAlias

import duckdb
import pytest
from generated_queries import BASE_TABLES, Features, Type, query, text_of
from oracle_lineage import BaseColumn, read_by

from datahub_aws_lineage.model.names import Dialect

QUERIES = int(os.environ.get("ORACLE_QUERIES", "150"))
ROWS = 5
CHANGES = 2
"""How often each column is filled anew."""
LONGEST_S = 5.0

Columns: TypeAlias = dict[str, list[int | str | None]]
Values: TypeAlias = Mapping[str, Counter[object]]
"""How often each value stands in each output column."""


@dataclass(frozen=True)
class Warehouse:
    """The base tables in the schema `base`; in each of the `changed` schemas one column of one table is another."""

    connection: duckdb.DuckDBPyConnection
    changed: Mapping[BaseColumn, list[str]]

    def run(self, schema: str, sql: str) -> Values:
        self.connection.execute(f"SET schema = '{schema}'")
        timer = threading.Timer(LONGEST_S, self.connection.interrupt)
        timer.start()
        try:
            found = self.connection.execute(sql)
            names = [column[0] for column in found.description or ()]
            rows = found.fetchall()
        finally:
            timer.cancel()
        return {name: Counter(row[position] for row in rows) for position, name in enumerate(names)}


@pytest.fixture(scope="module")
def warehouse() -> Iterator[Warehouse]:
    limits: dict[str, str | bool | int | float | list[str]] = {
        "threads": 1,
        "memory_limit": "512MB",
        "max_temp_directory_size": "0B",
    }
    with duckdb.connect(config=limits) as connection:
        random = Random(7)
        base = {table: {c: _filled(kind, random) for c, kind in row.items()} for table, row in BASE_TABLES.items()}
        connection.execute("CREATE SCHEMA base")
        for table, columns in base.items():
            _create(connection, "base", table, columns)
        changed: dict[BaseColumn, list[str]] = {}
        for table, row in BASE_TABLES.items():
            for column, kind in row.items():
                for number in range(CHANGES):
                    schema = f"{table}_{column}_{number}"
                    changed.setdefault((table, column), []).append(schema)
                    connection.execute(f"CREATE SCHEMA {schema}")
                    for other in base.keys() - {table}:
                        connection.execute(f"CREATE VIEW {schema}.{other} AS FROM base.{other}")
                    _create(connection, schema, table, base[table] | {column: _filled(kind, random)})
        yield Warehouse(connection, changed)


def _filled(kind: Type, random: Random) -> list[int | str | None]:
    """Few values, so that they meet one another in joins and conditions."""
    numbers = [random.randrange(1, 9) if random.random() < 0.9 else None for _ in range(ROWS)]
    return [n if n is None or kind == "int" else f"x{n}" for n in numbers]


def _create(connection: duckdb.DuckDBPyConnection, schema: str, table: str, columns: Columns) -> None:
    kinds = ", ".join(f"{column} {kind}" for column, kind in BASE_TABLES[table].items())
    connection.execute(f"CREATE TABLE {schema}.{table} ({kinds})")
    places = ", ".join("?" for _ in columns)
    connection.executemany(
        f"INSERT INTO {schema}.{table} VALUES ({places})", [list(r) for r in zip(*columns.values(), strict=True)]
    )


@pytest.mark.parametrize("dialect", ["athena", "redshift"])
def test_what_changes_is_upstream(warehouse: Warehouse, dialect: Dialect) -> None:
    features = Features(distinct=False, tied=False, using=dialect == "redshift", depth=2)
    changes = 0
    for seed in range(QUERIES):
        text = text_of(query(Random(f"{dialect}{seed}"), features))
        read = read_by(text, dialect)
        before = warehouse.run("base", text)
        for column, schemas in warehouse.changed.items():
            if column[0] not in read.tables or column in read.of_the_statement():
                continue  # every output column may change
            for schema in schemas:
                after = warehouse.run(schema, text)
                changed = {name for name in before if before[name] != after[name]}
                changes += len(changed)
                missing = {name for name in changed if column not in read.of(name)}
                assert not missing, f"{column} changes {missing} of\n{text}"
    assert changes > QUERIES // 2, "the changes of the tables are seen in too few columns"
