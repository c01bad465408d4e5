"""The report counts exactly, keeps samples, and is what DataHub prints and removes stale entities by."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timezone

import pytest
from datahub.ingestion.api.report import Report

from datahub_aws_lineage.model.lineage import (
    ColumnEdge,
    DatasetEdge,
    DatasetLineage,
    NoLineage,
    Outcome,
    Statement,
    StatementLineage,
    Unresolved,
)
from datahub_aws_lineage.model.names import Dataset, TableName
from datahub_aws_lineage.model.ports import Diagnostics
from datahub_aws_lineage.report import SAMPLES, AwsLineageReport, confidence_band

ORDERS = Dataset("glue", "sales.orders")
DAILY = Dataset("redshift", "dev.public.daily")


def statement(outcome: Outcome) -> Statement:
    return Statement(index=0, kind="insert", text="…", outcome=outcome)


def edge(column: str, confidence: float) -> ColumnEdge:
    return ColumnEdge(ORDERS, column, column, "IDENTITY", None, confidence)


def lineage(*columns: ColumnEdge) -> DatasetLineage:
    seen = DatasetEdge(ORDERS, "query", last_seen=datetime(2026, 3, 1, tzinfo=timezone.utc))
    return DatasetLineage(DAILY, (seen,), columns)


@pytest.fixture
def report() -> Iterator[AwsLineageReport]:
    report = AwsLineageReport()
    yield report
    report.close()


def test_it_is_the_port_that_the_stages_write_to(report: AwsLineageReport) -> None:
    diagnostics: Diagnostics = report.diagnostics
    diagnostics.seen("glue tables")
    diagnostics.seen("glue tables", 2)
    diagnostics.skipped("filtered", "glue table", "sales.tmp_1")
    diagnostics.unresolved("syntax", "athena q1: line 1")
    diagnostics.truncated("redshift text", "query 7")
    shown = report.as_obj()
    assert shown["seen"] == {"glue tables": 3}
    assert shown["skipped"] == {"glue table: filtered": {"count": 1, "samples": ["sales.tmp_1"]}}
    assert shown["unresolved"] == {"syntax": {"count": 1, "samples": ["athena q1: line 1"]}}
    assert shown["truncated"] == {"redshift text": {"count": 1, "samples": ["query 7"]}}


def test_samples_are_bounded_and_counts_exact(report: AwsLineageReport) -> None:
    for number in range(SAMPLES * 3):
        report.diagnostics.unresolved("syntax", f"statement {number}")
    shown = report.as_obj()["unresolved"]["syntax"]
    assert shown["count"] == SAMPLES * 3
    assert len(shown["samples"]) == SAMPLES + 1  # and the line that says how many there were
    assert str(SAMPLES * 3) in shown["samples"][-1]


def test_warnings_and_failures_are_datahubs_own(report: AwsLineageReport) -> None:
    report.diagnostics.warning("Refused", "needs glue:GetTables")
    report.diagnostics.failure("Lost", "page 3")
    report.diagnostics.failure("Lost", "page 4")
    assert [(one.message, list(one.context)) for one in report.warnings] == [("Refused", ["needs glue:GetTables"])]
    assert [(one.message, list(one.context)) for one in report.failures] == [("Lost", ["page 3", "page 4"])]


def test_coverage_of_statements(report: AwsLineageReport) -> None:
    read = StatementLineage(inputs=(TableName("awsdatacatalog", "sales", "orders"),), columns=())
    report.count_statements("athena", [statement(read), statement(NoLineage()), statement(read)])
    report.count_statements("redshift", [statement(Unresolved("syntax", "…"))])
    shown = report.as_obj()["coverage"]
    assert shown["statements"] == {"athena": {"lineage": 2, "no_lineage": 1}, "redshift": {"unresolved": 1}}
    assert (shown["statements_total"], shown["statements_understood"]) == (4, 3)
    assert shown["statements_understood_percent"] == 75.0


def test_coverage_of_lineage(report: AwsLineageReport) -> None:
    report.coverage.add_lineage(lineage(edge("a", 1.0), edge("b", 0.9), edge("c", 0.3), edge("d", 1.0)))
    report.coverage.add_lineage(lineage())
    shown = report.as_obj()["coverage"]
    assert shown["datasets_with_lineage"] == 2
    assert shown["datasets_with_column_lineage"] == 1
    assert shown["column_edges"] == {"certain": 2, "likely": 1, "uncertain": 1}
    assert shown["column_edges_total"] == 4


@pytest.mark.parametrize(
    ("confidence", "band"),
    [(1.0, "certain"), (0.99, "likely"), (0.8, "likely"), (0.79, "uncertain"), (0.0, "uncertain")],
)
def test_confidence_bands(confidence: float, band: str) -> None:
    assert confidence_band(confidence) == band


def test_it_can_be_written_as_json(report: AwsLineageReport) -> None:
    report.diagnostics.skipped("denied", "athena work group", "etl")
    report.coverage.add_lineage(lineage(edge("a", 0.5)))
    written = json.loads(json.dumps(Report.to_pure_python_obj(report)))
    assert written["skipped"]["athena work group: denied"]["count"] == 1


def test_a_defect_of_the_engine_is_a_warning_and_bad_sql_is_not() -> None:
    report = AwsLineageReport()
    report.diagnostics.unresolved("syntax", "athena statement 1: unexpected token")
    assert not list(report.warnings)
    report.diagnostics.unresolved("internal", "athena statement 2: KeyError: 'x'")
    assert "athena statement 2" in str(list(report.warnings))
