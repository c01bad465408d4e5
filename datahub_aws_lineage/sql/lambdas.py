"""Functions that take functions: a lambda's parameters stand for elements, keys and values of its arguments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from sqlglot import exp

from datahub_aws_lineage.sql.scopes import Scope
from datahub_aws_lineage.sql.shapes import PathReader, arguments, array, map_from
from datahub_aws_lineage.sql.values import Value, merged

if TYPE_CHECKING:
    from datahub_aws_lineage.sql.expressions import ExpressionWalker

_ROUNDS = 6
"""A state of reduce() is followed until its sources stop growing; each round adds at least one of few subtypes."""

_REPEATED_WITHIN = 3
"""Deeper within other reduce() it is followed once: rounds within rounds multiply."""


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


FUNCTIONS_OF_FUNCTIONS: dict[str, PathReader] = {
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
