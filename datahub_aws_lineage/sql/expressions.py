"""Expressions to values: which columns an expression is made from, and how.

The tree is walked with a stack of its own, so that a CASE of ten thousand branches is no deeper than any other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from sqlglot import exp

from datahub_aws_lineage.model.lineage import DIRECT_SUBTYPES, Subtype
from datahub_aws_lineage.sql.dialects import NotUnderstoodError
from datahub_aws_lineage.sql.functions import reader_of
from datahub_aws_lineage.sql.lambdas import applied
from datahub_aws_lineage.sql.scopes import Ambiguous, Scope
from datahub_aws_lineage.sql.shapes import (
    PathReader,
    array_agg,
    array_of,
    cast_to,
    chosen,
    concatenated,
    filtered,
    inner_value,
    over_window,
    row_of,
    same_array,
    subscript,
)
from datahub_aws_lineage.sql.token_edits import PREFIX
from datahub_aws_lineage.sql.values import Value, merged

if TYPE_CHECKING:
    from datahub_aws_lineage.sql.queries import QueryWalker

Step = tuple[exp.Expr | None, Subtype]

_PASSED_ON = (exp.Lag, exp.Lead, exp.FirstValue, exp.LastValue, exp.NthValue, exp.First, exp.Last)
"""sqlglot counts these as aggregates; they hand on one row's value."""

_AGGREGATES: Mapping[str, frozenset[str]] = {
    "athena": frozenset(
        (
            "approx_distinct approx_most_frequent approx_percentile approx_set array_agg avg bitwise_and_agg "
            "bitwise_or_agg bitwise_xor_agg bool_and bool_or checksum collect_list collect_set convex_hull_agg corr "
            "count count_if covar_pop covar_samp entropy evaluate_classifier_predictions every geometric_mean "
            "geometry_union_agg histogram kurtosis learn_classifier learn_libsvm_classifier learn_libsvm_regressor "
            "learn_regressor listagg make_set_digest map_agg map_union max max_by merge merge_set_digest min min_by "
            "multimap_agg numeric_histogram percentile_cont percentile_disc qdigest_agg reduce_agg regr_intercept "
            "regr_slope set_agg set_union skewness spatial_partitioning stddev stddev_pop stddev_samp string_agg sum "
            "tdigest_agg var_pop var_samp variance any_value arbitrary"
        ).split()
    ),
    "redshift": frozenset(
        (
            "any_value bit_and bit_or bool_and bool_or hll hll_combine hll_create_sketch listagg median "
            "percentile_cont percentile_disc ratio_to_report"
        ).split()
    ),
}
"""Aggregate functions that sqlglot may not know by name; a ratio to the sum of all rows counts as one."""

_ORDERED_VALUE = (exp.PercentileCont, exp.PercentileDisc, exp.Median, exp.Mode)
"""Ordered-set aggregates: the value they give is taken from the WITHIN GROUP column."""

_PSEUDO_COLUMNS: Mapping[str, frozenset[str]] = {
    "athena": frozenset({"$path", "$file_size", "$file_modified_time", "$bucket", "$partition", "$row_id"}),
    "redshift": frozenset(
        (
            "$path $size $spectrum_oid default user current_user current_user_id session_user sysdate current_database "
            "current_namespace current_aws_account"
        ).split()
    ),
}
_CONSTANTS = frozenset(
    (
        "current_schema current_catalog current_role current_path current_date current_time current_timestamp "
        "localtime localtimestamp default true false unknown nfc nfd nfkc nfkd"
    ).split()
)
_FALLBACK_WORDS: Mapping[str, frozenset[str]] = {
    "athena": _CONSTANTS,
    "redshift": _CONSTANTS
    | frozenset(
        (
            "level epoch century decade year quarter month week day hour minute second millisecond microsecond dow doy "
            "isodow isoyear timezone timezone_hour timezone_minute years quarters months weeks days hours minutes "
            "seconds oid xmin ctid yy yyyy mm dd hh mi ss ms us qtr mon min sec wk weekday dayofyear"
        ).split()
    ),
}
"""Words that are no columns where no table in scope has a column of that name."""


def _composed(outer: Subtype, inner: Subtype) -> Subtype:
    """The subtype of a source seen through `inner` and then `outer`; the outermost indirect step decides."""
    if outer not in DIRECT_SUBTYPES:
        return outer
    if inner not in DIRECT_SUBTYPES:
        return inner
    return "AGGREGATION" if "AGGREGATION" in (outer, inner) else "TRANSFORMATION"


class ExpressionWalker:
    def __init__(self, queries: QueryWalker) -> None:
        self.queries = queries
        self.dialect = queries.dialect
        self.reductions = 0
        """How many reduce() are being followed, one within the other."""

    # ---- values with a type and a path ------------------------------------------------------------------------------

    def value(self, node: exp.Expr, scope: Scope) -> Value:
        """The value of an expression; columns, fields and elements keep their path and type."""
        reader = _path_reader(node)
        if reader is not None:
            return reader(self, node, scope)
        result = Value()
        self.collect(node, scope, result)
        return result

    def _column(self, node: exp.Expr, scope: Scope) -> Value:
        parts = name_parts(node)
        if not parts:
            raise NotUnderstoodError("syntax", "a name is not complete")
        if isinstance(node.this, exp.Star):  # Trino has `label.*` only to count rows
            row = self._row(parts[0], scope) if self.dialect == "redshift" else None
            return row or Value()
        if self._is_pseudo(node, parts, scope):
            return Value()
        return self.resolve(parts, scope)

    def _is_pseudo(self, node: exp.Expr, parts: list[str], scope: Scope) -> bool:
        """A word for a value of the session, the file or the row's place in a hierarchy, and no column."""
        if parts[-1].startswith("$"):
            return parts[-1] in _PSEUDO_COLUMNS[self.dialect]
        if len(parts) > 1 or node.this.args.get("quoted"):
            return False
        return parts[0] in _PSEUDO_COLUMNS[self.dialect] or (
            parts[0] == "level" and scope.hierarchical and not any(r.named("level") for r in scope.relations)
        )

    def _identifier(self, node: exp.Expr, scope: Scope) -> Value:
        """A name that is no column: a lambda's parameter, or a part of the syntax."""
        return scope.parameter(node.name.lower()) or Value()

    def resolve(self, parts: list[str], scope: Scope) -> Value:
        """A dotted name in a scope; what cannot be placed is a gap."""
        if parts[0] in self.queries.variables and (len(parts) == 1 or scope.relation(parts[:1]) is None):
            return Value()
        found = scope.resolve(parts)
        if isinstance(found, Value):
            if found.unknown:
                self.queries.collector.gap("column", f"{'.'.join(parts)} stands for a column behind a star")
            return found
        if found is None and len(parts) == 1:
            row = self._row(parts[0], scope)
            if row is not None:
                return row
            if parts[0] in _FALLBACK_WORDS[self.dialect]:
                return Value()
        if found is None and parts[-1].startswith("$"):
            return Value()
        why = "could be of several tables" if isinstance(found, Ambiguous) else "is in no table that is read"
        self.queries.collector.gap("column", f"{'.'.join(parts)} {why}")
        return Value()

    def _row(self, name: str, scope: Scope) -> Value | None:
        """All columns of a relation, as one value."""
        relation = scope.whole_row(name)
        if relation is None:
            return None
        for star in relation.stars:
            self.queries.collector.gap("star", f"{star.table}.*: the schema is unknown")
        return merged((column.value for column in relation.closed), "TRANSFORMATION")

    def _dot(self, node: exp.Expr, scope: Scope) -> Value:
        names: list[str] = []
        base: exp.Expr = node
        while isinstance(base, exp.Dot) and isinstance(base.expression, exp.Identifier):
            names.append(base.expression.name.lower())
            base = base.this
        names.reverse()
        if isinstance(base, exp.Column) and not isinstance(base.this, exp.Star):
            return self.resolve(name_parts(base) + names, scope)
        if isinstance(base, exp.Identifier) and scope.parameter(base.name.lower()) is None:
            return Value()
        if isinstance(base, exp.Dot):  # schema.function(…): only the function has arguments
            value = Value()
            self.collect(base.expression, scope, value)
        else:
            value = self.value(base, scope)
        for name in names:
            if not value.has_field(name):
                self.queries.collector.gap("column", f"there is no field {name}")
            value = value.field(name)
        return value

    def _subquery(self, node: exp.Expr, scope: Scope) -> Value:
        """A scalar subquery; its conditions influence the statement, its one column is the value."""
        relation = self.queries.query(node, scope)
        columns = relation.closed
        if not columns and relation.stars:
            self.queries.collector.gap("star", f"{relation.stars[0].table}.*")
        return columns[0].value if len(columns) == 1 else merged(column.value for column in columns)

    # ---- everything else: sources only ------------------------------------------------------------------------------

    def collect(self, node: exp.Expr, scope: Scope, result: Value) -> None:
        stack: list[tuple[exp.Expr, Subtype]] = [(node, "TRANSFORMATION")]
        while stack:
            current, step = stack.pop()
            if _path_reader(current) is not None:
                result.add(self.value(current, scope), step)
                continue
            stack.extend(
                (child, _composed(step, inner)) for child, inner in self._children(current, scope) if child is not None
            )

    def _children(self, node: exp.Expr, scope: Scope) -> Iterator[Step]:
        special = _SPECIAL.get(type(node))
        if special is not None:
            yield from special(self, node, scope)
            return
        step: Subtype = "TRANSFORMATION"
        if self._is_aggregate(node):
            step = "AGGREGATION"
        for position, child in enumerate(node.iter_expressions()):
            if position > 0 or not _is_unit(node, child):
                yield child, step

    def _is_aggregate(self, node: exp.Expr) -> bool:
        if isinstance(node, exp.AggFunc):
            return not isinstance(node, _PASSED_ON)
        return isinstance(node, exp.Anonymous) and node.name.lower().removeprefix(PREFIX) in _AGGREGATES[self.dialect]

    def _if(self, node: exp.Expr, _: Scope) -> Iterator[Step]:
        yield node.this, "CONDITIONAL"
        yield node.args.get("true"), "TRANSFORMATION"
        yield node.args.get("false"), "TRANSFORMATION"

    def _decode(self, node: exp.Expr, _: Scope) -> Iterator[Step]:
        items = node.expressions
        for position, item in enumerate(items):
            result = position > 0 and (position % 2 == 0 or position == len(items) - 1)
            yield item, "TRANSFORMATION" if result else "CONDITIONAL"

    def window_keys(self, node: exp.Expr, scope: Scope) -> Iterator[exp.Expr]:
        """The PARTITION BY and ORDER BY of a window, and of those in a WINDOW clause that it builds on."""
        named = node.args.get("alias")
        for window in (node, *self.queries.named_windows(named.name.lower() if named is not None else "", scope)):
            yield from window.args.get("partition_by") or ()
            order = window.args.get("order")
            for key in order.expressions if order is not None else ():
                yield key.this if isinstance(key, exp.Ordered) else key

    def _within_group(self, node: exp.Expr, _: Scope) -> Iterator[Step]:
        yield node.this, "AGGREGATION"
        order = node.args.get("expression")
        yield order, "WINDOW"
        if order is not None and isinstance(node.this, _ORDERED_VALUE):
            for key in order.expressions:
                yield key.this, "AGGREGATION"

    def _ordered_argument(self, node: exp.Expr, _: Scope) -> Iterator[Step]:
        """ORDER BY inside an aggregate (the value is `this`), or the keys of a window."""
        yield node.args.get("this"), "TRANSFORMATION"
        for key in node.expressions:
            yield key.this if isinstance(key, exp.Ordered) else key, "WINDOW"

    def _exists(self, node: exp.Expr, scope: Scope) -> Iterator[Step]:
        """What EXISTS selects does not matter; its conditions influence the statement."""
        query = node.this
        if isinstance(query, exp.Query):
            self.queries.query(query, scope)
        else:
            yield query, "TRANSFORMATION"

    def _lambda(self, node: exp.Expr, scope: Scope) -> Value:
        return applied(self, node, (), scope)


def name_parts(node: exp.Expr) -> list[str]:
    """The lower-case parts of a column's or a table's dotted name; empty where it is no plain name."""
    if not isinstance(node, exp.Column | exp.Table):
        return []
    if type(node) is exp.Column and not node.args.get("db"):
        name, table = node.args.get("this"), node.args.get("table")
        if type(name) is exp.Identifier and (table is None or type(table) is exp.Identifier):
            return [name.this.lower()] if table is None else [table.this.lower(), name.this.lower()]
    parts = node.parts
    return [part.name.lower() for part in parts] if all(isinstance(p, exp.Identifier | exp.Star) for p in parts) else []


def _is_unit(call: exp.Expr, first: exp.Expr) -> bool:
    """PGDATE_PART(month, t): a bare word in front is a part of a date."""
    if not isinstance(call, exp.Anonymous) or call.name.lower() not in ("datepart", "pgdate_part"):
        return False
    return isinstance(first, exp.Column) and len(first.parts) == 1 and not first.this.args.get("quoted")


def _path_reader(node: exp.Expr) -> PathReader | None:
    return reader_of(node) if type(node) is exp.Anonymous else _PATHS.get(type(node))


_ChildReader = Callable[[ExpressionWalker, exp.Expr, Scope], Iterator[Step]]

_PATHS: dict[type[exp.Expr], PathReader] = {
    exp.Column: ExpressionWalker._column,
    exp.Identifier: ExpressionWalker._identifier,
    exp.Dot: ExpressionWalker._dot,
    exp.Lambda: ExpressionWalker._lambda,
    exp.Bracket: subscript,
    exp.Paren: inner_value,
    exp.Alias: inner_value,
    exp.IgnoreNulls: inner_value,
    exp.RespectNulls: inner_value,
    exp.Window: over_window,
    exp.Filter: filtered,
    exp.Case: chosen,
    exp.If: chosen,
    exp.Coalesce: chosen,
    exp.DPipe: concatenated,
    exp.Cast: cast_to,
    exp.TryCast: cast_to,
    exp.Struct: row_of,
    exp.Tuple: row_of,
    exp.Array: array_of,
    exp.Subquery: ExpressionWalker._subquery,
    exp.Select: ExpressionWalker._subquery,
    exp.Union: ExpressionWalker._subquery,
    exp.Except: ExpressionWalker._subquery,
    exp.Intersect: ExpressionWalker._subquery,
    exp.ArrayAgg: array_agg,
    exp.ArrayDistinct: same_array,
    exp.ArraySlice: same_array,
    exp.ArraySort: same_array,
}
"""Nodes whose value keeps a path or a type. Casts nest one in another, as deep as they are written."""

_SPECIAL: dict[type[exp.Expr], _ChildReader] = {
    exp.Nvl2: ExpressionWalker._if,
    exp.DecodeCase: ExpressionWalker._decode,
    exp.WithinGroup: ExpressionWalker._within_group,
    exp.Order: ExpressionWalker._ordered_argument,
    exp.Exists: ExpressionWalker._exists,
}
