"""The example DAGs under Airflow's own `dag.test()`, Airflow 2 and 3. `make test-airflow` makes the environments.

Real: Airflow, its virtualenvs and its metadata database; pip and the wheel of this package; DataHub's pipeline and REST
sink. Ours: the recorded account, and the metadata service on the loopback interface.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from airflow_environment import ROOT, Airflow, recipe
from datahub.ingestion.run.pipeline import Pipeline
from datahub.metadata.schema_classes import MetadataChangeProposalClass
from metadata_server import RUNS, TOKEN, MetadataService, metadata_service

pytestmark = pytest.mark.skipif("TEST_AIRFLOW" not in os.environ, reason="`make test-airflow` runs them")

WEEK = {"first_day": "2026-03-01", "last_day": "2026-03-07", "days_per_window": 2}
DAY = ("2026-03-02T00:00:00Z", "2026-03-03T00:00:00Z")
MONDAY_IS_OVER = "2026-03-03"
"""The logical date of a run by hand; its data interval is the day before."""

BOOKKEEPING = {*RUNS, "datahubIngestionCheckpoint"}
"""What DataHub's pipeline tells of a run itself."""

CHECKPOINTS = "urn:li:dataFlow:(datahub,"
"""Where it keeps its state."""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(ROOT)]
    subprocess.run(command, check=True)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def running() -> Iterator[MetadataService]:
    with metadata_service() as service:
        yield service


@pytest.fixture
def service(running: MetadataService) -> MetadataService:
    running.forget()
    return running


@pytest.fixture(scope="module", params=[2, 3], ids=["airflow2", "airflow3"])
def installed(
    request: pytest.FixtureRequest, running: MetadataService, wheel: Path, tmp_path_factory: pytest.TempPathFactory
) -> Airflow:
    python = ROOT / f".venv-airflow-{request.param}" / "bin" / "python"
    airflow = Airflow(python, tmp_path_factory.mktemp(f"airflow{request.param}"))
    assert airflow.call("-m", "airflow", "version").split()[-1].startswith(f"{request.param}.")
    airflow.install(wheel, running.url)
    return airflow


@pytest.fixture
def airflow(installed: Airflow) -> Airflow:
    installed.set("aws_lineage_recipe", yaml.safe_dump(recipe()))
    return installed


def is_of_the_account(one: MetadataChangeProposalClass) -> bool:
    return not BOOKKEEPING & {one.entityType, one.aspectName} and CHECKPOINTS not in str(one.entityUrn)


def said(proposals: list[MetadataChangeProposalClass]) -> Counter[str]:
    """The proposals of a run as they are, but for its id, and when it ran."""
    return Counter(
        json.dumps([one.entityUrn, one.changeType, one.aspectName, json.loads(one.aspect.value)], sort_keys=True)
        for one in proposals
        if one.aspect is not None and is_of_the_account(one)
    )


def everything(service: MetadataService) -> dict[str, Any]:
    """Every entity as it stands."""
    urns = {str(one.entityUrn) for one in service.proposals if is_of_the_account(one)}
    return {urn: service.entity(urn)["aspects"] for urn in urns}


def edges(proposals: list[MetadataChangeProposalClass]) -> set[str]:
    """Each table or column edge that is added, as the path of its patch."""
    patches = [one for one in proposals if one.aspectName == "upstreamLineage" and one.aspect is not None]
    assert {one.changeType for one in patches} == {"PATCH"}
    return {
        f"{one.entityUrn} {operation['path']}"
        for one in patches
        for operation in json.loads(one.aspect.value if one.aspect is not None else b"")
    }


def usage(proposals: list[MetadataChangeProposalClass]) -> Counter[tuple[str, int, int]]:
    """Dataset, day and queries of each usage statistics that was sent."""
    found = [
        (one.entityUrn, json.loads(one.aspect.value))
        for one in proposals
        if one.aspectName == "datasetUsageStatistics" and one.aspect is not None
    ]
    return Counter((str(urn), value["timestampMillis"], value["totalSqlQueries"]) for urn, value in found)


def whole(start: str, end: str, *, as_shares: bool = False, **config: Any) -> list[MetadataChangeProposalClass]:
    """What one run over all of it says, in this process."""
    with metadata_service() as alone:
        written = recipe()
        written["source"]["config"] |= {"start_time": start, "end_time": end, **config}
        if as_shares:
            config = written["source"]["config"]
            del config["stateful_ingestion"], config["athena"]["enable_stateful_time_window"], written["pipeline_name"]
            config["include_catalog_metadata"] = False
        written["sink"]["config"] |= {"server": alone.url, "token": TOKEN}
        pipeline = Pipeline.create(written, report_to=None, no_progress=True)
        pipeline.run()
        pipeline.raise_from_status()
        return alone.proposals


def ingested(times: int) -> list[tuple[str, int, str, int]]:
    return [("ingest", number, "success", 1) for number in range(times)]


def test_a_day_is_ingested_by_one_task_and_a_run_that_is_cleared_says_the_same(
    airflow: Airflow, service: MetadataService
) -> None:
    first = airflow.run("aws_lineage_daily", MONDAY_IS_OVER)
    assert (first.state, first.tasks) == ("success", [("ingest", -1, "success", 1)])
    assert service.refused == []
    told = said(service.proposals)
    assert told == said(whole(*DAY)), "the window is the data interval"
    service.forget()
    assert airflow.run("aws_lineage_daily", MONDAY_IS_OVER).state == "success"
    assert said(service.proposals) == told
    stands = everything(service)
    assert airflow.run("aws_lineage_daily", MONDAY_IS_OVER).state == "success"
    assert everything(service) == stands, "nor does it change what DataHub has"


def test_a_task_that_fails_midway_is_tried_again_and_leaves_what_a_clean_run_leaves(
    airflow: Airflow, service: MetadataService
) -> None:
    assert airflow.run("aws_lineage_daily", MONDAY_IS_OVER).state == "success"
    clean = everything(service)
    service.forget()
    service.fail_after = len(clean)
    outcome = airflow.run("aws_lineage_daily", MONDAY_IS_OVER)
    assert (outcome.state, outcome.tasks) == ("success", [("ingest", -1, "success", 2)])
    assert service.fail_after is None
    assert everything(service) == clean


def test_windows_that_many_workers_share_say_what_one_run_says(airflow: Airflow, service: MetadataService) -> None:
    airflow.set("aws_lineage_recipe", yaml.safe_dump(recipe_that_remembers(airflow)))
    outcome = airflow.run("aws_lineage_backfill", "2026-03-10", **WEEK)
    assert (outcome.state, outcome.tasks) == ("success", [*ingested(4), ("windows", -1, "success", 1)])
    assert service.refused == []
    alone = whole("2026-03-01T00:00:00Z", "2026-03-08T00:00:00Z", as_shares=True)
    more = edges(service.proposals) - edges(alone)
    assert edges(alone) <= edges(service.proposals)
    assert {edge.partition(" ")[0] for edge in more} == {
        "urn:li:dataset:(urn:li:dataPlatform:glue,marketing.reactivation_candidates,PROD)"
    }, "a statement of a later window replaced what this one wrote"
    assert usage(service.proposals) == usage(alone), "no day is told twice"
    assert_shares_keep_to_themselves(airflow, service)


def test_work_groups_that_many_workers_share_say_what_one_run_says(airflow: Airflow, service: MetadataService) -> None:
    airflow.set("aws_lineage_recipe", yaml.safe_dump(recipe_that_remembers(airflow)))
    airflow.set("aws_lineage_work_groups", json.dumps([["elt"], ["dbt", "analysts"]]))
    outcome = airflow.run("aws_lineage_work_groups", MONDAY_IS_OVER)
    assert (outcome.state, outcome.tasks) == ("success", [*ingested(2), ("work_groups", -1, "success", 1)])
    assert service.refused == []
    alone = whole(*DAY, as_shares=True, redshift=[])
    assert edges(service.proposals) == edges(alone)
    assert not usage(service.proposals)
    assert usage(alone)
    assert_shares_keep_to_themselves(airflow, service)


def recipe_that_remembers(airflow: Airflow) -> dict[str, Any]:
    """All that shares must not do."""
    written = recipe()
    written["source"]["config"] |= {
        "edge_memory": {"path": str(airflow.home / "memory")},
        "report_file": str(airflow.home / "report.json"),
    }
    return written


def assert_shares_keep_to_themselves(airflow: Airflow, service: MetadataService) -> None:
    assert "datahubIngestionCheckpoint" not in {one.aspectName for one in service.proposals}
    assert not [urn for urn, status in service.aspects("status").items() if status["removed"]]
    assert not (airflow.home / "memory").exists()
    assert not (airflow.home / "report.json").exists()


def test_no_secret_is_logged_kept_or_shown(airflow: Airflow, service: MetadataService) -> None:
    """The server answers nobody who does not have the token, and what was rendered for each task is in the database."""
    outcome = airflow.run("aws_lineage_daily", "2026-03-04")
    assert service.proposals
    assert b"${DATAHUB_GMS_TOKEN}" in (airflow.home / "airflow.db").read_bytes(), "the recipe is shown"
    assert TOKEN not in outcome.log
    assert airflow.files_with(TOKEN) == []
    assert [one for one in service.proposals if one.aspect and TOKEN.encode() in one.aspect.value] == []


def test_a_recipe_that_cannot_be_read_whole_fails_its_task(airflow: Airflow, service: MetadataService) -> None:
    events = recipe(query_logs=[{"type": "api"}, {"type": "cloudtrail_events"}])  # of a day, the recording has none
    airflow.set("aws_lineage_recipe", yaml.safe_dump(events))
    outcome = airflow.run("aws_lineage_daily", "2026-03-05")
    assert (outcome.state, outcome.tasks) == ("failed", [("ingest", -1, "failed", 3)])
    assert "holds no answer to cloudtrail LookupEvents" in outcome.log
