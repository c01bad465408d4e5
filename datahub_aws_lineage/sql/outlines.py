"""A text's outline: what is left when its literals and comments are cut out. Found in one quick pass.

Texts of one outline have the same tokens at the same places but for the values of literals, so what was learned of one
(`sql.repeats`) holds for the other wherever those values do not matter.

>>> outline("SELECT a FROM t WHERE d = '2026-01-31' AND n < 5").literals
["'2026-01-31'", '5']
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import blake2b

_CUT = re.compile(
    r"""
    ['"`0-9/-]  # most places are turned down by this set alone
    (?: (?<=') [^']*(?:'|\Z)
      | (?<=") [^"]*(?:"|\Z)
      | (?<=`) [^`]*(?:`|\Z)
      | (?<=-) -[^\n]*
      | (?<=/) \*(?:[^*]|\*(?!/))*(?:\*/|\Z)
      | (?<![\w.$\#@][0-9]) (?<=[0-9]) [0-9]*(?:\.[0-9]+)?(?![\w.$\#@])
    )
    """,
    re.VERBOSE,
)
_UNSAFE = re.compile(r"\\|\$\w*\$|;(?=\s*[^\s;])")
"""What could make a quote or a statement begin elsewhere: escapes, dollar quotes, a second statement."""


@dataclass(frozen=True, slots=True)
class Outline:
    """`spans` are the start and end of each literal or comment; `digest` is of what stands around them."""

    text: str
    spans: list[tuple[int, int]]
    digest: bytes

    @property
    def literals(self) -> list[str]:
        return [self.text[start:end] for start, end in self.spans]

    def literal(self, index: int) -> str:
        start, end = self.spans[index]
        return self.text[start:end]

    def anchor(self, offset: int) -> tuple[int, int]:
        """A place of the text as (literals that end before it, characters behind the last of these)."""
        before = 0
        while before < len(self.spans) and self.spans[before][1] <= offset:
            before += 1
        return before, offset - (self.spans[before - 1][1] if before else 0)

    def offset(self, anchor: tuple[int, int]) -> int:
        before, behind = anchor
        return behind + (self.spans[before - 1][1] if before else 0)


def outline(text: str) -> Outline | None:
    """None for a text that this quick pass could mistake, and for one with quotes or comments that are left open."""
    if _UNSAFE.search(text) is not None:
        return None
    spans: list[tuple[int, int]] = []
    parts: list[str] = []
    end = 0
    for match in _CUT.finditer(text):
        start, next_end = match.span()
        first = text[start]
        if first in '"`':
            continue
        if not _is_whole(text, first, start, next_end):
            return None
        parts.append(text[end:start])
        parts.append(first if first in "'-/" else "0")
        spans.append((start, next_end))
        end = next_end
    parts.append(text[end:])
    digest = blake2b("\0".join(parts).encode("utf-8", "surrogatepass"), digest_size=16).digest()
    return Outline(text, spans, digest)


def _is_whole(text: str, first: str, start: int, end: int) -> bool:
    """Whether a string is closed, and a comment too, which in Redshift can have others within."""
    if first == "'":
        return end - start > 1 and text[end - 1] == "'"
    if first == "/":
        return end - start > 3 and text.endswith("*/", start, end) and "/*" not in text[start + 2 : end]
    return True
