"""ALTER TABLE, as far as it changes the columns that later statements of the same text see."""

from __future__ import annotations

from datahub_aws_lineage.model.catalog import Column
from datahub_aws_lineage.model.names import StatementTable
from datahub_aws_lineage.sql.creates import definitions
from datahub_aws_lineage.sql.cursor import Cursor
from datahub_aws_lineage.sql.statements import Analysis


def alter_columns(analysis: Analysis, table: StatementTable) -> None:
    """The cursor stands behind the table's name. What changes no column, or no known one, is passed over."""
    known = analysis.session.schemas.columns(table)
    if known is None:
        return
    changed = _changed(analysis.cursor, known, analysis.text)
    if changed is not None:
        analysis.session.schemas.learn(table, changed)


def _changed(cursor: Cursor, known: tuple[Column, ...], text: str) -> tuple[Column, ...] | None:
    if cursor.takes("RENAME", "COLUMN") or cursor.takes("RENAME"):
        old = cursor.name()[-1]
        return _renamed(known, old, cursor.name()[-1]) if cursor.takes("TO") else None
    if cursor.takes("CHANGE"):
        cursor.takes("COLUMN")
        old = cursor.name()[-1]
        return _renamed(known, old, cursor.name()[-1])
    if cursor.takes("DROP"):
        cursor.takes("COLUMN")
        gone = cursor.name()[-1]
        return tuple(column for column in known if column.name != gone)
    if cursor.takes("REPLACE", "COLUMNS"):
        return definitions(cursor.parenthesised(), text)
    if cursor.takes("ADD", "COLUMNS"):
        return known + definitions(cursor.parenthesised(), text)
    if cursor.takes("ADD", "COLUMN"):
        return known + definitions(cursor.rest(), text)
    return None


def _renamed(known: tuple[Column, ...], old: str, new: str) -> tuple[Column, ...]:
    return tuple(Column(new if column.name == old else column.name, column.type) for column in known)
