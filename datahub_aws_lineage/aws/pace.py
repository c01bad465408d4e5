"""Calls a second, held under a service's quota before the service has to refuse."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from threading import Lock
from typing import TypeAlias, TypeVar

T = TypeVar("T")

Pause: TypeAlias = Callable[[], None]
"""Called before a request; returns when it may be made."""


def unpaced() -> None:
    """Waits for nothing: a recording has no quota."""


def paced(pages: Iterator[T], pause: Pause) -> Iterator[T]:
    """Waits before each page is asked for."""
    while True:
        pause()
        try:
            page = next(pages)
        except StopIteration:
            return
        yield page


class Pace:
    """At most `rate` calls a second in the long run and `burst` at once. Its threads share it.

    >>> now, slept = [0.0], []
    >>> pace = Pace(rate=2, burst=1, clock=lambda: now[0], sleep=slept.append)
    >>> pace(); pace(); pace()
    >>> slept
    [0.5, 1.0]
    """

    def __init__(
        self,
        *,
        rate: float,
        burst: int,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._interval = 1 / rate
        self._ahead = (burst - 1) * self._interval
        self._clock = clock
        self._sleep = sleep
        self._due = clock() - self._ahead
        self._lock = Lock()

    def __call__(self) -> None:
        with self._lock:
            now = self._clock()
            self._due = max(self._due, now - self._ahead)
            wait = self._due - now
            self._due += self._interval
        if wait > 0:
            self._sleep(wait)
