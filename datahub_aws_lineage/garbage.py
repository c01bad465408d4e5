"""Python's garbage collector while a log is read."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_THRESHOLDS = (100_000, 20, 20)
"""New objects before the youngest are looked over, and how often that is before older ones are too.

Python's own are 700, 10, 10; a parsed statement is some thousands of objects, most of them gone before the next."""


@contextmanager
def collected_seldom() -> Iterator[None]:
    """Leaves what is there (the catalogs, the libraries) alone, and looks over what comes less often.

    Of a large catalog the collector would else go over millions of objects again and again, none of which ever goes.
    """
    thresholds = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
        gc.unfreeze()
