"""Tokens made fit for sqlglot: valid SQL that its parser refuses, takes for something else, or takes for ever over.

No rewriting changes which columns an expression is made from. Texts of expressions are cut from the statement itself,
so nothing of this is seen outside.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import Token, TokenType

from datahub_aws_lineage.model.names import Dialect
from datahub_aws_lineage.sql.redshift_tokens import (
    INDEX,
    bare_paths,
    exclude_lists,
    interval_types,
    outer_marks,
    unnest_offsets,
)
from datahub_aws_lineage.sql.token_edits import CLOSING, OPENING, as_kind, is_name, partner, word_at

ROW, ARRAY, MAP = "__ROW", "__ARRAY", "__MAP"
"""Names under which constructors are read as functions."""

_CONSTRUCTORS = {"ROW": ROW, "ARRAY": ARRAY, "MAP": MAP}
_JSON_FUNCTIONS = frozenset({"JSON_VALUE", "JSON_QUERY", "JSON_EXISTS", "JSON_OBJECT", "JSON_ARRAY"})
_JSON_CLAUSES = frozenset(
    "RETURNING PASSING FORMAT NULL ERROR EMPTY TRUE FALSE UNKNOWN ABSENT DEFAULT WITH WITHOUT KEEP OMIT ON".split()
)


def rewritten(tokens: list[Token], dialect: Dialect) -> list[Token]:
    words = {token.text.upper() for token in tokens}
    for triggers, rewrite in _REWRITES[dialect]:
        if not triggers.isdisjoint(words):
            tokens = rewrite(tokens)
    return tokens


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


# ---- constructors ---------------------------------------------------------------------------------------------------


def _constructors(tokens: list[Token]) -> list[Token]:
    """ROW(…), MAP(…), ARRAY[…] and ARRAY(…) as functions: sqlglot tries each as a type first, in exponential time.

    Where a type is meant (behind AS within CAST, behind `::`, within such a type) they stay.
    """
    result = list(tokens)
    types: list[bool] = []  # of each open bracket: is it within a type?
    brackets: list[bool] = []  # of each open bracket: is it an array's, to be closed as a parenthesis?
    for position, token in enumerate(tokens):
        kind = token.token_type
        if kind in OPENING:
            before = word_at(tokens, position - 1)
            meant = _CONSTRUCTORS.get(before) if position else None
            is_type = (types[-1] if types else False) or _follows_as(tokens, position - 1)
            array = meant == ARRAY and kind is TokenType.L_BRACKET
            if meant is not None and (array or not is_type):
                result[position - 1] = as_kind(tokens[position - 1], TokenType.VAR, meant)
                is_type = False
            if array:
                result[position] = as_kind(token, TokenType.L_PAREN, "(")
            types.append(is_type and meant is not None)
            brackets.append(array)
        elif kind in CLOSING and types:
            types.pop()
            if brackets.pop():
                result[position] = as_kind(token, TokenType.R_PAREN, ")")
    return result


def _follows_as(tokens: list[Token], position: int) -> bool:
    return word_at(tokens, position - 1) in ("AS", "::")


# ---- JSON functions -------------------------------------------------------------------------------------------------


def _json_calls(tokens: list[Token]) -> list[Token]:
    """JSON_VALUE(x, path RETURNING t DEFAULT d ON EMPTY …) as a plain function of its values."""
    kept: list[Token] = []
    position = 0
    while position < len(tokens):
        name = word_at(tokens, position)
        if name in _JSON_FUNCTIONS and word_at(tokens, position + 1) == "(":
            end = partner(tokens, position + 1)
            kept.append(as_kind(tokens[position], TokenType.VAR, f"__{name}"))
            kept.append(tokens[position + 1])
            kept.extend(_json_arguments(_json_calls(tokens[position + 2 : end]), name))
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
    """ANY and IF without a parenthesis behind them, and WINDOW outside its clause, are names."""
    return [as_kind(token, TokenType.IDENTIFIER) if _is_plain(tokens, i) else token for i, token in enumerate(tokens)]


def _is_plain(tokens: list[Token], position: int) -> bool:
    match tokens[position].token_type:
        case TokenType.ANY:
            return word_at(tokens, position + 1) != "("
        case TokenType.WINDOW:
            return word_at(tokens, position + 2) != "AS"
        case _:
            return word_at(tokens, position) == "IF" and word_at(tokens, position + 1) != "("


def _begins_interval(tokens: list[Token], position: int) -> bool:
    ahead = position + 2 if word_at(tokens, position + 1) in ("+", "-") else position + 1
    return ahead < len(tokens) and tokens[ahead].token_type is TokenType.STRING


def _row_patterns(tokens: list[Token]) -> list[Token]:
    """MATCH_RECOGNIZE without `SUBSET u = (a, b)` and without INITIAL or SEEK before PATTERN."""
    kept: list[Token] = []
    position = 0
    while position < len(tokens):
        word = word_at(tokens, position)
        if word in ("INITIAL", "SEEK") and word_at(tokens, position + 1) == "PATTERN":
            position += 1
        elif word == "SUBSET" and word_at(tokens, position + 2) == "=":
            position = partner(tokens, position + 3) + 1
            while word_at(tokens, position) == "," and word_at(tokens, position + 2) == "=":
                position = partner(tokens, position + 3) + 1
        else:
            kept.append(tokens[position])
            position += 1
    return kept


def _table_queries(tokens: list[Token]) -> list[Token]:
    """`TABLE t` where a query stands is `SELECT * FROM t`."""
    if not tokens or word_at(tokens, 0) != "TABLE" or word_at(tokens, 1) == "(":
        return tokens
    head = tokens[0]
    made = [(TokenType.SELECT, "SELECT"), (TokenType.STAR, "*"), (TokenType.FROM, "FROM")]
    return [*(as_kind(head, kind, text) for kind, text in made), *tokens[1:]]


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
        (frozenset({"TABLE"}), _table_queries),
        (frozenset(_CONSTRUCTORS), _constructors),
        (_JSON_FUNCTIONS, _json_calls),
        (frozenset({"INTERVAL"}), _intervals),
        (frozenset({"ANY", "IF", "WINDOW"}), _names),
        (frozenset({"MATCH_RECOGNIZE"}), _row_patterns),
    ),
    "redshift": (
        (frozenset({"TABLE"}), _table_queries),
        (frozenset(_CONSTRUCTORS), _constructors),
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
