"""The recipe: what it accepts, and that whatever would do nothing is refused by name."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from freezegun import freeze_time
from pydantic import ValidationError

from datahub_aws_lineage.config import AuditLog, AwsLineageConfig, FileLog, LogGroup, PublishedTables, SystemViewsLog
from datahub_aws_lineage.config.recipes import load_recipe, parse_recipe
from datahub_aws_lineage.errors import ConfigurationError

SERVERLESS = {"name": "analytics", "work_group": "wg"}
LOGGED = {"query_logs": [{"type": "system_views"}]}
CLUSTER = {"name": "ledger", "cluster_identifier": "c1", "database_user": "reader"}


def config(**settings: Any) -> AwsLineageConfig:
    return AwsLineageConfig.model_validate(settings)


def refusal(**settings: Any) -> str:
    with pytest.raises(ValidationError) as refused:
        config(**settings)
    return str(refused.value)


def test_an_empty_recipe_reads_the_catalog_and_athena_of_the_ambient_credentials() -> None:
    defaults = config()
    assert defaults.glue.enabled
    assert defaults.athena.reads_history
    assert defaults.redshift == []
    assert defaults.incremental_lineage is True
    assert defaults.query_text == "full"
    assert (defaults.env, defaults.platform_instance, defaults.snapshot) == ("PROD", None, None)


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({"databse_pattern": {}}, "databse_pattern"),
        ({"glue": {"catalogid": "1"}}, "glue.catalogid"),
        ({"athena": {"catalogs": {"lambda": {"platfrom": "mysql"}}}}, "athena.catalogs.lambda.platfrom"),
        ({"redshift": [{**SERVERLESS, "workgroup": "w"}]}, "redshift.0.workgroup"),
        ({"redshift": [{**SERVERLESS, "query_logs": [{"type": "file", "file": "x"}]}]}, "query_logs.0.file.file"),
        ({"aws_config": {"region": "eu-central-1"}}, "aws_config.region"),
        ({"stateful_ingestion": {"enable": True}}, "stateful_ingestion.enable"),
    ],
)
def test_an_unknown_key_is_named(settings: dict[str, Any], key: str) -> None:
    assert key in refusal(**settings)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"snapshot": "s", "aws_config": {"aws_region": "eu-central-1"}}, "aws_config.aws_region: no effect"),
        ({"glue": {"enabled": False, "catalog_id": "1"}}, "catalog_id: no effect, because glue.enabled is false"),
        (
            {"athena": {"include_query_history": False, "work_group_pattern": {"allow": ["etl"]}}},
            "work_group_pattern: no effect, because athena.include_query_history is false",
        ),
        ({"athena": {"enabled": False, "include_query_history": True}}, "because athena.enabled is false"),
        ({"glue": {"enabled": False}, "athena": {"enabled": False}}, "nothing to read"),
        ({"table_pattern": {"allow": ["sales", "(["]}}, "'([' is no regular expression"),
        ({"athena": {"work_group_pattern": {"deny": ["*x"]}}}, "'*x' is no regular expression"),
        ({"redshift": [{"name": "lonely"}]}, "lonely: nothing to read"),
        ({"redshift": [{**SERVERLESS, "include_catalog": False}]}, "analytics: nothing to read"),
        ({"redshift": [{**SERVERLESS, "cluster_identifier": "c"}]}, "work_group or cluster_identifier, not both"),
        ({"redshift": [{**SERVERLESS, "database_user": "u"}]}, "database_user: no effect"),
        (
            {"redshift": [{"name": "x", "query_logs": [{"type": "cloudwatch_logs", "log_group": "/a/b/userlog"}]}]},
            "/a/b/userlog holds no statements: give the log group that ends in /useractivitylog",
        ),
        ({"redshift": [{**CLUSTER, "secret_arn": "arn"}]}, "database_user or secret_arn, not both"),
        (
            {"redshift": [{"name": "x", "query_logs": [{"type": "system_views"}]}]},
            "x: query_logs of type system_views need work_group or cluster_identifier",
        ),
        (
            {"redshift": [{"name": "x", "secret_arn": "a", "query_logs": [{"type": "file", "path": "x.csv"}]}]},
            "secret_arn: no effect, because neither work_group nor cluster_identifier is given",
        ),
        (
            {"redshift": [{"name": "x", "all_databases": True, "query_logs": [{"type": "file", "path": "x.csv"}]}]},
            "all_databases: no effect, because neither work_group nor cluster_identifier is given",
        ),
        (
            {"redshift": [{**SERVERLESS, "include_log_tables": True}]},
            "include_log_tables: no effect, because the catalog is read",
        ),
        (
            {"redshift": [{**SERVERLESS, **LOGGED, "include_catalog": False, "include_log_tables": True}]},
            "include_log_tables: no effect, because include_catalog is false",
        ),
        ({"redshift": [SERVERLESS, {**SERVERLESS, "work_group": "other"}]}, "analytics is given more than once"),
        ({"redshift": [{**SERVERLESS, "databases": []}]}, "redshift.0.databases"),
        ({"athena": {"catalogs": {"AwsDataCatalog": {"platform": "glue"}}}}, "needs no entry"),
        ({"athena": {"catalogs": {"L": {"platform": "a"}, "l": {"platform": "b"}}}}, "differ only in case"),
        (
            {
                "include_catalog_metadata": False,
                "stateful_ingestion": {"enabled": True},
                "athena": {"enable_stateful_time_window": False},
            },
            "stateful_ingestion: no effect, because include_catalog_metadata is false",
        ),
        (
            {"glue": {"enabled": False, "extract_lakeformation_tags": True}},
            "extract_lakeformation_tags: no effect, because glue.enabled is false",
        ),
        (
            {"include_catalog_metadata": False, "glue": {"extract_lakeformation_tags": True}},
            "extract_lakeformation_tags: no effect, because include_catalog_metadata is false",
        ),
        ({"edge_memory": {}}, "edge_memory: give path, or enable stateful_ingestion"),
        ({"edge_memory": {"path": "x"}, "query_text": "none"}, "edges are told apart by their queries; use masked"),
        ({"edge_memory": {"path": "x", "expire_after_days": 0}}, "edge_memory.expire_after_days"),
        (
            {
                "edge_memory": {"path": "x"},
                "include_catalog_metadata": False,
                "stateful_ingestion": {"enabled": True},
                "athena": {"enabled": False},
            },
            "stateful_ingestion: no effect, because include_catalog_metadata is false",
        ),
        (
            {"redshift": [{**SERVERLESS, **LOGGED, "include_catalog": False, "datashare_instance_map": {"ns": "far"}}]},
            "datashare_instance_map: no effect, because datashares are told by the catalog, which is not read",
        ),
        (
            {"redshift": [{**SERVERLESS, "include_stored_procedures": True}]},
            "include_stored_procedures: no effect, because analytics has no query_logs",
        ),
        ({"start_time": "2026-02-02T00:00:00Z", "end_time": "2026-02-01T00:00:00Z"}, "is not before end_time"),
        ({"query_text": "some"}, "query_text"),
        ({"env": "MOON"}, "env must be one of"),
    ],
)
def test_what_would_do_nothing_or_cannot_be_is_refused(settings: dict[str, Any], says: str) -> None:
    assert says in refusal(**settings)


def test_the_kinds_of_query_log() -> None:
    logs = [{"type": "system_views"}, {"type": "audit_log", "bucket": "b"}, {"type": "file", "path": "x.csv"}]
    logs.append({"type": "cloudwatch_logs", "log_group": "/aws/redshift/default/useractivitylog"})
    logs.append({"type": "s3_tables", "namespace": "ns"})
    (warehouse,) = config(redshift=[{**CLUSTER, "databases": ["Dev", "dev"], "query_logs": logs}]).redshift
    assert [type(log) for log in warehouse.query_logs] == [SystemViewsLog, AuditLog, FileLog, LogGroup, PublishedTables]
    assert warehouse.databases == ["dev"]
    assert warehouse.reads_catalog


def test_a_warehouse_may_be_known_by_its_log_alone() -> None:
    (warehouse,) = config(redshift=[{"name": "x", "query_logs": [{"type": "file", "path": "x.csv"}]}]).redshift
    assert not warehouse.has_data_api
    assert not warehouse.reads_catalog


@freeze_time("2026-03-10T12:00:00Z")
def test_the_window_is_in_utc_and_may_be_relative() -> None:
    window = config(start_time="-7 days", end_time="2026-03-10T13:00:00+02:00").window
    assert window.end == datetime(2026, 3, 10, 11, tzinfo=timezone.utc)
    assert window.start == datetime(2026, 3, 3, tzinfo=timezone.utc)


def test_secrets_do_not_show() -> None:
    recipe = config(
        aws_config={"aws_access_key_id": "AKIA", "aws_secret_access_key": "hush", "aws_session_token": "s3"}
    )
    assert "hush" not in f"{recipe!r} {recipe}"
    assert "hush" not in refusal(aws_config={"aws_secret_access_key": "hush", "unknown": 1})


def test_retries_are_patient_unless_the_recipe_says_otherwise() -> None:
    assert config().client_options()["config"].retries["mode"] == "adaptive"
    asked = config(aws_config={"aws_retry_num": 2}).client_options()["config"].retries
    assert asked == {"mode": "standard", "max_attempts": 2}


def test_a_recipe_file_is_read_as_datahub_reads_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEMO_REGION", "eu-west-1")
    path = tmp_path / "recipe.yml"
    path.write_text("source:\n  type: aws-lineage\n  config:\n    aws_config: {aws_region: '${DEMO_REGION}'}\n")
    assert load_recipe(path).aws_config.aws_region == "eu-west-1"


@pytest.mark.parametrize("recipe", [{}, {"source": None}, {"source": {"type": "glue"}}])
def test_a_recipe_of_another_source_is_refused(recipe: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=r"my\.yml: source\.type is .*; expected 'aws-lineage'"):
        parse_recipe(recipe, "my.yml")


def test_an_empty_config_is_allowed_in_a_recipe() -> None:
    assert parse_recipe({"source": {"type": "aws-lineage"}}, "r").glue.enabled


@pytest.mark.parametrize(
    ("recipe", "because"),
    [
        ({}, "stateful_ingestion is not enabled"),
        ({"stateful_ingestion": {"enabled": True}, "incremental_lineage": False}, "needs every statement"),
    ],
)
def test_a_checkpoint_that_nothing_would_keep_is_an_error(recipe: dict[str, Any], because: str) -> None:
    athena = {"enable_stateful_time_window": True}
    with pytest.raises(ValidationError, match=because):
        AwsLineageConfig.model_validate({**recipe, "athena": athena})
    whole = {"stateful_ingestion": {"enabled": True}, "athena": athena}
    assert AwsLineageConfig.model_validate(whole).athena.enable_stateful_time_window


def test_beside_other_sources_the_history_is_carried_on_all_the_same() -> None:
    """`lineage_only` leaves nothing to remove, but stateful ingestion knows how far Athena's history was read."""
    config = AwsLineageConfig.model_validate({"lineage_only": True, "stateful_ingestion": {"enabled": True}})
    assert config.stateful_ingestion is not None
    assert config.athena.enable_stateful_time_window
