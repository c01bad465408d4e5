"""The real `datahub-rest` sink and stateful ingestion, against a strict metadata service on the loopback interface."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from datahub.emitter.mcp import MetadataChangeProposalWrapper
from datahub.emitter.serialization_helper import pre_json_transform
from datahub.ingestion.run.pipeline import Pipeline
from datahub.metadata.schema_classes import (
    DatasetPropertiesClass,
    DateTypeClass,
    OtherSchemaClass,
    SchemaFieldClass,
    SchemaFieldDataTypeClass,
    SchemaMetadataClass,
)
from metadata_server import MetadataService, metadata_service
from sink_runs import ENDPOINTS, MODES, recipe, rest_sink, run, store_of, told
from small_account import (
    DAILY,
    INSERT_DAILY,
    ORDERS,
    REDSHIFT_LOG,
    UNLOAD_DAILY,
    SmallAccount,
    account,
    short,
    view,
)

__all__ = ["account"]


@pytest.fixture
def service() -> Iterator[MetadataService]:
    with metadata_service() as service:
        yield service


def ingest(service: MetadataService, snapshot: Path, **source: Any) -> Pipeline:
    return run(recipe(snapshot, rest_sink(service, mode="SYNC"), **source))


@pytest.fixture(scope="module")
def file_output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the `file` sink wrote of the account."""
    folder = tmp_path_factory.mktemp("file")
    to_file = {"type": "file", "config": {"filename": str(folder / "out.json")}}
    run(recipe(SmallAccount(folder / "account").record(), to_file)).raise_from_status()
    return folder / "out.json"


@pytest.fixture(scope="module")
def written(file_output: Path) -> MetadataService:
    return store_of(file_output)


def removed(service: MetadataService) -> set[str]:
    """Datasets and containers; DataHub hides its own bookkeeping in the same way."""
    statuses = service.aspects("status").items()
    return {short(urn) for urn, status in statuses if status.get("removed") and "urn:li:dataJob:" not in urn}


@pytest.mark.parametrize(
    ("mode", "endpoint", "version"),
    [
        *((mode, endpoint, "v1.2.0") for mode in MODES for endpoint in ENDPOINTS),
        *(("ASYNC_BATCH", endpoint, "v1.7.0") for endpoint in ENDPOINTS),  # takes patches of more aspects
    ],
)
def test_everything_arrives_and_is_valid(
    service: MetadataService, account: SmallAccount, written: MetadataService, mode: str, endpoint: str, version: str
) -> None:
    """It is what the `file` sink writes, and what is said twice of one dataset comes in its order."""
    service.version = version
    pipeline = run(recipe(account.record(), rest_sink(service, mode=mode, endpoint=endpoint)))
    pipeline.raise_from_status()
    assert service.refused == []
    assert service.unknown_calls == []
    assert told(service) == told(written)
    assert service.stored() == written.stored()
    assert stored(service, DAILY_URN, "datasetProperties")["lastModified"]["time"] > 0
    assert pipeline.sink.get_report().total_records_written == (0 if mode == "SYNC" else len(service.proposals))


def test_what_arrives_is_the_account(service: MetadataService, account: SmallAccount) -> None:
    ingest(service, account.record()).raise_from_status()
    assert {short(urn) for urn in service.aspects("schemaMetadata")} == {
        "glue sales.orders",
        "glue sales.daily",
        "glue sales.v_daily",
        "s3 lake/orders",
        "s3 lake/daily",
        "s3 exchange/daily",
    }
    patches = service.aspects("upstreamLineage")
    assert {short(urn) for urn in patches} >= {"glue sales.daily", "s3 exchange/daily"}
    assert all(operation["op"] == "add" for patch in patches.values() for operation in patch)
    assert len(service.aspects("queryProperties")) == 2


def test_a_file_that_is_sent_later_says_the_same(
    service: MetadataService, file_output: Path, written: MetadataService
) -> None:
    from_file = {"type": "file", "config": {"path": str(file_output)}}
    run({"source": from_file, "sink": rest_sink(service)}).raise_from_status()
    assert service.refused == []
    assert told(service) == told(written)
    assert service.stored() == written.stored()


def test_a_table_that_is_gone_is_removed_by_the_next_run(service: MetadataService, account: SmallAccount) -> None:
    stateful = {"stateful_ingestion": {"enabled": True, "fail_safe_threshold": 100.0}}
    ingest(service, account.record(), **stateful).raise_from_status()
    assert removed(service) == set()
    account.tables = [ORDERS, DAILY]
    ingest(service, account.record(), **stateful).raise_from_status()
    assert removed(service) == {"glue sales.v_daily"}
    assert service.refused == []


def test_what_only_older_statements_name_stays(service: MetadataService, account: SmallAccount, tmp_path: Path) -> None:
    """Their lineage stays as well; that the window has moved on says nothing of `s3://exchange/daily`."""
    log = tmp_path / "redshift.csv"
    log.write_text(REDSHIFT_LOG)
    stateful = {"stateful_ingestion": {"enabled": True, "fail_safe_threshold": 100.0}}
    warehouse = {"name": "exported", "query_logs": [{"type": "file", "path": str(log)}]}
    ingest(service, account.record(), redshift=[warehouse], **stateful).raise_from_status()
    assert {"s3 exchange/daily", "redshift dev.public.landing"} <= {short(urn) for urn in service.aspects("status")}
    account.statements = [INSERT_DAILY]
    ingest(service, account.record(), **stateful).raise_from_status()
    assert removed(service) == set()


def test_after_a_failed_listing_nothing_is_removed(service: MetadataService, account: SmallAccount) -> None:
    stateful = {"stateful_ingestion": {"enabled": True, "fail_safe_threshold": 100.0}}
    ingest(service, account.record(), **stateful)
    account.denied = {"glue:GetTables"}
    pipeline = ingest(service, account.record(), **stateful)
    assert pipeline.source.get_report().failures
    assert removed(service) == set()


def test_beside_datahubs_own_sources_only_lineage_and_queries_are_told(
    service: MetadataService, account: SmallAccount
) -> None:
    ingest(service, account.record(), include_catalog_metadata=False, include_s3_datasets=False).raise_from_status()
    entities: dict[str, set[str]] = {}
    for proposal in service.proposals:
        entities.setdefault(str(proposal.entityType), set()).add(str(proposal.aspectName))
    assert entities == {
        "dataset": {"upstreamLineage", "datasetUsageStatistics", "operation", "datasetProperties"},
        "query": {"queryProperties", "querySubjects", "queryUsageStatistics", "dataPlatformInstance", "status"},
    }
    properties = [one for one in service.proposals if one.aspectName == "datasetProperties"]
    assert {str(one.changeType) for one in properties} == {"PATCH"}, "DataHub adds when an operation changed it"
    assert service.refused == []


def test_a_location_that_another_source_describes_gets_lineage_and_nothing_else(
    service: MetadataService, account: SmallAccount
) -> None:
    """With its lineage gone, it is not removed either."""
    source: dict[str, Any] = {
        "include_s3_datasets": False,
        "stateful_ingestion": {"enabled": True, "fail_safe_threshold": 100.0},
    }
    ingest(service, account.record(), **source)
    assert "s3 exchange/daily" in {short(urn) for urn in service.aspects("upstreamLineage")}
    account.statements = [INSERT_DAILY]
    ingest(service, account.record(), **source)
    assert not any("dataPlatform:s3," in urn for urn in service.aspects("status"))


DAILY_URN = "urn:li:dataset:(urn:li:dataPlatform:glue,sales.daily,PROD)"
EXCHANGE = "urn:li:dataset:(urn:li:dataPlatform:s3,exchange/daily,PROD)"
VIEW = "urn:li:dataset:(urn:li:dataPlatform:glue,sales.v_daily,PROD)"


def stored(service: MetadataService, urn: str, aspect: str) -> Any:
    return service.entity(urn)["aspects"].get(aspect, {}).get("value")


def fields(service: MetadataService, urn: str) -> list[str]:
    return [field["fieldPath"] for field in stored(service, urn, "schemaMetadata")["fields"]]


def test_a_view_that_is_defined_anew_loses_its_old_lineage(service: MetadataService, account: SmallAccount) -> None:
    ingest(service, account.record()).raise_from_status()
    account.tables[2] = view(
        "v_daily", "SELECT day, amount AS twice FROM sales.orders", {"day": "date", "twice": "double"}
    )
    ingest(service, account.record()).raise_from_status()
    lineage = stored(service, VIEW, "upstreamLineage")
    assert {short(upstream["dataset"]) for upstream in lineage["upstreams"]} == {"glue sales.orders"}
    assert {edge["upstreams"][0].rpartition("PROD),")[2] for edge in lineage["fineGrainedLineages"]} == {
        "day)",
        "amount)",
    }
    assert len(lineage["fineGrainedLineages"]) == 2


def test_a_view_keeps_its_lineage_where_a_part_of_the_catalog_was_not_read(
    service: MetadataService, account: SmallAccount
) -> None:
    ingest(service, account.record())
    before = stored(service, VIEW, "upstreamLineage")
    account.denied = {"athena:ListQueryExecutions"}
    account.tables[2] = view("v_daily", "SELECT day FROM sales.orders", {"day": "date"})
    ingest(service, account.record())
    kept = {short(upstream["dataset"]) for upstream in stored(service, VIEW, "upstreamLineage")["upstreams"]}
    assert kept == {short(upstream["dataset"]) for upstream in before["upstreams"]} | {"glue sales.orders"}


def test_columns_that_an_earlier_run_named_stay(service: MetadataService, account: SmallAccount) -> None:
    ingest(service, account.record())
    assert fields(service, EXCHANGE) == ["day", "total"]
    account.statements = [UNLOAD_DAILY.replace("day, total", "total AS grand")]
    ingest(service, account.record())
    assert fields(service, EXCHANGE) == ["grand", "day", "total"]


def test_what_another_source_says_of_a_location_stays(service: MetadataService, account: SmallAccount) -> None:
    properties = DatasetPropertiesClass(name="daily", customProperties={"number_of_files": "7"})
    day = SchemaFieldClass("Day", SchemaFieldDataTypeClass(DateTypeClass._construct_with_defaults()), "date32")
    day.description = "as in the files"
    schema = SchemaMetadataClass("daily", "urn:li:dataPlatform:s3", 0, "", OtherSchemaClass(""), [day])
    for aspect in (properties, schema):
        said = MetadataChangeProposalWrapper(entityUrn=EXCHANGE, aspect=aspect)
        assert service.take(pre_json_transform(said.to_obj())) == []
    ingest(service, account.record()).raise_from_status()
    assert stored(service, EXCHANGE, "datasetProperties")["customProperties"] == {"number_of_files": "7"}
    assert stored(service, EXCHANGE, "schemaMetadata")["fields"][0]["description"] == "as in the files"
    assert fields(service, EXCHANGE) == ["Day", "total"]
    edges = stored(service, EXCHANGE, "upstreamLineage")["fineGrainedLineages"]
    assert {edge["downstreams"][0].rpartition(",")[2] for edge in edges} == {"Day)", "total)"}
    count = len(service.proposals)
    ingest(service, account.record())
    again = [one.aspectName for one in service.proposals[count:] if one.entityUrn == EXCHANGE]
    assert sorted(map(str, again)) == ["status", "upstreamLineage"]


def test_where_datahub_cannot_be_asked_nothing_of_others_is_replaced(
    service: MetadataService, account: SmallAccount
) -> None:
    service.silent = True
    pipeline = ingest(service, account.record())
    pipeline.raise_from_status()
    assert set(service.entity(EXCHANGE)["aspects"]) == {"status", "upstreamLineage"}
    assert len(pipeline.source.get_report().warnings) == 1
    assert len(service.unknown_calls) == 1
