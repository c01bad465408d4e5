"""Exported files in every form that is told apart, from real files on disk."""

from __future__ import annotations

import csv
import gzip
import io
import itertools
import json
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from redshift_samples import Notes, utc

from datahub_aws_lineage.aws import redshift_sql
from datahub_aws_lineage.aws.redshift_file import PERMISSIONS, FileHistoryReader, probe
from datahub_aws_lineage.errors import ConfigurationError
from datahub_aws_lineage.model.queries import QueryRecord, SqlContext, TimeWindow

START = utc(2024, 5, 1)
WINDOW = TimeWindow(START, START + timedelta(days=1))
SQL = "insert into t\nselect 'a,b' as x, count(*)\nfrom u group by 1"
Write: TypeAlias = Callable[[str | bytes], Path]


@pytest.fixture
def notes() -> Notes:
    return Notes()


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(content: str | bytes) -> Path:
        path = tmp_path / "export.data"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def table(header: str, *rows: Sequence[Any], delimiter: str = ",") -> str:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter)
    writer.writerow(header.split())
    writer.writerows(rows)
    return text.getvalue()


def read(path: Path, notes: Notes) -> list[QueryRecord]:
    return list(FileHistoryReader(path, notes, WINDOW, database="fallback").read_queries())


def cut(text: str, width: int) -> list[str]:
    stored = text.replace("\n", "\\n")
    return [stored[start : start + width].rstrip() for start in range(0, len(stored), width)]


SYS_HEADER = (
    "query_id session_id transaction_id user_name database_name status start_time end_time sequence text query_type"
)
SYS_START = "2024-05-01 10:00:00.5"


def sys_row(query_id: int, sequence: int, text: str, status: str = "success") -> list[Any]:
    end = "2024-05-01 10:00:01"
    return [query_id, 4711, 99, "etl", "DEV", status, SYS_START, end, sequence, text, "INSERT"]


def test_joined_system_views(write: Write, notes: Notes) -> None:
    (record,) = read(write(table(SYS_HEADER, sys_row(7, 0, SQL.replace("\n", "\\n")))), notes)

    assert record == QueryRecord(
        query_id="7",
        text=SQL,
        context=SqlContext("redshift", "dev", "public", ("$user", "public")),
        started_at=utc(2024, 5, 1, 10, 0, 0, 500000),
        ended_at=utc(2024, 5, 1, 10, 0, 1),
        source="redshift-file",
        actor="etl",
        session=record.session,
        transaction="99",
        succeeded=True,
    )
    assert record.session is not None
    assert notes.untroubled


@pytest.mark.parametrize("width", [200, 4000])
def test_divided_texts_are_put_together(write: Write, notes: Notes, width: int) -> None:
    long = "create table t as\nselect " + "column_a, " * width + "b\nfrom u"
    rows = [sys_row(7, number, piece) for number, piece in enumerate(cut(long, width))]
    rows[0], rows[1] = rows[1], rows[0]

    records = read(write(table(SYS_HEADER, *rows, sys_row(8, 0, "select 1"), sys_row(9, 0, "select 2"))), notes)

    assert [record.text for record in records] == [long, "select 1", "select 2"]
    assert notes.untroubled


def test_svl_statementtext_has_no_query_id(write: Write, notes: Notes) -> None:
    header = "userid xid pid label starttime endtime sequence type text"
    long = "select " + "a, " * 100 + "b from t"
    rows = [
        [100, 5, 31, "default", "2024-05-01 01:00:00", "", number, "QUERY", piece.ljust(200)]
        for number, piece in enumerate(cut(long, 200))
    ]
    rows += [
        [100, 5, 31, "default", "2024-05-01 01:00:00", "", 0, "UTILITY", "COMMIT".ljust(200)],
        [1, 6, 32, "default", "2024-05-01 01:00:01", "", 0, "UTILITY", "SELECT 1"],
    ]

    records = read(write(table(header, *rows)), notes)

    assert [record.text for record in records] == [long, "COMMIT"]
    assert records[0].actor == "100"
    assert records[0].context.default_catalog == "fallback"
    assert records[0].session == records[1].session
    assert notes.counts["redshift internal statements"] == 1


def test_stl_querytext_alone_has_no_time(write: Write, notes: Notes) -> None:
    rows = [[100, 5, 31, 1, 0, "create temp table s as select 1"], [100, 5, 31, 2, 0, "insert into t select * from s"]]

    first, second = read(write(table("userid xid pid query sequence text", *rows)), notes)

    assert (first.query_id, second.query_id) == ("1", "2")
    assert first.started_at < second.started_at
    assert first.started_at == WINDOW.start
    assert first.succeeded is None
    ((title, detail),) = notes.warnings
    assert title == "Redshift statements without a start time"
    assert "2 are taken" in detail


def test_query_histories_that_cut_their_text(write: Write, notes: Notes) -> None:
    header = "query_id status start_time query_text"
    long = ("select a,\\n" * 500)[:4000]
    rows = [[1, "success", SYS_START, long], [2, "success", SYS_START, "select 1\\nfrom t"]]

    first, second = read(write(table(header, *rows)), notes)

    assert (first.truncated, second.truncated) == (True, False)
    assert second.text == "select 1\nfrom t"
    assert len(notes.cuts) == 1


def test_stl_query_says_what_was_aborted(write: Write, notes: Notes) -> None:
    header = "query starttime querytxt aborted"
    rows = [[1, SYS_START, "select 1", 0], [2, SYS_START, "select 2", 1]]

    (record,) = read(write(table(header, *rows)), notes)

    assert (record.query_id, record.succeeded) == ("1", True)
    assert notes.reasons == {"failed_statement": 1}


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_a_simple_file_in_any_usual_delimiter(write: Write, notes: Notes, delimiter: str) -> None:
    rows = [[SQL, "dev", "bi", "2024-05-01T12:00:00+02:00"], ["select '\\n'", "", "", ""]]

    first, second = read(write(table("SQL Database User Time", *rows, delimiter=delimiter)), notes)

    assert (first.text, first.actor, first.started_at) == (SQL, "bi", utc(2024, 5, 1, 10))
    assert first.session is None, "without a session column nothing says what shares temporary tables"
    assert (second.text, second.actor, second.context.default_catalog) == ("select '\\n'", None, "fallback")
    assert second.query_id == "export.data#2"


def test_a_file_of_nothing_but_sql(write: Write, notes: Notes) -> None:
    assert [record.text for record in read(write('query\n"select 1, 2"\n\n"select 3"\n'), notes)] == [
        "select 1, 2",
        "select 3",
    ]


def test_json_lines(write: Write, notes: Notes) -> None:
    rows: list[Any] = [
        {"query": SQL, "start_time": "2024-05-01T01:00:00Z", "session_id": 5, "transaction_id": None},
        {"sql": "select 2", "time": "2024-05-01 02:00:00"},
        {"query": "select 3", "status": "FAILED"},
        ["no object"],
    ]
    lines = "\n".join(json.dumps(row) for row in rows) + "\n\n{broken\n"

    first, second = read(write(lines), notes)

    assert (first.text, first.transaction, first.succeeded) == (SQL, None, None)
    assert second.started_at == utc(2024, 5, 1, 2)
    assert notes.reasons == {"failed_statement": 1, "malformed": 2}


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_an_audit_log(write: Write, notes: Notes, pack: Callable[[bytes], bytes]) -> None:
    log = f"'2024-05-01T01:00:00Z UTC [ db=dev user=etl pid=1 userid=100 xid=2 ]' LOG: {SQL}\n"

    (record,) = read(write(pack(log.encode())), notes)

    assert (record.text, record.source, record.query_id) == (SQL, "redshift-file", "export.data#1")
    assert record.succeeded is None


def test_gzip_bom_and_dos_line_ends(write: Write, notes: Notes) -> None:
    content = "\ufeffsql,start_time\r\nselect 1,2024-05-01 01:00:00\r\n"

    assert [record.text for record in read(write(gzip.compress(content.encode())), notes)] == ["select 1"]


def test_one_bad_row_costs_itself_alone(write: Write, notes: Notes) -> None:
    rows = [
        ["select 1", "2024-05-01 01:00:00"],
        ["select 2"],
        ["select 3", "tomorrow"],
        ["select 4", "2024-04-30 23:59:59"],
        [redshift_sql.HISTORY, "2024-05-01 01:00:00"],
        ["", "2024-05-01 01:00:00"],
        ["select 5", "2024-05-01 01:00:00"],
    ]

    assert [record.text for record in read(write(table("sql start_time", *rows)), notes)] == ["select 1", "select 5"]
    assert notes.reasons == {"malformed": 2, "outside_window": 1}


def test_a_sequence_that_is_no_number_or_has_holes(write: Write, notes: Notes) -> None:
    rows = [[1, "x", "select 1"], [2, 1, "from t"], [3, 0, "select 3"]]

    records = read(write(table("query_id sequence text", *rows)), notes)

    assert [(record.query_id, record.truncated) for record in records] == [("2", True), ("3", False)]
    assert notes.reasons == {"malformed": 1}


def test_statements_that_have_not_ended(write: Write, notes: Notes) -> None:
    assert read(write(table(SYS_HEADER, sys_row(1, 0, "select 1", status="running"))), notes) == []
    assert notes.reasons == {"outside_window": 1}


def test_statements_as_long_as_redshift_allows(write: Write, notes: Notes) -> None:
    long = "select '" + "x" * 1_000_000 + "'"

    assert [record.text for record in read(write(table("sql", [long])), notes)] == [long]


def test_a_file_that_breaks_off_is_a_failure(write: Write, notes: Notes) -> None:
    rows = [[f"select {number * 7919}"] for number in range(5000)]
    whole = gzip.compress(table("sql", *rows).encode())

    records = read(write(whole[: len(whole) // 2]), notes)

    assert len(records) > 100
    assert len(notes.failures) == 1


def test_unknown_columns_are_named_with_those_that_are_needed(write: Write, notes: Notes) -> None:
    path = write(table("id body", [1, "select 1"]))

    for act in (lambda: read(path, notes), lambda: probe(path)):
        with pytest.raises(ConfigurationError, match=r"Found: id, body\. Needed: one of text, query_text"):
            act()


def test_a_file_that_is_not_there(tmp_path: Path, notes: Notes) -> None:
    for act in (lambda: read(tmp_path / "none.csv", notes), lambda: probe(tmp_path / "none.csv")):
        with pytest.raises(ConfigurationError, match=r"none\.csv: cannot be read: No such file"):
            act()


@pytest.mark.parametrize("content", ["", "\n\n"])
def test_an_empty_file_has_no_columns(write: Write, content: str) -> None:
    with pytest.raises(ConfigurationError, match="Found: none"):
        probe(write(content))


def test_probe_accepts_each_form_and_needs_no_permission(write: Write) -> None:
    probe(write("sql\nselect 1\n"))
    probe(write('{"sql": "select 1"}\n'))
    probe(write("'2024-05-01T01:00:00Z UTC [ db=d user=u pid=1 userid=100 xid=2 ]' LOG: x\n"))
    with pytest.raises(ConfigurationError, match="cannot be read"):
        probe(write(gzip.compress(b"sql\nselect 1\n" * 1000)[:10]))
    assert PERMISSIONS == ()


STORY = ["create temp table s as select a from x", "insert into t select a from s", "drop table s"]
SECONDS = "sql start_time session_id transaction_id status"
SECOND = "2024-05-01 10:00:00"


@pytest.mark.parametrize("status", ["failed", "Canceled"])
def test_a_failed_statement_comes_without_text_to_spoil_its_transaction(
    write: Write, notes: Notes, status: str
) -> None:
    rows = [["begin", SECOND, 5, 9, "success"], ["insert into t select 1/0", SECOND, 5, 9, status]]

    before, failed = read(write(table(SECONDS, *rows)), notes)

    assert (failed.text, failed.succeeded, failed.truncated) == ("", False, False)
    assert (failed.session, failed.transaction) == (before.session, before.transaction)
    assert notes.counts["redshift statements"] == 1
    assert notes.reasons == {"failed_statement": 1}


def test_a_failed_statement_needs_no_text_to_come_through(write: Write, notes: Notes) -> None:
    (failed,) = read(write(table(SYS_HEADER, [7, 5, 9, "etl", "dev", "failed", SECOND, "", "", "", "OTHER"])), notes)

    assert (failed.query_id, failed.succeeded) == ("7", False)
    assert notes.reasons == {"failed_statement": 1}


def test_a_failed_statement_without_a_session_spoils_nothing(write: Write, notes: Notes) -> None:
    assert read(write(table(SECONDS, ["select 1/0", SECOND, "", 9, "failed"])), notes) == []
    assert notes.reasons == {"failed_statement": 1}


def sessions_of(path: Path) -> dict[str, str | None]:
    reader = FileHistoryReader(path, Notes(), TimeWindow(START, START + timedelta(days=9)), database="dev")
    return {record.query_id: record.session for record in reader.read_queries()}


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_sessions_do_not_depend_on_the_order_of_the_file(write: Write, order: tuple[int, ...]) -> None:
    """Process 5 is silent for a day; before that, one statement of three hours keeps its session open."""
    rows = [
        [1, "select 1", "2024-05-01 00:00:00", "2024-05-01 03:00:00", 5],
        [2, "select 2", "2024-05-01 06:00:00", "2024-05-01 06:00:01", 5],
        [3, "select 3", "2024-05-01 09:00:00", "2024-05-01 09:00:01", 5],
        [4, "select 4", "2024-05-02 12:00:00", "2024-05-02 12:00:01", 5],
    ]

    sessions = sessions_of(write(table("query_id sql start_time end_time pid", *(rows[place] for place in order))))

    assert sessions == {
        **dict.fromkeys("123", "dev::5@20240501T000000.000000"),
        "4": "dev::5@20240502T120000.000000",
    }


def test_newest_first_within_one_second(write: Write, notes: Notes) -> None:
    later = ["select 1", "2024-05-01 10:00:01", 5, 9, "success"]
    rows = [later, *([text, SECOND, 5, 9, "success"] for text in reversed(STORY))]

    assert [record.text for record in read(write(table(SECONDS, *rows)), notes)] == ["select 1", *STORY]


def test_oldest_first_within_one_second(write: Write, notes: Notes) -> None:
    rows = [[text, SECOND, 5, 9, "success"] for text in STORY]
    later = ["select 1", "2024-05-01 10:00:01", 5, 9, "success"]

    assert [record.text for record in read(write(table(SECONDS, *rows, later)), notes)] == [*STORY, "select 1"]


@pytest.mark.parametrize("ids", [(8, 9, 10), (10, 9, 8)])
def test_newest_first_with_ids_that_say_what_ran_first(write: Write, notes: Notes, ids: tuple[int, ...]) -> None:
    texts = dict(zip((8, 9, 10), STORY, strict=True))
    rows = [[11, "select 1", "2024-05-01 10:00:01"], *([number, texts[number], SECOND] for number in ids)]

    records = read(write(table("query_id sql start_time", *rows)), notes)

    assert [record.text for record in records] == ["select 1", *STORY]


def test_newest_first_with_ids_that_number_the_rows(write: Write, notes: Notes) -> None:
    rows = [["select 1", "2024-05-01 10:00:01"], *([text, SECOND] for text in reversed(STORY))]
    rows.append(["select 0", "2024-05-01 09:00:00"])

    records = read(write(table("query_id sql start_time", *([n, *row] for n, row in enumerate(rows)))), notes)

    assert [record.text for record in records] == ["select 1", *STORY, "select 0"]


def test_damage_costs_nothing_of_the_second_before_it(write: Write, notes: Notes) -> None:
    rows = [["select 1", "2024-05-01 10:00:01"], *([text, SECOND] for text in reversed(STORY))]
    whole = gzip.compress(table("sql time", *rows, ["select 'the last row'", "2024-05-01 09:00:00"]).encode())

    records = read(write(whole[:-8]), notes)

    assert [record.text for record in records] == ["select 1", *STORY]
    assert len(notes.failures) == 1
