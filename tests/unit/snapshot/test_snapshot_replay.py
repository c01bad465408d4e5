"""Replay through real botocore clients: every protocol, pages, waiters, retries, errors, threads."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ParamValidationError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from datahub_aws_lineage.errors import SnapshotError
from datahub_aws_lineage.model.secrets import mask_text
from datahub_aws_lineage.snapshot import RecordingWriter, replaying_session

UTC = timezone.utc
STS_XML = (
    '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>'
    "<Arn>arn:aws:iam::210987654321:user/joe</Arn><UserId>x</UserId><Account>210987654321</Account>"
    "</GetCallerIdentityResult></GetCallerIdentityResponse>"
)
Row = tuple[str, str, Mapping[str, Any], Any, int]


@pytest.fixture(autouse=True)
def hostile_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No credentials, a profile that is not there, an endpoint where nobody listens: replay must not look."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_PROFILE", "absent")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_DEFAULTS_MODE", "auto")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "absent"))


def replayed(folder: Path, *rows: Row, account_id: str | None = "123456789012", region: str = "eu-central-1") -> Any:
    with RecordingWriter(folder, region=region, account_id=account_id) as recording:
        for service, operation, request, body, status in rows:
            recording.add(service, operation, request, body, status=status)
    return replaying_session(folder)


def test_json_protocol_with_times_and_region(tmp_path: Path) -> None:
    created = datetime(2024, 3, 1, 12, 30, tzinfo=UTC)
    body = {"DatabaseList": [{"Name": "sales", "CreateTime": created}]}
    session = replayed(tmp_path, ("glue", "GetDatabases", {}, body, 200))
    assert session.region_name == "eu-central-1"
    glue = session.client("glue")
    assert glue.meta.region_name == "eu-central-1"
    assert glue.get_databases()["DatabaseList"] == [{"Name": "sales", "CreateTime": created}]


def test_paginators_follow_recorded_tokens(tmp_path: Path) -> None:
    glue = replayed(
        tmp_path,
        ("glue", "GetTables", {"DatabaseName": "d"}, {"TableList": [{"Name": "a"}], "NextToken": "p2"}, 200),
        ("glue", "GetTables", {"DatabaseName": "d", "NextToken": "p2"}, {"TableList": [{"Name": "b"}]}, 200),
    ).client("glue")
    pages = list(glue.get_paginator("get_tables").paginate(DatabaseName="d"))
    assert [table["Name"] for page in pages for table in page["TableList"]] == ["a", "b"]


def test_errors_become_modelled_exceptions(tmp_path: Path) -> None:
    body = {"__type": "EntityNotFoundException", "Message": "Table x not found.", "FromFederationSource": True}
    glue = replayed(tmp_path, ("glue", "GetTable", {"DatabaseName": "d", "Name": "x"}, body, 400)).client("glue")
    with pytest.raises(glue.exceptions.EntityNotFoundException) as caught:
        glue.get_table(DatabaseName="d", Name="x")
    assert caught.value.response["Error"] == {"Code": "EntityNotFoundException", "Message": "Table x not found."}
    assert caught.value.response["FromFederationSource"] is True


def test_rest_xml_lists_pages_streams_and_errors(tmp_path: Path) -> None:
    first = (
        '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>bkt</Name><IsTruncated>true</IsTruncated>'
        "<NextContinuationToken>t/1=</NextContinuationToken><EncodingType>url</EncodingType>"
        "<Contents><Key>a%2Bb/c</Key><Size>3</Size><LastModified>2024-03-01T00:00:00.000Z</LastModified></Contents>"
        "</ListBucketResult>"
    )
    last = "<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>z</Key></Contents></ListBucketResult>"
    missing = "<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message><Key>k</Key></Error>"
    lines = b"".join(b"line %d\n" % number for number in range(5000))
    s3 = replayed(
        tmp_path,
        ("s3", "ListObjectsV2", {"Bucket": "bkt", "Prefix": "p/"}, first, 200),
        ("s3", "ListObjectsV2", {"Bucket": "bkt", "Prefix": "p/", "ContinuationToken": "t/1="}, last, 200),
        ("s3", "GetObject", {"Bucket": "bkt", "Key": "log.gz"}, gzip.compress(lines), 200),
        ("s3", "GetObject", {"Bucket": "bkt", "Key": "k"}, missing, 404),
    ).client("s3")
    pages = list(s3.get_paginator("list_objects_v2").paginate(Bucket="bkt", Prefix="p/"))
    assert [item["Key"] for page in pages for item in page["Contents"]] == ["a+b/c", "z"]
    assert pages[0]["Contents"][0]["LastModified"] == datetime(2024, 3, 1, tzinfo=UTC)

    answer = s3.get_object(Bucket="bkt", Key="log.gz")
    with gzip.open(answer["Body"]) as unpacked:
        assert unpacked.read(20) == lines[:20]
        assert unpacked.read() == lines[20:]
    assert answer["ContentLength"] == (tmp_path / next(tmp_path.glob("objects/*"))).stat().st_size
    chunks = list(s3.get_object(Bucket="bkt", Key="log.gz")["Body"].iter_chunks(1000))
    assert gzip.decompress(b"".join(chunks)) == lines
    with pytest.raises(s3.exceptions.NoSuchKey):
        s3.get_object(Bucket="bkt", Key="k")


def test_head_and_waiters(tmp_path: Path) -> None:
    with RecordingWriter(tmp_path, region="eu-central-1") as recording:
        request = {"Bucket": "bkt", "Key": "k"}
        recording.add("s3", "HeadObject", request, "", status=404)
        recording.add("s3", "HeadObject", request, "", headers={"Content-Length": "77", "ETag": '"e"'})
    s3 = replaying_session(tmp_path).client("s3")
    s3.get_waiter("object_exists").wait(Bucket="bkt", Key="k", WaiterConfig={"Delay": 0, "MaxAttempts": 3})
    head = s3.head_object(Bucket="bkt", Key="k")
    assert (head["ContentLength"], head["ETag"]) == (77, '"e"')


def test_rest_json_protocol(tmp_path: Path) -> None:
    resource = {"Database": {"Name": "sales"}}
    tags = {"LFTagOnDatabase": [{"TagKey": "domain", "TagValues": ["finance"]}]}
    denied = {"Message": "Insufficient Lake Formation permission(s)"}
    with RecordingWriter(tmp_path, region="eu-central-1") as recording:
        recording.add("lakeformation", "GetResourceLFTags", {"Resource": resource}, tags)
        headers = {"x-amzn-ErrorType": "AccessDeniedException:http://internal.amazon.com/"}
        other = {"Resource": {"Database": {"Name": "hr"}}}
        recording.add("lakeformation", "GetResourceLFTags", other, denied, status=403, headers=headers)
    client: Any = replaying_session(tmp_path).client("lakeformation")
    assert client.get_resource_lf_tags(Resource=resource)["LFTagOnDatabase"] == tags["LFTagOnDatabase"]
    with pytest.raises(client.exceptions.AccessDeniedException, match="Insufficient"):
        client.get_resource_lf_tags(Resource={"Database": {"Name": "hr"}})


class TestCallerIdentity:
    """The query protocol; and the one answer that need not be recorded."""

    def test_recorded(self, tmp_path: Path) -> None:
        session = replayed(tmp_path, ("sts", "GetCallerIdentity", {}, STS_XML, 200))
        assert session.client("sts").get_caller_identity()["Arn"] == "arn:aws:iam::210987654321:user/joe"

    @pytest.mark.parametrize(("region", "partition"), [("eu-central-1", "aws"), ("cn-north-1", "aws-cn")])
    def test_from_the_recordings_account(self, tmp_path: Path, region: str, partition: str) -> None:
        identity = replayed(tmp_path, region=region).client("sts").get_caller_identity()
        assert identity["Account"] == "123456789012"
        assert identity["Arn"].startswith(f"arn:{partition}:iam::123456789012:")

    def test_of_an_account_that_was_never_asked(self, tmp_path: Path) -> None:
        with pytest.raises(SnapshotError, match="sts GetCallerIdentity"):
            replayed(tmp_path, account_id=None).client("sts").get_caller_identity()


EXECUTE = {"Sql": "select 1", "Database": "dev", "WorkgroupName": "analytics"}


def test_a_statement_is_polled_through_its_states(tmp_path: Path) -> None:
    states = ["SUBMITTED", "STARTED", "FINISHED"]
    polls: list[Row] = [
        ("redshift-data", "DescribeStatement", {"Id": "i"}, {"Id": "i", "Status": s}, 200) for s in states
    ]
    session = replayed(tmp_path, ("redshift-data", "ExecuteStatement", EXECUTE, {"Id": "i"}, 200), *polls)
    client = session.client("redshift-data")
    identifier = client.execute_statement(**EXECUTE)["Id"]
    assert [client.describe_statement(Id=identifier)["Status"] for _ in range(5)] == [*states, "FINISHED", "FINISHED"]
    assert session.client("redshift-data").describe_statement(Id="i")["Status"] == "FINISHED"
    assert replaying_session(tmp_path).client("redshift-data").describe_statement(Id="i")["Status"] == "SUBMITTED"


@pytest.mark.parametrize("recorded", [{}, {"ClientToken": "of another run"}])
@pytest.mark.parametrize("asked", [{}, {"ClientToken": "of this run"}])
def test_idempotency_tokens_do_not_take_part(tmp_path: Path, recorded: dict[str, str], asked: dict[str, str]) -> None:
    session = replayed(tmp_path, ("redshift-data", "ExecuteStatement", {**EXECUTE, **recorded}, {"Id": "i"}, 200))
    assert session.client("redshift-data").execute_statement(**EXECUTE, **asked)["Id"] == "i"


def test_a_time_is_the_same_in_every_form(tmp_path: Path) -> None:
    moment = datetime(2024, 3, 1, 12, tzinfo=timezone(timedelta(hours=2)))
    session = replayed(tmp_path, ("cloudtrail", "LookupEvents", {"StartTime": moment}, {"Events": []}, 200))
    client = session.client("cloudtrail")
    for form in (moment, moment.astimezone(UTC), moment.timestamp(), "2024-03-01T10:00:00Z"):
        assert client.lookup_events(StartTime=form)["Events"] == []
    with pytest.raises(SnapshotError, match="differs in StartTime"):
        client.lookup_events(StartTime=moment + timedelta(seconds=1))


class TestPageSizes:
    def rows(self, *sizes: int) -> list[Row]:
        names = [{"Name": f"of{size}"} for size in sizes]
        return [
            ("glue", "GetDatabases", {"MaxResults": s}, {"DatabaseList": [n]}, 200)
            for s, n in zip(sizes, names, strict=True)
        ]

    def asked(self, folder: Path, recorded: tuple[int, ...], **params: int) -> str:
        answer = replayed(folder, *self.rows(*recorded)).client("glue").get_databases(**params)
        return str(answer["DatabaseList"][0]["Name"])

    def test_another_size_is_answered_where_one_was_recorded(self, tmp_path: Path) -> None:
        assert self.asked(tmp_path, (50,), MaxResults=100) == "of50"
        assert self.asked(tmp_path, (50,)) == "of50"

    def test_the_same_size_wins(self, tmp_path: Path) -> None:
        assert self.asked(tmp_path, (1, 50), MaxResults=50) == "of50"

    def test_several_are_no_answer(self, tmp_path: Path) -> None:
        with pytest.raises(SnapshotError, match="MaxResults"):
            self.asked(tmp_path, (1, 50), MaxResults=100)


class TestAbsence:
    def test_the_nearest_request_is_named(self, tmp_path: Path) -> None:
        session = replayed(
            tmp_path,
            ("glue", "GetTable", {"DatabaseName": "sales", "Name": "orders"}, {}, 200),
            ("glue", "GetTable", {"DatabaseName": "hr", "Name": "order_items"}, {}, 200),
        )
        with pytest.raises(SnapshotError) as caught:
            session.client("glue").get_table(DatabaseName="sales", Name="order_items2")
        message = str(caught.value)
        assert 'glue GetTable {"DatabaseName": "sales", "Name": "order_items2"}' in message
        assert 'nearest recorded request is {"DatabaseName": "sales", "Name": "orders"}' in message
        assert message.endswith("differs in Name")

    def test_the_recorded_operations_are_named(self, tmp_path: Path) -> None:
        session = replayed(tmp_path, ("glue", "GetDatabases", {}, {}, 200))
        with pytest.raises(SnapshotError, match=r"glue GetCrawlers .*of glue it has recorded GetDatabases"):
            session.client("glue").get_crawlers()
        with pytest.raises(SnapshotError, match="of athena it has recorded nothing"):
            session.client("athena").list_work_groups()

    def test_the_request_is_short_and_without_secrets(self, tmp_path: Path) -> None:
        sql = f"COPY t FROM 's3://b' SECRET_ACCESS_KEY 'hunter2' {'x' * 5000}"
        with pytest.raises(SnapshotError) as caught:
            replayed(tmp_path).client("redshift-data").execute_statement(**{**EXECUTE, "Sql": sql})
        assert "hunter2" not in str(caught.value)
        assert len(str(caught.value)) < 1000

    def test_it_is_not_retried(self, tmp_path: Path) -> None:
        config = Config(retries={"mode": "adaptive", "total_max_attempts": 10})
        client = replayed(tmp_path).client("glue", config=config)
        began = datetime.now(UTC)
        with pytest.raises(SnapshotError):
            client.get_databases()
        assert datetime.now(UTC) - began < timedelta(seconds=2)

    def test_parameters_are_validated_first(self, tmp_path: Path) -> None:
        with pytest.raises(ParamValidationError):
            replayed(tmp_path).client("glue").get_databases(Nonsense=1)


def test_throttling_is_retried_by_botocore(tmp_path: Path) -> None:
    throttled = {"__type": "ThrottlingException", "message": "Rate exceeded"}
    session = replayed(
        tmp_path,
        ("athena", "ListWorkGroups", {}, throttled, 400),
        ("athena", "ListWorkGroups", {}, {"WorkGroups": [{"Name": "primary"}]}, 200),
    )
    answer = session.client("athena", config=Config(retries={"mode": "standard"})).list_work_groups()
    assert answer["WorkGroups"] == [{"Name": "primary"}]
    assert answer["ResponseMetadata"]["RetryAttempts"] == 1


def test_a_denial_is_a_client_error(tmp_path: Path) -> None:
    denied = {"__type": "com.amazonaws#AccessDeniedException", "Message": "User is not authorized"}
    athena = replayed(tmp_path, ("athena", "ListWorkGroups", {}, denied, 400)).client("athena")
    with pytest.raises(ClientError) as caught:
        athena.list_work_groups()
    assert caught.value.response["Error"]["Code"] == "AccessDeniedException"


def test_json_for_a_service_that_speaks_xml_is_refused(tmp_path: Path) -> None:
    session = replayed(tmp_path, ("s3", "ListObjectsV2", {"Bucket": "bkt"}, {"Contents": []}, 200))
    with pytest.raises(SnapshotError, match="rest-xml"):
        session.client("s3").list_objects_v2(Bucket="bkt")


def test_threads_get_their_own_answers_and_share_the_order(tmp_path: Path) -> None:
    tables: list[Row] = [
        ("glue", "GetTable", {"DatabaseName": "d", "Name": f"t{n}"}, {"Table": {"Name": f"t{n}"}}, 200)
        for n in range(30)
    ]
    states: list[Row] = [
        ("redshift-data", "DescribeStatement", {"Id": "i"}, {"Id": "i", "RedshiftPid": n}, 200) for n in range(60)
    ]
    session = replayed(tmp_path, *tables, *states)
    glue, data = session.client("glue"), session.client("redshift-data")

    def ask(number: int) -> tuple[str, int]:
        table = glue.get_table(DatabaseName="d", Name=f"t{number % 30}")["Table"]["Name"]
        return table, data.describe_statement(Id="i")["RedshiftPid"]

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(ask, range(60)))
    assert [table for table, _ in answers] == [f"t{number % 30}" for number in range(60)]
    assert sorted(pid for _, pid in answers) == list(range(60))


@given(name=st.text(min_size=1, max_size=30), value=st.text(max_size=200), content=st.binary(max_size=300))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=10, deadline=None)
def test_any_text_and_bytes_survive_the_wire(tmp_path: Path, name: str, value: str, content: bytes) -> None:
    session = replayed(
        tmp_path,
        ("glue", "GetTable", {"DatabaseName": "d", "Name": name}, {"Table": {"Name": "t", "Description": value}}, 200),
        ("s3", "GetObject", {"Bucket": "bkt", "Key": "k"}, b"\x00" + content, 200),
    )
    answer = session.client("glue").get_table(DatabaseName="d", Name=name)
    assert answer["Table"]["Description"] == mask_text(value)
    assert session.client("s3").get_object(Bucket="bkt", Key="k")["Body"].read() == b"\x00" + content
