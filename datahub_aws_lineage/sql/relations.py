"""What stands in FROM: relations, and the scope in which a query's column names are looked up."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from sqlglot import exp

from datahub_aws_lineage.model.catalog import Column
from datahub_aws_lineage.model.names import Dialect, StatementTable, TableName
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


class Ambiguous:
    """Several columns or tables could own the name; nothing is placed."""


AMBIGUOUS = Ambiguous()


@dataclass(slots=True)
class JoinGroup:
    """Relations that are joined with one another, from the position `start` up to `end` (None while they are added).

    Commas and parentheses begin groups of their own: USING sees no further. `merged` holds its columns, the newest
    join's first, as `*` gives them.
    """

    start: int
    end: int | None = None
    merged: dict[str, Value] = field(default_factory=dict)
    merges_unknown: bool = False
    """A NATURAL join with a table of unknown schema: any column of the group may be a merged one."""

    def covers(self, position: int) -> bool:
        return self.start <= position and (self.end is None or position < self.end)

    def within(self, start: int, end: int) -> bool:
        return start <= self.start and self.end is not None and self.end <= end


@dataclass(slots=True)
class Scope:
    """The relations of one FROM clause, in order; `parent` is the query around a correlated subquery.

    `aliases` are the select items that may be named further on (Redshift's lateral aliases, ORDER BY, GROUP BY).
    """

    dialect: Dialect
    parent: Scope | None = None
    relations: list[Relation] = field(default_factory=list)
    groups: list[JoinGroup] = field(default_factory=list)
    """In the order in which they began: the outer ones come first."""
    aliases: dict[str, OutputColumn] = field(default_factory=dict)
    lateral_aliases: bool = False
    hierarchical: bool = False
    """The query has CONNECT BY, and with it the pseudo-column LEVEL."""
    own_first: bool = False
    """A bare column is being selected: of a table of unknown schema here rather than of the query around."""
    ctes: dict[str, Relation] = field(default_factory=dict)
    windows: dict[str, exp.Expr] = field(default_factory=dict)
    parameters: dict[str, Value] = field(default_factory=dict)
    """Of the lambda whose body is read; they hide columns of their names."""

    @property
    def group(self) -> JoinGroup:
        """The innermost one that is still being added to."""
        return next(group for group in reversed(self.groups) if group.end is None)

    def begin_group(self) -> None:
        self.groups.append(JoinGroup(len(self.relations)))

    def end_group(self) -> None:
        self.group.end = len(self.relations)

    def joined(self) -> Scope:
        """What ON sees first: the relations of its own group, `b` and `c` of `FROM a, b JOIN c ON …`."""
        start = self.group.start
        if start == 0:
            return self
        groups = [replace(group, start=group.start - start) for group in self.groups if group.start >= start]
        for group in groups:
            group.end = group.end - start if group.end is not None else None
        return Scope(self.dialect, self, self.relations[start:], groups)

    @property
    def merged_names(self) -> frozenset[str]:
        """Columns merged by USING or NATURAL."""
        return frozenset(name for group in self.groups for name in group.merged)

    def outside(self) -> Scope:
        """The scope of a derived table in this FROM: it sees CTEs and outer queries, not its neighbours."""
        return Scope(self.dialect, self.parent, ctes=self.ctes)

    def cte(self, name: str) -> Relation | None:
        scope: Scope | None = self
        while scope is not None:
            if name in scope.ctes:
                return scope.ctes[name]
            scope = scope.parent
        return None

    def relation(self, parts: Sequence[str]) -> Relation | None:
        """The relation called `alias`, `database.table` or `catalog.database.table`, here or further out."""
        scope: Scope | None = self
        while scope is not None:
            for relation in scope.relations:
                table = relation.table
                names = (table.catalog, table.database, table.table) if table is not None else ()
                if (len(parts) == 1 and relation.alias == parts[0]) or (
                    len(parts) > 1 and tuple(parts) == names[-len(parts) :]
                ):
                    return relation
            scope = scope.parent
        return None

    def row_of_path(self, parts: Sequence[str]) -> tuple[Relation, str | None] | None:
        """The row that a name in FROM can be a path of (`FROM t, t.items i, i.parts p, p x`), and its first column."""
        if len(parts) == 1:
            element = self.relation(parts)
            return (element, None) if element is not None and element.whole is not None else None
        for used in range(1, min(len(parts), 4)):
            relation = self.relation(parts[:used])
            if relation is not None:
                return relation, parts[used]
        return None

    def parameter(self, name: str) -> Value | None:
        """A parameter of a lambda around this place."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.parameters:
                return scope.parameters[name]
            scope = scope.parent
        return None

    def resolve(self, parts: Sequence[str]) -> Value | Ambiguous | None:
        """The value of a dotted name; None where nothing has it, here or further out."""
        scope: Scope | None = self
        while scope is not None:
            found = scope._resolve_here(parts)
            if found is not None:
                return found
            scope = scope.parent
        return None

    def _resolve_here(self, parts: Sequence[str]) -> Value | Ambiguous | None:
        if parts[0] in self.parameters:
            return with_path(self.parameters[parts[0]], parts[1:])
        guess = True
        for relation, used in self._qualified(parts):
            if len(parts) == used:
                continue
            found = relation.lookup(parts[used], BY_ALIAS)
            below = with_path(found, parts[used + 1 :]) if found is not None else None
            if below is not None:
                return below
            if relation.stars:
                return AMBIGUOUS
            guess = False  # the qualifier is a relation that has no such column
        column = self._unqualified(parts, guess=guess)
        if isinstance(column, Value):
            return with_path(column, parts[1:])
        return column

    def _qualified(self, parts: Sequence[str]) -> Iterator[tuple[Relation, int]]:
        """Relations that a prefix of the name means, with the length of that prefix; the longest first."""
        for relation in self.relations:
            table = relation.table
            if table is None:
                continue
            if len(parts) > 3 and tuple(parts[:3]) == (table.catalog, table.database, table.table):
                yield relation, 3
            elif len(parts) > 2 and tuple(parts[:2]) == (table.database, table.table):
                yield relation, 2
        for relation in self.relations:
            if relation.alias == parts[0] and len(parts) > 1:
                yield relation, 1

    def _unqualified(self, parts: Sequence[str], *, guess: bool) -> Value | Ambiguous | None:
        """The first part as a column of its own: a merged one, a known one, a row's alias, a select item, a guess."""
        name = parts[0]
        found = list(self._named(name))
        if len(found) > 1 or (found and any(group.merges_unknown for group in self.groups)):
            return AMBIGUOUS
        if found:
            return found[0]
        whole = next((r.whole for r in self.relations if r.alias == name and r.whole and not r.open_rows), None)
        if whole is not None:
            return whole
        alias = self._lateral(name) if self.lateral_aliases else None
        if alias is not None:
            return alias
        if len(parts) > 1 and self.parent is not None and self.parent.relation(parts[:1]) is not None:
            return None  # qualified with a table of the query around this one
        return self._open(name) if guess else None

    def _named(self, name: str) -> Iterator[Value]:
        """All columns of that name; those that a join has merged count as one."""
        merging = [group for group in self.groups if name in group.merged]
        for position, relation in enumerate(self.relations):
            group = next((group for group in merging if group.covers(position)), None)
            if group is None:
                yield from relation.named(name)
            elif group.start == position:
                yield group.merged[name]

    def _lateral(self, name: str) -> Value | None:
        """An earlier select item, unless it is made from a column of its own name, which then exists and wins."""
        item = self.aliases.get(name)
        if item is None:
            return None
        own = any(source.path[0] == name for source in item.value.everything())
        has_star = any(relation.stars for relation in self.relations)
        if has_star:
            return None if own else item.value.at_most(ELIMINATION)
        return item.value

    def _open(self, name: str) -> Value | Ambiguous | None:
        open_relations = [relation for relation in self.relations if relation.stars or relation.open_rows]
        if open_relations and name.startswith("$"):
            return Value()
        if not open_relations:
            opaque = any(relation.opaque for relation in self.relations)
            return Value() if opaque and self._outer_has(name) is None else None
        if len(open_relations) > 1 or any(relation.opaque for relation in self.relations):
            return AMBIGUOUS
        if not self.own_first and self._outer_has(name):
            return AMBIGUOUS
        confidence = ONLY_TABLE if len(self.relations) == 1 else ELIMINATION
        rows = open_relations[0].whole
        if rows is not None:
            return rows.field(name).at_most(confidence)
        return open_relations[0].from_open(name, confidence) or AMBIGUOUS

    def _outer_has(self, name: str) -> bool | None:
        scope = self.parent
        while scope is not None:
            if any(True for _ in scope._named(name)):
                return True
            scope = scope.parent
        return None

    def whole_row(self, name: str) -> Relation | None:
        """The relation called `name`, whose row is used as a value."""
        return next((relation for relation in self.relations if relation.alias == name), None)


def with_path(value: Value, path: Sequence[str]) -> Value | None:
    """A field below a column; None where the type says that there is none."""
    for name in path:
        if not value.has_field(name):
            return None
        value = value.field(name)
    return value
