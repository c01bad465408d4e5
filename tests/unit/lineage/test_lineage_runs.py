"""What the history tells of each statement that ran: for usage and operations."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from datahub_aws_lineage.lineage.catalog import CatalogIndex
from datahub_aws_lineage.lineage.history import History
from datahub_aws_lineage.lineage.resolver import Resolver
from datahub_aws_lineage.model.catalog import Column, Table
from datahub_aws_lineage.model.lineage import RanStatement
from datahub_aws_lineage.model.names import TableName
from datahub_aws_lineage.model.queries import QueryRecord, SqlContext
from datahub_aws_lineage.report import AwsLineageReport
from datahub_aws_lineage.sql import analyze, fingerprint

CONTEXT = SqlContext("redshift", "dev", "public", ("public",))


def ran(*texts: str) -> list[RanStatement]:
    told: list[RanStatement] = []
    report = AwsLineageReport()
    history = History(Resolver(CatalogIndex()), report.diagnostics, fingerprint, on_run=told.append)
    for name in ("a", "b", "t"):
        columns = (Column("x", "int"), Column("d", "date"))
        history.add_table(Table("redshift", TableName("dev", "public", name), columns))
    for number, text in enumerate(texts):
        at = datetime(2026, 3, 1, number, tzinfo=timezone.utc)
        record = QueryRecord(str(number), text, CONTEXT, at, "test", actor="alice", session="1")
        session = history.session(record)
        history.apply(record, analyze(text, session.context, session))
    list(history.lineages())
    return told


@pytest.mark.parametrize(
    ("text", "reads", "columns", "writes"),
    [
        ("SELECT x FROM a WHERE d > current_date", {"a"}, {"a.x", "a.d"}, []),
        ("INSERT INTO t (x) SELECT x FROM a", {"a"}, {"a.x"}, ["t"]),
        ("INSERT INTO t (x) VALUES (1)", set(), set(), ["t"]),
        ("DELETE FROM t WHERE x IN (SELECT x FROM b)", {"b"}, {"b.x"}, ["t"]),
        ("TRUNCATE t", set(), set(), ["t"]),
        ("DROP TABLE a, b", set(), set(), ["a", "b"]),
        ("ALTER TABLE a RENAME TO c", set(), set(), ["c"]),
    ],
)
def test_what_is_read_and_written(text: str, reads: set[str], columns: set[str], writes: list[str]) -> None:
    (one,) = ran(text)
    assert {name(dataset.name) for dataset in one.reads} == reads
    assert {f"{name(dataset.name)}.{column}" for dataset, column in one.columns} >= columns
    assert [name(dataset.name) for dataset in one.writes] == writes
    assert (one.actor, one.dialect) == ("alice", "redshift")


def name(dataset: str) -> str:
    return dataset.removeprefix("dev.public.")


def test_a_temporary_table_is_neither_read_nor_written() -> None:
    first, second = ran("CREATE TEMP TABLE s AS SELECT x FROM a", "INSERT INTO t (x) SELECT x FROM s")
    assert ({one.name for one in first.reads}, first.writes) == ({"dev.public.a"}, ())
    assert (second.reads, [one.name for one in second.writes]) == (frozenset(), ["dev.public.t"])


def test_what_is_rolled_back_did_not_run() -> None:
    assert ran("BEGIN", "INSERT INTO t (x) SELECT x FROM a", "ROLLBACK") == []
