"""What ran, in the order in which it ran, whatever order the histories give it in, within bounded memory."""

from __future__ import annotations

import heapq
import pickle
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from datetime import datetime
from tempfile import TemporaryFile
from typing import IO, NamedTuple

from datahub_aws_lineage.model.queries import QueryRecord

BUFFERED_CHARACTERS = 64 * 1024 * 1024
"""Statement text held in memory at a time; beyond it, sorted runs wait on disk."""


class Logged(NamedTuple):
    """A record, and the warehouse that it ran on; None on Athena."""

    record: QueryRecord
    warehouse: str | None = None


def in_time_order(logged: Iterable[Logged], *, buffered_characters: int = BUFFERED_CHARACTERS) -> Iterator[Logged]:
    """Yields records by `started_at`; records of one instant keep the order in which they came.

    An audit log counts in seconds, and there the order of the log is all that tells what ran first.
    """
    with ExitStack() as files:
        runs: list[Iterator[Logged]] = []
        buffer: list[Logged] = []
        held = 0
        for one in logged:
            buffer.append(one)
            held += len(one.record.text)
            if held >= buffered_characters:
                runs.append(_spill(sorted(buffer, key=_started), files))
                buffer, held = [], 0
        yield from heapq.merge(*runs, sorted(buffer, key=_started), key=_started)


def _started(logged: Logged) -> datetime:
    return logged.record.started_at


def _spill(buffer: list[Logged], files: ExitStack) -> Iterator[Logged]:
    file = files.enter_context(TemporaryFile(prefix="aws-lineage-"))  # noqa: SIM115  (the stack closes it)
    for logged in buffer:
        pickle.dump(tuple(logged), file, protocol=pickle.HIGHEST_PROTOCOL)
    file.seek(0)
    return _read_back(file, len(buffer))


def _read_back(file: IO[bytes], count: int) -> Iterator[Logged]:
    for _ in range(count):
        yield Logged(*pickle.load(file))  # noqa: S301  (written by `_spill`, in a file without a name)
