"""Tags of Lake Formation in DataHub: as DataHub's own `glue` source gives them, and beside those of others."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from datahub.emitter.mce_builder import make_tag_urn
from datahub.ingestion.api.common import PipelineContext
from datahub.ingestion.source.aws.glue import GlueSource, GlueSourceConfig
from datahub.metadata.schema_classes import (
    GlobalTagsClass,
    MetadataChangeEventClass,
    MetadataChangeProposalClass,
    SchemaMetadataClass,
)
from emit_samples import REGION, Notes
from moto import mock_aws
from strict_schema import assert_valid, problems
from tag_patches import merge

from datahub_aws_lineage.aws.clients import Clients
from datahub_aws_lineage.aws.glue import GlueCatalogReader
from datahub_aws_lineage.aws.lake_formation import TaggedCatalogReader
from datahub_aws_lineage.emit.datasets import table_proposals
from datahub_aws_lineage.emit.stored import StoredDataset
from datahub_aws_lineage.emit.tags import SOURCE, Tags, own_tags_unit
from datahub_aws_lineage.emit.urns import container_key, dataset_urn, tag_urn
from datahub_aws_lineage.errors import RetriableError
from datahub_aws_lineage.model.catalog import AssignedTags, Tag
from datahub_aws_lineage.model.names import Dataset

ORDERS = "urn:li:dataset:(urn:li:dataPlatform:glue,sales.orders,PROD)"
PII = Tag("pii", "true")

OF_DATABASE = [{"TagKey": "team", "TagValues": ["sales"]}]
OF_TABLE = {
    "LFTagOnDatabase": OF_DATABASE,
    "LFTagsOnTable": [
        {"TagKey": "zone", "TagValues": ["raw/landing"]},
        {"TagKey": "größe", "TagValues": ["a b@c%+=*"]},
    ],
    "LFTagsOnColumns": [
        {"Name": "user", "LFTags": [{"TagKey": "pii", "TagValues": ["true"]}]},
        {"Name": "day", "LFTags": [{"TagKey": "grain", "TagValues": ["day"]}]},
    ],
}


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> Iterator[boto3.Session]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        made = boto3.Session(region_name=REGION)
        glue = made.client("glue")
        glue.create_database(DatabaseInput={"Name": "sales"})
        columns = [{"Name": "id", "Type": "int"}, {"Name": "user", "Type": "struct<name:string>"}]
        table: Any = {
            "Name": "orders",
            "StorageDescriptor": {"Columns": columns, "Location": "s3://lake/orders/"},
            "PartitionKeys": [{"Name": "day", "Type": "date"}],
        }
        glue.create_table(DatabaseName="sales", TableInput=table)
        yield made


def answered(client: Any) -> Stubber:
    stubber = Stubber(client)
    stubber.add_response("get_resource_lf_tags", {"LFTagOnDatabase": OF_DATABASE})
    stubber.add_response("get_resource_lf_tags", OF_TABLE)
    return stubber


def native() -> dict[str, Any]:
    """By URN: the tags of the container and of the dataset, and by field path those of columns."""
    options = {"aws_region": REGION, "extract_transforms": False, "include_view_lineage": False}
    config = GlueSourceConfig.model_validate({**options, "extract_lakeformation_tags": True})
    source = GlueSource(config, PipelineContext(run_id="native"))
    found: dict[str, Any] = {}
    with answered(source.lf_client):
        for unit in source.get_workunits_internal():
            metadata = unit.metadata
            if isinstance(metadata, MetadataChangeEventClass):
                aspects = metadata.proposedSnapshot.aspects
                for tags in (one for one in aspects if isinstance(one, GlobalTagsClass)):
                    found[metadata.proposedSnapshot.urn] = urns(tags)
                for schema in (one for one in aspects if isinstance(one, SchemaMetadataClass)):
                    found |= of_fields(schema)
            elif (given := unit.get_aspect_of_type(GlobalTagsClass)) is not None:
                found[unit.get_urn()] = urns(given)
    return found


def ours(session: boto3.Session) -> dict[str, Any]:
    clients, notes = Clients(session), Notes()
    tags, found = Tags(notes, None), {}
    reader = TaggedCatalogReader(GlueCatalogReader(clients, notes), clients, notes, threads=1)
    with answered(clients.client("lakeformation")):
        for database in reader.read_databases():
            urn = container_key(database, None, "PROD").as_urn()
            found[urn] = patched(list(tags.work_units(urn, database.tags)))
        for table in reader.read_tables():
            dataset = Dataset("glue", f"{table.name.database}.{table.name.table}")
            urn = dataset_urn(dataset, "PROD")
            proposals = list(table_proposals(table, dataset, env="PROD", region=REGION, diagnostics=notes))
            assert_valid(proposals)
            for schema in (one.aspect for one in proposals if isinstance(one.aspect, SchemaMetadataClass)):
                found |= of_fields(schema)
            found[urn] = patched(list(tags.work_units(urn, table.tags)))
    return found


def urns(tags: GlobalTagsClass) -> set[str]:
    return {one.tag for one in tags.tags}


def of_fields(schema: SchemaMetadataClass) -> dict[str, set[str]]:
    return {field.fieldPath: urns(field.globalTags) for field in schema.fields if field.globalTags is not None}


def patched(units: list[Any]) -> set[str]:
    assert_valid(units)
    return {one["tag"] for one in merge(None, payload(units[-1].metadata))["tags"]}


def payload(proposal: Any) -> Any:
    assert isinstance(proposal, MetadataChangeProposalClass)
    assert proposal.aspect is not None
    return json.loads(proposal.aspect.value)


def test_the_tags_are_those_of_datahubs_own_source(session: boto3.Session) -> None:
    theirs = native()
    assert ours(session) == theirs
    assert theirs[ORDERS] == {"urn:li:tag:zone:raw/landing", "urn:li:tag:größe:a b@c%+=*"}
    assert len(theirs) == 4


def test_a_tag_without_a_value() -> None:
    assert tag_urn(Tag("pii", "")) == "urn:li:tag:pii"


def test_what_a_patch_leaves() -> None:
    def given(*tags: Tag) -> Any:
        return payload(own_tags_unit(ORDERS, tags).metadata)

    person = {"tag": make_tag_urn("gold")}
    other = {"tag": make_tag_urn("pii:true"), "attribution": {"source": "urn:li:dataPlatform:bigid"}}
    before = merge({"tags": [person, other]}, given(PII, Tag("team", "sales")))
    assert len(before["tags"]) == 4
    after = merge(before, given(Tag("pii", "false")))
    (mine,) = [one for one in after["tags"] if one not in (person, other)]
    assert (mine["tag"], mine["attribution"]["source"]) == ("urn:li:tag:pii:false", SOURCE)
    assert merge(after, given())["tags"] == [person, other]


def test_the_check_of_patches_sees_a_tag_of_another_source() -> None:
    unit = own_tags_unit(ORDERS, [PII])
    assert problems(unit) == []
    proposal = unit.metadata
    assert isinstance(proposal, MetadataChangeProposalClass)
    assert proposal.aspect is not None
    proposal.aspect.value = proposal.aspect.value.replace(b"/tags/urn:li:dataPlatform:glue", b"/tags/urn:li:x:y")
    assert len(problems(unit)) == 1


def test_what_is_not_known_is_not_said() -> None:
    assert list(Tags(Notes(), None).work_units(ORDERS, None)) == []


def test_each_tag_is_described_once_and_only_where_nobody_has() -> None:
    def properties(stored: Any) -> list[str]:
        tags = Tags(Notes(), stored)
        twice = [*tags.work_units(ORDERS, AssignedTags((PII,))), *tags.work_units(ORDERS, AssignedTags((PII,)))]
        assert_valid(twice)
        assert not any(one.is_primary_source for one in twice if one.get_urn().startswith("urn:li:tag:"))
        return [one.get_urn() for one in twice if one.metadata.aspectName == "tagProperties"]  # type: ignore[union-attr]

    def silent(urn: str) -> StoredDataset:
        raise RetriableError(urn)

    assert properties(None) == ["urn:li:tag:pii:true"]
    assert properties(lambda _: StoredDataset()) == ["urn:li:tag:pii:true"]
    assert properties(lambda _: StoredDataset(described=True)) == []
    assert properties(silent) == []
