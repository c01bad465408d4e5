"""Functions of Athena (Trino) that keep parts of rows, arrays and maps, or take functions themselves.

All others are made from their arguments as a whole. Names as `sql.rewriting` has marked them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from sqlglot import exp

from datahub_aws_lineage.model.lineage import Subtype
from datahub_aws_lineage.sql.relations import Scope
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

_ROUNDS = 6
"""A state of reduce() is followed until its sources stop growing; each round adds at least one of few subtypes."""

_REPEATED_WITHIN = 3
"""Deeper within other reduce() it is followed once: rounds within rounds multiply."""


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


# ---- functions of functions -----------------------------------------------------------------------------------------


def applied(walker: ExpressionWalker, function: exp.Expr, given: Sequence[Value], scope: Scope) -> Value:
    """What a lambda gives for these arguments; what is no lambda is a value of its own."""
    if not isinstance(function, exp.Lambda):
        return walker.value(function, scope)
    parameters = {parameter.name.lower(): Value() for parameter in function.expressions}
    parameters |= zip(list(parameters), given, strict=False)
    return walker.value(function.this, Scope(scope.dialect, scope, parameters=parameters))


def any_function(walker: ExpressionWalker, node: exp.Expr, scope: Scope) -> Value:
    """A function that is not known here and takes a lambda: of whatever it may be given."""
    whole = merged(arguments(walker, node, scope), "TRANSFORMATION")
    result = Value(whole.everything().copy())
    for function in node.expressions:
        if isinstance(function, exp.Lambda):
            given = [whole.member()] * len(function.expressions)
            result.add(applied(walker, function, given, scope), "TRANSFORMATION")
    return result


def _grounded(result: Value, *given: Value) -> Value:
    """What makes no use of an array's elements still depends on how many there are."""
    used = {(source.table, source.path[0]) for source in result.everything()}
    for value in given:
        if not any((source.table, source.path[0]) in used for source in value.sources):
            result.chosen_by(Value(value.sources))
        result.chosen_by(Value(value.beside))
    return result


_Lambdas = Callable[["ExpressionWalker", Sequence[exp.Expr], Scope], Value]


def _with(count: int, read: _Lambdas) -> PathReader:
    """A function of so many arguments; with others it is not the one that is meant."""

    def checked(walker: ExpressionWalker, node: exp.Expr, scope: Scope) -> Value:
        items = node.expressions
        return read(walker, items, scope) if len(items) == count else any_function(walker, node, scope)

    return checked


def _transform(walker: ExpressionWalker, items: Sequence[exp.Expr], scope: Scope) -> Value:
    whole = walker.value(items[0], scope).through("TRANSFORMATION")
    return _grounded(array(applied(walker, items[1], [whole.member()], scope)), whole)


def _filter(walker: ExpressionWalker, items: Sequence[exp.Expr], scope: Scope) -> Value:
    whole = walker.value(items[0], scope).through("TRANSFORMATION")
    whole.chosen_by(applied(walker, items[1], [whole.member()], scope))
    return whole


def _match(walker: ExpressionWalker, items: Sequence[exp.Expr], scope: Scope) -> Value:
    whole = walker.value(items[0], scope)
    result = Value()
    result.add(applied(walker, items[1], [whole.member()], scope), "TRANSFORMATION")
    return _grounded(result, whole.through("TRANSFORMATION"))


def _array_sort(walker: ExpressionWalker, node: exp.Expr, scope: Scope) -> Value:
    first, *comparators = node.expressions
    whole = walker.value(first, scope).through("TRANSFORMATION")
    for comparator in comparators:
        whole.chosen_by(applied(walker, comparator, [whole.member()] * 2, scope))
    return whole


def _zip_with(walker: ExpressionWalker, items: Sequence[exp.Expr], scope: Scope) -> Value:
    arrays = [walker.value(item, scope).through("TRANSFORMATION") for item in items[:2]]
    return _grounded(array(applied(walker, items[2], [whole.member() for whole in arrays], scope)), *arrays)


def _reduce(walker: ExpressionWalker, items: Sequence[exp.Expr], scope: Scope) -> Value:
    whole = walker.value(items[0], scope).through("TRANSFORMATION")
    state = _last_state(walker, items, whole.member(), scope)
    return _grounded(applied(walker, items[3], [state], scope).through("TRANSFORMATION"), whole)


def _reduce_agg(walker: ExpressionWalker, items: Sequence[exp.Expr], scope: Scope) -> Value:
    value = walker.value(items[0], scope)
    return _grounded(_last_state(walker, items, value, scope), value).through("AGGREGATION")


def _last_state(walker: ExpressionWalker, items: Sequence[exp.Expr], member: Value, scope: Scope) -> Value:
    """The least fixed point of `(state, element) -> state`."""
    state = walker.value(items[1], scope).copy()
    walker.reductions += 1
    for _ in range(_ROUNDS if walker.reductions <= _REPEATED_WITHIN else 1):
        found = merged([state, applied(walker, items[2], [state, member], scope)])
        if found == state:
            break
        state = found
    walker.reductions -= 1
    return state


def _map_filter(walker: ExpressionWalker, items: Sequence[exp.Expr], scope: Scope) -> Value:
    whole = walker.value(items[0], scope).through("TRANSFORMATION")
    whole.chosen_by(applied(walker, items[1], [whole.key(), whole.member()], scope))
    return whole


def _transform_keys(walker: ExpressionWalker, items: Sequence[exp.Expr], scope: Scope) -> Value:
    whole = walker.value(items[0], scope).through("TRANSFORMATION")
    key = applied(walker, items[1], [whole.key(), whole.member()], scope)
    return _grounded(map_from(key, whole.member()), whole)


def _transform_values(walker: ExpressionWalker, items: Sequence[exp.Expr], scope: Scope) -> Value:
    whole = walker.value(items[0], scope).through("TRANSFORMATION")
    member = applied(walker, items[1], [whole.key(), whole.member()], scope)
    return _grounded(map_from(whole.key(), member), whole)


def _map_zip_with(walker: ExpressionWalker, items: Sequence[exp.Expr], scope: Scope) -> Value:
    maps = [walker.value(item, scope).through("TRANSFORMATION") for item in items[:2]]
    key = merged(whole.key() for whole in maps)
    member = applied(walker, items[2], [key, *(whole.member() for whole in maps)], scope)
    return _grounded(map_from(key, member), *maps)


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
    "transform": _with(2, _transform),
    "filter": _with(2, _filter),
    **dict.fromkeys("all_match any_match none_match".split(), _with(2, _match)),
    "array_sort": _array_sort,
    "zip_with": _with(3, _zip_with),
    "reduce": _with(4, _reduce),
    "reduce_agg": _with(4, _reduce_agg),
    "map_filter": _with(2, _map_filter),
    "transform_keys": _with(2, _transform_keys),
    "transform_values": _with(2, _transform_values),
    "map_zip_with": _with(3, _map_zip_with),
}


def reader_of(node: exp.Expr) -> PathReader | None:
    """The reader of a call that `sql.rewriting` has marked, if its value has parts."""
    if not node.expressions:
        return None
    name = node.name.lower()
    reader = _READERS.get(name.removeprefix(PREFIX)) if name.startswith(PREFIX) else None
    if reader is None and any(isinstance(item, exp.Lambda) for item in node.expressions):
        return any_function
    return reader
