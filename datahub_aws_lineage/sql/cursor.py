"""A cursor over tokens: how the heads of statements are read."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import Token, TokenType

from datahub_aws_lineage.sql.dialects import NotUnderstoodError

STRINGS = frozenset({TokenType.STRING, TokenType.HEREDOC_STRING, TokenType.RAW_STRING, TokenType.NATIONAL_STRING})
_NOT_A_NAME = frozenset(
    {
        TokenType.L_PAREN,
        TokenType.R_PAREN,
        TokenType.L_BRACKET,
        TokenType.R_BRACKET,
        TokenType.L_BRACE,
        TokenType.R_BRACE,
        TokenType.COMMA,
        TokenType.DOT,
        TokenType.EQ,
        TokenType.STAR,
        TokenType.NUMBER,
        TokenType.SEMICOLON,
        TokenType.COLON,
        TokenType.PARAMETER,
        TokenType.PLACEHOLDER,
    }
)


class Cursor:
    """Reads tokens from left to right. Keywords match by text, whatever their token type, unless they are quoted."""

    def __init__(self, tokens: list[Token], text: str) -> None:
        self.tokens = tokens
        self.text = text
        self.at = 0

    @property
    def token(self) -> Token | None:
        return self.tokens[self.at] if self.at < len(self.tokens) else None

    @property
    def done(self) -> bool:
        return self.at >= len(self.tokens)

    def word(self, ahead: int = 0) -> str:
        """The upper-case text of the token, or '' at the end, for a quoted identifier and for a string."""
        index = self.at + ahead
        if index >= len(self.tokens):
            return ""
        token = self.tokens[index]
        if token.token_type is TokenType.IDENTIFIER or token.token_type in STRINGS:
            return ""
        return token.text.upper()

    def sees(self, *words: str) -> bool:
        return all(self.word(ahead) == word for ahead, word in enumerate(words))

    def takes(self, *words: str) -> bool:
        """Steps over the words when they all come next."""
        if not self.sees(*words):
            return False
        self.at += len(words)
        return True

    def takes_any(self, words: frozenset[str]) -> bool:
        if self.word() not in words:
            return False
        self.at += 1
        return True

    def needs(self, *words: str) -> None:
        if not self.takes(*words):
            raise self.error(f"expected {' '.join(words)}")

    def string(self) -> str | None:
        """The value of a string literal that comes next, else None."""
        token = self.token
        if token is None or token.token_type not in STRINGS:
            return None
        self.at += 1
        return string_value(token, self.text)

    def quoted(self) -> str | None:
        """The text of a quoted identifier that comes next: Hive takes double quotes for strings too."""
        token = self.token
        if token is None or token.token_type is not TokenType.IDENTIFIER:
            return None
        self.at += 1
        return token.text

    def name(self) -> tuple[str, ...]:
        """A dotted name in lower case; quotes fall away."""
        parts = [self._name_part()]
        while self.word() == "." or (self.token is not None and self.token.token_type is TokenType.DOT):
            self.at += 1
            parts.append(self._name_part())
        return tuple(parts)

    def _name_part(self) -> str:
        token = self.token
        if token is None or token.token_type in _NOT_A_NAME:
            raise self.error("expected a name")
        self.at += 1
        return token.text.lower()

    def parenthesised(self) -> list[Token]:
        """The tokens between a parenthesis that comes next and its partner; steps over both."""
        if self.token is None or self.token.token_type is not TokenType.L_PAREN:
            raise self.error("expected (")
        start, depth = self.at + 1, 0
        while not self.done:
            kind = self.tokens[self.at].token_type
            depth += (kind is TokenType.L_PAREN) - (kind is TokenType.R_PAREN)
            self.at += 1
            if depth == 0:
                return self.tokens[start : self.at - 1]
        raise self.error("a parenthesis is not closed")

    @property
    def at_parenthesis(self) -> bool:
        return self.token is not None and self.token.token_type is TokenType.L_PAREN

    def skip_to(self, *words: str) -> bool:
        """Moves to the next of `words` outside parentheses; False (and the end) where there is none."""
        while not self.done:
            if self.at_parenthesis:
                self.parenthesised()
            elif self.word() in words:
                return True
            else:
                self.at += 1
        return False

    def rest(self) -> list[Token]:
        return self.tokens[self.at :]

    def error(self, message: str) -> NotUnderstoodError:
        token = self.token or (self.tokens[-1] if self.tokens else None)
        found = f", found {_shown(self.token)}" if self.token else ", found the end"
        return NotUnderstoodError(
            "syntax", message + found, line=token.line if token else None, column=token.col if token else None
        )


def _shown(token: Token) -> str:
    """A literal is never quoted in a message: it may be personal or secret."""
    if token.token_type in STRINGS or token.token_type is TokenType.NUMBER:
        return "a literal"
    return repr(token.text[:40])


def string_value(token: Token, text: str) -> str:
    """The value of a string token. Dollar quotes know no escapes, although sqlglot resolves some within them."""
    if token.token_type is not TokenType.HEREDOC_STRING:
        return token.text
    written = text[token.start : token.end + 1]
    tag = written[: written.index("$", 1) + 1]
    return written.removeprefix(tag).removesuffix(tag)


def source_text(tokens: list[Token], text: str) -> str:
    """The text from the first token to the last, as written."""
    return text[tokens[0].start : tokens[-1].end + 1] if tokens else ""


def split_statements(tokens: list[Token]) -> Iterator[list[Token]]:
    """The statements of a text, without their semicolons; empty ones fall away."""
    group: list[Token] = []
    for token in tokens:
        if token.token_type is not TokenType.SEMICOLON:
            group.append(token)
        elif group:
            yield group
            group = []
    if group:
        yield group


def into_position(tokens: list[Token]) -> int | None:
    """The position of INTO between the outermost SELECT and its FROM."""
    depth = 0
    for position, token in enumerate(tokens):
        kind = token.token_type
        depth += (kind is TokenType.L_PAREN) - (kind is TokenType.R_PAREN)
        if depth == 0 and kind is TokenType.INTO:
            return position
        if depth == 0 and kind is TokenType.FROM:
            return None
    return None
