"""The commands of DataHub that a user types, as processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from small_account import WINDOW, SmallAccount, account

__all__ = ["account"]

ENVIRONMENT = {**os.environ, "DATAHUB_TELEMETRY_ENABLED": "false"}


def datahub(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "datahub", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, check=False)


@pytest.fixture
def recipe(account: SmallAccount, tmp_path: Path) -> Path:
    return write_recipe(tmp_path, snapshot=str(account.record()))


def write_recipe(folder: Path, **config: Any) -> Path:
    path = folder / "recipe.yml"
    source = {"type": "aws-lineage", "config": {**WINDOW, **config}}
    sink = {"type": "file", "config": {"filename": str(folder / "out.json")}}
    path.write_text(yaml.safe_dump({"source": source, "sink": sink}))
    return path


def test_the_plugin_is_listed() -> None:
    listed = datahub("check", "plugins").stdout.splitlines()
    assert "aws-lineage" in [line.strip() for line in listed]


def test_a_run_and_datahubs_own_check_of_what_it_wrote(recipe: Path) -> None:
    run = datahub("ingest", "-c", str(recipe))
    assert run.returncode == 0, run.stderr
    assert "Pipeline finished successfully" in run.stdout + run.stderr
    checked = datahub("check", "metadata-file", str(recipe.with_name("out.json")))
    assert checked.returncode == 0, checked.stderr
    assert "all valid" in checked.stdout


def test_a_run_that_loses_a_part_says_so_by_its_exit_code(account: SmallAccount, tmp_path: Path) -> None:
    account.denied = {"glue:GetTables"}
    run = datahub("ingest", "-c", str(write_recipe(tmp_path, snapshot=str(account.record()))))
    assert run.returncode == 1
    assert "allow glue:GetTables" in run.stdout + run.stderr


def test_the_connection_is_tested(recipe: Path) -> None:
    run = datahub("ingest", "-c", str(recipe), "--test-source-connection")
    assert run.returncode == 0
    assert '"Athena work groups": {"capable": true}' in run.stdout + run.stderr


def test_a_recipe_with_an_unknown_key_names_it(account: SmallAccount, tmp_path: Path) -> None:
    run = datahub("ingest", "-c", str(write_recipe(tmp_path, snapshot=str(account.record()), tabel_pattern={})))
    assert run.returncode == 1
    assert "tabel_pattern" in run.stdout + run.stderr
    assert "Extra inputs are not permitted" in run.stdout + run.stderr
