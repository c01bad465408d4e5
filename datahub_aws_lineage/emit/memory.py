"""What earlier runs said of lineage: which of it still holds, and what of it is taken back.

Logs keep statements for days or weeks, the graph should keep their lineage for longer, and yet not for ever. So each
edge that was emitted is remembered with the time of its last run. It goes when what it says is over: its table was made
anew or dropped since, a definition no longer says it, or it has not been seen for a set time. Only edges that a run of
the same recipe emitted are ever taken back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from datahub.metadata.schema_classes import (
    AuditStampClass,
    FineGrainedLineageClass,
    FineGrainedLineageDownstreamTypeClass,
    FineGrainedLineageUpstreamTypeClass,
    UpstreamClass,
    UpstreamLineageClass,
)

from datahub_aws_lineage.emit.urns import INGESTION_ACTOR


class UpstreamKey(NamedTuple):
    """URN of the upstream dataset, and of the query; "" for what is defined rather than run."""

    dataset: str
    query: str


class ColumnKey(NamedTuple):
    """What DataHub tells fine-grained edges apart by: with these four, its patches add and remove them."""

    operation: str
    downstream: str
    query: str
    upstream: str


class _Seen(NamedTuple):
    """`kind` is the lineage type of an upstream, `confidence` that of a column; `at` in milliseconds since 1970."""

    at: int
    kind: str = ""
    confidence: float = 1.0


@dataclass(slots=True)
class Edges:
    """Edges into one dataset, each with when it was seen last. `emptied` is since when it is empty: when it is filled
    again, what filled it before is over."""

    upstreams: dict[UpstreamKey, _Seen] = field(default_factory=dict)
    columns: dict[ColumnKey, _Seen] = field(default_factory=dict)
    emptied: int | None = None

    def __bool__(self) -> bool:
        return bool(self.upstreams or self.columns)

    def __len__(self) -> int:
        return len(self.upstreams) + len(self.columns)

    @classmethod
    def of(cls, aspect: UpstreamLineageClass, at: int) -> Edges:
        """`at` is when they were seen; what a query made, when it ran, where that is told."""
        edges = cls()
        ran = {one.query: one.auditStamp.time or at for one in aspect.upstreams if one.query is not None}
        for upstream in aspect.upstreams:
            seen = _Seen(ran.get(upstream.query or "", at), str(upstream.type))
            edges.upstreams[UpstreamKey(upstream.dataset, upstream.query or "")] = seen
        for entry in aspect.fineGrainedLineages or []:
            for downstream in entry.downstreams or []:
                for source in entry.upstreams or []:
                    key = ColumnKey(entry.transformOperation or "", downstream, entry.query or "", source)
                    edges.columns[key] = _Seen(ran.get(key.query, at), confidence=entry.confidenceScore)
        return edges

    def aspect(self) -> UpstreamLineageClass:
        """The same edges as DataHub has them. An upstream of several queries is one of the query that was seen last."""
        upstreams: dict[str, UpstreamClass] = {}
        for key, seen in sorted(self.upstreams.items(), key=lambda item: item[1].at):
            stamp = AuditStampClass(time=seen.at if key.query else 0, actor=INGESTION_ACTOR)
            upstreams[key.dataset] = UpstreamClass(key.dataset, seen.kind, stamp, query=key.query or None)
        columns = [
            FineGrainedLineageClass(
                upstreamType=FineGrainedLineageUpstreamTypeClass.FIELD_SET,
                upstreams=[key.upstream],
                downstreamType=FineGrainedLineageDownstreamTypeClass.FIELD,
                downstreams=[key.downstream],
                transformOperation=key.operation,
                confidenceScore=seen.confidence,
                query=key.query or None,
            )
            for key, seen in sorted(self.columns.items())
        ]
        return UpstreamLineageClass([upstreams[urn] for urn in sorted(upstreams)], columns or None)

    def divide(self, holds: Callable[[str, int], bool]) -> tuple[Edges, Edges]:
        """Those of which `holds(query, seen at)` is true, and the others."""
        kept, over = Edges(), Edges()
        for upstream, seen in self.upstreams.items():
            (kept if holds(upstream.query, seen.at) else over).upstreams[upstream] = seen
        for column, seen in self.columns.items():
            (kept if holds(column.query, seen.at) else over).columns[column] = seen
        return kept, over

    def without(self, others: Edges) -> Edges:
        return Edges(
            {key: seen for key, seen in self.upstreams.items() if key not in others.upstreams},
            {key: seen for key, seen in self.columns.items() if key not in others.columns},
        )

    def ran_after(self, moment: int) -> bool:
        """Whether a query has put something into the dataset since."""
        return any(key.query and seen.at > moment for key, seen in self.upstreams.items())

    def plus(self, others: Edges) -> Edges:
        """With `others`, whose times count where both have an edge."""
        return Edges({**self.upstreams, **others.upstreams}, {**self.columns, **others.columns})


@dataclass(frozen=True, slots=True)
class Recollection:
    """Of one dataset: edges of earlier runs that this one did not see and that hold, and those that do not."""

    kept: Edges
    over: Edges


@dataclass(frozen=True, slots=True)
class Story:
    """What a run's history tells of one dataset, in milliseconds: all that was put into it before `void_before` is
    gone; it is empty since `emptied`."""

    void_before: int | None = None
    emptied: int | None = None


class EdgeMemory:
    """Edges by the URN of the dataset that they lead into.

    `now` is when the run ends, `expires_after` how long an edge holds that is not seen; both in milliseconds.
    """

    def __init__(self, earlier: dict[str, Edges], *, now: int, expires_after: int) -> None:
        self._earlier = earlier
        self._now = now
        self._expires_after = expires_after
        self._known: dict[str, Edges] = {}

    def recall(
        self, downstream: str, said: UpstreamLineageClass | None, story: Story, *, is_whole: bool
    ) -> Recollection:
        """Takes what this run says of a dataset, if anything, and gives what earlier ones said beside it.

        `story` is what this run's history tells of the dataset. `is_whole`: all definitions have been read.
        """
        seen_now = Edges.of(said, self._now) if said is not None else Edges()
        earlier = self._earlier.pop(downstream, Edges())
        void_before, emptied = story.void_before, story.emptied
        if earlier.emptied is not None:
            if seen_now.ran_after(earlier.emptied):
                void_before = max(void_before or 0, earlier.emptied)
            else:
                emptied = emptied or earlier.emptied
        definitions_are_known = is_whole and said is not None

        def holds(query: str, at: int) -> bool:
            ended = void_before is not None and at < void_before if query else definitions_are_known
            return not ended and self._now - at <= self._expires_after

        kept, over = earlier.without(seen_now).divide(holds)
        known = kept.plus(seen_now)
        known.emptied = emptied
        if known:
            self._known[downstream] = known
        asserted = {key.dataset for key in known.upstreams}
        over.upstreams = {key: seen for key, seen in over.upstreams.items() if key.dataset not in asserted}
        return Recollection(kept, over)

    def unspoken(self) -> tuple[str, ...]:
        """Datasets that earlier runs knew edges into, and this one has said nothing of yet."""
        return tuple(sorted(self._earlier))

    def edges(self) -> dict[str, Edges]:
        """What the next run has to know: of what was not recalled, all that is remembered."""
        return {**self._earlier, **self._known}


def own_alone(over: UpstreamLineageClass, stored: UpstreamLineageClass | None) -> UpstreamLineageClass:
    """What of `over` can be taken back without taking another writer's: DataHub has one entry an upstream dataset, for
    whoever wrote it last, so that of the datasets those are left whose entry is not known to be ours."""
    entries = {upstream.dataset: upstream for upstream in stored.upstreams} if stored is not None else {}
    ours = [
        upstream
        for upstream in over.upstreams
        if (entry := entries.get(upstream.dataset)) is not None
        and entry.query == upstream.query
        and entry.type == upstream.type
        and (upstream.query is not None or entry.auditStamp.time == 0)
    ]
    return UpstreamLineageClass(ours, over.fineGrainedLineages)


def joined(first: UpstreamLineageClass | None, second: UpstreamLineageClass | None) -> UpstreamLineageClass:
    """Both; of a dataset that is upstream in both, the entry of the first."""
    parts = [one for one in (first, second) if one is not None]
    upstreams = {upstream.dataset: upstream for one in reversed(parts) for upstream in one.upstreams}
    columns = [column for one in parts for column in one.fineGrainedLineages or []]
    return UpstreamLineageClass([upstreams[urn] for urn in sorted(upstreams)], columns or None)


# ---- as JSON --------------------------------------------------------------------------------------------------------


def as_json(edges: dict[str, Edges]) -> dict[str, Any]:
    """Field URNs of a dataset repeat its own: they are written as its number, and the path."""
    datasets: dict[str, int] = {}

    def short(field_urn: str) -> list[Any]:
        dataset, path = _parts(field_urn)
        return [datasets.setdefault(dataset, len(datasets)), path]

    members = {
        urn: {
            "upstreams": [[*key, seen.kind, seen.at] for key, seen in sorted(of.upstreams.items())],
            "columns": [
                [key.operation, short(key.downstream), key.query, short(key.upstream), seen.confidence, seen.at]
                for key, seen in sorted(of.columns.items())
            ],
            "emptied": of.emptied,
        }
        for urn, of in sorted(edges.items())
    }
    return {"datasets": list(datasets), "edges": members}


def from_json(value: Any) -> dict[str, Edges]:
    """Raises ValueError where `value` is not what `as_json` gives."""
    try:
        datasets = value["datasets"]
        return {
            urn: Edges(dict(_upstreams(of)), dict(_columns(of, datasets)), of["emptied"])
            for urn, of in value["edges"].items()
        }
    except (KeyError, TypeError, AttributeError, IndexError) as e:
        raise ValueError(f"not a memory of edges: {type(e).__name__} {e}") from e


def _upstreams(of: Any) -> Iterator[tuple[UpstreamKey, _Seen]]:
    for dataset, query, kind, at in of["upstreams"]:
        yield UpstreamKey(dataset, query), _Seen(at, kind)


def _columns(of: Any, datasets: list[str]) -> Iterator[tuple[ColumnKey, _Seen]]:
    def whole(short: tuple[int, str]) -> str:
        return f"urn:li:schemaField:({datasets[short[0]]},{short[1]})"

    for operation, downstream, query, upstream, confidence, at in of["columns"]:
        yield ColumnKey(operation, whole(downstream), query, whole(upstream)), _Seen(at, confidence=confidence)


def _parts(field_urn: str) -> tuple[str, str]:
    """`urn:li:schemaField:(urn:li:dataset:(…,PROD),path)`: the dataset's URN, and the path."""
    inner = field_urn.removeprefix("urn:li:schemaField:(").removesuffix(")")
    end = inner.index("),") + 1
    return inner[:end], inner[end + 1 :]
