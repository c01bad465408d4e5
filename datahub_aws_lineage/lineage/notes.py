"""Lineage that somebody noted in a catalog: in a table's parameters, or in the comment of a table or column.

- The parameter `lineage.upstream` of a Glue table (`TBLPROPERTIES`): names, with commas between them.
- `@upstream(sales.orders, s3://landing/orders/)` within the comment of a table.
- `@upstream(sales.orders.net)` within the comment of a column: columns.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from datahub_aws_lineage.model.catalog import Table
from datahub_aws_lineage.model.names import S3Location, TableName

PARAMETER = "lineage.upstream"

_IN_COMMENT = re.compile(r"@upstream\(([^()]*)\)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Note:
    """`column` of the table that carries the note comes from `upstream_column`; both are None for a table's note."""

    upstream: TableName | S3Location
    upstream_column: str | None = None
    column: str | None = None


def notes_of(table: Table) -> Iterator[Note | str]:
    """The notes on a table and its columns; a text that is no name as it is."""
    of_table = [table.parameters.get(PARAMETER, ""), *_IN_COMMENT.findall(table.description or "")]
    for text in of_table:
        for name in _names(text):
            upstream = _table(name, table)
            yield Note(upstream) if upstream is not None else name
    for column in table.columns or ():
        for text in _IN_COMMENT.findall(column.comment or ""):
            for name in _names(text):
                named, _, upstream_column = name.rpartition(".")
                upstream = _table(named, table) if upstream_column else None
                yield Note(upstream, upstream_column, column.name) if upstream is not None else name


def _names(text: str) -> Iterator[str]:
    yield from filter(None, (name.strip() for name in text.split(",")))


def _table(name: str, noted_on: Table) -> TableName | S3Location | None:
    """`database.table`, or with its catalog before it (Athena), or `database.schema.table` (Redshift)."""
    if name.lower().startswith(("s3://", "s3a://", "s3n://")):
        return S3Location(name)
    parts = [part.strip().strip('"`').lower() for part in name.split(".")]
    if not all(parts) or len(parts) not in (2, 3):
        return None
    catalog = parts[0] if len(parts) == 3 else noted_on.name.catalog
    return TableName(catalog, parts[-2], parts[-1])
