"""Queries to relations: one walk over SELECTs, set operations, CTEs and subqueries; each is walked once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from sqlglot import exp

from datahub_aws_lineage.model.lineage import IndirectSubtype
from datahub_aws_lineage.model.names import Dialect
from datahub_aws_lineage.sql.collector import Collector
from datahub_aws_lineage.sql.dialects import NotUnderstoodError
from datahub_aws_lineage.sql.expressions import ExpressionWalker, name_parts
from datahub_aws_lineage.sql.names import Names
from datahub_aws_lineage.sql.output_names import output_name
from datahub_aws_lineage.sql.relations import OpenStar, OutputColumn, Relation, without
from datahub_aws_lineage.sql.scopes import Scope
from datahub_aws_lineage.sql.sources import SourceWalker, is_call
from datahub_aws_lineage.sql.values import Value, merged

_RECURSION_ROUNDS = 12
"""A recursive CTE is walked until its sources stop growing; each round adds at least one of few subtypes."""


class QueryWalker:
    """Walks the queries of one statement; what they read goes to `collector`."""

    def __init__(self, names: Names, collector: Collector, variables: frozenset[str] = frozenset()) -> None:
        self.names = names
        self.variables = variables
        self.collector = collector
        self.dialect: Dialect = names.context.dialect
        self.expressions = ExpressionWalker(self)
        self.sources = SourceWalker(self)

    # ---- queries ----------------------------------------------------------------------------------------------------

    def query(self, node: exp.Expr, parent: Scope | None = None) -> Relation:
        """The relation that a query gives. `parent` is the scope around it (CTEs, correlated columns)."""
        if isinstance(node, exp.Subquery):
            return self._wrapped(node, parent)
        scope = Scope(self.dialect, parent, lateral_aliases=self.dialect == "redshift")
        self.add_ctes(node, scope)
        if isinstance(node, exp.Select):
            return self._select(node, scope)
        if isinstance(node, exp.SetOperation):
            return self._set_operation(node, scope)
        if isinstance(node, exp.Values | exp.Table):
            self.sources.add_alone(node, scope)
            return Relation(scope.relations[-1].columns)
        raise NotUnderstoodError("unsupported", f"a query of the form {type(node).__name__}")

    def _wrapped(self, node: exp.Expr, parent: Scope | None) -> Relation:
        """A query in parentheses, which may carry CTEs, ORDER BY and joins of its own."""
        scope = Scope(self.dialect, parent)
        self.add_ctes(node, scope)
        relation = self.query(node.this, scope)
        order = node.args.get("order")
        if order is not None:
            self._order(order, Scope(self.dialect, scope, [relation]), relation)
        return relation

    def add_ctes(self, node: exp.Expr, scope: Scope) -> None:
        """The CTEs of a WITH clause, each seen by those after it; a recursive one by itself.

        One that nothing reads is never run, and reads nothing itself.
        """
        clause = node.args.get("with_")
        if clause is None:
            return
        read = _read_ctes(node, clause)
        for cte in clause.expressions:
            name = cte.alias.lower()
            if name not in read:
                continue
            columns = [column.name.lower() for column in cte.args["alias"].columns]
            if clause.args.get("recursive") and name in _table_names(cte.this):
                scope.ctes[name] = self._recursive(cte.this, name, columns, scope)
            else:
                scope.ctes[name] = self.query(cte.this, scope).aliased(name, columns)

    def _recursive(self, body: exp.Expr, name: str, columns: Sequence[str], scope: Scope) -> Relation:
        """The least fixed point: what the recursive branch reads is what all rounds before it have given."""
        anchor = body
        while isinstance(anchor, exp.SetOperation | exp.Subquery):
            anchor = anchor.this
        inner = Scope(self.dialect, scope)
        inner.ctes[name] = Relation([], name, opaque=True)
        first = self.query(anchor, inner).aliased(name, columns)
        known = Relation([_emptied(column) for column in first.columns], name)
        for _ in range(_RECURSION_ROUNDS):
            inner.ctes[name] = known
            found = self.query(body, inner).aliased(name, columns)
            if _sources(found) == _sources(known):
                break
            known = found
        return known

    def _set_operation(self, node: exp.Expr, scope: Scope) -> Relation:
        branches: list[tuple[exp.Expr, exp.Expr | None]] = []  # with the operation in front of it
        orders: list[exp.Expr] = []
        current: exp.Expr = node
        while isinstance(current, exp.SetOperation) and (current is node or not current.args.get("with_")):
            branches.append((current.expression, current))
            if current.args.get("order") is not None:
                orders.append(current.args["order"])
            current = current.this
        branches.append((current, None))
        kept: list[Relation] = []
        filters = False
        for branch, operation in reversed(branches):
            if not isinstance(operation, exp.Intersect):  # which belongs to the branch before it: it binds tighter
                filters = isinstance(operation, exp.Except)
            relation = self.query(branch, scope)
            if filters:
                for column in relation.closed:
                    self.collector.influenced_by(column.value, "FILTER")
            else:
                kept.append(relation)
        result = self._stacked(kept)
        for order in orders:
            self._order(order, Scope(self.dialect, scope, [result]), result)
        return result

    def _stacked(self, relations: list[Relation]) -> Relation:
        """The branches of a UNION by position. Behind an open star positions are unknown."""
        first = relations[0]
        if len(relations) == 1:
            return first
        if first.stars:
            return self._stacked_open(relations)
        widths = {len(relation.columns) for relation in relations if not relation.stars}
        if len(widths) > 1:
            self.collector.gap("arity", f"branches of a set operation have {sorted(widths)} columns")
        for star in (star for relation in relations for star in relation.stars):
            self.collector.gap("star", f"{star.table}.*: the schema is unknown")
        places = [str(position) for position in range(len(first.columns))]
        values: dict[str, list[Value]] = {place: [] for place in places}
        for relation in relations:
            for place, column in relation.by_position(places, exact=True):
                values[place].append(column.value)
        return Relation(
            [
                OutputColumn(column.name, merged(values[place]), column.item)
                for place, column in zip(places, first.closed, strict=True)
            ]
        )

    def _stacked_open(self, relations: list[Relation]) -> Relation:
        """The first branch hides its columns behind a star: those in front and behind are stacked from both ends."""
        ends = [relation.around_stars() for relation in relations]
        front = [_stacked_column(row) for row in zip(*(head for head, _ in ends), strict=False)]
        tails = [
            tail if relation.stars else head[len(front) :]
            for relation, (head, tail) in zip(relations, ends, strict=True)
        ]
        length = min(len(tail) for tail in tails)
        back = [_stacked_column(row) for row in zip(*(tail[len(tail) - length :] for tail in tails), strict=True)]
        stars = dict.fromkeys(star for relation in relations for star in relation.stars)
        return Relation([*front, *stars, *back], branches=relations)

    # ---- one SELECT -------------------------------------------------------------------------------------------------

    def _select(self, node: exp.Expr, scope: Scope) -> Relation:
        self.sources.add_from(node, scope)
        scope.hierarchical = node.args.get("connect") is not None
        for window in node.args.get("windows") or ():
            scope.windows[window.this.name.lower()] = window
        result = Relation(self._items(node, scope))
        self._condition(node.args.get("where"), scope, "FILTER")
        connect = node.args.get("connect")
        if connect is not None:
            self.influence(connect.args.get("start"), scope, "FILTER")
            self.influence(connect.args.get("connect"), scope, "JOIN")
        if node.args.get("group") is not None:
            self._group(node, scope, result)
        self._condition(node.args.get("having"), scope, "FILTER")
        self._condition(node.args.get("qualify"), scope, "FILTER")
        scope.lateral_aliases = True  # ORDER BY may name select items in both dialects
        if node.args.get("order") is not None:
            self._order(node.args["order"], scope, result)
        return result

    def _items(self, node: exp.Expr, scope: Scope) -> list[OutputColumn | OpenStar]:
        columns: list[OutputColumn | OpenStar] = []
        for item in node.expressions:
            if isinstance(item, exp.Aliases):  # (row).* AS (a, b)
                if not _is_star(item.this):
                    raise NotUnderstoodError("syntax", "several names for one column")
                names = [name.name.lower() for name in item.expressions]
                columns.extend(Relation(self._star(item.this, scope)).aliased(None, names).columns)
                continue
            if _is_star(item):
                columns.extend(self._star(item, scope))
                continue
            scope.own_first = isinstance(item.unalias(), exp.Column)
            value = self.expressions.value(item, scope)
            scope.own_first = False
            column = OutputColumn(output_name(item, self.dialect), value, item)
            columns.append(column)
            if isinstance(item, exp.Alias) and column.name is not None:
                scope.aliases[column.name] = column
        excluded = _excluded(node.args.get("exclude") or ())
        return without(columns, excluded) if excluded else columns

    def _star(self, item: exp.Expr, scope: Scope) -> list[OutputColumn | OpenStar]:
        star = item if isinstance(item, exp.Star) else item.find(exp.Star) or item
        excluded = _excluded(star.args.get("except_") or star.args.get("except") or ())
        unknown = next((key for key in ("replace", "rename", "ilike") if star.args.get(key)), None)
        if unknown is not None:
            raise NotUnderstoodError("unsupported", f"* {unknown.upper()}, which neither engine has")
        columns = self.all_columns(scope) if isinstance(item, exp.Star) else self._qualified_star(item, scope)
        return without(columns, excluded) if excluded else columns

    def all_columns(self, scope: Scope) -> list[OutputColumn | OpenStar]:
        """`*`: of each group of joins the merged columns first, then each relation's others."""
        columns: list[OutputColumn | OpenStar] = []
        for position, relation in enumerate(scope.relations):
            taken: set[str] = set()
            for group in scope.groups:
                if group.covers(position):
                    if group.start == position:
                        columns += [OutputColumn(n, value) for n, value in group.merged.items() if n not in taken]
                    taken |= group.merged.keys()
            columns += without(_columns_of(relation), frozenset(taken)) if taken else _columns_of(relation)
        return columns

    def _qualified_star(self, item: exp.Expr, scope: Scope) -> list[OutputColumn | OpenStar]:
        if isinstance(item, exp.Column):
            parts = name_parts(item)[:-1]
        else:  # a.b.c.d.*, or (row expression).*
            base = item.this
            parts = name_parts(base)
        relation = scope.relation(parts) if parts else None
        if relation is not None:
            columns = _columns_of(relation)  # Trino gives a merged column of USING to no side
            return without(columns, scope.merged_names) if self.dialect == "athena" else columns
        value = self.expressions.resolve(parts, scope) if parts else self.expressions.value(item.this, scope)
        return [OutputColumn(name, value.field(name)) for name in value.field_names()]

    def _group(self, select: exp.Expr, scope: Scope, result: Relation) -> None:
        group = select.args["group"]
        keys = list(group.expressions)
        if group.args.get("all"):
            keys.extend(item for item in select.expressions if item.find(exp.AggFunc) is None)
        while keys:
            key = keys.pop()
            if not isinstance(key, exp.Expr):
                continue
            if isinstance(key, exp.Tuple) or any(is_call(key, name) for name in ("rollup", "cube", "grouping_sets")):
                keys.extend(key.expressions)
            elif isinstance(key, exp.Paren):
                keys.append(key.this)
            else:
                self.collector.influenced_by(self._key(key, scope, result, alias_first=False), "GROUP_BY")

    def _order(self, order: exp.Expr, scope: Scope, result: Relation) -> None:
        for ordered in order.expressions:
            key = ordered.this if isinstance(ordered, exp.Ordered) else ordered
            self.collector.influenced_by(self._key(key, scope, result, alias_first=True), "SORT")

    def _key(self, key: exp.Expr, scope: Scope, result: Relation, *, alias_first: bool) -> Value:
        """A key of GROUP BY or ORDER BY: a position, an output column's name, or an expression."""
        if isinstance(key, exp.Literal) and not key.is_string:
            return self._at_position(int(key.name), result) if key.name.isdigit() else Value()
        if isinstance(key, exp.Column) and len(key.parts) == 1 and not isinstance(key.this, exp.Star):
            named = result.named(key.name.lower())
            if named and (alias_first or scope.resolve([key.name.lower()]) is None):
                return named[0]
            if alias_first and result.stars:
                return self._key_beside_stars(key, scope, result)
        return self.expressions.value(key, scope)

    def _key_beside_stars(self, key: exp.Expr, scope: Scope, result: Relation) -> Value:
        """A name of ORDER BY that an output column behind a star could have, and would have first."""
        value = self.expressions.value(key, scope)
        if {source.table for source in value.everything()} <= {star.table for star in result.stars}:
            return value
        self.collector.gap("column", f"{key.name.lower()} could be a column behind a star")
        return Value()

    def _at_position(self, position: int, result: Relation) -> Value:
        """The column of that place, counted from 1; behind an open star places are unknown."""
        front, _ = result.around_stars()
        if 0 < position <= len(front):
            return front[position - 1].value
        if position and result.stars:
            self.collector.gap("column", f"position {position} is behind a star")
        return Value()

    # ---- what influences the whole statement ------------------------------------------------------------------------

    def _condition(self, clause: exp.Expr | None, scope: Scope, how: IndirectSubtype) -> None:
        self.influence(clause.this if clause is not None else None, scope, how)

    def influence(self, node: exp.Expr | None, scope: Scope, how: IndirectSubtype) -> None:
        """Every column of a condition influences the statement."""
        if node is not None:
            self.collector.influenced_by(self.expressions.value(node, scope), how)

    def named_windows(self, name: str, scope: Scope) -> Iterator[exp.Expr]:
        """The window of that name in a WINDOW clause, and those that it builds on."""
        seen: set[str] = set()
        current: Scope | None = scope
        while current is not None and name and name not in seen:
            window = current.windows.get(name)
            if window is None:
                current = current.parent
                continue
            seen.add(name)
            yield window
            base = window.args.get("alias")
            name = base.name.lower() if base is not None else ""


def _read_ctes(node: exp.Expr, clause: exp.Expr) -> set[str]:
    """The CTEs that the query reads, by way of others too."""
    bodies = {cte.alias.lower(): cte.this for cte in clause.expressions}
    read: set[str] = set()
    pending = [part for key, part in node.args.items() if key != "with_"]
    while pending:
        part = pending.pop()
        if isinstance(part, list):
            pending.extend(part)
        elif isinstance(part, exp.Expr):
            found = (_table_names(part) & bodies.keys()) - read
            read |= found
            pending.extend(bodies[name] for name in found)
    return read


def _table_names(body: exp.Expr) -> set[str]:
    """Unqualified names of tables, in TABLE(name) of a table function too."""
    names = set()
    for table in body.find_all(exp.Table, exp.Anonymous):
        if isinstance(table, exp.Table):
            names |= {table.name.lower()} if not table.args.get("db") else set()
        elif is_call(table, "table"):
            names |= {column.name.lower() for column in table.expressions if isinstance(column, exp.Column)}
    return names


def _stacked_column(row: Sequence[OutputColumn]) -> OutputColumn:
    return OutputColumn(row[0].name, merged(column.value for column in row))


def _emptied(column: OutputColumn | OpenStar) -> OutputColumn | OpenStar:
    return OutputColumn(column.name, Value(type=column.value.type)) if isinstance(column, OutputColumn) else column


def _sources(relation: Relation) -> list[object]:
    return [set(c.value.everything()) if isinstance(c, OutputColumn) else c for c in relation.columns]


def _is_star(item: exp.Expr) -> bool:
    if isinstance(item, exp.Star):
        return True
    if isinstance(item, exp.Column):
        return isinstance(item.this, exp.Star)
    return isinstance(item, exp.Dot) and isinstance(item.expression, exp.Star)


def _excluded(items: Iterable[exp.Expr]) -> frozenset[str]:
    return frozenset(item.alias_or_name.lower() for item in items)


def _columns_of(relation: Relation) -> list[OutputColumn | OpenStar]:
    if relation.partial:
        tables = dict.fromkeys(source.table for column in relation.closed for source in column.value.sources)
        return [OpenStar(table) for table in tables]
    if relation.whole is not None and relation.open_rows:
        table = next((source.table for source in relation.whole.sources), None)
        return [OpenStar(table, rows=relation.whole)] if table is not None else []
    if relation.whole is not None and not relation.columns:
        return [OutputColumn(relation.alias, relation.whole)]
    return [
        OutputColumn(column.name, column.value) if isinstance(column, OutputColumn) else column
        for column in relation.columns
    ]
