"""ALTER TABLE, as far as it changes the columns that later statements see."""

from __future__ import annotations

from datahub_aws_lineage.model.catalog import Column
from datahub_aws_lineage.model.lineage import ChangeColumns, Effect
from datahub_aws_lineage.model.names import StatementTable
from datahub_aws_lineage.sql.creates import definitions
from datahub_aws_lineage.sql.cursor import Cursor
from datahub_aws_lineage.sql.statements import Analysis


def alter_columns(analysis: Analysis, table: StatementTable) -> tuple[Effect, ...]:
    """The cursor stands behind the table's name. What changes no column, or no known one, is passed over."""
    known = analysis.session.schemas.columns(table)
    if known is None:
        return ()
    cursor = analysis.cursor
    if cursor.takes("RENAME", "COLUMN") or cursor.takes("RENAME"):
        old = cursor.name()[-1]
        return _rename(table, known, old, cursor.name()[-1]) if cursor.takes("TO") else ()
    if cursor.takes("CHANGE"):
        cursor.takes("COLUMN")
        old = cursor.name()[-1]
        return _rename(table, known, old, cursor.name()[-1])
    changed = _changed(cursor, known, analysis.text)
    return (ChangeColumns(table, changed),) if changed is not None else ()


def _changed(cursor: Cursor, known: tuple[Column, ...], text: str) -> tuple[Column, ...] | None:
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


def _rename(table: StatementTable, known: tuple[Column, ...], old: str, new: str) -> tuple[Effect, ...]:
    columns = tuple(Column(new if column.name == old else column.name, column.type) for column in known)
    return (ChangeColumns(table, columns, (old, new)),)
