"""Proposals to work units: whose datasets they are, and where they stand in DataHub's browse tree."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeAlias

from datahub.configuration.source_common import PlatformInstanceConfigMixin
from datahub.emitter.mcp import MetadataChangeProposalWrapper
from datahub.ingestion.api.common import PipelineContext
from datahub.ingestion.api.source import SourceReport
from datahub.ingestion.api.workunit import MetadataWorkUnit
from datahub.ingestion.api.workunit_processor import WorkunitProcessorContext
from datahub.ingestion.workunit_processors import AutoBrowsePathV2Processor
from datahub.metadata.schema_classes import UpstreamLineageClass
from datahub.specific.dataset import DatasetPatchBuilder

WorkUnits: TypeAlias = Iterator[MetadataWorkUnit]

BrowsePaths: TypeAlias = Callable[[WorkUnits, str, PlatformInstanceConfigMixin], WorkUnits]
"""Adds browse paths to the datasets and containers of one catalog: of a platform, with the instance of a config."""


def described(proposals: Iterable[MetadataChangeProposalWrapper]) -> WorkUnits:
    """Of entities that this source describes: it removes them when they are gone."""
    for proposal in proposals:
        yield proposal.as_workunit()


def mentioned(proposals: Iterable[MetadataChangeProposalWrapper]) -> WorkUnits:
    """Of entities that only lineage names: what is not named any more may be there all the same, so it stays."""
    for proposal in proposals:
        yield proposal.as_workunit(is_primary_source=False)


def lineage_unit(
    proposal: MetadataChangeProposalWrapper,
    *,
    described: bool,
    incremental: bool,
    stale: UpstreamLineageClass | None = None,
) -> MetadataWorkUnit:
    """Lineage of a dataset; `incremental`: as a patch, which also takes back what is `stale`. Where another source
    describes the dataset, the lineage must not make it ours to remove.
    """
    aspect = proposal.aspect
    if not incremental or not isinstance(aspect, UpstreamLineageClass):
        return proposal.as_workunit(is_primary_source=described)
    patch = DatasetPatchBuilder(str(proposal.entityUrn))
    if stale is not None:
        for upstream in stale.upstreams:
            patch.remove_upstream_lineage(upstream.dataset)
        for column in stale.fineGrainedLineages or []:
            patch.remove_fine_grained_lineage(column)
    for upstream in aspect.upstreams:
        patch.add_upstream_lineage(upstream)
    for column in aspect.fineGrainedLineages or []:
        patch.add_fine_grained_lineage(column)
    (made,) = patch.build()
    return MetadataWorkUnit(MetadataWorkUnit.generate_workunit_id(made), mcp_raw=made, is_primary_source=described)


def browse_paths(report: SourceReport, pipeline: PipelineContext) -> BrowsePaths:
    """DataHub's own processor, for one catalog at a time: it knows but one platform and one instance."""

    def with_browse_paths(stream: WorkUnits, platform: str, config: PlatformInstanceConfigMixin) -> WorkUnits:
        context = WorkunitProcessorContext(
            source_report=report,
            pipeline_context=pipeline,
            source_config=config,
            platform=platform,
            source_platform=platform,
        )
        if not AutoBrowsePathV2Processor.should_enable(context):
            return stream
        return iter(AutoBrowsePathV2Processor.create(context).process(stream))

    return with_browse_paths
