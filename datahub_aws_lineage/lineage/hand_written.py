"""Edges that somebody wrote by hand: in a file, or on a table of a catalog."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from datahub_aws_lineage.lineage.ledger import Ledger
from datahub_aws_lineage.lineage.notes import Note, notes_of
from datahub_aws_lineage.lineage.resolver import Resolver
from datahub_aws_lineage.model.catalog import Table
from datahub_aws_lineage.model.lineage import ColumnEdge, DatasetEdge, DatasetLineage
from datahub_aws_lineage.model.names import Dataset, Dialect
from datahub_aws_lineage.model.ports import Diagnostics


class HandWritten:
    """Takes edges once the catalogs are read. A table that a catalog does not have, though it was read to its end, is
    reported and left out; columns are checked as those of all other edges are (`Assembly`)."""

    def __init__(self, resolver: Resolver, ledger: Ledger, diagnostics: Diagnostics) -> None:
        self._resolver = resolver
        self._ledger = ledger
        self._diagnostics = diagnostics
        self._lineages: dict[Dataset, list[DatasetLineage]] = {}

    @property
    def downstreams(self) -> frozenset[Dataset]:
        return frozenset(self._lineages)

    def of(self, downstream: Dataset) -> Sequence[DatasetLineage]:
        return self._lineages.get(downstream, ())

    def add(self, lineage: DatasetLineage) -> None:
        if not self._may_be_there(lineage.downstream):
            return
        there = {edge.upstream for edge in lineage.edges if self._may_be_there(edge.upstream)}
        edges = tuple(edge for edge in lineage.edges if edge.upstream in there)
        columns = tuple(edge for edge in lineage.columns if edge.upstream in there)
        self._lineages.setdefault(lineage.downstream, []).append(replace(lineage, edges=edges, columns=columns))

    def add_notes(self, table: Table, dataset: Dataset, warehouse: str | None = None) -> None:
        """Takes what is noted on a table; `warehouse` is that of a Redshift table, for another its site."""
        for note in notes_of(table):
            if isinstance(note, Note):
                self._add_note(note, table, dataset, warehouse)
            else:
                self._report_missing(f"{dataset}: {note}")

    def _add_note(self, note: Note, table: Table, dataset: Dataset, warehouse: str | None) -> None:
        dialect: Dialect = "redshift" if table.platform == "redshift" else "athena"
        resolved = self._ledger.resolve(note.upstream, dialect, warehouse)
        if resolved is None:
            self._report_missing(f"{dataset}: {note.upstream}")
            return
        columns: tuple[ColumnEdge, ...] = ()
        if note.column is not None and note.upstream_column is not None:
            columns = (ColumnEdge(resolved.dataset, note.upstream_column, note.column, "IDENTITY", None, 1.0),)
        self.add(DatasetLineage(dataset, (DatasetEdge(resolved.dataset, "manual"),), columns))

    def _may_be_there(self, dataset: Dataset) -> bool:
        """Whether some catalog of the recipe has it, or may have it, or it is none of theirs."""
        names = self._resolver.names_of(dataset)
        resolved = [self._ledger.resolve(name, dialect, warehouse) for name, dialect, warehouse in names]
        found = [one for one in resolved if one is not None and one.dataset == dataset]
        missing = bool(found) and all(one.complete and not one.known for one in found)
        if missing:
            self._report_missing(str(dataset))
        return not missing

    def _report_missing(self, name: str) -> None:
        self._diagnostics.warning("Hand-written lineage names what the catalogs do not have", name)
