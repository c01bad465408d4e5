"""A dataset's lineage as one `upstreamLineage` aspect: upstream datasets, and fine-grained edges between columns.

**The form of the column edges.** There is one `FineGrainedLineage` for each downstream column, query and transform
operation, holding all upstream columns that share them. DataHub's incremental lineage sends every fine-grained edge as
a JSON patch under the key transform operation / downstream / query / upstream, and the server folds equal keys back
into one entry with the lowest confidence. Entries that are grouped so from the start come out of the patch as they went
in, and two entries never meet under one key.

**The transform operation** names OpenLineage's type and subtype, and then the SQL expression:
`DIRECT:AGGREGATION: SUM(amount)`, `INDIRECT:CONDITIONAL: CASE WHEN …`, or `DIRECT:IDENTITY` alone where the column is
passed on as it is. It begins as DataHub's OpenLineage converter does (`DIRECT:IDENTITY`), and ends as its SQL parser
does (`SQL: <expression>`).

The expression of an edge that a query made has its literals masked whatever `query_text` says: a query stands for all
runs of a statement with any literals, and as part of the patch's key an expression with yesterday's date would add one
more entry a day for ever. Views keep their literals in the `full` form: their text is fixed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from datahub.emitter.mcp import MetadataChangeProposalWrapper
from datahub.metadata.schema_classes import (
    DatasetLineageTypeClass,
    FineGrainedLineageClass,
    FineGrainedLineageDownstreamTypeClass,
    FineGrainedLineageUpstreamTypeClass,
    UpstreamClass,
    UpstreamLineageClass,
)
from typing_extensions import assert_never

from datahub_aws_lineage.emit.queries import Mask, QueryText, audit_stamp
from datahub_aws_lineage.emit.schema_index import SchemaIndex
from datahub_aws_lineage.emit.urns import dataset_urn, field_urn, query_urn
from datahub_aws_lineage.emit.users import Users
from datahub_aws_lineage.model.lineage import (
    DIRECT_SUBTYPES,
    ColumnEdge,
    DatasetEdge,
    DatasetLineage,
    EdgeOrigin,
)
from datahub_aws_lineage.model.names import Dialect

MAX_EXPRESSION = 1000
"""Characters of an expression on an edge; a patch repeats it for every upstream column."""

_Key = tuple[str, str, str]
"""Downstream field URN, query URN or nothing, transform operation."""


class UpstreamBuilder:
    """Builds `upstreamLineage`, the same for both modes: DataHub's work-unit processor makes patches of it."""

    def __init__(
        self,
        *,
        env: str,
        schemas: SchemaIndex,
        query_text: QueryText,
        mask: Mask,
        include_column_lineage: bool = True,
        users: Users | None = None,
    ) -> None:
        self._users = users or Users()
        self._env = env
        self._schemas = schemas
        self._query_text = query_text
        self._mask = mask
        self._include_column_lineage = include_column_lineage

    def proposal(self, lineage: DatasetLineage) -> MetadataChangeProposalWrapper | None:
        """None where nothing feeds the dataset."""
        aspect = self.aspect(lineage)
        return lineage_proposal(dataset_urn(lineage.downstream, self._env), aspect) if aspect is not None else None

    def aspect(self, lineage: DatasetLineage) -> UpstreamLineageClass | None:
        """None where nothing feeds the dataset: an empty aspect would wipe what others know of it."""
        edges = _one_by_upstream([*lineage.edges, *_implied_edges(lineage)])
        if not edges:
            return None
        return UpstreamLineageClass(
            upstreams=sorted((self._upstream(edge) for edge in edges), key=lambda upstream: upstream.dataset),
            fineGrainedLineages=self.fine_grained(lineage) or None,
        )

    def _upstream(self, edge: DatasetEdge) -> UpstreamClass:
        upstream = UpstreamClass(
            dataset=dataset_urn(edge.upstream, self._env),
            type=_lineage_type(edge.origin),
            query=self._query(edge.query),
        )
        if edge.last_seen is not None:
            upstream.auditStamp = audit_stamp(edge.last_seen, self._users.urn(edge.actor))
        return upstream

    def fine_grained(self, lineage: DatasetLineage) -> list[FineGrainedLineageClass]:
        """The edges between columns, where the recipe wants them."""
        return list(self._fine_grained(lineage)) if self._include_column_lineage else []

    def _fine_grained(self, lineage: DatasetLineage) -> Iterator[FineGrainedLineageClass]:
        downstream = dataset_urn(lineage.downstream, self._env)
        upstreams: dict[_Key, set[str]] = {}
        confidence: dict[_Key, float] = {}
        for edge in lineage.columns:
            source = self._schemas.field_path(edge.upstream, edge.upstream_column)
            target = self._schemas.field_path(lineage.downstream, edge.downstream_column)
            if source is None or target is None:
                continue
            operation = self._operation(edge, _dialect(lineage, edge))
            key = (field_urn(downstream, target), self._query(edge.query) or "", operation)
            upstreams.setdefault(key, set()).add(field_urn(dataset_urn(edge.upstream, self._env), source))
            confidence[key] = min(confidence.get(key, 1.0), edge.confidence)
        for key in sorted(upstreams):
            yield _fine_grained_lineage(key, sorted(upstreams[key]), confidence[key])

    def _operation(self, edge: ColumnEdge, dialect: Dialect) -> str:
        kind = f"{'DIRECT' if edge.subtype in DIRECT_SUBTYPES else 'INDIRECT'}:{edge.subtype}"
        if edge.expression is None or edge.subtype == "IDENTITY" or self._query_text == "none":
            return kind
        expression = edge.expression
        if self._query_text == "masked" or edge.query is not None:
            expression = " ".join(self._mask(expression, dialect).split())
        cut = f"{expression[: MAX_EXPRESSION - 1]}…" if len(expression) > MAX_EXPRESSION else expression
        return f"{kind}: {cut}"

    def _query(self, query_id: str | None) -> str | None:
        return None if query_id is None or self._query_text == "none" else query_urn(query_id)


def lineage_proposal(urn: str, aspect: UpstreamLineageClass) -> MetadataChangeProposalWrapper:
    return MetadataChangeProposalWrapper(entityUrn=urn, aspect=aspect)


def _fine_grained_lineage(key: _Key, upstreams: list[str], confidence: float) -> FineGrainedLineageClass:
    downstream, query, operation = key
    return FineGrainedLineageClass(
        upstreamType=FineGrainedLineageUpstreamTypeClass.FIELD_SET,
        upstreams=upstreams,
        downstreamType=FineGrainedLineageDownstreamTypeClass.FIELD,
        downstreams=[downstream],
        transformOperation=operation,
        confidenceScore=confidence,
        query=query or None,
    )


def _lineage_type(origin: EdgeOrigin) -> str:
    match origin:
        case "view":
            return DatasetLineageTypeClass.VIEW
        case "query" | "manual":
            return DatasetLineageTypeClass.TRANSFORMED
        case "storage" | "link" | "external_schema":
            return DatasetLineageTypeClass.COPY
        case _:
            assert_never(origin)


_PRECEDENCE: dict[EdgeOrigin, int] = {
    "link": 0,
    "external_schema": 0,
    "storage": 0,
    "view": 1,
    "query": 2,
    "manual": 3,
}
"""Which edge stands for an upstream that is reached in several ways, as DataHub ranks them: COPY, VIEW, TRANSFORMED."""


def _one_by_upstream(edges: Iterable[DatasetEdge]) -> list[DatasetEdge]:
    """An upstream dataset once (the key of the patch), by the edge that ranks first, and of those the newest."""
    chosen: dict[object, DatasetEdge] = {}
    for edge in sorted(edges, key=_rank):
        chosen.setdefault(edge.upstream, edge)
    return list(chosen.values())


def _rank(edge: DatasetEdge) -> tuple[int, float]:
    return _PRECEDENCE[edge.origin], -edge.last_seen.timestamp() if edge.last_seen else 0.0


def _implied_edges(lineage: DatasetLineage) -> Iterator[DatasetEdge]:
    """Edges for upstreams that only columns name: without its dataset's edge the UI shows no column edge."""
    known = {edge.upstream for edge in lineage.edges}
    for column in lineage.columns:
        if column.upstream not in known:
            known.add(column.upstream)
            yield DatasetEdge(column.upstream, "query" if column.query else "view", column.query)


def _dialect(lineage: DatasetLineage, edge: ColumnEdge) -> Dialect:
    """In whose SQL the expression was written: Redshift's where either end is Redshift's (COPY, UNLOAD)."""
    return "redshift" if "redshift" in {lineage.downstream.platform, edge.upstream.platform} else "athena"
