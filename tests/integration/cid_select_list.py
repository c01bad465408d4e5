"""The output columns of a view, told from its select list alone: names in order, stars expanded, constants marked.

It knows nothing of the engine under test: it is what Athena records on CREATE VIEW, and what tells a column that needs
no upstream (`'idle' AS module`) from one whose upstreams were lost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import sqlglot
from sqlglot import exp


@dataclass(frozen=True, slots=True)
class OutputColumn:
    """`type` is a Hive type, `string` wherever it is not simply handed on; `constant`: no table's column is read."""

    name: str
    type: str = "string"
    constant: bool = False


Columns: TypeAlias = tuple[OutputColumn, ...]

Lookup: TypeAlias = Callable[[str, str], Columns]
"""Columns of a table, by database and table."""


def select_list(query: str, database: str, lookup: Lookup) -> Columns:
    """The columns that `query` gives; `lookup` is asked for the tables that it reads."""
    return _Reader(database, lookup).of_query(_parse(query), {})


def tables_read(query: str, database: str) -> frozenset[str]:
    """`database.table` of every table that `query` names in a FROM or JOIN, common table expressions apart."""
    tree = _parse(query)
    ctes = {cte.alias.lower() for cte in tree.find_all(exp.CTE)}
    tables = (table for table in tree.find_all(exp.Table) if table.db or table.name.lower() not in ctes)
    return frozenset(f"{table.db or database}.{table.name}".lower() for table in tables)


def _parse(query: str) -> exp.Expr:
    return sqlglot.parse_one(query, dialect="trino")


class _Reader:
    def __init__(self, database: str, lookup: Lookup) -> None:
        self._database = database
        self._lookup = lookup

    def of_query(self, query: exp.Expr, outer: Mapping[str, Columns]) -> Columns:
        ctes = dict(outer)
        for cte in query.ctes if isinstance(query, exp.Query) else ():
            ctes[cte.alias.lower()] = _named(self.of_query(cte.this, ctes), cte.args.get("alias"))
        match query:
            case exp.Subquery():
                return self.of_query(query.this, ctes)
            case exp.SetOperation():
                return _united(self.of_query(query.left, ctes), self.of_query(query.right, ctes))
            case exp.Select():
                return self._of_select(query, ctes)
        raise TypeError(f"no select list: {query.sql()[:200]}")

    def _of_select(self, select: exp.Select, ctes: Mapping[str, Columns]) -> Columns:
        sources: dict[str, Columns] = {}
        from_ = select.args.get("from_")
        for node in [*([from_.this] if from_ else []), *(join.this for join in select.args.get("joins") or ())]:
            sources.update(self._sources(node, ctes))
        everything = [column for columns in sources.values() for column in columns]
        out: list[OutputColumn] = []
        for item in select.expressions:
            if isinstance(item, exp.Star):
                out += everything
            elif isinstance(item, exp.Column) and isinstance(item.this, exp.Star):
                out += sources[item.table.lower()]
            else:
                out.append(_output(item, sources, everything))
        return tuple(out)

    def _sources(self, node: exp.Expr, ctes: Mapping[str, Columns]) -> dict[str, Columns]:
        """Columns by alias of one item of FROM; a parenthesised join holds several."""
        name = node.alias_or_name.lower()
        found: dict[str, Columns] = {}
        if isinstance(node, exp.Table):
            known = ctes.get(node.name.lower()) if not node.db else None
            found[name] = self._lookup(node.db or self._database, node.name) if known is None else known
        elif isinstance(node, exp.Values):
            found[name] = _named((), node.args.get("alias"))
        elif node.alias or isinstance(node.this, (exp.Select, exp.SetOperation)):
            found[name] = _named(self.of_query(node.this, ctes), node.args.get("alias"))
        else:
            found.update(self._sources(node.this, ctes))
        for join in node.args.get("joins") or ():
            found.update(self._sources(join.this, ctes))
        return found


def _output(item: exp.Expr, sources: Mapping[str, Columns], everything: Iterable[OutputColumn]) -> OutputColumn:
    read = [
        next(
            (known for known in sources.get(column.table.lower(), everything) if known.name == column.name.lower()),
            None,
        )
        for column in item.find_all(exp.Column)
    ]
    handed_on = read[0] if isinstance(item.unalias(), exp.Column) else None
    return OutputColumn(
        name=item.alias_or_name.lower(),
        type=handed_on.type if handed_on else "string",
        constant=all(column is not None and column.constant for column in read),
    )


def _united(left: Columns, right: Columns) -> Columns:
    return tuple(
        OutputColumn(mine.name, mine.type, mine.constant and theirs.constant)
        for mine, theirs in zip(left, right, strict=True)
    )


def _named(columns: Columns, alias: exp.Expr | None) -> Columns:
    """Columns under the names of `alias (a, b)`, where it gives any; of VALUES there are none but these."""
    names = [name.name.lower() for name in alias.columns] if isinstance(alias, exp.TableAlias) else []
    if not names:
        return columns
    values = columns or tuple(OutputColumn("", constant=True) for _ in names)
    return tuple(OutputColumn(name, c.type, c.constant) for name, c in zip(names, values, strict=True))
