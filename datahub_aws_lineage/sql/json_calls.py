"""SQL's JSON functions and JSON_TABLE, whose clauses sqlglot does not read, as plain functions of their values."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import Token, TokenType

from datahub_aws_lineage.sql.token_edits import (
    OPENING,
    PREFIX,
    as_kind,
    is_name,
    partner,
    split_commas,
    word_at,
    written,
)

JSON_FUNCTIONS = frozenset({"JSON_VALUE", "JSON_QUERY", "JSON_EXISTS", "JSON_OBJECT", "JSON_ARRAY"})
_JSON_CLAUSES = frozenset(
    "RETURNING PASSING FORMAT NULL ERROR EMPTY TRUE FALSE UNKNOWN ABSENT DEFAULT WITH WITHOUT KEEP OMIT ON".split()
)


def json_calls(tokens: list[Token]) -> list[Token]:
    """JSON_VALUE(x, path RETURNING t DEFAULT d ON EMPTY …) as a plain function of its values."""
    kept: list[Token] = []
    position = 0
    while position < len(tokens):
        name = word_at(tokens, position)
        if name in JSON_FUNCTIONS and word_at(tokens, position + 1) == "(":
            end = partner(tokens, position + 1)
            kept.append(as_kind(tokens[position], TokenType.VAR, PREFIX + name))
            kept.append(tokens[position + 1])
            kept.extend(_json_arguments(json_calls(tokens[position + 2 : end]), name))
            position = end
        else:
            kept.append(tokens[position])
            position += 1
    return kept


def _json_arguments(tokens: list[Token], function: str) -> list[Token]:
    kept: list[Token] = []
    position, passing = 0, False
    while position < len(tokens):
        token, word = tokens[position], word_at(tokens, position)
        clause = _json_clause(tokens, position)
        if token.token_type in OPENING:
            end = partner(tokens, position)
            kept.extend(tokens[position : end + 1])
            position = end + 1
        elif clause:
            position += clause
        elif word in ("PASSING", "DEFAULT") or (function == "JSON_OBJECT" and word in ("VALUE", ":")):
            passing = word == "PASSING"
            kept.append(as_kind(token, TokenType.COMMA, ","))
            position += 1
        elif word == "KEY" and function == "JSON_OBJECT" and word_at(tokens, position + 1) not in (",", ":", "VALUE"):
            position += 1
        elif word == "AS" and passing:
            position += 2
        else:
            kept.append(token)
            position += 1
    return kept


def _json_clause(tokens: list[Token], position: int) -> int:
    """How many tokens from here are a clause that holds no value; 0 for none."""
    words = [word_at(tokens, position + ahead) for ahead in range(6)]
    match words:
        case ["RETURNING", *_]:
            end = position + 1
            while end < len(tokens) and word_at(tokens, end) not in _JSON_CLAUSES:
                end = partner(tokens, end) + 1 if tokens[end].token_type in OPENING else end + 1
            return end - position
        case ["FORMAT", "JSON", "ENCODING", *_]:
            return 4
        case ["FORMAT", "JSON", *_] | ["ON", "EMPTY" | "ERROR" | "NULL", *_]:
            return 2
        case ["NULL" | "ERROR" | "EMPTY" | "TRUE" | "FALSE" | "UNKNOWN" | "ABSENT", "ON", *_]:
            return 3
        case ["EMPTY", "ARRAY" | "OBJECT", "ON", *_]:
            return 4
        case ["WITH" | "WITHOUT", *rest] if "WRAPPER" in rest:
            return rest.index("WRAPPER") + 2
        case ["WITH" | "WITHOUT", "UNIQUE", "KEYS", *_]:
            return 3
        case ["WITH" | "WITHOUT", "UNIQUE", *_]:
            return 2
        case ["KEEP" | "OMIT", "QUOTES", "ON", *_]:
            return 5
        case ["KEEP" | "OMIT", "QUOTES", *_]:
            return 2
        case _:
            return 0


# ---- JSON_TABLE -----------------------------------------------------------------------------------------------------


def json_tables(tokens: list[Token]) -> list[Token]:
    """JSON_TABLE(document, path COLUMNS (a …, b …)) as LATERAL (SELECT f(document) AS a, f(document) AS b)."""
    kept: list[Token] = []
    position = 0
    while position < len(tokens):
        if word_at(tokens, position) == "JSON_TABLE" and word_at(tokens, position + 1) == "(":
            end = partner(tokens, position + 1)
            kept.extend(_json_table(tokens[position], json_tables(tokens[position + 2 : end])))
            position = end + 1
        else:
            kept.append(tokens[position])
            position += 1
    return kept


def _json_table(at: Token, inner: list[Token]) -> Iterator[Token]:
    columns = next((i for i in range(len(inner)) if _begins_columns(inner, i)), len(inner))
    values = _json_arguments(inner[:columns], "JSON_TABLE")
    yield from written(at, (TokenType.LATERAL, "LATERAL"), (TokenType.L_PAREN, "("), (TokenType.SELECT, "SELECT"))
    for number, (name, has_value) in enumerate(_json_columns(inner[columns + 2 : partner(inner, columns + 1)])):
        if number:
            yield as_kind(at, TokenType.COMMA, ",")
        if has_value:
            yield from written(at, (TokenType.VAR, f"{PREFIX}JSON_TABLE"), (TokenType.L_PAREN, "("))
            yield from values
            yield as_kind(at, TokenType.R_PAREN, ")")
        else:
            yield as_kind(at, TokenType.NULL, "NULL")
        yield as_kind(at, TokenType.ALIAS, "AS")
        yield as_kind(name, TokenType.IDENTIFIER)
    yield as_kind(at, TokenType.R_PAREN, ")")


def _json_columns(tokens: list[Token]) -> Iterator[tuple[Token, bool]]:
    """The columns, those of NESTED paths too, and whether they are cut from the document (FOR ORDINALITY is not)."""
    for item in split_commas(tokens):
        nested = next((i for i in range(len(item)) if _begins_columns(item, i)), None)
        if word_at(item, 0) == "NESTED" and nested is not None:
            yield from _json_columns(item[nested + 2 : partner(item, nested + 1)])
        elif is_name(item, 0):
            yield item[0], word_at(item, 1) != "FOR"


def _begins_columns(tokens: list[Token], position: int) -> bool:
    return word_at(tokens, position) == "COLUMNS" and word_at(tokens, position + 1) == "("
