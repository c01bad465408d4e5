"""MATCH_RECOGNIZE made fit for sqlglot, as tokens."""

from __future__ import annotations

from sqlglot import Token, TokenType

from datahub_aws_lineage.sql.token_edits import CLOSING, OPENING, SELECT_ALL_FROM, as_kind, partner, word_at, written

_BEFORE_A_TABLE = frozenset({"FROM", "JOIN", ","})


def row_patterns(tokens: list[Token]) -> list[Token]:
    """Each table that patterns are sought in as a query of its own, without clauses that change no lineage."""
    return _as_queries(_plain(tokens))


def _plain(tokens: list[Token]) -> list[Token]:
    """Without `SUBSET u = (a, b)`, without INITIAL or SEEK before PATTERN."""
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


def _as_queries(tokens: list[Token]) -> list[Token]:
    """`t MATCH_RECOGNIZE (…) AS m` as `(SELECT * FROM t MATCH_RECOGNIZE (…)) AS m`.

    sqlglot hangs the clause on the whole SELECT, where nothing says which of several tables it belongs to.
    """
    starts: dict[int, int] = {}
    ends: dict[int, int] = {}
    for position, token in enumerate(tokens):
        if token.token_type is TokenType.MATCH_RECOGNIZE and word_at(tokens, position + 1) == "(":
            start, end = _start_of_table(tokens, position), partner(tokens, position + 1)
            starts[start] = starts.get(start, 0) + 1
            ends[end] = ends.get(end, 0) + 1
    kept: list[Token] = []
    for position, token in enumerate(tokens):
        for _ in range(starts.get(position, 0)):
            kept += [as_kind(token, TokenType.L_PAREN, "("), *written(token, *SELECT_ALL_FROM)]
        kept.append(token)
        kept += [as_kind(token, TokenType.R_PAREN, ")")] * ends.get(position, 0)
    return kept


def _start_of_table(tokens: list[Token], position: int) -> int:
    """Where the table before MATCH_RECOGNIZE begins: behind FROM, JOIN, a comma or an open parenthesis."""
    depth = 0
    while position > 0:
        kind = tokens[position - 1].token_type
        if depth == 0 and (kind in OPENING or word_at(tokens, position - 1) in _BEFORE_A_TABLE):
            return position
        depth += (kind in CLOSING) - (kind in OPENING)
        position -= 1
    return position
