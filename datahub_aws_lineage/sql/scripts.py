"""Text to statements: splitting, choosing a reader for each, and what one statement leaves for the next."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from sqlglot import Token, TokenType

from datahub_aws_lineage.model.lineage import (
    Drop,
    Effect,
    Rename,
    SetSearchPath,
    Statement,
    StatementKind,
    TransactionMark,
    Truncate,
    Unresolved,
)
from datahub_aws_lineage.model.names import StatementTable, TableName, TemporaryTable
from datahub_aws_lineage.model.ports import Schemas
from datahub_aws_lineage.model.queries import SqlContext
from datahub_aws_lineage.sql import alters, creates, transfers, writes
from datahub_aws_lineage.sql.cursor import STRINGS, Cursor, source_text, split_commas
from datahub_aws_lineage.sql.dialects import NotUnderstoodError, tokenize
from datahub_aws_lineage.sql.names import LearnedSchemas
from datahub_aws_lineage.sql.statements import Analysis, Found, Session, check_filled_in

_LOG = logging.getLogger(__name__)

_UTILITIES = frozenset(
    "ALTER ANALYSE ANALYZE ATTACH CANCEL CLOSE COMMENT CREATE DEALLOCATE DECLARE DESC DESCRIBE DETACH EXPLAIN "
    "FETCH GRANT LOCK MSCK OPTIMIZE REFRESH RESET REVOKE SET SHOW UNSET USE VACUUM REINDEX LISTEN NOTIFY "
    "DISCARD LOAD CHECKPOINT EXPORT IMPORT LOCAL KILL".split()
)
_QUERIES = frozenset({"SELECT", "WITH", "(", "VALUES", "TABLE"})


def analyze(text: str, context: SqlContext, schemas: Schemas) -> tuple[Statement, ...]:
    """Every statement of a text, in order. Never raises for what the text holds.

    Names are qualified under `context`, columns placed by `schemas`; a CREATE teaches its columns to what follows.
    """
    text = text.removeprefix("\ufeff")
    session = Session(context, LearnedSchemas(schemas), context.search_path)
    try:
        groups = list(_split(tokenize(text, context.dialect)))
    except NotUnderstoodError as e:
        return (_unresolved(0, text, e),)
    except RecursionError:
        return (_unresolved(0, text, NotUnderstoodError("too_deep", "nested too deeply")),)
    if not groups:
        return (_unresolved(0, text, NotUnderstoodError("empty", "no statement in the text")),)
    return tuple(_statement(index, tokens, text, session) for index, tokens in enumerate(groups))


def _split(tokens: list[Token]) -> Iterator[list[Token]]:
    group: list[Token] = []
    for token in tokens:
        if token.token_type is not TokenType.SEMICOLON:
            group.append(token)
        elif group:
            yield group
            group = []
    if group:
        yield group


def _statement(index: int, tokens: list[Token], text: str, session: Session, *, learns: bool = True) -> Statement:
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
    if learns:
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
            case Drop(table=table):
                schemas.forget(table)
            case SetSearchPath(schemas=path):
                first = next((schema for schema in path if schema != "$user"), path[0])
                session.context = replace(session.context, default_database=first, search_path=path)
            case _:
                pass


# ---- choosing a reader ----------------------------------------------------------------------------------------------


def _read(analysis: Analysis) -> Found:
    cursor = analysis.cursor
    word = cursor.word().partition(" ")[0]  # sqlglot reads some pairs as one word: DEALLOCATE PREPARE
    reader = _BY_FIRST_WORD.get(word)
    if reader is not None:
        return reader(analysis)
    if word in _QUERIES:
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
    if main in ("UPDATE", "DELETE", "MERGE"):
        return {"UPDATE": writes.update, "DELETE": writes.delete, "MERGE": writes.merge}[main](analysis)
    into = _into(analysis.tokens)
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


def _into(tokens: list[Token]) -> int | None:
    """The position of INTO between the outermost SELECT and its FROM."""
    depth = 0
    for position, token in enumerate(tokens):
        kind = token.token_type
        depth += (kind is TokenType.L_PAREN) - (kind is TokenType.R_PAREN)
        if depth == 0 and kind is TokenType.INTO:
            return position
        if depth == 0 and kind is TokenType.FROM:
            return None
    return None


def _using_function(analysis: Analysis) -> Found:
    """Athena: USING EXTERNAL FUNCTION f(…) RETURNS type LAMBDA 'name' [, …] SELECT …."""
    cursor = analysis.cursor
    if not cursor.skip_to("SELECT", "WITH"):
        raise cursor.error("expected a query")
    relation = analysis.query(cursor.rest())
    return Found("select", columns=analysis.named_columns(relation))


def _transaction(analysis: Analysis) -> Found:
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


def _drop(analysis: Analysis) -> Found:
    """DROP TABLE | VIEW [IF EXISTS] name [, …]; other things dropped hold no rows."""
    cursor = analysis.cursor
    cursor.needs("DROP")
    while cursor.takes_any(frozenset({"MATERIALIZED", "EXTERNAL", "PROTECTED"})):
        pass
    if not cursor.takes_any(frozenset({"TABLE", "VIEW"})):
        return Found("drop")
    cursor.takes("IF", "EXISTS")
    tables = [analysis.names.read(cursor.name())]
    while cursor.takes(","):
        tables.append(analysis.names.read(cursor.name()))
    return Found("drop", effects=tuple(Drop(table) for table in tables))


def _truncate(analysis: Analysis) -> Found:
    cursor = analysis.cursor
    cursor.needs("TRUNCATE")
    cursor.takes("TABLE")
    return Found("truncate", effects=(Truncate(analysis.names.read(cursor.name())),))


def _alter(analysis: Analysis) -> Found:
    cursor = analysis.cursor
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
        alters.alter_columns(analysis, old)
        return Found("utility")
    return Found("rename", effects=(Rename(old, _beside(old, cursor.name())),))


def _beside(old: StatementTable, parts: tuple[str, ...]) -> StatementTable:
    """A new name without a schema stays in the schema of the old one."""
    if isinstance(old, TableName):
        return TableName(old.catalog, parts[-2] if len(parts) > 1 else old.database, parts[-1])
    return TemporaryTable(parts[-1])


def _set(analysis: Analysis) -> Found:
    cursor = analysis.cursor
    cursor.needs("SET")
    cursor.takes_any(frozenset({"SESSION", "LOCAL"}))
    if not cursor.takes("SEARCH_PATH"):
        return Found("utility")
    if not cursor.takes("TO"):
        cursor.takes("=")
    if cursor.sees("DEFAULT"):
        return Found("utility", effects=(SetSearchPath(analysis.session.default_path),))
    items = [item[0].text for item in split_commas(cursor.rest()) if item]
    path = tuple(part.strip().strip('"').lower() for item in items for part in item.split(","))
    return Found("utility", effects=(SetSearchPath(path),))


def _reset(analysis: Analysis) -> Found:
    """RESET search_path | ALL."""
    cursor = analysis.cursor
    cursor.needs("RESET")
    if cursor.sees("SEARCH_PATH") or cursor.sees("ALL"):
        return Found("utility", effects=(SetSearchPath(analysis.session.default_path),))
    return Found("utility")


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
    analysis.session.prepared[name] = (tokens, text if text is not None else analysis.text)
    return Found("prepare", body=body)


def _execute(analysis: Analysis) -> Found:
    """EXECUTE name | EXECUTE IMMEDIATE 'statement': does what the prepared statement does, where that is known."""
    cursor = analysis.cursor
    cursor.needs("EXECUTE")
    if cursor.takes("IMMEDIATE"):
        text = cursor.string()
        if text is None:
            raise cursor.error("expected the statement as a string")
        prepared = (tokenize(text, analysis.dialect), text)
    else:
        known = analysis.session.prepared.get(cursor.name()[-1])
        if known is None:
            analysis.collector.gap("source", "what the prepared statement does is not known here")
            return Found("execute")
        prepared = known
    tokens, text = prepared
    inner = Analysis(tokens, text, analysis.session)
    inner.collector = analysis.collector
    inner.queries.collector = analysis.collector
    found = _read(inner)
    analysis.adopt_texts(inner)
    found.kind = "execute"
    return found


def _create_procedure(analysis: Analysis) -> Found:
    """The statements of a procedure's body: what it can do, not what ran."""
    body = next(
        (token.text for token in reversed(analysis.tokens) if token.token_type in STRINGS and " " in token.text), ""
    )
    statements = procedure_statements(body, analysis) if body else ()
    return Found("create_procedure", body=statements)


_PL_WORDS = frozenset(
    "BEGIN END DECLARE IF ELSIF ELSE ELSEIF LOOP FOR WHILE EXIT CONTINUE RETURN RAISE EXCEPTION WHEN THEN "
    "PERFORM OPEN CLOSE FETCH GET NULL CASE EXECUTE".split()
)
_BEFORE_SQL = frozenset({"BEGIN", "THEN", "ELSE", "LOOP", "IN", "FOR"})
"""Words of PL/pgSQL that a statement or query may follow."""
_SQL_VERBS = frozenset(
    "INSERT UPDATE DELETE MERGE CREATE DROP TRUNCATE COPY UNLOAD ALTER SELECT WITH CALL SET GRANT ANALYZE "
    "REFRESH".split()
)


def procedure_statements(body: str, analysis: Analysis) -> tuple[Statement, ...]:
    """PL/pgSQL is split at semicolons; control words before a SQL verb are stepped over, other lines left out.

    SELECT … INTO fills variables there, and makes no table. Variables and parameters are no columns.
    """
    lines = list(_split(tokenize(body, analysis.dialect)))
    variables = frozenset(_declared(lines)) | frozenset(_parameters(analysis))
    session = Session(analysis.session.context, analysis.session.schemas, variables=variables)
    statements = (tokens for line in lines for tokens in _pl_statements(line))
    return tuple(
        _statement(index, _without_into(tokens), body, session, learns=False) for index, tokens in enumerate(statements)
    )


def _without_into(tokens: list[Token]) -> list[Token]:
    into = _into(tokens) if tokens[0].text.upper() in ("SELECT", "WITH") else None
    if into is None:
        return tokens
    end = next((i for i in range(into, len(tokens)) if tokens[i].token_type is TokenType.FROM), len(tokens))
    return tokens[:into] + tokens[end:]


def _parameters(analysis: Analysis) -> Iterator[str]:
    """The parameters' names: `p(IN a int, b INOUT varchar)`."""
    cursor = Cursor(analysis.tokens, analysis.text)
    if not cursor.skip_to("PROCEDURE"):
        return
    cursor.at += 1
    cursor.name()
    if cursor.at_parenthesis:
        for item in split_commas(cursor.parenthesised()):
            words = [token.text.lower() for token in item]
            named = [word for word in words if word not in ("in", "out", "inout")]
            if named:
                yield named[0]


def _declared(lines: list[list[Token]]) -> Iterator[str]:
    """Variables of DECLARE sections, and the loop variables of FOR."""
    declaring = False
    for line in lines:
        words = [token.text.upper() for token in line]
        if words[0] == "DECLARE":
            declaring, words, line = True, words[1:], line[1:]
        if "BEGIN" in words[:1]:
            declaring = False
        if declaring and line:
            yield line[0].text.lower()
        for position, word in enumerate(words[:-1]):
            if word == "FOR" and words[position + 2 : position + 3] == ["IN"]:
                yield line[position + 1].text.lower()


def _pl_statements(line: list[Token]) -> Iterator[list[Token]]:
    """The SQL within one line: its own verb, the query of `FOR r IN SELECT … LOOP`, what stands behind THEN or LOOP."""
    words = [token.text.upper() if token.token_type not in STRINGS else "" for token in line]
    starts = [i for i, word in enumerate(words) if word in _SQL_VERBS and (i == 0 or words[i - 1] in _BEFORE_SQL)]
    if words[0] not in _PL_WORDS and words[0] not in _SQL_VERBS:
        return
    for number, start in enumerate(starts):
        end = starts[number + 1] if number + 1 < len(starts) else len(line)
        while end > start + 1 and words[end - 1] in _PL_WORDS and words[end - 1] != "END":
            end -= 1
        yield line[start:end]


def _nested(analysis: Analysis, text: str, tokens: list[Token]) -> tuple[Statement, ...]:
    session = Session(analysis.session.context, analysis.session.schemas)
    return (_statement(0, tokens, text, session),)


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

_BY_FIRST_WORD: Mapping[str, Callable[[Analysis], Found]] = {
    "CREATE": _create,
    "INSERT": writes.insert,
    "UPDATE": writes.update,
    "DELETE": writes.delete,
    "MERGE": writes.merge,
    "COPY": transfers.copy,
    "UNLOAD": transfers.unload,
    "DROP": _drop,
    "TRUNCATE": _truncate,
    "ALTER": _alter,
    "RESET": _reset,
    "SET": _set,
    "PREPARE": _prepare,
    "EXECUTE": _execute,
    "CALL": lambda _: Found("call"),
    "USING": _using_function,
    "BEGIN": _transaction,
    "START": _transaction,
    "COMMIT": _transaction,
    "END": _transaction,
    "ROLLBACK": _transaction,
    "ABORT": _transaction,
    "SAVEPOINT": _transaction,
}
