"""The example DAGs without Airflow: they compile, and the function that Airflow runs in a virtualenv does what it says.

`make test-airflow` runs them under Airflow itself.
"""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from readme import README

from datahub_aws_lineage.config import AwsLineageConfig
from datahub_aws_lineage.config.recipes import parse_recipe

ROOT = README.parent
FOLDER = ROOT / "examples" / "airflow"
SHARED = FOLDER / "aws_lineage_ingestion.py"
FILES = sorted(FOLDER.glob("*.py"))


def definition(name: str) -> Any:
    """A function, or a constant, of the shared file on its own: Airflow passes on the source of `ingest` alone."""
    for node in ast.parse(SHARED.read_text()).body:
        if isinstance(node, ast.FunctionDef) and node.name == name:
            scope: dict[str, Any] = {"Any": Any}
            exec(compile(ast.Module([node], type_ignores=[]), str(SHARED), "exec"), scope)
            return scope[name]
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name:
            return ast.literal_eval(node.value)
    raise AssertionError(f"{name} is not defined in {SHARED}")


def test_there_are_examples() -> None:
    assert [path.stem for path in FILES] == [
        "aws_lineage_backfill",
        "aws_lineage_daily",
        "aws_lineage_ingestion",
        "aws_lineage_work_groups",
    ]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_each_compiles(path: Path) -> None:
    compile(path.read_text(), str(path), "exec")


def test_the_function_runs_the_recipe_with_its_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("datahub.ingestion.run.pipeline.retrieve_version_stats", lambda **_: None)
    monkeypatch.setenv("OUTPUT_FOLDER", str(tmp_path))
    recipe = yaml.safe_load((ROOT / "recipes" / "demo.yml").read_text())
    recipe["source"]["config"]["snapshot"] = str(ROOT / "recipes" / "demo" / "account")
    recipe["sink"]["config"]["filename"] = "${OUTPUT_FOLDER}/out.json"
    changes = {
        "run_id": "changed",
        "source.config.athena.query_logs": [{"type": "api"}],
        "source.config.redshift": None,
        "source.config.report_file": None,
    }
    done = definition("ingest")(yaml.safe_dump(recipe), changes)
    written = json.loads((tmp_path / "out.json").read_text())
    assert done == {"run_id": "changed", "records": len(written)}
    assert {one["systemMetadata"]["runId"] for one in written} == {"changed"}
    assert not [one for one in written if "dataPlatform:redshift,ringelrad.marts" in one["entityUrn"]]


def test_a_share_keeps_nothing_whatever_the_recipe_says() -> None:
    recipe = {
        "pipeline_name": "x",
        "source": {
            "type": "aws-lineage",
            "config": {
                "stateful_ingestion": {"enabled": True},
                "edge_memory": {},
                "report_file": "report.json",
                "athena": {"enable_stateful_time_window": True},
            },
        },
    }
    for path, value in definition("SHARE").items():
        *parents, key = path.split(".")
        part: dict[str, Any] = recipe
        for parent in parents:
            part = part[parent]
        part[key] = value
        if value is None:
            del part[key]
    config = parse_recipe(recipe, "share")
    assert "pipeline_name" not in recipe
    assert (config.stateful_ingestion, config.edge_memory, config.report_file) == (None, None, None)
    assert config.incremental_lineage
    assert not config.include_catalog_metadata


def test_the_recipe_of_the_documentation_is_valid_and_the_options_it_speaks_of_exist() -> None:
    text = (ROOT / "docs" / "airflow.md").read_text()
    recipe = yaml.safe_load(text.partition("```yaml\n")[2].partition("```")[0])
    assert parse_recipe(recipe, "docs/airflow.md").athena.enable_stateful_time_window is False
    settings = {path.removeprefix("source.config.") for path in definition("SHARE")}
    spoken_of = set(re.findall(r"`([a-z_.]+)`", text))
    assert settings <= spoken_of
    assert {name for name in settings if "." not in name} - {"pipeline_name"} <= set(AwsLineageConfig.model_fields)
