"""COPY … MANIFEST reads the files that the manifest lists, not the folder that it lies in."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TypeAlias, TypeVar

from datahub_aws_lineage.model.lineage import Statement, StatementLineage, Upstream
from datahub_aws_lineage.model.names import S3Location, StatementTable

Files: TypeAlias = Callable[[S3Location], tuple[S3Location, ...]]
"""The folders of the files that a manifest lists; none where they are not known."""


def without_manifests(statement: Statement, files: Files) -> Statement:
    """The statement as one that reads the listed files. Where they are not known, it stays as it is."""
    outcome = statement.outcome
    if statement.kind != "copy" or not isinstance(outcome, StatementLineage):
        return statement
    listed = {table: files(table) for table in outcome.inputs if isinstance(table, S3Location) and table.is_manifest}
    if not any(listed.values()):
        return statement

    def read_from(table: StatementTable) -> tuple[StatementTable, ...]:
        return listed.get(table) or (table,) if isinstance(table, S3Location) else (table,)

    def upstreams(found: Iterable[Upstream]) -> tuple[Upstream, ...]:
        return _once(replace(upstream, table=table) for upstream in found for table in read_from(upstream.table))

    columns = tuple(replace(column, upstreams=upstreams(column.upstreams)) for column in outcome.columns)
    inputs = _once(table for given in outcome.inputs for table in read_from(given))
    read = replace(outcome, inputs=inputs, columns=columns, indirect=upstreams(outcome.indirect))
    return replace(statement, outcome=read)


_T = TypeVar("_T")


def _once(items: Iterable[_T]) -> tuple[_T, ...]:
    return tuple(dict.fromkeys(items))
