"""Functions of Athena (Trino) whose values have parts: of rows, arrays and maps. All others are made as a whole."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sqlglot import exp

from datahub_aws_lineage.model.lineage import Subtype
from datahub_aws_lineage.sql.lambdas import FUNCTIONS_OF_FUNCTIONS, any_function
from datahub_aws_lineage.sql.scopes import Scope
from datahub_aws_lineage.sql.shapes import (
    PathReader,
    arguments,
    array,
    array_of,
    collected,
    indexed,
    map_from,
    map_of,
    ordered_argument,
    row,
    row_of,
)
from datahub_aws_lineage.sql.token_edits import PREFIX
from datahub_aws_lineage.sql.values import Value, merged

if TYPE_CHECKING:
    from datahub_aws_lineage.sql.expressions import ExpressionWalker


# ---- one of the arguments, or several of one kind -------------------------------------------------------------------


def _first(step: Subtype, beside: Subtype) -> PathReader:
    """The first argument after `step`; the others chose it."""

    def read(walker: ExpressionWalker, node: exp.Expr, scope: Scope) -> Value:
        first, keys = ordered_argument(node.expressions[0])
        value = walker.value(first, scope).through(step)
        for other in node.expressions[1:]:
            value.chosen_by(walker.value(other, scope), beside)
        for key in keys:
            value.chosen_by(walker.value(key, scope), "WINDOW")
        return value

    return read


_kept = _first("TRANSFORMATION", "TRANSFORMATION")
_aggregated = _first("AGGREGATION", "AGGREGATION")


def _best(most: int) -> PathReader:
    """max, min, max_by and min_by: with a number behind their arguments, an array of the best values."""

    def read(walker: ExpressionWalker, node: exp.Expr, scope: Scope) -> Value:
        value = _aggregated(walker, node, scope)
        return array(value) if len(node.expressions) > most else value

    return read


def _united(walker: ExpressionWalker, node: exp.Expr, scope: Scope) -> Value:
    """Arguments of one kind; calls of the same function within are no deeper than one."""
    parts: list[Value] = []
    stack = list(reversed(node.expressions))
    while stack:
        current = stack.pop()
        if isinstance(current, exp.Anonymous) and current.name == node.name:
            stack.extend(reversed(current.expressions))
        else:
            parts.append(walker.value(current, scope))
    return merged(parts, "TRANSFORMATION")


def _element_at(walker: ExpressionWalker, node: exp.Expr, scope: Scope) -> Value:
    """element_at(array | map, key) is what `array[key]` is."""
    whole, *indexes = (walker.value(item, scope) for item in node.expressions)
    return indexed(whole, indexes)


def _one_element(walker: ExpressionWalker, node: exp.Expr, scope: Scope) -> Value:
    return _united(walker, node, scope).element()


# ---- arrays and maps ------------------------------------------------------------------------------------------------


def _array_agg(walker: ExpressionWalker, node: exp.Expr, scope: Scope) -> Value:
    return collected(walker, node.expressions[0], scope)


def _repeat(walker: ExpressionWalker, node: exp.Expr, scope: Scope) -> Value:
    item, *others = (walker.value(argument, scope) for argument in node.expressions)
    value = array(item.through("TRANSFORMATION"))
    for other in others:
        value.chosen_by(other)
    return value


def _zip(walker: ExpressionWalker, node: exp.Expr, scope: Scope) -> Value:
    arrays = [value.through("TRANSFORMATION") for value in arguments(walker, node, scope)]
    value = array(row({f"field{position}": whole.member() for position, whole in enumerate(arrays)}))
    for whole in arrays:
        value.chosen_by(Value(whole.beside))
    return value


def _map_agg(walker: ExpressionWalker, node: exp.Expr, scope: Scope) -> Value:
    parts = [value.through("AGGREGATION") for value in arguments(walker, node, scope)]
    return map_from(parts[0], parts[1]) if len(parts) == 2 else merged(parts)


def _multimap_agg(walker: ExpressionWalker, node: exp.Expr, scope: Scope) -> Value:
    parts = [value.through("AGGREGATION") for value in arguments(walker, node, scope)]
    return map_from(parts[0], array(parts[1])) if len(parts) == 2 else merged(parts)


def _histogram(walker: ExpressionWalker, node: exp.Expr, scope: Scope) -> Value:
    counted = merged(arguments(walker, node, scope), "AGGREGATION")
    return map_from(counted, Value(dict(counted.sources)))


def _map_keys(walker: ExpressionWalker, node: exp.Expr, scope: Scope) -> Value:
    return _of_map(walker, node, scope, lambda whole: array(whole.key()))


def _map_values(walker: ExpressionWalker, node: exp.Expr, scope: Scope) -> Value:
    return _of_map(walker, node, scope, lambda whole: array(whole.member()))


def _map_entries(walker: ExpressionWalker, node: exp.Expr, scope: Scope) -> Value:
    return _of_map(walker, node, scope, lambda whole: array(row({"field0": whole.key(), "field1": whole.member()})))


def _map_from_entries(walker: ExpressionWalker, node: exp.Expr, scope: Scope) -> Value:
    return _of_entries(walker, node, scope, multi=False)


def _multimap_from_entries(walker: ExpressionWalker, node: exp.Expr, scope: Scope) -> Value:
    return _of_entries(walker, node, scope, multi=True)


def _of_map(walker: ExpressionWalker, node: exp.Expr, scope: Scope, make: Callable[[Value], Value]) -> Value:
    whole = merged(arguments(walker, node, scope), "TRANSFORMATION")
    result = make(whole)
    result.chosen_by(Value(whole.beside))
    return result


def _of_entries(walker: ExpressionWalker, node: exp.Expr, scope: Scope, *, multi: bool) -> Value:
    whole = merged(arguments(walker, node, scope), "TRANSFORMATION")
    parts = whole.member().row()
    if len(parts) != 2:
        return Value(whole.everything())
    result = map_from(parts[0], array(parts[1]) if multi else parts[1])
    result.chosen_by(Value(whole.beside))
    return result


# ---- by name --------------------------------------------------------------------------------------------------------

_READERS: dict[str, PathReader] = {
    "row": row_of,
    "array": array_of,
    "map": map_of,
    **dict.fromkeys(
        (
            "array_distinct array_except array_remove first first_value lag last last_value lead next nth_value nullif "
            "prev reverse shuffle slice trim_array try"
        ).split(),
        _kept,
    ),
    **dict.fromkeys("any_value arbitrary map_union set_union".split(), _aggregated),
    "max": _best(1),
    "min": _best(1),
    "max_by": _best(2),
    "min_by": _best(2),
    **dict.fromkeys("array_intersect array_union coalesce concat greatest least map_concat".split(), _united),
    **dict.fromkeys("array_first array_last array_max array_min flatten".split(), _one_element),
    "element_at": _element_at,
    "array_agg": _array_agg,
    "set_agg": _array_agg,
    "repeat": _repeat,
    "combinations": _repeat,
    "ngrams": _repeat,
    "zip": _zip,
    "map_agg": _map_agg,
    "multimap_agg": _multimap_agg,
    "histogram": _histogram,
    "map_keys": _map_keys,
    "map_values": _map_values,
    "map_entries": _map_entries,
    "map_from_entries": _map_from_entries,
    "multimap_from_entries": _multimap_from_entries,
    **FUNCTIONS_OF_FUNCTIONS,
}


def reader_of(node: exp.Expr) -> PathReader | None:
    """The reader of a call that `sql.calls` has marked, if its value has parts."""
    if not node.expressions:
        return None
    name = node.name.lower()
    reader = _READERS.get(name.removeprefix(PREFIX)) if name.startswith(PREFIX) else None
    if reader is None and any(isinstance(item, exp.Lambda) for item in node.expressions):
        return any_function
    return reader
