"""What this package says of one query over the base tables, in the forms that oracles compare."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from generated_queries import BASE_TABLES

from datahub_aws_lineage.model.catalog import Column
from datahub_aws_lineage.model.lineage import NoLineage, Statement, StatementLineage
from datahub_aws_lineage.model.names import Dialect, StatementTable, TableName
from datahub_aws_lineage.model.queries import SqlContext
from datahub_aws_lineage.sql import analyze

CONTEXTS: Mapping[Dialect, SqlContext] = {
    "athena": SqlContext("athena", "awsdatacatalog", "public"),
    "redshift": SqlContext("redshift", "dev", "public", ("public",)),
}
BaseColumn: TypeAlias = tuple[str, str]
"""Table and column."""


class BaseSchemas:
    """The columns of the base tables, or of some of them."""

    def __init__(self, known: Collection[str] = tuple(BASE_TABLES)) -> None:
        self._known = known

    def columns(self, table: StatementTable) -> tuple[Column, ...] | None:
        name = _name(table)
        columns = BASE_TABLES.get(name) if isinstance(table, TableName) and name in self._known else None
        return tuple(Column(name, kind) for name, kind in columns.items()) if columns else None


@dataclass(frozen=True)
class Read:
    """Base columns by output column (direct and indirect ones of it), and those of the whole statement."""

    columns: Mapping[str, frozenset[tuple[BaseColumn, str]]]
    statement: frozenset[tuple[BaseColumn, str]]
    tables: frozenset[str]

    def all(self) -> set[BaseColumn]:
        return {base for read in (*self.columns.values(), self.statement) for base, _ in read}

    def of(self, column: str) -> set[BaseColumn]:
        return {base for base, _ in self.columns.get(column, ())}

    def of_the_statement(self) -> set[BaseColumn]:
        return {base for base, _ in self.statement}


def read_by(sql: str, dialect: Dialect) -> Read:
    """Raises AssertionError where the text is not understood whole: everything is known of what queries hold."""
    (statement,) = analyze(sql, CONTEXTS[dialect], BaseSchemas())
    return read_of(statement)


def read_of(statement: Statement) -> Read:
    match statement.outcome:
        case StatementLineage(gaps=()) as lineage:
            return Read(
                {
                    column.column: frozenset(((_name(u.table), u.column), u.subtype) for u in column.upstreams)
                    for column in lineage.columns
                },
                frozenset(((_name(u.table), u.column), u.subtype) for u in lineage.indirect),
                frozenset(_name(table) for table in lineage.inputs),
            )
        case NoLineage(gaps=()):
            return Read({}, frozenset(), frozenset())
    raise AssertionError(f"{statement.outcome}\n{statement.text}")


def _name(table: StatementTable) -> str:
    return str(table).rsplit(".", 1)[-1]
