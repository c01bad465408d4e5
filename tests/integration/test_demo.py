"""The demo as `make demo` runs it: the recipe, the recorded account, the summary. Nothing may reach the network."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from datahub.ingestion.run.pipeline import Pipeline
from datahub.metadata.urns import DatasetUrn
from datahub.utilities.urns.field_paths import get_simple_field_path_from_v2_field_path
from readme import check_block, fenced
from strict_schema import assert_valid_file

from datahub_aws_lineage.config.recipes import load_recipe
from datahub_aws_lineage.report import AwsLineageReport
from datahub_aws_lineage.source import AwsLineageSource
from datahub_aws_lineage.summary import Emitted, Field, read_emitted, render

ROOT = Path(__file__).parent.parent.parent
RECIPE = ROOT / "recipes" / "demo.yml"

BY_HAND: dict[str, dict[str, str]] = {
    # COPY into one temporary table, and another one without the duplicates.
    "redshift ringelrad.core.fct_payment.net_amount": {
        "s3 ringelrad-exchange/to_redshift/payments.net_amount": "DIRECT:IDENTITY",
    },
    # INSERT … SUM(p.gross_amount - p.net_amount)
    "redshift ringelrad.finance.revenue_daily.vat": {
        "redshift ringelrad.core.fct_payment.gross_amount": "DIRECT:AGGREGATION",
        "redshift ringelrad.core.fct_payment.net_amount": "DIRECT:AGGREGATION",
    },
    # CASE p.method WHEN 'voucher' THEN '440030' ELSE '440010' END
    "redshift ringelrad.finance.revenue_daily.account_no": {
        "redshift ringelrad.core.fct_payment.method": "INDIRECT:CONDITIONAL",
    },
    # UNLOAD to a folder that names the day, which is a partition and no dataset of its own
    "s3 ringelrad-exchange/finance/revenue_daily.net": {
        "redshift ringelrad.finance.revenue_daily.net": "DIRECT:IDENTITY",
    },
    # A union of net, vat and the constant 0
    "redshift ledger.gl.journal.credit": {
        "redshift ledger.gl.revenue_load.net": "DIRECT:IDENTITY",
        "redshift ledger.gl.revenue_load.vat": "DIRECT:IDENTITY",
    },
    # Through the temporary table `balances`: sum(sum(debit) - sum(credit)) OVER (PARTITION BY … ORDER BY …)
    "redshift ledger.gl.daily_close.balance": {
        "redshift ledger.gl.journal.debit": "DIRECT:AGGREGATION",
        "redshift ledger.gl.journal.credit": "DIRECT:AGGREGATION",
        "redshift ledger.gl.journal.account_no": "INDIRECT:WINDOW",
        "redshift ledger.gl.journal.booked_on": "INDIRECT:WINDOW",
    },
}
"""Columns of the demo and all their upstreams, read from the company's SQL."""


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, AwsLineageReport]:
    output = tmp_path_factory.mktemp("demo") / "demo.json"
    return output, ingest(output)


def ingest(output: Path) -> AwsLineageReport:
    config = load_recipe(RECIPE).model_copy(update={"report_file": str(output.with_suffix(".report.json"))})
    recipe = {
        "run_id": "demo",
        "source": {"type": "aws-lineage", "config": config.model_dump(exclude_unset=True, mode="json")},
        "sink": {"type": "file", "config": {"filename": str(output)}},
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        patch.setattr(socket.socket, "connect", _refuse)
        pipeline = Pipeline.create(recipe, report_to=None)
        pipeline.run()
    pipeline.raise_from_status()
    report = pipeline.source.get_report()
    assert isinstance(report, AwsLineageReport)
    return report


def _refuse(_: socket.socket, address: Any) -> None:
    raise AssertionError(f"the demo connects to {address}")


def test_it_is_valid(demo: tuple[Path, AwsLineageReport]) -> None:
    assert_valid_file(demo[0])


def test_nothing_fails_and_little_is_not_understood(demo: tuple[Path, AwsLineageReport]) -> None:
    report = demo[1]
    assert not report.failures
    assert not report.warnings
    assert report.coverage.statements_total > 400
    assert report.coverage.statements_understood / report.coverage.statements_total > 0.99


def test_what_is_not_understood_has_its_reasons(demo: tuple[Path, AwsLineageReport]) -> None:
    """The company's people mistype, forget to fill in templates, and read tables that no catalog has."""
    unresolved, skipped = demo[1].unresolved.counts, demo[1].skipped.counts
    assert unresolved.keys() == {"syntax", "placeholder", "star"}
    assert {"athena query: failed_statement", "redshift query: rolled_back", "table: unknown_dataset"} <= skipped.keys()


@pytest.mark.parametrize("column", BY_HAND)
def test_columns_read_by_hand(demo: tuple[Path, AwsLineageReport], column: str) -> None:
    found = {named(source): ":".join(edge[0].split(":")[:2]) for source, edge in upstreams(demo[0], column).items()}
    assert found == BY_HAND[column]


def upstreams(output: Path, column: str) -> dict[Field, tuple[str, float]]:
    columns = read_emitted(output).columns
    return next(edges for target, edges in columns.items() if named(target) == column)


def named(field: Field) -> str:
    dataset = DatasetUrn.from_string(field.dataset)
    return f"{dataset.platform.rpartition(':')[2]} {dataset.name}.{field.path}"


def test_a_stored_procedure_is_a_job_with_what_it_read_and_wrote(demo: tuple[Path, AwsLineageReport]) -> None:
    jobs = [one for one in json.loads(demo[0].read_text()) if one.get("aspectName") == "dataJobInputOutput"]
    assert [one["entityUrn"] for one in jobs] == [
        "urn:li:dataJob:(urn:li:dataFlow:(redshift,ringelrad.finance.stored_procedures,PROD),sp_close_day)"
    ]
    work = jobs[0]["aspect"]["json"]
    assert [DatasetUrn.from_string(urn).name for urn in work["inputDatasets"]] == [
        "ringelrad.core.fct_payment",
        "ringelrad.core.fct_refund",
        "ringelrad.core.fct_trip",
    ]
    assert [DatasetUrn.from_string(urn).name for urn in work["outputDatasets"]] == [
        "ringelrad.finance.refunds_daily",
        "ringelrad.finance.revenue_daily",
    ]
    columns = {edge["downstreams"][0].rpartition(",")[2].rstrip(")") for edge in work["fineGrainedLineages"]}
    assert columns == {"booked_on", "city", "account_no", "gross", "net", "vat", "amount"}


def test_a_value_crosses_both_services_and_s3(demo: tuple[Path, AwsLineageReport]) -> None:
    """Every dataset of the demo's point: from the lake through Athena to Redshift, and back to the lake."""
    emitted = read_emitted(demo[0])
    reached = {DatasetUrn.from_string(field.dataset).name for field in above(emitted, "rides_analytics.ledger_close")}
    assert {
        "rides_raw.payments",
        "rides_curated.payments",
        "ringelrad.core.fct_payment",
        "ledger.gl.journal",
    } <= reached


def test_no_dataset_appears_twice(demo: tuple[Path, AwsLineageReport]) -> None:
    """Neither in another case or with a slash at its end, nor a table of the Data Catalog on two platforms."""
    urns = {one["entityUrn"] for one in json.loads(demo[0].read_text()) if one["entityType"] == "dataset"}
    named_alike = [DatasetUrn.from_string(urn).name.lower().strip("/") for urn in urns if ":redshift," not in urn]
    assert len(named_alike) > 90
    assert len(set(named_alike)) == len(named_alike)


def above(emitted: Emitted, table: str) -> set[Field]:
    """All columns that any column of `table` is made from, over any number of steps."""
    found: set[Field] = set()
    open_ = [field for field in emitted.columns if DatasetUrn.from_string(field.dataset).name == table]
    while open_:
        sources = emitted.columns.get(open_.pop(), {}).keys() - found
        found |= sources
        open_.extend(sources)
    return found


def test_datahub_draws_every_column_edge_between_datasets_that_are_described(
    demo: tuple[Path, AwsLineageReport],
) -> None:
    """Its graph leaves out a column edge where a dataset's schema lacks the field."""
    proposals = json.loads(demo[0].read_text(encoding="utf-8"))
    described = {one["entityUrn"] for one in proposals if one["aspectName"] == "status"}
    fields = {
        Field(one["entityUrn"], get_simple_field_path_from_v2_field_path(field["fieldPath"]))
        for one in proposals
        if one["aspectName"] == "schemaMetadata"
        for field in one["aspect"]["json"]["fields"]
    }
    emitted = read_emitted(demo[0])
    ends = {*emitted.columns, *(source for sources in emitted.columns.values() for source in sources)}
    assert len(ends) > 1000
    assert [named(end) for end in ends - fields if end.dataset in described] == []
    assert {DatasetUrn.from_string(end.dataset).name for end in ends if end.dataset not in described} == {
        "crm.public.accounts",  # PostgreSQL's own source describes it
        "mobility_open_data.cycle_counters",  # another account's
        "mobility_open_data.districts",
    }


def test_two_runs_say_the_same(demo: tuple[Path, AwsLineageReport], tmp_path: Path) -> None:
    def said(path: Path) -> list[Any]:
        proposals = json.loads(path.read_text(encoding="utf-8"))
        return [{key: one[key] for key in ("entityUrn", "aspectName", "aspect")} for one in proposals]

    again = tmp_path / "demo.json"
    ingest(again)
    assert said(again) == said(demo[0])


def test_its_connection_can_be_tested(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    config = load_recipe(RECIPE).model_dump(exclude_unset=True, mode="json")
    report = AwsLineageSource.test_connection(config)
    assert report.capability_report is not None
    assert {name: found.failure_reason for name, found in report.capability_report.items() if not found.capable} == {}


def test_the_readme_shows_the_summary(demo: tuple[Path, AwsLineageReport]) -> None:
    text = render(read_emitted(demo[0]), Path("output/demo.json"), demo[1].as_obj())
    check_block("summary of the demo", "end of the summary", fenced("text", text))


def test_the_summary(demo: tuple[Path, AwsLineageReport]) -> None:
    output = demo[0]
    command = [sys.executable, "-m", "datahub_aws_lineage.cli", "report", str(output)]
    arguments = ["--run", str(output.with_suffix(".report.json"))]
    text = subprocess.run([*command, *arguments], capture_output=True, check=True, text=True).stdout
    for part in ("Catalog", "understood", "column edges", "One value", "Unresolved", "placeholder", str(output)):
        assert part in text
    assert max(map(len, text.splitlines()[:-1])) <= 130
