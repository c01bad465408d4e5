"""Outlines: where the literals and comments of a text lie."""

from __future__ import annotations

import pytest

from datahub_aws_lineage.sql.outlines import outline


@pytest.mark.parametrize(
    ("text", "literals"),
    [
        ("SELECT a FROM t", []),
        ("SELECT 1, 2.5, t1, t.c2, x_3 FROM #4 WHERE a = '5'", ["1", "2.5", "'5'"]),
        ("SELECT \"it's 1\", `2` FROM t WHERE b = 'x\"y'", ["'x\"y'"]),
        ("SELECT 'it''s'", ["'it'", "'s'"]),
        ("-- it's 1\nSELECT /* 2 */ 3", ["-- it's 1", "/* 2 */", "3"]),
        ("SELECT a-1, b/2, 1e5, 0x1f, .5", ["1", "2"]),
    ],
)
def test_literals(text: str, literals: list[str]) -> None:
    found = outline(text)
    assert found is not None
    assert found.literals == literals


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 'a",
        "SELECT 1 /* a",
        "SELECT 1 /* a /* b */ c */",
        r"SELECT 'a\'b'",
        "SELECT $$a$$",
        "SELECT 1; SELECT 2",
    ],
)
def test_what_a_quick_look_could_mistake_has_none(text: str) -> None:
    assert outline(text) is None


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("SELECT a FROM t WHERE b = 1", "SELECT a FROM t WHERE b = 22", True),
        ("SELECT a FROM t WHERE b = 'x'", "SELECT a FROM t WHERE b = 'y and 2'", True),
        ("/* run 1 */ SELECT a", "/* run twelve */ SELECT a", True),
        ("SELECT a FROM t WHERE b = 1", "SELECT a FROM t WHERE b = '1'", False),
        ("SELECT a FROM t WHERE b IN (1, 2)", "SELECT a FROM t WHERE b IN (1)", False),
        ("SELECT a 'x'", "SELECT a /* x */", False),
        ("SELECT a1", "SELECT a2", False),
    ],
)
def test_texts_that_differ_in_values_alone_have_one_outline(one: str, other: str, same: bool) -> None:
    first, second = outline(one), outline(other)
    assert first is not None
    assert second is not None
    assert (first.digest == second.digest) is same


def test_a_place_is_found_again_among_longer_literals() -> None:
    one, other = outline("/* 1 */ SELECT a WHERE b = 1 ;"), outline("/* one */ SELECT a WHERE b = 1000 ;")
    assert one is not None
    assert other is not None
    places = [one.anchor(offset) for offset in (one.text.index("SELECT"), one.text.index(" ;"))]
    assert [other.offset(place) for place in places] == [other.text.index("SELECT"), other.text.index(" ;")]
