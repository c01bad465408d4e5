"""The benchmark measures the same work on both sides."""

from __future__ import annotations

from collections import Counter

import pytest

from benchmarks.runs import datahubs, measured, ours
from benchmarks.workload import Workload
from datahub_aws_lineage.model.names import Dialect
from datahub_aws_lineage.sql import fingerprint


@pytest.mark.parametrize("dialect", ["athena", "redshift"])
def test_both_sides_tell_datahub_of_every_statement(dialect: Dialect) -> None:
    workload = Workload(dialect, templates=6, repeats=2, tables=30)
    mine, theirs = measured(ours, workload), measured(datahubs, workload)
    assert mine.statements == theirs.statements == 12
    assert mine.proposals == theirs.proposals > workload.templates


def test_repeats_differ_in_literals_alone() -> None:
    workload = Workload("redshift", templates=5, repeats=4, tables=20)
    texts = [record.text for record in workload.records()]
    assert len(set(texts)) == len(texts)
    assert set(Counter(fingerprint(text, "redshift") for text in texts).values()) == {4}
