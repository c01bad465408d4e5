"""Edges of all origins into one dataset, merged into its `DatasetLineage`."""

from __future__ import annotations

from collections.abc import Callable

from datahub_aws_lineage.lineage.contents import Contents
from datahub_aws_lineage.lineage.copies import Copy
from datahub_aws_lineage.lineage.query_log import dataset_order
from datahub_aws_lineage.lineage.resolver import Resolved
from datahub_aws_lineage.model.lineage import ColumnEdge, DatasetEdge, DatasetLineage, EdgeOrigin
from datahub_aws_lineage.model.names import Dataset
from datahub_aws_lineage.model.nested_types import field_paths
from datahub_aws_lineage.model.ports import Diagnostics

_PRECEDENCE: tuple[EdgeOrigin, ...] = ("view", "query", "storage", "link", "external_schema", "manual")
"""One edge an upstream: where two origins give the same one, the earlier in this row names it."""


class Assembly:
    """Gathers what feeds one dataset.

    An edge from the dataset to itself is left out, and so is one to a Glue table from a table of an external schema
    that shows it, or to a location from the table that lies there, which is the same data: DataHub draws them as loops
    that hide the rest. They are counted.
    A column edge with an end that a known schema lacks is left out and reported: the table has changed since.
    Without `diagnostics`, the same edges have been reported elsewhere.
    """

    def __init__(
        self, downstream: Dataset, fact: Callable[[Dataset], Resolved | None], diagnostics: Diagnostics | None
    ) -> None:
        self._downstream = downstream
        self._fact = fact
        self._diagnostics = diagnostics
        self._edges: dict[Dataset, DatasetEdge] = {}
        self._columns: dict[tuple[Dataset, str, str, str], ColumnEdge] = {}
        self._spellings: dict[Dataset, dict[str, str] | None] = {}

    def add_contents(self, settled: Contents, origin: EdgeOrigin) -> None:
        """Edges from datasets: `Settlement.settle` has seen to the rest."""
        for (upstream, _), read in settled.inputs.items():
            if isinstance(upstream, Dataset):
                self._add_edge(DatasetEdge(upstream, origin, read.run.query, read.run.at, read.run.actor))
        for key, fact in settled.columns.items():
            if isinstance(key.upstream, Dataset):
                ends = key.upstream, key.upstream_column, key.column
                self._add_column(ColumnEdge(*ends, key.subtype, fact.expression, fact.confidence, fact.run.query))

    def add_copy(self, copy: Copy) -> None:
        self._add_edge(DatasetEdge(copy.upstream, copy.origin))
        for column in copy.columns:
            for path in field_paths(column.name, column.type):
                self._add_column(ColumnEdge(copy.upstream, path, path, "IDENTITY", None, 1.0))

    def add_written_down(self, lineage: DatasetLineage) -> None:
        """Edges that somebody wrote by hand."""
        for edge in lineage.edges:
            self._add_edge(edge)
        for column in lineage.columns:
            self._add_column(column)

    def build(self) -> DatasetLineage | None:
        """None where nothing is left."""
        if not self._edges:
            return None
        edges = sorted(self._edges.values(), key=lambda edge: dataset_order(edge.upstream))
        columns = sorted(self._columns.items(), key=lambda item: (dataset_order(item[0][0]), *item[0][1:]))
        return DatasetLineage(self._downstream, tuple(edges), tuple(edge for _, edge in columns))

    def _is_self(self, upstream: Dataset) -> bool:
        fact = self._fact(upstream)
        return self._downstream in (fact.names if fact is not None else (upstream,))

    def _add_edge(self, edge: DatasetEdge) -> None:
        if self._is_self(edge.upstream):
            if self._diagnostics is not None:
                self._report_self(edge, self._diagnostics)
            return
        before = self._edges.get(edge.upstream)
        if before is None or _PRECEDENCE.index(edge.origin) < _PRECEDENCE.index(before.origin):
            self._edges[edge.upstream] = edge

    def _report_self(self, edge: DatasetEdge, diagnostics: Diagnostics) -> None:
        diagnostics.seen("edges from a dataset to itself, left out")
        if edge.origin == "link":
            detail = f"{self._downstream}: so is its target called; glue.platform_instance_map tells them apart"
            diagnostics.skipped("unsupported", "resource link", detail)

    def _add_column(self, edge: ColumnEdge) -> None:
        if self._is_self(edge.upstream):
            return
        upstream_column = self._spelled(edge.upstream, edge.upstream_column)
        column = self._spelled(self._downstream, edge.downstream_column)
        if upstream_column is None or column is None:
            detail = f"{edge.upstream}.{edge.upstream_column} -> {self._downstream}.{edge.downstream_column}"
            if self._diagnostics is not None:
                self._diagnostics.unresolved("column", f"no such column in the catalog: {detail}")
            return
        self._columns.setdefault(
            (edge.upstream, upstream_column, column, edge.subtype),
            ColumnEdge(
                edge.upstream, upstream_column, column, edge.subtype, edge.expression, edge.confidence, edge.query
            ),
        )

    def _spelled(self, dataset: Dataset, path: str) -> str | None:
        """`path` with its column as the catalog spells it; None where the catalog has no such column."""
        if dataset not in self._spellings:
            fact = self._fact(dataset)
            known = fact.columns if fact else None
            self._spellings[dataset] = {column.name.lower(): column.name for column in known} if known else None
        spellings = self._spellings[dataset]
        if spellings is None:
            return path
        whole = spellings.get(path.lower())
        if whole is not None:
            return whole
        root, dot, rest = path.partition(".")
        column = spellings.get(root.lower())
        return f"{column}{dot}{rest}" if column is not None else None
