"""Text to statements: splitting, choosing a reader for each, and what one statement leaves for the next."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType

from sqlglot import Token, TokenType

from datahub_aws_lineage.model.lineage import (
    ChangeColumns,
    Drop,
    DropSchema,
    Prepare,
    Rename,
    RenameSchema,
    SetSearchPath,
    Statement,
    StatementKind,
    Unresolved,
    UseDatabase,
)
from datahub_aws_lineage.model.ports import Schemas
from datahub_aws_lineage.model.queries import SqlContext
from datahub_aws_lineage.sql import controls, creates, transfers, writes
from datahub_aws_lineage.sql.cursor import into_position, source_text, split_statements
from datahub_aws_lineage.sql.dialects import NotUnderstoodError, tokenize
from datahub_aws_lineage.sql.names import LearnedSchemas
from datahub_aws_lineage.sql.procedures import procedure_body, procedure_statements
from datahub_aws_lineage.sql.statements import QUERY_STARTS, Analysis, Found, Session, check_filled_in

_LOG = logging.getLogger(__name__)

_UTILITIES = frozenset(
    "ALTER ANALYSE ANALYZE ATTACH CANCEL CLOSE COMMENT CREATE DECLARE DESC DESCRIBE DETACH EXPLAIN "
    "FETCH GRANT LOCK MSCK OPTIMIZE REFRESH RESET REVOKE SET SHOW UNSET VACUUM REINDEX LISTEN NOTIFY "
    "DISCARD LOAD CHECKPOINT EXPORT IMPORT LOCAL KILL".split()
)


NOTHING_PREPARED: Mapping[str, str] = MappingProxyType({})


def analyze(
    text: str, context: SqlContext, schemas: Schemas, prepared: Mapping[str, str] = NOTHING_PREPARED
) -> tuple[Statement, ...]:
    """Every statement of a text, in order. Never raises for what the text holds.

    Names are qualified under `context`, columns placed by `schemas`; a CREATE teaches its columns to what follows.
    `prepared` are the statements, by name, that an EXECUTE of the text can run.
    """
    text = text.removeprefix("\ufeff")
    first_path = context.first_search_path or context.search_path
    connected = context.first_catalog or context.default_catalog
    session = Session(context, LearnedSchemas(schemas), first_path, connected, dict(prepared))
    try:
        groups = list(split_statements(tokenize(text, context.dialect)))
    except NotUnderstoodError as e:
        return (_unresolved(0, text, e),)
    except RecursionError:
        return (_unresolved(0, text, NotUnderstoodError("too_deep", "nested too deeply")),)
    if not groups:
        return (_unresolved(0, text, NotUnderstoodError("empty", "no statement in the text")),)
    return tuple(_statement(index, tokens, text, session) for index, tokens in enumerate(groups))


def _statement(index: int, tokens: list[Token], text: str, session: Session) -> Statement:
    try:
        check_filled_in(tokens)
        analysis = Analysis(tokens, text, session)
        statement = analysis.finish(_read(analysis), index)
    except NotUnderstoodError as e:
        return _unresolved(index, source_text(tokens, text), e, _guessed_kind(tokens))
    except RecursionError:
        error = NotUnderstoodError("too_deep", "nested too deeply")
        return _unresolved(index, source_text(tokens, text), error, _guessed_kind(tokens))
    except Exception as e:  # noqa: BLE001 - a defect costs one statement, and is reported as one
        _LOG.debug("defect while reading a statement", exc_info=True)
        error = NotUnderstoodError("internal", f"{type(e).__name__}: {e}")
        return _unresolved(index, source_text(tokens, text), error, _guessed_kind(tokens))
    _learn(statement, session)
    return statement


def _unresolved(index: int, text: str, error: NotUnderstoodError, kind: StatementKind = "utility") -> Statement:
    outcome = Unresolved(error.reason, error.message, error.line, error.column)
    return Statement(index=index, kind=kind, text=text, outcome=outcome)


def _learn(statement: Statement, session: Session) -> None:
    schemas = session.schemas
    if statement.kind.startswith("create") and statement.output is not None:
        schemas.learn(statement.output, statement.schema)
    for effect in statement.effects:
        match effect:
            case Rename(old=old, new=new):
                schemas.rename(old, new)
            case RenameSchema():
                schemas.rename_schema(effect)
            case Drop(table=table):
                schemas.forget(table)
            case ChangeColumns(table=table, columns=columns):
                schemas.learn(table, columns)
            case DropSchema():
                schemas.forget_schema(effect)
            case SetSearchPath(schemas=path):
                first = next((schema for schema in path if schema != "$user"), path[0])
                session.context = replace(session.context, default_database=first, search_path=path)
            case UseDatabase(database=database):
                session.context = replace(session.context, default_catalog=database or session.connected)
            case Prepare(name=name, text=None):
                session.prepared.pop(name, None)
            case Prepare(name=name, text=str() as text):
                session.prepared[name] = text
            case _:
                pass


# ---- choosing a reader ----------------------------------------------------------------------------------------------


def _read(analysis: Analysis) -> Found:
    cursor = analysis.cursor
    word = cursor.word().partition(" ")[0]  # sqlglot reads some pairs as one word: DEALLOCATE PREPARE
    reader = _BY_FIRST_WORD.get(word)
    if reader is not None:
        return reader(analysis)
    if word in QUERY_STARTS:
        return _query(analysis)
    if word in _UTILITIES:
        return Found("utility")
    raise cursor.error("not the beginning of a statement")


def _create(analysis: Analysis) -> Found:
    """CREATE …: the first noun decides; what is no table, view, schema or procedure moves no data."""
    cursor = analysis.cursor
    cursor.needs("CREATE")
    if cursor.sees("EXTERNAL", "SCHEMA"):
        return creates.create_external_schema(analysis)
    ahead = 0
    while cursor.word(ahead) in _CREATE_MODIFIERS:
        ahead += 1
    noun = cursor.word(ahead)
    if noun == "TABLE":
        return creates.create_table(analysis)
    if noun == "VIEW":
        return creates.create_view(analysis)
    if noun == "PROCEDURE":
        return _create_procedure(analysis)
    return Found("utility")


_CREATE_MODIFIERS = frozenset(
    "OR REPLACE TEMP TEMPORARY LOCAL GLOBAL EXTERNAL MATERIALIZED PROTECTED MULTI DIALECT UNLOGGED NONATOMIC".split()
)


def _query(analysis: Analysis) -> Found:
    """A SELECT, which INTO makes a CREATE TABLE AS; WITH may also begin an UPDATE, DELETE, INSERT or MERGE."""
    main = _main_word(analysis.tokens)
    writer = _BEHIND_WITH.get(main)
    if writer is not None:
        return writer(analysis)
    into = into_position(analysis.tokens)
    if into is not None:
        return creates.select_into(analysis, into)
    relation = analysis.query(analysis.tokens)
    return Found("select", columns=analysis.named_columns(relation))


def _main_word(tokens: list[Token]) -> str:
    """The verb behind the CTEs of a WITH; a CTE may be called `update`."""
    depth = 0
    before = ""
    for token in tokens:
        kind = token.token_type
        depth += (kind is TokenType.L_PAREN) - (kind is TokenType.R_PAREN)
        word = token.text.upper()
        if depth == 0 and kind is not TokenType.IDENTIFIER:
            if word in ("SELECT", "UPDATE", "DELETE", "INSERT", "MERGE") and before not in ("WITH", "RECURSIVE", ","):
                return word
            before = word
    return ""


def _using_function(analysis: Analysis) -> Found:
    """Athena: USING EXTERNAL FUNCTION f(…) RETURNS type LAMBDA 'name' [, …] SELECT …."""
    cursor = analysis.cursor
    while cursor.skip_to("WITH", *_WITH_FUNCTIONS):
        if not cursor.sees("WITH", "("):  # of the functions' properties
            return _read_within(analysis, cursor.rest(), analysis.text)
        cursor.at += 1
    raise cursor.error("expected a query")


_WITH_FUNCTIONS = ("SELECT", "INSERT", "CREATE", "MERGE", "UNLOAD", "VALUES", "TABLE", "EXPLAIN")


# ---- statements that hold statements --------------------------------------------------------------------------------


def _prepare(analysis: Analysis) -> Found:
    """PREPARE name FROM statement (Athena) | PREPARE name [(types)] AS statement (Redshift): nothing runs."""
    cursor = analysis.cursor
    cursor.needs("PREPARE")
    name = cursor.name()[-1]
    if cursor.at_parenthesis:
        cursor.parenthesised()
    if not cursor.takes("FROM"):
        cursor.needs("AS")
    tokens = cursor.rest()
    text = cursor.string()
    if text is not None and cursor.done:
        tokens = tokenize(text, analysis.dialect)
        body = _nested(analysis, text, tokens)
    else:
        body = _nested(analysis, analysis.text, tokens)
    runs = text if text is not None else source_text(tokens, analysis.text)
    return Found("prepare", body=body, effects=(Prepare(name, runs),))


def _deallocate(analysis: Analysis) -> Found:
    """DEALLOCATE [PREPARE] name | ALL."""
    cursor = analysis.cursor
    cursor.at += 1
    cursor.takes("PREPARE")
    if cursor.done or cursor.sees("ALL"):
        return Found("utility", effects=tuple(Prepare(name, None) for name in analysis.session.prepared))
    return Found("utility", effects=(Prepare(cursor.name()[-1], None),))


def _execute(analysis: Analysis) -> Found:
    """EXECUTE name | EXECUTE IMMEDIATE 'statement': does what the prepared statement does, where that is known."""
    cursor = analysis.cursor
    cursor.needs("EXECUTE")
    if cursor.takes("IMMEDIATE"):
        text = cursor.string()
        if text is None:
            raise cursor.error("expected the statement as a string")
    else:
        text = analysis.session.prepared.get(cursor.name()[-1])
        if text is None:
            analysis.collector.gap("source", "what the prepared statement does is not known here")
            return Found("execute")
    try:
        found = _read_within(analysis, tokenize(text, analysis.dialect), text)
    except NotUnderstoodError as e:  # its position is one in the other text
        raise NotUnderstoodError(e.reason, f"in the prepared statement: {e.message}") from e
    found.kind = "execute"
    return found


def _read_within(analysis: Analysis, tokens: list[Token], text: str) -> Found:
    """What a statement within this one does, as this one's own."""
    inner = Analysis(tokens, text, analysis.session)
    inner.collector = analysis.collector
    inner.queries.collector = analysis.collector
    found = _read(inner)
    analysis.adopt_texts(inner)
    return found


def _create_procedure(analysis: Analysis) -> Found:
    """The statements of a procedure's body: what it can do, not what ran."""
    body = procedure_body(analysis)
    if not body:
        return Found("create_procedure")
    session = _session_within(analysis)
    found: list[Statement] = []
    for tokens, variables in procedure_statements(body, analysis):
        session.variables = variables
        found.append(_statement(len(found), tokens, body, session))
    return Found("create_procedure", body=tuple(found))


def _nested(analysis: Analysis, text: str, tokens: list[Token]) -> tuple[Statement, ...]:
    return (_statement(0, tokens, text, _session_within(analysis)),)


def _session_within(analysis: Analysis) -> Session:
    """What can run learns from the text around it, and teaches it nothing."""
    outer = analysis.session
    return Session(outer.context, LearnedSchemas(outer.schemas), outer.first_path, outer.connected)


def _guessed_kind(tokens: list[Token]) -> StatementKind:
    """The kind of a statement that could not be read, by its first words."""
    words = [token.text.upper() for token in tokens[:6]]
    first = words[0] if words else ""
    if first == "CREATE":
        return next((kind for noun, kind in _CREATED.items() if noun in words), "utility")
    return _KINDS.get(first, "utility")


_CREATED: Mapping[str, StatementKind] = {
    "MATERIALIZED": "create_materialized_view",
    "VIEW": "create_view",
    "PROCEDURE": "create_procedure",
    "TABLE": "create_table",
}
_KINDS: Mapping[str, StatementKind] = {
    "INSERT": "insert",
    "MERGE": "merge",
    "UPDATE": "update",
    "DELETE": "delete",
    "UNLOAD": "unload",
    "COPY": "copy",
    "SELECT": "select",
    "WITH": "select",
    "(": "select",
    "PREPARE": "prepare",
    "EXECUTE": "execute",
}

_BEHIND_WITH: Mapping[str, Callable[[Analysis], Found]] = {
    "INSERT": writes.insert,
    "UPDATE": writes.update,
    "DELETE": writes.delete,
    "MERGE": writes.merge,
}
_BY_FIRST_WORD: Mapping[str, Callable[[Analysis], Found]] = {
    "CREATE": _create,
    "INSERT": writes.insert,
    "UPDATE": writes.update,
    "DELETE": writes.delete,
    "MERGE": writes.merge,
    "COPY": transfers.copy,
    "UNLOAD": transfers.unload,
    "DROP": controls.drop,
    "TRUNCATE": controls.truncate,
    "ALTER": controls.alter,
    "RESET": controls.reset_parameter,
    "SET": controls.set_parameter,
    "USE": controls.use_database,
    "PREPARE": _prepare,
    "EXECUTE": _execute,
    "DEALLOCATE": _deallocate,
    "CALL": controls.call,
    "USING": _using_function,
    "BEGIN": controls.transaction,
    "START": controls.transaction,
    "COMMIT": controls.transaction,
    "END": controls.transaction,
    "ROLLBACK": controls.transaction,
    "ABORT": controls.transaction,
    "SAVEPOINT": controls.transaction,
}
