"""Query records in the order in which they ran, whatever order the histories give them in, within bounded memory."""

from __future__ import annotations

import heapq
import pickle
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from datetime import datetime
from tempfile import TemporaryFile
from typing import IO

from datahub_aws_lineage.model.queries import QueryRecord

BUFFERED_CHARACTERS = 64 * 1024 * 1024
"""Statement text held in memory at a time; beyond it, sorted runs wait on disk."""


def in_time_order(
    records: Iterable[QueryRecord], *, buffered_characters: int = BUFFERED_CHARACTERS
) -> Iterator[QueryRecord]:
    """Yields `records` by `started_at`; records of one instant keep the order in which they came.

    An audit log counts in seconds, and there the order of the log is all that tells what ran first.
    """
    with ExitStack() as files:
        runs: list[Iterator[QueryRecord]] = []
        buffer: list[QueryRecord] = []
        held = 0
        for record in records:
            buffer.append(record)
            held += len(record.text)
            if held >= buffered_characters:
                runs.append(_spill(sorted(buffer, key=_started), files))
                buffer, held = [], 0
        yield from heapq.merge(*runs, sorted(buffer, key=_started), key=_started)


def _started(record: QueryRecord) -> datetime:
    return record.started_at


def _spill(buffer: list[QueryRecord], files: ExitStack) -> Iterator[QueryRecord]:
    file = files.enter_context(TemporaryFile(prefix="aws-lineage-"))  # noqa: SIM115  (the stack closes it)
    for record in buffer:
        pickle.dump(record, file, protocol=pickle.HIGHEST_PROTOCOL)
    file.seek(0)
    return _read_back(file, len(buffer))


def _read_back(file: IO[bytes], count: int) -> Iterator[QueryRecord]:
    for _ in range(count):
        record: QueryRecord = pickle.load(file)  # noqa: S301  (written by `_spill`, in a file without a name)
        yield record
