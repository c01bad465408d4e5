"""Values with parts: rows, arrays and maps that SQL builds, casts to such types, and functions that keep them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from datahub_aws_lineage.model.nested_types import ArrayOf, SqlType, StructOf, parse_type
from datahub_aws_lineage.sql.relations import Scope
from datahub_aws_lineage.sql.values import Value, merged

if TYPE_CHECKING:
    from datahub_aws_lineage.sql.expressions import ExpressionWalker


def cast_to(walker: ExpressionWalker, node: exp.Expr, scope: Scope) -> Value:
    kind = cast_type(node)
    while isinstance(node.this, exp.Cast):  # a::int::text is no deeper than a::text
        node = node.this
    inner = walker.value(node.this, scope)
    result = Value(type=kind)
    result.add(inner, "TRANSFORMATION")
    if inner.fields is not None and kind is not None:
        names = _field_names(kind)
        if len(names) == len(inner.fields):
            result.fields = dict(zip(names, inner.fields.values(), strict=True))
    return result


def row_of(walker: ExpressionWalker, node: exp.Expr, scope: Scope) -> Value:
    fields: dict[str, Value] = {}
    for position, item in enumerate(node.expressions):
        named = isinstance(item, exp.PropertyEQ | exp.Alias)
        name = item.alias_or_name if isinstance(item, exp.Alias) else item.this.name if named else ""
        inner = item.expression if isinstance(item, exp.PropertyEQ) else item.unalias()
        fields[name.lower() or f"field{position}"] = walker.value(inner, scope)
    result = merged(fields.values(), "TRANSFORMATION")
    result.type, result.fields, result.rooted = None, fields, False
    return result


def array_of(walker: ExpressionWalker, node: exp.Expr, scope: Scope) -> Value:
    elements = [walker.value(item, scope) for item in node.expressions]
    result = merged(elements, "TRANSFORMATION")
    result.type = ArrayOf(result.type) if result.type is not None else None
    rows = [element.fields for element in elements]
    if rows and all(row is not None and len(row) == len(rows[0] or {}) for row in rows):
        columns = zip(*(list((row or {}).values()) for row in rows), strict=True)
        result.fields = dict(zip(rows[0] or {}, (merged(column) for column in columns), strict=True))
    return result


def map_of(walker: ExpressionWalker, node: exp.Expr, scope: Scope) -> Value:
    """MAP(keys, values), from two arrays."""
    parts = [walker.value(item, scope) for item in node.expressions]
    result = merged(parts, "TRANSFORMATION")
    if len(parts) == 2:
        keys, values = parts
        result.entries = (keys.element(), values.element())
    return result


def same_array(walker: ExpressionWalker, node: exp.Expr, scope: Scope) -> Value:
    """Functions that give elements of their first argument: filter, slice, array_sort, …"""
    first, *others = [child for child in node.iter_expressions() if isinstance(child, exp.Expr)]
    value = walker.value(first, scope).through("TRANSFORMATION")
    for other in others:
        walker.collect(other, scope, value)
    return value


def array_agg(walker: ExpressionWalker, node: exp.Expr, scope: Scope) -> Value:
    inner = node.this
    order = inner if isinstance(inner, exp.Order) else None
    inner = inner.this if order is not None else inner
    if isinstance(inner, exp.Distinct) and len(inner.expressions) == 1:
        inner = inner.expressions[0]
    element = walker.value(inner, scope)
    result = element.through("AGGREGATION")
    result.type = ArrayOf(element.type) if element.type is not None else None
    for key in order.expressions if order is not None else ():
        result.add(walker.value(key.this if isinstance(key, exp.Ordered) else key, scope), "WINDOW")
    return result


def transformed(walker: ExpressionWalker, node: exp.Expr, scope: Scope) -> Value:
    """transform(array, x -> CAST(ROW(…) AS ROW(…))): an array of rows of that type."""
    result = Value()
    for child in node.iter_expressions():
        walker.collect(child, scope, result)
    function = node.args.get("expression")
    body = function.this if isinstance(function, exp.Lambda) else None
    kind = cast_type(body) if isinstance(body, exp.Cast) else None
    result.type = ArrayOf(kind) if kind is not None else None
    return result


def cast_type(node: exp.Expr) -> SqlType | None:
    kind = node.args.get("to")
    if kind is None or not kind.args.get("nested"):
        return None
    return parse_type(kind.sql(dialect="trino"))


def _field_names(kind: SqlType) -> list[str]:
    inner = kind.element if isinstance(kind, ArrayOf) else kind
    return [name for name, _ in inner.fields] if isinstance(inner, StructOf) else []


def numbered_field(row: Value, node: exp.Expr) -> Value | None:
    """ROW(a, b)[2]: the second field of a row built in SQL. sqlglot has made the subscript count from 0."""
    index = node.expressions[0] if len(node.expressions) == 1 else None
    if row.fields is None or isinstance(row.type, ArrayOf) or not isinstance(index, exp.Literal) or index.is_string:
        return None
    position = int(index.name) if index.name.isdigit() else -1
    values = list(row.fields.values())
    return values[position].copy() if 0 <= position < len(values) else None
