"""One recorded request and its answer, and its form as a line of a file."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, TypeAlias

from datahub_aws_lineage.errors import SnapshotError
from datahub_aws_lineage.model.secrets import Json, mask_bytes, mask_json, mask_member, mask_text

OBJECTS = "objects"
LARGEST_INLINE_TEXT = 64 * 1024
"""Bytes; longer content that came as bytes is kept in a file of its own."""

_OBJECT = re.compile(rf"{OBJECTS}/[0-9a-f]{{32}}(\.gz)?\Z")


@dataclass(frozen=True, slots=True)
class ObjectFile:
    """A body that lies in a file of its own; `name` is relative to the recording's folder."""

    folder: Path
    name: str

    def read(self) -> bytes:
        """Raises SnapshotError where the file is missing."""
        try:
            return (self.folder / self.name).read_bytes()
        except OSError as e:
            raise SnapshotError(f"{self.folder}: the recorded body {self.name} cannot be read: {e.strerror}") from e


Body: TypeAlias = "Mapping[str, Json] | list[Json] | str | ObjectFile"
GivenBody: TypeAlias = "Mapping[str, Any] | list[Any] | str | bytes"


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and its answer. Masked: no part of it holds a credential that could be recognised."""

    request: Mapping[str, Json]
    status: int
    headers: Mapping[str, str]
    body: Body

    @property
    def key(self) -> str:
        return json.dumps(self.request, sort_keys=True)

    def content(self) -> bytes:
        """The body as it goes over the wire."""
        match self.body:
            case ObjectFile():
                return self.body.read()
            case str():
                return self.body.encode("utf-8", "surrogatepass")
            case _:
                return json.dumps(self.body).encode("ascii")

    def line(self) -> bytes:
        """One line of a `.jsonl` file, without its end. Raises SnapshotError for NaN and infinity."""
        members: dict[str, object] = {"request": self.request, "status": self.status}
        if self.headers:
            members["headers"] = self.headers
        if isinstance(self.body, ObjectFile):
            members["body_file"] = self.body.name
        else:
            members["body"] = self.body
        texts = (f'"{name}": {_dumps(member)}' for name, member in members.items())
        return f"{{{', '.join(texts)}}}".encode("ascii")


def build_exchange(
    folder: Path, request: Mapping[str, Any], body: GivenBody, *, status: int, headers: Mapping[str, str]
) -> tuple[Exchange, bytes]:
    """A masked exchange and, where its body is an ObjectFile, the content that the file must have."""
    masked = mask_json(to_json(request, epoch=False))
    if not isinstance(masked, Mapping):
        raise SnapshotError(f"A request is a mapping of parameters, not {type(request).__name__}")
    kept, content = _build_body(folder, body)
    exchange = Exchange(request=masked, status=status, headers=_mask_headers(headers), body=kept)
    if isinstance(body, bytes) and (content or exchange.content()) != body:
        sound = {name: value for name, value in exchange.headers.items() if not name.startswith("x-amz-checksum-")}
        exchange = replace(exchange, headers=sound)  # botocore would hold the masked body against them
    return exchange, content


def parse_line(folder: Path, line: bytes) -> Exchange:
    """Raises ValueError, KeyError or TypeError where the line is not an exchange.

    A body's file must lie among the recording's objects: a recording from elsewhere cannot name other files.
    """
    members = json.loads(line)
    request, status, headers = members["request"], members["status"], members.get("headers", {})
    if not (isinstance(request, dict) and isinstance(status, int)):
        raise TypeError("request is an object and status a number")
    if not (isinstance(headers, dict) and all(isinstance(value, str) for value in headers.values())):
        raise TypeError("headers is an object of texts")
    if "body_file" not in members:
        body = members["body"]
        if not isinstance(body, (dict, list, str)):
            raise TypeError("body is an object, a list or text")
        return Exchange(request, status, headers, body)
    name = members["body_file"]
    if not (isinstance(name, str) and is_object_name(name)) or (folder / name).is_symlink():
        raise ValueError(f"body_file {name!r} does not name a file of {OBJECTS}/")
    return Exchange(request, status, headers, ObjectFile(folder, name))


def is_object_name(name: str) -> bool:
    return _OBJECT.match(name) is not None


def to_json(value: object, *, epoch: bool) -> Json:
    """Plain JSON: bytes as base64, aware datetimes as epoch seconds (answers) or ISO text in UTC (requests).

    Raises SnapshotError for what has no such form.
    """
    match value:
        case None | str() | bool() | int() | float():
            return value
        case datetime() if value.tzinfo is not None:
            return _epoch(value) if epoch else format_time(value)
        case bytes() | bytearray():
            return base64.b64encode(value).decode("ascii")
        case Mapping():
            return {_checked_key(key): to_json(member, epoch=epoch) for key, member in value.items()}
        case list() | tuple():
            return [to_json(item, epoch=epoch) for item in value]
        case _:
            raise SnapshotError(f"A recording cannot hold a value of type {type(value).__name__}")


def format_time(moment: datetime) -> str:
    return moment.astimezone(timezone.utc).isoformat().replace("+00:00", "Z")


def _mask_headers(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): str(mask_member(name, value)) for name, value in sorted(headers.items())}


def _build_body(folder: Path, body: GivenBody) -> tuple[Body, bytes]:
    match body:
        case str():
            return mask_text(body), b""
        case bytes():
            content = mask_bytes(body)
            text = _inline_text(content)
            return (ObjectFile(folder, _object_name(content)), content) if text is None else (text, b"")
        case _:
            masked = mask_json(to_json(body, epoch=True))
            if not isinstance(masked, (Mapping, list)):
                raise SnapshotError(f"A body is a mapping, a list, str or bytes, not {type(body).__name__}")
            return masked, b""


def _inline_text(content: bytes) -> str | None:
    if len(content) > LARGEST_INLINE_TEXT:
        return None
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _object_name(content: bytes) -> str:
    suffix = ".gz" if content.startswith(b"\x1f\x8b") else ""
    return f"{OBJECTS}/{hashlib.sha256(content).hexdigest()[:32]}{suffix}"


def _epoch(moment: datetime) -> int | float:
    seconds = moment.timestamp()
    return int(seconds) if seconds.is_integer() else seconds


def _checked_key(key: object) -> str:
    if not isinstance(key, str):
        raise SnapshotError(f"A recording cannot hold a member that is named by a {type(key).__name__}")
    return key


def _dumps(value: object) -> str:
    try:
        return json.dumps(value, sort_keys=True, allow_nan=False, default=dict)
    except ValueError as e:
        raise SnapshotError(f"A recording cannot hold this value: {e}") from e
