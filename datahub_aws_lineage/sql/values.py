"""Where a value comes from: the algebra of upstream columns.

A `Value` maps each source column to the confidence with which it was placed. Passing a value through an expression
changes the subtype of its sources: a direct one takes the stronger of the two (IDENTITY < TRANSFORMATION <
AGGREGATION), and an indirect step (a CASE condition, a window key) makes every source indirect.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from datahub_aws_lineage.model.lineage import DIRECT_SUBTYPES, Subtype
from datahub_aws_lineage.model.names import StatementTable
from datahub_aws_lineage.model.nested_types import ArrayOf, MapOf, Scalar, SqlType, StructOf

_RANK: Mapping[str, int] = {"IDENTITY": 0, "TRANSFORMATION": 1, "AGGREGATION": 2}

_WITHOUT_FIELDS = frozenset(
    (
        "bigint binary bool boolean bpchar bytea char character date decimal double float float4 float8 int int2 int4 "
        "int8 integer interval numeric nvarchar real smallint string text time timestamp timestamptz timetz tinyint "
        "uuid varbinary varbyte varchar"
    ).split()
)


class Source(NamedTuple):
    """A column of a real table; `path` is the column name and then the nested fields."""

    table: StatementTable
    path: tuple[str, ...]
    subtype: Subtype

    def through(self, step: Subtype) -> Source:
        if step not in DIRECT_SUBTYPES:
            return self._replace(subtype=step)
        if self.subtype not in DIRECT_SUBTYPES or _RANK[self.subtype] >= _RANK[step]:
            return self
        return self._replace(subtype=step)


@dataclass(slots=True)
class Value:
    """Sources with the confidence of each, and what is known of the value's shape.

    `fields` is set for a row built in SQL, `entries` (keys, values) for a map built in SQL: their parts have sources of
    their own. `rooted` says that the value has the shape of its sources, so that a field of it is a field of theirs.
    `unknown` marks a column that is known by name only: what it is made from was hidden by a star.
    """

    sources: dict[Source, float] = field(default_factory=dict)
    type: SqlType | None = None
    fields: dict[str, Value] | None = None
    rooted: bool = False
    entries: tuple[Value, Value] | None = None
    unknown: bool = False

    def add(self, other: Value, step: Subtype = "IDENTITY") -> None:
        """Takes in the sources of `other` as they are after `step`."""
        for source, confidence in other.sources.items():
            self.add_source(source.through(step), confidence)

    def add_source(self, source: Source, confidence: float) -> None:
        known = self.sources.get(source)
        if known is None or known < confidence:
            self.sources[source] = confidence

    def at_most(self, confidence: float) -> Value:
        """The same value, placed with at most this confidence."""
        if all(known <= confidence for known in self.sources.values()):
            return self
        return replace(self, sources={s: min(c, confidence) for s, c in self.sources.items()})

    def copy(self) -> Value:
        return replace(self, sources=dict(self.sources))

    def through(self, step: Subtype) -> Value:
        """The value after `step`, its fields likewise."""
        result = replace(self, sources={})
        result.add(self, step)
        if self.fields is not None:
            result.fields = {name: value.through(step) for name, value in self.fields.items()}
        return result

    def field(self, name: str) -> Value:
        """A field of the value: of a row built in SQL, of a struct column, of each element of an array of structs.

        The path grows only where the value has its sources' shape, and the type is a struct or unknown.
        """
        if self.fields is not None:
            return self.fields.get(name) or Value(dict(self.sources))
        kind = self.type.element if isinstance(self.type, ArrayOf) else self.type
        if isinstance(kind, StructOf):
            inner = kind.field(name)
            return Value(self._grown(name), inner, rooted=self.rooted) if inner is not None else Value()
        if kind is None:
            return Value(self._grown(name), rooted=self.rooted)
        return Value(dict(self.sources), Scalar("super") if kind == Scalar("super") else None)

    def has_field(self, name: str) -> bool:
        """False only where the type says that there is no such field."""
        if self.fields is not None:
            return name in self.fields
        kind = self.type.element if isinstance(self.type, ArrayOf) else self.type
        match kind:
            case StructOf():
                return kind.field(name) is not None
            case Scalar():
                return kind.name.split(" ", 1)[0] not in _WITHOUT_FIELDS
            case MapOf() | ArrayOf():
                return False
            case None:
                return True

    def field_names(self) -> list[str]:
        """The fields of a row value, where they are known."""
        if self.fields is not None:
            return list(self.fields)
        return [name for name, _ in self.type.fields] if isinstance(self.type, StructOf) else []

    def _grown(self, name: str) -> dict[Source, float]:
        if not self.rooted:
            return dict(self.sources)
        return {
            (s._replace(path=(*s.path, name)) if s.subtype in DIRECT_SUBTYPES else s): c
            for s, c in self.sources.items()
        }

    def element(self) -> Value:
        """An element of an array, or a value of a map."""
        if self.entries is not None:
            return self.entries[1]
        match self.type:
            case ArrayOf(element=inner) | MapOf(value=inner):
                return Value(dict(self.sources), inner, self.fields, self.rooted)
            case Scalar(name="super"):
                return Value(dict(self.sources), self.type, rooted=self.rooted)
            case _:
                return Value(dict(self.sources), None, self.fields, self.rooted)


def merged(values: Iterable[Value], step: Subtype = "IDENTITY") -> Value:
    """One value that comes from all of them; keeps the type where they agree."""
    result, parts = Value(), list(values)
    for value in parts:
        result.add(value, step)
    if parts and all(value.type == parts[0].type for value in parts):
        result.type = parts[0].type
        result.rooted = all(value.rooted for value in parts)
    result.unknown = any(value.unknown for value in parts)
    return result
