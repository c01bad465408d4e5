"""Records come out in the order in which they ran, spilled to disk or not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datahub_aws_lineage import chronology
from datahub_aws_lineage.chronology import Logged, in_time_order
from datahub_aws_lineage.model.queries import QueryRecord, SqlContext

START = datetime(2026, 3, 1, tzinfo=timezone.utc)
CONTEXT = SqlContext("redshift", "dev", "public")


def logged(query_id: int, second: int) -> Logged:
    record = QueryRecord(
        query_id=str(query_id),
        text="SELECT 1",
        context=CONTEXT,
        started_at=START + timedelta(seconds=second),
        source="redshift-file",
        statistics={"rows": "1"},
    )
    return Logged(record, "analytics")


@given(seconds=st.lists(st.integers(0, 5), max_size=40), buffered=st.sampled_from([1, 1_000, 10_000]))
def test_sorted_by_time_and_stable(seconds: list[int], buffered: int) -> None:
    records = [logged(query_id, second) for query_id, second in enumerate(seconds)]
    ordered = list(in_time_order(iter(records), buffered_characters=buffered))
    assert ordered == sorted(records, key=lambda one: one.record.started_at)


def test_what_is_spilled_is_not_held(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the open buffer stays in memory: the input is consumed while earlier runs lie on disk."""
    spilled: list[int] = []
    real = chronology._spill

    def counting(buffer: list[Logged], files: ExitStack) -> Iterator[Logged]:
        spilled.append(len(buffer))
        return real(buffer, files)

    monkeypatch.setattr(chronology, "_spill", counting)
    records = [logged(query_id, -query_id) for query_id in range(10)]
    ordered = list(in_time_order(records, buffered_characters=3 * (len("SELECT 1") + chronology._RECORD)))
    assert spilled == [3, 3, 3]
    assert [one.record.query_id for one in ordered] == [str(query_id) for query_id in reversed(range(10))]
