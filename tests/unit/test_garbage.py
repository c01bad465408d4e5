"""The garbage collector is as it was, however a run ends."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from datahub_aws_lineage.garbage import collected_seldom


def work() -> Iterator[int]:
    with collected_seldom():
        yield from range(3)


@pytest.fixture(autouse=True)
def nothing_is_left_frozen() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    assert gc.get_threshold() == before
    assert gc.get_freeze_count() == 0


def test_after_the_end() -> None:
    assert list(work()) == [0, 1, 2]


def test_where_the_pipeline_stops_in_the_middle() -> None:
    units = work()
    next(units)
    assert gc.get_freeze_count() > 0
    del units


def test_after_an_error() -> None:
    with pytest.raises(ValueError, match="x"), collected_seldom():
        raise ValueError("x")


def test_garbage_in_circles_still_goes() -> None:
    """However many statements are read, memory does not grow with them."""

    class Node:
        def __init__(self) -> None:
            self.other = self

    alive = 0
    with collected_seldom():
        for _ in range(150_000):
            Node()
        alive = sum(1 for one in gc.get_objects() if isinstance(one, Node))
    assert alive < 110_000
