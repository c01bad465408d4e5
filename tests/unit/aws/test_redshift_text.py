"""Texts that a system view has cut into rows come back as they were."""

from __future__ import annotations

import doctest
import random
from datetime import datetime, timedelta, timezone
from itertools import pairwise
from types import ModuleType

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from redshift_samples import utc

from datahub_aws_lineage.aws import redshift_audit_log, redshift_mounts, redshift_sessions, redshift_text
from datahub_aws_lineage.aws.redshift_sessions import SessionNames, session_context
from datahub_aws_lineage.aws.redshift_text import (
    STL_ROW_WIDTH,
    SYS_ROW_WIDTH,
    parse_timestamp,
    restore_line_ends,
    stitch,
)

ASCII_SQL = st.text(alphabet="ab ,'\n;", max_size=120)
WIDE_SQL = st.text(alphabet="aé漢😀  ", max_size=80)


def cut_by_characters(text: str, width: int) -> list[tuple[int, str]]:
    """Rows as a system view gives them when its width counts characters."""
    pieces = [text[start : start + width].rstrip(" ") for start in range(0, len(text), width)]
    return list(enumerate(pieces or [""]))


def cut_by_bytes(text: str, width: int) -> list[tuple[int, str]]:
    """Rows where the width counts bytes: a character that no longer fits goes to the next row."""
    pieces, row = [], ""
    for character in text:
        if len((row + character).encode()) > width:
            pieces.append(row)
            row = ""
        row += character
    return list(enumerate(piece.rstrip(" ") for piece in [*pieces, row]))


@given(text=ASCII_SQL, width=st.integers(min_value=1, max_value=16), seed=st.randoms())
def test_plain_text_comes_back_whole_in_whatever_order(text: str, width: int, seed: random.Random) -> None:
    rows = cut_by_characters(text, width)
    seed.shuffle(rows)

    assert stitch(rows, width) == (text.rstrip(" "), False)


@pytest.mark.parametrize("width", [STL_ROW_WIDTH, SYS_ROW_WIDTH])
def test_a_blank_that_falls_on_a_row_end_stays(width: int) -> None:
    text = "x" * (width - 1) + " group by " + "y" * width + "z"

    assert stitch(cut_by_characters(text, width), width) == (text, False)


@given(text=WIDE_SQL, width=st.integers(min_value=8, max_value=16))
def test_wide_text_counted_in_characters_comes_back_whole(text: str, width: int) -> None:
    rows = cut_by_characters(text, width)
    assume(any(len(row.encode()) > width for _, row in rows))

    assert stitch(rows, width) == (text.rstrip(" "), False)


@given(text=WIDE_SQL, width=st.integers(min_value=8, max_value=16))
def test_wide_text_counted_in_bytes_keeps_its_words(text: str, width: int) -> None:
    rows = cut_by_bytes(text, width)
    # A row that is a byte short before a wide character looks the same whether a blank was lost there or not.
    for (_, row), (_, following) in pairwise(rows):
        free = width - len(row.encode())
        assume(free == 0 or free >= len(following[:1].encode()) or not text.count(row + " "))

    assert [word for word in stitch(rows, width)[0].split(" ") if word] == [word for word in text.split(" ") if word]


def test_a_character_broken_between_rows_does_not_part_the_word() -> None:
    rows = [(0, "aaaaaaa\N{REPLACEMENT CHARACTER}"), (1, "\N{REPLACEMENT CHARACTER}bb")]

    assert stitch(rows, 8) == ("aaaaaaa\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}bb", False)


def test_a_line_end_that_did_not_fit_leaves_no_blank() -> None:
    # As AWS's page on STL_QUERYTEXT shows it: the first row is 199 characters long.
    rows = [(0, "select 1"), (1, "\\nfrom t")]

    assert stitch(rows, 9) == ("select 1\\nfrom t", False)


@pytest.mark.parametrize("rows", [[(1, "b")], [(0, "a"), (2, "c")]])
def test_missing_rows_are_told(rows: list[tuple[int, str]]) -> None:
    assert stitch(rows, 1)[1] is True


def test_a_row_that_comes_twice_counts_once() -> None:
    assert stitch([(0, "ab"), (1, "c"), (0, "ab")], 2) == ("abc", False)


@pytest.mark.parametrize(
    ("stored", "text"),
    [
        (r"select 1\nfrom t", "select 1\nfrom t"),
        (r"select 1 -- why\r\nfrom t", "select 1 -- why\nfrom t"),
        (r"select '\\n' \n", "select '\\\\n' \n"),
        (r"select '\\\\' \\\n", "select '\\\\\\\\' \\\\\n"),
        (r"select '\d'", r"select '\d'"),
        ("select '\\n'\nfrom t", "select '\\n'\nfrom t"),
    ],
)
def test_literal_line_ends_become_line_ends(stored: str, text: str) -> None:
    assert restore_line_ends(stored) == text


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2023-04-28 16:44:55.887184", utc(2023, 4, 28, 16, 44, 55, 887184)),
        ("2022-02-15 19:03:19.67849", utc(2022, 2, 15, 19, 3, 19, 678490)),
        (" 2022-02-15 19:03:19 ", utc(2022, 2, 15, 19, 3, 19)),
        ("2020-12-08T22:00:03Z", utc(2020, 12, 8, 22, 0, 3)),
        ("2020-12-08 22:00:03 UTC", utc(2020, 12, 8, 22, 0, 3)),
        ("2020-12-08 22:00:03+00", utc(2020, 12, 8, 22, 0, 3)),
        ("2020-12-08T22:00:03+05:30", utc(2020, 12, 8, 16, 30, 3)),
        ("2020-12-08T22:00:03-0130", utc(2020, 12, 8, 23, 30, 3)),
        ("2020-12-08 22:00:03.123456789", utc(2020, 12, 8, 22, 0, 3, 123456)),
    ],
)
def test_timestamps_as_redshift_and_exports_write_them(text: str, moment: datetime) -> None:
    parsed = parse_timestamp(text)

    assert parsed == moment
    assert parsed.tzinfo is timezone.utc


@pytest.mark.parametrize("text", ["", "yesterday", "2020-13-01 00:00:00", "2020-12-08", "2020-12-08 25:00:00"])
def test_what_is_no_timestamp_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"timestamp|month|hour"):
        parse_timestamp(text)


KEY = ("dev", "etl", "685")
NOON = utc(2024, 5, 1, 12)


def test_a_process_id_that_falls_silent_starts_a_new_session() -> None:
    names = SessionNames(timedelta(hours=4))
    first = names.name(KEY, NOON)

    assert names.name(KEY, NOON + timedelta(hours=4)) == first
    assert names.name(KEY, NOON + timedelta(hours=8, seconds=1)) != first
    assert names.name(("dev", "etl", "686"), NOON) != first


def test_a_long_statement_keeps_its_session_open() -> None:
    names = SessionNames(timedelta(hours=4))
    first = names.name(KEY, NOON, NOON + timedelta(hours=6))

    assert names.name(KEY, NOON + timedelta(hours=9)) == first


def test_old_sessions_are_forgotten_without_a_name_given_twice() -> None:
    names = SessionNames(timedelta(hours=4))
    seen = {names.name(("dev", "etl", str(pid)), NOON + timedelta(minutes=pid)) for pid in range(10_200)}
    later = NOON + timedelta(minutes=10_200)

    assert len(seen) == 10_200
    assert names.name(("dev", "etl", "0"), later) not in seen


def test_a_session_begins_with_the_default_search_path() -> None:
    context = session_context("DEV")

    assert (context.dialect, context.default_catalog, context.default_database) == ("redshift", "dev", "public")
    assert context.search_path == ("$user", "public")


@pytest.mark.parametrize("module", [redshift_audit_log, redshift_mounts, redshift_sessions, redshift_text])
def test_examples_in_docstrings_hold(module: ModuleType) -> None:
    results = doctest.testmod(module)

    assert results.attempted > 0
    assert results.failed == 0
