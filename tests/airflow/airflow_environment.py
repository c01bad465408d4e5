"""An Airflow of either version, with an environment and a metadata database of its own, driven by its command."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from metadata_server import TOKEN

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples" / "airflow"


def recipe(**athena: Any) -> dict[str, Any]:
    """The demo's, sent to the connection's server. Its recording has CloudTrail's events for the whole week alone."""
    written: dict[str, Any] = yaml.safe_load((ROOT / "recipes" / "demo.yml").read_text())
    del written["run_id"], written["source"]["config"]["report_file"]
    config = written["source"]["config"]
    config["snapshot"] = str(ROOT / "recipes" / "demo" / "account")
    config["athena"] |= {"query_logs": [{"type": "api"}], "enable_stateful_time_window": False, **athena}
    config["stateful_ingestion"] = {"enabled": True}
    server = {"server": "${DATAHUB_GMS_URL}", "token": "${DATAHUB_GMS_TOKEN}"}
    return {**written, "pipeline_name": "aws-lineage", "sink": {"type": "datahub-rest", "config": server}}


@dataclass(frozen=True)
class Outcome:
    state: str
    tasks: list[tuple[str, int, str, int]]
    log: str


@dataclass(frozen=True)
class Airflow:
    python: Path
    home: Path

    def install(self, wheel: Path, server: str) -> None:
        """What docs/airflow.md says to do, by Airflow's own command."""
        self.call("-m", "airflow", "db", "migrate")
        self.set("aws_lineage_requirement", f"datahub-aws-lineage @ {wheel.as_uri()}")
        connection = json.dumps({"conn_type": "datahub_rest", "host": server, "password": TOKEN})
        self.call("-m", "airflow", "connections", "add", "datahub_rest_default", "--conn-json", connection)

    def set(self, variable: str, value: str) -> None:
        self.call("-m", "airflow", "variables", "set", variable, value)

    def run(self, dag: str, date: str, **conf: Any) -> Outcome:
        log = self.call(str(Path(__file__).with_name("run_dag.py")), dag, date, json.dumps(conf))
        results = [line.partition("RESULT ")[2] for line in log.splitlines() if "RESULT {" in line]
        assert results, log
        result = json.loads(results[-1])
        return Outcome(result["state"], [tuple(task) for task in result["tasks"]], log)

    def call(self, *arguments: str) -> str:
        """What it prints on both streams."""
        environment = {
            **{name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}},
            "PATH": f"{self.python.parent}{os.pathsep}{os.environ['PATH']}",
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(EXAMPLES),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        }
        done = subprocess.run(
            [str(self.python), *arguments],
            env=environment,
            cwd=self.home,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    def files_with(self, text: str) -> list[Path]:
        """The files of this Airflow (logs, metadata database, settings) that hold a text; of virtualenvs, none does."""
        files = [one for one in self.home.rglob("*") if one.is_file() and "virtualenvs" not in one.parts]
        assert files
        return [one for one in files if text.encode() in one.read_bytes()]
