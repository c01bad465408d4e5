"""Incremental lineage: the patches of this source, and what a server makes of them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from datahub.emitter.mcp import MetadataChangeProposalWrapper
from datahub.ingestion.api.incremental_lineage_helper import convert_upstream_lineage_to_patch
from datahub.ingestion.api.workunit import MetadataWorkUnit
from datahub.metadata.schema_classes import (
    AuditStampClass,
    FineGrainedLineageClass,
    GenericAspectClass,
    MetadataChangeProposalClass,
    UpstreamClass,
    UpstreamLineageClass,
)
from emit_samples import DATASETS, LINEAGES, ORDERS_SET, REPORT_SET, TABLES, TOTALS_SET, Notes, masked
from strict_schema import assert_valid, problems
from upstream_patches import merge

from datahub_aws_lineage.emit.schema_index import SchemaIndex
from datahub_aws_lineage.emit.stored import stale_view_lineage
from datahub_aws_lineage.emit.upstreams import UpstreamBuilder
from datahub_aws_lineage.emit.urns import dataset_urn
from datahub_aws_lineage.emit.work_units import lineage_unit
from datahub_aws_lineage.model.lineage import ColumnEdge, DatasetEdge, DatasetLineage

OTHER = "urn:li:dataset:(urn:li:dataPlatform:postgres,shop.cities,PROD)"
TARGET = dataset_urn(TOTALS_SET, "PROD")


def proposal(lineage: DatasetLineage) -> MetadataChangeProposalWrapper:
    schemas = SchemaIndex(Notes())
    for table in TABLES:
        schemas.add(DATASETS[table.name], table)
    found = UpstreamBuilder(env="PROD", schemas=schemas, query_text="full", mask=masked).proposal(lineage)
    assert found is not None
    return found


def unit(whole: MetadataChangeProposalWrapper, of_earlier_runs: UpstreamLineageClass | None = None) -> MetadataWorkUnit:
    assert isinstance(whole.aspect, UpstreamLineageClass)
    stale = stale_view_lineage(of_earlier_runs, whole.aspect)
    return lineage_unit(whole, described=True, incremental=True, stale=stale)


def operations(made: MetadataWorkUnit) -> list[dict[str, Any]]:
    assert isinstance(made.metadata, MetadataChangeProposalClass)
    assert isinstance(made.metadata.aspect, GenericAspectClass)
    return list(json.loads(made.metadata.aspect.value))


@pytest.mark.parametrize("lineage", LINEAGES)
def test_a_patch_says_what_the_whole_aspect_says(lineage: DatasetLineage) -> None:
    whole = proposal(lineage)
    assert problems(unit(whole)) == []
    assert merge(None, operations(unit(whole))) == whole.aspect


def test_without_the_option_the_aspect_goes_whole() -> None:
    whole = proposal(LINEAGES[1])
    assert lineage_unit(whole, described=True, incremental=False).metadata is whole


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of DataHub's own code
@pytest.mark.parametrize("lineage", LINEAGES)
def test_the_patch_is_what_datahub_makes_of_the_whole_aspect(lineage: DatasetLineage) -> None:
    whole = proposal(lineage)
    assert isinstance(whole.aspect, UpstreamLineageClass)
    theirs = convert_upstream_lineage_to_patch(str(whole.entityUrn), whole.aspect, None)
    assert operations(unit(whole)) == operations(theirs)


@pytest.mark.parametrize("incremental", [True, False])
@pytest.mark.parametrize("described", [True, False])
def test_lineage_makes_a_dataset_ours_only_where_it_is_described(incremental: bool, described: bool) -> None:
    made = lineage_unit(proposal(LINEAGES[1]), described=described, incremental=incremental)
    assert made.is_primary_source is described


@pytest.mark.parametrize("lineage", LINEAGES)
def test_the_same_run_again_adds_nothing(lineage: DatasetLineage) -> None:
    patch = operations(unit(proposal(lineage)))
    once = merge(None, patch)
    assert merge(once, patch) == once


def test_another_run_of_the_query_with_other_literals_adds_nothing() -> None:
    lineage = LINEAGES[-1]
    literal = replace(lineage.columns[0], expression="COALESCE(city, 100)")
    later = replace(lineage, columns=(literal, *lineage.columns[1:]))
    first, second = (operations(unit(proposal(each))) for each in (lineage, later))
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
    merged = merge(stored, operations(unit(whole)))
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
    assert problems(unit(whole)) == []
    assert merge(None, operations(unit(whole))) == whole.aspect


def view(*columns: ColumnEdge) -> MetadataChangeProposalWrapper:
    upstreams = sorted({column.upstream for column in columns}, key=str)
    edges = tuple(DatasetEdge(upstream, "view") for upstream in upstreams)
    return proposal(DatasetLineage(TOTALS_SET, edges, columns))


def column_entry(operation: str | None, query: str | None = None) -> FineGrainedLineageClass:
    """What another writer could say of a column of the view."""
    return FineGrainedLineageClass(
        upstreamType="FIELD_SET",
        downstreamType="FIELD",
        upstreams=[f"urn:li:schemaField:({OTHER},name)"],
        downstreams=[f"urn:li:schemaField:({TARGET},city)"],
        transformOperation=operation,
        query=query,
    )


OTHERS = MetadataChangeProposalWrapper(
    entityUrn=TARGET,
    aspect=UpstreamLineageClass(
        [
            UpstreamClass(OTHER, "VIEW", query="urn:li:query:view_1"),
            UpstreamClass(OTHER.replace("cities", "b"), "VIEW", AuditStampClass(1772000000000, "urn:li:corpuser:x")),
            UpstreamClass(OTHER.replace("cities", "c"), "VIEW", properties={"source": "UI"}),
            UpstreamClass(OTHER.replace("cities", "d"), "COPY"),
        ],
        [
            column_entry("DIRECT:IDENTITY", query="urn:li:query:view_1"),
            column_entry("SQL: name"),
            column_entry("DIRECT:COPY"),
            column_entry(None),
        ],
    ),
)
"""Lineage of the view by other writers."""


def test_what_a_view_is_not_made_of_any_more_is_taken_back_and_nothing_else() -> None:
    price = ColumnEdge(ORDERS_SET, "items.price", "total", "AGGREGATION", "SUM(i.price)", 1.0)
    quantity = ColumnEdge(ORDERS_SET, "id", "total", "AGGREGATION", "SUM(i.price)", 1.0)
    city = ColumnEdge(REPORT_SET, "city", "city", "IDENTITY", None, 1.0)
    before, after = view(price, quantity, city), view(price)
    stored = merge(merge(None, operations(unit(before))), operations(unit(OTHERS)))
    patch = unit(after, stored)
    assert problems(patch) == []
    assert merge(stored, operations(patch)) == merge(merge(None, operations(unit(after))), operations(unit(OTHERS)))
    again = merge(stored, operations(patch))
    assert operations(unit(after, again)) == operations(unit(after))
