"""Hive types as other engines spell them."""

from __future__ import annotations

import re

_PRESTO = {"string": "varchar", "int": "integer", "float": "real", "binary": "varbinary", "timestamp": "timestamp(3)"}
_SPARK = {"bigint": "long", "int": "integer", "smallint": "short", "tinyint": "byte"}
_REDSHIFT = {"varchar": "character varying", "char": "character", "numeric": "numeric"}
_SIZED = re.compile(r"(?P<name>\w+)\((?P<sizes>[\d,]+)\)")


def presto_type(hive: str) -> str:
    """As Athena spells it within the JSON of a view.

    >>> presto_type("array<struct<sku:string,n:int>>")
    'array(row(sku varchar, n integer))'
    """
    outer, inner = _nested(hive)
    match outer:
        case "array":
            return f"array({presto_type(inner)})"
        case "map":
            return f"map({', '.join(map(presto_type, _split(inner)))})"
        case "struct":
            fields = (part.partition(":") for part in _split(inner))
            return f"row({', '.join(f'{name} {presto_type(kind)}' for name, _, kind in fields)})"
        case _:
            return _PRESTO.get(hive, hive)


def spark_type(hive: str) -> str:
    """A scalar type as Spark spells it within a table's parameters."""
    return _SPARK.get(hive, hive)


def redshift_type(written: str) -> tuple[str, int | None, int | None, int | None]:
    """The type's long name, its length, precision and scale, as SVV_ALL_COLUMNS tells them.

    >>> redshift_type("numeric(10,2)"), redshift_type("varchar(36)")
    (('numeric', None, 10, 2), ('character varying', 36, None, None))
    """
    sized = _SIZED.fullmatch(written)
    if sized is None:
        return written, None, None, None
    name = _REDSHIFT[sized["name"]]
    first, _, second = sized["sizes"].partition(",")
    return (name, None, int(first), int(second)) if second else (name, int(first), None, None)


def _nested(hive: str) -> tuple[str, str]:
    outer, bracket, inner = hive.partition("<")
    return (outer, inner[:-1]) if bracket else (hive, "")


def _split(inner: str) -> list[str]:
    """Splits at the commas that no bracket encloses."""
    parts, depth = [""], 0
    for character in inner:
        depth += {"<": 1, "(": 1, ">": -1, ")": -1}.get(character, 0)
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return parts
