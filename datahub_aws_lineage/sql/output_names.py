"""The name of an output column, as the engine gives it."""

from __future__ import annotations

from sqlglot import exp

from datahub_aws_lineage.model.names import Dialect

_REDSHIFT_NAMES: dict[type[exp.Expr], str] = {
    exp.Case: "case",
    exp.DecodeCase: "case",
    exp.Coalesce: "coalesce",
    exp.If: "case",
    exp.GroupConcat: "listagg",
    exp.Extract: "date_part",
    exp.TimestampTrunc: "date_trunc",
    exp.TsOrDsAdd: "date_add",
    exp.TsOrDsDiff: "date_diff",
    exp.Exists: "?column?",
}


def output_name(item: exp.Expr, dialect: Dialect) -> str | None:
    """The alias, else the column's own last name, else what the engine makes up.

    Athena: none, until the statement's end (`numbered_name`). Redshift: the function's name or `?column?`.
    """
    if isinstance(item, exp.Alias):
        return item.alias.lower()
    if dialect == "athena":
        return _trino_name(item)
    if isinstance(item, exp.Column):
        return item.name.lower()
    if isinstance(item, exp.Dot) and isinstance(item.expression, exp.Identifier):
        return item.expression.name.lower()
    return _redshift_name(item)


def numbered_name(position: int) -> str:
    """What Athena calls an output column without a name, by its position from 0."""
    return f"_col{position}"


def _trino_name(item: exp.Expr) -> str | None:
    """A name, or a field of what is itself named by names alone; parentheses make no difference."""
    item = _bare(item)
    if isinstance(item, exp.Column):
        return item.name.lower()
    last = item
    while isinstance(item, exp.Dot):
        item = _bare(item.this)
    return last.expression.name.lower() if last is not item and isinstance(item, exp.Column) else None


def _bare(item: exp.Expr) -> exp.Expr:
    while isinstance(item, exp.Paren):
        item = item.this
    return item


def _redshift_name(item: exp.Expr) -> str:
    while isinstance(
        item,
        exp.Paren
        | exp.Cast
        | exp.Window
        | exp.WithinGroup
        | exp.Filter
        | exp.Bracket
        | exp.AtTimeZone
        | exp.IgnoreNulls
        | exp.RespectNulls,
    ):
        item = item.this
        if isinstance(item, exp.Column):
            return item.name.lower()
    if isinstance(item, exp.Dot):
        item = item.expression
    if isinstance(item, exp.Identifier):
        return item.name.lower()
    if type(item) in _REDSHIFT_NAMES:
        return _REDSHIFT_NAMES[type(item)]
    if isinstance(item, exp.Anonymous):
        return item.name.lower()
    if isinstance(item, exp.Func) and not isinstance(item, exp.Connector):
        return item.sql_name().lower()
    return "?column?"
