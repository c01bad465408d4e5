"""Where the statements of an Athena text begin and end, where that decides how its quotes are read.

In a string of Hive's DDL a backslash escapes (`'it\\'s'`), in one of Trino's it is a character like any other.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

MAX_TEXT = 262_144
"""Athena's own limit, in bytes. In longer texts, which Athena never runs, a backslash is a character."""

_ESCAPED_QUOTE = re.compile(r"\\['\"]")
_COMMENT = r"--[^\n]*|/\*.*?(?:\*/|\Z)"
_PLAIN_QUOTES = r"""'[^']*(?:'|\Z)|"[^"]*(?:"|\Z)|`[^`]*(?:`|\Z)"""
_ESCAPED_QUOTES = r"""'(?:[^'\\]|\\.)*(?:'|\\?\Z)|"(?:[^"\\]|\\.)*(?:"|\\?\Z)|`[^`]*(?:`|\Z)"""
_TRINO = re.compile(rf"(?:{_COMMENT}|{_PLAIN_QUOTES}|[^;])*", re.DOTALL)
_HIVE = re.compile(rf"(?:{_COMMENT}|{_ESCAPED_QUOTES}|[^;])*", re.DOTALL)
_HIVE_HEAD = re.compile(r"ALTER\s|CREATE\s+(?:EXTERNAL\s|DATABASE\s|SCHEMA\s|(?P<table>TABLE\s))", re.IGNORECASE)
_IGNORED = re.compile(rf"(?:{_COMMENT}|[\s;])*", re.DOTALL)
_QUOTED = re.compile(rf"{_COMMENT}|{_PLAIN_QUOTES}", re.DOTALL)
_AS_QUERY = re.compile(r"\bAS\s*(?:\(|(?:SELECT|TABLE|VALUES|WITH)\b)", re.IGNORECASE)


def escapes_matter(text: str) -> bool:
    return len(text) <= MAX_TEXT and _ESCAPED_QUOTE.search(text) is not None


def pieces(text: str) -> Iterator[tuple[int, int, bool]]:
    """Start and end of each statement, its semicolon included, and whether it is Hive's DDL."""
    position = 0
    while position < len(text):
        start = _end(_IGNORED, text, position)
        plain = _end(_TRINO, text, start)
        hive = _is_hive(text[start:plain])
        end = min(len(text), (_end(_HIVE, text, start) if hive else plain) + 1)
        yield position, end, hive
        position = end


def _end(pattern: re.Pattern[str], text: str, position: int) -> int:
    match = pattern.match(text, position)
    return match.end() if match is not None else position


def _is_hive(statement: str) -> bool:
    """CREATE TABLE is Hive's unless it is made from a query."""
    head = _HIVE_HEAD.match(statement)
    if head is None:
        return False
    return head["table"] is None or _AS_QUERY.search(_QUOTED.sub(" ", statement)) is None
