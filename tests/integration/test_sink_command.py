"""`datahub ingest` into a metadata service, with DataHub's own reporter: exit codes, what is said, and what is not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from metadata_server import TOKEN, Fault, MetadataService, metadata_service
from sink_runs import lost_by_log, recipe, rest_sink
from small_account import SmallAccount, account

__all__ = ["account"]

REPORTED = "dataHubExecutionRequestResult"


@pytest.fixture
def service() -> Iterator[MetadataService]:
    with metadata_service() as service:
        yield service


def ingest(folder: Path, recipe: dict[str, object], *options: str) -> tuple[int, str]:
    """Exit code and all that was printed."""
    path = folder / "recipe.yml"
    path.write_text(yaml.safe_dump(recipe))
    environment = {**os.environ, "DATAHUB_TELEMETRY_ENABLED": "false"}
    command = [sys.executable, "-m", "datahub", *options, "ingest", "-c", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    return done.returncode, done.stdout + done.stderr


def test_a_run_that_arrives_ends_with_0(service: MetadataService, account: SmallAccount, tmp_path: Path) -> None:
    """DataHub's record of the run is taken too, with the recipe's token hidden."""
    code, printed = ingest(tmp_path, recipe(account.record(), rest_sink(service)))
    assert code == 0, printed
    assert "Pipeline finished successfully" in printed
    assert service.refused == []
    assert service.unknown_calls == []
    (result,) = service.aspects(REPORTED).values()
    assert result["status"] == "SUCCESS"
    told = printed + json.dumps([one.to_obj() for one in service.proposals], default=str)
    assert "snapshot" in told
    assert TOKEN not in told


@pytest.mark.parametrize(("mode", "code"), [("ASYNC_BATCH", 1), ("SYNC", 0)])
def test_a_run_that_loses_something_names_it(
    service: MetadataService, account: SmallAccount, tmp_path: Path, mode: str, code: int
) -> None:
    """In mode SYNC the exit code does not say so; with `--debug`, DataHub prints each call that failed."""
    service.faults = [Fault(422, "upstreamLineage")]
    sink = rest_sink(service, mode=mode)
    ended, printed = ingest(tmp_path, recipe(account.record(), sink), "--debug")
    assert ended == code, printed
    assert any(name.endswith("-upstreamLineage") for name in lost_by_log(printed))
    assert "upstreamLineage is refused" in printed
    assert TOKEN not in printed


def test_a_service_that_is_away_ends_with_1(account: SmallAccount, tmp_path: Path) -> None:
    with metadata_service() as service:
        gone = rest_sink(service)
    code, printed = ingest(tmp_path, recipe(account.record(), gone))
    assert code == 1
    assert "Failed to connect to DataHub" in printed
    assert TOKEN not in printed
