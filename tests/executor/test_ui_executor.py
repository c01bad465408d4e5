"""As DataHub's UI runs it: its executor is given a recipe and our wheel, makes an environment, installs and runs.

Real: the executor that ships in acryl-datahub, its environments (uv, PyPI) and secret store. Ours: the metadata
service.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from datahub.executor.execution.default_executor import DefaultExecutor, DefaultExecutorConfig
from datahub.executor.execution.task import TaskConfig
from datahub.executor.request.execution_request import ExecutionRequest
from datahub.executor.result.execution_result import ExecutionResult, Type
from datahub.secret.secret_store import SecretStoreConfig
from metadata_server import TOKEN, MetadataService, metadata_service

pytestmark = [
    pytest.mark.skipif(not os.environ.get("TEST_EXECUTOR"), reason="`make test-executor` runs them"),
    pytest.mark.filterwarnings("ignore"),  # the executor leaves pipes and loops open
]

ROOT = Path(__file__).parent.parent.parent
TASKS = "datahub.executor.execution"
OLDEST = re.findall(r"acryl-datahub\[[^\]]*\]>=([\d.]+)", (ROOT / "setup.py").read_text())[0]
"""What the UI calls CLI version. Here the oldest that is supported."""


class Ui:
    """What the UI sends: a recipe in JSON, and extra pip libraries in JSON."""

    def __init__(self, folder: Path) -> None:
        command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(ROOT)]
        subprocess.run(command, check=True)
        (self._wheel,) = folder.glob("*.whl")
        tasks = {
            "RUN_INGEST": f"{TASKS}.sub_process_ingestion_task.SubProcessIngestionTask",
            "TEST_CONNECTION": f"{TASKS}.sub_process_test_connection_task.SubProcessTestConnectionTask",
        }
        folders = {"tmp_dir": str(folder / "runs")}
        logs = {"RUN_INGEST": {"log_dir": str(folder / "logs")}}
        self._executor = DefaultExecutor(
            DefaultExecutorConfig(
                id="default",
                task_configs=[
                    TaskConfig(name=name, type=kind, configs={**folders, **logs.get(name, {})})
                    for name, kind in tasks.items()
                ],
                secret_stores=[SecretStoreConfig(type="env", config={})],
            )
        )

    def send(self, task: str, run: str, config: dict[str, Any], sink: dict[str, Any] | None = None) -> ExecutionResult:
        recipe = {"source": {"type": "aws-lineage", "config": config}, **({"sink": sink} if sink else {})}
        arguments = {
            "recipe": json.dumps(recipe),
            "version": os.environ.get("DATAHUB_VERSION", OLDEST),
            "extra_pip_requirements": json.dumps([str(self._wheel)]),
            "extra_env_vars": json.dumps({"DATAHUB_TELEMETRY_ENABLED": "false"}),
        }
        return self._executor.execute(ExecutionRequest(exec_id=run, name=task, args=arguments))


@pytest.fixture(scope="module")
def ui(tmp_path_factory: pytest.TempPathFactory) -> Ui:
    return Ui(tmp_path_factory.mktemp("ui"))


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[MetadataService]:
    with metadata_service() as running:
        monkeypatch.setenv("GMS_TOKEN", TOKEN)  # the executor's secret store, here the environment
        yield running


def config(**more: Any) -> dict[str, Any]:
    demo = yaml.safe_load((ROOT / "recipes" / "demo.yml").read_text())["source"]["config"]
    del demo["report_file"]
    return {**demo, "snapshot": str(ROOT / demo["snapshot"]), **more}


def test_ingestion(ui: Ui, service: MetadataService) -> None:
    sink = {"type": "datahub-rest", "config": {"server": service.url, "token": "${GMS_TOKEN}"}}
    result = ui.send("RUN_INGEST", "run-ingest", config(), sink)
    summary = result.get_summary()
    assert result.type is Type.SUCCESS, summary
    assert service.refused == []
    lineage = service.aspects("upstreamLineage")
    assert len(lineage) > 100
    assert any("ledger.gl.journal" in urn for urn in lineage)
    assert "Pipeline finished" in summary
    assert TOKEN not in summary
    report = json.loads(result.get_structured_report() or "{}")
    assert report["source"]["type"] == "aws-lineage"


def test_a_wrong_recipe_names_the_key(ui: Ui, tmp_path: Path) -> None:
    sink = {"type": "file", "config": {"filename": str(tmp_path / "out.json")}}
    result = ui.send("RUN_INGEST", "run-wrong", config(glue={"enabeld": True}), sink)
    assert result.type is Type.FAILURE
    assert "glue.enabeld" in result.get_summary()


def test_connection(ui: Ui) -> None:
    result = ui.send("TEST_CONNECTION", "run-test", config())
    assert result.type is Type.SUCCESS, result.get_summary()
    report = json.loads(result.get_structured_report() or "{}")
    assert report["basic_connectivity"]["capable"] is True
    assert report["capability_report"]["Glue tables"]["capable"] is True
    assert all(one["capable"] for one in report["capability_report"].values())


def test_a_connection_that_cannot_be_had(ui: Ui, tmp_path: Path) -> None:
    result = ui.send("TEST_CONNECTION", "run-refused", config(snapshot=str(tmp_path)))
    report = json.loads(result.get_structured_report() or "{}")
    assert report["internal_failure"] is True
    assert "is not a recording" in report["internal_failure_reason"]
