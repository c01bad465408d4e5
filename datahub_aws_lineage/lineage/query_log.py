"""Distinct statements that ran, for DataHub's Query entities."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from datahub_aws_lineage.model.lineage import DatasetLineage, Query, StoredProcedure
from datahub_aws_lineage.model.names import Dataset, Dialect
from datahub_aws_lineage.model.origins import QueryOrigin
from datahub_aws_lineage.model.queries import QueryRecord, SqlContext


def query_id(fingerprint: str, context: SqlContext, instance: str | None) -> str:
    """One id for a statement under one set of default names: the same text under two databases is two queries.

    `instance` is the platform instance of the warehouse or the Data Catalog: two of them have different tables under
    one name.
    """
    parts = (
        fingerprint,
        context.dialect,
        instance or "",
        context.default_catalog,
        context.default_database,
        *context.search_path,
    )
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:40]


def dataset_order(dataset: Dataset) -> tuple[str, str, str]:
    return dataset.platform, dataset.name, dataset.instance or ""


@dataclass(slots=True)
class _Entry:
    text: str
    dialect: Dialect
    first_seen: datetime
    last_seen: datetime
    actor: str | None
    runs: int = 0
    bytes_scanned: int | None = None
    milliseconds: int | None = None
    work_group: str | None = None
    invoked_by: str | None = None
    origin: QueryOrigin | None = None
    procedures: set[str] = field(default_factory=set)
    subjects: set[Dataset] = field(default_factory=set)
    columns: set[tuple[Dataset, str]] = field(default_factory=set)


def _sum(before: int | None, more: int | None) -> int | None:
    return before if more is None else (before or 0) + more


class QueryLog:
    """Grows with the distinct statements, not with their runs."""

    def __init__(self) -> None:
        self._entries: dict[str, _Entry] = {}

    def add(
        self,
        query: str,
        text: str,
        record: QueryRecord,
        subjects: Iterable[Dataset],
        columns: Iterable[tuple[Dataset, str]],
        procedure: StoredProcedure | None = None,
    ) -> None:
        """Counts a run; the text and actor of the newest run stay."""
        at = record.started_at
        entry = self._entries.get(query)
        if entry is None:
            entry = self._entries[query] = _Entry(text, record.context.dialect, at, at, record.person)
        elif at >= entry.last_seen:
            entry.text, entry.last_seen, entry.actor = text, at, record.person or entry.actor
        entry.bytes_scanned = _sum(entry.bytes_scanned, record.bytes_scanned)
        entry.milliseconds = _sum(entry.milliseconds, record.milliseconds)
        entry.work_group = record.work_group or entry.work_group
        entry.origin = record.origin or entry.origin
        entry.invoked_by = record.invoked_by or entry.invoked_by
        entry.first_seen = min(entry.first_seen, at)
        entry.runs += 1
        if procedure is not None:
            entry.procedures.add(str(procedure))
        entry.subjects.update(subjects)
        entry.columns.update(columns)

    def add_edges(self, lineage: DatasetLineage) -> None:
        """Datasets that only the settled edges show: behind temporary tables, after a rename."""
        for edge in lineage.edges:
            if edge.query in self._entries:
                self._entries[edge.query].subjects.update((edge.upstream, lineage.downstream))
        for column in lineage.columns:
            if column.query in self._entries:
                ends = (column.upstream, column.upstream_column), (lineage.downstream, column.downstream_column)
                self._entries[column.query].columns.update(ends)

    def queries(self, stays: Callable[[Dataset], bool]) -> Iterator[Query]:
        """By id; only those with a subject that stays."""
        for query, entry in sorted(self._entries.items()):
            subjects = {subject for subject in entry.subjects if stays(subject)}
            columns = {column for column in entry.columns if column[0] in subjects}
            if subjects:
                yield Query(
                    query_id=query,
                    text=entry.text,
                    dialect=entry.dialect,
                    subjects=tuple(sorted(subjects, key=dataset_order)),
                    first_seen=entry.first_seen,
                    last_seen=entry.last_seen,
                    actor=entry.actor,
                    runs=entry.runs,
                    bytes_scanned=entry.bytes_scanned,
                    milliseconds=entry.milliseconds,
                    work_group=entry.work_group,
                    invoked_by=entry.invoked_by,
                    origin=entry.origin,
                    procedures=tuple(sorted(entry.procedures)),
                    column_subjects=tuple(sorted(columns, key=lambda column: (*dataset_order(column[0]), column[1]))),
                )
