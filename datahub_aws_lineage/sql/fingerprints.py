"""Text without its literals: to recognise a statement that runs again, and to keep personal data out of the graph."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Literal, TypeAlias

from datahub_aws_lineage.model.names import Dialect
from datahub_aws_lineage.sql.statement_texts import escapes_matter, pieces

_Grammar: TypeAlias = Literal["redshift", "trino", "hive"]

_BLOCK_COMMENT = r"\*(?:[^*]|\*(?!/))*(?:\*/|\Z)"  # behind its `/`
_COMMENT = rf"--[^\n]*|/{_BLOCK_COMMENT}"
_GAP = rf"(?:\s|--[^\n]*(?:\n|\Z)|/{_BLOCK_COMMENT})*"
"""Blanks and comments; each text is one in no more than one way, so that `re` does not try them all."""

_PLAIN_TEXT, _ESCAPING_TEXT = r"(?:[^']|'')*(?:'|\Z)", r"(?:[^'\\]|''|\\.)*(?:'|\\?\Z)"  # behind the first quote
_PLAIN_NAME, _ESCAPING_NAME = r'(?<=") (?:[^"]|"")*"', r'(?<=") (?:[^"\\]|\\.)*(?:"|\Z)'
_EXPONENT = r"(?:[eE][+-]?\d+)?"


def _lexemes(string: str, name: str) -> re.Pattern[str]:
    """What is more than a word or a sign; `query` is a literal that is itself SQL.

    A set of characters comes first, by which `re` turns down most places at once; what follows looks back at it.
    """
    return re.compile(
        rf"""
        ['"`\-/$0-9.u]
        (?:(?P<comment> (?<=-) -[^\n]* | (?<=/) {_BLOCK_COMMENT})
         | (?P<unload> (?<=u)(?<![\w$\#@]u) nload {_GAP} \( {_GAP})
           (?P<query> '{string} | \$(?P<query_tag>[A-Za-z_]*)\$.*?(?:\$(?P=query_tag)\$|\Z))
         | (?P<string> (?<=') {string})
         | (?P<dollar> (?<=\$) (?P<tag>[A-Za-z_]*)\$.*?(?:\$(?P=tag)\$|\Z))
         | (?P<quoted> {name} | (?<=`) [^`]*`)
         | (?P<number> (?<![\w$\#@][0-9.])
                       (?: (?<=0) x[0-9a-fA-F]+ | (?<=\d) \d*(?:\.\d*)?{_EXPONENT} | (?<=\.) \d+{_EXPONENT} ) (?!\w))
        )
        """,
        re.VERBOSE | re.DOTALL | re.IGNORECASE,
    )


_LEXEMES: Mapping[_Grammar, re.Pattern[str]] = {
    "redshift": _lexemes(_ESCAPING_TEXT, _PLAIN_NAME),
    "trino": _lexemes(_PLAIN_TEXT, _PLAIN_NAME),
    "hive": _lexemes(_ESCAPING_TEXT, _ESCAPING_NAME),
}
"""Backslashes escape in the strings of Redshift, and in the strings and names of Athena's Hive DDL."""

_COMMENTS = re.compile(_COMMENT, re.DOTALL)
_VARYING = re.compile(r"(?<==)[^/']*|\d+")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_PARTS = re.compile(r'"[^"]*"|[\w$#@]+|\S')
_LITERAL_LISTS = re.compile("\\?(?:\x1f,\x1f\\?)+")


def fingerprint(text: str, dialect: Dialect) -> str:
    """32 hex digits, the same for texts that differ only in literals, comments, blanks and the case of words.

    Lists of literals count as one: `IN (1, 2)` and `IN (1, 2, 3)` are the same statement. What names something is no
    such literal: the query in UNLOAD's quotes, and an S3 location, but for its numbers and partitions (`dt=…`).
    """
    parts = _PARTS.findall(_skeleton(text, dialect).lower())
    while parts and parts[-1] == ";":
        parts.pop()
    return hashlib.blake2b(_LITERAL_LISTS.sub("?", "\x1f".join(parts)).encode(), digest_size=16).hexdigest()


def mask_literals(text: str, dialect: Dialect) -> str:
    """The text with every string, number and comment masked; quoted names and UNLOAD's quoted query stay."""

    def masked(match: re.Match[str]) -> str:
        lexeme = match.group()
        match match.lastgroup:
            case "comment":
                return _masked_comment(lexeme)
            case "string":
                return "'?'"
            case "dollar":
                return "$$?$$"
            case "number":
                return "?"
            case "query":
                head = _COMMENTS.sub(lambda comment: _masked_comment(comment.group()), _head(match))
                inner = mask_literals(_content(match["query"]), dialect)
                return f"{head}$${inner}$$" if "$$" not in inner else f"{head}$$?$$"
            case _:
                return lexeme

    return _replaced(text, dialect, masked)


def _skeleton(text: str, dialect: Dialect) -> str:
    """The text with `?` for each literal that names nothing, and without comments."""

    def plain(match: re.Match[str]) -> str:
        lexeme = match.group()
        match match.lastgroup:
            case "comment":
                return " "
            case "query":
                return f"{_COMMENTS.sub(' ', _head(match))} {_skeleton(_content(match['query']), dialect)} "
            case "quoted":
                return lexeme
            case _:
                return _VARYING.sub("?", lexeme) if lexeme[1:6].lower() == "s3://" else "?"

    return _replaced(text, dialect, plain)


def _replaced(text: str, dialect: Dialect, replacement: Callable[[re.Match[str]], str]) -> str:
    return "".join(_LEXEMES[grammar].sub(replacement, part) for part, grammar in _read_by_one_grammar(text, dialect))


def _read_by_one_grammar(text: str, dialect: Dialect) -> Iterator[tuple[str, _Grammar]]:
    if dialect == "redshift":
        yield text, "redshift"
    elif escapes_matter(text):
        yield from ((text[start:end], "hive" if hive else "trino") for start, end, hive in pieces(text))
    else:
        yield text, "trino"


def _head(match: re.Match[str]) -> str:
    """UNLOAD ( as it is written."""
    return match.string[match.start() : match.start("query")]


def _masked_comment(comment: str) -> str:
    return "/* ? */" if comment.startswith("/*") else "-- ?"


def _content(literal: str) -> str:
    """The text within the quotes."""
    if literal.startswith("$"):
        tag = literal.index("$", 1) + 1
        return literal[tag:-tag] if len(literal) >= 2 * tag else literal[tag:]
    return _ESCAPED.sub(r"\1", literal[1:].removesuffix("'").replace("''", "'"))
