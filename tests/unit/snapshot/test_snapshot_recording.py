"""The folder: what is written, what is read back, what is refused."""

from __future__ import annotations

import gzip
import json
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from datahub_aws_lineage.errors import SnapshotError
from datahub_aws_lineage.model.queries import TimeWindow
from datahub_aws_lineage.model.secrets import mask_bytes, mask_json, mask_text
from datahub_aws_lineage.snapshot import Recording, RecordingWriter
from datahub_aws_lineage.snapshot.exchange import Exchange, ObjectFile, build_exchange, parse_line

UTC = timezone.utc
WINDOW = TimeWindow(datetime(2024, 3, 1, tzinfo=UTC), datetime(2024, 4, 1, 12, 30, tzinfo=UTC))

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
json_objects = st.dictionaries(st.text(), json_values, max_size=3)


def write(folder: Path, **about: Any) -> RecordingWriter:
    return RecordingWriter(folder, **{"region": "eu-central-1", "account_id": "123456789012", **about})


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_the_layout(tmp_path: Path) -> None:
    moment = datetime(2024, 3, 1, 12, tzinfo=timezone(timedelta(hours=2)))
    with write(tmp_path, window=WINDOW) as recording:
        recording.add("glue", "GetDatabases", {}, {"DatabaseList": [{"Name": "sales", "CreateTime": moment}]})
        recording.add("cloudtrail", "LookupEvents", {"StartTime": moment}, {}, headers={"Content-Type": "x"})
        recording.add("s3", "GetObject", {"Bucket": "b", "Key": "log.gz"}, gzip.compress(b"x", mtime=0))
        recording.add("s3", "GetObject", {"Bucket": "b", "Key": "script.py"}, b"print(1)\r\n")

    written = files(tmp_path)
    assert json.loads(written["snapshot.json"]) == {
        "version": 1,
        "region": "eu-central-1",
        "account_id": "123456789012",
        "window": {"start": "2024-03-01T00:00:00Z", "end": "2024-04-01T12:30:00Z"},
    }
    assert written["glue/GetDatabases.jsonl"] == (
        b'{"request": {}, "status": 200, "body": {"DatabaseList": [{"CreateTime": 1709287200, "Name": "sales"}]}}\n'
    )
    assert written["cloudtrail/LookupEvents.jsonl"] == (
        b'{"request": {"StartTime": "2024-03-01T10:00:00Z"}, "status": 200, '
        b'"headers": {"content-type": "x"}, "body": {}}\n'
    )
    log, script = (json.loads(line) for line in written["s3/GetObject.jsonl"].splitlines())
    assert gzip.decompress(written[log["body_file"]]) == b"x"
    assert log["body_file"].endswith(".gz")
    assert script["body"] == "print(1)\r\n"
    assert len(written) == 5

    recording_read = Recording.load(tmp_path)
    assert (recording_read.region, recording_read.account_id) == ("eu-central-1", "123456789012")
    assert recording_read.window == WINDOW


def test_the_same_exchanges_make_the_same_bytes(tmp_path: Path) -> None:
    for name, body in (("a", {"x": 1, "y": {"p": 1, "q": 2}}), ("b", {"y": {"q": 2, "p": 1}, "x": 1})):
        with write(tmp_path / name) as recording:
            recording.add("glue", "GetTables", {"DatabaseName": "d", "CatalogId": "1"}, body)
            recording.add("glue", "GetTable", {"Name": "t"}, b"\xff" * 10)
    assert files(tmp_path / "a") == files(tmp_path / "b")


def test_writing_again_leaves_nothing_of_before(tmp_path: Path) -> None:
    with write(tmp_path) as recording:
        recording.add("athena", "ListWorkGroups", {}, {})
        recording.add("s3", "GetObject", {"Key": "old"}, b"\xff")
    (tmp_path / "README.md").write_text("kept")
    with write(tmp_path, region="us-east-1") as recording:
        recording.add("s3", "GetObject", {"Key": "new"}, b"\xfe")
    written = files(tmp_path)
    assert sorted(name.split("/")[0] for name in written) == ["README.md", "objects", "s3", "snapshot.json"]
    assert Recording.load(tmp_path).region == "us-east-1"


def test_a_failing_block_writes_nothing(tmp_path: Path) -> None:
    def interrupted() -> None:
        with write(tmp_path / "new") as recording:
            recording.add("s3", "GetObject", {"Key": "k"}, b"\xff")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not (tmp_path / "new").exists()


def test_a_folder_that_is_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "glue").mkdir()
    (tmp_path / "glue" / "mine.jsonl").write_text("mine")
    with pytest.raises(SnapshotError, match="not a recording"), write(tmp_path) as recording:
        recording.add("glue", "GetDatabases", {}, {})
    assert files(tmp_path) == {"glue/mine.jsonl": b"mine"}


@pytest.mark.parametrize(
    ("service", "operation", "request_", "body"),
    [
        ("../up", "GetDatabases", {}, {}),
        ("glue", "Get/Databases", {}, {}),
        ("glue", "GetDatabases", {"a": object()}, {}),
        ("glue", "GetDatabases", {}, {"a": datetime(2024, 1, 1)}),  # noqa: DTZ001 - what is refused
        ("glue", "GetDatabases", {}, {"a": float("nan")}),
        ("glue", "GetDatabases", {}, {1: "a"}),
    ],
)
def test_what_cannot_be_kept_is_refused_where_it_is_added(
    tmp_path: Path, service: str, operation: str, request_: dict[str, Any], body: dict[Any, Any]
) -> None:
    with pytest.raises(SnapshotError):
        write(tmp_path).add(service, operation, request_, body)


@pytest.mark.parametrize(
    ("about", "message"),
    [
        (None, "not a recording"),
        (b"{", "cannot be read"),
        (b"[]", "cannot be read"),
        (b'{"version": 2, "region": "x"}', "version 2"),
        (b'{"version": 1}', "cannot be read"),
        (b'{"version": 1, "region": "x", "window": {"start": "today"}}', "cannot be read"),
    ],
)
def test_a_folder_that_cannot_be_read_says_why(tmp_path: Path, about: bytes | None, message: str) -> None:
    if about is not None:
        (tmp_path / "snapshot.json").write_bytes(about)
    with pytest.raises(SnapshotError, match=message):
        Recording.load(tmp_path)


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "[]",
        '{"request": {}, "status": 200}',
        '{"request": [], "status": 200, "body": {}}',
        '{"request": {}, "status": "200", "body": {}}',
        '{"request": {}, "status": 200, "body": 1}',
        '{"request": {}, "status": 200, "headers": {"a": 1}, "body": {}}',
        '{"request": {}, "status": 200, "body_file": "/etc/hostname"}',
        '{"request": {}, "status": 200, "body_file": "objects/../../secret"}',
        '{"request": {}, "status": 200, "body_file": "glue/GetDatabases.jsonl"}',
    ],
)
def test_a_damaged_or_hostile_line_is_named(tmp_path: Path, line: str) -> None:
    with write(tmp_path) as recording:
        recording.add("glue", "GetDatabases", {}, {})
    with (tmp_path / "glue" / "GetDatabases.jsonl").open("a") as exchanges:
        exchanges.write(line + "\n")
    with pytest.raises(SnapshotError, match=r"GetDatabases\.jsonl, line 2"):
        Recording.load(tmp_path)


def test_an_object_that_links_elsewhere_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("private")
    folder = tmp_path / "recording"
    with write(folder) as recording:
        recording.add("s3", "GetObject", {"Key": "k"}, b"\xff")
    (stored,) = (folder / "objects").iterdir()
    stored.unlink()
    stored.symlink_to(tmp_path / "outside")
    with pytest.raises(SnapshotError, match="does not name a file"):
        Recording.load(folder)


def test_a_missing_object_is_named(tmp_path: Path) -> None:
    with pytest.raises(SnapshotError, match="objects/0"):
        ObjectFile(tmp_path, "objects/0").read()


def round_trip(body: Any) -> bytes:
    folder = Path("unused")
    exchange, content = build_exchange(folder, {}, body, status=200, headers={})
    read = parse_line(folder, exchange.line())
    assert read == Exchange({}, 200, {}, read.body)
    return content if isinstance(read.body, ObjectFile) else read.content()


@given(json_objects | st.lists(json_values, max_size=3))
def test_json_bodies_round_trip(body: Any) -> None:
    assert json.loads(round_trip(body)) == mask_json(body)


@given(st.text() | st.just("\ud800 lone \u2028\x85\r\n\x00"))
def test_text_bodies_round_trip(body: str) -> None:
    assert round_trip(body) == mask_text(body).encode("utf-8", "surrogatepass")


@given(st.binary() | st.binary(max_size=100).map(gzip.compress) | st.just(b"x" * 70_000))
def test_binary_bodies_round_trip(body: bytes) -> None:
    assert round_trip(body) == mask_bytes(body)


@given(st.lists(st.tuples(json_objects, json_objects), max_size=6))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
def test_exchanges_come_back_in_order(tmp_path: Path, pairs: list[tuple[Any, Any]]) -> None:
    with write(tmp_path) as recording:
        for request, body in pairs:
            recording.add("glue", "GetTable", request, body)
    read = Recording.load(tmp_path).exchanges.get(("glue", "GetTable"), ())
    by_key: dict[str, list[Any]] = {}
    for request, body in pairs:
        by_key.setdefault(json.dumps(mask_json(request), sort_keys=True), []).append(mask_json(body))
    assert [exchange.body for exchange in read] == [body for bodies in by_key.values() for body in bodies]
