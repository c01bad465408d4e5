"""What stands in FROM: relations, with the columns that they give."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from sqlglot import exp

from datahub_aws_lineage.model.catalog import Column
from datahub_aws_lineage.model.names import StatementTable, TableName
from datahub_aws_lineage.model.nested_types import parse_type
from datahub_aws_lineage.sql.values import Source, Value

# The confidence of a column by how it was placed; documented in docs/lineage.md.
KNOWN = 1.0
"""Found in a known schema, or passed on by a query whose columns are all written out."""
BY_ALIAS = 0.9
"""Qualified with the name or alias of a table whose schema is unknown."""
ONLY_TABLE = 0.8
"""Unqualified, and the one table it can come from has an unknown schema."""
ELIMINATION = 0.7
"""Unqualified: no known table has it, and exactly one table has an unknown schema."""
BY_POSITION_NAME = 0.6
"""Matched by equal names where one side's schema is unknown (COPY, APPEND)."""


@dataclass(slots=True)
class OutputColumn:
    """A column of a relation; `name` is None where SQL gives it none that can be referred to."""

    name: str | None
    value: Value
    item: exp.Expr | None = None
    """The select item that it was written as."""


@dataclass(frozen=True, slots=True)
class OpenStar:
    """Stands among the columns for all columns of a table whose schema is unknown. `but` are left out (EXCLUDE).

    `rows` is set where they are the fields of an unnested array of unknown type.
    """

    table: StatementTable
    but: frozenset[str] = frozenset()
    rows: Value | None = field(default=None, compare=False)

    def column(self, name: str, confidence: float) -> Value:
        if self.rows is not None:
            return self.rows.field(name).at_most(confidence)
        return Value({Source(self.table, (name,), "IDENTITY"): confidence}, rooted=True)


class KnownColumns:
    """The columns of a table whose schema is known; each is made when it is asked for, since tables can be wide."""

    def __init__(self, table: StatementTable, columns: Iterable[Column]) -> None:
        self._table = table
        self._names: list[str] = []
        self._types: dict[str, list[str]] = {}
        for column in columns:
            name = column.name.lower()
            self._names.append(name)
            self._types.setdefault(name, []).append(column.type)
        self._values: dict[str, list[Value]] = {}
        self._all: list[OutputColumn | OpenStar] | None = None

    def named(self, name: str) -> list[Value]:
        values = self._values.get(name)
        if values is None:
            source = {Source(self._table, (name,), "IDENTITY"): KNOWN}
            types = self._types.get(name, ())
            values = self._values[name] = [Value(dict(source), parse_type(kind), rooted=True) for kind in types]
        return values

    def all(self) -> list[OutputColumn | OpenStar]:
        """In order. Not to be changed."""
        if self._all is None:
            values = {name: iter(self.named(name)) for name in self._types}
            self._all = [OutputColumn(name, next(values[name])) for name in self._names]
        return self._all


@dataclass(slots=True)
class Relation:
    """Columns in order, with open stars where a schema is unknown.

    `opaque` relations (table functions) have columns that come from no table. `whole` is the value of the alias
    itself, for an unnested element (`FROM t, t.items AS i`).
    """

    given: list[OutputColumn | OpenStar] | KnownColumns
    alias: str | None = None
    table: TableName | None = None
    """Set for a base table without an alias, whose columns may be qualified with more than its last name."""
    opaque: bool = False
    whole: Value | None = None
    open_rows: bool = False
    """An unnested array of unknown type: its columns are the fields of `whole`, whatever they are."""
    branches: list[Relation] = field(default_factory=list)
    """The branches of a UNION whose first one hides its columns behind a star: each still has its own positions."""
    partial: bool = False
    """It has only some of its columns, but not known which: they can be named, and `*` cannot be resolved."""
    _index: dict[str, list[Value]] | None = field(default=None, repr=False)

    @property
    def columns(self) -> list[OutputColumn | OpenStar]:
        return self.given.all() if isinstance(self.given, KnownColumns) else self.given

    @property
    def stars(self) -> list[OpenStar]:
        if isinstance(self.given, KnownColumns):
            return []
        return [column for column in self.columns if isinstance(column, OpenStar)]

    @property
    def closed(self) -> list[OutputColumn]:
        return [column for column in self.columns if isinstance(column, OutputColumn)]

    def named(self, name: str) -> list[Value]:
        """All columns of that name."""
        if isinstance(self.given, KnownColumns):
            return self.given.named(name)
        if self._index is None:
            self._index = {}
            for column in self.closed:
                if column.name is not None:
                    self._index.setdefault(column.name, []).append(column.value)
        return self._index.get(name, [])

    def aliased(self, alias: str | None, names: Sequence[str] = ()) -> Relation:
        """The same relation under an alias, its columns renamed from the left by a derived column list."""
        if not names:
            return replace(self, alias=alias, table=None, _index=None)
        columns: list[OutputColumn | OpenStar] = []
        if self.stars:
            return Relation([OutputColumn(name, Value(unknown=True)) for name in names], alias, None)
        for position, column in enumerate(self.closed):
            renamed = names[position] if position < len(names) else column.name
            columns.append(OutputColumn(renamed, column.value, column.item))
        return Relation(columns, alias, None, self.opaque, self.whole)

    def by_position(self, names: Sequence[str], *, exact: bool) -> Iterator[tuple[str, OutputColumn]]:
        """The columns that stand at the places of `names`, with those names.

        Around one open star they are counted from both ends where there is a column for each name (`exact`), else and
        around several stars only up to the first.
        """
        for branch in self.branches or [self]:
            head, tail = branch.around_stars()
            yield from zip(names, head, strict=False)
            if exact and tail and len(branch.stars) == 1 and len(head) + len(tail) <= len(names):
                yield from zip(names[len(names) - len(tail) :], tail, strict=True)

    def around_stars(self) -> tuple[list[OutputColumn], list[OutputColumn]]:
        """The columns in front of the first open star and those behind the last; all are in front where none is."""
        stars = [position for position, column in enumerate(self.columns) if isinstance(column, OpenStar)]
        if not stars:
            return self.closed, []
        head, tail = self.columns[: stars[0]], self.columns[stars[-1] + 1 :]
        return Relation(head).closed, Relation(tail).closed

    def from_open(self, name: str, confidence: float) -> Value | None:
        """The column by way of the open stars: placed if exactly one can hold it.

        Of a UNION the first branch names it; which columns of the other branches stand at its place is unknown.
        """
        if name.startswith("$"):
            return Value()  # a pseudo column: "$path"
        if self.branches:
            first = self.branches[0].lookup(name, confidence)
            return replace(first, unknown=True) if first is not None else None
        candidates = [star for star in self.stars if name not in star.but]
        if len(candidates) != 1:
            return None
        return candidates[0].column(name, confidence)

    def lookup(self, name: str, confidence: float) -> Value | None:
        """A column asked for by this relation's alias."""
        found = self.named(name)
        if len(found) == 1:
            return found[0]
        if found:
            return None
        if self.stars:
            return self.from_open(name, confidence)
        if self.whole is not None and self.whole.has_field(name):
            return self.whole.field(name)
        return Value() if self.opaque else None


def without(columns: Iterable[OutputColumn | OpenStar], excluded: frozenset[str]) -> list[OutputColumn | OpenStar]:
    kept: list[OutputColumn | OpenStar] = []
    for column in columns:
        if isinstance(column, OpenStar):
            kept.append(OpenStar(column.table, column.but | excluded, column.rows))
        elif column.name not in excluded:
            kept.append(column)
    return kept
