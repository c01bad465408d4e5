"""DataHub's UI: an ingestion source with what its form says becomes a request, which the executor runs.

Real: the executor that ships in acryl-datahub as DataHub's image configures it, its environments (uv, PyPI), its secret
store and its reports. Ours: what DataHub's server makes of a source, and the server.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
from datahub.executor.execution.reporting_executor import ReportingExecutor, ReportingExecutorConfig
from datahub.executor.execution.task import TaskConfig
from datahub.executor.request.execution_request import ExecutionRequest
from datahub.executor.request.signal_request import SignalRequest
from datahub.executor.result.execution_result import ExecutionResult
from datahub.ingestion.graph.config import DatahubClientConfig
from datahub.secret.secret_store import SecretStoreConfig
from metadata_server import TOKEN, MetadataService

ROOT = Path(__file__).parents[2]
SOURCE = "urn:li:dataHubIngestionSource:lineage"
RUN = "urn:li:dataHubExecutionRequest:"
TASKS = "datahub.executor.execution"


def build_wheel(folder: Path) -> Path:
    """The wheel of this package, from a copy, so that no earlier build adds to it."""
    copy = folder / "source"
    shutil.copytree(ROOT / "datahub_aws_lineage", copy / "datahub_aws_lineage")
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(copy)]
    subprocess.run(command, check=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


class Ui:
    def __init__(self, folder: Path, service: MetadataService, version: str) -> None:
        self.wheel = build_wheel(folder)
        self.service = service
        self._version = version
        self._logs = folder / "logs"
        self._runs = folder / "runs"
        places = {"tmp_dir": str(self._runs)}
        ingestion = f"{TASKS}.sub_process_ingestion_task.SubProcessIngestionTask"
        connection = f"{TASKS}.sub_process_test_connection_task.SubProcessTestConnectionTask"
        server = DatahubClientConfig(server=service.url, token=TOKEN)
        self._executor = ReportingExecutor(
            ReportingExecutorConfig(
                id="default",
                task_configs=[
                    TaskConfig(name="RUN_INGEST", type=ingestion, configs={**places, "log_dir": str(self._logs)}),
                    TaskConfig(name="TEST_CONNECTION", type=connection, configs=places),
                ],
                secret_stores=[
                    SecretStoreConfig(type="env", config={}),
                    SecretStoreConfig(type="datahub", config={"graph_client_config": server.model_dump()}),
                ],
                graph_client_config=server,
            )
        )

    def run(
        self,
        run: str,
        recipe: dict[str, Any],
        *,
        task: str = "RUN_INGEST",
        source: str = SOURCE,
        version: str | None = None,
        extra: dict[str, str] | None = None,
    ) -> ExecutionResult:
        """Runs a recipe with what DataHub's server adds: who the source and the run are, and the rest of the form."""
        written = {"pipeline_name": source, **recipe, "run_id": RUN + run}
        arguments = {
            "recipe": json.dumps(written),
            "version": version or self._version,
            "debug_mode": "false",
            "extra_env_vars": "",
            "extra_pip_plugins": "",
            "extra_pip_requirements": json.dumps([str(self.wheel)]),
            **(extra or {}),
        }
        return self._executor.execute(ExecutionRequest(exec_id=run, name=task, args=arguments))

    def stop(self, run: str) -> None:
        """The button of a run that is under way."""
        self._executor.signal(SignalRequest(executor_id="default", exec_id=run, signal="KILL"))

    def processes(self, run: str) -> list[str]:
        """Command lines of the run's processes: those that name its environment."""
        names = [process.info["cmdline"] or [] for process in psutil.process_iter(["cmdline"])]
        return [" ".join(name) for name in names if any(str(self._runs / run) in part for part in name)]

    def shown(self, run: str) -> dict[str, Any]:
        """What the page of a run shows: its status, its report and log."""
        found: dict[str, Any] = self.service.aspects("dataHubExecutionRequestResult")[RUN + run]
        return found

    def everything_written(self, run: str, result: ExecutionResult) -> str:
        """All that is kept of a run: what was told while it ran and at its end, and the files beside it."""
        told = [
            proposal.aspect.value.decode()
            for proposal in self.service.proposals
            if proposal.entityUrn == RUN + run and proposal.aspect is not None
        ]
        files = [path.read_text() for path in (self._logs / run).rglob("*") if path.is_file()]
        return "\n".join([result.get_summary(), result.get_structured_report() or "", *told, *files])
