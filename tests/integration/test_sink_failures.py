"""What the `datahub-rest` sink does when the metadata service refuses, fails, stalls or is away.

docs/sinks.md states what is held here. A run keeps what was taken, says in its log what was not, and ends with a
failure, but for mode SYNC: there DataHub's sink tells its log alone.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from datahub.ingestion.run.pipeline import Pipeline, PipelineInitError
from metadata_server import TOKEN, Fault, MetadataService, metadata_service
from sink_runs import ENDPOINTS, MODES, Told, lost_by_log, recipe, rest_sink, run, store_of, told, work_units
from small_account import SmallAccount, account

__all__ = ["account"]

LINEAGE = "upstreamLineage"
UNLOADED = ("urn:li:dataset:(urn:li:dataPlatform:s3,exchange/daily,PROD)", LINEAGE)
STATEFUL: dict[str, dict[str, Any]] = {"stateful_ingestion": {"enabled": True, "fail_safe_threshold": 100.0}}

every_mode = pytest.mark.parametrize("mode", MODES)
every_endpoint = pytest.mark.parametrize("endpoint", ENDPOINTS)


@pytest.fixture
def service() -> Iterator[MetadataService]:
    with metadata_service() as service:
        yield service


@pytest.fixture(scope="module")
def file_output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("file")
    to_file = {"type": "file", "config": {"filename": str(folder / "out.json")}}
    run(recipe(SmallAccount(folder / "account").record(), to_file)).raise_from_status()
    return folder / "out.json"


@pytest.fixture(scope="module")
def everything(file_output: Path) -> MetadataService:
    return store_of(file_output)


def failed(pipeline: Pipeline) -> bool:
    """Whether `datahub ingest` ends with exit code 1. Nothing of it is the source's."""
    assert not pipeline.source.get_report().failures
    return pipeline.has_failures()


def is_lineage(one: Told) -> bool:
    return one[1] == LINEAGE


@every_endpoint
@pytest.mark.parametrize(("mode", "status"), [("SYNC", 422), ("ASYNC", 400), ("ASYNC", 422)])
def test_a_refused_aspect_alone_is_lost_and_named(
    service: MetadataService,
    account: SmallAccount,
    everything: MetadataService,
    caplog: pytest.LogCaptureFixture,
    mode: str,
    endpoint: str,
    status: int,
) -> None:
    service.faults = [Fault(status, LINEAGE)]
    pipeline = run(recipe(account.record(), rest_sink(service, mode=mode, endpoint=endpoint)))
    lost = told(everything) - told(service)
    assert lost == Counter(filter(is_lineage, told(everything)))
    assert lost_by_log(caplog.text) == work_units(lost)
    assert failed(pipeline) is (mode != "SYNC")
    assert "upstreamLineage is refused" in caplog.text


@every_endpoint
@pytest.mark.parametrize("status", [400, 422])
def test_in_batches_a_refused_aspect_takes_its_batch_with_it(
    service: MetadataService,
    account: SmallAccount,
    everything: MetadataService,
    caplog: pytest.LogCaptureFixture,
    endpoint: str,
    status: int,
) -> None:
    """Each of the batch is named in the log; the sink's report has as many entries, all under the last one's URN."""
    service.faults = [Fault(status, LINEAGE)]
    batches = {"mode": "ASYNC_BATCH", "endpoint": endpoint, "max_per_batch": 10, "max_threads": 1}
    pipeline = run(recipe(account.record(), rest_sink(service, **batches)))
    lost = told(everything) - told(service)
    named = lost_by_log(caplog.text)
    assert failed(pipeline)
    assert work_units(filter(is_lineage, told(everything))) <= work_units(lost) <= named
    assert len(named) < 30, "other batches are kept"
    failures = [one for one in pipeline.sink.get_report().failures if isinstance(one, dict)]
    assert len({one["info"]["urn"] for one in failures}) < len({name.rpartition("-")[0] for name in named})


PASSING = {
    "500": Fault(500, LINEAGE, times=1),
    "503": Fault(503, LINEAGE, times=1),
    "429": Fault(429, LINEAGE, times=1, headers={"Retry-After": "1"}),
    "closed": Fault(None, LINEAGE, times=1),
    "closed after it was kept": Fault(None, LINEAGE, times=1, kept=True),
    "too slow": Fault(200, LINEAGE, times=1, seconds=0.6, kept=True),
}


@pytest.mark.parametrize("fault", PASSING.values(), ids=PASSING)
def test_what_passes_is_tried_again(
    service: MetadataService, account: SmallAccount, everything: MetadataService, fault: Fault
) -> None:
    """What was written twice is written as once."""
    service.faults = [Fault(**vars(fault))]
    pipeline = run(recipe(account.record(), rest_sink(service, timeout_sec=0.4)))
    assert not failed(pipeline)
    assert [one.times for one in service.faults] == [0]
    assert service.stored() == everything.stored()


@every_mode
def test_through_openapi_lineage_is_not_tried_again(
    service: MetadataService,
    account: SmallAccount,
    everything: MetadataService,
    caplog: pytest.LogCaptureFixture,
    mode: str,
) -> None:
    """DataHub's client sends a patch there as PATCH, which is not among the methods that it repeats."""
    service.faults = [Fault(503, LINEAGE, times=1)]
    pipeline = run(recipe(account.record(), rest_sink(service, mode=mode, endpoint="OPENAPI")))
    lost = told(everything) - told(service)
    assert set(filter(is_lineage, lost))
    assert work_units(lost) <= lost_by_log(caplog.text)
    assert failed(pipeline) is (mode != "SYNC")


@pytest.mark.parametrize(
    "fault",
    [Fault(503), Fault(None), Fault(429), Fault(200, seconds=0.4)],
    ids=["503", "closed", "429", "too slow"],
)
def test_a_service_that_does_not_recover_ends_the_run_with_a_failure(
    service: MetadataService,
    account: SmallAccount,
    everything: MetadataService,
    caplog: pytest.LogCaptureFixture,
    fault: Fault,
) -> None:
    service.faults = [fault]
    retries = {"retry_max_times": 0, "timeout_sec": 0.2}
    pipeline = run(recipe(account.record(), rest_sink(service, **retries)))
    assert failed(pipeline)
    assert service.proposals == []
    assert lost_by_log(caplog.text) == work_units(told(everything))
    assert TOKEN not in caplog.text


@every_mode
def test_a_token_that_is_refused_is_not_told(
    service: MetadataService,
    account: SmallAccount,
    everything: MetadataService,
    caplog: pytest.LogCaptureFixture,
    mode: str,
) -> None:
    caplog.set_level("DEBUG")
    pipeline = run(recipe(account.record(), rest_sink(service, mode=mode, token="expired-token")))
    assert service.proposals == []
    assert lost_by_log(caplog.text) == work_units(told(everything))
    assert failed(pipeline) is (mode != "SYNC")
    assert "expired-token" not in caplog.text + pipeline.sink.get_report().as_string()


def test_a_service_that_is_away_ends_the_run_before_it_begins(account: SmallAccount) -> None:
    with metadata_service() as service:
        sink = rest_sink(service)
    with pytest.raises(PipelineInitError, match="Failed to configure the sink") as error:
        run(recipe(account.record(), sink))
    assert TOKEN not in str(error.value)


def test_what_was_not_written_can_be_sent_from_the_failure_log(
    service: MetadataService, account: SmallAccount, everything: MetadataService, tmp_path: Path
) -> None:
    """In mode SYNC: in the others DataHub closes the log before the sink has sent its last."""
    log = tmp_path / "failed.json"
    service.faults = [Fault(422, LINEAGE)]
    failure_log = {"enabled": True, "log_config": {"filename": str(log)}}
    run({**recipe(account.record(), rest_sink(service, mode="SYNC")), "failure_log": failure_log})
    assert {one["aspectName"] for one in json.loads(log.read_text())} == {LINEAGE}
    service.faults = []
    from_file: dict[str, Any] = {"type": "file", "config": {"path": str(log)}}
    run({"source": from_file, "sink": rest_sink(service)}).raise_from_status()
    assert service.refused == []
    assert service.stored() == everything.stored()


@pytest.mark.parametrize("mode", ["SYNC", "ASYNC_BATCH"])
def test_after_a_refusal_the_old_state_must_be_ignored(
    service: MetadataService, account: SmallAccount, everything: MetadataService, mode: str
) -> None:
    """DataHub keeps the state of a run before its sink has told what was refused: Athena's statements then count as
    read. `ignore_old_state` reads them again.
    """
    sink = rest_sink(service, mode=mode)
    service.faults = [Fault(422, LINEAGE)]
    run(recipe(account.record(), sink, **STATEFUL))
    service.faults = []
    run(recipe(account.record(), sink, **STATEFUL)).raise_from_status()
    assert UNLOADED in told(everything) - told(service)
    again = {"stateful_ingestion": {**STATEFUL["stateful_ingestion"], "ignore_old_state": True}}
    run(recipe(account.record(), sink, **again)).raise_from_status()
    assert UNLOADED not in told(everything) - told(service)
    assert not told(everything).keys() - told(service).keys()
