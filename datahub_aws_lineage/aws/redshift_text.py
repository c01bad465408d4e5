"""Statement texts and times as Redshift's system views store them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from itertools import pairwise

SYS_ROW_WIDTH = 4000
"""Characters a row of SYS_QUERY_TEXT."""
STL_ROW_WIDTH = 200
"""Characters a row of STL_QUERYTEXT, STL_DDLTEXT, STL_UTILITYTEXT and SVL_STATEMENTTEXT."""

_BROKEN = "\N{REPLACEMENT CHARACTER}"
"""What is left of a character that was cut in two between rows."""
_WIDEST_CHARACTER = 4
"""Bytes, in UTF-8."""

_ESCAPE = re.compile(r"\\(\\|r\\n|n)")
_TIMESTAMP = re.compile(r"(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?\s*(Z|UTC|[+-]\d\d(?::?\d\d)?)?")


def stitch(rows: Sequence[tuple[int, str]], width: int) -> tuple[str, bool]:
    """Joins a statement's `(sequence, text)` rows, in any order; the second value says that rows are missing.

    A row's trailing blanks are lost on the way, so every row but the last is padded back to `width`: without that,
    `GROUP ` + `BY` would become `GROUPBY`.

    >>> stitch([(1, "by x"), (0, "select a, count(*) from t group")], 32)
    ('select a, count(*) from t group by x', False)
    """
    ordered = [text for _, text in sorted(dict(rows).items())]
    missing = sorted(dict(rows)) != list(range(len(ordered)))
    by_bytes = not any(_stored_bytes(text) > width for text in ordered)
    padded = [
        text + " " * _lost_blanks(text, following, width, by_bytes=by_bytes) for text, following in pairwise(ordered)
    ]
    return "".join([*padded, *ordered[-1:]]).rstrip(" "), missing


def _lost_blanks(text: str, following: str, width: int, *, by_bytes: bool) -> int:
    """How many trailing blanks `text` has lost.

    AWS gives the width in characters, and pages differ on whether a CHAR column counts bytes, so both are allowed for:
    a row of multi-byte text that fills the width in bytes is full, unless another row of the statement holds more bytes
    than the width, which only rows counted in characters can.
    """
    free = width - len(text)
    if free <= 0:
        return 0
    # A line end is stored as backslash and n, which are not parted: the row before it can be one short.
    if free == 1 and following.startswith("\\"):
        return 0
    if by_bytes and not text.isascii():
        free_bytes = width - _stored_bytes(text)
        if text.endswith(_BROKEN) or following.startswith(_BROKEN):
            return 0 if free_bytes < _WIDEST_CHARACTER else free
        if free_bytes < len(following[:1].encode()) or free_bytes == 0:
            return 0
    return free


def _stored_bytes(text: str) -> int:
    return len(text.replace(_BROKEN, " ").encode("utf-8", "surrogatepass"))


def restore_line_ends(text: str) -> str:
    r"""Turns the literal `\n` that stands for a line end back into one (r_STL_QUERYTEXT, "Reconstructing stored SQL").

    A backslash that is itself escaped (`\\n`) is the author's and stays. Text that has real line ends was not escaped.
    """
    if "\n" in text:
        return text
    return _ESCAPE.sub(lambda found: found[0] if found[1] == "\\" else "\n", text)


def parse_timestamp(text: str) -> datetime:
    """Parses `2023-04-28 16:44:55.887184`, with T, Z or an offset too; without an offset it is UTC, as Redshift logs.

    Raises ValueError.
    """
    found = _TIMESTAMP.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is not a timestamp such as 2023-04-28 16:44:55.887184")
    day, clock, fraction, zone = found.groups()
    moment = datetime.fromisoformat(f"{day}T{clock}").replace(
        microsecond=int((fraction or "0").ljust(6, "0")[:6]), tzinfo=timezone.utc
    )
    if zone in (None, "Z", "UTC"):
        return moment
    hours, minutes = int(zone[1:3]), int(zone[3:].lstrip(":") or "0")
    offset = timedelta(hours=hours, minutes=minutes)
    return moment - offset if zone[0] == "+" else moment + offset
