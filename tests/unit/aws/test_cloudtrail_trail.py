"""A trail's log files: real gzip objects in moto's S3."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import unquote

import pytest
from botocore.exceptions import ReadTimeoutError
from botocore.stub import Stubber
from cloudtrail_samples import ACCOUNT, DAY, REGION, event_id, other_call, query_id, record
from moto import mock_aws
from redshift_samples import Notes, test_session

from datahub_aws_lineage.aws.clients import Clients
from datahub_aws_lineage.aws.cloudtrail_events import StartedQuery
from datahub_aws_lineage.aws.cloudtrail_trail import TrailReader, probe, trail_place
from datahub_aws_lineage.errors import AccessDeniedError, NotFoundError
from datahub_aws_lineage.model.queries import TimeWindow

BUCKET = "trails"
ORGANISATION = "o-exampleorgid"
OTHER_ACCOUNT = "444455556666"
OTHER_REGION = "us-east-2"
WINDOW = TimeWindow(DAY, DAY + timedelta(days=1))
PLACE = f"audit/AWSLogs/{ACCOUNT}/CloudTrail/{REGION}/2026/05/"


def key(
    day: datetime = DAY,
    *,
    hour: int = 1,
    account: str = ACCOUNT,
    region: str = REGION,
    above: str = "audit/AWSLogs/",
    service: str = "CloudTrail",
) -> str:
    name = f"{account}_{service}_{region}_{day:%Y%m%d}T{hour:02d}10Z_Mu0KsOhtH1ar15ZZ.json.gz"
    return f"{above}{account}/{service}/{region}/{day:%Y/%m/%d}/{name}"


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


def put_raw(clients: Clients, name: str, body: bytes) -> None:
    clients.client("s3").put_object(Bucket=BUCKET, Key=name, Body=body)


def put(clients: Clients, name: str, *records: object) -> None:
    put_raw(clients, name, gzip.compress(json.dumps({"Records": records}).encode()))


def read(
    clients: Clients, notes: Notes, window: TimeWindow = WINDOW, prefix: str = "audit", **options: str
) -> list[StartedQuery]:
    return list(TrailReader(clients, notes, window, BUCKET, prefix, **options).read_started())


def ids(queries: list[StartedQuery]) -> list[int]:
    return [int(query.query_id.rpartition("-")[2]) for query in queries]


def listed_prefixes(clients: Clients) -> list[str]:
    """Every prefix that is listed from here on."""
    prefixes: list[str] = []

    def note(params: dict[str, Any], **_: Any) -> None:
        prefixes.append(params["Prefix"])

    clients.client("s3").meta.events.register("before-parameter-build.s3.ListObjectsV2", note)
    return prefixes


def deny(clients: Clients, operation: str, concerns: Callable[[str], bool], message: str = "Access Denied") -> None:
    def refuse(http_response: Any, parsed: dict[str, Any], **_: Any) -> None:
        if concerns(unquote(http_response.url)):
            parsed["Error"] = {"Code": "AccessDenied", "Message": message}
            http_response.status_code = 403

    clients.client("s3").meta.events.register(f"after-call.s3.{operation}", refuse)


class TestReading:
    def test_queries_among_other_calls(self, clients: Clients, notes: Notes) -> None:
        refused = record(3, errorCode="InvalidRequestException", responseElements=None)
        put(clients, key(), other_call(), record(1), refused, other_call("PutObject", "s3.amazonaws.com"), record(2))

        queries = read(clients, notes)

        assert [query.query_id for query in queries] == [query_id(1), query_id(2)]
        assert queries[0].principal == f"arn:aws:sts::{ACCOUNT}:assumed-role/Analyst/ann@example.com"
        assert notes.untroubled
        assert notes.counts == {"cloudtrail files": 1, "athena queries in cloudtrail": 2}

    def test_a_file_without_queries_gives_none(self, clients: Clients, notes: Notes) -> None:
        put(clients, key(hour=1), other_call())
        put(clients, key(hour=2))

        assert read(clients, notes) == []
        assert notes.untroubled
        assert notes.counts == {"cloudtrail files": 2}

    def test_only_the_days_of_the_window_are_listed(self, clients: Clients, notes: Notes) -> None:
        for offset in range(-40, 41):
            day = DAY + timedelta(days=offset)
            put(clients, key(day), record(offset + 100, at=day))
        put(clients, "elsewhere/x.json.gz", record(1))
        listed = listed_prefixes(clients)

        assert ids(read(clients, notes, account_id=ACCOUNT, region=REGION)) == [100]
        days = [prefix for prefix in listed if prefix.count("/") == 8]
        assert days == [f"{PLACE}{day}/" for day in ("02", "03", "04")]
        assert set(listed) - set(days) == {PLACE[:-8], PLACE[:-3], PLACE, "audit/AWSLogs/"}
        assert notes.reasons == {"outside_window": 2}

    def test_a_file_delivered_on_the_next_day_is_read(self, clients: Clients, notes: Notes) -> None:
        put(clients, key(DAY + timedelta(days=1), hour=0), record(1, at=DAY + timedelta(hours=23, minutes=58)))

        assert ids(read(clients, notes)) == [1]

    def test_digests_insights_and_strange_names_are_no_files(self, clients: Clients, notes: Notes) -> None:
        put(clients, key(service="CloudTrail-Digest"), record(1))
        put(clients, key(service="CloudTrail-Insight"), record(2))
        put(clients, key().replace("_CloudTrail_", "_CloudTrail-Digest_"), record(3))
        put(clients, f"{PLACE}02/notes.json.gz", record(4))
        put(clients, f"audit/AWSLogs/{ACCOUNT}/Config/{REGION}/2026/05/02/x.json.gz", record(5))
        put(clients, key(), record(6))

        assert ids(read(clients, notes)) == [6]
        assert notes.counts["cloudtrail files"] == 1

    def test_the_name_in_the_guides_older_form(self, clients: Clients, notes: Notes) -> None:
        put(clients, f"{PLACE}02/{ACCOUNT}_CloudTrail_{REGION}_20260502T1255ZHdkvFTXOA3Vnhbc.json.gz", record(1))

        assert ids(read(clients, notes)) == [1]

    def test_more_files_than_a_page_holds(self, clients: Clients, notes: Notes) -> None:
        for hour in range(5):
            put(clients, key(hour=hour), record(hour, at=DAY + timedelta(hours=hour)))

        def one_key_a_page(params: dict[str, Any], **_: Any) -> None:
            params["MaxKeys"] = 1

        clients.client("s3").meta.events.register("before-parameter-build.s3.ListObjectsV2", one_key_a_page)

        assert ids(read(clients, notes)) == [0, 1, 2, 3, 4]

    def test_one_file_is_read_at_a_time(self, clients: Clients, notes: Notes) -> None:
        for hour in (1, 2):
            put(clients, key(hour=hour), record(hour))
        queries = TrailReader(clients, notes, WINDOW, BUCKET, "audit").read_started()

        next(queries)

        assert notes.counts["cloudtrail files"] == 1


class TestPlaces:
    @pytest.mark.parametrize(
        "prefix",
        [
            "audit",
            "/audit/",
            "audit/AWSLogs",
            f"audit/AWSLogs/{ACCOUNT}",
            f"audit/AWSLogs/{ACCOUNT}/CloudTrail/",
            f"audit/AWSLogs/{ACCOUNT}/CloudTrail/{REGION}",
            PLACE,
        ],
    )
    def test_prefixes_as_people_write_them(self, clients: Clients, notes: Notes, prefix: str) -> None:
        put(clients, key(), record(1))

        assert ids(read(clients, notes, prefix=prefix)) == [1]

    @pytest.mark.parametrize(
        "prefix",
        ["", "AWSLogs", f"AWSLogs/{ORGANISATION}", f"AWSLogs/{ORGANISATION}/{ACCOUNT}/CloudTrail/{REGION}"],
    )
    def test_organisation_trails(self, clients: Clients, notes: Notes, prefix: str) -> None:
        put(clients, key(above=f"AWSLogs/{ORGANISATION}/"), record(1))

        assert ids(read(clients, notes, prefix=prefix)) == [1]

    def test_a_trail_that_became_an_organisations(self, clients: Clients, notes: Notes) -> None:
        put(clients, key(hour=1), record(1))
        put(clients, key(hour=2, above=f"audit/AWSLogs/{ORGANISATION}/"), record(2))
        put(clients, key(hour=3, above="audit/AWSLogs/vpc/"), record(3))

        assert ids(read(clients, notes)) == [1, 2]
        assert ids(read(clients, notes, account_id=ACCOUNT)) == [1, 2]

    def test_accounts_and_regions_can_be_chosen(self, clients: Clients, notes: Notes) -> None:
        places = [(account, region) for account in (ACCOUNT, OTHER_ACCOUNT) for region in (REGION, OTHER_REGION)]
        for number, (account, region) in enumerate(places):
            changes: dict[str, Any] = {"recipientAccountId": account, "awsRegion": region}
            put(
                clients,
                key(account=account, region=region, above=f"audit/AWSLogs/{ORGANISATION}/"),
                record(number, **changes),
            )

        assert ids(read(clients, notes)) == [0, 1, 2, 3]
        assert ids(read(clients, notes, account_id=OTHER_ACCOUNT)) == [2, 3]
        assert ids(read(clients, notes, region=OTHER_REGION)) == [1, 3]
        listed = listed_prefixes(clients)
        assert ids(read(clients, notes, account_id=OTHER_ACCOUNT, region=REGION)) == [2]
        assert not [prefix for prefix in listed if ACCOUNT in prefix.split("/")[3:] or OTHER_REGION in prefix]
        assert notes.untroubled

    def test_events_decide_not_folders(self, clients: Clients, notes: Notes) -> None:
        put(clients, key(), record(1, recipientAccountId=OTHER_ACCOUNT), record(2, awsRegion=OTHER_REGION), record(3))

        assert ids(read(clients, notes, account_id=ACCOUNT, region=REGION)) == [3]
        assert notes.skips == [
            ("filtered", "cloudtrail event", f"{query_id(1)}: {OTHER_ACCOUNT} {REGION}"),
            ("filtered", "cloudtrail event", f"{query_id(2)}: {ACCOUNT} {OTHER_REGION}"),
        ]

    def test_a_prefix_and_an_account_that_exclude_each_other(self, clients: Clients, notes: Notes) -> None:
        put(clients, key(), record(1))

        assert read(clients, notes, prefix=f"audit/AWSLogs/{ACCOUNT}", account_id=OTHER_ACCOUNT) == []
        assert len(notes.warnings) == 1

    def test_a_prefix_down_to_a_region_lists_nothing_above_it(self, clients: Clients, notes: Notes) -> None:
        put(clients, key(), record(1))
        listed = listed_prefixes(clients)

        assert ids(read(clients, notes, prefix=PLACE[:-8])) == [1]
        assert all(prefix.startswith(PLACE[:-8]) for prefix in listed)

    def test_a_place_is_read_from_a_prefix(self) -> None:
        assert trail_place("").folder == "AWSLogs/"
        assert trail_place("a/b/").folder == "a/b/AWSLogs/"
        assert trail_place(f"{ORGANISATION}/AWSLogs/{ORGANISATION}").folder == (
            f"{ORGANISATION}/AWSLogs/{ORGANISATION}/"
        )
        assert trail_place(f"AWSLogs/{ACCOUNT}").folder == f"AWSLogs/{ACCOUNT}/CloudTrail/"


class TestDamage:
    @pytest.mark.parametrize(
        "body",
        [
            b"plain text",
            gzip.compress(json.dumps({"Records": [record(number) for number in range(50)]}).encode())[:-40],
            gzip.compress(b'{"Records": [{"eventName": "StartQueryExecution"'),
            gzip.compress(b'{"Records": [{"eventName": "PutObj'),
            gzip.compress(b'{"Records": [{"eventName": "StartQueryExecution", "x": "\xff"}]}'),
            gzip.compress(b'{"records": ["StartQueryExecution"]}'),
            gzip.compress(b'{"Records": {"eventName": "StartQueryExecution"}}'),
            gzip.compress(b'["StartQueryExecution"]'),
            gzip.compress(b""),
        ],
    )
    def test_a_damaged_file_costs_itself_alone(self, clients: Clients, notes: Notes, body: bytes) -> None:
        put(clients, key(hour=1), record(1))
        put_raw(clients, key(hour=2), body)
        put(clients, key(hour=3), record(3))

        assert ids(read(clients, notes)) == [1, 3]
        ((reason, what, detail),) = notes.skips
        assert (reason, what) == ("malformed", "cloudtrail file")
        assert detail.startswith(f"{key(hour=2)}: ")
        assert not notes.failures

    def test_a_malformed_event_costs_itself_alone(self, clients: Clients, notes: Notes) -> None:
        put(clients, key(), record(1), record(2, eventTime=None), None, record(3))

        assert ids(read(clients, notes)) == [1, 3]
        assert notes.skips == [
            ("malformed", "cloudtrail event", f"{event_id(2)}: no eventTime"),
            ("malformed", "cloudtrail event", f"{key()}: no JSON object"),
        ]

    def test_a_network_fault_in_mid_file_is_a_failure(
        self, clients: Clients, notes: Notes, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def broken(*_: Any, **__: Any) -> Any:
            raise ReadTimeoutError(endpoint_url="https://s3")

        put(clients, key(), record(1))
        monkeypatch.setattr("botocore.response.StreamingBody.read", broken)

        assert read(clients, notes) == []
        ((title, detail),) = notes.failures
        assert title == "CloudTrail file cannot be read"
        assert key() in detail


class TestDenial:
    def test_denied_files_warn_once_and_the_rest_goes_on(self, clients: Clients, notes: Notes) -> None:
        for hour in (1, 2, 3):
            put(clients, key(hour=hour), record(hour))
        denied = (key(hour=1), key(hour=2))
        message = (
            f"User: arn:aws:iam::{ACCOUNT}:user/me is not authorized to perform: kms:Decrypt on the resource "
            "associated with this ciphertext"
        )
        deny(clients, "GetObject", lambda url: url.endswith(denied), message)

        assert ids(read(clients, notes)) == [3]
        assert notes.reasons == {"denied": 2}
        ((title, detail),) = notes.warnings
        assert title == "CloudTrail files are denied"
        assert detail.startswith("kms:Decrypt: ")
        assert not notes.failures

    def test_a_denied_account_does_not_lose_another(self, clients: Clients, notes: Notes) -> None:
        put(clients, key(), record(1))
        put(clients, key(account=OTHER_ACCOUNT), record(2, recipientAccountId=OTHER_ACCOUNT))
        deny(clients, "ListObjectsV2", lambda url: f"AWSLogs/{ACCOUNT}" in url)

        assert ids(read(clients, notes)) == [2]
        assert notes.skips == [("denied", "cloudtrail file", f"audit/AWSLogs/{ACCOUNT}/: s3:ListBucket")]
        assert [title for title, _ in notes.warnings] == ["CloudTrail files are denied"]
        assert not notes.failures

    def test_a_denied_root_does_not_lose_the_account_that_is_asked_for(self, clients: Clients, notes: Notes) -> None:
        put(clients, key(), record(1))
        deny(clients, "ListObjectsV2", lambda url: url.endswith("AWSLogs/") or "AWSLogs/&" in url)

        assert ids(read(clients, notes, account_id=ACCOUNT)) == [1]
        assert [title for title, _ in notes.warnings] == ["CloudTrail trail is denied"]

    def test_a_denied_bucket_is_one_warning(self, clients: Clients, notes: Notes) -> None:
        put(clients, key(), record(1))
        deny(clients, "ListObjectsV2", lambda _: True)

        assert read(clients, notes) == []
        assert read(clients, notes, prefix=f"audit/AWSLogs/{ACCOUNT}") == []
        assert [title for title, _ in notes.warnings] == ["CloudTrail trail is denied", "CloudTrail files are denied"]
        assert all(detail.startswith("s3:ListBucket: ") for _, detail in notes.warnings)
        assert not notes.failures

    def test_a_missing_bucket_is_a_failure(self, clients: Clients, notes: Notes) -> None:
        assert list(TrailReader(clients, notes, WINDOW, "no-such-bucket").read_started()) == []
        assert [title for title, _ in notes.failures] == ["CloudTrail trail cannot be listed"]


def test_no_file_at_all_is_said(clients: Clients, notes: Notes) -> None:
    assert read(clients, notes, account_id=ACCOUNT, region=REGION) == []
    ((title, detail),) = notes.warnings
    assert title == "No CloudTrail file"
    assert detail == f"s3://trails/audit/AWSLogs/ ({ACCOUNT} {REGION}) holds none for the time window"


def test_probe_finds_a_file_or_says_where_it_looked(clients: Clients) -> None:
    with pytest.raises(NotFoundError, match="s3://trails/audit/AWSLogs/ is empty"):
        probe(clients, BUCKET, "audit")
    put(clients, key(), record(1))

    probe(clients, BUCKET, "audit")
    probe(clients, BUCKET, f"audit/AWSLogs/{ACCOUNT}")
    with pytest.raises(NotFoundError):
        probe(clients, BUCKET, f"audit/AWSLogs/{OTHER_ACCOUNT}")
    with pytest.raises(NotFoundError):
        probe(clients, "no-such-bucket")


def test_probe_names_the_permission_to_read_what_is_listed(clients: Clients) -> None:
    with Stubber(clients.client("s3")) as s3:
        s3.add_response("list_objects_v2", {"Contents": [{"Key": key()}]})
        s3.add_client_error("get_object", "AccessDenied", http_status_code=403)
        with pytest.raises(AccessDeniedError) as caught:
            probe(clients, BUCKET, "audit")
    assert caught.value.permission == "s3:GetObject"
