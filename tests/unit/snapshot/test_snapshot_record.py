"""Recording: from moto's server over HTTP, then replayed; and, where moto cannot, from another recording."""

from __future__ import annotations

import gzip
import io
import json
import os
import re
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from moto.server import ThreadedMotoServer

from datahub_aws_lineage.errors import SnapshotError
from datahub_aws_lineage.snapshot import (
    Recorder,
    Recording,
    RecordingWriter,
    attach_recorder,
    replaying_session,
    validate,
)

SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
SESSION_KEY = "AKIA" + "RECORDERSESSION1"
REGION = "eu-central-1"
LOG = (
    "'2024-03-01T10:00:00Z UTC [ db=dev user=etl pid=1 userid=1 xid=1 ]' LOG: COPY t FROM 's3://b/p' "
    f"CREDENTIALS 'aws_access_key_id=x;aws_secret_access_key={SECRET}'\n"
)


class Account:
    """An account that moto's server keeps, and sessions to it."""

    def __init__(self, url: str) -> None:
        self.url = url

    def session(self) -> boto3.Session:
        return boto3.Session(aws_access_key_id=SESSION_KEY, aws_secret_access_key=SECRET, region_name=REGION)

    def client(self, session: Any, service: str) -> Any:
        return session.client(service, endpoint_url=self.url, config=Config(s3={"addressing_style": "path"}))


@pytest.fixture(scope="module")
def account() -> Iterator[Account]:
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        made = Account(f"http://{host}:{port}")
        fill(made)
        yield made
    finally:
        server.stop()


def fill(account: Account) -> None:
    session = account.session()
    glue, s3, athena = (account.client(session, service) for service in ("glue", "s3", "athena"))
    glue.create_database(DatabaseInput={"Name": "sales", "Description": "Verkäufe", "Parameters": {"owner": "finance"}})
    for name in ("orders", "items"):
        storage = {
            "Columns": [{"Name": "id", "Type": "bigint"}, {"Name": "password", "Type": "struct<hash:string>"}],
            "Location": f"s3://lake/sales/{name}/",
        }
        glue.create_table(
            DatabaseName="sales",
            TableInput={"Name": name, "StorageDescriptor": storage, "Parameters": {"jdbc.password": SECRET}},
        )
    glue.create_connection(
        ConnectionInput={
            "Name": "erp",
            "ConnectionType": "JDBC",
            "ConnectionProperties": {"JDBC_CONNECTION_URL": "jdbc:mysql://h/db", "USERNAME": "u", "PASSWORD": SECRET},
        }
    )
    s3.create_bucket(Bucket="logs", CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket="logs", Key="audit/1 a+b.gz", Body=gzip.compress(LOG.encode() * 500))
    s3.put_object(Bucket="logs", Key="plain.gz", Body=gzip.compress(b"SELECT 1\n" * 50_000), Metadata={"made-by": "x"})
    s3.put_object(Bucket="logs", Key="job.py", Body=f'option("password", "{SECRET}")\n'.encode())
    athena.create_work_group(Name="analysts", Configuration={})


def read_everything(account: Account, session: Any) -> dict[str, Any]:
    """What a run of the readers might ask, answers and errors, parsed; bodies read."""
    glue, s3, athena, sts = (account.client(session, service) for service in ("glue", "s3", "athena", "sts"))
    answers: dict[str, Any] = {
        "identity": sts.get_caller_identity(),
        "databases": glue.get_databases(),
        "tables": list(glue.get_paginator("get_tables").paginate(DatabaseName="sales")),
        "work groups": athena.list_work_groups(),
        "executions": athena.list_query_executions(WorkGroup="analysts"),
        "objects": list(s3.get_paginator("list_objects_v2").paginate(Bucket="logs", PaginationConfig={"PageSize": 1})),
        "head": s3.head_object(Bucket="logs", Key="plain.gz"),
        "plain": s3.get_object(Bucket="logs", Key="plain.gz"),
        "range": s3.get_object(Bucket="logs", Key="plain.gz", Range="bytes=0-9"),
    }
    for name in ("plain", "range"):
        answers[name]["Body"] = answers[name]["Body"].read()
    failing: dict[str, Callable[[], Any]] = {
        "no table": lambda: glue.get_table(DatabaseName="sales", Name="absent"),
        "no object": lambda: s3.get_object(Bucket="logs", Key="absent"),
        "no head": lambda: s3.head_object(Bucket="logs", Key="absent"),
        "no bucket": lambda: s3.list_objects_v2(Bucket="absent"),
    }
    for name, call in failing.items():
        with pytest.raises(ClientError) as caught:
            call()
        answers[name] = {"type": type(caught.value).__name__, **caught.value.response}
    return {name: without_metadata(answer) for name, answer in answers.items()}


def without_metadata(value: Any) -> Any:
    """Request ids and transport headers are of the transport; the rest must be equal."""
    if isinstance(value, dict):
        return {name: without_metadata(member) for name, member in value.items() if name != "ResponseMetadata"}
    return [without_metadata(item) for item in value] if isinstance(value, list) else value


def everything_stored(folder: Path) -> bytes:
    contents = [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
    return b"\n".join(gzip.decompress(c) if c.startswith(b"\x1f\x8b") else c for c in contents)


def stored(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def masked(value: Any) -> Any:
    """`AKIA…` is what moto gives as the caller's user id."""
    text = json.dumps(value, default=repr).replace(SECRET, "********")
    return json.loads(re.sub(r"AKIA[A-Z0-9]{16}", "********", text))


def test_a_recorded_account_replays_as_it_answered(account: Account, tmp_path: Path) -> None:
    session = account.session()
    with attach_recorder(session, tmp_path) as recorder:
        live = read_everything(account, session)
    assert recorder.recorded["glue", "GetTables"] == 1
    assert recorder.recorded["s3", "ListObjectsV2"] == 4
    assert not recorder.unrecorded

    replayed = read_everything(account, replaying_session(tmp_path))
    assert masked(replayed) == masked(live)
    assert replayed["plain"] == live["plain"]
    assert replayed["databases"] == live["databases"]
    assert Recording.load(tmp_path).account_id == live["identity"]["Account"]
    assert not list(tmp_path.rglob("*.part"))
    assert validate(tmp_path) == []


def test_running_again_doubles_nothing(account: Account, tmp_path: Path) -> None:
    def record() -> dict[str, int]:
        session = account.session()
        with attach_recorder(session, tmp_path):
            read_everything(account, session)
        return {name: content.count(b"\n") for name, content in stored(tmp_path).items() if name.endswith(".jsonl")}

    first = record()
    objects = {path.name for path in (tmp_path / "objects").iterdir()}
    assert record() == first
    assert {path.name for path in (tmp_path / "objects").iterdir()} == objects


def test_no_secret_is_stored(account: Account, tmp_path: Path) -> None:
    session = account.session()
    with attach_recorder(session, tmp_path) as recorder:
        glue, s3, sts = (account.client(session, service) for service in ("glue", "s3", "sts"))
        glue.get_tables(DatabaseName="sales")
        connection = glue.get_connections()["ConnectionList"][0]
        log = s3.get_object(Bucket="logs", Key="audit/1 a+b.gz")["Body"].read()
        script = s3.get_object(Bucket="logs", Key="job.py", ChecksumMode="ENABLED")["Body"].read()
        role = sts.assume_role(RoleArn="arn:aws:iam::123456789012:role/reader", RoleSessionName="reader")
        athena = account.client(session, "athena")
        sql = f"CREATE USER joe PASSWORD '{SECRET}'"
        athena.start_query_execution(QueryString=sql, ResultConfiguration={"OutputLocation": "s3://logs/out/"})

    # The caller sees what the service said.
    assert connection["ConnectionProperties"]["PASSWORD"] == SECRET
    assert gzip.decompress(log) == LOG.encode() * 500
    assert SECRET.encode() in script

    content = everything_stored(tmp_path)
    for secret in (SECRET, SESSION_KEY, role["Credentials"]["SecretAccessKey"], role["Credentials"]["SessionToken"]):
        assert secret.encode() not in content
    assert b"Signature" not in content
    assert b"aws_secret_access_key=********" in content
    assert recorder.unrecorded == {("sts", "AssumeRole"): 1}
    assert [problem for problem in validate(tmp_path) if "credential" in problem] == []

    # A request is found again by what it was, although its secret was not kept; a masked body has no stale check sum.
    again = replaying_session(tmp_path)
    assert account.client(again, "athena").start_query_execution(
        QueryString=sql, ResultConfiguration={"OutputLocation": "s3://logs/out/"}
    )["QueryExecutionId"]
    body = account.client(again, "s3").get_object(Bucket="logs", Key="job.py", ChecksumMode="ENABLED")["Body"]
    assert body.read() == b'option("password", "********")\n'


def test_the_caller_may_stream_or_leave_a_body(account: Account, tmp_path: Path) -> None:
    session = account.session()
    with attach_recorder(session, tmp_path):
        s3 = account.client(session, "s3")
        with gzip.open(s3.get_object(Bucket="logs", Key="plain.gz")["Body"]) as lines:
            assert next(iter(lines)) == b"SELECT 1\n"
        lines_read = list(s3.get_object(Bucket="logs", Key="job.py")["Body"].iter_lines())
        buffer = io.BytesIO()
        s3.download_fileobj("logs", "job.py", buffer)
    assert lines_read == buffer.getvalue().splitlines()
    again = account.client(replaying_session(tmp_path), "s3")
    assert gzip.decompress(again.get_object(Bucket="logs", Key="plain.gz")["Body"].read()) == b"SELECT 1\n" * 50_000


def test_writes_pass_through_and_are_counted(account: Account, tmp_path: Path) -> None:
    session = account.session()
    with attach_recorder(session, tmp_path) as recorder:
        s3 = account.client(session, "s3")
        s3.put_object(Bucket="logs", Key="new/object", Body=io.BytesIO(b"x"))
        s3.delete_object(Bucket="logs", Key="new/object")
    assert recorder.unrecorded == {("s3", "PutObject"): 1, ("s3", "DeleteObject"): 1}
    assert sorted(stored(tmp_path)) == ["snapshot.json"]


def test_threads_record_every_answer(account: Account, tmp_path: Path) -> None:
    session = account.session()
    with attach_recorder(session, tmp_path) as recorder:
        glue = account.client(session, "glue")
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(lambda n: glue.get_databases(MaxResults=n + 1), range(40)))
    assert recorder.recorded["glue", "GetDatabases"] == 40
    assert len(Recording.load(tmp_path).exchanges["glue", "GetDatabases"]) == 40


# ---- from another recording, where each answer can be chosen --------------------------------------------------------


def scripted(folder: Path, *answers: tuple[dict[str, Any], Any, int]) -> Any:
    """A session that answers glue GetDatabases, by request, as told."""
    with RecordingWriter(folder, region=REGION, account_id="123456789012") as recording:
        for request, body, status in answers:
            recording.add("glue", "GetDatabases", request, body, status=status)
    return replaying_session(folder)


def databases(*names: str) -> dict[str, Any]:
    return {"DatabaseList": [{"Name": name} for name in names]}


def listed(recording: Path, **params: Any) -> list[str]:
    answer = replaying_session(recording).client("glue").get_databases(**params)
    return [database["Name"] for database in answer["DatabaseList"]]


THROTTLED = {"__type": "ThrottlingException", "Message": "Rate exceeded"}
DENIED = {"__type": "AccessDeniedException", "Message": "not authorized"}
EXPIRED = {"__type": "ExpiredTokenException", "Message": "expired"}


def test_only_the_final_answer_of_retries_is_kept(tmp_path: Path) -> None:
    session = scripted(tmp_path / "aws", ({}, THROTTLED, 400), ({}, databases("a"), 200))
    with attach_recorder(session, tmp_path / "out") as recorder:
        session.client("glue").get_databases()
    assert recorder.recorded == {("glue", "GetDatabases"): 1}
    assert [e.status for e in Recording.load(tmp_path / "out").exchanges["glue", "GetDatabases"]] == [200]


@pytest.mark.parametrize(
    ("body", "status", "kept"),
    [
        (DENIED, 400, True),
        (THROTTLED, 400, False),
        (EXPIRED, 400, False),
        ({"__type": "InternalServiceException"}, 500, False),
    ],
)
def test_errors_that_say_something_of_the_account_are_kept(
    tmp_path: Path, body: dict[str, Any], status: int, *, kept: bool
) -> None:
    session = scripted(tmp_path / "aws", ({}, body, status))
    with attach_recorder(session, tmp_path / "out") as recorder:
        glue = session.client("glue", config=Config(retries={"total_max_attempts": 1}))
        with pytest.raises(ClientError):
            glue.get_databases()
    assert (recorder.recorded.total(), recorder.unrecorded.total()) == ((1, 0) if kept else (0, 1))
    assert bool(Recording.load(tmp_path / "out").exchanges) is kept


def test_polls_without_news_are_kept_once(tmp_path: Path) -> None:
    answers: list[tuple[dict[str, Any], Any, int]] = [({}, databases(name), 200) for name in ("a", "a", "a", "b", "a")]
    session = scripted(tmp_path / "aws", *answers)
    with attach_recorder(session, tmp_path / "out"):
        glue = session.client("glue")
        for _ in answers:
            glue.get_databases()
    kept = Recording.load(tmp_path / "out").exchanges["glue", "GetDatabases"]
    assert [exchange.body for exchange in kept] == [databases("a"), databases("b"), databases("a")]


def test_a_second_run_answers_anew_and_keeps_the_rest(tmp_path: Path) -> None:
    out = tmp_path / "out"
    first = scripted(tmp_path / "1", ({}, databases("a"), 200), ({"CatalogId": "1"}, databases("kept"), 200))
    with attach_recorder(first, out):
        first.client("glue").get_databases()
        first.client("glue").get_databases(CatalogId="1")
    second = scripted(tmp_path / "2", ({}, databases("b"), 200), ({"CatalogId": "2"}, databases("new"), 200))
    with attach_recorder(second, out):
        second.client("glue").get_databases()
        second.client("glue").get_databases(CatalogId="2")
    assert listed(out) == ["b"]
    assert listed(out, CatalogId="1") == ["kept"]
    assert listed(out, CatalogId="2") == ["new"]
    assert len(Recording.load(out).exchanges["glue", "GetDatabases"]) == 3


def test_pages_and_statements_that_a_second_run_left_behind_are_dropped(tmp_path: Path) -> None:
    sql = {"Sql": "select 1", "Database": "dev", "WorkgroupName": "www"}
    for run in ("1", "2"):
        with RecordingWriter(tmp_path / run, region=REGION) as recording:
            recording.add("glue", "GetDatabases", {}, {**databases("a"), "NextToken": f"b{run}"})
            recording.add("glue", "GetDatabases", {"NextToken": f"b{run}"}, {**databases("b"), "NextToken": f"c{run}"})
            recording.add("glue", "GetDatabases", {"NextToken": f"c{run}"}, databases("c"))
            recording.add("redshift-data", "ExecuteStatement", sql, {"Id": f"id{run}"})
            recording.add(
                "redshift-data", "DescribeStatement", {"Id": f"id{run}"}, {"Id": f"id{run}", "Status": "FINISHED"}
            )
        session: Any = replaying_session(tmp_path / run)
        with attach_recorder(session, tmp_path / "out"):
            list(session.client("glue").get_paginator("get_databases").paginate())
            client = session.client("redshift-data")
            client.describe_statement(Id=client.execute_statement(**sql)["Id"])
    assert validate(tmp_path / "out") == []
    assert Recording.load(tmp_path / "out").exchanges == Recording.load(tmp_path / "2").exchanges


def test_a_recording_stopped_at_the_keyboard_is_settled(tmp_path: Path) -> None:
    session = scripted(tmp_path / "aws", ({}, databases("a"), 200))

    def stopped() -> None:
        with attach_recorder(session, tmp_path / "out"):
            session.client("glue").get_databases()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert listed(tmp_path / "out") == ["a"]
    assert not list((tmp_path / "out").rglob("*.part"))


def test_a_killed_recording_is_readable_and_carried_on(tmp_path: Path) -> None:
    aws, out = tmp_path / "aws", tmp_path / "out"
    answers = [({"CatalogId": str(number)}, databases(f"d{number}"), 200) for number in range(4)]
    session = scripted(aws, *answers)
    script = f"""
        import os, signal
        from datahub_aws_lineage.snapshot import attach_recorder, replaying_session
        session = replaying_session({str(aws)!r})
        attach_recorder(session, {str(out)!r})
        glue = session.client("glue")
        for number in range(3):
            glue.get_databases(CatalogId=str(number))
        os.kill(os.getpid(), signal.SIGKILL)
    """
    killed = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=False, env={**os.environ})
    assert killed.returncode == -signal.SIGKILL
    assert (out / "glue" / "GetDatabases.jsonl.part").exists()
    assert [listed(out, CatalogId=str(number)) for number in range(3)] == [["d0"], ["d1"], ["d2"]]

    with attach_recorder(session, out):
        glue = session.client("glue")
        for number in (2, 3):
            glue.get_databases(CatalogId=str(number))
    assert [listed(out, CatalogId=str(number)) for number in range(4)] == [["d0"], ["d1"], ["d2"], ["d3"]]
    assert len(Recording.load(out).exchanges["glue", "GetDatabases"]) == 4
    assert not list(out.rglob("*.part"))


def test_a_journal_torn_at_any_byte_is_readable(tmp_path: Path) -> None:
    out = tmp_path / "out"
    names = ["a", "b", "c"]
    session = scripted(tmp_path / "aws", *[({"CatalogId": name}, databases(name), 200) for name in names])
    attach_recorder(session, out)  # never closed, as by a kill
    glue = session.client("glue")
    for name in names:
        glue.get_databases(CatalogId=name)
    journal = out / "glue" / "GetDatabases.jsonl.part"
    content = journal.read_bytes()
    for end in range(len(content) + 1):
        journal.write_bytes(content[:end])
        whole = content[:end].count(b"\n")
        assert len(Recording.load(out).exchanges["glue", "GetDatabases"]) == whole
    journal.write_bytes(content[:-5])
    attach_recorder(replaying_session(tmp_path / "aws"), out).close()
    assert len(Recording.load(out).exchanges["glue", "GetDatabases"]) == 2
    assert not journal.exists()


class TestFolders:
    def test_another_region_is_refused(self, tmp_path: Path) -> None:
        Recorder(tmp_path, "eu-central-1").close()
        with pytest.raises(SnapshotError, match="of eu-central-1, and this session is of us-east-1"):
            Recorder(tmp_path, "us-east-1")

    def test_another_account_is_refused(self, tmp_path: Path) -> None:
        for account_id in ("111111111111", "222222222222"):
            RecordingWriter(tmp_path / account_id, region=REGION, account_id=account_id).__exit__(None, None, None)
        first, second = (replaying_session(tmp_path / name) for name in ("111111111111", "222222222222"))
        with attach_recorder(first, tmp_path / "out"):
            first.client("sts").get_caller_identity()
        with attach_recorder(second, tmp_path / "out"), pytest.raises(SnapshotError, match="of account 111111111111"):
            second.client("sts").get_caller_identity()

    def test_a_folder_of_something_else_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "notes.txt").write_text("mine")
        with pytest.raises(SnapshotError, match="not a recording"):
            Recorder(tmp_path, REGION)
        assert sorted(stored(tmp_path)) == ["notes.txt"]

    def test_a_session_without_region_is_refused(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("AWS_DEFAULT_REGION", "AWS_REGION", "AWS_PROFILE"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
        with pytest.raises(SnapshotError, match="region"):
            attach_recorder(boto3.Session(), tmp_path)

    def test_a_folder_that_cannot_be_written_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("x")
        with pytest.raises(SnapshotError, match="cannot be written"):
            Recorder(tmp_path / "file" / "folder", REGION)

    def test_after_closing_nothing_is_recorded(self, tmp_path: Path) -> None:
        session = scripted(tmp_path / "aws", ({}, databases("a"), 200))
        recorder = attach_recorder(session, tmp_path / "out")
        recorder.close()
        recorder.close()
        session.client("glue").get_databases()
        assert not recorder.recorded
        assert not Recording.load(tmp_path / "out").exchanges


@pytest.mark.parametrize("body", ["<html>a proxy's page</html>", '{"DatabaseList": [], "NextToken": NaN}', ""])
def test_a_body_that_is_not_json_is_kept_as_it_came(tmp_path: Path, body: str) -> None:
    session = scripted(tmp_path / "aws", ({}, body, 200))
    with attach_recorder(session, tmp_path / "out"):
        live = session.client("glue").get_databases()
    assert [exchange.body for exchange in Recording.load(tmp_path / "out").exchanges["glue", "GetDatabases"]] == [body]
    assert without_metadata(replaying_session(tmp_path / "out").client("glue").get_databases()) == without_metadata(
        live
    )


def test_an_answer_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    session = scripted(tmp_path / "aws", ({}, databases("a"), 200))
    attach_recorder(session, tmp_path / "out")
    (tmp_path / "out" / "glue").write_text("in the way")
    with pytest.raises(SnapshotError, match="cannot be written"):
        session.client("glue").get_databases()
