"""The user-activity log: its format, and real gzip objects in moto's S3."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import unquote

import pytest
from botocore.exceptions import ReadTimeoutError
from botocore.stub import Stubber
from hypothesis import given
from hypothesis import strategies as st
from moto import mock_aws
from redshift_samples import Notes, test_session, utc

from datahub_aws_lineage.aws import redshift_sql
from datahub_aws_lineage.aws.clients import Clients
from datahub_aws_lineage.aws.redshift_audit_log import AuditLogHistoryReader, log_place, probe
from datahub_aws_lineage.aws.redshift_audit_records import AuditRecord, MalformedRecord, parse_records
from datahub_aws_lineage.errors import AccessDeniedError, NotFoundError
from datahub_aws_lineage.model.queries import QueryRecord, SqlContext, TimeWindow

BUCKET = "audit-logs"
ACCOUNT = "111122223333"
DAY = utc(2024, 5, 2)
WINDOW = TimeWindow(DAY, DAY + timedelta(days=1))


def line(sql: str, *, at: datetime = DAY + timedelta(hours=1), user: str = "etl", pid: int = 685, xid: int = 7) -> str:
    user_id = 1 if user == "rdsdb" else 100
    return f"'{at:%Y-%m-%dT%H:%M:%SZ} UTC [ db=dev user={user} pid={pid} userid={user_id} xid={xid} ]' LOG: {sql}\n"


def key(day: datetime = DAY, *, cluster: str = "main", stamp: str = "01:00", prefix: str = "audit/") -> str:
    name = f"{ACCOUNT}_redshift_eu-central-1_{cluster}_useractivitylog_{day:%Y-%m-%d}T{stamp}.gz"
    return f"{prefix}AWSLogs/{ACCOUNT}/redshift/eu-central-1/{day:%Y/%m/%d}/{name}"


@pytest.fixture
def clients() -> Iterator[Clients]:
    with mock_aws():
        clients = Clients(test_session())
        clients.client("s3").create_bucket(
            Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
        )
        yield clients


@pytest.fixture
def notes() -> Notes:
    return Notes()


def put(clients: Clients, name: str, *records: str) -> None:
    clients.client("s3").put_object(Bucket=BUCKET, Key=name, Body=gzip.compress("".join(records).encode()))


def read(clients: Clients, notes: Notes, window: TimeWindow = WINDOW, prefix: str = "audit") -> list[QueryRecord]:
    return list(AuditLogHistoryReader(clients, notes, window, BUCKET, prefix).read_queries())


def listed_prefixes(clients: Clients) -> list[str]:
    """Every prefix that is listed from here on."""
    prefixes: list[str] = []

    def note(params: dict[str, Any], **_: Any) -> None:
        prefixes.append(params["Prefix"])

    clients.client("s3").meta.events.register("before-parameter-build.s3.ListObjectsV2", note)
    return prefixes


class TestFormat:
    def test_a_record_spans_lines_up_to_the_next_stamp(self) -> None:
        log = line("create table t as\r\n  select 'LOG: x' as a\n\n  from u") + line("commit")
        first, second = parse_records(log.splitlines(keepends=True))

        assert first == AuditRecord(
            ordinal=1,
            time=DAY + timedelta(hours=1),
            database="dev",
            user="etl",
            user_id="100",
            pid="685",
            transaction="7",
            text="create table t as\r\n  select 'LOG: x' as a\n\n  from u",
        )
        assert isinstance(second, AuditRecord)
        assert (second.ordinal, second.text) == (2, "commit")

    def test_names_may_hold_what_names_may_hold(self) -> None:
        (record,) = parse_records(
            ["'2020-12-08T22:00:03Z UTC [ db=my db user=IAMR:a b@c pid=1 userid=100 xid=2 ]' LOG: SELECT 1"]
        )

        assert isinstance(record, AuditRecord)
        assert (record.database, record.user, record.text) == ("my db", "IAMR:a b@c", "SELECT 1")

    @pytest.mark.parametrize(
        ("text", "excerpt"),
        [
            ("select secret from t\n", "text before the first record"),
            (
                "'2020-12-08T22:00:03Z UTC [ db=dev pid=x ]' LOG: select secret\n",
                "'2020-12-08T22:00:03Z UTC [ db=dev pid=x ",
            ),
            (
                "'2020-13-08T22:00:03Z UTC [ db=dev user=u pid=1 userid=100 xid=2 ]' LOG: select secret\n",
                "month must be in 1..12",
            ),
        ],
    )
    def test_a_malformed_record_costs_itself_alone_and_shows_no_sql(self, text: str, excerpt: str) -> None:
        malformed, good = parse_records([text, "more of it\n", line("commit")])

        assert malformed == MalformedRecord(1, excerpt)
        assert isinstance(good, AuditRecord)

    @given(texts=st.lists(st.text(alphabet="ab'\n ;-", min_size=1).filter(lambda text: bool(text.strip())), max_size=5))
    def test_any_texts_come_back(self, texts: list[str]) -> None:
        log = "".join(map(line, texts))
        records = list(parse_records(log.splitlines(keepends=True)))

        assert [record.text for record in records if isinstance(record, AuditRecord)] == [t.strip() for t in texts]
        assert [record.ordinal for record in records] == list(range(1, len(texts) + 1))


class TestReading:
    def test_a_record_says_what_the_log_knows(self, clients: Clients, notes: Notes) -> None:
        put(clients, key(), line("insert into t\nselect 1"))
        (record,) = read(clients, notes)

        assert record == QueryRecord(
            query_id=f"{ACCOUNT}_redshift_eu-central-1_main_useractivitylog_2024-05-02T01:00#1",
            text="insert into t\nselect 1",
            context=SqlContext("redshift", "dev", "public", ("$user", "public")),
            started_at=DAY + timedelta(hours=1),
            source="redshift-audit-log",
            actor="etl",
            session=record.session,
            transaction=f"{ACCOUNT}.eu-central-1.main:7",
            succeeded=None,
        )
        assert notes.untroubled
        assert notes.counts == {"redshift audit logs": 1, "redshift statements": 1}

    def test_only_the_days_of_the_window_are_listed(self, clients: Clients, notes: Notes) -> None:
        for offset in range(-40, 41):
            day = DAY + timedelta(days=offset)
            put(clients, key(day), line(f"select {offset}", at=day))
        put(clients, "elsewhere/x.gz", "not a log")
        listed = listed_prefixes(clients)

        assert [record.text for record in read(clients, notes)] == ["select 0"]
        days = [prefix for prefix in listed if prefix.count("/") == 8]
        assert [prefix[-11:] for prefix in days] == ["2024/05/02/", "2024/05/03/", "2024/05/04/"]
        assert len(listed) == len(days) + 5, "root, account, region, year, month: one listing each"
        assert notes.reasons == {"outside_window": 2}

    def test_a_log_uploaded_on_the_next_day_is_read(self, clients: Clients, notes: Notes) -> None:
        put(clients, key(DAY + timedelta(days=1), stamp="00:04"), line("select 1", at=DAY + timedelta(hours=23)))

        assert len(read(clients, notes)) == 1

    def test_windows_over_a_year_end(self, clients: Clients, notes: Notes) -> None:
        eve, new_year = utc(2023, 12, 31, 12), utc(2024, 1, 1, 12)
        put(clients, key(new_year), line("select 2", at=new_year))
        put(clients, key(eve), line("select 1", at=eve))

        records = read(clients, notes, TimeWindow(eve, new_year + timedelta(hours=1)))

        assert [record.text for record in records] == ["select 1", "select 2"]

    def test_other_logs_and_other_clusters(self, clients: Clients, notes: Notes) -> None:
        put(clients, key(cluster="a"), line("select 1"))
        put(clients, key(cluster="b"), line("select 2"))
        put(clients, key().replace("useractivitylog", "connectionlog"), "initiating session |")

        first, second = read(clients, notes)

        assert first.session != second.session, "one pid on two clusters is two sessions"
        assert first.transaction != second.transaction
        assert notes.untroubled

    def test_statements_of_one_second_keep_their_order(self, clients: Clients, notes: Notes) -> None:
        put(clients, key(stamp="01:00"), line("create temp table s as select 1"), line("insert into t select * from s"))
        put(clients, key(stamp="02:00"), line("drop table s"))

        records = read(clients, notes)

        assert [record.started_at.microsecond for record in records] == [0, 1, 2]
        assert len({record.session for record in records}) == 1
        assert all(record.started_at in WINDOW for record in records)

    def test_the_services_own_statements_and_ours_are_passed_over(self, clients: Clients, notes: Notes) -> None:
        put(clients, key(), line("SELECT 1", user="rdsdb"), line(redshift_sql.PROBE), line("select 2"))

        assert [record.text for record in read(clients, notes)] == ["select 2"]
        assert notes.counts["redshift internal statements"] == 1
        assert not notes.skips

    @pytest.mark.parametrize(
        "prefix", ["audit", "audit/", "/audit", "audit/AWSLogs", f"audit/AWSLogs/{ACCOUNT}/redshift/eu-central-1"]
    )
    def test_prefixes_as_people_write_them(self, clients: Clients, notes: Notes, prefix: str) -> None:
        put(clients, key(), line("select 1"))

        assert len(read(clients, notes, prefix=prefix)) == 1

    def test_a_prefix_down_to_a_region_lists_nothing_above_it(self, clients: Clients, notes: Notes) -> None:
        put(clients, key(prefix=""), line("select 1"))
        listed = listed_prefixes(clients)

        assert len(read(clients, notes, prefix=f"AWSLogs/{ACCOUNT}/redshift/eu-central-1/")) == 1
        assert all(prefix.startswith(f"AWSLogs/{ACCOUNT}/redshift/eu-central-1/") for prefix in listed)

    def test_more_logs_and_days_than_a_page_holds(self, clients: Clients, notes: Notes) -> None:
        for day in (DAY, DAY + timedelta(days=1)):
            for hour in range(5):
                put(clients, key(day, stamp=f"{hour:02d}:00"), line(f"select {hour}", at=day + timedelta(hours=hour)))

        def one_key_a_page(params: dict[str, Any], **_: Any) -> None:
            params["MaxKeys"] = 1

        clients.client("s3").meta.events.register("before-parameter-build.s3.ListObjectsV2", one_key_a_page)

        records = read(clients, notes, TimeWindow(DAY, DAY + timedelta(days=2)))

        assert [record.text for record in records] == [f"select {hour}" for hour in range(5)] * 2


class TestDamage:
    def test_a_log_that_breaks_off_keeps_what_came_before(self, clients: Clients, notes: Notes) -> None:
        whole = gzip.compress(
            "".join(line(f"select {number} /* {number * 7919} */") for number in range(5000)).encode()
        )
        clients.client("s3").put_object(Bucket=BUCKET, Key=key(stamp="01:00"), Body=whole[: len(whole) // 2])
        put(clients, key(stamp="02:00"), line("select 'next'"))

        records = read(clients, notes)

        assert len(records) > 1000
        assert records[-1].text == "select 'next'"
        ((reason, what, detail),) = notes.skips
        assert (reason, what) == ("malformed", "redshift audit log")
        assert detail.startswith(key(stamp="01:00"))

    def test_what_is_no_gzip_is_malformed(self, clients: Clients, notes: Notes) -> None:
        clients.client("s3").put_object(Bucket=BUCKET, Key=key(), Body=b"plain text")

        assert read(clients, notes) == []
        assert notes.reasons == {"malformed": 1}

    def test_a_malformed_record_is_counted(self, clients: Clients, notes: Notes) -> None:
        put(clients, key(), "half a record\n", line("select 1"))

        assert [record.text for record in read(clients, notes)] == ["select 1"]
        assert notes.reasons == {"malformed": 1}

    def test_undecodable_bytes_cost_nothing_else(self, clients: Clients, notes: Notes) -> None:
        body = gzip.compress(line("select '").encode()[:-1] + b"\xff'\n" + line("select 2").encode())
        clients.client("s3").put_object(Bucket=BUCKET, Key=key(), Body=body)

        assert [record.text for record in read(clients, notes)] == ["select '\N{REPLACEMENT CHARACTER}'", "select 2"]

    def test_a_network_fault_in_mid_log_is_a_failure(
        self, clients: Clients, notes: Notes, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def broken(*_: Any, **__: Any) -> Any:
            raise ReadTimeoutError(endpoint_url="https://s3")

        put(clients, key(), line("select 1"))
        monkeypatch.setattr("botocore.response.StreamingBody.read", broken)

        assert read(clients, notes) == []
        ((_, detail),) = notes.failures
        assert key() in detail

    def test_a_denied_log_warns_once_and_the_rest_goes_on(self, clients: Clients, notes: Notes) -> None:
        for stamp in ("01:00", "02:00", "03:00"):
            put(clients, key(stamp=stamp), line(f"select '{stamp}'"))
        denied = {key(stamp="01:00"), key(stamp="02:00")}

        def deny(http_response: Any, parsed: dict[str, Any], **_: Any) -> None:
            if any(unquote(http_response.url).endswith(name) for name in denied):
                parsed["Error"] = {"Code": "AccessDenied", "Message": "Access Denied"}
                http_response.status_code = 403

        clients.client("s3").meta.events.register("after-call.s3.GetObject", deny)

        assert [record.text for record in read(clients, notes)] == ["select '03:00'"]
        assert notes.reasons == {"denied": 2}
        assert len(notes.warnings) == 1
        assert not notes.failures

    def test_a_denied_listing_is_a_warning(self, clients: Clients, notes: Notes) -> None:
        def deny(http_response: Any, parsed: dict[str, Any], **_: Any) -> None:
            parsed["Error"] = {"Code": "AccessDenied", "Message": "Access Denied"}
            http_response.status_code = 403

        clients.client("s3").meta.events.register("after-call.s3.ListObjectsV2", deny)

        assert read(clients, notes) == []
        ((title, detail),) = notes.warnings
        assert title == "Redshift audit log is denied"
        assert detail.startswith("s3:ListBucket: ")
        assert not notes.failures

    def test_a_missing_bucket_is_a_failure(self, clients: Clients, notes: Notes) -> None:
        assert list(AuditLogHistoryReader(clients, notes, WINDOW, "no-such-bucket").read_queries()) == []
        assert len(notes.failures) == 1

    def test_no_log_at_all_is_said(self, clients: Clients, notes: Notes) -> None:
        assert read(clients, notes) == []
        ((title, detail),) = notes.warnings
        assert title == "No Redshift user-activity log"
        assert "s3://audit-logs/audit/AWSLogs/" in detail


def test_probe_finds_the_log_or_says_where_it_looked(clients: Clients) -> None:
    with pytest.raises(NotFoundError, match="s3://audit-logs/audit/AWSLogs/ is empty"):
        probe(clients, BUCKET, "audit")
    put(clients, key(), line("select 1"))

    probe(clients, BUCKET, "audit")
    probe(clients, BUCKET, f"audit/AWSLogs/{ACCOUNT}")
    with pytest.raises(NotFoundError):
        probe(clients, "no-such-bucket")


def test_probe_names_the_permission_to_read_what_is_listed(clients: Clients) -> None:
    put(clients, key(), line("select 1"))
    with Stubber(clients.client("s3")) as s3:
        s3.add_response("list_objects_v2", {"Contents": [{"Key": key()}]})
        s3.add_client_error("get_object", "AccessDenied", http_status_code=403)
        with pytest.raises(AccessDeniedError) as caught:
            probe(clients, BUCKET, "audit")
    assert caught.value.permission == "s3:GetObject"


def test_a_place_is_read_from_a_prefix() -> None:
    assert log_place("").root == "AWSLogs/"
    assert log_place("a/b/").root == "a/b/AWSLogs/"
    assert log_place(f"a/AWSLogs/{ACCOUNT}").account == ACCOUNT
