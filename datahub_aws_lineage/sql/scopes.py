"""The scope in which a query's column names are looked up."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from sqlglot import exp

from datahub_aws_lineage.model.names import Dialect
from datahub_aws_lineage.sql.relations import BY_ALIAS, ELIMINATION, ONLY_TABLE, OutputColumn, Relation
from datahub_aws_lineage.sql.values import Value


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
