"""PREPARE in one record, EXECUTE in another: always so in Athena, and so with drivers of Redshift."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest

from datahub_aws_lineage.lineage import CatalogIndex, History, Resolver
from datahub_aws_lineage.model.catalog import Column, Table
from datahub_aws_lineage.model.lineage import NoLineage, Unresolved
from datahub_aws_lineage.model.names import Dialect, TableName
from datahub_aws_lineage.model.queries import QueryRecord, SqlContext
from datahub_aws_lineage.report import AwsLineageReport
from datahub_aws_lineage.sql import Repeats, fingerprint

FILL = {"athena": "PREPARE fill FROM {}", "redshift": "PREPARE fill (varchar) AS {}"}
RUN = {"athena": "EXECUTE fill USING '{}'", "redshift": "EXECUTE fill ('{}')"}


class Log:
    """Records with a place: a work group of Athena, or a session of Redshift."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect: Dialect = dialect
        catalog = "dev" if dialect == "redshift" else "awsdatacatalog"
        self.record = QueryRecord(
            "0", "", SqlContext(dialect, catalog, "s", ("s",)), datetime(2026, 3, 1, tzinfo=timezone.utc), "test"
        )
        self.report = AwsLineageReport()
        self.history = History(Resolver(CatalogIndex()), self.report.diagnostics, fingerprint)
        self.repeats = Repeats()
        for name in ("a", "b", "t"):
            platform = "redshift" if dialect == "redshift" else "glue"
            table = TableName(catalog, "s", name)
            self.history.add_table(Table(platform, table, (Column("x", "int"), Column("d", "varchar"))))  # type: ignore[arg-type]

    def run(self, text: str, place: str = "one") -> Log:
        self.record = replace(self.record, started_at=self.record.started_at + timedelta(minutes=1), text=text)
        if self.dialect == "redshift":
            record = replace(self.record, session=place)
        else:
            record = replace(self.record, work_group=place)
        session = self.history.session(record)
        self.statements = self.repeats.analyze(text, session.context, session, session.prepared)
        self.history.apply(record, self.statements)
        return self

    def sources(self) -> set[str]:
        return {
            edge.upstream.name.rpartition(".")[2] for lineage in self.history.lineages() for edge in lineage.columns
        }


@pytest.fixture(params=["athena", "redshift"])
def log(request: pytest.FixtureRequest) -> Log:
    return Log(request.param)


def filled_from(log: Log, table: str) -> str:
    marker = "?" if log.dialect == "athena" else "$1"
    return FILL[log.dialect].format(f"INSERT INTO t (x) SELECT x FROM {table} WHERE d = {marker}")


def test_what_was_prepared_before_runs(log: Log) -> None:
    log.run(filled_from(log, "a"))
    log.run(RUN[log.dialect].format("2026-03-01")).run(RUN[log.dialect].format("2026-03-02"))
    assert log.sources() == {"a"}
    assert [(query.runs, query.text) for query in log.history.queries()] == [(2, RUN[log.dialect].format("2026-03-02"))]


def test_to_prepare_moves_nothing(log: Log) -> None:
    assert log.run(filled_from(log, "a")).sources() == set()


def test_prepared_anew_it_is_another(log: Log) -> None:
    log.run(filled_from(log, "a")).run(filled_from(log, "b")).run(RUN[log.dialect].format("x"))
    assert log.sources() == {"b"}


def test_of_another_place_it_is_not_known(log: Log) -> None:
    log.run(filled_from(log, "a"), "one").run(RUN[log.dialect].format("x"), "two")
    assert log.sources() == set()
    [statement] = log.statements
    assert isinstance(statement.outcome, NoLineage)
    assert [gap.what for gap in statement.outcome.gaps] == ["source"]


@pytest.mark.parametrize("end", ["DEALLOCATE PREPARE fill", "DEALLOCATE PREPARE ALL"])
def test_deallocated_it_is_gone(log: Log, end: str) -> None:
    log.run(filled_from(log, "a")).run(end).run(RUN[log.dialect].format("x"))
    assert log.sources() == set()


def test_one_that_is_not_understood_says_where_it_stands() -> None:
    [statement] = Log("athena").run("PREPARE fill FROM\n SELECT (").run("EXECUTE fill").statements
    assert isinstance(statement.outcome, Unresolved)
    assert statement.outcome.message.startswith("in the prepared statement: ")
    assert statement.outcome.line is None


def test_one_that_runs_itself_is_told_and_ends() -> None:
    log = Log("athena").run("PREPARE fill FROM EXECUTE fill").run("EXECUTE fill")
    assert log.sources() == set()
    assert not log.report.failures
