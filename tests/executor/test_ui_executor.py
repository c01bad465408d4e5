"""As DataHub's UI runs it: the executor is given a recipe and our wheel, makes an environment, installs and runs."""

from __future__ import annotations

import json
import os
import re
import shlex
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml
from datahub.executor.result.execution_result import Type
from metadata_server import TOKEN, MetadataService, metadata_service
from ui import ROOT, Ui

pytestmark = [
    pytest.mark.skipif(not os.environ.get("TEST_EXECUTOR"), reason="`make test-executor` runs them"),
    pytest.mark.filterwarnings("ignore"),  # the executor leaves pipes and loops open
]

DOCS = (ROOT / "docs" / "datahub_ui.md").read_text(encoding="utf-8")
OLDEST = re.findall(r"acryl-datahub\[[^\]]*\]>=([\d.]+)", (ROOT / "setup.py").read_text())[0]
"""What the UI calls CLI version. Here the oldest that is supported."""

SECRET = "correct-horse/battery+staple"
"""As AWS's secret keys, it has signs that are written otherwise in a URL."""


@pytest.fixture(scope="module")
def service() -> Iterator[MetadataService]:
    with metadata_service() as running:
        running.secrets = {"GMS_TOKEN": TOKEN, "AWS_SECRET": SECRET}
        yield running


@pytest.fixture(scope="module")
def ui(service: MetadataService, tmp_path_factory: pytest.TempPathFactory) -> Ui:
    return Ui(tmp_path_factory.mktemp("ui"), service, os.environ.get("DATAHUB_VERSION", OLDEST))


@pytest.fixture(autouse=True)
def forget(service: MetadataService) -> None:
    service.forget()


def recipe(sink: dict[str, Any] | None = None, **config: Any) -> dict[str, Any]:
    """The demo's, with absolute paths and a sink of one's own, or none."""
    demo = yaml.safe_load((ROOT / "recipes" / "demo.yml").read_text())["source"]["config"]
    del demo["report_file"]
    written = {"type": "aws-lineage", "config": {**demo, "snapshot": str(ROOT / demo["snapshot"]), **config}}
    return {"source": written, **({"sink": sink} if sink else {})}


def away(endpoint: str = "http://127.0.0.1:9") -> dict[str, Any]:
    """A recipe that asks an AWS which is not there, with a secret key."""
    connection = {
        "aws_region": "eu-central-1",
        "aws_access_key_id": "AKIAIOSFODNN7EXAMPLE",
        "aws_secret_access_key": "${AWS_SECRET}",
        "aws_endpoint_url": endpoint,
        "aws_retry_num": 1,
    }
    return {"source": {"type": "aws-lineage", "config": {"aws_config": connection}}}


# ---- runs -----------------------------------------------------------------------------------------------------------


def test_a_source_that_the_command_of_the_docs_deploys(
    ui: Ui, service: MetadataService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATAHUB_GMS_URL", service.url)
    monkeypatch.setenv("DATAHUB_GMS_TOKEN", TOKEN)
    path = tmp_path / "recipe.yml"
    path.write_text(yaml.safe_dump(recipe(stateful_ingestion={"enabled": True})))
    deploy(DOCS, {"recipe.yml": str(path), r"/\S*\.whl": str(ui.wheel)})

    ((urn, source),) = service.sources.items()
    assert (source["name"], source["type"]) == ("aws-lineage", "aws-lineage")
    assert source["schedule"] == {"interval": "0 5 * * *", "timezone": "Europe/Berlin"}
    extra = {one["key"]: one["value"] for one in source["config"]["extraArgs"]}
    assert json.loads(extra["extra_pip_requirements"]) == [str(ui.wheel)]

    result = ui.run("deployed", json.loads(source["config"]["recipe"]), source=urn, extra=extra)
    assert result.type is Type.SUCCESS, result.get_summary()
    assert service.refused == []
    lineage = service.aspects("upstreamLineage")
    assert len(lineage) > 100
    assert any("ledger.gl.journal" in urn for urn in lineage)
    assert {one["pipelineName"] for one in service.aspects("datahubIngestionCheckpoint").values()} == {urn}
    shown = ui.shown("deployed")
    assert shown["status"] == "SUCCESS"
    assert "Pipeline finished successfully" in shown["report"]
    report = json.loads(shown["structuredReport"]["serializedValue"])["source"]
    assert (report["type"], report["report"]["failures"]) == ("aws-lineage", [])
    assert report["report"]["coverage"]["statements_total"] > 400


def deploy(text: str, replaced: dict[str, str]) -> None:
    """Runs the `datahub ingest deploy` of a text as it stands there, but for names of files."""
    (command,) = re.findall(r"\$ datahub (ingest deploy (?:.*\\\n)*.*)", text)
    for pattern, value in replaced.items():
        command, found = re.subn(pattern, value, command)
        assert found == 1, pattern
    subprocess.run([sys.executable, "-m", "datahub", *shlex.split(command.replace("\\\n", ""))], check=True)


@pytest.mark.parametrize("version", [None, "1.6.0"], ids=["the oldest", "one that is too old"])
def test_what_a_run_emits_is_what_the_demo_emits(ui: Ui, tmp_path: Path, version: str | None) -> None:
    output = tmp_path / "out.json"
    result = ui.run("file", recipe({"type": "file", "config": {"filename": str(output)}}), version=version)
    assert result.type is Type.SUCCESS, result.get_summary()
    (count,) = re.findall(r"output/demo\.json  \(([\d,]+) proposals\)", (ROOT / "README.md").read_text())
    assert len(json.loads(output.read_text())) == int(count.replace(",", ""))
    assert ui.shown("file")["status"] == "SUCCESS"


def test_a_wrong_recipe_names_the_key(ui: Ui, tmp_path: Path) -> None:
    sink = {"type": "file", "config": {"filename": str(tmp_path / "out.json")}}
    result = ui.run("wrong", recipe(sink, glue={"enabeld": "${AWS_SECRET}"}))
    assert result.type is Type.FAILURE
    shown = ui.shown("wrong")
    assert shown["status"] == "FAILURE"
    assert "glue.enabeld" in shown["report"]
    assert SECRET not in ui.everything_written("wrong", result)


def test_a_run_that_is_stopped_leaves_no_process(ui: Ui) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, ThreadPoolExecutor(1) as threads:
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        running = threads.submit(ui.run, "stopped", {**away(endpoint), "sink": {"type": "console"}})
        silent.settimeout(120)
        asked, _ = silent.accept()  # AWS is asked, and does not answer
        with asked:
            assert ui.processes("stopped")
            ui.stop("stopped")
            assert running.result(timeout=40).type is Type.CANCELLED
    assert ui.shown("stopped")["status"] == "CANCELLED"
    assert ui.processes("stopped") == []


# ---- secrets --------------------------------------------------------------------------------------------------------


def test_secrets_of_the_ui_reach_the_run_and_nothing_that_it_writes(
    ui: Ui, service: MetadataService, capfd: pytest.CaptureFixture[str]
) -> None:
    sink = {"type": "datahub-rest", "config": {"server": service.url, "token": "${GMS_TOKEN}"}}
    result = ui.run("secret", recipe(sink))
    assert result.type is Type.SUCCESS, result.get_summary()
    assert len(service.aspects("upstreamLineage")) > 100  # the token was the one that the server asks for
    written = ui.everything_written("secret", result)
    assert "Pipeline finished successfully" in written
    for text in (written, *capfd.readouterr()):
        assert TOKEN not in text


def test_no_secret_is_told_of_a_run_that_fails(ui: Ui, capfd: pytest.CaptureFixture[str]) -> None:
    result = ui.run("away", {**away(), "sink": {"type": "console"}})
    assert result.type is Type.FAILURE
    written = ui.everything_written("away", result)
    assert "127.0.0.1:9" in written
    for text in (written, *capfd.readouterr()):
        assert SECRET not in text


# ---- connections ----------------------------------------------------------------------------------------------------


def connection(ui: Ui, run: str, tested: dict[str, Any]) -> dict[str, Any]:
    ui.run(run, tested, task="TEST_CONNECTION")
    shown = ui.shown(run)
    assert shown["status"] == "SUCCESS"  # the test was done; what it says stands in its report
    found: dict[str, Any] = json.loads(shown["structuredReport"]["serializedValue"])
    return found


def test_connection(ui: Ui) -> None:
    report = connection(ui, "test", recipe())
    assert report["basic_connectivity"]["capable"] is True
    assert report["capability_report"]["Glue tables"]["capable"] is True
    assert all(one["capable"] for one in report["capability_report"].values())


def test_a_connection_without_a_recording(ui: Ui, tmp_path: Path) -> None:
    report = connection(ui, "refused", recipe(snapshot=str(tmp_path)))
    assert report["internal_failure"] is True
    assert "is not a recording" in report["internal_failure_reason"]


def test_a_connection_to_an_account_that_does_not_answer(ui: Ui) -> None:
    report = connection(ui, "unreachable", away())
    assert report["basic_connectivity"]["capable"] is False
    assert "127.0.0.1:9" in report["basic_connectivity"]["failure_reason"]
    assert not any(one["capable"] for one in report["capability_report"].values())
    assert SECRET not in json.dumps(ui.shown("unreachable"))
