"""Tokens made fit for sqlglot: valid SQL that its parser refuses, takes for something else, or takes for ever over.

No rewriting changes which columns an expression is made from. Texts of expressions are cut from the statement itself,
so nothing of this is seen outside.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from sqlglot import Token, TokenType

from datahub_aws_lineage.model.names import Dialect

PREFIX = "__"
"""Before the name of a function that sqlglot shall read as a name and its arguments, whatever it knows of that name."""

_CONSTRUCTORS = frozenset({"ROW", "ARRAY", "MAP"})
_JSON_FUNCTIONS = frozenset({"JSON_VALUE", "JSON_QUERY", "JSON_EXISTS", "JSON_OBJECT", "JSON_ARRAY"})
_JSON_CLAUSES = frozenset(
    "RETURNING PASSING FORMAT NULL ERROR EMPTY TRUE FALSE UNKNOWN ABSENT DEFAULT WITH WITHOUT KEEP OMIT ON".split()
)
_OPENING = frozenset({TokenType.L_PAREN, TokenType.L_BRACKET, TokenType.L_BRACE})
_CLOSING = frozenset({TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.R_BRACE})
_TEXTS = frozenset({TokenType.STRING, TokenType.HEREDOC_STRING, TokenType.IDENTIFIER})


def rewritten(tokens: list[Token], dialect: Dialect) -> list[Token]:
    words = {token.text.upper() for token in tokens}
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
        kinds = [token.token_type for token in tokens[position : position + 3]]
        if kinds == [TokenType.L_BRACKET, TokenType.NUMBER, TokenType.R_BRACKET]:
            position += 3
        else:
            kept.append(tokens[position])
            position += 1
    return kept


def _as(token: Token, kind: TokenType, text: str | None = None) -> Token:
    """The token as one of another type, at the same place."""
    return Token(kind, token.text if text is None else text, token.line, token.col, token.start, token.end)


def _word(tokens: list[Token], position: int) -> str:
    if not 0 <= position < len(tokens) or tokens[position].token_type in _TEXTS:
        return ""
    return tokens[position].text.upper()


def _partner(tokens: list[Token], opening: int) -> int:
    """The position of the bracket that closes the one at `opening`; the end where none does."""
    depth = 0
    for position in range(opening, len(tokens)):
        kind = tokens[position].token_type
        depth += (kind in _OPENING) - (kind in _CLOSING)
        if depth == 0:
            return position
    return len(tokens)


# ---- constructors and functions -------------------------------------------------------------------------------------

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
_NOT_CALLS = frozenset(
    (
        # words before a parenthesis that are no functions
        "ALL AND ANY AS BETWEEN BY CASE COLUMNS CUBE DISTINCT ELSE ESCAPE EXCEPT EXISTS FROM GROUPING HAVING IN INSERT "
        "INTERSECT INTERVAL IS JOIN LATERAL LIKE MATCH_RECOGNIZE NOT ON OR OVER ROLLUP SELECT SETS SOME TABLE THEN "
        "UNION UNNEST USING VALUES WHEN WHERE WITH "
        # functions whose arguments have a grammar of their own
        "CAST CURRENT_TIME CURRENT_TIMESTAMP EXPLODE EXTRACT IF JSON_ARRAY JSON_EXISTS JSON_OBJECT JSON_QUERY "
        "JSON_TABLE JSON_VALUE LISTAGG LOCALTIME LOCALTIMESTAMP NORMALIZE POSEXPLODE POSITION SUBSTRING TRIM TRY_CAST"
    ).split()
)


def _constructors(tokens: list[Token]) -> list[Token]:
    """ROW(…), MAP(…), ARRAY[…] and ARRAY(…) as functions: sqlglot tries each as a type first, in exponential time.

    Where a type is meant (behind AS within CAST, behind `::`, within such a type) they stay.
    """
    return _Calls(tokens, _CONSTRUCTORS.__contains__).read()


def _calls(tokens: list[Token]) -> list[Token]:
    """Besides constructors all other functions: sqlglot's own idea of them drops arguments, or has other numbers."""
    return _Calls(tokens, lambda word: word not in _NOT_CALLS).read()


class _Calls:
    """One pass over brackets. The name before one is a function's if it is `wanted` and stands where a value begins."""

    def __init__(self, tokens: list[Token], wanted: Callable[[str], bool]) -> None:
        self.tokens = tokens
        self.wanted = wanted
        self.result = list(tokens)
        self.types: list[bool] = []  # of each open bracket: is it within a type?
        self.names: list[int | None] = []  # of each: the position of its function's name
        self.arrays: list[bool] = []  # of each: is it an array's, to be closed as a parenthesis?

    def read(self) -> list[Token]:
        for position, token in enumerate(self.tokens):
            if token.token_type in _OPENING:
                self._open(position, token)
            elif token.token_type in _CLOSING and self.types:
                self._close(position, token)
        return self.result

    def _open(self, position: int, token: Token) -> None:
        word = _word(self.tokens, position - 1)
        in_type = (self.types[-1] if self.types else False) or _word(self.tokens, position - 2) in ("AS", "::")
        array = word == "ARRAY" and token.token_type is TokenType.L_BRACKET
        name = position - 1 if (array or not in_type) and self._begins_call(position, token, word) else None
        if array:
            self.result[position] = _as(token, TokenType.L_PAREN, "(")
        self.types.append(in_type and name is None and word in _CONSTRUCTORS)
        self.names.append(name)
        self.arrays.append(array)

    def _begins_call(self, position: int, token: Token, word: str) -> bool:
        if word in _CONSTRUCTORS:
            return token.token_type is TokenType.L_PAREN or word == "ARRAY"
        if token.token_type is not TokenType.L_PAREN or not _is_word(word) or not self.wanted(word):
            return False
        return position == 1 or self.tokens[position - 2].token_type in _BEFORE_A_CALL

    def _close(self, position: int, token: Token) -> None:
        self.types.pop()
        if self.arrays.pop():
            self.result[position] = _as(token, TokenType.R_PAREN, ")")
        name = self.names.pop()
        if name is None or (_word(self.tokens, position + 1), _word(self.tokens, position + 2)) == ("AS", "("):
            return  # `, name (columns) AS (query)` is a CTE
        called = self.tokens[name]
        self.result[name] = _as(called, TokenType.VAR, PREFIX + called.text)


def _is_word(word: str) -> bool:
    return bool(word) and word.replace("_", "a").isalnum()


# ---- JSON functions -------------------------------------------------------------------------------------------------


def _json_calls(tokens: list[Token]) -> list[Token]:
    """JSON_VALUE(x, path RETURNING t DEFAULT d ON EMPTY …) as a plain function of its values."""
    kept: list[Token] = []
    position = 0
    while position < len(tokens):
        name = _word(tokens, position)
        if name in _JSON_FUNCTIONS and _word(tokens, position + 1) == "(":
            end = _partner(tokens, position + 1)
            kept.append(_as(tokens[position], TokenType.VAR, PREFIX + name))
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
        token, word = tokens[position], _word(tokens, position)
        clause = _json_clause(tokens, position)
        if token.token_type in _OPENING:
            end = _partner(tokens, position)
            kept.extend(tokens[position : end + 1])
            position = end + 1
        elif clause:
            position += clause
        elif word in ("PASSING", "DEFAULT") or (function == "JSON_OBJECT" and word in ("VALUE", ":")):
            passing = word == "PASSING"
            kept.append(_as(token, TokenType.COMMA, ","))
            position += 1
        elif word == "KEY" and function == "JSON_OBJECT" and _word(tokens, position + 1) not in (",", ":", "VALUE"):
            position += 1
        elif word == "AS" and passing:
            position += 2
        else:
            kept.append(token)
            position += 1
    return kept


def _json_clause(tokens: list[Token], position: int) -> int:
    """How many tokens from here are a clause that holds no value; 0 for none."""
    words = [_word(tokens, position + ahead) for ahead in range(6)]
    match words:
        case ["RETURNING", *_]:
            end = position + 1
            while end < len(tokens) and _word(tokens, end) not in _JSON_CLAUSES:
                end = _partner(tokens, end) + 1 if tokens[end].token_type in _OPENING else end + 1
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
        _as(token, TokenType.VAR)
        if token.token_type is TokenType.INTERVAL and not _begins_interval(tokens, i)
        else token
        for i, token in enumerate(tokens)
    ]


def _names(tokens: list[Token]) -> list[Token]:
    """Words that begin a clause or an operator only before certain others: elsewhere they are names."""
    return [
        _as(token, TokenType.IDENTIFIER) if _word(tokens, i) in _CLAUSES and _is_plain(tokens, i) else token
        for i, token in enumerate(tokens)
    ]


_CLAUSES = frozenset(
    "ANY CONNECT_BY_ROOT FETCH IF LATERAL LIMIT MAP MATCH_RECOGNIZE OFFSET ROW TABLESAMPLE WINDOW".split()
)


def _is_plain(tokens: list[Token], position: int) -> bool:
    following = _word(tokens, position + 1)
    match _word(tokens, position):
        case "ANY" | "IF" | "LATERAL" | "MATCH_RECOGNIZE":
            return following != "("
        case "WINDOW":
            return _word(tokens, position + 2) != "AS"
        case "FETCH":
            return following not in ("FIRST", "NEXT")
        case "LIMIT" | "OFFSET":
            return following not in ("?", "ALL") and not following.isdigit()
        case "TABLESAMPLE":
            return following not in ("BERNOULLI", "SYSTEM")
        case "MAP" | "ROW":
            return following == "["
        case _:
            return True


def _subscripted(tokens: list[Token]) -> list[Token]:
    """`t."array"[1]` and `list[1]` in parentheses: sqlglot takes a column of such a name for a constructor."""
    kept: list[Token] = []
    for position, token in enumerate(tokens):
        kept.append(token)
        text = token.text.upper()
        quoted = token.token_type is TokenType.IDENTIFIER
        if _word(tokens, position + 1) != "[" or not (text == "LIST" or (quoted and text == "ARRAY")):
            continue
        start = len(kept) - 1
        while start > 1 and kept[start - 1].token_type is TokenType.DOT:
            start -= 2
        kept.insert(start, _as(kept[start], TokenType.L_PAREN, "("))
        kept.append(_as(token, TokenType.R_PAREN, ")"))
    return kept


def _begins_interval(tokens: list[Token], position: int) -> bool:
    ahead = position + 2 if _word(tokens, position + 1) in ("+", "-") else position + 1
    return ahead < len(tokens) and tokens[ahead].token_type is TokenType.STRING


def _row_patterns(tokens: list[Token]) -> list[Token]:
    """MATCH_RECOGNIZE without `SUBSET u = (a, b)` and without INITIAL or SEEK before PATTERN."""
    kept: list[Token] = []
    position = 0
    while position < len(tokens):
        word = _word(tokens, position)
        if word in ("INITIAL", "SEEK") and _word(tokens, position + 1) == "PATTERN":
            position += 1
        elif word == "SUBSET" and _word(tokens, position + 2) == "=":
            position = _partner(tokens, position + 3) + 1
            while _word(tokens, position) == "," and _word(tokens, position + 2) == "=":
                position = _partner(tokens, position + 3) + 1
        else:
            kept.append(tokens[position])
            position += 1
    return kept


def _table_queries(tokens: list[Token]) -> list[Token]:
    """`TABLE t` where a query stands is `SELECT * FROM t`."""
    kept: list[Token] = []
    for position, token in enumerate(tokens):
        if _word(tokens, position) == "TABLE" and _is_name(tokens, position + 1):
            made = [(TokenType.SELECT, "SELECT"), (TokenType.STAR, "*"), (TokenType.FROM, "FROM")]
            kept.extend(_as(token, kind, text) for kind, text in made)
        else:
            kept.append(token)
    return kept


def _siblings(tokens: list[Token]) -> list[Token]:
    """ORDER SIBLINGS BY of a hierarchical query orders by the same columns as ORDER BY."""
    words = [token.text.upper() for token in tokens]
    at = words.index("SIBLINGS")
    if words[at - 1 : at + 2] != ["ORDER", "SIBLINGS", "BY"]:
        return tokens
    return [*tokens[: at - 1], _as(tokens[at - 1], TokenType.ORDER_BY, "ORDER BY"), *tokens[at + 2 :]]


def _redshift_operators(tokens: list[Token]) -> list[Token]:
    """`@ x` (absolute value) as x, `x # y` (exclusive or) as x & y, PRIOR x of a hierarchical query as x."""
    hierarchical = any(_word(tokens, i) == "CONNECT" or _word(tokens, i) == "CONNECT BY" for i in range(len(tokens)))
    kept: list[Token] = []
    for position, token in enumerate(tokens):
        word = _word(tokens, position)
        if word == "@" or (hierarchical and word == "PRIOR" and _is_name(tokens, position + 1)):
            continue
        kept.append(_as(token, TokenType.AMP, "&") if word == "#" else token)
    return kept


def _is_name(tokens: list[Token], position: int) -> bool:
    if position >= len(tokens):
        return False
    return tokens[position].token_type is TokenType.IDENTIFIER or _is_word(_word(tokens, position))


_Rewrite = Callable[[list[Token]], list[Token]]
_REWRITES: dict[Dialect, tuple[tuple[frozenset[str], _Rewrite], ...]] = {
    "athena": (
        (frozenset({"TABLE"}), _table_queries),
        (_CLAUSES, _names),
        (frozenset({"ARRAY", "LIST"}), _subscripted),
        (frozenset({"(", "["}), _calls),
        (_JSON_FUNCTIONS, _json_calls),
        (frozenset({"INTERVAL"}), _intervals),
        (frozenset({"MATCH_RECOGNIZE"}), _row_patterns),
    ),
    "redshift": (
        (frozenset({"TABLE"}), _table_queries),
        (_CONSTRUCTORS, _constructors),
        (frozenset({"SIBLINGS"}), _siblings),
        (frozenset({"@", "#", "PRIOR"}), _redshift_operators),
    ),
}
"""In order, with the words that a statement must hold for a rewriting to have anything to do."""
