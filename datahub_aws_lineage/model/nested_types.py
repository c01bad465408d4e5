"""Nested types, as far as lineage needs them: which fields a struct has, what an array holds.

Reads Hive's spelling (`struct<a:int,b:array<string>>`) and Trino's (`row(a int, b array(varchar))`); everything else
(`decimal(10,2)`, `varchar`, `super`) is a scalar.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Scalar:
    name: str


@dataclass(frozen=True, slots=True)
class ArrayOf:
    element: SqlType


@dataclass(frozen=True, slots=True)
class MapOf:
    key: SqlType
    value: SqlType


@dataclass(frozen=True, slots=True)
class StructOf:
    fields: tuple[tuple[str, SqlType], ...]

    def field(self, name: str) -> SqlType | None:
        return next((kind for field, kind in self.fields if field == name), None)


SqlType: TypeAlias = Scalar | ArrayOf | MapOf | StructOf

_MAX_DEPTH = 60
_TOKEN = re.compile(r'\s*("(?:[^"]|"")*"|`[^`]*`|[<>(),:]|[^\s<>(),:]+)')


@lru_cache(maxsize=8192)
def parse_type(text: str) -> SqlType:
    """Never fails: what cannot be read is a scalar of that name."""
    reader = _Reader(_TOKEN.findall(text))
    try:
        kind = reader.type(0)
    except (IndexError, RecursionError):
        return Scalar(text.strip().lower())
    return kind if reader.done else Scalar(text.strip().lower())


def field_paths(column: str, kind: str) -> Iterator[str]:
    """The column and every field below it, as dotted paths; elements of arrays and values of maps add no part.

    >>> list(field_paths("user", "struct<id:int,tags:array<struct<k:string>>>"))
    ['user', 'user.id', 'user.tags', 'user.tags.k']
    """
    pending: list[tuple[str, SqlType]] = [(column, parse_type(kind))]
    while pending:
        path, inner = pending.pop()
        yield path
        while isinstance(inner, ArrayOf | MapOf):
            inner = inner.element if isinstance(inner, ArrayOf) else inner.value
        if isinstance(inner, StructOf):
            pending.extend((f"{path}.{name}", field) for name, field in reversed(inner.fields))


class _Reader:
    def __init__(self, tokens: list[str]) -> None:
        self.tokens = tokens
        self.at = 0

    @property
    def done(self) -> bool:
        return self.at >= len(self.tokens)

    def type(self, depth: int) -> SqlType:
        if depth > _MAX_DEPTH:
            raise RecursionError
        name = self._next().lower()
        opening = None if self.done else self.tokens[self.at]
        if opening in ("<", "(") and name in ("array", "map", "struct", "row"):
            self.at += 1
            return self._nested(name, depth)
        return self._scalar(name)

    def _nested(self, name: str, depth: int) -> SqlType:
        if name == "array":
            kind: SqlType = ArrayOf(self.type(depth + 1))
        elif name == "map":
            key = self.type(depth + 1)
            self._next()
            kind = MapOf(key, self.type(depth + 1))
        else:
            return StructOf(tuple(self._fields(depth)))
        self._next()
        return kind

    def _fields(self, depth: int) -> list[tuple[str, SqlType]]:
        fields: list[tuple[str, SqlType]] = []
        while True:
            name = self._next().strip('"`').lower()
            following = "" if self.done else self.tokens[self.at]
            if following == ":":
                self.at += 1
            elif following and following in ",)<(>":  # Trino: `row(int, varchar)`, a type without a name
                self.at -= 1
                name = f"field{len(fields)}"
            fields.append((name, self.type(depth + 1)))
            if self._next() != ",":
                return fields

    def _scalar(self, name: str) -> SqlType:
        words, nested = [name], 0
        while not self.done:
            word = self.tokens[self.at]
            if nested == 0 and word in (",", ")", ">"):
                break
            nested += (word in "(<") - (word in ")>")
            words.append(word)
            self.at += 1
        return Scalar(" ".join(words))

    def _next(self) -> str:
        self.at += 1
        return self.tokens[self.at - 1]
