"""Athena's history from a file: what the AWS CLI printed, or JSON lines; gzipped or not.

The file is a sequence of JSON values, in any layout, of these forms:

- a QueryExecution (`{"QueryExecutionId": …, "Query": …, "Status": {…}}`);
- the answer of `aws athena get-query-execution` (`{"QueryExecution": {…}}`);
- the answer of `aws athena batch-get-query-execution` (`{"QueryExecutions": […], …}`), or a list of any of these;
- a row of the system table `query_executions` (`{"query_execution_id": …, "query_string": …, …}`).
"""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from datahub_aws_lineage.aws.athena_records import AthenaRecords
from datahub_aws_lineage.aws.athena_rows import execution_of_json, execution_of_row
from datahub_aws_lineage.errors import ConfigurationError, MalformedError
from datahub_aws_lineage.model.ports import Diagnostics
from datahub_aws_lineage.model.queries import QueryRecord, TimeWindow

PERMISSIONS: tuple[str, ...] = ()
"""The file is local: no IAM action is needed."""

_CHUNK = 1024 * 1024
"""Characters read at a time."""

_LONGEST_VALUE = 64 * 1024 * 1024
"""Characters of one JSON value; 50 statements of 256 KiB, each character escaped, stay below it."""

_LONGEST_TOKEN = 64
"""Characters of a number, a word or an escape; what is wrong within that distance of a cut may be the cut's fault."""

_VALUE = re.compile(r"[^ \t\r\n,\[\]]")

_GZIP = b"\x1f\x8b"
_DAMAGE = (EOFError, gzip.BadGzipFile, zlib.error)


class AthenaFileReader:
    """Reads one file; its forms are described at the top of this module."""

    def __init__(
        self,
        path: Path,
        diagnostics: Diagnostics,
        window: TimeWindow,
        *,
        work_group_allowed: Callable[[str], bool] = lambda _: True,
        with_failed: bool = False,
    ) -> None:
        self._path = path
        self._diagnostics = diagnostics
        self._records = AthenaRecords(
            diagnostics, window, "athena-file", work_group_allowed=work_group_allowed, with_failed=with_failed
        )

    def read_queries(self) -> Iterator[QueryRecord]:
        """Yields the records in the order of the file.

        Raises ConfigurationError where it cannot be opened or holds nothing of these forms. A damaged value is counted;
        where the file cannot be unpacked any more, the reading ends with a failure.
        """
        count = 0
        try:
            with open_text(self._path) as file:
                for value in json_values(file, self._report_damage):
                    for found in _executions(value):
                        count += 1
                        record = self._record(found)
                        if record is not None:
                            yield record
        except _DAMAGE as e:
            self._diagnostics.failure("An Athena history file is damaged", f"{self._path}: after {count} values: {e}")
        if count == 0:
            raise ConfigurationError(f"{self._path}: holds no JSON that the AWS CLI prints, and no JSON lines")

    def _report_damage(self, detail: str) -> None:
        self._diagnostics.skipped("malformed", "athena history file", f"{self._path}: {detail}")

    def _record(self, found: Mapping[str, Any]) -> QueryRecord | None:
        try:
            if "QueryExecutionId" in found:
                execution, principal = execution_of_json(found), None
            else:
                execution, principal = execution_of_row(found)
        except MalformedError as e:
            self._diagnostics.skipped("malformed", "athena query", f"{self._path}: {e}")
            return None
        return self._records.record(execution, actor=principal)


def probe(path: Path) -> None:
    """Reads the first value. Raises ConfigurationError where there is none."""
    damage: list[str] = []
    try:
        with open_text(path) as file:
            first = next(json_values(file, damage.append), None)
    except _DAMAGE as e:
        raise ConfigurationError(f"{path}: {e}") from e
    if first is None:
        raise ConfigurationError(f"{path}: no JSON: {damage[0] if damage else 'it is empty'}")


@contextmanager
def open_text(path: Path) -> Iterator[IO[str]]:
    """A text file, unpacked if it is gzipped. Raises ConfigurationError where it cannot be opened."""
    try:
        with path.open("rb") as raw:
            packed = raw.read(2) == _GZIP
    except OSError as e:
        raise ConfigurationError(f"{path}: {e.strerror}") from e
    opener = gzip.open if packed else open
    with opener(path, "rt", encoding="utf-8-sig", errors="replace") as file:
        yield file


def json_values(file: IO[str], on_damage: Callable[[str], None]) -> Iterator[Any]:
    r"""The JSON values of a text that stand one after the other; the members of a list count as such values.

    What is no JSON is told to `on_damage`, and the reading goes on with the next line.

    >>> import io
    >>> list(json_values(io.StringIO('{"a": 1}\n[{"b": 2}, {"c": 3}]oops\n{"d": 4}'), print))
    Expecting value
    [{'a': 1}, {'b': 2}, {'c': 3}, {'d': 4}]
    """
    decoder, text, start = json.JSONDecoder(strict=False), "", 0
    while True:
        chunk = file.read(max(_CHUNK, len(text) - start))  # twice as much each time: a long value is tried seldom
        text, start = text[start:] + chunk, 0
        while (start := _past_blanks(text, start)) < len(text):
            try:
                value, end = decoder.raw_decode(text, start)
            except (json.JSONDecodeError, RecursionError) as e:  # noqa: PERF203  (any value may be the damaged one)
                if chunk and _may_go_on(e, len(text), start):
                    break
                on_damage(e.msg if isinstance(e, json.JSONDecodeError) else str(e))
                end = text.find("\n", start)
                start = end if end >= 0 else len(text)
            else:
                yield value
                start = end
        if not chunk:
            return


def _may_go_on(e: json.JSONDecodeError | RecursionError, end: int, start: int) -> bool:
    """Whether the value that begins at `start` may only be cut off by the end of what was read so far."""
    if isinstance(e, RecursionError) or end - start >= _LONGEST_VALUE:
        return False
    return e.msg.startswith("Unterminated string") or e.pos > end - _LONGEST_TOKEN


def _past_blanks(text: str, start: int) -> int:
    found = _VALUE.search(text, start)
    return found.start() if found else len(text)


def _executions(value: object) -> Iterator[Mapping[str, Any]]:
    match value:
        case {"QueryExecutions": list(many)}:
            for one in many:
                yield from _executions(one)
        case {"QueryExecution": one}:
            yield from _executions(one)
        case dict():
            yield value
        case _:
            yield {}
