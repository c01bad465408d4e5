"""What DataHub has of a dataset already: others' words are kept, and this source's own old ones taken back."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias, cast

from datahub.ingestion.graph.client import DataHubGraph
from datahub.metadata.schema_classes import (
    DatasetLineageTypeClass,
    DatasetPropertiesClass,
    FineGrainedLineageClass,
    SchemaMetadataClass,
    TagPropertiesClass,
    UpstreamClass,
    UpstreamLineageClass,
)
from datahub.utilities.urns.urn import guess_entity_type

from datahub_aws_lineage.errors import RetriableError

UpstreamLineage: TypeAlias = UpstreamLineageClass
"""DataHub's class, by a name for those who only pass it on."""

_OWN_OPERATION = re.compile(
    r"(DIRECT:(IDENTITY|TRANSFORMATION|AGGREGATION)|INDIRECT:(CONDITIONAL|WINDOW))(: .*)?", re.DOTALL
)


_ASKED = {
    "dataset": (DatasetPropertiesClass.ASPECT_NAME, SchemaMetadataClass.ASPECT_NAME, UpstreamLineageClass.ASPECT_NAME),
    "tag": (TagPropertiesClass.ASPECT_NAME,),
}
"""Aspects that are asked for, by type of entity; the first describes it."""


@dataclass(frozen=True, slots=True)
class StoredDataset:
    """`described`: some source, or for a tag somebody, has given it its properties."""

    described: bool = False
    schema: SchemaMetadataClass | None = None
    lineage: UpstreamLineageClass | None = None


Stored: TypeAlias = Callable[[str], StoredDataset]
"""Asks for a dataset, or for a tag, by its URN. Raises RetriableError where there is no answer."""


def stored_in(graph: DataHubGraph | None) -> Stored | None:
    """None where no DataHub can be asked: a recipe with another sink and without `datahub_api`."""
    if graph is None:
        return None

    def ask(urn: str) -> StoredDataset:
        names = _ASKED[guess_entity_type(urn)]
        try:
            aspects = {one.aspectName: one.aspect for one in graph.get_entity_as_mcps(urn, aspects=list(names))}
        except (OSError, ValueError) as e:  # of requests, and of a body that is no JSON
            raise RetriableError(f"DataHub does not answer for {urn}: {type(e).__name__}") from e
        return StoredDataset(
            described=names[0] in aspects,
            schema=cast("SchemaMetadataClass | None", aspects.get(SchemaMetadataClass.ASPECT_NAME)),
            lineage=cast("UpstreamLineageClass | None", aspects.get(UpstreamLineageClass.ASPECT_NAME)),
        )

    return ask


def stale_view_lineage(stored: UpstreamLineageClass | None, now: UpstreamLineageClass) -> UpstreamLineageClass:
    """What an earlier run said of a view, and its definition does not say any more.

    Edges that a view's definition makes have no query and no time, which tells them from those of other writers:
    DataHub's own sources give each view edge a query, its users a time.
    """
    if stored is None:
        return UpstreamLineageClass(upstreams=[])
    upstreams = {upstream.dataset for upstream in now.upstreams}
    columns = {key for edge in now.fineGrainedLineages or [] for key in _column_keys(edge)}
    return UpstreamLineageClass(
        upstreams=[one for one in stored.upstreams if _is_own_view_edge(one) and one.dataset not in upstreams],
        fineGrainedLineages=[gone for edge in stored.fineGrainedLineages or [] for gone in _gone(edge, columns)],
    )


def _is_own_view_edge(upstream: UpstreamClass) -> bool:
    untouched = upstream.query is None and upstream.properties is None and upstream.auditStamp.time == 0
    return untouched and upstream.type == DatasetLineageTypeClass.VIEW


_ColumnKey: TypeAlias = tuple[str | None, str, str]
"""Transform operation, downstream, upstream."""


def _column_keys(edge: FineGrainedLineageClass) -> Iterator[_ColumnKey]:
    for downstream in edge.downstreams or []:
        for upstream in edge.upstreams or []:
            yield edge.transformOperation, downstream, upstream


def _gone(edge: FineGrainedLineageClass, now: set[_ColumnKey]) -> Iterator[FineGrainedLineageClass]:
    """The part of one of this source's entries that is not among `now`."""
    if edge.query is not None or len(edge.downstreams or []) != 1:
        return
    if _OWN_OPERATION.fullmatch(edge.transformOperation or ""):
        upstreams = [key[2] for key in _column_keys(edge) if key not in now]
        if upstreams:
            yield FineGrainedLineageClass(
                upstreamType=edge.upstreamType,
                upstreams=upstreams,
                downstreamType=edge.downstreamType,
                downstreams=edge.downstreams,
                transformOperation=edge.transformOperation,
            )
