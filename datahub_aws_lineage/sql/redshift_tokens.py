"""Redshift's own SQL made fit for sqlglot, as tokens: EXCLUDE lists, paths in FROM, types of intervals."""

from __future__ import annotations

from sqlglot import Token, TokenType

from datahub_aws_lineage.sql.token_edits import CLOSING, OPENING, as_kind, is_name, kind_at, partner, word_at

INDEX = [TokenType.L_BRACKET, TokenType.NUMBER, TokenType.R_BRACKET]
"""`[0]`, as token types."""

_NO_COLUMN = frozenset({TokenType.ALIAS, TokenType.END, TokenType.FROM, TokenType.INTO, TokenType.WHERE})
_BEFORE_VALUES = frozenset(
    (
        "ALL AND AS BETWEEN BY CASE DISTINCT ELSE FROM HAVING IN LIKE NOT ON OR SELECT THEN UNPIVOT USING WHEN WHERE"
    ).split()
)
"""Words that no item of a SELECT ends with; UNPIVOT stands before EXCLUDE NULLS."""


def exclude_lists(tokens: list[Token]) -> list[Token]:
    """`SELECT * EXCLUDE a, b FROM t`, whose list ends the items of the SELECT, with parentheses around the list."""
    kept: list[Token] = []
    position = 0
    while position < len(tokens):
        token = tokens[position]
        kept.append(token)
        position += 1
        if word_at(tokens, position - 1) == "EXCLUDE" and _ends_item(tokens, position - 2):
            end = _end_of_names(tokens, position)
            if end > position:
                opening, closing = as_kind(token, TokenType.L_PAREN, "("), as_kind(token, TokenType.R_PAREN, ")")
                kept += [opening, *tokens[position:end], closing]
                position = end
    return kept


def _end_of_names(tokens: list[Token], position: int) -> int:
    """The position behind `a, b, c`."""
    while is_name(tokens, position) and kind_at(tokens, position) not in _NO_COLUMN:
        position += 1
        if kind_at(tokens, position) is not TokenType.COMMA:
            break
        position += 1
    return position


def _ends_item(tokens: list[Token], position: int) -> bool:
    if word_at(tokens, position) in _BEFORE_VALUES:
        return False
    return is_name(tokens, position) or kind_at(tokens, position) in (
        TokenType.STAR,
        TokenType.R_PAREN,
        TokenType.STRING,
        TokenType.NUMBER,
    )


def outer_marks(tokens: list[Token]) -> list[Token]:
    """`a.id(+) = b.id` without the mark of an outer join, behind which sqlglot reads no cast."""
    return [token for token in tokens if token.token_type is not TokenType.JOIN_MARKER]


def unnest_offsets(tokens: list[Token]) -> list[Token]:
    """`UNNEST(…) WITH OFFSET AS t (element, position)` as WITH ORDINALITY."""
    return [
        as_kind(token, TokenType.ORDINALITY)
        if word_at(tokens, i) == "OFFSET" and word_at(tokens, i - 1) == "WITH"
        else token
        for i, token in enumerate(tokens)
    ]


def bare_paths(tokens: list[Token]) -> list[Token]:
    """`FROM t, (t.items) AS i AT n` without the parentheses, which change nothing elsewhere either."""
    dropped: set[int] = set()
    for position, token in enumerate(tokens):
        if token.token_type is TokenType.L_PAREN and word_at(tokens, position - 1) in (",", "JOIN"):
            end = _end_of_path(tokens, position + 1)
            if end:
                dropped |= {position, end}
    return [token for position, token in enumerate(tokens) if position not in dropped] if dropped else tokens


def _end_of_path(tokens: list[Token], position: int) -> int:
    """The position behind `name.name[0].name`; 0 where no such path fills the parentheses."""
    start = position
    while is_name(tokens, position):
        position += 1
        while [kind_at(tokens, position + ahead) for ahead in range(3)] == INDEX:
            position += 3
        if kind_at(tokens, position) is not TokenType.DOT:
            break
        position += 1
    dotted = any(token.token_type is TokenType.DOT for token in tokens[start:position])
    return position if dotted and kind_at(tokens, position) is TokenType.R_PAREN else 0


_INTERVAL_UNITS = frozenset({"YEAR", "MONTH", "DAY", "HOUR", "MINUTE", "SECOND"})


def interval_types(tokens: list[Token]) -> list[Token]:
    """`x::interval day` and `CAST(x AS interval day to second(3))` as casts to text: the type decides nothing here."""
    kept: list[Token] = []
    position = 0
    while position < len(tokens):
        token = tokens[position]
        position += 1
        if token.token_type is not TokenType.INTERVAL or not _is_type(tokens, position - 1):
            kept.append(token)
            continue
        kept.append(as_kind(token, TokenType.TEXT, "TEXT"))
        while word_at(tokens, position) in _INTERVAL_UNITS or (
            word_at(tokens, position) == "TO" and word_at(tokens, position - 1) in _INTERVAL_UNITS
        ):
            position += 1
            if kind_at(tokens, position) is TokenType.L_PAREN:
                position = partner(tokens, position) + 1
    return kept


def _is_type(tokens: list[Token], position: int) -> bool:
    """Behind `::`, or behind the AS of a CAST."""
    before = word_at(tokens, position - 1)
    return before == "::" or (before == "AS" and _within_cast(tokens, position - 1))


def _within_cast(tokens: list[Token], position: int) -> bool:
    """Whether the innermost open parenthesis is that of CAST( or TRY_CAST(."""
    depth = 0
    while position > 0:
        position -= 1
        kind = tokens[position].token_type
        depth += (kind in CLOSING) - (kind in OPENING)
        if depth < 0:
            return word_at(tokens, position - 1) in ("CAST", "TRY_CAST")
    return False
