"""An account as a folder of recorded exchanges.

```
snapshot.json                       {"version": 1, "region": …, "account_id": …, "window": {"start": …, "end": …}}
<service>/<Operation>.jsonl         one exchange a line: {"request": …, "status": …, "headers": …, "body": …}
<service>/<Operation>.jsonl.part    the journal of a recording that is under way or was interrupted
objects/<hash>[.gz]                 binary and large bodies, named by an exchange's "body_file" in place of "body"
```

`request` holds the parameters as a caller gives them to boto3. `body` is what came over the wire: a JSON value where
the protocol is JSON (times are epoch seconds), else text. Exchanges of one request stand in the order in which they
happened. A journal's answers to a request stand in for all earlier ones to it; its last line may be torn.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Literal, TypeAlias

from datahub_aws_lineage.errors import SnapshotError
from datahub_aws_lineage.model.queries import TimeWindow
from datahub_aws_lineage.snapshot.exchange import (
    OBJECTS,
    Exchange,
    GivenBody,
    ObjectFile,
    build_exchange,
    format_time,
    is_object_name,
    parse_line,
)

VERSION = 1
ABOUT = "snapshot.json"
JOURNAL = ".part"

Operation: TypeAlias = tuple[str, str]
"""boto3's service name and the API's operation name: `("redshift-data", "ExecuteStatement")`."""

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]*\Z")


@dataclass(frozen=True, slots=True)
class About:
    """What `snapshot.json` says.

    `account_id` is None where the recording never asked for it; `window` is the one of the histories, where given.
    """

    region: str
    account_id: str | None = None
    window: TimeWindow | None = None

    @classmethod
    def read(cls, folder: Path) -> About:
        """Raises SnapshotError where the folder is not a recording that this release can read."""
        path = folder / ABOUT
        try:
            about = json.loads(path.read_bytes())
            if about["version"] != VERSION:
                raise SnapshotError(f"{path}: version {about['version']}; this release reads version {VERSION}")
            window = about.get("window")
            times = window and TimeWindow(_parse_time(window["start"]), _parse_time(window["end"]))
            return cls(region=about["region"], account_id=about.get("account_id"), window=times)
        except FileNotFoundError as e:
            raise SnapshotError(f"{folder} is not a recording: it holds no {ABOUT}") from e
        except (OSError, ValueError, KeyError, TypeError) as e:
            raise SnapshotError(f"{path} cannot be read: {e}") from e

    def write(self, folder: Path) -> None:
        about: dict[str, object] = {"version": VERSION, "region": self.region, "account_id": self.account_id}
        if self.window is not None:
            about["window"] = {"start": format_time(self.window.start), "end": format_time(self.window.end)}
        replace_file(folder / ABOUT, json.dumps(about, indent=2).encode("ascii") + b"\n")


@dataclass(frozen=True, slots=True)
class Recording:
    """A folder of exchanges, read."""

    folder: Path
    about: About
    exchanges: Mapping[Operation, tuple[Exchange, ...]]

    @property
    def region(self) -> str:
        return self.about.region

    @property
    def account_id(self) -> str | None:
        return self.about.account_id

    @property
    def window(self) -> TimeWindow | None:
        return self.about.window

    @classmethod
    def load(cls, folder: str | Path) -> Recording:
        """Reads a folder, an interrupted one too. Raises SnapshotError where it is not a recording, or is damaged."""
        folder = Path(folder)
        about = About.read(folder)
        exchanges = {operation: read_operation(folder, operation) for operation in operations_of(folder)}
        return cls(folder, about, MappingProxyType(exchanges))


@dataclass(slots=True)
class RecordingWriter:
    """Writes a recording by hand. Nothing is written before the `with` block ends well; then all at once.

    >>> with RecordingWriter(folder, region="eu-central-1", account_id="123456789012") as recording:  # doctest: +SKIP
    ...     recording.add("glue", "GetDatabases", {}, {"DatabaseList": [{"Name": "sales"}]})
    ...     recording.add("glue", "GetTable", {"DatabaseName": "sales", "Name": "t"},
    ...                   {"__type": "EntityNotFoundException", "Message": "Table t not found."}, status=400)
    """

    folder: str | Path
    region: str
    account_id: str | None = None
    window: TimeWindow | None = None
    _exchanges: dict[Operation, list[Exchange]] = field(default_factory=dict, init=False)
    _objects: dict[str, bytes] = field(default_factory=dict, init=False)

    def add(
        self,
        service: str,
        operation: str,
        request: Mapping[str, Any],
        body: GivenBody,
        *,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Adds one exchange, masked; answers to one request are played in the order in which they were added.

        `body` of a JSON service is its wire form (aware datetimes become epoch seconds, bytes base64). XML goes as str,
        the content of an object as str or bytes. Raises SnapshotError for what cannot be kept.
        """
        exchange, content = build_exchange(Path(self.folder), request, body, status=status, headers=headers or {})
        exchange.line()  # fails here, where the caller can see which exchange it is
        if isinstance(exchange.body, ObjectFile):
            self._objects[exchange.body.name] = content
        self._exchanges.setdefault(checked_operation(service, operation), []).append(exchange)

    def __enter__(self) -> RecordingWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> Literal[False]:
        if error is None:
            self._write(Path(self.folder))
        return False

    def _write(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            About.read(folder)  # never clears a folder that is something else
        for operation in operations_of(folder):
            remove_operation(folder, operation)
        for name, content in sorted(self._objects.items()):
            replace_file(folder / name, content)
        for operation, exchanges in sorted(self._exchanges.items()):
            write_operation(folder, operation, exchanges)
        remove_unused_objects(folder, self._objects)
        About(self.region, self.account_id, self.window).write(folder)


def operations_of(folder: Path) -> list[Operation]:
    """The operations that a folder holds exchanges of, sorted."""
    return sorted(
        {
            (path.parent.name, path.name.removesuffix(JOURNAL).removesuffix(".jsonl"))
            for pattern in ("*/*.jsonl", f"*/*.jsonl{JOURNAL}")
            for path in folder.glob(pattern)
        }
    )


def operation_path(folder: Path, operation: Operation) -> Path:
    return folder / operation[0] / f"{operation[1]}.jsonl"


def journal_path(folder: Path, operation: Operation) -> Path:
    return folder / operation[0] / f"{operation[1]}.jsonl{JOURNAL}"


def checked_operation(service: str, operation: str) -> Operation:
    """Raises SnapshotError where the names could not be those of files."""
    for name in (service, operation):
        if not _NAME.match(name):
            raise SnapshotError(f"{name!r} does not name a service or an operation")
    return service, operation


def read_operation(folder: Path, operation: Operation) -> tuple[Exchange, ...]:
    """Both files of an operation, merged. Raises SnapshotError where a line is no exchange."""
    settled = _read_lines(folder, operation_path(folder, operation), torn_end=False)
    return merge(settled, read_journal(folder, operation))


def read_journal(folder: Path, operation: Operation) -> list[Exchange]:
    return _read_lines(folder, journal_path(folder, operation), torn_end=True)


def merge(settled: Iterable[Exchange], latest: Iterable[Exchange]) -> tuple[Exchange, ...]:
    """`latest` answers in place of the settled ones to the same requests; requests keep their order."""
    by_key: dict[str, list[Exchange]] = {}
    for exchange in settled:
        by_key.setdefault(exchange.key, []).append(exchange)
    renewed: set[str] = set()
    for exchange in latest:
        if exchange.key not in renewed:
            renewed.add(exchange.key)
            by_key[exchange.key] = []
        by_key[exchange.key].append(exchange)
    return tuple(exchange for answers in by_key.values() for exchange in answers)


def write_operation(folder: Path, operation: Operation, exchanges: Iterable[Exchange]) -> None:
    """Replaces an operation's file; its journal is left."""
    replace_file(operation_path(folder, operation), b"".join(exchange.line() + b"\n" for exchange in exchanges))


def remove_operation(folder: Path, operation: Operation) -> None:
    operation_path(folder, operation).unlink(missing_ok=True)
    journal_path(folder, operation).unlink(missing_ok=True)


def remove_unused_objects(folder: Path, used: Iterable[str]) -> None:
    names = set(used)
    for path in (folder / OBJECTS).glob("*"):
        name = f"{OBJECTS}/{path.name}"
        if is_object_name(name) and name not in names:
            path.unlink()


def replace_file(path: Path, content: bytes) -> None:
    """Writes a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.tmp")
    temporary.write_bytes(content)
    temporary.replace(path)


def _parse_time(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def _read_lines(folder: Path, path: Path, *, torn_end: bool) -> list[Exchange]:
    if not path.exists():
        return []
    lines = path.read_bytes().split(b"\n")
    if torn_end:
        lines.pop()  # empty where the last line was written whole
    exchanges = []
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                exchanges.append(parse_line(folder, line))
            except (ValueError, KeyError, TypeError) as e:
                raise SnapshotError(f"{path}, line {number} is not a recorded exchange: {e!r}") from e
    return exchanges
