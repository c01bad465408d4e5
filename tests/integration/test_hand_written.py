"""Hand-written lineage: DataHub's lineage-file format, and notes in a catalog. And `lineage_only`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError
from small_account import DAILY, ORDERS, Ingested, SmallAccount, ingest

from datahub_aws_lineage.config import AwsLineageConfig
from datahub_aws_lineage.config.lineage_file import Complaint, read_lineage_file
from datahub_aws_lineage.errors import ConfigurationError
from datahub_aws_lineage.lineage.notes import Note, notes_of
from datahub_aws_lineage.model.catalog import Column, Table
from datahub_aws_lineage.model.lineage import ColumnEdge, DatasetEdge, DatasetLineage
from datahub_aws_lineage.model.names import Dataset, S3Location, TableName

URN = "urn:li:dataset:(urn:li:dataPlatform:{},{},PROD)"
ORDERS_URN, DAILY_URN = URN.format("glue", "sales.orders"), URN.format("glue", "sales.daily")


def entity(platform: str, name: str, **more: Any) -> dict[str, Any]:
    return {"entity": {"name": name, "type": "dataset", "env": "PROD", "platform": platform, **more}}


def field(dataset: str, path: str) -> str:
    return f"urn:li:schemaField:({dataset},{path})"


def columns(upstream: str, downstream: str, operation: str | None = None, **more: Any) -> dict[str, Any]:
    return {
        "upstreams": [upstream],
        "downstreams": [downstream],
        "transformOperation": operation,
        "confidenceScore": 0.8,
        **more,
    }


def written(path: Path, *nodes: dict[str, Any], version: str = "1") -> str:
    path.write_text(yaml.safe_dump({"version": version, "lineage": list(nodes)}), encoding="utf-8")
    return str(path)


# ---- the file -------------------------------------------------------------------------------------------------------


def test_a_file_in_datahubs_format(tmp_path: Path) -> None:
    topic_urn, daily_urn = URN.format("kafka", "orders"), URN.format("glue", "lake.sales.daily")
    node = {
        **entity("glue", "sales.daily", platform_instance="lake"),
        "upstream": [entity("kafka", "orders")],
        "fineGrainedLineages": [columns(field(topic_urn, "net"), field(daily_urn, "total"), "SUM")],
    }
    (lineage,) = read_lineage_file(written(tmp_path / "lineage.yml", node, entity("glue", "sales.alone")), "PROD")
    topic, daily = Dataset("kafka", "orders"), Dataset("glue", "sales.daily", "lake")
    edge = ColumnEdge(topic, "net", "total", "TRANSFORMATION", "SUM", 0.8)
    assert lineage == DatasetLineage(daily, (DatasetEdge(topic, "manual"),), (edge,))


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        ({"upstream": [entity("kafka", "x", env="DEV")]}, "its env is DEV, that of the recipe is PROD"),
        ({"fineGrainedLineages": [columns("no urn", field(DAILY_URN, "total"))]}, "no urn"),
        (
            {"fineGrainedLineages": [columns(field(DAILY_URN, "day"), field(ORDERS_URN, "day"))]},
            "is a column of another dataset",
        ),
        (
            {"fineGrainedLineages": [columns(ORDERS_URN, field(DAILY_URN, "day"), upstreamType="DATASET")]},
            "only FIELD_SET is drawn",
        ),
    ],
)
def test_what_is_wrong_in_a_file_costs_only_itself(tmp_path: Path, wrong: dict[str, Any], complaint: str) -> None:
    node = {**entity("glue", "sales.daily"), "upstream": [entity("kafka", "orders")], **wrong}
    good = {**entity("glue", "sales.orders"), "upstream": [entity("kafka", "orders")]}
    said = list(read_lineage_file(written(tmp_path / "lineage.yml", node, good), "PROD"))
    assert complaint in "".join(one.text for one in said if isinstance(one, Complaint))
    assert isinstance(said[-1], DatasetLineage)


@pytest.mark.parametrize("text", ["version: 1\nlineage: 7", "version: 2\nlineage: []", "[", "lineage: {a: b"])
def test_a_file_that_is_none(tmp_path: Path, text: str) -> None:
    path = tmp_path / "lineage.yml"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match="lineage_file"):
        list(read_lineage_file(str(path), "PROD"))
    with pytest.raises(ConfigurationError, match="lineage_file"):
        list(read_lineage_file(str(tmp_path / "missing.yml"), "PROD"))


# ---- notes ----------------------------------------------------------------------------------------------------------


def test_notes_on_a_table_and_its_columns() -> None:
    noted = Table(
        "glue",
        TableName("awsdatacatalog", "sales", "daily"),
        (Column("total", "double", "net of VAT @upstream(sales.orders.amount)"), Column("day", "date", "@upstream")),
        description='By day. @Upstream(other."Sales".orders, s3://landing/x/)',
        parameters={"lineage.upstream": "sales.orders, orders,"},
    )
    assert list(notes_of(noted)) == [
        Note(TableName("awsdatacatalog", "sales", "orders")),
        "orders",
        Note(TableName("other", "sales", "orders")),
        Note(S3Location("s3://landing/x/")),
        Note(TableName("awsdatacatalog", "sales", "orders"), "amount", "total"),
    ]


# ---- through the pipeline -------------------------------------------------------------------------------------------


@pytest.fixture
def account(tmp_path: Path) -> SmallAccount:
    return SmallAccount(tmp_path / "account", statements=[])


def run(account: SmallAccount, **recipe: Any) -> Ingested:
    recipe = {"glue": {"include_storage_lineage": False}, "snapshot": str(account.record()), **recipe}
    return ingest(account.folder.parent / "out.json", recipe)


def test_the_file_is_checked_against_the_catalog(account: SmallAccount, tmp_path: Path) -> None:
    node = {
        **entity("glue", "sales.daily"),
        "upstream": [entity("glue", "sales.orders"), entity("glue", "sales.orderz"), entity("kafka", "orders")],
        "fineGrainedLineages": [
            columns(field(ORDERS_URN, "amount"), field(DAILY_URN, "total"), "SUM(amount)"),
            columns(field(ORDERS_URN, "amuont"), field(DAILY_URN, "total")),
        ],
    }
    ghost = {**entity("glue", "sales.dayly"), "upstream": [entity("kafka", "orders")]}
    ingested = run(account, lineage_file=written(tmp_path / "lineage.yml", node, ghost))
    assert ingested.upstreams()["glue sales.daily"] == {"glue sales.orders", "kafka orders"}
    assert "glue sales.dayly" not in ingested.upstreams()
    (edge,) = ingested.aspects("upstreamLineage")[DAILY_URN]["fineGrainedLineages"]
    assert edge["transformOperation"] == "DIRECT:TRANSFORMATION: SUM(amount)"
    assert edge["confidenceScore"] == pytest.approx(0.8)
    warned = "".join("".join(one.context) for one in ingested.report.warnings)
    assert "sales.orderz" in warned
    assert "sales.dayly" in warned


def test_a_file_that_is_missing_is_a_failure_and_costs_nothing_else(account: SmallAccount) -> None:
    ingested = run(account, lineage_file="/no/such/file.yml")
    assert "glue sales.v_daily" in ingested.upstreams()
    (failure,) = ingested.report.failures
    assert "/no/such/file.yml" in "".join(failure.context)


@pytest.mark.parametrize("wanted", [True, False])
def test_notes_of_the_catalog(account: SmallAccount, wanted: bool) -> None:
    total = {"Name": "total", "Type": "double", "Comment": "@upstream(sales.orders.amount)"}
    storage = {**DAILY["StorageDescriptor"], "Columns": [{"Name": "day", "Type": "date"}, total]}
    parameters = {"lineage.upstream": "s3://landing/orders/, nowhere"}
    account.tables = [ORDERS, {**DAILY, "StorageDescriptor": storage, "Parameters": parameters}]
    ingested = run(account, include_noted_lineage=wanted)
    if not wanted:
        assert "glue sales.daily" not in ingested.upstreams()
        return
    assert ingested.upstreams()["glue sales.daily"] == {"glue sales.orders", "s3 landing/orders"}
    (edge,) = ingested.aspects("upstreamLineage")[DAILY_URN]["fineGrainedLineages"]
    assert edge["upstreams"] == [field(ORDERS_URN, "amount")]
    (warning,) = ingested.report.warnings
    assert "nowhere" in "".join(warning.context)


# ---- lineage alone --------------------------------------------------------------------------------------------------


def test_lineage_only_touches_nothing_of_other_sources(tmp_path: Path) -> None:
    account = SmallAccount(tmp_path / "account")
    ingested = run(account, lineage_only=True, incremental_lineage=True)
    of_datasets = {one["aspectName"] for one in ingested.proposals if one["entityType"] == "dataset"}
    assert of_datasets == {"upstreamLineage"}
    assert {one["entityType"] for one in ingested.proposals} == {"dataset", "query"}
    assert all(one["changeType"] == "PATCH" for one in ingested.proposals if one["entityType"] == "dataset")


def test_lineage_only_may_show_locations() -> None:
    config = AwsLineageConfig.model_validate({"lineage_only": True, "include_s3_datasets": True})
    assert config.include_s3_datasets
    assert not config.include_catalog_metadata


def test_lineage_only_and_what_it_sets() -> None:
    log = {"type": "audit_log", "bucket": "b"}
    warehouse = {"name": "w", "query_logs": [log]}
    config = AwsLineageConfig.model_validate(
        {"lineage_only": True, "redshift": [warehouse], "athena": {"include_query_history": False}}
    )
    (one,) = config.redshift
    of_statements = (one.include_usage_statistics, one.include_operational_stats, one.include_log_tables)
    assert not any((*of_statements, config.include_catalog_metadata, config.include_s3_datasets))


@pytest.mark.parametrize(
    ("more", "key"),
    [
        ({"incremental_lineage": False}, "incremental_lineage"),
        ({"include_catalog_metadata": True}, "include_catalog_metadata"),
        ({"athena": {"include_usage_statistics": True}}, r"athena\.include_usage_statistics"),
        ({"redshift": 7}, "redshift"),
        ({"athena": 7}, "athena"),
        ({"accounts": [7]}, "accounts"),
    ],
)
def test_lineage_only_beside_what_it_forbids(more: dict[str, Any], key: str) -> None:
    with pytest.raises(ValidationError, match=key):
        AwsLineageConfig.model_validate({"lineage_only": True, **more})


# ---- siblings -------------------------------------------------------------------------------------------------------


def test_siblings_on_request(account: SmallAccount) -> None:
    assert not run(account).aspects("siblings")
    siblings = run(account, glue={"include_siblings": True}, lineage_only=True, incremental_lineage=True)
    urns = {one["entityUrn"] for one in siblings.proposals if one["aspectName"] == "siblings"}
    assert urns == {
        URN.format(platform, f"sales.{name}")
        for platform in ("glue", "athena")
        for name in ("orders", "daily", "v_daily")
    }
