"""Several streams read at a time by threads, and given one after the other in the order in which they were named."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from queue import Full, Queue
from threading import Event
from typing import Generic, TypeVar

T = TypeVar("T")

_GLANCE = 0.1
"""Seconds after which a waiting thread looks whether it is still wanted."""


class _End:
    """The last thing in a stream; with the error that ended it."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


class _Stream(Generic[T]):
    """One stream, read by a thread as far ahead as its queue is long."""

    def __init__(self, read: Callable[[], Iterator[T]], ahead: int, abandoned: Event) -> None:
        self._read = read
        self._queue: Queue[T | _End] = Queue(maxsize=ahead)
        self._abandoned = abandoned

    def run(self) -> None:
        try:
            for item in self._read():
                if not self._put(item):
                    return
        except BaseException as e:  # noqa: BLE001  (raised where the stream is consumed)
            self._put(_End(e))
        else:
            self._put(_End())

    def items(self) -> Iterator[T]:
        while True:
            item = self._queue.get()
            if not isinstance(item, _End):
                yield item
            elif item.error is not None:
                raise item.error
            else:
                return

    def _put(self, item: T | _End) -> bool:
        """Whether there is still somebody to take it."""
        while not self._abandoned.is_set():
            with suppress(Full):
                self._queue.put(item, timeout=_GLANCE)
                return True
        return False


def in_turn(reads: Sequence[Callable[[], Iterator[T]]], *, threads: int = 1, ahead: int = 8) -> Iterator[Iterator[T]]:
    """Yields one iterator for each of `reads`, in their order; each is to be consumed before the next is asked for.

    Up to `threads` of them are read at a time, each at most `ahead` items before its consumer. What a read raises is
    raised where its items are consumed. With one thread, everything is read when it is consumed.
    """
    if threads <= 1 or len(reads) <= 1:
        for read in reads:
            yield read()
        return
    abandoned = Event()
    with ThreadPoolExecutor(threads, thread_name_prefix="aws-lineage") as pool:
        try:
            streams = [_Stream(read, ahead, abandoned) for read in reads]
            for stream in streams:
                pool.submit(stream.run)
            for stream in streams:
                yield stream.items()
        finally:
            abandoned.set()
            pool.shutdown(wait=False, cancel_futures=True)
