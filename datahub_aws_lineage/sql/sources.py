"""What stands in FROM and JOIN, as relations of a scope."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from sqlglot import exp

from datahub_aws_lineage.model.names import StatementTable, TableName
from datahub_aws_lineage.model.nested_types import ArrayOf, MapOf
from datahub_aws_lineage.sql.expressions import name_parts
from datahub_aws_lineage.sql.names import PARTITION_FACTS, without_metadata_suffix
from datahub_aws_lineage.sql.relations import KnownColumns, OpenStar, OutputColumn, Relation, without
from datahub_aws_lineage.sql.reshaping import match_recognize, pivoted
from datahub_aws_lineage.sql.scopes import Scope
from datahub_aws_lineage.sql.token_edits import PREFIX
from datahub_aws_lineage.sql.values import Value, merged

if TYPE_CHECKING:
    from datahub_aws_lineage.sql.queries import QueryWalker


class SourceWalker:
    """Adds relations to a scope, in the order of the text; joins add their conditions to the collector."""

    def __init__(self, queries: QueryWalker) -> None:
        self.queries = queries
        self._known: dict[StatementTable, KnownColumns] = {}

    # ---- FROM and JOIN ----------------------------------------------------------------------------------------------

    def add_from(self, node: exp.Expr, scope: Scope) -> None:
        """FROM, joins and LATERAL VIEWs of a SELECT (or of an UPDATE or DELETE)."""
        scope.begin_group()
        clause = node.args.get("from_")
        if clause is not None:
            self.add(clause.this, scope)
        for lateral in node.args.get("laterals") or ():
            self.add(lateral, scope)
        self.add_joins(node.args.get("joins") or (), scope)
        scope.end_group()
        match = node.args.get("match")
        if match is not None and scope.relations:
            scope.relations[:] = [match_recognize(match, scope, self.queries)]
            scope.groups.clear()

    def add_alone(self, node: exp.Expr, scope: Scope) -> None:
        """A source, with joins that hang below it, that is joined with nothing before it."""
        scope.begin_group()
        self.add(node, scope)
        scope.end_group()

    def add_joins(self, joins: Iterable[exp.Expr], scope: Scope) -> None:
        for join in joins:
            if _is_comma(join):
                scope.end_group()
                scope.begin_group()
            left = len(scope.relations)
            self.add(join.this, scope)
            side = (join.args.get("side") or "").upper()
            shared = [column.name.lower() for column in join.args.get("using") or ()]
            if (join.args.get("method") or "").upper() == "NATURAL":
                shared = self._shared_names(scope, left)
            if shared:
                merged_here = {name: self._merge(name, scope, left, side) for name in shared}
                scope.group.merged = merged_here | {
                    name: value for name, value in scope.group.merged.items() if name not in merged_here
                }
            self.queries.influence(join.args.get("on"), scope.joined(), "JOIN")

    def _shared_names(self, scope: Scope, left: int) -> list[str]:
        """The common columns of a NATURAL join; all schemas must be known for them to be."""
        relations = scope.relations[scope.group.start :]
        if any(relation.stars for relation in relations):
            self.queries.collector.gap("column", "the columns of a NATURAL JOIN with a table of unknown schema")
            scope.group.merges_unknown = True
            return []
        before, after = (
            dict.fromkeys(c.name for relation in side for c in relation.closed if c.name is not None)
            for side in (scope.relations[scope.group.start : left], scope.relations[left:])
        )
        return [name for name in before if name in after]

    def _merge(self, name: str, scope: Scope, left: int, side: str) -> Value:
        """One column of USING: both sides decide the join; the value is the side's that is always there."""
        group = scope.group
        before = group.merged.get(name) or self._side(name, scope, group.start, left)
        after = self._side(name, scope, left, len(scope.relations))
        for value in (before, after):
            self.queries.collector.influenced_by(value, "JOIN")
        if side == "FULL":
            return merged((before, after))
        return after if side == "RIGHT" else before

    def _side(self, name: str, scope: Scope, start: int, end: int) -> Value:
        """The column among the relations of one side, where a join in parentheses may have merged it."""
        for group in scope.groups:
            if name in group.merged and group.within(start, end):
                return group.merged[name]
        side = Scope(scope.dialect, None, scope.relations[start:end])
        return self.queries.expressions.resolve([name], side)

    # ---- one source -------------------------------------------------------------------------------------------------

    def add(self, node: exp.Expr, scope: Scope) -> None:
        """Adds what `node` stands for; a join in parentheses adds several relations."""
        match node:
            case exp.Table():
                self._table(node, scope)
            case exp.Subquery() if _is_join(node):
                self._nested_join(node, scope)
            case exp.Subquery():
                relation = self.queries.query(node, scope.outside())
                self._append(node, relation, scope)
            case exp.Lateral():
                self._lateral(node, scope)
            case exp.Unnest():
                self._unnest(node, scope)
            case exp.Values():
                self._append(node, self._values(node, scope), scope)
            case exp.Query():
                scope.relations.append(self.queries.query(node, scope.outside()))
            case exp.Pivot():
                self._navigation(node.this, scope)
            case exp.Column() | exp.Alias() | exp.AtIndex() | exp.Bracket() | exp.Dot():
                self._navigation(node, scope)
            case _:
                self._append(node, Relation([], opaque=True), scope)
                self.queries.expressions.value(node, scope)

    def _append(self, node: exp.Expr, relation: Relation, scope: Scope, *, alias: str | None = None) -> None:
        """Pivots, gives the alias and the derived column names, and adds the joins that hang below the node."""
        own, names = _alias(node)
        if own or names or alias != relation.alias:
            kept = relation.table if not own and not names else None
            relation = relation.aliased(own or alias, names)
            relation.table = kept
        for pivot in node.args.get("pivots") or ():
            relation = pivoted(pivot, relation, self.queries).aliased(pivot.alias.lower() or relation.alias)
        scope.relations.append(relation)
        self.add_joins(node.args.get("joins") or (), scope)

    def _nested_join(self, node: exp.Expr, scope: Scope) -> None:
        """`(a JOIN b ON …)`: with an alias one relation, without it the relations of the join."""
        own, names = _alias(node)
        inner = Scope(scope.dialect, scope.parent, ctes=scope.ctes) if own else scope
        self.add_alone(node.this, inner)
        if own:
            self._append(node, Relation(self.queries.all_columns(inner)).aliased(own, names), scope, alias=own)
        else:
            self.add_joins(node.args.get("joins") or (), scope)

    # ---- tables -----------------------------------------------------------------------------------------------------

    def _table(self, node: exp.Expr, scope: Scope) -> None:
        parts = name_parts(node)
        if not parts:
            self._table_function(node, scope)
            return
        cte = scope.cte(parts[0]) if len(parts) == 1 else None
        if scope.dialect == "redshift" and self._is_path(parts, scope):
            self._add_element(self.queries.expressions.resolve(parts, scope), node.alias.lower() or parts[-1], scope)
            self.add_joins(node.args.get("joins") or (), scope)
        elif cte is not None:
            self._append(node, cte, scope, alias=parts[0])
        else:
            self._append(node, self.base(self.queries.names.read(parts)), scope, alias=parts[-1])

    def base(self, table: StatementTable) -> Relation:
        """A real table: an input of the statement, with its known columns or an open star."""
        table, metadata = without_metadata_suffix(table)
        self.queries.collector.read(table)
        name = table if isinstance(table, TableName) else None
        alias = str(table) if name is None else name.table
        known = self.queries.names.schemas.columns(table)
        if metadata and metadata != "partitions":
            return Relation([], alias, name, opaque=True)
        if metadata and not known:
            facts = [OutputColumn(fact, Value()) for fact in PARTITION_FACTS]
            return Relation([*facts, OpenStar(table, frozenset(PARTITION_FACTS))], alias, name)
        if not known:
            return Relation([OpenStar(table)], alias, name)
        if table not in self._known:
            self._known[table] = KnownColumns(table, known)
        return Relation(self._known[table], alias, name, opaque=bool(metadata), partial=bool(metadata))

    def _table_function(self, node: exp.Expr, scope: Scope) -> None:
        """TABLE(f(…)) or f(…): its columns come from its arguments, in a way that only the function knows."""
        call = node.this
        if call is None:  # ROWS FROM (f(…), …)
            self._append(node, Relation([], opaque=True), scope)
            return
        if is_call(call, "table") and len(call.expressions) == 1:
            call = call.expressions[0]
        if isinstance(call, exp.Dot):  # TABLE(catalog.system.query(query => '…'))
            self.queries.collector.gap("source", "what a table function of another catalog reads")
        given = [
            self._table_argument(argument.expressions[0], scope)
            for argument in call.find_all(exp.Anonymous)
            if is_call(argument, "table") and argument.expressions
        ]
        if is_call(call, "exclude_columns") and len(given) == 1:
            self._append(node, Relation(without(given[0].columns, _described(call))), scope)
            return
        if given:
            self.queries.collector.gap("source", "what a table function makes of the tables that it is given")
        self._append(node, Relation([], opaque=True), scope)

    def _table_argument(self, node: exp.Expr, scope: Scope) -> Relation:
        """TABLE(name) or TABLE(query) among the arguments of a table function."""
        parts = name_parts(node)
        if not parts:
            return self.queries.query(node, scope.outside())
        cte = scope.cte(parts[0]) if len(parts) == 1 else None
        return cte if cte is not None else self.base(self.queries.names.read(parts))

    # ---- nested data ------------------------------------------------------------------------------------------------

    def _is_path(self, parts: list[str], scope: Scope) -> bool:
        """Whether a name in FROM is a path of a row before it, and no table of a schema that is called like the row."""
        found = scope.row_of_path(parts)
        if found is None:
            return False
        row, column = found
        if column is None or row.named(column) or row.whole is not None:
            return True
        schemas, own = self.queries.names.schemas, row.table
        is_table = schemas.columns(self.queries.names.read(parts)) is not None
        return not is_table and (own is None or own.database != own.table)  # FROM sales.sales, sales.returns

    def _navigation(self, node: exp.Expr, scope: Scope) -> None:
        """Redshift: `FROM t, t.items AS i AT n` and `UNPIVOT t.object AS v AT k` make a row of each element."""
        index = ""
        if isinstance(node, exp.AtIndex):
            index, node = node.expression.name.lower(), node.this
        alias = node.alias.lower()
        source = node.this if isinstance(node, exp.Alias) else node
        value = self.queries.expressions.value(source, scope)
        self._add_element(value, alias or source.name.lower(), scope, index)

    def _add_element(self, value: Value, alias: str, scope: Scope, index: str = "") -> None:
        if isinstance(value.type, MapOf):
            parts = zip(("key", "value"), _unnested_columns(value, 2), strict=True)
            scope.relations.append(Relation([OutputColumn(name, part.value) for name, part in parts], alias))
            return
        scope.relations.append(Relation([], alias, whole=value.element()))
        if index:
            scope.relations.append(Relation([OutputColumn(index, Value())]))

    def _unnest(self, node: exp.Expr, scope: Scope) -> None:
        if scope.dialect == "redshift":
            self._redshift_unnest(node, scope)
            return
        alias, names = _alias(node)
        values = [self.queries.expressions.value(item, scope) for item in node.expressions]
        if len(values) == 1 and not names and _unnested_width(values[0]) is None:
            scope.relations.append(Relation([], alias, whole=values[0].member(), open_rows=True))
            return
        columns: list[OutputColumn | OpenStar] = list(self._unnested(values, names))
        offset = node.args.get("offset")
        if offset:
            columns.append(OutputColumn(offset.name.lower() if isinstance(offset, exp.Identifier) else None, Value()))
        scope.relations.append(Relation(columns, alias))
        self.add_joins(node.args.get("joins") or (), scope)

    def _redshift_unnest(self, node: exp.Expr, scope: Scope) -> None:
        """UNNEST(path) [WITH OFFSET] AS t (element, position), or sqlglot's reading of `FROM t, t.items AS i`.

        In the latter a name that begins with an alias can be a table's too.
        """
        path = node.expressions[0]
        alias, names = _alias(node)
        parts = name_parts(path)
        if not alias and parts and not self._is_path(parts, scope):
            relation = self.base(self.queries.names.read(parts))
            scope.relations.append(relation.aliased(names[0]) if names else relation)
        elif not alias or not names:
            name = alias or (names[0] if names else path.name.lower())
            self._add_element(self.queries.expressions.value(path, scope), name, scope)
        else:
            element = self.queries.expressions.value(path, scope).element()
            position = node.args.get("offset")
            columns = [OutputColumn(names[0], element)]
            if isinstance(position, exp.Identifier):
                columns.append(OutputColumn(position.name.lower(), Value()))
            scope.relations.append(Relation([*columns], alias))
        self.add_joins(node.args.get("joins") or (), scope)

    def _unnested(self, values: list[Value], names: list[str]) -> list[OutputColumn]:
        """Each array gives a column, or one a field of its rows; a map gives its keys and values (Trino, UNNEST).

        Athena takes both, by the number of names: `UNNEST(rows) AS t (a, b)` and `AS t (r)` with `r.a` (Athena user
        guide, Filter arrays using UNNEST).
        """
        if names and len(names) == sum(2 if value.is_map else 1 for value in values):
            columns = [column for value in values for column in _unnested_columns(value, 1, whole=True)]
            return [OutputColumn(name, column.value) for name, column in zip(names, columns, strict=True)]
        widths = [_unnested_width(value) for value in values]
        unknown = widths.count(None)
        if unknown == 1 and names:
            missing = len(names) - sum(width or 0 for width in widths)
            widths = [missing if width is None else width for width in widths]
        elif unknown and len(names) in (0, len(values)):
            widths = [1 if width is None else width for width in widths]
        elif unknown:
            self.queries.collector.gap("column", "UNNEST of several arrays of unknown type")
            return [OutputColumn(name, Value()) for name in names]
        columns = [c for value, width in zip(values, widths, strict=True) for c in _unnested_columns(value, width or 1)]
        for column, name in zip(columns, names, strict=False):
            column.name = name
        return columns

    def _lateral(self, node: exp.Expr, scope: Scope) -> None:
        source = node.this
        alias, names = _alias(node)
        if isinstance(source, exp.Query):
            self._append(node, self.queries.query(source, scope), scope)
        elif isinstance(source, exp.Unnest):
            self._unnest(source, scope)
        else:  # Hive: LATERAL VIEW explode(items) t AS item
            arguments = [a for a in source.iter_expressions() if isinstance(a, exp.Expr)]
            value = merged(self.queries.expressions.value(a, scope) for a in arguments)
            positions = 1 if isinstance(source, exp.Posexplode) else 0
            columns = [OutputColumn(None, Value())] * positions
            columns = [*columns, *_unnested_columns(value, max(1, len(names) - positions), whole=True)]
            relation = Relation([OutputColumn(n, c.value) for n, c in zip(names, columns, strict=False)], alias)
            scope.relations.append(relation)

    def _values(self, node: exp.Expr, scope: Scope) -> Relation:
        rows: list[list[Value]] = []
        for row in node.expressions:
            items = row.expressions if isinstance(row, exp.Tuple) else [row.this if isinstance(row, exp.Paren) else row]
            if len(items) == 1 and is_call(items[0], "row"):
                items = items[0].expressions
            rows.append([self.queries.expressions.value(item, scope) for item in items])
        columns = [merged(column) for column in zip(*rows, strict=False)]
        return Relation([OutputColumn(None, value) for value in columns])


def _is_comma(join: exp.Expr) -> bool:
    """`FROM a, b`: sqlglot's join without a word."""
    return not any(join.args.get(part) for part in ("kind", "side", "method", "on", "using"))


def _is_join(node: exp.Expr) -> bool:
    """Whether the parentheses stand around sources and not around a query: `((a JOIN b ON …) JOIN (SELECT …) c)`."""
    inner = node.this
    if isinstance(inner, exp.Subquery):
        return bool(inner.alias or inner.args.get("joins")) or _is_join(inner)
    return isinstance(inner, exp.Table | exp.Unnest | exp.Values | exp.Lateral)


def _alias(node: exp.Expr) -> tuple[str | None, list[str]]:
    alias = node.args.get("alias")
    if not isinstance(alias, exp.TableAlias):
        return None, []
    return alias.name.lower() or None, [column.name.lower() for column in alias.columns]


def is_call(node: exp.Expr, name: str) -> bool:
    return isinstance(node, exp.Anonymous) and node.name.lower().removeprefix(PREFIX) == name


def _described(call: exp.Expr) -> frozenset[str]:
    """The names in DESCRIPTOR(…)."""
    descriptors = [inner for inner in call.find_all(exp.Anonymous) if is_call(inner, "descriptor")]
    return frozenset(column.name.lower() for inner in descriptors for column in inner.expressions)


def _unnested_width(value: Value) -> int | None:
    if value.is_map:
        return 2
    if value.item is None and not isinstance(value.type, ArrayOf):
        return None
    member = value.member()
    names = member.field_names()
    if names:
        return len(names)
    return 1 if member.type is not None or member.item is not None or member.entries is not None else None


def _unnested_columns(value: Value, width: int, *, whole: bool = False) -> list[OutputColumn]:
    """`whole`: an element stays one column although it is a row."""
    member = value.member()
    if value.is_map:
        return [OutputColumn(None, value.key()), OutputColumn(None, member)]
    names = member.field_names()
    if names and not whole:
        return [OutputColumn(name, member.field(name)) for name in names]
    if width == 1:
        return [OutputColumn(None, member)]
    return [OutputColumn(None, Value(dict(value.sources))) for _ in range(width)]
