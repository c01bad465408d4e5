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


Sources = dict[Source, float]


@dataclass(slots=True)
class Value:
    """Sources with the confidence of each, and what is known of the value's shape.

    `fields` is set for a row built in SQL, `item` for an array, `entries` (keys, values) for a map: their parts have
    sources of their own. `rooted` says that the value has the shape of its sources, so that a field of it is a field
    of theirs. `beside` are sources that chose, filtered or ordered the value (an index, a condition, ORDER BY): each
    part of it has them too, as they are. `unknown` marks a column that is known by name only: what it is made from was
    hidden by a star.
    """

    sources: Sources = field(default_factory=dict)
    type: SqlType | None = None
    fields: dict[str, Value] | None = None
    rooted: bool = False
    entries: tuple[Value, Value] | None = None
    unknown: bool = False
    item: Value | None = None
    beside: Sources = field(default_factory=dict)

    # ---- sources ----------------------------------------------------------------------------------------------------

    def everything(self) -> Sources:
        """All sources. Not to be changed."""
        return _joined(self.sources, self.beside) if self.beside else self.sources

    def add(self, other: Value, step: Subtype = "IDENTITY") -> None:
        """Takes in the sources of `other` as they are after `step`."""
        _take(self.sources, other.everything(), step)

    def chosen_by(self, other: Value, step: Subtype = "TRANSFORMATION") -> None:
        """Takes in the sources of `other` beside the value's own: no part of the value is without them."""
        _take(self.beside, other.everything(), step)

    def at_most(self, confidence: float) -> Value:
        """The same value, placed with at most this confidence."""
        if all(known <= confidence for known in self.everything().values()):
            return self
        sources, beside = ({s: min(c, confidence) for s, c in part.items()} for part in (self.sources, self.beside))
        return replace(self, sources=sources, beside=beside)

    def copy(self) -> Value:
        return replace(self, sources=dict(self.sources), beside=dict(self.beside))

    def through(self, step: Subtype) -> Value:
        """The value after `step`, its parts likewise."""
        result = replace(self, sources=_through(self.sources, step), beside=_through(self.beside, step))
        if self.fields is not None:
            result.fields = {name: value.through(step) for name, value in self.fields.items()}
        if self.entries is not None:
            result.entries = (self.entries[0].through(step), self.entries[1].through(step))
        if self.item is not None:
            result.item = self.item.through(step)
        return result

    # ---- parts ------------------------------------------------------------------------------------------------------

    def field(self, name: str) -> Value:
        """A field of the value: of a row built in SQL, of a struct column, of each element of an array of structs.

        The path grows only where the value has its sources' shape, and the type is a struct or unknown.
        """
        if self.fields is not None:
            return self._part(self.fields.get(name) or Value(dict(self.sources)))
        if self.item is not None:
            return self._part(self.item.field(name))
        kind = self.type.element if isinstance(self.type, ArrayOf) else self.type
        if isinstance(kind, StructOf):
            inner = kind.field(name)
            return self._part(Value(self._grown(name), inner, rooted=self.rooted) if inner is not None else Value())
        if kind is None:
            return self._part(Value(self._grown(name), rooted=self.rooted))
        return self._part(Value(dict(self.sources), Scalar("super") if kind == Scalar("super") else None))

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

    def row(self) -> list[Value]:
        """The fields of a row value in order, where they are known."""
        return [self.field(name) for name in self.field_names()]

    def element(self) -> Value:
        """One element of an array, or one value of a map."""
        return self._part(self.member())

    def member(self) -> Value:
        """Any element of an array, or value of a map: what chose or ordered the array says nothing of each."""
        if self.item is not None:
            return self.item
        if self.entries is not None:
            return self.entries[1]
        match self.type:
            case ArrayOf(element=inner) | MapOf(value=inner):
                return Value(dict(self.sources), inner, self.fields, self.rooted)
            case Scalar(name="super"):
                return Value(dict(self.sources), self.type, rooted=self.rooted)
            case _:
                return Value(dict(self.sources), None, self.fields, self.rooted)

    def key(self) -> Value:
        """Any key of a map."""
        if self.entries is not None:
            return self.entries[0]
        return Value(dict(self.sources), self.type.key if isinstance(self.type, MapOf) else None)

    @property
    def is_map(self) -> bool:
        return self.entries is not None or isinstance(self.type, MapOf)

    def cast(self, kind: SqlType | None) -> Value:
        """The value as another type: rows by position, under the names of the type's fields."""
        step: Subtype = "TRANSFORMATION"
        result = Value(_through(self.sources, step), kind, beside=_through(self.beside, step))
        match kind:
            case StructOf(fields=fields):
                parts = self.row()
                if len(parts) == len(fields):
                    result.fields = {name: part.cast(to) for (name, to), part in zip(fields, parts, strict=True)}
            case ArrayOf(element=inner) if self.item is not None or isinstance(self.type, ArrayOf):
                result.item = self.member().cast(inner)
            case MapOf(key=key, value=inner) if self.is_map:
                result.entries = (self.key().cast(key), self.member().cast(inner))
            case _:
                pass
        return result

    def _part(self, part: Value) -> Value:
        if not self.beside:
            return part
        return replace(part, beside=_joined(part.beside, self.beside))

    def _grown(self, name: str) -> Sources:
        if not self.rooted:
            return dict(self.sources)
        return {
            (s._replace(path=(*s.path, name)) if s.subtype in DIRECT_SUBTYPES else s): c
            for s, c in self.sources.items()
        }


def merged(values: Iterable[Value], step: Subtype = "IDENTITY") -> Value:
    """One value that comes from all of them; keeps the shape where they agree. NULL and literals have no say."""
    parts = list(values)
    result = Value(unknown=any(value.unknown for value in parts))
    for value in parts:
        _take(result.sources, value.sources, step)
        _take(result.beside, value.beside, step)
    shaped = [value for value in parts if value.sources or value.beside]
    shaped = shaped or [value for value in parts if _has_shape(value)]
    if shaped:
        _merge_shapes(result, shaped, step)
    return result


def _merge_shapes(result: Value, values: list[Value], step: Subtype) -> None:
    first = values[0]
    if all(value.type == first.type for value in values):
        result.type = first.type
        result.rooted = all(value.rooted for value in values)
    fields = [value.fields for value in values if value.fields is not None]
    if len(fields) == len(values) and all(list(row) == list(fields[0]) for row in fields):
        result.fields = {name: merged((row[name] for row in fields), step) for name in fields[0]}
    if all(value.item is not None for value in values):
        result.item = merged((value.member() for value in values), step)
    if all(value.entries is not None for value in values):
        keys = merged((value.key() for value in values), step)
        result.entries = (keys, merged((value.member() for value in values), step))


def _has_shape(value: Value) -> bool:
    return not (value.type is None and value.fields is None and value.item is None and value.entries is None)


def _take(into: Sources, sources: Sources, step: Subtype) -> None:
    """Adds sources as they are after `step`; of two confidences the higher counts."""
    for source, confidence in sources.items():
        after = source.through(step)
        known = into.get(after)
        if known is None or known < confidence:
            into[after] = confidence


def _through(sources: Sources, step: Subtype) -> Sources:
    result: Sources = {}
    _take(result, sources, step)
    return result


def _joined(one: Sources, other: Sources) -> Sources:
    result = dict(one)
    _take(result, other, "IDENTITY")
    return result
