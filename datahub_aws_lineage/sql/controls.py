"""Statements that move no data but decide what the following ones mean: transactions, DROP, ALTER, SET."""

from __future__ import annotations

from datahub_aws_lineage.model.lineage import (
    Call,
    Drop,
    DropSchema,
    Effect,
    Rename,
    RenameSchema,
    SetSearchPath,
    StoredProcedure,
    TransactionMark,
    Truncate,
    UseDatabase,
)
from datahub_aws_lineage.model.names import StatementTable, TableName, TemporaryTable
from datahub_aws_lineage.sql import alters, creates, writes
from datahub_aws_lineage.sql.statements import Analysis, Found
from datahub_aws_lineage.sql.token_edits import split_commas


def transaction(analysis: Analysis) -> Found:
    cursor = analysis.cursor
    word = cursor.word()
    effects: tuple[Effect, ...] = ()
    if word == "BEGIN" or (word == "START" and cursor.word(1) == "TRANSACTION"):
        effects = (TransactionMark("begin"),)
    elif word in ("COMMIT", "END"):
        effects = (TransactionMark("commit"),)
    elif word in ("ROLLBACK", "ABORT"):
        effects = (TransactionMark("rollback"),)
    return Found("transaction", effects=effects)


def call(analysis: Analysis) -> Found:
    cursor = analysis.cursor
    cursor.needs("CALL")
    names = analysis.session.context
    defaults = (names.default_catalog, names.default_database)
    parts = tuple(part.lower() for part in cursor.name())[-3:]
    return Found("call", effects=(Call(StoredProcedure(*defaults[: 3 - len(parts)], *parts)),))


def drop(analysis: Analysis) -> Found:
    """DROP TABLE | VIEW [IF EXISTS] name [, …], and schemas with all that they hold; other things hold no rows."""
    cursor = analysis.cursor
    cursor.needs("DROP")
    if cursor.takes_any(frozenset({"SCHEMA", "DATABASE"})):
        return _drop_schemas(analysis)
    while cursor.takes_any(frozenset({"MATERIALIZED", "EXTERNAL", "PROTECTED"})):
        pass
    if not cursor.takes_any(frozenset({"TABLE", "VIEW"})):
        return Found("drop")
    cursor.takes("IF", "EXISTS")
    tables = [analysis.names.read(cursor.name())]
    while cursor.takes(","):
        tables.append(analysis.names.read(cursor.name()))
    return Found("drop", effects=tuple(Drop(table) for table in tables))


def _drop_schemas(analysis: Analysis) -> Found:
    """DROP SCHEMA name [, …] CASCADE, DATABASE in Athena. Without CASCADE a schema must be empty to be dropped."""
    cursor = analysis.cursor
    cursor.takes("IF", "EXISTS")
    names = [cursor.name()]
    while cursor.takes(","):
        names.append(cursor.name())
    if not cursor.takes("CASCADE") or len(names[0]) > 2:
        return Found("drop")
    catalog = analysis.session.context.default_catalog
    return Found("drop", effects=tuple(DropSchema(name[0] if len(name) > 1 else catalog, name[-1]) for name in names))


def truncate(analysis: Analysis) -> Found:
    cursor = analysis.cursor
    cursor.needs("TRUNCATE")
    cursor.takes("TABLE")
    return Found("truncate", effects=(Truncate(analysis.names.read(cursor.name())),))


def alter(analysis: Analysis) -> Found:
    cursor = analysis.cursor
    if cursor.sees("ALTER", "EXTERNAL", "VIEW"):
        return creates.alter_external_view(analysis)
    if cursor.sees("ALTER", "SCHEMA"):
        return _alter_schema(analysis)
    if not (cursor.sees("ALTER", "TABLE") or cursor.sees("ALTER", "VIEW")):
        return Found("utility")
    start = cursor.at
    cursor.at += 2
    cursor.takes("IF", "EXISTS")
    old = analysis.names.read(cursor.name())
    if cursor.sees("APPEND"):
        cursor.at = start
        return writes.append(analysis)
    if not cursor.takes("RENAME", "TO"):
        return Found("utility", effects=alters.alter_columns(analysis, old))
    return Found("rename", effects=(Rename(old, _beside(old, cursor.name())),))


def _alter_schema(analysis: Analysis) -> Found:
    """ALTER SCHEMA name RENAME TO name; an owner or a quota moves nothing (Redshift)."""
    cursor = analysis.cursor
    cursor.at += 2
    old = cursor.name()[-1]
    if not cursor.takes("RENAME", "TO"):
        return Found("utility")
    effect = RenameSchema(analysis.session.context.default_catalog, old, cursor.name()[-1])
    return Found("utility", effects=(effect,))


def _beside(old: StatementTable, parts: tuple[str, ...]) -> StatementTable:
    """A new name without a schema stays in the schema of the old one."""
    if isinstance(old, TableName):
        return TableName(old.catalog, parts[-2] if len(parts) > 1 else old.database, parts[-1])
    return TemporaryTable(parts[-1])


def set_parameter(analysis: Analysis) -> Found:
    cursor = analysis.cursor
    cursor.needs("SET")
    local = cursor.takes("LOCAL")
    cursor.takes("SESSION")
    if not cursor.takes("SEARCH_PATH"):
        return Found("utility")
    if not cursor.takes("TO"):
        cursor.takes("=")
    if cursor.sees("DEFAULT"):
        return Found("utility", effects=(SetSearchPath(analysis.session.default_path, local),))
    if cursor.done:
        raise cursor.error("expected schemas")
    items = [item[0].text for item in split_commas(cursor.rest())]
    named = (part.strip().strip('"').lower() for item in items for part in item.split(","))
    path = tuple(schema for schema in named if schema)
    return Found("utility", effects=(SetSearchPath(path, local),) if path else ())


def reset_parameter(analysis: Analysis) -> Found:
    """RESET search_path | ALL | USE."""
    cursor = analysis.cursor
    cursor.needs("RESET")
    if cursor.sees("USE"):
        return Found("utility", effects=(UseDatabase(None),))
    if cursor.sees("SEARCH_PATH") or cursor.sees("ALL"):
        return Found("utility", effects=(SetSearchPath(analysis.session.default_path),))
    return Found("utility")


def use_database(analysis: Analysis) -> Found:
    """USE database (Redshift): names without a database are of it from here on."""
    cursor = analysis.cursor
    cursor.needs("USE")
    return Found("utility", effects=(UseDatabase(cursor.name()[-1]),))
