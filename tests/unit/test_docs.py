"""README and recipes say what the code does."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from datahub.cli.ingest_cli import deploy
from datahub.configuration.common import AllowDenyPattern
from datahub.ingestion.source.aws.glue import GlueSourceConfig
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from readme import README, check_block, fenced

from datahub_aws_lineage import config as models
from datahub_aws_lineage.aws import (
    athena,
    athena_catalogs,
    athena_file,
    athena_saved,
    athena_system_table,
    cloudtrail_lookup,
    cloudtrail_trail,
    copy_manifests,
    glue,
    lake_formation,
    organizations,
    redshift_audit_log,
    redshift_catalog,
    redshift_data,
    redshift_file,
    redshift_history,
    redshift_log_group,
    redshift_published,
    sessions,
)
from datahub_aws_lineage.config import AwsLineageConfig
from datahub_aws_lineage.config.recipes import load_recipe
from datahub_aws_lineage.sql import dialects, relations
from datahub_aws_lineage.version import __version__

ROOT = README.parent
RECIPES = sorted((ROOT / "recipes").glob("*.yml"))
ENVIRONMENT = ("DATAHUB_GMS_URL", "DATAHUB_GMS_TOKEN", "EXTERNAL_ID")

# ---- recipes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.name)
def test_each_recipe_is_valid(recipe: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ENVIRONMENT:
        monkeypatch.setenv(name, "x")
    load_recipe(recipe)


def test_there_is_a_recipe_for_each_way_of_use() -> None:
    names = {path.stem for path in RECIPES}
    assert names == {"demo", "glue_and_athena", "redshift", "whole_account", "several_accounts", "coexist"} | {
        "athena_with_users",
        "organization",
    }


def test_the_recipe_of_the_readme_is_valid(tmp_path: Path) -> None:
    (recipe,) = re.findall(r"```yaml\n(source:.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    path = tmp_path / "recipe.yml"
    path.write_text(recipe)
    assert load_recipe(path).redshift[0].work_group == "analytics"


def test_the_recipe_and_the_command_of_the_docs_of_the_ui(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "datahub_ui.md").read_text(encoding="utf-8")
    (recipe,) = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    path = tmp_path / "recipe.yml"
    path.write_text(recipe)
    assert load_recipe(path).stateful_ingestion is not None
    (command,) = re.findall(r"datahub ingest deploy (.*?)```", text, re.DOTALL)
    known = {name for parameter in deploy.params for name in parameter.opts}
    assert set(re.findall(r"(?<= )--[\w-]+", f" {command}")) <= known
    assert f"datahub_aws_lineage-{__version__}-py3-none-any.whl" in command


def test_what_the_recipe_beside_datahubs_own_sources_says_of_theirs() -> None:
    text = (ROOT / "recipes" / "coexist.yml").read_text(encoding="utf-8")
    assert "include_view_lineage: false" in text
    assert GlueSourceConfig.model_fields["include_view_lineage"].default is True
    assert GlueSourceConfig.model_fields["emit_storage_lineage"].default is False


# ---- permissions ----------------------------------------------------------------------------------------------------

LOGINS: tuple[redshift_data.Target, ...] = (
    redshift_data.WorkGroup("wg"),
    redshift_data.Cluster("c", "user"),
    redshift_data.Cluster("c"),
    redshift_data.WorkGroup("wg", "secret"),
)


def policy() -> dict[str, Any]:
    def statement(sid: str, *actions: str) -> dict[str, Any]:
        return {"Sid": sid, "Effect": "Allow", "Action": sorted(set(actions)), "Resource": "*"}

    data_api = (*redshift_catalog.PERMISSIONS, *redshift_history.PERMISSIONS, *redshift_data.PERMISSIONS)
    return {
        "Version": "2012-10-17",
        "Statement": [
            statement("GlueCatalog", *glue.PERMISSIONS),
            statement("LakeFormationTags", *lake_formation.PERMISSIONS),
            statement("AthenaHistory", *athena.PERMISSIONS),
            statement("AthenaNames", *athena_catalogs.PERMISSIONS, *athena_saved.PREPARED_PERMISSIONS),
            statement("AthenaNamedQueries", *athena_saved.NAMED_PERMISSIONS),
            statement("AthenaSystemTable", *athena_system_table.PERMISSIONS, *redshift_published.PERMISSIONS),
            statement("CloudTrail", *cloudtrail_lookup.PERMISSIONS, *cloudtrail_trail.PERMISSIONS),
            statement("RedshiftDataApi", *data_api),
            statement("RedshiftLogin", *(redshift_data.login_permission(login) for login in LOGINS)),
            statement("RedshiftAuditLog", *redshift_audit_log.PERMISSIONS, *redshift_log_group.PERMISSIONS),
            statement("CopyManifests", *copy_manifests.PERMISSIONS),
            statement("SeveralAccounts", *sessions.PERMISSIONS, *organizations.PERMISSIONS),
        ],
    }


def test_the_policy_is_what_the_readers_need() -> None:
    check_block("policy", "end of the policy", fenced("json", _compact(policy())))
    assert redshift_file.PERMISSIONS == athena_file.PERMISSIONS == ()


def test_the_policy_names_actions_that_exist() -> None:
    """Operations of botocore's own models, but for two that IAM names otherwise."""
    session = botocore.session.Session()
    actions = {action for statement in policy()["Statement"] for action in statement["Action"]}
    for action in actions - {"s3:ListBucket", "s3tables:GetTableData"}:
        service, _, operation = action.partition(":")
        assert operation in session.get_service_model(service).operation_names


def _compact(value: dict[str, Any]) -> str:
    """JSON with one line for each statement."""
    lines = ",\n".join(f"    {json.dumps(statement)}" for statement in value["Statement"])
    return f'{{\n  "Version": "{value["Version"]}",\n  "Statement": [\n{lines}\n  ]\n}}'


# ---- options --------------------------------------------------------------------------------------------------------

SECTIONS = {
    "glue": models.GlueConfig,
    "athena": models.AthenaConfig,
    "athena.catalogs.NAME": models.CatalogPlatform,
    "athena.query_logs[] type api": models.AthenaApi,
    "athena.query_logs[] type system_table": models.AthenaSystemTable,
    "athena.query_logs[] type cloudtrail_events": models.CloudTrailEvents,
    "athena.query_logs[] type cloudtrail_trail": models.CloudTrailTrail,
    "athena.query_logs[] type file": models.AthenaFile,
    "usage": models.UsageConfig,
    "redshift[]": models.RedshiftConfig,
    "redshift[].query_logs[] type system_views": models.SystemViewsLog,
    "redshift[].query_logs[] type audit_log": models.AuditLog,
    "redshift[].query_logs[] type cloudwatch_logs": models.LogGroup,
    "redshift[].query_logs[] type s3_tables": models.PublishedTables,
    "redshift[].query_logs[] type file": models.FileLog,
    "accounts[]": models.AccountConfig,
    "organization": models.OrganizationConfig,
}
COMPUTED = {"start_time": "yesterday, 0:00 UTC", "end_time": "now", "aws_config": "-"}
DATAHUBS_OWN = {
    "bucket_duration": "Unit that a default or relative `start_time` is rounded down to: `DAY` or `HOUR`.",
    "end_time": "Statements that began before this count.",
    "env": "Environment of all datasets.",
    "start_time": "Statements that began at this time or later count; `-7 days` goes back from `end_time`.",
}
"""Options of DataHub's mixins, in fewer words than theirs."""


def options() -> str:
    rows = ["| option | default | what it does |", "| --- | --- | --- |", *_rows("", AwsLineageConfig)]
    for prefix, model in SECTIONS.items():
        rows.extend(_rows(f"{prefix}.", model))
    return "\n".join(rows) + "\n"


def _rows(prefix: str, model: Any) -> list[str]:
    fields = {name: field for name, field in model.model_fields.items() if name not in {"type", *SECTIONS}}
    return [
        f"| `{prefix}{name}` | {_default(name, field)} | {_text(name, field)} |"
        for name, field in sorted(fields.items())
    ]


def _default(name: str, field: FieldInfo) -> str:
    if name in COMPUTED:
        return COMPUTED[name]
    value = field.get_default(call_default_factory=True, validated_data={})
    if value is PydanticUndefined:
        return "required"
    if value is None or value in ("", [], {}):
        return "-"
    if isinstance(value, list) and isinstance(value[0], models.AthenaApi):
        return f"`{value[0].type}`"
    if isinstance(value, AllowDenyPattern):
        return "all"
    return f"`{json.dumps(value) if not isinstance(value, str) else str(value)}`"


def _text(name: str, field: FieldInfo) -> str:
    text = DATAHUBS_OWN.get(name, field.description)
    assert text, "every option is described"
    return text.replace("|", "\\|")


def test_the_options_are_those_of_the_models() -> None:
    check_block("options", "end of the options", options())


# ---- the rest -------------------------------------------------------------------------------------------------------


def test_links_lead_somewhere() -> None:
    for document in (README, *sorted((ROOT / "docs").glob("*.md")), ROOT / "CONTRIBUTING.md"):
        for target in re.findall(r"\]\(([^)#]+)\)", document.read_text(encoding="utf-8")):
            assert target.startswith("https://") or (document.parent / target).exists(), f"{document.name}: {target}"


def test_confidences_are_documented() -> None:
    text = (ROOT / "docs" / "lineage.md").read_text(encoding="utf-8")
    documented = {float(number) for number in re.findall(r"\| (\d\.\d) \|", text)}
    values = (relations.KNOWN, relations.BY_ALIAS, relations.ONLY_TABLE, relations.ELIMINATION)
    assert documented == {*values, relations.BY_POSITION_NAME}


def test_the_changelog_tells_of_this_version() -> None:
    headings = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert headings[0] == __version__


def test_every_target_of_the_makefile_is_described() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (phony,) = re.findall(r"^\.PHONY: (.+)$", makefile, re.MULTILINE)
    assert set(phony.split()) == set(re.findall(r"^([a-z-]+):.*## ", makefile, re.MULTILINE))


def test_what_the_page_on_performance_names_is_there() -> None:
    page = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"`make ([a-z-]+)`", page):
        assert f"\n{target}: " in makefile
    assert f"longer than {dialects.MAX_TEXT_BYTES // 2**20} MiB" in page
    assert f"deeper than {dialects.MAX_NESTING}" in page
