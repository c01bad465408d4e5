"""Incremental lineage: through DataHub's own work-unit processor, and what a server makes of the patch.

No DataHub server runs here. `merge` stands for its documented folding of an `upstreamLineage` patch: upstreams by
dataset; fine-grained edges by transform operation, downstream, query and upstream, with the lowest confidence.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from datahub.configuration.common import ConfigModel
from datahub.emitter.mcp import MetadataChangeProposalWrapper
from datahub.emitter.mcp_patch_builder import parse_patch_path
from datahub.ingestion.api.common import PipelineContext
from datahub.ingestion.api.source import SourceReport
from datahub.ingestion.api.workunit import MetadataWorkUnit
from datahub.ingestion.api.workunit_processor import WorkunitProcessorContext
from datahub.ingestion.workunit_processors.auto_incremental_lineage import AutoIncrementalLineageProcessor
from datahub.metadata.schema_classes import (
    FineGrainedLineageClass,
    GenericAspectClass,
    MetadataChangeProposalClass,
    UpstreamClass,
    UpstreamLineageClass,
)
from emit_samples import DATASETS, LINEAGES, REPORT_SET, TABLES, Notes, masked
from strict_schema import assert_valid, problems

from datahub_aws_lineage.emit.schema_index import SchemaIndex
from datahub_aws_lineage.emit.upstreams import UpstreamBuilder
from datahub_aws_lineage.emit.urns import dataset_urn
from datahub_aws_lineage.model.lineage import DatasetLineage


class Config(ConfigModel):
    incremental_lineage: bool


def proposal(lineage: DatasetLineage) -> MetadataChangeProposalWrapper:
    schemas = SchemaIndex(Notes())
    for table in TABLES:
        schemas.add(DATASETS[table.name], table)
    found = UpstreamBuilder(env="PROD", schemas=schemas, query_text="full", mask=masked).proposal(lineage)
    assert found is not None
    return found


def processed(proposals: Iterable[MetadataChangeProposalWrapper], *, incremental: bool) -> list[MetadataWorkUnit]:
    """As in a pipeline without a server (the file sink): the processor asks for the option alone."""
    context = WorkunitProcessorContext(
        source_report=SourceReport(),
        pipeline_context=PipelineContext(run_id="test"),
        source_config=Config(incremental_lineage=incremental),
        platform="aws-lineage",
    )
    units = [proposal.as_workunit() for proposal in proposals]
    if not AutoIncrementalLineageProcessor.should_enable(context):
        return units
    return list(AutoIncrementalLineageProcessor.create(context).process(units))


def operations(unit: MetadataWorkUnit) -> list[dict[str, Any]]:
    assert isinstance(unit.metadata, MetadataChangeProposalClass)
    assert isinstance(unit.metadata.aspect, GenericAspectClass)
    return list(json.loads(unit.metadata.aspect.value))


def merge(stored: UpstreamLineageClass | None, patch: list[dict[str, Any]]) -> UpstreamLineageClass:
    upstreams = {upstream.dataset: upstream for upstream in (stored.upstreams if stored else [])}
    edges: dict[tuple[str, str, str], dict[str, float]] = {}
    for edge in (stored.fineGrainedLineages or []) if stored else []:
        assert edge.downstreams is not None
        key = (edge.transformOperation or "NONE", edge.downstreams[0], edge.query or "NONE")
        edges.setdefault(key, {}).update(dict.fromkeys(edge.upstreams or [], edge.confidenceScore))
    for operation in patch:
        kind, *path = (str(part) for part in parse_patch_path(operation["path"]))
        if kind == "upstreams":
            upstreams[path[0]] = UpstreamClass.from_obj(operation["value"])
        else:
            named = edges.setdefault((path[0], path[1], path[2]), {})
            named[path[3]] = operation["value"]["confidenceScore"]
    return UpstreamLineageClass(
        upstreams=[upstreams[urn] for urn in sorted(upstreams)],
        fineGrainedLineages=[_entry(key, named) for key, named in sorted(edges.items(), key=_downstream_first)] or None,
    )


def _downstream_first(item: tuple[tuple[str, str, str], Any]) -> tuple[str, str, str]:
    operation, downstream, query = item[0]
    return downstream, "" if query == "NONE" else query, operation


def _entry(key: tuple[str, str, str], upstreams: dict[str, float]) -> FineGrainedLineageClass:
    operation, downstream, query = key
    return FineGrainedLineageClass(
        upstreamType="FIELD_SET",
        downstreamType="FIELD",
        upstreams=sorted(upstreams),
        downstreams=[downstream],
        transformOperation=operation,
        query=None if query == "NONE" else query,
        confidenceScore=min(upstreams.values()),
    )


@pytest.mark.parametrize("lineage", LINEAGES)
def test_a_patch_says_what_the_whole_aspect_says(lineage: DatasetLineage) -> None:
    whole = proposal(lineage)
    (unit,) = processed([whole], incremental=True)
    assert problems(unit) == []
    assert merge(None, operations(unit)) == whole.aspect


def test_without_the_option_the_aspect_goes_whole() -> None:
    whole = proposal(LINEAGES[1])
    (unit,) = processed([whole], incremental=False)
    assert unit.metadata is whole


@pytest.mark.parametrize("lineage", LINEAGES)
def test_the_same_run_again_adds_nothing(lineage: DatasetLineage) -> None:
    patch = operations(processed([proposal(lineage)], incremental=True)[0])
    once = merge(None, patch)
    assert merge(once, patch) == once


def test_another_run_of_the_query_with_other_literals_adds_nothing() -> None:
    lineage = LINEAGES[-1]
    literal = replace(lineage.columns[0], expression="COALESCE(city, 100)")
    later = replace(lineage, columns=(literal, *lineage.columns[1:]))
    first, second = (operations(processed([proposal(each)], incremental=True)[0]) for each in (lineage, later))
    assert merge(merge(None, first), second) == merge(None, first)


def test_what_another_writer_put_there_survives() -> None:
    target = dataset_urn(REPORT_SET, "PROD")
    other = "urn:li:dataset:(urn:li:dataPlatform:postgres,shop.cities,PROD)"
    edge = FineGrainedLineageClass(
        upstreamType="FIELD_SET",
        downstreamType="FIELD",
        upstreams=[f"urn:li:schemaField:({other},name)"],
        downstreams=[f"urn:li:schemaField:({target},city)"],
        transformOperation="COPY: name",
    )
    stored = UpstreamLineageClass([UpstreamClass(other, "TRANSFORMED")], [edge])
    whole = proposal(LINEAGES[-1])
    merged = merge(stored, operations(processed([whole], incremental=True)[0]))
    assert_valid([MetadataChangeProposalWrapper(entityUrn=target, aspect=merged)])
    assert isinstance(whole.aspect, UpstreamLineageClass)
    assert {upstream.dataset for upstream in merged.upstreams} == {
        other,
        *(upstream.dataset for upstream in whole.aspect.upstreams),
    }
    kept = [entry for entry in merged.fineGrainedLineages or [] if entry.transformOperation == "COPY: name"]
    assert [(entry.upstreams, entry.downstreams) for entry in kept] == [(edge.upstreams, edge.downstreams)]
    assert len(merged.fineGrainedLineages or []) == 1 + len(whole.aspect.fineGrainedLineages or [])


def test_a_slash_or_a_tilde_in_an_expression_is_no_part_of_the_path() -> None:
    lineage = LINEAGES[1]
    odd = replace(lineage.columns[1], expression="SUM(a / b) ~ '~1/'")
    whole = proposal(replace(lineage, columns=(odd,)))
    (unit,) = processed([whole], incremental=True)
    assert problems(unit) == []
    assert merge(None, operations(unit)) == whole.aspect
