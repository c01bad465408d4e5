"""Sessions behind one process id: kept apart by silence, whichever way time runs in the history."""

from __future__ import annotations

import itertools
from datetime import datetime, timedelta

import pytest
from redshift_samples import utc

from datahub_aws_lineage.aws import redshift_sessions
from datahub_aws_lineage.aws.redshift_sessions import IDLE_LIMIT, SessionNames, SessionSpans

NOON = utc(2024, 5, 1, 12)
KEY = ("dev", "etl", "685")
TICK = timedelta(microseconds=1)


def hours(*counts: float) -> list[datetime]:
    return [NOON + timedelta(hours=count) for count in counts]


@pytest.mark.parametrize("moments", [hours(0, 3, 6), hours(6, 3, 0), hours(0, 4), hours(4, 0)])
def test_a_session_lasts_as_long_as_it_is_not_silent(moments: list[datetime]) -> None:
    names = SessionNames()

    assert len({names.name(KEY, moment) for moment in moments}) == 1


@pytest.mark.parametrize("moments", [hours(0, 48), hours(48, 0), [NOON, NOON + IDLE_LIMIT + TICK]])
def test_after_a_silence_the_process_id_is_of_another_session(moments: list[datetime]) -> None:
    names = SessionNames()

    assert len({names.name(KEY, moment) for moment in moments}) == len(moments)


@pytest.mark.parametrize("backwards", [False, True])
def test_a_long_statement_is_no_silence(*, backwards: bool) -> None:
    names = SessionNames()
    runs = [(NOON, NOON + timedelta(hours=9)), (NOON + timedelta(hours=10), None)]

    assert len({names.name(KEY, *run) for run in (reversed(runs) if backwards else runs)}) == 1


@pytest.mark.parametrize("step", [timedelta(hours=5), timedelta(hours=-5)])
def test_sessions_that_are_over_are_forgotten(monkeypatch: pytest.MonkeyPatch, step: timedelta) -> None:
    monkeypatch.setattr(redshift_sessions, "_ENTRIES_BEFORE_PRUNING", 3)
    names = SessionNames()
    for number in range(20):
        names.name((str(number),), NOON + number * step)

    assert len(names._open) <= 3


@pytest.mark.parametrize("order", list(itertools.permutations(hours(0, 3, 6, 30, 33))))
def test_spans_do_not_depend_on_the_order_in_which_they_are_seen(order: tuple[datetime, ...]) -> None:
    spans = SessionSpans()
    for moment in order:
        spans.see(KEY, moment)

    assert [spans.name(KEY, moment) for moment in hours(0, 3, 6, 30, 33)] == [
        *["dev:etl:685@20240501T120000.000000"] * 3,
        *["dev:etl:685@20240502T180000.000000"] * 2,
    ]


def test_keys_are_sessions_of_their_own() -> None:
    spans = SessionSpans()
    spans.see(KEY, NOON)
    spans.see(("dev", "etl", "686"), NOON)

    assert spans.name(KEY, NOON) != spans.name(("dev", "etl", "686"), NOON)
