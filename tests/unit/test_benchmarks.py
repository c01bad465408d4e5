"""The benchmark measures the same work on both sides."""

from __future__ import annotations

from collections import Counter

import pytest

from benchmarks import names
from benchmarks.runs import datahubs, measured, ours
from benchmarks.workload import Workload
from datahub_aws_lineage.lineage.resolver import Naming, Resolved, Resolver
from datahub_aws_lineage.model.names import Dataset, Dialect, S3Location, TableName
from datahub_aws_lineage.sql import fingerprint


@pytest.mark.parametrize("dialect", ["athena", "redshift"])
def test_both_sides_tell_datahub_of_every_statement(dialect: Dialect) -> None:
    workload = Workload(dialect, templates=6, repeats=2, tables=30)
    mine, theirs = measured(ours, workload), measured(datahubs, workload)
    assert mine.statements == theirs.statements == 12
    assert mine.proposals == theirs.proposals > workload.templates


def test_names_resolve_to_what_the_catalogs_hold() -> None:
    resolver = Resolver(names.filled(3000), Naming(redshift_instances={"w": "w"}))
    of_glue = Dataset("glue", "db2.t2002")
    assert resolver.resolve(names.catalogued(2002), "athena").dataset == of_glue  # type: ignore[union-attr]
    behind = resolver.resolve(TableName("dev", "ext_db2", "t2002"), "redshift", "w")
    assert isinstance(behind, Resolved)
    assert behind.source is not None
    assert behind.source.dataset == of_glue
    file = resolver.resolve(S3Location(f"{names.location(2002)}/dt=1/part-0.parquet"), "athena")
    assert isinstance(file, Resolved)
    assert file.dataset == Dataset("s3", names.location(2002).removeprefix("s3://"))


def test_repeats_differ_in_literals_alone() -> None:
    workload = Workload("redshift", templates=5, repeats=4, tables=20)
    texts = [record.text for record in workload.records()]
    assert len(set(texts)) == len(texts)
    assert set(Counter(fingerprint(text, "redshift") for text in texts).values()) == {4}
