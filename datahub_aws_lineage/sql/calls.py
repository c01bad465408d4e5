"""Constructors and functions, marked so that sqlglot reads a name and its arguments and no more."""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import Token, TokenType

from datahub_aws_lineage.sql.token_edits import CLOSING, OPENING, PREFIX, as_kind, is_word, word_at

CONSTRUCTORS = frozenset({"ROW", "ARRAY", "MAP"})
_BEFORE_A_CALL = frozenset(
    {
        TokenType.L_PAREN,
        TokenType.L_BRACKET,
        TokenType.COMMA,
        TokenType.DOT,
        TokenType.PLUS,
        TokenType.DASH,
        TokenType.STAR,
        TokenType.SLASH,
        TokenType.MOD,
        TokenType.DPIPE,
        TokenType.EQ,
        TokenType.NEQ,
        TokenType.LT,
        TokenType.LTE,
        TokenType.GT,
        TokenType.GTE,
        TokenType.ARROW,
        TokenType.FARROW,
        TokenType.SELECT,
        TokenType.DISTINCT,
        TokenType.FROM,
        TokenType.WHERE,
        TokenType.AND,
        TokenType.OR,
        TokenType.NOT,
        TokenType.ON,
        TokenType.CASE,
        TokenType.WHEN,
        TokenType.THEN,
        TokenType.ELSE,
        TokenType.BETWEEN,
        TokenType.LIKE,
        TokenType.ESCAPE,
        TokenType.HAVING,
        TokenType.GROUP_BY,
        TokenType.ORDER_BY,
        TokenType.PARTITION_BY,
    }
)
_NO_FUNCTIONS = frozenset(
    (
        "ALL AND ANY AS BETWEEN BY CASE CUBE DISTINCT ELSE ESCAPE EXCEPT EXISTS FROM GROUPING HAVING IN INSERT "
        "INTERSECT INTERVAL IS JOIN LATERAL LIKE MATCH_RECOGNIZE NOT ON OR OVER ROLLUP SELECT SETS SOME TABLE THEN "
        "UNION UNNEST USING VALUES WHEN WHERE WITH"
    ).split()
)
"""Words that may stand before a parenthesis."""

_OWN_GRAMMAR = frozenset(
    (
        "CAST CURRENT_TIME CURRENT_TIMESTAMP EXPLODE EXTRACT IF JSON_ARRAY JSON_EXISTS JSON_OBJECT JSON_QUERY "
        "JSON_TABLE JSON_VALUE LISTAGG LOCALTIME LOCALTIMESTAMP NORMALIZE POSEXPLODE POSITION SUBSTRING TRIM TRY_CAST"
    ).split()
)
"""Functions whose arguments are more than a list."""


def constructors(tokens: list[Token]) -> list[Token]:
    """ROW(…), MAP(…), ARRAY[…] and ARRAY(…) as functions: sqlglot tries each as a type first, in exponential time.

    Where a type is meant (behind AS within CAST, behind `::`, within such a type) they stay.
    """
    return _Calls(tokens, CONSTRUCTORS.__contains__).read()


def calls(tokens: list[Token]) -> list[Token]:
    """Besides constructors all other functions: sqlglot's own idea of them drops arguments, or has other numbers.

    Athena itself writes the functions of a view in quotes: `"sum"("t"."a")`.
    """
    return _Calls(tokens, lambda word: word not in _NO_FUNCTIONS).read()


_BRACKETS = OPENING | CLOSING | {TokenType.LT, TokenType.GT}


class _Calls:
    """One pass over brackets. The name before one is a function's if it is `wanted` and stands where a value begins."""

    def __init__(self, tokens: list[Token], wanted: Callable[[str], bool]) -> None:
        self.tokens = tokens
        self.wanted = wanted
        self.result = list(tokens)
        self.types: list[bool] = []  # of each open bracket: is it within a type?
        self.names: list[int | None] = []  # of each: the position of its function's name
        self.arrays: list[bool] = []  # of each: is it an array's, to be closed as a parenthesis?
        self.angles = 0  # how many `array<` and `map<` are open

    def read(self) -> list[Token]:
        for position, token in enumerate(self.tokens):
            kind = token.token_type
            if kind not in _BRACKETS:
                continue
            if kind in OPENING:
                self._open(position, token)
            elif kind in CLOSING:
                self._close(position, token)
            elif kind is TokenType.LT and word_at(self.tokens, position - 1) in CONSTRUCTORS:
                self.angles += self._in_type(position)
            elif kind is TokenType.GT and self.angles:
                self.angles -= 1
        return self.result

    def _in_type(self, position: int) -> bool:
        """Whether the word before this position is a type, or within one."""
        within = self.angles > 0 or (self.types[-1] if self.types else False)
        return within or word_at(self.tokens, position - 2) in ("AS", "::")

    def _open(self, position: int, token: Token) -> None:
        word = word_at(self.tokens, position - 1)
        in_type = self._in_type(position)
        array = word == "ARRAY" and token.token_type is TokenType.L_BRACKET
        name = position - 1 if (array or not in_type) and self._begins_call(position, token, word) else None
        if array:
            self.result[position] = as_kind(token, TokenType.L_PAREN, "(")
        self.types.append(in_type and name is None and word in CONSTRUCTORS)
        self.names.append(name)
        self.arrays.append(array)

    def _begins_call(self, position: int, token: Token, word: str) -> bool:
        if word in CONSTRUCTORS:
            return token.token_type is TokenType.L_PAREN or word == "ARRAY"
        before = self.tokens[position - 1] if position else token
        name = before.text.upper() if before.token_type is TokenType.IDENTIFIER else word
        if token.token_type is not TokenType.L_PAREN or not is_word(name) or not self.wanted(name):
            return False
        return position == 1 or self.tokens[position - 2].token_type in _BEFORE_A_CALL

    def _close(self, position: int, token: Token) -> None:
        if not self.types:
            return
        self.types.pop()
        if self.arrays.pop():
            self.result[position] = as_kind(token, TokenType.R_PAREN, ")")
        name = self.names.pop()
        if name is None or (word_at(self.tokens, position + 1), word_at(self.tokens, position + 2)) == ("AS", "("):
            return  # `, name (columns) AS (query)` is a CTE
        called = self.tokens[name]
        if called.text.upper() not in _OWN_GRAMMAR:
            self.result[name] = as_kind(called, TokenType.VAR, PREFIX + called.text)
        elif called.token_type is TokenType.IDENTIFIER:
            self.result[name] = as_kind(called, TokenType.VAR)
