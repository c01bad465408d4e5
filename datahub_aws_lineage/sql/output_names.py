"""The name of an output column, as the engine gives it."""

from __future__ import annotations

from sqlglot import exp

from datahub_aws_lineage.model.names import Dialect
from datahub_aws_lineage.sql.token_edits import PREFIX

_REDSHIFT_NAMES: dict[type[exp.Expr], str] = {
    exp.Coalesce: "coalesce",
    exp.GroupConcat: "listagg",
    exp.Extract: "date_part",
    exp.TimestampTrunc: "date_trunc",
    exp.TsOrDsAdd: "date_add",
    exp.TsOrDsDiff: "date_diff",
    exp.AtTimeZone: "timezone",
    exp.ApproxDistinct: "count",
    exp.ApproxQuantile: "percentile_disc",
    exp.Exists: "?column?",
}
"""Functions that Redshift's grammar calls otherwise than they are written."""

_TRIMS = {"LEADING": "ltrim", "TRAILING": "rtrim"}

_TYPE_NAMES: dict[object, str] = {
    exp.DataType.Type.SMALLINT: "int2",
    exp.DataType.Type.INT: "int4",
    exp.DataType.Type.BIGINT: "int8",
    exp.DataType.Type.DECIMAL: "numeric",
    exp.DataType.Type.FLOAT: "float4",
    exp.DataType.Type.DOUBLE: "float8",
    exp.DataType.Type.BOOLEAN: "bool",
    exp.DataType.Type.CHAR: "bpchar",
}
"""What PostgreSQL's grammar makes of the names of types; others stay."""


def output_name(item: exp.Expr, dialect: Dialect) -> str | None:
    """The alias, else the column's own last name, else what the engine makes up.

    Athena: none, until the statement's end (`numbered_name`). Redshift: the function's name or `?column?`.
    """
    if isinstance(item, exp.Alias):
        return item.alias.lower()
    if dialect == "athena":
        return _trino_name(item)
    return _figured(item)[0] or "?column?"


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


def _figured(item: exp.Expr) -> tuple[str | None, bool]:
    """The name that PostgreSQL's FigureColname gives, and whether it is better than that of a type around it.

    A CASE is called like its ELSE, and a cast like its argument, where those have a name; else `case`, and the type.
    """
    while isinstance(item, _TRANSPARENT):
        item = item.this
    match item:
        case exp.Column() | exp.Identifier():
            return item.name.lower(), True
        case exp.Dot():
            return _figured(item.expression)
        case exp.Case():
            name, strong = _figured(item.args["default"]) if item.args.get("default") is not None else (None, False)
            return (name, True) if strong else ("case", False)
        case exp.DecodeCase() | exp.Nvl2() | exp.If():
            return "case", False
        case exp.Cast():
            name, strong = _figured(item.this)
            return (name, True) if strong else (_type_name(item.args["to"]), False)
        case exp.Trim() if "name" not in item.meta:
            return _TRIMS.get(str(item.args.get("position") or ""), "btrim"), True
        case exp.StrPosition() if "name" not in item.meta:
            return "position", True
    if type(item) in _REDSHIFT_NAMES:
        return _REDSHIFT_NAMES[type(item)], True
    name = _function_name(item)
    return name, name is not None


_TRANSPARENT = exp.Paren | exp.Window | exp.WithinGroup | exp.Filter | exp.Bracket | exp.IgnoreNulls | exp.RespectNulls


def _function_name(item: exp.Expr) -> str | None:
    """As it was written, else as sqlglot calls it; operators have none."""
    if isinstance(item, exp.Anonymous):
        return item.name.lower().removeprefix(PREFIX)
    if "name" in item.meta:
        return str(item.meta["name"]).lower()
    return item.sql_name().lower() if isinstance(item, exp.Func) and not isinstance(item, exp.Binary) else None


def _type_name(kind: exp.Expr) -> str | None:
    if not isinstance(kind, exp.DataType):
        return None
    return _TYPE_NAMES.get(kind.this) or str(kind.this.value).lower()
