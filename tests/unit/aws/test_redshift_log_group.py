"""The user-activity log in CloudWatch Logs: real events in moto's log groups."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from botocore.stub import Stubber
from freezegun import freeze_time
from moto import mock_aws
from redshift_samples import Notes, test_session, utc

from datahub_aws_lineage.aws import redshift_sql
from datahub_aws_lineage.aws.clients import Clients
from datahub_aws_lineage.aws.redshift_log_group import LATENESS, PERMISSIONS, LogGroupHistoryReader, probe
from datahub_aws_lineage.errors import AccessDeniedError, NotFoundError
from datahub_aws_lineage.model.queries import QueryRecord, SqlContext, TimeWindow

GROUP = "/aws/redshift/studio/useractivitylog"
DAY = utc(2024, 5, 2)
HOUR = timedelta(hours=1)
WINDOW = TimeWindow(DAY, DAY + timedelta(days=1))


def line(sql: str, *, at: datetime = DAY + HOUR, user: str = "etl", pid: int = 685) -> str:
    user_id = 1 if user == "rdsdb" else 100
    return f"'{at:%Y-%m-%dT%H:%M:%SZ} UTC [ db=dev user={user} pid={pid} userid={user_id} xid=7 ]' LOG: {sql}"


@pytest.fixture
def clients() -> Iterator[Clients]:
    with freeze_time(DAY + timedelta(days=2)), mock_aws():
        clients = Clients(test_session())
        clients.client("logs").create_log_group(logGroupName=GROUP)
        yield clients


@pytest.fixture
def notes() -> Notes:
    return Notes()


def put(clients: Clients, *messages: str, stream: str = "studio", at: datetime = DAY + HOUR) -> None:
    client = clients.client("logs")
    if not client.describe_log_streams(logGroupName=GROUP, logStreamNamePrefix=stream)["logStreams"]:
        client.create_log_stream(logGroupName=GROUP, logStreamName=stream)
    events = [{"timestamp": int(at.timestamp() * 1000), "message": message} for message in messages]
    client.put_log_events(logGroupName=GROUP, logStreamName=stream, logEvents=events)


def read(clients: Clients, notes: Notes, pause: Callable[[], None] = lambda: None) -> list[QueryRecord]:
    return list(LogGroupHistoryReader(clients, notes, WINDOW, GROUP, pause=pause).read_queries())


def texts(records: list[QueryRecord]) -> list[str]:
    return [record.text for record in records]


def test_a_record_says_who_ran_what_where_and_when(clients: Clients, notes: Notes) -> None:
    put(clients, line("insert into t\n  select a from s;"))

    (record,) = read(clients, notes)

    assert record.query_id.startswith("studio/")
    assert record == QueryRecord(
        query_id=record.query_id,
        text="insert into t\n  select a from s;",
        context=SqlContext("redshift", "dev", "public", ("$user", "public")),
        started_at=DAY + HOUR,
        source="redshift-cloudwatch-logs",
        actor="etl",
        session=record.session,
        transaction=f"{GROUP}:studio:7",
        succeeded=None,
    )
    assert notes.untroubled
    assert notes.counts["redshift statements"] == 1


def test_a_statement_may_go_on_in_further_events(clients: Clients, notes: Notes) -> None:
    put(clients, line("insert into t"), "  select a", "  from s", line("commit"))

    assert texts(read(clients, notes)) == ["insert into t\n  select a\n  from s", "commit"]


def test_an_event_may_hold_several_records(clients: Clients, notes: Notes) -> None:
    put(clients, f"{line('select 1')}\n{line('select 2')}\n")

    first, second = read(clients, notes)

    assert (first.text, second.text) == ("select 1", "select 2")
    assert first.query_id != second.query_id


def test_streams_do_not_run_into_each_other(clients: Clients, notes: Notes) -> None:
    put(clients, line("insert into t"), stream="a", at=DAY + HOUR)
    put(clients, line("insert into u"), stream="b", at=DAY + HOUR + timedelta(seconds=1))
    put(clients, "select 1", stream="a", at=DAY + HOUR + timedelta(seconds=2))
    put(clients, "select 2", stream="b", at=DAY + HOUR + timedelta(seconds=3))

    first, second = read(clients, notes)

    assert texts([first, second]) == ["insert into t\nselect 1", "insert into u\nselect 2"]
    assert first.session != second.session, "one process id in two streams is two sessions"


def test_statements_of_one_second_keep_their_order(clients: Clients, notes: Notes) -> None:
    put(clients, line("create temp table s as select 1"), line("insert into t select * from s"), line("drop table s"))

    assert [record.started_at.microsecond for record in read(clients, notes)] == [0, 1, 2]


def test_the_services_own_statements_and_ours_are_passed_over(clients: Clients, notes: Notes) -> None:
    put(clients, line("select 1", user="rdsdb"), line(redshift_sql.PROBE), line("select 2"))

    assert texts(read(clients, notes)) == ["select 2"]


def test_the_stamp_decides_what_lies_in_the_window(clients: Clients, notes: Notes) -> None:
    end = DAY + timedelta(days=1)
    put(clients, line("select 1", at=end - timedelta(seconds=1)), at=end + LATENESS / 2)
    put(clients, line("select 2", at=end), at=end + LATENESS / 2)

    assert texts(read(clients, notes)) == ["select 1"]
    assert notes.reasons == {"outside_window": 1}


def test_all_pages_are_read_each_after_a_pause(clients: Clients, notes: Notes) -> None:
    for minute in range(5):
        at = DAY + timedelta(minutes=minute)
        put(clients, *[line(f"select {minute * 2500 + number}", at=at) for number in range(2500)], at=at)
    pauses: list[None] = []

    records = read(clients, notes, lambda: pauses.append(None))

    assert texts(records) == [f"select {number}" for number in range(12500)]
    assert len(pauses) >= 2
    assert len({record.query_id for record in records}) == 12500


def test_a_damaged_record_costs_itself_alone(clients: Clients, notes: Notes) -> None:
    put(clients, line("select 1").replace("pid=685", "pid=x"), line("select 2"))

    assert texts(read(clients, notes)) == ["select 2"]
    ((reason, _, detail),) = notes.skips
    assert reason == "malformed"
    assert "select" not in detail


def test_an_empty_log_group_is_said(clients: Clients, notes: Notes) -> None:
    assert read(clients, notes) == []
    ((title, detail),) = notes.warnings
    assert title == "No Redshift user-activity log"
    assert GROUP in detail


def test_no_such_log_group(clients: Clients, notes: Notes) -> None:
    assert list(LogGroupHistoryReader(clients, notes, WINDOW, "/aws/redshift/none/x").read_queries()) == []
    ((_, detail),) = notes.failures
    assert detail.startswith("nothing was read: logs:FilterLogEvents: ResourceNotFoundException")


EVENT = {"eventId": "e", "logStreamName": "studio", "timestamp": int((DAY + HOUR).timestamp() * 1000)}


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("AccessDeniedException", ("warnings", "Redshift log group is denied", "logs:FilterLogEvents: ")),
        ("ThrottlingException", ("failures", "Redshift log group cannot be read to its end", "read up to 2024-05-02")),
    ],
)
def test_what_was_read_before_a_refusal_is_kept(notes: Notes, code: str, told: tuple[str, str, str]) -> None:
    clients = Clients(test_session())
    page: dict[str, Any] = {"events": [{**EVENT, "message": line("select 1")}], "nextToken": "more"}
    with Stubber(clients.client("logs")) as logs:
        logs.add_response("filter_log_events", page)
        logs.add_client_error("filter_log_events", code)
        assert texts(read(clients, notes)) == ["select 1"]
    kind, title, detail = told
    ((seen_title, seen_detail),) = getattr(notes, kind)
    assert seen_title == title
    assert seen_detail.startswith(detail)


def test_the_probe_asks_for_one_event(clients: Clients) -> None:
    probe(clients, GROUP)
    with pytest.raises(NotFoundError):
        probe(clients, "/aws/redshift/none/useractivitylog")
    refusing = Clients(test_session())
    with Stubber(refusing.client("logs")) as logs:
        logs.add_client_error("filter_log_events", "AccessDeniedException")
        with pytest.raises(AccessDeniedError) as refused:
            probe(refusing, GROUP)
    assert refused.value.permission in PERMISSIONS
