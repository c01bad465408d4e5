"""Whether an answer as it stands on the wire fits the shape that the service model gives it."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping
from typing import Any
from xml.etree.ElementTree import Element

from botocore.model import ListShape, MapShape, Shape, StringShape, StructureShape
from botocore.utils import parse_timestamp

_OUTSIDE_THE_BODY = frozenset({"header", "headers", "statusCode"})


def json_problems(shape: Shape, value: Any, path: str = "body") -> Iterator[str]:
    """What is wrong with a JSON value: unknown and missing members, wrong types, values outside an enum.

    Null stands for an absent member, as the services send it.
    """
    match shape, value:
        case (_, None):
            return
        case StructureShape(), Mapping():
            yield from _structure_problems(shape, value, path)
        case MapShape(), Mapping():
            for key, member in value.items():
                yield from _string_problems(shape.key, key, f"{path}, key {key!r}")
                yield from json_problems(shape.value, member, f"{path}.{key}")
        case ListShape(), list():
            for index, item in enumerate(value):
                yield from json_problems(shape.member, item, f"{path}[{index}]")
        case ((StructureShape() | MapShape() | ListShape()), _):
            yield f"{path} is {_named(value)}, not a {shape.type_name}"
        case StringShape(), _:
            yield from _string_problems(shape, value, path)
        case _ if not _is_scalar(shape, value):
            yield f"{path} is {_named(value)}, not a {_wanted(shape)}"


def xml_problems(shape: Shape, node: Element, path: str) -> Iterator[str]:
    """What is wrong with an XML element: unknown and missing elements, text of another type."""
    match shape:
        case StructureShape():
            yield from _element_problems(shape, node, path)
        case ListShape():
            for item in node:
                yield from xml_problems(shape.member, item, f"{path}/{_tag(item)}")
        case MapShape():
            for entry in node:
                for half in entry:
                    part = shape.key if _tag(half) == shape.key.serialization.get("name", "key") else shape.value
                    yield from xml_problems(part, half, f"{path}/{_tag(half)}")
        case StringShape():
            yield from _string_problems(shape, node.text or "", path)
        case _ if not _is_scalar_text(shape, node.text or ""):
            yield f"{path} is {node.text!r}, not a {shape.type_name}"


def _structure_problems(shape: StructureShape, value: Mapping[str, Any], path: str) -> Iterator[str]:
    if shape.is_document_type:
        return
    members = {str(member.serialization.get("name", name)): member for name, member in _body_members(shape).items()}
    for name, member in value.items():
        if name in members:
            yield from json_problems(members[name], member, f"{path}.{name}")
        else:
            yield f"{path}.{name} is no member of {shape.name}"
    yield from _missing(shape, {name for name, member in value.items() if member is not None}, path)
    if shape.is_tagged_union and len(value) != 1:
        yield f"{path} has {len(value)} members, and {shape.name} is one of several"


def _element_problems(shape: StructureShape, node: Element, path: str) -> Iterator[str]:
    members = {_xml_name(name, member): member for name, member in _body_members(shape).items()}
    for child in node:
        name = _tag(child)
        member = members.get(name)
        if member is None:
            yield f"{path}/{name} is no member of {shape.name}"
        elif isinstance(member, ListShape) and member.serialization.get("flattened"):
            yield from xml_problems(member.member, child, f"{path}/{name}")
        else:
            yield from xml_problems(member, child, f"{path}/{name}")
    yield from _missing(shape, {_tag(child) for child in node}, path)


def _missing(shape: StructureShape, names: set[str], path: str) -> Iterator[str]:
    for required in shape.required_members:
        member = shape.members[required]
        if member.serialization.get("location") in _OUTSIDE_THE_BODY:
            continue
        if not names & {str(member.serialization.get("name", required)), _xml_name(required, member)}:
            yield f"{path} lacks {required}, which {shape.name} always has"


def _body_members(shape: StructureShape) -> dict[str, Shape]:
    return {
        name: member
        for name, member in shape.members.items()
        if member.serialization.get("location") not in _OUTSIDE_THE_BODY
    }


def _xml_name(name: str, shape: Shape) -> str:
    if isinstance(shape, ListShape) and shape.serialization.get("flattened"):
        return str(shape.member.serialization.get("name") or shape.serialization.get("name", name))
    return str(shape.serialization.get("name", name))


def _tag(node: Element) -> str:
    return node.tag.rpartition("}")[2]


def _string_problems(shape: Shape, value: Any, path: str) -> Iterator[str]:
    if not isinstance(value, str):
        yield f"{path} is {_named(value)}, not a string"
    elif isinstance(shape, StringShape) and shape.enum and value not in shape.enum:
        yield f"{path} is {value!r}, which is not one of {', '.join(shape.enum)}"


def _is_scalar(shape: Shape, value: Any) -> bool:
    match shape.type_name:
        case "boolean":
            return isinstance(value, bool)
        case "integer" | "long":
            return isinstance(value, int) and not isinstance(value, bool)
        case "float" | "double":
            return isinstance(value, (int, float)) and not isinstance(value, bool)
        case "timestamp" if shape.serialization.get("timestampFormat", "unixTimestamp") == "unixTimestamp":
            return isinstance(value, (int, float)) and not isinstance(value, bool)
        case "timestamp":
            return isinstance(value, str) and _parses(value)
        case "blob":
            return isinstance(value, str) and _is_base64(value)
        case _:
            return isinstance(value, str)


def _is_scalar_text(shape: Shape, text: str) -> bool:
    try:
        match shape.type_name:
            case "boolean":
                return text in {"true", "false"}
            case "integer" | "long":
                int(text)
            case "float" | "double":
                float(text)
            case "timestamp":
                return _parses(text)
            case "blob":
                return _is_base64(text)
    except ValueError:
        return False
    return True


def _parses(text: str) -> bool:
    try:
        parse_timestamp(text)
    except ValueError:
        return False
    return True


def _is_base64(text: str) -> bool:
    try:
        base64.b64decode(text, validate=True)
    except binascii.Error:
        return False
    return True


def _wanted(shape: Shape) -> str:
    if shape.type_name != "timestamp":
        return str(shape.type_name)
    return f"timestamp ({shape.serialization.get('timestampFormat', 'seconds since the epoch')})"


def _named(value: Any) -> str:
    kind = {dict: "an object", list: "a list", str: "a string", bool: "a boolean", int: "a number", float: "a number"}
    return kind.get(type(value), type(value).__name__)
