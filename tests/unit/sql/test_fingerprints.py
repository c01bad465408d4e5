"""Texts that are the same statement, and texts without their literals."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datahub_aws_lineage.model.names import Dialect
from datahub_aws_lineage.sql import fingerprint, mask_literals


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("SELECT a FROM t WHERE b = 1", "select  A\nfrom T where B = 20.5e3"),
        ("SELECT a FROM t WHERE b = 'x'", "SELECT a /* why */ FROM t WHERE b = 'it''s' -- so"),
        ("SELECT a FROM t WHERE b IN (1, 2)", "SELECT a FROM t WHERE b IN (7)"),
        ("SELECT a FROM t;", "SELECT a FROM t"),
        ("COPY t FROM 's3://lake/in/dt=2026-01-01/'", "COPY t FROM 's3://lake/in/dt=2026-01-02/'"),
        ("UNLOAD ('SELECT a WHERE b = ''x''') TO 's3://b/1/'", "UNLOAD ('select a where b = 5') TO 's3://b/2/'"),
    ],
)
def test_literals_comments_case_and_blanks_make_no_other_statement(one: str, other: str) -> None:
    assert fingerprint(one, "athena") == fingerprint(other, "athena")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("SELECT a FROM t", "SELECT b FROM t"),
        ("SELECT a FROM t1", "SELECT a FROM t2"),
        ("SELECT ab FROM t", "SELECT a b FROM t"),
        ('SELECT "a b" FROM t', 'SELECT "a", b FROM t'),
        ("UNLOAD ('SELECT a FROM p') TO 's3://b/one/'", "UNLOAD ('SELECT b FROM q') TO 's3://b/one/'"),
        ("UNLOAD (/* 1 */ 'SELECT a FROM p') TO 's3://b/'", "UNLOAD (/* 2 */ 'SELECT b FROM q') TO 's3://b/'"),
        ("COPY t FROM 's3://lake/in/'", "COPY t FROM 's3://lake/other/'"),
    ],
)
def test_other_names_make_another_statement(one: str, other: str) -> None:
    assert fingerprint(one, "redshift") != fingerprint(other, "redshift")


@pytest.mark.parametrize(
    ("text", "dialect", "masked"),
    [
        ("SELECT 'x', 1.5, a1 FROM \"t 1\"", "athena", "SELECT '?', ?, a1 FROM \"t 1\""),
        ("SELECT 'it''s' -- Ann's", "athena", "SELECT '?' -- ?"),
        (r"SELECT 'a\' || 'b'", "athena", "SELECT '?' || '?'"),
        (r"SELECT 'a\'b', 2", "redshift", "SELECT '?', ?"),
        ("SELECT $$x$$", "redshift", "SELECT $$?$$"),
        ("UNLOAD ($$ SELECT 'x' $$) TO 's3://b/p'", "redshift", "UNLOAD ($$ SELECT '?' $$) TO '?'"),
        ("UNLOAD ('SELECT a WHERE b = ''x''') TO 's3://b'", "redshift", "UNLOAD ($$SELECT a WHERE b = '?'$$) TO '?'"),
        ("SELECT 'never closed", "redshift", "SELECT '?'"),
        ("SELECT '$$never closed\\", "redshift", "SELECT '?'"),
        ("UNLOAD /* Ann */ ( -- Ann\n 'SELECT 1') TO 'x'", "redshift", "UNLOAD /* ? */ ( -- ?\n $$SELECT ?$$) TO '?'"),
        (
            r"""ALTER TABLE t SET TBLPROPERTIES ('a' = 'Ann\'s', "q" = "\"", 'b' = 'x'); SELECT '\' || 'b'""",
            "athena",
            r"""ALTER TABLE t SET TBLPROPERTIES ('?' = '?', "q" = "\"", '?' = '?'); SELECT '?' || '?'""",
        ),
    ],
)
def test_no_literal_and_no_comment_is_left(text: str, dialect: Dialect, masked: str) -> None:
    assert mask_literals(text, dialect) == masked


@given(st.text(alphabet="ab1' \"-\\$;/*\n.`", max_size=60), st.sampled_from(["athena", "redshift"]))
def test_masking_ends_and_twice_is_once(text: str, dialect: Dialect) -> None:
    masked = mask_literals(text, dialect)
    assert mask_literals(masked, dialect) == masked


@pytest.mark.parametrize("gap", ["/* */ ", "-- ", "-- \n", "/* ", " ", "\n--"])
def test_comments_behind_unload_take_no_time(gap: str) -> None:
    """They would be tried in every combination if they could be told apart in several ways."""
    text = "UNLOAD " + gap * 20_000
    assert mask_literals(text, "redshift").startswith("UNLOAD")
    assert fingerprint(text, "redshift") == fingerprint("UNLOAD", "redshift")


@given(st.text(alphabet="xyz", min_size=6, max_size=12), st.sampled_from(["athena", "redshift"]))
def test_a_literal_never_survives(secret: str, dialect: Dialect) -> None:
    text = f"INSERT INTO t SELECT a, '{secret}' FROM s WHERE b = '{secret}' /* {secret} */ -- {secret}"
    assert secret not in mask_literals(text, dialect)
