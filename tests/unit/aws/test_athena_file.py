"""Athena's history from files: each form, gzipped or not, damaged, empty, large."""

from __future__ import annotations

import gzip
import json
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock, create_autospec

import pytest

from datahub_aws_lineage.aws.athena_file import AthenaFileReader, probe
from datahub_aws_lineage.aws.athena_rows import moment
from datahub_aws_lineage.errors import ConfigurationError, MalformedError
from datahub_aws_lineage.model.ports import Diagnostics
from datahub_aws_lineage.model.queries import QueryRecord, TimeWindow

START = datetime(2026, 3, 1, tzinfo=timezone.utc)
WINDOW = TimeWindow(START, START + timedelta(days=7))


@pytest.fixture
def diagnostics() -> MagicMock:
    mock: MagicMock = create_autospec(Diagnostics, instance=True)
    return mock


def execution(number: int, at: Any = "2026-03-02T10:00:00.123000+00:00", **more: Any) -> dict[str, Any]:
    status = {"State": "SUCCEEDED", "SubmissionDateTime": at}
    return {"QueryExecutionId": f"q{number}", "Query": "SELECT 1", "WorkGroup": "etl", "Status": status, **more}


ROW = {
    "query_execution_id": "q1",
    "query_string": "SELECT 1",
    "work_group_name": "etl",
    "state": "SUCCEEDED",
    "submission_date_time": "2026-03-02 10:00:00.123 UTC",
    "principal_arn": "arn:aws:iam::123456789012:user/alice",
    "database_name": "Sales",
    "tables_accessed": [{"table_name": "x"}],
}


def read(path: Path, diagnostics: MagicMock, **options: Any) -> list[QueryRecord]:
    return list(AthenaFileReader(path, diagnostics, WINDOW, **options).read_queries())


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(execution(1)),
        json.dumps({"QueryExecution": execution(1)}, indent=4),
        json.dumps({"QueryExecutions": [execution(1)], "UnprocessedQueryExecutionIds": []}, indent=2),
        json.dumps([execution(1)]),
        json.dumps(execution(1, at=1772445600.123)),  # version 1 of the AWS CLI
        json.dumps(ROW),
        "\ufeff" + json.dumps(execution(1)) + "\r\n",
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_each_form(tmp_path: Path, diagnostics: MagicMock, text: str, *, packed: bool) -> None:
    path = tmp_path / "history"
    path.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
    (record,) = read(path, diagnostics)
    assert (record.query_id, record.text, record.work_group) == ("q1", "SELECT 1", "etl")
    assert record.started_at == datetime(2026, 3, 2, 10, 0, 0, 123000, tzinfo=timezone.utc)
    probe(path)


def test_a_row_says_who_and_where(tmp_path: Path, diagnostics: MagicMock) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(ROW))
    (record,) = read(path, diagnostics)
    assert (record.actor, record.context.default_database) == (ROW["principal_arn"], "sales")


def test_a_damaged_value_costs_itself_alone(tmp_path: Path, diagnostics: MagicMock) -> None:
    lines = [json.dumps(execution(1)), '{"QueryExecutionId": "q2", oops', json.dumps(execution(3)), '"x"', "{}"]
    path = tmp_path / "history.jsonl"
    path.write_text("\n".join(lines) + "\n" + " " * 200 + "\n" + json.dumps(execution(4, at="yesterday")))
    assert [record.query_id for record in read(path, diagnostics)] == ["q1", "q3"]
    assert diagnostics.skipped.call_count == 4
    assert {call.args[0] for call in diagnostics.skipped.mock_calls} == {"malformed"}


def test_a_gzip_that_ends_early_is_a_failure_and_keeps_what_came(tmp_path: Path, diagnostics: MagicMock) -> None:
    path = tmp_path / "history.gz"
    whole = gzip.compress("\n".join(json.dumps(execution(number)) for number in range(60_000)).encode())
    path.write_bytes(whole[: len(whole) * 3 // 4])
    assert read(path, diagnostics)
    diagnostics.failure.assert_called_once()


@pytest.mark.parametrize("content", [b"", b"   \n", b"SELECT 1", b"\x00\x01\x02"])
def test_what_is_no_history_is_named(tmp_path: Path, diagnostics: MagicMock, content: bytes) -> None:
    path = tmp_path / "wrong"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match="wrong"):
        read(path, diagnostics)
    with pytest.raises(ConfigurationError, match="wrong"):
        probe(path)


def test_a_file_that_is_not_there(tmp_path: Path, diagnostics: MagicMock) -> None:
    with pytest.raises(ConfigurationError, match="No such file"):
        read(tmp_path / "missing", diagnostics)


def test_a_large_list_is_read_member_by_member(tmp_path: Path, diagnostics: MagicMock) -> None:
    path = tmp_path / "all.json"
    path.write_text(json.dumps([execution(number, Query="SELECT '" + "x" * 5000 + "'") for number in range(2000)]))
    assert len(read(path, diagnostics)) == 2000


def test_work_groups_by_pattern(tmp_path: Path, diagnostics: MagicMock) -> None:
    path = tmp_path / "history.jsonl"
    path.write_text(json.dumps(execution(1)))
    assert read(path, diagnostics, work_group_allowed=lambda name: name != "etl") == []
    assert diagnostics.skipped.call_args.args[0] == "filtered"


@pytest.mark.parametrize("value", ["", "soon", None, {}, 1e30])
def test_what_is_no_time(value: object) -> None:
    with pytest.raises(MalformedError):
        moment(value)
