"""What a scheduled run still has to read, how calls are paced, and how streams are read ahead."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from threading import current_thread

import pytest

from datahub_aws_lineage.aws.athena import Earlier
from datahub_aws_lineage.aws.pace import Pace, paced
from datahub_aws_lineage.aws.prefetch import in_turn
from datahub_aws_lineage.model.queries import TimeWindow

DAY = timedelta(days=1)
START = datetime(2026, 3, 10, tzinfo=timezone.utc)
WINDOW = TimeWindow(START, START + 3 * DAY)


def span(first: float, last: float) -> TimeWindow:
    return TimeWindow(START + first * DAY, START + last * DAY)


@pytest.mark.parametrize(
    ("read", "remaining"),
    [
        (span(-1, 1), span(1, 3)),  # goes on
        (span(-1, 1.4), span(1.4, 3)),
        (span(1, 2), span(0, 3)),  # the recipe goes further back than ever before
        (span(-5, -2), span(-2, 3)),  # runs were missed: no gap
    ],
)
def test_what_remains(read: TimeWindow, remaining: TimeWindow) -> None:
    assert Earlier({"etl": read}, reaches_back=True).remaining("etl", WINDOW) == remaining


def test_a_work_group_that_is_new_is_read_whole() -> None:
    assert Earlier({"etl": span(-1, 1)}).remaining("other", WINDOW) == WINDOW


def test_a_start_that_the_recipe_gives_is_not_gone_behind() -> None:
    assert Earlier({"etl": span(-5, -2)}).remaining("etl", WINDOW) == WINDOW


def test_whole_days_where_they_are_needed() -> None:
    earlier = Earlier({"etl": span(-1, 1.4)}, begin_of=lambda at: at.replace(hour=0, minute=0))
    assert earlier.remaining("etl", WINDOW) == span(1, 3)


def test_what_was_read_grows_without_a_gap() -> None:
    earlier = Earlier({"etl": span(-1, 1)})
    assert earlier.with_more("etl", span(0.5, 3)) == span(-1, 3)
    assert earlier.with_more("etl", span(2, 3)) == span(2, 3), "with a gap, what was read before it counts no more"
    assert earlier.with_more("other", span(2, 3)) == span(2, 3)


def test_a_burst_and_then_the_rate() -> None:
    now, slept = [100.0], list[float]()
    pace = Pace(rate=4, burst=3, clock=lambda: now[0], sleep=slept.append)
    for _ in range(5):
        pace()
    assert slept == [0.25, 0.5]
    now[0] += 60
    pace()
    assert len(slept) == 2, "whoever waited long may burst again"


def test_each_page_is_waited_for() -> None:
    waits: list[int] = []
    pages = paced(iter([1, 2]), lambda: waits.append(1))
    assert next(pages) == 1
    assert len(waits) == 1
    assert list(pages) == [2]


def numbers(start: int, threads: set[str]) -> Iterator[int]:
    for number in range(start, start + 3):
        threads.add(current_thread().name)
        time.sleep(0.01)
        yield number


@pytest.mark.parametrize("threads", [1, 2, 8])
def test_streams_come_in_their_order(threads: int) -> None:
    used: set[str] = set()
    reads = [lambda start=start: numbers(start, used) for start in (0, 10, 20, 30)]
    assert [list(one) for one in in_turn(reads, threads=threads, ahead=1)] == [
        [0, 1, 2],
        [10, 11, 12],
        [20, 21, 22],
        [30, 31, 32],
    ]
    assert len(used) == min(threads, 4)


def test_an_error_comes_where_its_stream_is_consumed() -> None:
    def broken() -> Iterator[int]:
        yield 1
        raise ValueError("here")

    first, second, third = None, None, None
    for number, stream in enumerate(in_turn([lambda: iter([7]), broken, lambda: iter([8])], threads=3)):
        if number == 1:
            first = next(stream)
            with pytest.raises(ValueError, match="here"):
                next(stream)
        elif number == 0:
            second = list(stream)
        else:
            third = list(stream)
    assert (first, second, third) == (1, [7], [8])


def test_what_nobody_consumes_any_more_ends() -> None:
    read: list[int] = []

    def endless() -> Iterator[int]:
        while True:
            read.append(1)
            yield 1

    streams = in_turn([endless, endless], threads=2, ahead=2)
    assert next(next(streams)) == 1
    streams.close()  # type: ignore[attr-defined]
    time.sleep(0.3)
    count = len(read)
    time.sleep(0.2)
    assert len(read) == count < 20
