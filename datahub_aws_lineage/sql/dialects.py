"""The two dialects on sqlglot, and the limits under which text is read.

Athena reads DML and views with Trino's grammar and DDL with Hive's; both appear in one history, so the tokenizer
takes either kind of identifier quote. Statements that a tokenizer would swallow whole (`COMMANDS`) are kept as tokens,
because the heads of all statements are read by this package (`sql.cursor`); sqlglot parses queries and expressions.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

from sqlglot import Token, TokenType, exp
from sqlglot.dialects.postgres import Postgres
from sqlglot.dialects.redshift import Redshift
from sqlglot.dialects.trino import Trino
from sqlglot.errors import ErrorLevel, ParseError, SqlglotError, TokenError
from sqlglot.parser import Parser

from datahub_aws_lineage.model.lineage import UnresolvedReason
from datahub_aws_lineage.model.names import Dialect
from datahub_aws_lineage.sql.rewriting import as_written, rewritten, without_indexes
from datahub_aws_lineage.sql.statement_texts import escapes_matter, pieces
from datahub_aws_lineage.sql.token_edits import word_at

MAX_TEXT_BYTES = 4 * 1024 * 1024
"""Longest text that is read. Athena's own limit is 262,144 bytes, Redshift's 16 MB."""

MAX_NESTING = 200
"""Deepest nesting of parentheses and brackets that is read. sqlglot's parser recurses several frames a level."""

_OPENING = frozenset({TokenType.L_PAREN, TokenType.L_BRACKET, TokenType.L_BRACE})
_CLOSING = frozenset({TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.R_BRACE})


class NotUnderstoodError(Exception):
    """A statement cannot be read; carries the typed reason and, where known, the 1-based position."""

    def __init__(
        self, reason: UnresolvedReason, message: str, *, line: int | None = None, column: int | None = None
    ) -> None:
        super().__init__(message)
        self.reason: UnresolvedReason = reason
        self.message = message
        self.line = line
        self.column = column


_PLAIN_WORDS = frozenset(
    "ANTI APPLY ASOF CACHE COLLATE COMMENT COMMIT COPY EXECUTE EXPLAIN GLOB GRANT ILIKE ISNULL KILL LIST LOAD LOCK "
    "NOTNULL OPERATOR OUT OVERLAPS PARTITIONED_BY PRAGMA REFRESH REGEXP RENAME RETURNING REVOKE RLIKE ROLLBACK SEMI "
    "SHOW STRAIGHT_JOIN TRUNCATE UNCACHE USE XOR".split()
)
"""Keywords of sqlglot that are no operators in Trino and not reserved there: names like any other within a query."""

_REDSHIFT_PLAIN_WORDS = frozenset(
    "ALTER ANTI APPLY ASOF CACHE COMMENT COMMIT COPY DESCRIBE DROP EXECUTE EXPLAIN FETCH GLOB GRANT KILL LIST LOAD "
    "LOCK OUT PARTITIONED_BY PRAGMA REFRESH REGEXP RENAME RETURNING REVOKE RLIKE ROLLBACK SEMI SHOW STRAIGHT_JOIN "
    "TRUNCATE UNCACHE USE XOR".split()
)
"""The same for Redshift (Database Developer Guide, Reserved words)."""


class AthenaSql(Trino):
    """Trino's grammar, with Hive's backticks."""

    NUMBERS_CAN_BE_UNDERSCORE_SEPARATED = True
    SUPPORTS_USER_DEFINED_TYPES = True  # of plug-ins
    INDEX_OFFSET = 0  # subscripts stay as they are written

    class Tokenizer(Trino.Tokenizer):
        IDENTIFIERS: ClassVar[list[str | tuple[str, str]]] = ['"', "`"]
        NESTED_COMMENTS = False
        KEYWORDS: ClassVar[dict[str, TokenType]] = {
            word: kind for word, kind in Trino.Tokenizer.KEYWORDS.items() if word not in _PLAIN_WORDS
        } | {
            "FOR SYSTEM_TIME": TokenType.TIMESTAMP_SNAPSHOT,  # Athena's engine version 2
            "FOR SYSTEM_VERSION": TokenType.VERSION_SNAPSHOT,
        }
        COMMANDS: ClassVar[set[TokenType]] = set()


class HiveDdl(AthenaSql):
    """The same with backslashes that escape."""

    class Tokenizer(AthenaSql.Tokenizer):
        STRING_ESCAPES: ClassVar[list[str]] = ["'", "\\"]
        IDENTIFIER_ESCAPES: ClassVar[list[str]] = ['"', "\\"]


class RedshiftSql(Redshift):
    SUPPORTS_USER_DEFINED_TYPES = True  # types of PostgreSQL's catalog: ::aclitem[], ::regproc
    PRESERVE_ORIGINAL_NAMES = True  # of functions: they name columns without an alias

    class Tokenizer(Redshift.Tokenizer):
        KEYWORDS: ClassVar[dict[str, TokenType]] = {
            word: kind for word, kind in Redshift.Tokenizer.KEYWORDS.items() if word not in _REDSHIFT_PLAIN_WORDS
        }
        COMMANDS: ClassVar[set[TokenType]] = set()


class _Hushed(logging.Filter):
    """Keeps sqlglot's warnings out of the log while this package parses: they quote the text, literals and all."""

    def __init__(self) -> None:
        super().__init__()
        self._here = threading.local()

    def filter(self, record: logging.LogRecord) -> bool:
        return not getattr(self._here, "parsing", False)

    @contextmanager
    def parsing(self) -> Iterator[None]:
        self._here.parsing = True
        try:
            yield
        finally:
            self._here.parsing = False


_HUSHED = _Hushed()
logging.getLogger("sqlglot").addFilter(_HUSHED)

_PARSER_DEFECTS = (AttributeError, TypeError, ValueError)
"""What sqlglot's compiled parser raises where a text has a hole that it did not expect."""

PostgresParser, RedshiftParser = Postgres.parser_class, Redshift.parser_class
_REDSHIFTS_OWN = frozenset(
    {
        *(
            name
            for name, reader in RedshiftParser.FUNCTIONS.items()
            if PostgresParser.FUNCTIONS.get(name) is not reader
        ),
        *(RedshiftParser.FUNCTION_PARSERS.keys() - PostgresParser.FUNCTION_PARSERS.keys()),
        *(RedshiftParser.NO_PAREN_FUNCTION_PARSERS.keys() - PostgresParser.NO_PAREN_FUNCTION_PARSERS.keys()),
        *"AT CONVERT CURRENT_USER_ID EXCLUDE GET_BIT PIVOT UNNEST UNPIVOT [".split(),
    }
) - frozenset("ADD_MONTHS CONVERT_TIMEZONE GETDATE STRTOL TEXTLEN".split())
"""Words that sqlglot's parser for Redshift reads in a way of its own, but for functions of all their arguments."""

_DIALECTS = {"athena": AthenaSql(), "redshift": RedshiftSql()}
_HIVE_DDL = HiveDdl()
_COMPOUNDS = {
    dialect: {
        (words[0], words[1]): kind
        for word, kind in sql.tokenizer_class.KEYWORDS.items()
        if len(words := word.split()) == 2
    }
    for dialect, sql in _DIALECTS.items()
}
"""Keywords of two words, which a comment may part."""


def tokenize(text: str, dialect: Dialect) -> list[Token]:
    """Tokens of the whole text; comments are attached to tokens, positions are 0-based offsets into `text`.

    Raises NotUnderstoodError(too_long | syntax).
    """
    if len(text) > MAX_TEXT_BYTES:
        raise NotUnderstoodError("too_long", f"{len(text)} characters; at most {MAX_TEXT_BYTES} are read")
    try:
        if dialect == "athena" and escapes_matter(text):
            tokens = list(_athena_tokens(text))
        else:
            tokens = list(_DIALECTS[dialect].tokenize(text))
    except TokenError as e:
        # sqlglot's message quotes the text around, which may hold literals
        raise NotUnderstoodError(
            "syntax", "a quote or comment that is never closed, or a character that is no SQL"
        ) from e
    return _compounded(tokens, dialect) if "/*" in text or "--" in text else tokens


def _compounded(tokens: list[Token], dialect: Dialect) -> list[Token]:
    """`GROUP /* … */ BY` as the one token that sqlglot makes of `GROUP BY`."""
    result: list[Token] = []
    for token in tokens:
        last = result[-1] if result else token
        words = (word_at([last], 0), word_at([token], 0)) if last.comments or token.comments else ("", "")
        kind = _COMPOUNDS[dialect].get(words)
        if kind is not None:
            result[-1] = Token(kind, " ".join(words), last.line, last.col, last.start, token.end)
        else:
            result.append(token)
    return result


def _athena_tokens(text: str) -> Iterator[Token]:
    """Each statement by its own rules, at its place in the text."""
    line = 0
    for start, end, hive in pieces(text):
        reader = _HIVE_DDL if hive else _DIALECTS["athena"]
        before = start - (text.rfind("\n", 0, start) + 1)  # what stands before it in its first line
        for token in reader.tokenize(text[start:end]):
            column = token.col + before if token.line == 1 else token.col
            places = (token.line + line, column, token.start + start, token.end + start)
            yield Token(token.token_type, token.text, *places)
        line += text.count("\n", start, end)


def parse(tokens: list[Token], text: str, dialect: Dialect) -> exp.Expr:
    """One query, expression or DML statement as sqlglot's tree.

    Raises NotUnderstoodError(syntax | too_deep | unsupported).
    """
    _check_nesting(tokens)
    words = {token.text.upper() for token in tokens if token.token_type is not TokenType.STRING}
    tokens = rewritten(tokens, words, dialect)
    try:
        with _HUSHED.parsing():
            trees = _trees(_parser(words, dialect), tokens, text, dialect)
    except ParseError as e:
        raise _syntax_error(e) from e
    except (SqlglotError, *_PARSER_DEFECTS) as e:
        raise NotUnderstoodError("syntax", type(e).__name__, **_position(tokens)) from e
    except RecursionError as e:
        raise NotUnderstoodError("too_deep", "nested too deeply to be parsed") from e
    if len(trees) != 1 or isinstance(trees[0], exp.Command):
        raise NotUnderstoodError("syntax", f"not readable as a {dialect} statement", **_position(tokens))
    return trees[0]


def _trees(parser: Parser, tokens: list[Token], text: str, dialect: Dialect) -> list[exp.Expr]:
    try:
        return [tree for tree in parser.parse(tokens, text) if tree is not None]
    except ParseError:
        unindexed = without_indexes(tokens) if dialect == "redshift" else tokens
        if len(unindexed) == len(tokens):
            raise
        return [tree for tree in parser.parse(unindexed, text) if tree is not None]


def _parser(words: set[str], dialect: Dialect) -> Parser:
    """sqlglot's parser for Redshift looks for paths of rows in FROM by copying all that is joined there.

    That is half of its time, and `sql.sources` finds them by itself: where a text has no words that only the one parser
    knows, PostgreSQL's reads it, on which that one is built.
    """
    sql = _DIALECTS[dialect]
    if dialect == "redshift" and _REDSHIFTS_OWN.isdisjoint(words):
        return PostgresParser(error_level=ErrorLevel.IMMEDIATE, dialect=sql)
    return sql.parser(error_level=ErrorLevel.IMMEDIATE)


def to_sql(node: exp.Expr, dialect: Dialect) -> str | None:
    """The node as SQL text, or None where it is too deep to be written out."""
    try:
        sql = node.sql(dialect=_DIALECTS[dialect], comments=False, unsupported_level=ErrorLevel.IGNORE)
    except RecursionError:
        return None
    return as_written(sql)


def _check_nesting(tokens: list[Token]) -> None:
    depth = 0
    for token in tokens:
        if token.token_type in _OPENING:
            depth += 1
            if depth > MAX_NESTING:
                raise NotUnderstoodError(
                    "too_deep", f"nested deeper than {MAX_NESTING} levels", line=token.line, column=token.col
                )
        elif token.token_type in _CLOSING:
            depth -= 1


def _syntax_error(error: ParseError) -> NotUnderstoodError:
    first = error.errors[0] if error.errors else {}
    message = str(first.get("description") or "not readable")
    if "<" in message:  # sqlglot names its own classes
        message = "an expression is not complete"
    return NotUnderstoodError("syntax", message, line=first.get("line"), column=first.get("col"))


def _position(tokens: list[Token]) -> dict[str, int]:
    return {"line": tokens[0].line, "column": tokens[0].col} if tokens else {}
