"""One Glue catalog (moto) through DataHub's own `glue` source and through this one, both as whole pipelines.

What a user has who runs both: the same entities, and column edges between the same fields.
"""

from __future__ import annotations

import base64
import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from datahub.ingestion.run.pipeline import Pipeline
from moto import mock_aws
from strict_schema import assert_valid_file

# Raised, the warning would make DataHub's converter give up on timestamps: it must run here as it does in a pipeline.
pytestmark = pytest.mark.filterwarnings("ignore::avro.errors.IgnoredLogicalType")

REGION = "eu-central-1"
NESTED = [
    ("id", "bigint"),
    ("user", "struct<name:string,address:struct<City:string,zip:char(5)>>"),
    ("items", "array<struct<Sku:string,price:decimal(10,2)>>"),
    ("tags", "map<string,struct<a:int>>"),
    ("Upper", "timestamp"),
]
SPARK_SCHEMA = {
    "type": "struct",
    "fields": [
        {"name": "Id", "type": "long", "nullable": True, "metadata": {}},
        {
            "name": "s",
            "type": {"type": "struct", "fields": [{"name": "Inner", "type": "string", "nullable": True}]},
            "nullable": True,
            "metadata": {},
        },
    ],
}
VIEW = {
    "originalSql": "SELECT id, user.address.city AS c, upper AS u FROM sales.orders",
    "catalog": "awsdatacatalog",
    "schema": "sales",
    "columns": [{"name": "id", "type": "bigint"}, {"name": "c", "type": "varchar"}, {"name": "u", "type": "timestamp"}],
}

Aspects = dict[str, dict[str, Any]]
"""By entity URN, then by aspect name."""


@pytest.fixture
def catalog(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    with mock_aws():
        _fill(boto3.client("glue", region_name=REGION))
        yield


def _fill(glue: Any) -> None:
    glue.create_database(DatabaseInput={"Name": "sales", "Description": "Sales", "Parameters": {"p": "q"}})
    glue.create_database(
        DatabaseInput={"Name": "linked", "TargetDatabase": {"CatalogId": "999999999999", "DatabaseName": "remote"}}
    )
    _table(glue, "sales", "orders", NESTED, PartitionKeys=[{"Name": "dt", "Type": "date"}])
    spark = {
        "spark.sql.sources.provider": "delta",
        "spark.sql.sources.schema.numParts": "1",
        "spark.sql.sources.schema.part.0": json.dumps(SPARK_SCHEMA),
    }
    _table(glue, "sales", "delta", [("col", "array<string>")], Parameters=spark)
    _table(glue, "linked", "shared", [("x", "int")])
    encoded = base64.b64encode(json.dumps(VIEW).encode()).decode()
    _table(
        glue,
        "sales",
        "v",
        [("id", "bigint"), ("c", "string"), ("u", "timestamp")],
        TableType="VIRTUAL_VIEW",
        ViewOriginalText=f"/* Presto View: {encoded} */",
        ViewExpandedText="/* Presto View */",
    )
    _table(
        glue,
        "sales",
        "spark_view",
        [("id", "bigint")],
        TableType="VIRTUAL_VIEW",
        ViewOriginalText="SELECT id FROM orders",
        ViewExpandedText="SELECT `orders`.`id` FROM `sales`.`orders`",
    )
    target = {"CatalogId": "888888888888", "DatabaseName": "remote", "Name": "fx"}
    glue.create_table(DatabaseName="sales", TableInput={"Name": "fx_link", "TargetTable": target})


def _table(glue: Any, database: str, name: str, columns: list[tuple[str, str]], **more: Any) -> None:
    storage: dict[str, Any] = {"Columns": [{"Name": column, "Type": kind} for column, kind in columns]}
    if "ViewOriginalText" not in more:
        storage["Location"] = f"s3://lake/{database}/{name}/"
    made = {"Name": name, "TableType": "EXTERNAL_TABLE", "StorageDescriptor": storage, **more}
    glue.create_table(DatabaseName=database, TableInput=made)


def ingest(output: Path, kind: str, config: dict[str, Any]) -> Aspects:
    source = {"type": kind, "config": {"env": "PROD", "platform_instance": "Prod", **config}}
    sink = {"type": "file", "config": {"filename": str(output)}}
    pipeline = Pipeline.create({"run_id": kind, "source": source, "sink": sink}, report_to=None)
    pipeline.run()
    pipeline.raise_from_status()
    return _by_entity(json.loads(output.read_text(encoding="utf-8")))


def _by_entity(written: list[dict[str, Any]]) -> Aspects:
    found: Aspects = defaultdict(dict)
    for one in written:
        if "proposedSnapshot" in one:
            (snapshot,) = one["proposedSnapshot"].values()
            for aspect in snapshot["aspects"]:
                ((name, value),) = aspect.items()
                short = name.rsplit(".", 1)[-1]
                found[snapshot["urn"]][short[0].lower() + short[1:]] = value
        elif one["changeType"] != "PATCH":
            found[one["entityUrn"]][one["aspectName"]] = one["aspect"]["json"]
    return found


def column_edges(aspects: Aspects) -> set[tuple[str, str]]:
    return {
        (upstream, edge["downstreams"][0])
        for entity in aspects.values()
        for edge in entity.get("upstreamLineage", {}).get("fineGrainedLineages") or []
        for upstream in edge["upstreams"]
    }


def dataset_edges(aspects: Aspects) -> set[tuple[str, str, str]]:
    return {
        (upstream["dataset"], urn, upstream["type"])
        for urn, entity in aspects.items()
        for upstream in entity.get("upstreamLineage", {}).get("upstreams", ())
    }


def test_the_same_catalog_through_both(catalog: None, tmp_path: Path) -> None:
    native = ingest(
        tmp_path / "native.json",
        "glue",
        {
            "aws_region": REGION,
            "extract_transforms": False,
            "emit_storage_lineage": True,
            "extract_delta_schema_from_parameters": True,
            "resolve_resource_link_schema": False,
        },
    )
    ours = ingest(
        tmp_path / "ours.json",
        "aws-lineage",
        {"aws_config": {"aws_region": REGION}, "athena": {"enabled": False}, "incremental_lineage": False},
    )
    assert_valid_file(tmp_path / "ours.json")
    assert {urn for urn in ours if ":s3," not in urn} == {urn for urn in native if "urn:li:query:" not in urn}
    for urn, aspects in native.items():
        for name in ("container", "browsePathsV2", "dataPlatformInstance", "status", "subTypes", "viewProperties"):
            if urn in ours:
                assert (urn, ours[urn].get(name)) == (urn, aspects.get(name))
    assert dataset_edges(native) - dataset_edges(ours) == {
        # What is reached through a link lies where its target lies: the edge from there is the target's.
        (
            "urn:li:dataset:(urn:li:dataPlatform:s3,lake/linked/shared,PROD)",
            "urn:li:dataset:(urn:li:dataPlatform:glue,Prod.linked.shared,PROD)",
            "COPY",
        )
    }
    assert dataset_edges(ours) <= dataset_edges(native)
    missing = {upstream.rsplit(",", 1)[1] for upstream, _ in column_edges(native) - column_edges(ours)}
    assert {path for path in missing if "[version=2.0]" not in path} == {
        "x)",  # of the link
        "user.address.city)",  # DataHub's SQL parser spells columns as the view does; the schema has `City`
    }
    assert all("[type=array]" in path or "[type=map]" in path for path in missing if "[version=2.0]" in path)
    assert len(column_edges(native) & column_edges(ours)) > 10
