"""A warehouse that DataHub's own source has listed need not be listed again: its columns are asked of DataHub."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from datahub.emitter.mcp import MetadataChangeProposalWrapper
from datahub.emitter.serialization_helper import pre_json_transform
from datahub.metadata.schema_classes import (
    NumberTypeClass,
    OtherSchemaClass,
    SchemaFieldClass,
    SchemaFieldDataTypeClass,
    SchemaMetadataClass,
)
from metadata_server import MetadataService
from test_edge_memory import REPORT, Days, service

__all__ = ["service"]

COPY_ALL = "INSERT INTO public.report SELECT * FROM public.landing"


def describe(service: MetadataService, table: str, *columns: str) -> None:
    """As DataHub's `redshift` source does."""
    fields = [
        SchemaFieldClass(name, SchemaFieldDataTypeClass(NumberTypeClass._construct_with_defaults()), "INTEGER")
        for name in columns
    ]
    schema = SchemaMetadataClass(table, "urn:li:dataPlatform:redshift", 0, "", OtherSchemaClass(""), fields)
    written = MetadataChangeProposalWrapper(entityUrn=REPORT.replace("report", table), aspect=schema)
    assert service.take(pre_json_transform(written.to_obj())) == []


def run(service: MetadataService, folder: Path, *statements: str) -> tuple[set[str], set[float | None], Any]:
    days = Days(service, folder, None)
    pipeline = days.run(0, *statements)
    pipeline.raise_from_status()
    aspect = days.aspect()
    edges = (aspect.fineGrainedLineages or []) if aspect is not None else []
    return days.columns, {edge.confidenceScore for edge in edges}, pipeline.source.get_report()


def test_stars_and_positions_are_resolved(service: MetadataService, tmp_path: Path) -> None:
    describe(service, "landing", "id", "amount")
    describe(service, "report", "no", "total")
    columns, confidences, report = run(service, tmp_path, COPY_ALL)
    assert columns == {"landing:id -> no", "landing:amount -> total"}
    assert confidences == {1.0}
    assert not report.unresolved.counts


def test_without_them_a_star_is_a_gap(service: MetadataService, tmp_path: Path) -> None:
    columns, _, report = run(service, tmp_path, COPY_ALL)
    assert columns == set()
    assert report.unresolved.counts


def test_columns_that_this_source_itself_has_named_are_no_schema(service: MetadataService, tmp_path: Path) -> None:
    """They are those that some statement happened to name."""
    some = "INSERT INTO public.report (no) SELECT l.amount FROM public.landing l"
    assert run(service, tmp_path, some)[0] == {"landing:amount -> no"}
    columns, _, report = run(service, tmp_path, COPY_ALL)
    assert columns == {"landing:amount -> no"}
    assert report.unresolved.counts


def test_a_table_that_the_log_makes_anew_has_the_columns_of_the_log(service: MetadataService, tmp_path: Path) -> None:
    describe(service, "landing", "id", "amount")
    describe(service, "report", "no", "total")
    made = "CREATE TABLE public.landing AS SELECT 1 AS x, 2 AS y"
    assert run(service, tmp_path, made, COPY_ALL)[0] == {"landing:x -> no", "landing:y -> total"}


def test_each_table_is_asked_for_once(service: MetadataService, tmp_path: Path) -> None:
    """Where DataHub does not answer, no other is asked for."""
    service.silent = True
    days = Days(service, tmp_path, None)
    report = days.run(0, COPY_ALL, COPY_ALL.replace("landing", "other")).source.get_report()
    assert len(report.warnings) == 1
