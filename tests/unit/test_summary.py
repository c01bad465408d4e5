"""The summary of a run, over files that DataHub's own file sink writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from datahub.emitter.mce_builder import make_dataset_urn, make_schema_field_urn
from datahub.emitter.mcp import MetadataChangeProposalWrapper
from datahub.ingestion.api.incremental_lineage_helper import convert_upstream_lineage_to_patch
from datahub.ingestion.sink.file import write_metadata_file
from datahub.metadata.schema_classes import (
    FineGrainedLineageClass,
    FineGrainedLineageDownstreamTypeClass,
    FineGrainedLineageUpstreamTypeClass,
    SubTypesClass,
    UpstreamClass,
    UpstreamLineageClass,
)

from datahub_aws_lineage.errors import MalformedError
from datahub_aws_lineage.summary import Field, collect, longest_path, parse_field, read_emitted, render, source_report

LAKE = make_dataset_urn("s3", "lake/raw/orders")
RAW = make_dataset_urn("glue", "raw.orders")
DAILY = make_dataset_urn("redshift", "dev.public.daily")


def fine(upstream: str, source: str, downstream: str, target: str, confidence: float) -> FineGrainedLineageClass:
    return FineGrainedLineageClass(
        upstreamType=FineGrainedLineageUpstreamTypeClass.FIELD_SET,
        downstreamType=FineGrainedLineageDownstreamTypeClass.FIELD,
        upstreams=[make_schema_field_urn(upstream, source)],
        downstreams=[make_schema_field_urn(downstream, target)],
        transformOperation="DIRECT:AGGREGATION: SUM(net/gross)",
        confidenceScore=confidence,
    )


def upstream_lineage(upstream: str, *columns: FineGrainedLineageClass) -> UpstreamLineageClass:
    return UpstreamLineageClass(upstreams=[UpstreamClass(upstream, "TRANSFORMED")], fineGrainedLineages=list(columns))


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """Three datasets in a row: a whole aspect for one, a patch for the other."""
    path = tmp_path / "out.json"
    stated = upstream_lineage(LAKE, fine(LAKE, "net", RAW, "[version=2.0].[type=struct].[type=long].net", 1.0))
    patched = upstream_lineage(RAW, fine(RAW, "net", DAILY, "total", 0.7), fine(RAW, "day", DAILY, "day", 1.0))
    write_metadata_file(
        path,
        [
            MetadataChangeProposalWrapper(entityUrn=RAW, aspect=SubTypesClass(["Table"])),
            MetadataChangeProposalWrapper(entityUrn=DAILY, aspect=SubTypesClass(["View"])),
            MetadataChangeProposalWrapper(entityUrn=RAW, aspect=stated),
            convert_upstream_lineage_to_patch(DAILY, patched, None).metadata,
        ],
    )
    return path


def run_report(**changes: Any) -> dict[str, Any]:
    return {
        "coverage": {"statements": {"athena": {"lineage": 997, "unresolved": 3}}},
        "unresolved": {"syntax": {"count": 3, "samples": ["athena q1: line 4:\n  expected FROM"]}},
        "skipped": {},
        "truncated": {},
        "warnings": [{"title": None, "message": "Refused", "context": ["needs glue:GetTables"]}],
        "failures": [],
        **changes,
    }


def test_both_forms_of_lineage_are_counted(output: Path) -> None:
    emitted = read_emitted(output)
    assert emitted.proposals == 4
    assert (emitted.tables, emitted.views) == ({"glue": 1}, {"redshift": 1})
    assert emitted.upstreams == {RAW: {LAKE}, DAILY: {RAW}}
    assert emitted.columns == {
        Field(RAW, "net"): {Field(LAKE, "net"): ("DIRECT:AGGREGATION: SUM(net/gross)", 1.0)},
        Field(DAILY, "total"): {Field(RAW, "net"): ("DIRECT:AGGREGATION: SUM(net/gross)", 0.7)},
        Field(DAILY, "day"): {Field(RAW, "day"): ("DIRECT:AGGREGATION: SUM(net/gross)", 1.0)},
    }


def test_the_text_says_it_all(output: Path) -> None:
    text = render(read_emitted(output), Path("output/demo.json"), run_report())
    for part in (
        "Glue      1 table, 0 views",
        "Redshift  0 tables, 1 view",
        "Athena    1,000 statements, 99.7 % understood",
        "2 table edges into 2 datasets, 2 of them by column",
        "3 column edges, 66.6 % of them certain",
        "   s3://lake/raw/orders  net",
        "-> raw.orders  net            aggregation: SUM(net/gross)",
        "-> dev.public.daily  total    aggregation: SUM(net/gross)",
        "    3  syntax  line 4: expected FROM",
        "Refused: needs glue:GetTables",
        "output/demo.json  (4 proposals)",
    ):
        assert part in text
    assert max(map(len, text.splitlines())) <= 120


def test_without_a_run_report_only_the_file_is_described(output: Path) -> None:
    text = render(read_emitted(output), output)
    assert "understood" not in text
    assert "3 column edges" in text


def test_a_run_without_trouble_says_so(output: Path) -> None:
    text = render(read_emitted(output), output, run_report(unresolved={}, warnings=[]))
    assert "every statement was understood" in text


def test_an_empty_file() -> None:
    assert "no tables" in render(collect([]), Path("x.json"))


def test_field_paths_lose_their_type_tokens() -> None:
    path = "[version=2.0].[type=struct].[type=struct].user.[type=array].[type=string].tags"
    assert parse_field(make_schema_field_urn(RAW, path)) == Field(RAW, "user.tags")
    assert parse_field("urn:li:corpuser:x") is None


def test_the_longest_path_survives_a_cycle() -> None:
    a, b, c = (Field(RAW, name) for name in "abc")
    edge = ("IDENTITY", 1.0)
    assert longest_path({b: {a: edge}, c: {b: edge}, a: {c: edge}})[-1] in {a, b, c}
    assert longest_path({b: {a: edge, b: edge}, c: {b: edge}}) == [a, b, c]
    assert longest_path({}) == []


@pytest.mark.parametrize("content", ["", "{", '{"a": 1}', "[1]", None])
def test_another_file_is_refused(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "x.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(MalformedError, match=r"x\.json: "):
        read_emitted(path)


@pytest.mark.parametrize("run", [[], {}, {"source": {"report": {}}}, {"source": {"report": 1}}])
def test_another_report_is_refused(run: Any) -> None:
    with pytest.raises(MalformedError, match="not the report of an aws-lineage run"):
        source_report(json.loads(json.dumps(run)), Path("run.json"))
