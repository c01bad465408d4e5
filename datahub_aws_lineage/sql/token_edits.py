"""What rewritings of tokens are made of."""

from __future__ import annotations

from sqlglot import Token, TokenType

OPENING = frozenset({TokenType.L_PAREN, TokenType.L_BRACKET, TokenType.L_BRACE})
CLOSING = frozenset({TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.R_BRACE})
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
