"""How DataHub finds and tests the source, and what a recipe's readers and checks are."""

from __future__ import annotations

import json
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest
from datahub.ingestion.api import source as api
from datahub.ingestion.api.common import PipelineContext
from datahub.ingestion.api.source import CapabilityReport, SourceCapability
from datahub.ingestion.source.source_registry import source_registry

from datahub_aws_lineage.aws.redshift_data import Cluster, WorkGroup
from datahub_aws_lineage.config import AwsLineageConfig, RedshiftConfig
from datahub_aws_lineage.readers import data_api_target, open_window
from datahub_aws_lineage.snapshot import RecordingWriter
from datahub_aws_lineage.source import AwsLineageSource

DENIED = {"__type": "AccessDeniedException", "Message": "not today"}


@pytest.fixture
def recording(tmp_path: Path) -> RecordingWriter:
    return RecordingWriter(tmp_path / "account", region="eu-central-1", account_id="123456789012")


def connection_report(recording: RecordingWriter, **recipe: Any) -> api.TestConnectionReport:
    return AwsLineageSource.test_connection({"snapshot": str(recording.folder), **recipe})


def capability(report: api.TestConnectionReport, name: str) -> CapabilityReport:
    assert report.capability_report is not None
    return report.capability_report[name]


def test_datahub_finds_it_by_its_entry_point() -> None:
    (entry,) = (one for one in entry_points(group="datahub.ingestion.source.plugins") if one.name == "aws-lineage")
    assert entry.load() is AwsLineageSource
    assert source_registry.get("aws-lineage") is AwsLineageSource


def test_what_it_says_of_itself() -> None:
    found = {setting.capability for setting in AwsLineageSource.get_capabilities()}  # type: ignore[attr-defined]
    assert {SourceCapability.LINEAGE_FINE, SourceCapability.TEST_CONNECTION} <= found
    assert AwsLineageSource.get_platform_id() == "aws-lineage"  # type: ignore[attr-defined]


def test_each_part_of_the_recipe_is_answered_for(recording: RecordingWriter) -> None:
    with recording:
        recording.add("glue", "GetDatabases", {}, {"DatabaseList": [{"Name": "sales"}]})
        recording.add("glue", "GetTables", {"DatabaseName": "sales"}, DENIED, status=400)
        recording.add("athena", "ListWorkGroups", {}, {"WorkGroups": [{"Name": "primary", "State": "ENABLED"}]})
        recording.add("athena", "ListQueryExecutions", {"WorkGroup": "primary"}, {"QueryExecutionIds": []})
    report = connection_report(recording)
    assert report.internal_failure is None
    assert report.basic_connectivity == CapabilityReport(capable=True)
    assert capability(report, "Glue databases").capable
    assert capability(report, "Athena query history").capable
    denied = capability(report, "Glue tables")
    assert not denied.capable
    assert denied.failure_reason is not None
    assert "not today" in denied.failure_reason
    assert denied.mitigation_message == "Allow the IAM action glue:GetTables to this identity"
    assert json.loads(report.as_json())["capability_report"]["Glue tables"]["capable"] is False


def test_tags_of_lake_formation_are_answered_for_where_the_recipe_asks_for_them(recording: RecordingWriter) -> None:
    resource = {"Database": {"CatalogId": "123456789012", "Name": "sales"}}
    asked = {"CatalogId": "123456789012", "Resource": resource, "ShowAssignedLFTags": True}
    with recording:
        recording.add("glue", "GetDatabases", {}, {"DatabaseList": [{"Name": "sales", "CatalogId": "123456789012"}]})
        recording.add("glue", "GetTables", {"DatabaseName": "sales"}, {"TableList": []})
        recording.add("lakeformation", "GetResourceLFTags", asked, DENIED, status=400)
    recipe = {"athena": {"enabled": False}}
    report = connection_report(recording, glue={"extract_lakeformation_tags": True}, **recipe)
    denied = capability(report, "Lake Formation tags")
    assert not denied.capable
    assert denied.mitigation_message == "Allow the IAM action lakeformation:GetResourceLFTags to this identity"
    without = connection_report(recording, **recipe).capability_report
    assert without is not None
    assert "Lake Formation tags" not in without


def test_a_part_that_cannot_be_asked_does_not_hide_the_others(recording: RecordingWriter, tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    log.write_text("query_text\nSELECT 1\n")
    with recording:
        recording.add("glue", "GetDatabases", {}, {"DatabaseList": []})
        recording.add("glue", "GetTables", {"DatabaseName": "default"}, {"TableList": []})
    report = connection_report(
        recording,
        athena={"enabled": False},
        redshift=[
            {"name": "unreachable", "work_group": "wg", "query_logs": [{"type": "system_views"}]},
            {"name": "exported", "query_logs": [{"type": "file", "path": str(log)}]},
            {"name": "lost", "query_logs": [{"type": "file", "path": str(tmp_path / "gone.csv")}]},
            {"name": "audited", "query_logs": [{"type": "audit_log", "bucket": "b", "prefix": "p"}]},
            {"name": "logged", "query_logs": [{"type": "cloudwatch_logs", "log_group": "/aws/redshift/x/y"}]},
            {"name": "published", "query_logs": [{"type": "s3_tables", "namespace": "ns"}]},
        ],
    )
    assert report.capability_report is not None
    assert {name: found.capable for name, found in report.capability_report.items()} == {
        "Glue databases": True,
        "Glue tables": True,
        "Redshift unreachable: database dev": False,
        "Redshift unreachable: catalog of dev": False,
        "Redshift unreachable: query history": False,
        f"Redshift exported: file {log}": True,
        f"Redshift lost: file {tmp_path / 'gone.csv'}": False,
        "Redshift audited: audit log s3://b/p": False,
        "Redshift logged: log group /aws/redshift/x/y": False,
        "Redshift published: S3 tables ns": False,
    }


def test_an_identity_that_aws_refuses(recording: RecordingWriter) -> None:
    refused = "<ErrorResponse><Error><Code>ExpiredToken</Code><Message>expired</Message></Error></ErrorResponse>"
    with recording:
        recording.add("sts", "GetCallerIdentity", {}, refused, status=403, headers={"content-type": "text/xml"})
    basic = connection_report(recording).basic_connectivity
    assert basic is not None
    assert not basic.capable
    assert basic.mitigation_message == "Check aws_config, or the credentials of this machine"


@pytest.mark.parametrize(
    ("recipe", "says"),
    [
        ({"unknown": 1}, "unknown"),
        ({"snapshot": "nowhere"}, "nowhere is not a recording"),
    ],
)
def test_testing_the_connection_never_raises(recipe: dict[str, Any], says: str) -> None:
    report = AwsLineageSource.test_connection(recipe)
    assert report.internal_failure
    assert says in str(report.internal_failure_reason)


def test_without_a_session_each_part_says_so_and_a_file_is_tried(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text(LOGGED, encoding="utf-8")
    report = AwsLineageSource.test_connection(recipe_without_session(log))
    assert report.basic_connectivity is not None
    assert "no-such-profile" in str(report.basic_connectivity.failure_reason)
    assert report.capability_report is not None
    capable = {str(name): found.capable for name, found in report.capability_report.items()}
    assert capable.pop(f"Redshift exported: file {log}")
    assert not any(capable.values())
    assert capable


def test_without_a_session_an_exported_log_is_read_all_the_same(tmp_path: Path) -> None:
    """What needs AWS fails alone, as a failure: nothing is removed after such a run."""
    log = tmp_path / "log.jsonl"
    log.write_text(LOGGED, encoding="utf-8")
    config = AwsLineageConfig.model_validate(recipe_without_session(log))
    source = AwsLineageSource(config, PipelineContext(run_id="test"))
    units = list(source.get_workunits_internal())
    lineage = [unit for unit in units if "upstreamLineage" in unit.id]
    assert len(lineage) == 1
    told = " ".join(str(failure) for failure in source.report.failures)
    for part in ("Glue Data Catalog", "Athena query history", "Redshift live: catalog", "Redshift live: query history"):
        assert part in told
    assert "Redshift exported" not in told


@pytest.mark.usefixtures("no_region")
def test_an_exported_log_alone_needs_no_region(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text(LOGGED, encoding="utf-8")
    recipe = {
        "glue": {"enabled": False},
        "athena": {"enabled": False},
        "start_time": "2026-03-01T00:00:00Z",
        "end_time": "2026-03-03T00:00:00Z",
        "redshift": [{"name": "exported", "query_logs": [{"type": "file", "path": str(log)}]}],
    }
    source = AwsLineageSource(AwsLineageConfig.model_validate(recipe), PipelineContext(run_id="test"))
    assert any("upstreamLineage" in unit.id for unit in source.get_workunits_internal())
    assert not source.report.failures


@pytest.fixture
def no_region(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))


LOGGED = (
    '{"query_text": "create table mart.x as select a from raw.t", "start_time": "2026-03-02 10:00:00",'
    ' "database_name": "dev", "session_id": 1}\n'
)


def recipe_without_session(log: Path) -> dict[str, Any]:
    return {
        "aws_config": {"aws_region": "eu-west-1", "aws_profile": "no-such-profile"},
        "start_time": "2026-03-01T00:00:00Z",
        "end_time": "2026-03-03T00:00:00Z",
        "redshift": [
            {"name": "live", "work_group": "wg", "query_logs": [{"type": "system_views"}]},
            {"name": "exported", "query_logs": [{"type": "file", "path": str(log)}]},
        ],
    }


@pytest.mark.parametrize(
    ("settings", "target"),
    [
        ({"work_group": "wg", "secret_arn": "arn"}, WorkGroup("wg", "arn")),
        ({"cluster_identifier": "c", "database_user": "u"}, Cluster("c", "u")),
        ({"cluster_identifier": "c"}, Cluster("c")),
        ({"query_logs": [{"type": "file", "path": "x"}]}, None),
    ],
)
def test_how_the_data_api_reaches_a_warehouse(settings: dict[str, Any], target: WorkGroup | Cluster | None) -> None:
    assert data_api_target(RedshiftConfig.model_validate({"name": "x", **settings})) == target


def test_a_recording_brings_its_window(recording: RecordingWriter) -> None:
    given = {"start_time": "2026-03-01T00:00:00Z", "end_time": "2026-03-02T00:00:00Z"}
    recording.window = AwsLineageConfig.model_validate(given).window
    with recording:
        recording.add("glue", "GetDatabases", {}, {"DatabaseList": []})
    replayed = AwsLineageConfig.model_validate({"snapshot": str(recording.folder)})
    assert open_window(replayed) == recording.window
    chosen = AwsLineageConfig.model_validate({"snapshot": str(recording.folder), "start_time": "2026-03-01T12:00:00Z"})
    assert open_window(chosen) == chosen.window
