"""What rewritings of tokens are made of."""

from __future__ import annotations

from sqlglot import Token, TokenType

PREFIX = "__"
"""Before the name of a function that sqlglot shall read as a name and its arguments, whatever it knows of that name."""

OPENING = frozenset({TokenType.L_PAREN, TokenType.L_BRACKET, TokenType.L_BRACE})
CLOSING = frozenset({TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.R_BRACE})
SELECT_ALL_FROM = ((TokenType.SELECT, "SELECT"), (TokenType.STAR, "*"), (TokenType.FROM, "FROM"))
_TEXTS = frozenset({TokenType.STRING, TokenType.HEREDOC_STRING, TokenType.IDENTIFIER})


def as_kind(token: Token, kind: TokenType, text: str | None = None) -> Token:
    """The token as one of another type, at the same place."""
    return Token(kind, token.text if text is None else text, token.line, token.col, token.start, token.end)


def word_at(tokens: list[Token], position: int) -> str:
    """The upper-case text of a token; '' for a string, for a quoted name and outside the tokens."""
    if not 0 <= position < len(tokens) or tokens[position].token_type in _TEXTS:
        return ""
    return tokens[position].text.upper()


def partner(tokens: list[Token], opening: int) -> int:
    """The position of the bracket that closes the one at `opening`; the end where none does."""
    depth = 0
    for position in range(opening, len(tokens)):
        kind = tokens[position].token_type
        depth += (kind in OPENING) - (kind in CLOSING)
        if depth == 0:
            return position
    return len(tokens)


def is_word(text: str) -> bool:
    return bool(text) and text.replace("_", "a").isalnum()


def is_name(tokens: list[Token], position: int) -> bool:
    if position >= len(tokens):
        return False
    return tokens[position].token_type is TokenType.IDENTIFIER or is_word(word_at(tokens, position))


def kind_at(tokens: list[Token], position: int) -> TokenType | None:
    return tokens[position].token_type if 0 <= position < len(tokens) else None


def written(at: Token, *words: tuple[TokenType, str]) -> list[Token]:
    """New tokens in the place of `at`."""
    return [as_kind(at, kind, text) for kind, text in words]


def split_commas(tokens: list[Token]) -> list[list[Token]]:
    """The items of a list, split at commas outside brackets of any kind."""
    items: list[list[Token]] = [[]]
    depth = 0
    for token in tokens:
        kind = token.token_type
        if kind in (TokenType.L_PAREN, TokenType.L_BRACKET):
            depth += 1
        elif kind in (TokenType.R_PAREN, TokenType.R_BRACKET):
            depth -= 1
        if kind is TokenType.COMMA and depth == 0:
            items.append([])
        else:
            items[-1].append(token)
    return [item for item in items if item]
