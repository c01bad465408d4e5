"""The system-view history, over a warehouse that answers at the wire level."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest
from redshift_samples import Answer, Answerer, Fails, Notes, Row, Warehouse, utc

from datahub_aws_lineage.aws import redshift_sql
from datahub_aws_lineage.aws.redshift_history import PERMISSIONS, SystemViewHistoryReader, probe, slices
from datahub_aws_lineage.errors import AccessDeniedError
from datahub_aws_lineage.model.queries import QueryRecord, SqlContext, TimeWindow

START = utc(2024, 5, 1)
WINDOW = TimeWindow(START, START + timedelta(days=3))
READER = {"user_name": "reader", "superuser": False, "syslog_access": "UNRESTRICTED"}
SUPERUSER = {"user_name": "admin", "superuser": True, "syslog_access": "RESTRICTED"}
USERS = [{"user_id": 100, "user_name": "etl"}, {"user_id": 101, "user_name": "IAMR:bi"}]
CREATE = "create temp table s as select 1 as a"


def row(query_id: int, text: str | None = CREATE, *, sequence: int | None = 0, **other: Any) -> dict[str, Any]:
    started_at = other.pop("start_time", START + timedelta(minutes=query_id))
    return {
        "query_id": query_id,
        "session_id": 1073750220,
        "transaction_id": 9000 + query_id,
        "user_id": 100,
        "database_name": "dev",
        "query_type": "CTAS",
        "status": "success",
        "start_time": started_at,
        "end_time": started_at + timedelta(seconds=2),
        "sequence": sequence,
        "text": text,
        **other,
    }


def history(rows: list[dict[str, Any]]) -> Callable[[Mapping[str, str]], Answer]:
    """Answers a slice with the rows that began in it, as the warehouse does."""

    def answer(parameters: Mapping[str, str]) -> list[Row]:
        start, end = parameters["window_start"], parameters["window_end"]
        return [item for item in rows if start <= f"{item['start_time']:%Y-%m-%d %H:%M:%S.%f}" < end]

    return answer


def warehouse(*rows: dict[str, Any], user: Row = READER, **answers: Any) -> Warehouse:
    known: dict[str, Answerer] = {
        redshift_sql.VISIBILITY: [user],
        redshift_sql.USERS: USERS,
        redshift_sql.RETENTION: [{"oldest": START, "now": START + timedelta(days=3)}],
        redshift_sql.HISTORY: history(list(rows)),
    }
    return Warehouse(known | {getattr(redshift_sql, name): answer for name, answer in answers.items()})


def read(source: Warehouse, notes: Notes, window: TimeWindow = WINDOW, **options: Any) -> list[QueryRecord]:
    return list(SystemViewHistoryReader(source.api(), notes, window, ("dev",), **options).read_queries())


@pytest.fixture
def notes() -> Notes:
    return Notes()


def test_a_record_says_who_ran_what_where_and_when(notes: Notes) -> None:
    (record,) = read(warehouse(row(7, database_name="DEV")), notes)

    assert record == QueryRecord(
        query_id="7",
        text=CREATE,
        context=SqlContext("redshift", "dev", "public", ("$user", "public")),
        started_at=START + timedelta(minutes=7),
        ended_at=START + timedelta(minutes=7, seconds=2),
        source="redshift-data-api",
        actor="etl",
        session=record.session,
        transaction="9007",
        succeeded=True,
        statistics={"query_type": "CTAS"},
    )
    assert notes.counts["redshift statements"] == 1
    assert notes.reasons == {"denied": 1}, "the transaction history is for superusers, and that is said"
    assert not notes.warnings


def test_the_window_is_read_in_slices_by_constant_text(notes: Notes) -> None:
    source = warehouse(row(1), row(2, start_time=START + timedelta(days=2, hours=1)))

    assert [record.query_id for record in read(source, notes)] == ["1", "2"]
    asked = [parameters for text, _, parameters in source.asked if text == redshift_sql.HISTORY]
    assert asked == [
        {"window_start": "2024-05-01 00:00:00.000000", "window_end": "2024-05-02 00:00:00.000000"},
        {"window_start": "2024-05-02 00:00:00.000000", "window_end": "2024-05-03 00:00:00.000000"},
        {"window_start": "2024-05-03 00:00:00.000000", "window_end": "2024-05-04 00:00:00.000000"},
    ]
    assert {database for _, database, _ in source.asked} == {"dev"}


def test_two_runs_ask_the_same_questions_in_the_same_order() -> None:
    first, second = warehouse(row(1)), warehouse(row(1))
    read(first, Notes())
    read(second, Notes())

    assert first.asked == second.asked


def test_a_long_text_is_put_together_across_pages(notes: Notes) -> None:
    text = "insert into t\nselect " + "a, " * 3000 + "b from\nu"
    stored = text.replace("\n", "\\n")
    pieces = [stored[start : start + 4000].rstrip() for start in range(0, len(stored), 4000)]
    source = warehouse(*(row(1, piece, sequence=number) for number, piece in enumerate(pieces)), row(2))

    records = read(source, notes)

    assert len(pieces) == 3
    assert [record.text for record in records] == [text, CREATE]
    assert not records[0].truncated


def test_a_text_with_a_hole_is_marked(notes: Notes) -> None:
    records = read(warehouse(row(1, "select a", sequence=0), row(1, "from t", sequence=2)), notes)

    assert [record.truncated for record in records] == [True]
    assert notes.cuts == [("redshift query", "1: rows of its text are missing")]


def test_what_did_nothing_is_counted(notes: Notes) -> None:
    nothing = {"text": None, "sequence": None}
    rows = [
        row(1, **nothing, status="failed"),
        row(2, **nothing, status="canceled"),
        row(3, **nothing, status="running"),
        row(4, **nothing),
        row(5, database_name="other"),
        row(6),
    ]

    records = read(warehouse(*rows), notes)

    assert [record.query_id for record in records if record.succeeded] == ["6"]
    assert notes.counts["redshift statements"] == 1
    assert notes.reasons == {"failed_statement": 2, "outside_window": 1, "malformed": 1, "filtered": 1, "denied": 1}


@pytest.mark.parametrize("status", ["failed", "canceled"])
def test_a_failed_statement_comes_without_text_to_spoil_its_transaction(notes: Notes, status: str) -> None:
    failed = row(2, text=None, sequence=None, status=status, transaction_id=9001)

    before, found = read(warehouse(row(1), failed), notes)

    assert (found.query_id, found.text, found.succeeded, found.truncated) == ("2", "", False, False)
    assert (found.session, found.transaction) == (before.session, before.transaction)
    assert (found.started_at, found.actor) == (START + timedelta(minutes=2), "etl")
    assert not notes.cuts


def test_one_that_failed_in_a_transaction_known_to_be_rolled_back_has_nothing_to_spoil(notes: Notes) -> None:
    failed = row(2, text=None, sequence=None, status="failed", transaction_id=9001)
    source = warehouse(row(1), failed, row(3), user=SUPERUSER, ROLLED_BACK=[{"transaction_id": 9001}])

    assert [record.query_id for record in read(source, notes)] == ["3"]
    assert notes.reasons == {"rolled_back": 1, "failed_statement": 1}


def test_our_own_statements_are_passed_over(notes: Notes) -> None:
    stored = redshift_sql.HISTORY.replace("\n", "\\n")

    assert read(warehouse(row(1, stored)), notes) == []


def test_everything_a_session_needs_comes_through(notes: Notes) -> None:
    texts = ["BEGIN", "SET search_path TO a, b", "ALTER TABLE x RENAME TO y", "COMMIT", "CALL p()"]
    rows = [row(number, text, query_type="UTILITY") for number, text in enumerate(texts)]

    records = read(warehouse(*rows), notes)

    assert [record.text for record in records] == texts
    assert len({record.session for record in records}) == 1


def test_a_session_id_that_comes_back_later_is_another_session(notes: Notes) -> None:
    later = row(2, start_time=START + timedelta(days=1))
    records = read(warehouse(row(1), later, row(3, user_id=101, start_time=START + timedelta(days=1))), notes)

    assert len({record.session for record in records}) == 3
    assert [record.actor for record in records] == ["etl", "etl", "IAMR:bi"]


def test_rolled_back_transactions_are_left_out_for_a_superuser(notes: Notes) -> None:
    source = warehouse(row(1), row(2), user=SUPERUSER, ROLLED_BACK=[{"transaction_id": 9001}])

    assert [record.query_id for record in read(source, notes)] == ["2"]
    assert notes.skips == [("rolled_back", "redshift query", "1")]
    assert source.times_asked(redshift_sql.ROLLED_BACK) == 3


def test_a_restricted_user_is_told_so(notes: Notes) -> None:
    source = warehouse(user={"user_name": "reader", "superuser": False, "syslog_access": "RESTRICTED"})

    read(source, notes)

    ((title, detail),) = notes.warnings
    assert "own statements only" in title
    assert "ALTER USER reader SYSLOG ACCESS UNRESTRICTED" in detail
    assert source.times_asked(redshift_sql.ROLLED_BACK) == 0


@pytest.mark.parametrize(
    ("oldest", "now", "cut"),
    [
        (START + timedelta(days=2), START + timedelta(days=9), True),
        (START + timedelta(days=2), START + timedelta(days=3), False),  # a young warehouse has no older statements
        (START - timedelta(days=1), START + timedelta(days=9), False),
        (None, START, False),
    ],
)
def test_a_window_older_than_the_history_is_reported(
    notes: Notes, oldest: datetime | None, now: datetime, *, cut: bool
) -> None:
    read(warehouse(RETENTION=[{"oldest": oldest, "now": now}]), notes)

    assert bool(notes.cuts) is cut


def test_days_before_the_history_begins_are_not_asked_for(notes: Notes) -> None:
    late = row(1, start_time=START + timedelta(days=2, hours=2))
    kept = [{"oldest": START + timedelta(days=2, hours=1), "now": START + timedelta(days=3)}]
    source = warehouse(late, RETENTION=kept)

    assert [record.query_id for record in read(source, notes)] == ["1"]
    assert source.times_asked(redshift_sql.HISTORY) == 1


def test_a_slice_above_the_result_limit_is_halved(notes: Notes) -> None:
    rows = [row(1), row(2, start_time=START + timedelta(hours=13))]

    def limited(parameters: Mapping[str, str]) -> Answer:
        found = history(rows)(parameters)
        return found if isinstance(found, Fails) or len(found) < 2 else Fails("Database response exceeded size limit")

    source = warehouse(HISTORY=limited)

    assert [record.query_id for record in read(source, notes)] == ["1", "2"]
    assert source.times_asked(redshift_sql.HISTORY) == 5
    assert not notes.cuts


def test_a_minute_above_the_limit_is_given_up_and_the_rest_goes_on(notes: Notes) -> None:
    def limited(parameters: Mapping[str, str]) -> Answer:
        crowded = parameters["window_start"].startswith("2024-05-01 00:00")
        return Fails("Database response exceeded size limit") if crowded else history([row(2)])(parameters)

    window = TimeWindow(START, START + timedelta(minutes=4))
    records = read(warehouse(HISTORY=limited), notes, window, slice_length=timedelta(minutes=2))

    assert [record.query_id for record in records] == ["2"]
    assert len(notes.cuts) == 1
    assert not notes.failures


def test_a_denied_view_warns_and_names_the_grant(notes: Notes) -> None:
    source = warehouse(HISTORY=Fails("ERROR: permission denied for relation sys_query_text"))

    assert read(source, notes) == []
    ((title, detail),) = notes.warnings
    assert "denied" in title
    assert "SELECT ON sys_query_text" in detail
    assert not notes.failures


def test_any_other_failure_is_a_failure_and_keeps_what_was_read(notes: Notes) -> None:
    def breaks_later(parameters: Mapping[str, str]) -> Answer:
        return history([row(1)])(parameters) if "05-01" in parameters["window_start"] else Fails("ERROR: internal")

    assert [record.query_id for record in read(warehouse(HISTORY=breaks_later), notes)] == ["1"]
    ((title, detail),) = notes.failures
    assert "cannot be read to its end" in title
    assert "ERROR: internal" in detail
    assert not notes.warnings


def test_without_user_names_the_history_is_still_read(notes: Notes) -> None:
    denied = Fails("permission denied for relation pg_user")

    assert [record.actor for record in read(warehouse(row(1), USERS=denied), notes)] == [None]
    assert len(notes.warnings) == 1


def test_a_time_that_cannot_be_read_costs_one_record(notes: Notes) -> None:
    source = warehouse(HISTORY=lambda _: [{**row(1), "start_time": "soon"}, row(2)])

    records = read(source, notes, TimeWindow(START, START + timedelta(days=1)))

    assert [record.query_id for record in records] == ["2"]
    assert notes.reasons["malformed"] == 1


def test_slices_cover_the_window_without_overlap() -> None:
    window = TimeWindow(START, START + timedelta(hours=25))

    assert list(slices(window, timedelta(days=1))) == [
        TimeWindow(START, START + timedelta(days=1)),
        TimeWindow(START + timedelta(days=1), START + timedelta(hours=25)),
    ]


def test_probe_passes_a_denial_on() -> None:
    denied = Warehouse({redshift_sql.PROBE_HISTORY: Fails("permission denied for relation sys_query_history")})

    probe(Warehouse({}).api(), "dev")
    with pytest.raises(AccessDeniedError):
        probe(denied.api(), "dev")
    assert "redshift-data:ExecuteStatement" in PERMISSIONS
