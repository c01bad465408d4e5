"""The same Glue catalog (moto) through DataHub's own `glue` source and through this package: the same entities."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from datahub.emitter.mcp import MetadataChangeProposalWrapper
from datahub.ingestion.api.common import PipelineContext
from datahub.ingestion.api.workunit import MetadataWorkUnit
from datahub.ingestion.source.aws.glue import GlueSource, GlueSourceConfig
from datahub.metadata.schema_classes import (
    ContainerClass,
    ContainerPropertiesClass,
    DataPlatformInstanceClass,
    DatasetPropertiesClass,
    MetadataChangeEventClass,
    OperationClass,
    SchemaMetadataClass,
    StatusClass,
    SubTypesClass,
    ViewPropertiesClass,
)
from emit_samples import ACCOUNT, REGION, Notes
from moto import mock_aws
from strict_schema import assert_valid, problems

from datahub_aws_lineage.aws.clients import Clients
from datahub_aws_lineage.aws.glue import GlueCatalogReader
from datahub_aws_lineage.emit.containers import Containers
from datahub_aws_lineage.emit.datasets import table_proposals
from datahub_aws_lineage.model.names import Dataset

# Raised, the warning would make DataHub's converter give up on timestamps: it must run here as it does in a pipeline.
pytestmark = pytest.mark.filterwarnings("ignore::avro.errors.IgnoredLogicalType")

Aspects = dict[str, dict[str, Any]]
"""By entity URN, then by aspect name."""

COLUMNS = [
    ("id", "bigint"),
    ("user", "struct<name:string,address:struct<City:string,zip:char(5)>>"),
    ("items", "array<struct<sku:string,price:decimal(10,2)>>"),
    ("nested", "array<array<struct<a:int>>>"),
    ("tags", "map<string,struct<a:int,b:array<string>>>"),
    ("choice", "uniontype<int,string>"),
    ("a b", "varchar(12)"),
    ("a.b", "int"),
    ("größe", "double"),
    ("Upper", "timestamp"),
    ("plain", "decimal"),
    ("odd", "interval_year_month"),
    ("broken", "struct<a:int"),
]
VIEW_TEXT = "CREATE VIEW v AS SELECT 1"


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> Iterator[boto3.Session]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    with mock_aws():
        made = boto3.Session(region_name=REGION)
        _fill(made.client("glue"))
        yield made


def _fill(glue: Any) -> None:
    glue.create_database(
        DatabaseInput={"Name": "sales", "Description": "Sales", "LocationUri": "s3://lake/", "Parameters": {"p": "q"}}
    )
    glue.create_database(DatabaseInput={"Name": "empty"})
    listed = [{"Name": name, "Type": kind, "Comment": f"about {name}"} for name, kind in COLUMNS]
    glue.create_table(
        DatabaseName="sales",
        TableInput={
            "Name": "orders",
            "Description": "Orders as placed",
            "TableType": "EXTERNAL_TABLE",
            "Parameters": {"classification": "parquet"},
            "StorageDescriptor": {
                "Columns": listed,
                "Location": "s3://lake/sales/orders/",
                "InputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
                "SerdeInfo": {"SerializationLibrary": "parquet", "Parameters": {"serialization.format": "1"}},
                "Compressed": False,
            },
            "PartitionKeys": [{"Name": "dt", "Type": "date", "Comment": "day"}, {"Name": "hour", "Type": "int"}],
        },
    )
    glue.create_table(
        DatabaseName="sales",
        TableInput={
            "Name": "v",
            "TableType": "VIRTUAL_VIEW",
            "ViewOriginalText": VIEW_TEXT,
            "StorageDescriptor": {"Columns": [{"Name": "one", "Type": "int"}]},
        },
    )


def _native(instance: str | None, env: str) -> list[MetadataWorkUnit]:
    config = {"aws_region": REGION, "env": env, "extract_transforms": False, "include_view_lineage": False}
    options = GlueSourceConfig.model_validate({**config, "platform_instance": instance})
    source = GlueSource(options, PipelineContext(run_id="native"))
    return list(source.get_workunits_internal())


def _ours(session: boto3.Session, instance: str | None, env: str) -> list[MetadataChangeProposalWrapper]:
    notes = Notes()
    reader = GlueCatalogReader(
        Clients(session), notes, database_allowed=lambda name: True, table_allowed=lambda name: True
    )
    containers = Containers(env=env, region=REGION)
    proposals = [p for database in reader.read_databases() for p in containers.proposals(database, instance)]
    for table in reader.read_tables():
        dataset = Dataset("glue", f"{table.name.database}.{table.name.table}", instance)
        proposals += table_proposals(table, dataset, env=env, region=REGION, diagnostics=notes)
    return proposals


def _by_entity(items: list[MetadataWorkUnit] | list[MetadataChangeProposalWrapper]) -> Aspects:
    found: Aspects = defaultdict(dict)
    for item in items:
        metadata = item.metadata if isinstance(item, MetadataWorkUnit) else item
        if isinstance(metadata, MetadataChangeEventClass):
            for aspect in metadata.proposedSnapshot.aspects:
                found[metadata.proposedSnapshot.urn][aspect.get_aspect_name()] = aspect
        elif isinstance(metadata, MetadataChangeProposalWrapper):
            assert metadata.aspect is not None
            found[str(metadata.entityUrn)][metadata.aspect.get_aspect_name()] = metadata.aspect
    return found


@pytest.mark.parametrize(("instance", "env"), [(None, "PROD"), ("Prod-EU", "PROD"), (None, "DEV"), ("x", "DEV")])
def test_same_entities_and_the_same_in_every_aspect(session: boto3.Session, instance: str | None, env: str) -> None:
    native, ours = _by_entity(_native(instance, env)), _by_entity(_ours(session, instance, env))
    assert set(ours) == set(native)
    assert len(ours) == 4
    for urn, aspects in native.items():
        missing = set(aspects) - set(ours[urn]) - {OperationClass.ASPECT_NAME}
        assert (urn, missing) == (urn, set())
        for name in (
            ContainerClass.ASPECT_NAME,
            DataPlatformInstanceClass.ASPECT_NAME,
            StatusClass.ASPECT_NAME,
            SubTypesClass.ASPECT_NAME,
            ViewPropertiesClass.ASPECT_NAME,
        ):
            assert (urn, ours[urn].get(name)) == (urn, aspects.get(name))


def test_same_fields_and_properties(session: boto3.Session) -> None:
    native, ours = _by_entity(_native(None, "PROD")), _by_entity(_ours(session, None, "PROD"))
    schemas = 0
    for urn, aspects in native.items():
        if "schemaMetadata" in aspects:
            schemas += 1
            _assert_same_schema(ours[urn]["schemaMetadata"], aspects["schemaMetadata"])
        _assert_same_properties(ours[urn], aspects)
    assert schemas == 2


def _assert_same_schema(ours: SchemaMetadataClass, native: SchemaMetadataClass) -> None:
    def facts(schema: SchemaMetadataClass) -> list[tuple[Any, ...]]:
        return [
            (field.fieldPath, field.nativeDataType, field.type, field.description, field.isPartOfKey)
            for field in schema.fields
        ]

    assert facts(ours) == facts(native)
    assert (ours.schemaName, ours.platform) == (native.schemaName, native.platform)
    differing = {o.fieldPath for o, n in zip(ours.fields, native.fields, strict=True) if o.nullable != n.nullable}
    assert differing <= {"broken"}


def _assert_same_properties(ours: dict[str, Any], native: dict[str, Any]) -> None:
    for name in (DatasetPropertiesClass.ASPECT_NAME, ContainerPropertiesClass.ASPECT_NAME):
        if name not in native:
            continue
        mine, theirs = ours[name], native[name]
        assert (mine.name, mine.qualifiedName) == (theirs.name, theirs.qualifiedName)
        assert mine.description == theirs.description
        expected = {key: value for key, value in theirs.customProperties.items() if key != "CreateTime"}
        assert mine.customProperties.items() >= expected.items()
        assert set(mine.customProperties) - set(expected) <= {"TableType", "TableFormat", "Owner"}


def test_what_both_emit_passes_the_strict_check(session: boto3.Session) -> None:
    assert_valid(_ours(session, "prod", "PROD"))
    assert [problem for unit in _native("prod", "PROD") for problem in problems(unit)] == []


def test_account_of_the_arn(session: boto3.Session) -> None:
    names = {
        aspects["datasetProperties"].qualifiedName
        for aspects in _by_entity(_ours(session, None, "PROD")).values()
        if "datasetProperties" in aspects
    }
    assert f"arn:aws:glue:{REGION}:{ACCOUNT}:table/sales/orders" in names
