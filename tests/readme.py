"""Blocks of the README that the code must bear out: `make golden` writes them anew."""

from __future__ import annotations

import re
from pathlib import Path

from datahub.testing.pytest_hooks import get_golden_settings

README = Path(__file__).parent.parent / "README.md"


def check_block(begin: str, end: str, expected: str) -> None:
    """The text between two comments of the README, `<!-- begin -->` and `<!-- end -->`, is `expected`."""
    text = README.read_text(encoding="utf-8")
    block = re.compile(rf"(?<=<!-- {begin} -->\n).*?(?=<!-- {end} -->)", re.DOTALL)
    found = block.search(text)
    assert found is not None, f"README.md has no block {begin!r}"
    if get_golden_settings().update_golden:
        README.write_text(block.sub(lambda _: expected, text), encoding="utf-8")
    else:
        assert found[0] == expected


def fenced(language: str, text: str) -> str:
    return f"```{language}\n{text.strip(chr(10))}\n```\n"
