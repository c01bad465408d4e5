"""Trino's spelling of a type as Hive's, which is how the Glue catalog writes types."""

from __future__ import annotations

import re
from collections.abc import Iterator

_MAX_DEPTH = 50
"""Nested levels; real schemas stay under ten."""

_SIMPLE = {
    "integer": "int",
    "json": "string",
    "real": "float",
    "uuid": "string",
    "varbinary": "binary",
    "varchar": "string",
}
_TYPE = re.compile(r"(?P<name>[a-z]\w*)\s*(?:\((?P<arguments>.*)\))?(?P<rest>[\w\s]*)", re.IGNORECASE | re.DOTALL)
_NAMED_FIELD = re.compile(
    r'(?:"(?P<quoted>(?:[^"]|"")+)"|(?P<bare>\w+))\s+(?P<type>(?!with\b|precision\b).+)', re.DOTALL
)


def hive_type(text: str) -> str:
    """Gives the Hive type, or `text` itself where it is not a Trino type that Hive can spell.

    >>> hive_type("array(row(sku varchar, qty integer))")
    'array<struct<sku:string,qty:int>>'
    >>> hive_type("timestamp(3) with time zone")
    'timestamp'
    """
    return _hive_type(text, 0) or text


def _hive_type(text: str, depth: int) -> str | None:
    found = _TYPE.fullmatch(text.strip())
    if found is None or depth > _MAX_DEPTH:
        return None
    name, arguments = found["name"].lower(), found["arguments"]
    if arguments is None:
        return _SIMPLE.get(name, name)
    parts = list(_split(arguments))
    match name:
        case "array" | "map":
            inner = [_hive_type(part, depth + 1) for part in parts]
        case "row":
            name = "struct"
            inner = [_struct_field(part, index, depth + 1) for index, part in enumerate(parts)]
        case "time" | "timestamp":
            return name
        case _:
            return f"{name}({','.join(part.strip() for part in parts)})"
    known = [part for part in inner if part is not None]
    return f"{name}<{','.join(known)}>" if len(known) == len(parts) else None


def _struct_field(text: str, index: int, depth: int) -> str | None:
    """A field of a row; a nameless one is called `field0`, `field1`, … as Trino's Hive connector does."""
    found = _NAMED_FIELD.fullmatch(text.strip())
    if found is None:
        name, type_text = f"field{index}", text
    else:
        name, type_text = found["bare"] or found["quoted"].replace('""', '"'), found["type"]
    type_ = _hive_type(type_text, depth)
    return f"{name}:{type_}" if type_ else None


def _split(arguments: str) -> Iterator[str]:
    """Splits at the commas that stand outside parentheses and quotes."""
    depth, start, quoted = 0, 0, False
    for position, character in enumerate(arguments):
        if character == '"':
            quoted = not quoted
        elif quoted:
            continue
        elif character == "(":
            depth += 1
        elif character == ")":
            depth -= 1
        elif character == "," and depth == 0:
            yield arguments[start:position]
            start = position + 1
    yield arguments[start:]
