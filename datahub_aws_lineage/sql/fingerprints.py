"""Text without its literals: to recognise a statement that runs again, and to keep personal data out of the graph."""

from __future__ import annotations

import hashlib
import re

from datahub_aws_lineage.model.names import Dialect

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
_ATHENA_STRING = re.compile(r"'(?:[^']|'')*(?:'|\Z)", re.DOTALL)


def _lexemes(text: str, dialect: Dialect) -> list[tuple[str, str]]:
    """(kind, text) of each lexeme. Backslashes escape in Redshift's strings only."""
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
        if kind == "string" and dialect == "athena":
            plain = _ATHENA_STRING.match(text, position)
            lexeme = plain.group(0) if plain else lexeme
        found.append((kind, lexeme))
        position += len(lexeme)
    return found


def fingerprint(text: str, dialect: Dialect) -> str:
    """32 hex digits, the same for texts that differ only in literals, comments, blanks and the case of words.

    Lists of literals count as one: `IN (1, 2)` and `IN (1, 2, 3)` are the same statement.
    """
    parts: list[str] = []
    for kind, lexeme in _lexemes(text, dialect):
        if kind in ("comment", "blank"):
            continue
        if kind in ("string", "number", "dollar"):
            if parts[-2:] == ["?", ","]:
                parts.pop()
                continue
            parts.append("?")
        else:
            parts.append(lexeme.lower())
    while parts and parts[-1] == ";":
        parts.pop()
    return hashlib.blake2b("\x1f".join(parts).encode(), digest_size=16).hexdigest()


def mask_literals(text: str, dialect: Dialect) -> str:
    """The text with every string, number and comment masked; quoted names stay."""
    masked: list[str] = []
    for kind, lexeme in _lexemes(text, dialect):
        if kind == "comment":
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
