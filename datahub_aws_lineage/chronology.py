"""What ran, in the order in which it ran, whatever order the histories give it in, within bounded memory."""

from __future__ import annotations

import heapq
import pickle
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime
from itertools import groupby
from tempfile import TemporaryFile
from typing import IO, Any, NamedTuple, TypeVar

from datahub_aws_lineage.model.queries import QueryRecord

T = TypeVar("T")

BUFFERED_CHARACTERS = 64 * 1024 * 1024
"""Statement text held in memory at a time; beyond it, sorted runs wait on disk."""


_RECORD = 500
"""What a record weighs beside its text, in characters."""


class Logged(NamedTuple):
    """A record, and the warehouse that it ran on; on Athena the site, None where there is one alone."""

    record: QueryRecord
    warehouse: str | None = None


def in_time_order(logged: Iterable[Logged], *, buffered_characters: int = BUFFERED_CHARACTERS) -> Iterator[Logged]:
    """Yields records by `started_at`; records of one instant keep the order in which they came.

    An audit log counts in seconds, and there the order of the log is all that tells what ran first.
    """
    return _sorted(logged, _started, lambda one: len(one.record.text) + _RECORD, buffered_characters)


def each_once(
    records: Iterable[QueryRecord], *, buffered_characters: int = BUFFERED_CHARACTERS
) -> Iterator[QueryRecord]:
    """Yields each query once, by id, where several histories tell of it: all that they know of it together.

    Where they differ, the one counts that says how the query ended, then the one that has the whole text, then the one
    that came first.
    """
    by_id = _sorted(records, _id, lambda one: len(one.text) + _RECORD, buffered_characters)
    for _, same in groupby(by_id, _id):
        yield _together(list(same))


def _together(same: list[QueryRecord]) -> QueryRecord:
    first, *others = sorted(same, key=lambda one: (one.succeeded is None, not one.text, one.truncated))
    if not others:
        return first
    known = [first, *others]
    whole = next((one for one in known if one.text and not one.truncated), first)
    return replace(
        first,
        text=whole.text or first.text,
        truncated=whole.truncated,
        actor=_first(one.actor for one in known),
        invoked_by=_first(one.invoked_by for one in known),
        ended_at=_first(one.ended_at for one in known),
        work_group=_first(one.work_group for one in known),
        statistics={key: value for one in reversed(known) for key, value in one.statistics.items()},
    )


def _first(values: Iterable[T | None]) -> T | None:
    return next((value for value in values if value is not None), None)


def _started(logged: Logged) -> datetime:
    return logged.record.started_at


def _id(record: QueryRecord) -> str:
    return record.query_id


def _sorted(items: Iterable[T], key: Callable[[T], Any], size: Callable[[T], int], most: int) -> Iterator[T]:
    """Sorts stably; whenever the sizes of what is held in memory add up to `most`, it is written to disk."""
    with ExitStack() as files:
        runs: list[Iterator[T]] = []
        buffer: list[T] = []
        held = 0
        for item in items:
            buffer.append(item)
            held += size(item)
            if held >= most:
                runs.append(_spill(sorted(buffer, key=key), files))
                buffer, held = [], 0
        yield from heapq.merge(*runs, sorted(buffer, key=key), key=key)


def _spill(buffer: list[T], files: ExitStack) -> Iterator[T]:
    file = files.enter_context(TemporaryFile(prefix="aws-lineage-"))  # noqa: SIM115  (the stack closes it)
    for item in buffer:
        pickle.dump(item, file, protocol=pickle.HIGHEST_PROTOCOL)
    file.seek(0)
    return _read_back(file, len(buffer))


def _read_back(file: IO[bytes], count: int) -> Iterator[Any]:
    for _ in range(count):
        yield pickle.load(file)  # noqa: S301  (written by `_spill`, in a file without a name)
