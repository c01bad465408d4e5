"""What DataHub's server makes of patches of `upstreamLineage`.

No DataHub server runs in tests. `merge` stands for what its UpstreamLineageTemplate documents: upstreams by dataset;
fine-grained edges by transform operation, downstream, query and upstream, with the lowest confidence.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from datahub.emitter.mcp_patch_builder import parse_patch_path
from datahub.metadata.schema_classes import FineGrainedLineageClass, UpstreamClass, UpstreamLineageClass

_Key = tuple[str, str, str]
"""Transform operation, downstream, query or `NONE`."""


def merge(stored: UpstreamLineageClass | None, patch: Iterable[dict[str, Any]]) -> UpstreamLineageClass:
    upstreams = {upstream.dataset: upstream for upstream in (stored.upstreams if stored else [])}
    edges = _by_key(stored)
    for operation in patch:
        kind, *path = (str(part) for part in parse_patch_path(operation["path"]))
        gone = operation["op"] == "remove"
        if kind == "upstreams":
            upstreams.pop(path[0], None)
            if not gone:
                upstreams[path[0]] = UpstreamClass.from_obj(dict(operation["value"]))
            continue
        named = edges.setdefault((path[0], path[1], path[2]), {})
        named.pop(path[3], None)
        if not gone:
            named[path[3]] = operation["value"]["confidenceScore"]
    entries = [_entry(key, named) for key, named in sorted(edges.items(), key=_downstream_first) if named]
    return UpstreamLineageClass([upstreams[urn] for urn in sorted(upstreams)], entries or None)


def _by_key(stored: UpstreamLineageClass | None) -> dict[_Key, dict[str, float]]:
    edges: dict[_Key, dict[str, float]] = {}
    for edge in (stored.fineGrainedLineages or []) if stored else []:
        assert edge.downstreams is not None
        key = (edge.transformOperation or "NONE", edge.downstreams[0], edge.query or "NONE")
        edges.setdefault(key, {}).update(dict.fromkeys(edge.upstreams or [], edge.confidenceScore))
    return edges


def _downstream_first(item: tuple[_Key, Any]) -> _Key:
    operation, downstream, query = item[0]
    return downstream, "" if query == "NONE" else query, operation


def _entry(key: _Key, upstreams: dict[str, float]) -> FineGrainedLineageClass:
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
