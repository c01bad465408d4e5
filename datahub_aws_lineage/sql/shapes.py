"""Values with parts: rows, arrays and maps that SQL builds, casts to such types, and choices among such values.

Readers of expressions: each takes the walker, a node and its scope, and gives the node's value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TypeAlias

from sqlglot import exp

from datahub_aws_lineage.model.nested_types import ArrayOf, SqlType, parse_type
from datahub_aws_lineage.sql.scopes import Scope
from datahub_aws_lineage.sql.values import Value, merged

if TYPE_CHECKING:
    from datahub_aws_lineage.sql.expressions import ExpressionWalker

PathReader: TypeAlias = Callable[["ExpressionWalker", exp.Expr, Scope], Value]


def cast_to(walker: ExpressionWalker, node: exp.Expr, scope: Scope) -> Value:
    kind = _cast_type(node)
    while isinstance(node.this, exp.Cast):  # a::int::text is no deeper than a::text
        node = node.this
    return walker.value(node.this, scope).cast(kind)


def _cast_type(node: exp.Expr) -> SqlType | None:
    kind = node.args.get("to")
    if kind is None or not kind.args.get("nested"):
        return None
    return parse_type(kind.sql(dialect="trino"))


def row_of(walker: ExpressionWalker, node: exp.Expr, scope: Scope) -> Value:
    fields: dict[str, Value] = {}
    for position, item in enumerate(node.expressions):
        named = isinstance(item, exp.PropertyEQ | exp.Alias)
        name = item.alias_or_name if isinstance(item, exp.Alias) else item.this.name if named else ""
        inner = item.expression if isinstance(item, exp.PropertyEQ) else item.unalias()
        fields[name.lower() or f"field{position}"] = walker.value(inner, scope)
    return row(fields)


def row(fields: dict[str, Value]) -> Value:
    result = Value(fields=fields)
    for part in fields.values():
        result.add(part, "TRANSFORMATION")
    return result


def array_of(walker: ExpressionWalker, node: exp.Expr, scope: Scope) -> Value:
    return array(merged(walker.value(item, scope) for item in node.expressions))


def array(item: Value) -> Value:
    """An array of such items."""
    result = Value(type=ArrayOf(item.type) if item.type is not None else None, item=item)
    result.add(item, "TRANSFORMATION")
    return result


def map_of(walker: ExpressionWalker, node: exp.Expr, scope: Scope) -> Value:
    """MAP(keys, values), from two arrays."""
    parts = [walker.value(item, scope) for item in node.expressions]
    if len(parts) != 2:
        return merged(parts, "TRANSFORMATION")
    return map_from(parts[0].member(), parts[1].member())


def map_from(key: Value, member: Value) -> Value:
    """A map of such keys to such values."""
    result = Value(entries=(key, member))
    result.add(key, "TRANSFORMATION")
    result.add(member, "TRANSFORMATION")
    return result


def chosen(walker: ExpressionWalker, node: exp.Expr, scope: Scope) -> Value:
    """IF, CASE and COALESCE give one of several values; nested ones, however deep, are one choice."""
    results: list[Value] = []
    conditions = Value()
    stack: list[exp.Expr | None] = [node]
    while stack:
        current = stack.pop()
        match current:
            case None:
                continue
            case exp.Paren():
                stack.append(current.this)
            case exp.Coalesce():
                stack.extend(reversed([current.this, *current.expressions]))
            case exp.If():
                walker.collect(current.this, scope, conditions)
                stack.extend((current.args.get("false"), current.args.get("true")))
            case exp.Case():
                branches = current.args.get("ifs") or ()
                for condition in (current.args.get("this"), *(branch.this for branch in branches)):
                    if condition is not None:
                        walker.collect(condition, scope, conditions)
                stack.append(current.args.get("default"))
                stack.extend(branch.args.get("true") for branch in reversed(branches))
            case _:
                results.append(walker.value(current, scope))
    value = merged(results, "TRANSFORMATION")
    value.chosen_by(conditions, "CONDITIONAL")
    return value


def concatenated(walker: ExpressionWalker, node: exp.Expr, scope: Scope) -> Value:
    """`a || b || …`: strings, or arrays of one kind."""
    parts: list[Value] = []
    stack = [node]
    while stack:
        current = stack.pop()
        if isinstance(current, exp.DPipe):
            stack.extend((current.expression, current.this))
        elif isinstance(current, exp.Paren):
            stack.append(current.this)
        else:
            parts.append(walker.value(current, scope))
    return merged(parts, "TRANSFORMATION")


def same_array(walker: ExpressionWalker, node: exp.Expr, scope: Scope) -> Value:
    """Functions that give elements of their first argument, as sqlglot's own nodes: array_sort, slice, …"""
    first, *others = [child for child in node.iter_expressions() if isinstance(child, exp.Expr)]
    value = walker.value(first, scope).through("TRANSFORMATION")
    for other in others:
        value.chosen_by(walker.value(other, scope))
    return value


def array_agg(walker: ExpressionWalker, node: exp.Expr, scope: Scope) -> Value:
    return collected(walker, node.this, scope)


def collected(walker: ExpressionWalker, argument: exp.Expr, scope: Scope) -> Value:
    """The array that an aggregate makes of `x`, `DISTINCT x` or `x ORDER BY y`."""
    inner, keys = ordered_argument(argument)
    result = array(walker.value(inner, scope).through("AGGREGATION"))
    for key in keys:
        result.chosen_by(walker.value(key, scope), "WINDOW")
    return result


def ordered_argument(node: exp.Expr) -> tuple[exp.Expr, list[exp.Expr]]:
    """An aggregate's argument without DISTINCT and LIMIT, and the keys of its ORDER BY."""
    keys: list[exp.Expr] = []
    while isinstance(node, exp.Order | exp.Limit | exp.IgnoreNulls | exp.RespectNulls):
        if isinstance(node, exp.Order):
            keys.extend(key.this if isinstance(key, exp.Ordered) else key for key in node.expressions)
        node = node.this
    if isinstance(node, exp.Distinct) and len(node.expressions) == 1:
        node = node.expressions[0]
    return node, keys


def subscript(walker: ExpressionWalker, node: exp.Expr, scope: Scope) -> Value:
    """`row[1]`, `array[n]` and `map[key]`."""
    whole = walker.value(node.this, scope)
    literal = node.expressions[0] if len(node.expressions) == 1 else None
    if isinstance(literal, exp.Literal) and literal.name.isdigit() and not literal.is_string:
        fields = whole.row()
        if 0 < int(literal.name) <= len(fields):
            return fields[int(literal.name) - 1]
    indexes = [walker.value(index, scope) for index in node.expressions if not isinstance(index, exp.Literal)]
    return indexed(whole, indexes)


def indexed(whole: Value, indexes: list[Value]) -> Value:
    """One element of an array, or the value of a map that a key chooses."""
    value = whole.element().copy()
    if whole.entries is not None:
        value.chosen_by(whole.key(), "CONDITIONAL")
    for index in indexes:
        value.chosen_by(index)
    return value


def over_window(walker: ExpressionWalker, node: exp.Expr, scope: Scope) -> Value:
    """A function over a window: each part of what it gives depends on the window's keys."""
    value = walker.value(node.this, scope).through("TRANSFORMATION")
    for key in walker.window_keys(node, scope):
        value.chosen_by(walker.value(key, scope), "WINDOW")
    return value


def filtered(walker: ExpressionWalker, node: exp.Expr, scope: Scope) -> Value:
    """An aggregate's FILTER (WHERE …)."""
    value = walker.value(node.this, scope).copy()
    condition = node.args.get("expression")
    inner = condition.this if isinstance(condition, exp.Where) else condition
    if inner is not None:
        value.chosen_by(walker.value(inner, scope), "CONDITIONAL")
    return value


def inner_value(walker: ExpressionWalker, node: exp.Expr, scope: Scope) -> Value:
    """Parentheses, aliases, IGNORE NULLS: the value is that of what they stand around."""
    return walker.value(node.this, scope)


def arguments(walker: ExpressionWalker, node: exp.Expr, scope: Scope) -> Iterator[Value]:
    """The values of a function's arguments, but not of those that are functions themselves."""
    return (walker.value(item, scope) for item in node.expressions if not isinstance(item, exp.Lambda))
