"""Text without its literals: to recognise a statement that runs again, and to keep personal data out of the graph."""

from __future__ import annotations

import hashlib
import re
from typing import Literal, TypeAlias

from datahub_aws_lineage.model.names import Dialect
from datahub_aws_lineage.sql.statement_texts import escapes_matter, pieces

_LEXEME = re.compile(
    r"""
      (?P<comment>--[^\n]*|/\*.*?\*/|/\*.*\Z)
    | (?P<string>'(?:[^'\\]|''|\\.)*(?:'|\Z))
    | (?P<dollar>\$(?P<tag>[A-Za-z_]*)\$.*?(?:\$(?P=tag)\$|\Z))
    | (?P<quoted>"(?:[^"]|"")*"|`[^`]*`)
    | (?P<number>(?<![\w$])(?:0x[0-9a-fA-F]+|\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)(?!\w))
    | (?P<word>[\w$#@]+)
    | (?P<blank>\s+)
    | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_QUOTED_QUERY = ["unload", "("]
"""What stands before a literal that is itself SQL."""
_VARYING = re.compile(r"(?<==)[^/']*|\d+")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_TRINO_STRING = re.compile(r"'(?:[^']|'')*(?:'|\Z)", re.DOTALL)
_HIVE_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*(?:"|\Z)|`[^`]*`', re.DOTALL)

_Grammar: TypeAlias = Literal["redshift", "trino", "hive"]


def _lexemes(text: str, dialect: Dialect) -> list[tuple[str, str]]:
    """(kind, text) of each lexeme. Backslashes escape in the strings of Redshift, and of Athena's Hive DDL."""
    if dialect == "athena" and escapes_matter(text):
        parts = ((text[start:end], hive) for start, end, hive in pieces(text))
        return [lexeme for part, hive in parts for lexeme in _read(part, "hive" if hive else "trino")]
    return _read(text, "trino" if dialect == "athena" else "redshift")


def _read(text: str, grammar: _Grammar) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    position = 0
    while position < len(text):
        match = _LEXEME.match(text, position)
        if match is None:
            break
        kind = match.lastgroup or "other"
        if kind == "tag":
            kind = "dollar"
        lexeme = match.group(0)
        if kind == "string" and grammar == "trino":
            plain = _TRINO_STRING.match(text, position)
            lexeme = plain.group(0) if plain else lexeme
        if kind == "quoted" and grammar == "hive":
            escaped = _HIVE_QUOTED.match(text, position)
            lexeme = escaped.group(0) if escaped else lexeme
        found.append((kind, lexeme))
        position += len(lexeme)
    return found


def fingerprint(text: str, dialect: Dialect) -> str:
    """32 hex digits, the same for texts that differ only in literals, comments, blanks and the case of words.

    Lists of literals count as one: `IN (1, 2)` and `IN (1, 2, 3)` are the same statement. What names something is no
    such literal: the query in UNLOAD's quotes, and an S3 location, but for its numbers and partitions (`dt=…`).
    """
    parts = _parts(text, dialect)
    while parts and parts[-1] == ";":
        parts.pop()
    return hashlib.blake2b("\x1f".join(parts).encode(), digest_size=16).hexdigest()


def _parts(text: str, dialect: Dialect) -> list[str]:
    parts: list[str] = []
    for kind, lexeme in _lexemes(text, dialect):
        if kind in ("comment", "blank"):
            continue
        if kind not in ("string", "number", "dollar"):
            parts.append(lexeme.lower())
        elif parts[-2:] == _QUOTED_QUERY:
            parts.extend(_parts(_content(kind, lexeme), dialect))
        elif lexeme[1:6].lower() == "s3://":
            parts.append(_VARYING.sub("?", lexeme.lower()))
        elif parts[-2:] == ["?", ","]:
            parts.pop()
        else:
            parts.append("?")
    return parts


def _content(kind: str, lexeme: str) -> str:
    """The text within the quotes of a literal."""
    if kind == "dollar":
        tag = lexeme.index("$", 1) + 1
        return lexeme[tag:-tag] if len(lexeme) >= 2 * tag else lexeme[tag:]
    return _ESCAPED.sub(r"\1", lexeme[1:].removesuffix("'").replace("''", "'"))


def mask_literals(text: str, dialect: Dialect) -> str:
    """The text with every string, number and comment masked; quoted names and UNLOAD's quoted query stay."""
    masked: list[str] = []
    before: list[str] = []
    for kind, lexeme in _lexemes(text, dialect):
        quoted_query = before == _QUOTED_QUERY and kind in ("string", "dollar")
        if kind not in ("comment", "blank"):
            before = [*before[-1:], lexeme.lower()]
        if quoted_query:
            inner = mask_literals(_content(kind, lexeme), dialect)
            masked.append(f"$${inner}$$" if "$$" not in inner else "$$?$$")
        elif kind == "comment":
            masked.append("/* ? */" if lexeme.startswith("/*") else "-- ?")
        elif kind == "string":
            masked.append("'?'")
        elif kind == "dollar":
            masked.append("$$?$$")
        elif kind == "number":
            masked.append("?")
        else:
            masked.append(lexeme)
    return "".join(masked)
