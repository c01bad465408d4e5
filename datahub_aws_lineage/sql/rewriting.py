"""Tokens made fit for sqlglot: valid SQL that its parser refuses, takes for something else, or takes for ever over.

No rewriting changes which columns an expression is made from. Texts of expressions are cut from the statement itself,
so nothing of this is seen outside.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from sqlglot import Token, TokenType

from datahub_aws_lineage.model.names import Dialect
from datahub_aws_lineage.sql.calls import CONSTRUCTORS, calls, constructors
from datahub_aws_lineage.sql.json_calls import JSON_FUNCTIONS, json_calls, json_tables
from datahub_aws_lineage.sql.redshift_tokens import (
    INDEX,
    bare_paths,
    exclude_lists,
    interval_types,
    outer_marks,
    unnest_offsets,
)
from datahub_aws_lineage.sql.row_patterns import row_patterns
from datahub_aws_lineage.sql.token_edits import (
    CLOSING,
    OPENING,
    PREFIX,
    SELECT_ALL_FROM,
    as_kind,
    is_name,
    word_at,
    written,
)


def rewritten(tokens: list[Token], words: set[str], dialect: Dialect) -> list[Token]:
    """`words` are the upper-case texts of all tokens but strings."""
    for triggers, rewrite in _REWRITES[dialect]:
        if not triggers.isdisjoint(words):
            tokens = rewrite(tokens)
    return tokens


def as_written(sql: str) -> str:
    """SQL that sqlglot has written from rewritten tokens, under the functions' own names."""
    return _PREFIXED.sub("", sql)


_PREFIXED = re.compile(rf"\b{PREFIX}(?=\w+\()")


def without_indexes(tokens: list[Token]) -> list[Token]:
    """sqlglot does not read `FROM t, t.items[0].parts AS p`; an index changes no lineage."""
    kept: list[Token] = []
    position = 0
    while position < len(tokens):
        if [token.token_type for token in tokens[position : position + 3]] == INDEX:
            position += 3
        else:
            kept.append(tokens[position])
            position += 1
    return kept


# ---- words ----------------------------------------------------------------------------------------------------------


def _intervals(tokens: list[Token]) -> list[Token]:
    """INTERVAL is a column's name unless a string follows, signed or not (Trino: it is not reserved)."""
    return [
        as_kind(token, TokenType.VAR)
        if token.token_type is TokenType.INTERVAL and not _begins_interval(tokens, i)
        else token
        for i, token in enumerate(tokens)
    ]


def _names(tokens: list[Token]) -> list[Token]:
    """Words that begin a clause or an operator only before certain others: elsewhere they are names."""
    return [
        as_kind(token, TokenType.IDENTIFIER) if token.token_type in _CLAUSE_KINDS and _is_plain(tokens, i) else token
        for i, token in enumerate(tokens)
    ]


_CLAUSES = frozenset("ANY FETCH LATERAL LIMIT MAP MATCH_RECOGNIZE OFFSET ROW TABLESAMPLE WINDOW".split())
_CLAUSE_KINDS = frozenset(
    {
        TokenType.ANY,
        TokenType.FETCH,
        TokenType.LATERAL,
        TokenType.LIMIT,
        TokenType.MAP,
        TokenType.MATCH_RECOGNIZE,
        TokenType.OFFSET,
        TokenType.STRUCT,
        TokenType.TABLE_SAMPLE,
        TokenType.WINDOW,
    }
)


def _is_plain(tokens: list[Token], position: int) -> bool:
    following = word_at(tokens, position + 1)
    match tokens[position].token_type:
        case TokenType.WINDOW:
            return word_at(tokens, position + 2) != "AS"
        case TokenType.FETCH:
            return following not in ("FIRST", "NEXT")
        case TokenType.LIMIT | TokenType.OFFSET:
            return following not in ("?", "ALL") and not following.isdigit()
        case TokenType.TABLE_SAMPLE:
            return following not in ("BERNOULLI", "SYSTEM")
        case TokenType.MAP | TokenType.STRUCT:
            return following == "["
        case _:
            return following != "("


def _parsers_words(tokens: list[Token]) -> list[Token]:
    """IF without a parenthesis behind it, and a word that only sqlglot's parser knows, are names."""
    return [
        as_kind(token, TokenType.IDENTIFIER)
        if word_at(tokens, i) in _PARSERS_WORDS and word_at(tokens, i + 1) != "("
        else token
        for i, token in enumerate(tokens)
    ]


_PARSERS_WORDS = frozenset({"CONNECT_BY_ROOT", "IF"})


def _subscripted(tokens: list[Token]) -> list[Token]:
    """`t."array"[1]` and `list[1]` in parentheses: sqlglot takes a column of such a name for a constructor."""
    kept: list[Token] = []
    for position, token in enumerate(tokens):
        kept.append(token)
        text = token.text.upper()
        quoted = token.token_type is TokenType.IDENTIFIER
        if word_at(tokens, position + 1) != "[" or not (text == "LIST" or (quoted and text == "ARRAY")):
            continue
        start = len(kept) - 1
        while start > 1 and kept[start - 1].token_type is TokenType.DOT:
            start -= 2
        kept.insert(start, as_kind(kept[start], TokenType.L_PAREN, "("))
        kept.append(as_kind(token, TokenType.R_PAREN, ")"))
    return kept


def _begins_interval(tokens: list[Token], position: int) -> bool:
    ahead = position + 2 if word_at(tokens, position + 1) in ("+", "-") else position + 1
    return ahead < len(tokens) and tokens[ahead].token_type is TokenType.STRING


def _groupings(tokens: list[Token]) -> list[Token]:
    """ROLLUP (…), CUBE (…) and GROUPING SETS (…) as functions: behind them sqlglot takes LIMIT for one more column."""
    return [
        as_kind(token, TokenType.VAR, PREFIX + "_".join(token.text.split()))
        if token.token_type in _GROUPINGS and word_at(tokens, i + 1) == "("
        else token
        for i, token in enumerate(tokens)
    ]


_GROUPING_WORDS = frozenset({"ROLLUP", "CUBE", "GROUPING SETS"})
_GROUPINGS = frozenset({TokenType.ROLLUP, TokenType.CUBE, TokenType.GROUPING_SETS})


def _table_queries(tokens: list[Token]) -> list[Token]:
    """`TABLE t` where a query stands is `SELECT * FROM t`."""
    kept: list[Token] = []
    for position, token in enumerate(tokens):
        if word_at(tokens, position) == "TABLE" and is_name(tokens, position + 1):
            kept.extend(written(token, *SELECT_ALL_FROM))
        else:
            kept.append(token)
    return kept


def _values_queries(tokens: list[Token]) -> list[Token]:
    """`VALUES 1, 2 UNION …` with a SELECT around its first part: sqlglot reads no more than the rows."""
    kept: list[Token] = []
    closes: list[int] = []  # where the parentheses that are put around VALUES end
    for position, token in enumerate(tokens):
        if closes and position == closes[-1]:
            kept.append(as_kind(token, TokenType.R_PAREN, ")"))
            closes.pop()
        if token.token_type is TokenType.VALUES and word_at(tokens, position - 1) in _BEFORE_VALUES:
            end = end_of_values(tokens, position)
            if end < len(tokens) and tokens[end].token_type not in CLOSING:
                kept.extend(written(token, *SELECT_ALL_FROM, (TokenType.L_PAREN, "(")))
                closes.append(end)
        kept.append(token)
    return kept


_BEFORE_VALUES = frozenset({"", "(", "ALL", "DISTINCT", "EXCEPT", "INTERSECT", "UNION"})
_AFTER_VALUES = frozenset(
    {
        TokenType.UNION,
        TokenType.EXCEPT,
        TokenType.INTERSECT,
        TokenType.ORDER_BY,
        TokenType.LIMIT,
        TokenType.OFFSET,
        TokenType.FETCH,
    }
)


def end_of_values(tokens: list[Token], start: int) -> int:
    """The position behind the rows of the VALUES at `start`."""
    depth = 0
    for position in range(start + 1, len(tokens)):
        kind = tokens[position].token_type
        if depth == 0 and (kind in _AFTER_VALUES or kind in CLOSING):
            return position
        depth += (kind in OPENING) - (kind in CLOSING)
    return len(tokens)


def _escapes(tokens: list[Token]) -> list[Token]:
    """`x LIKE y ESCAPE z` as `x LIKE y || z` where z is no string."""
    return [
        as_kind(token, TokenType.DPIPE, "||")
        if token.token_type is TokenType.ESCAPE and tokens[i + 1 : i + 2] and not _is_string(tokens[i + 1])
        else token
        for i, token in enumerate(tokens)
    ]


def _is_string(token: Token) -> bool:
    return token.token_type is TokenType.STRING


def _siblings(tokens: list[Token]) -> list[Token]:
    """ORDER SIBLINGS BY of a hierarchical query orders by the same columns as ORDER BY."""
    kept: list[Token] = []
    position = 0
    while position < len(tokens):
        if [word_at(tokens, position + ahead) for ahead in range(3)] == ["ORDER", "SIBLINGS", "BY"]:
            kept.append(as_kind(tokens[position], TokenType.ORDER_BY, "ORDER BY"))
            position += 3
        else:
            kept.append(tokens[position])
            position += 1
    return kept


def _redshift_operators(tokens: list[Token]) -> list[Token]:
    """`@ x` (absolute value) as x, `x # y` (exclusive or) as x & y, PRIOR x of a hierarchical query as x."""
    hierarchical = any(
        word_at(tokens, i) == "CONNECT" or word_at(tokens, i) == "CONNECT BY" for i in range(len(tokens))
    )
    kept: list[Token] = []
    for position, token in enumerate(tokens):
        word = word_at(tokens, position)
        if word == "@" or (hierarchical and word == "PRIOR" and is_name(tokens, position + 1)):
            continue
        kept.append(as_kind(token, TokenType.AMP, "&") if word == "#" else token)
    return kept


_Rewrite = Callable[[list[Token]], list[Token]]
_REWRITES: dict[Dialect, tuple[tuple[frozenset[str], _Rewrite], ...]] = {
    "athena": (
        (_GROUPING_WORDS, _groupings),
        (frozenset({"TABLE"}), _table_queries),
        (frozenset({"VALUES"}), _values_queries),
        (frozenset({"ESCAPE"}), _escapes),
        (_CLAUSES, _names),
        (_PARSERS_WORDS, _parsers_words),
        (frozenset({"ARRAY", "LIST"}), _subscripted),
        (frozenset({"(", "["}), calls),
        (frozenset({"JSON_TABLE"}), json_tables),
        (JSON_FUNCTIONS, json_calls),
        (frozenset({"INTERVAL"}), _intervals),
        (frozenset({"MATCH_RECOGNIZE"}), row_patterns),
    ),
    "redshift": (
        (_GROUPING_WORDS, _groupings),
        (frozenset({"TABLE"}), _table_queries),
        (CONSTRUCTORS, constructors),
        (frozenset({"SIBLINGS"}), _siblings),
        (frozenset({"@", "#", "PRIOR"}), _redshift_operators),
        (frozenset({"INTERVAL"}), interval_types),
        (frozenset({"EXCLUDE"}), exclude_lists),
        (frozenset({"(+)"}), outer_marks),
        (frozenset({"OFFSET"}), unnest_offsets),
        (frozenset({"("}), bare_paths),
    ),
}
"""In order, with the words that a statement must hold for a rewriting to have anything to do."""
