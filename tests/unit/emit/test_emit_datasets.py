"""Datasets and containers: the aspects of tables, views, links and bare locations."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

from datahub.emitter.mcp import MetadataChangeProposalWrapper
from datahub.metadata.schema_classes import ContainerClass, ContainerPropertiesClass
from emit_samples import (
    ACCOUNT,
    DATASETS,
    EARLIER,
    LINKED,
    ORDERS,
    PUBLIC,
    REGION,
    REPORT,
    REPORT_SET,
    S3_SET,
    SALES,
    TABLES,
    TOTALS,
    Notes,
)
from strict_schema import assert_valid

from datahub_aws_lineage.emit.containers import Containers
from datahub_aws_lineage.emit.datasets import open_proposals, schema_proposals, table_proposals
from datahub_aws_lineage.emit.schemas import open_field
from datahub_aws_lineage.emit.stored import StoredDataset
from datahub_aws_lineage.emit.urns import container_key
from datahub_aws_lineage.model.catalog import Database, LinkTarget, Table


def described(table: Table) -> dict[str, Any]:
    proposals = list(
        table_proposals(
            table,
            DATASETS[table.name],
            env="PROD",
            region=REGION,
            diagnostics=Notes(),
        )
    )
    return by_name(proposals)


def by_name(proposals: list[MetadataChangeProposalWrapper]) -> dict[str, Any]:
    assert_valid(proposals)
    assert len({proposal.entityUrn for proposal in proposals}) <= 1
    return {str(proposal.aspectName): proposal.aspect for proposal in proposals}


def test_all_samples_are_valid() -> None:
    assert all(described(table) for table in TABLES)


def test_the_container_comes_first() -> None:
    assert next(iter(described(ORDERS))) == "container"
    assert described(ORDERS)["container"].container == container_key(SALES, None, "PROD").as_urn()


def test_properties_of_a_glue_table() -> None:
    properties = described(ORDERS)["datasetProperties"]
    assert (properties.name, properties.description) == ("orders", "Orders as placed")
    assert properties.qualifiedName == f"arn:aws:glue:{REGION}:{ACCOUNT}:table/sales/orders"
    assert properties.customProperties == {
        "classification": "parquet",
        "Location": "s3://lake/sales/orders/",
        "TableType": "EXTERNAL_TABLE",
        "TableFormat": "hive",
        "Owner": "hadoop",
    }
    assert properties.created.time == int(EARLIER.timestamp() * 1000)
    assert properties.lastModified.time - properties.created.time == 24 * 3600 * 1000


def test_times_are_moments_whatever_their_zone() -> None:
    local = datetime(2026, 3, 1, 8, 30, tzinfo=timezone(timedelta(hours=2)))
    properties = described(replace(ORDERS, created_at=local))["datasetProperties"]
    assert properties.created.time == int(EARLIER.timestamp() * 1000)


def test_a_table_of_an_unknown_account_has_no_arn() -> None:
    assert described(replace(ORDERS, catalog_id=None))["datasetProperties"].qualifiedName is None


def test_properties_of_a_redshift_table() -> None:
    aspects = described(replace(REPORT, table_type="TABLE", parameters={"dist_style": "EVEN"}))
    assert aspects["datasetProperties"].qualifiedName == "dev.public.report"
    assert aspects["datasetProperties"].customProperties == {
        "dist_style": "EVEN",
        "table_type": "TABLE",
        "owner": "awsuser",
    }
    assert aspects["dataPlatformInstance"].instance == (
        "urn:li:dataPlatformInstance:(urn:li:dataPlatform:redshift,warehouse)"
    )


def test_views_and_tables() -> None:
    view = described(TOTALS)
    assert view["subTypes"].typeNames == ["View"]
    assert (view["viewProperties"].viewLogic, view["viewProperties"].viewLanguage) == ("SELECT 1", "SQL")
    assert not view["viewProperties"].materialized
    assert TOTALS.view is not None
    stored = described(replace(TOTALS, view=replace(TOTALS.view, materialized=True)))
    assert stored["viewProperties"].materialized
    assert described(ORDERS)["subTypes"].typeNames == ["Table"]
    assert "viewProperties" not in described(ORDERS)


def test_a_view_whose_definition_is_lost_is_still_a_view() -> None:
    aspects = described(replace(TOTALS, view=None))
    assert aspects["subTypes"].typeNames == ["View"]
    assert "viewProperties" not in aspects


def test_a_link_without_columns_has_no_schema() -> None:
    assert "schemaMetadata" not in described(LINKED)


def test_a_link_says_where_it_leads_and_neither_it_nor_a_view_has_a_format() -> None:
    assert described(LINKED)["datasetProperties"].customProperties == {"TargetTable": "210987654321:sales.orders"}
    assert described(TOTALS)["datasetProperties"].customProperties == {"TableType": "VIRTUAL_VIEW"}


def test_a_location_is_described_by_what_lineage_knows_of_it() -> None:
    field = open_field("id", None)
    aspects = by_name(list(open_proposals(S3_SET, [field], StoredDataset(), env="PROD")))
    assert set(aspects) == {"status", "datasetProperties", "dataPlatformInstance", "schemaMetadata"}
    assert (aspects["datasetProperties"].name, aspects["datasetProperties"].qualifiedName) == (
        "orders",
        "s3://lake/sales/orders",
    )
    assert aspects["schemaMetadata"].schemaName == "lake/sales/orders"
    assert aspects["schemaMetadata"].fields == [field]


def test_a_location_of_unknown_columns_has_no_schema() -> None:
    assert "schemaMetadata" not in by_name(list(open_proposals(S3_SET, [], StoredDataset(), env="PROD")))
    assert list(schema_proposals(S3_SET, [], env="PROD")) == []


def test_a_table_that_only_a_log_names() -> None:
    aspects = by_name(list(open_proposals(REPORT_SET, [], StoredDataset(), env="PROD")))
    assert (aspects["datasetProperties"].name, aspects["datasetProperties"].qualifiedName) == (
        "report",
        "dev.public.report",
    )


def test_glue_databases() -> None:
    proposals = list(Containers(env="PROD", region=REGION).proposals(SALES, "prod"))
    aspects = by_name(proposals)
    properties = aspects["containerProperties"]
    assert (properties.name, properties.description, properties.env) == ("sales", "Sales", "PROD")
    assert properties.qualifiedName == f"arn:aws:glue:{REGION}:{ACCOUNT}:database/sales"
    assert properties.customProperties["LocationUri"] == "s3://lake/sales/"
    assert aspects["subTypes"].typeNames == ["Database"]
    assert "container" not in aspects
    assert proposals[0].entityUrn == container_key(ORDERS, "prod", "PROD").as_urn()


def test_a_database_link_says_where_it_leads() -> None:
    linked = replace(SALES, link=LinkTarget("210987654321", "shared"))
    aspects = by_name(list(Containers(env="PROD", region=REGION).proposals(linked, None)))
    assert aspects["containerProperties"].customProperties["TargetDatabase"] == "210987654321:shared"


def test_a_redshift_database_comes_once_and_before_its_schemas() -> None:
    containers = Containers(env="PROD", region=REGION)
    schemas = (PUBLIC, Database("redshift", "dev", "mart"), Database("redshift", "other", "public"))
    proposals = [proposal for schema in schemas for proposal in containers.proposals(schema, "warehouse")]
    assert_valid(proposals)
    aspects = [(proposal.entityUrn, proposal.aspect) for proposal in proposals]
    names = [aspect.name for _, aspect in aspects if isinstance(aspect, ContainerPropertiesClass)]
    assert names == ["dev", "public", "mart", "other", "public"]
    parents = {urn: aspect.container for urn, aspect in aspects if isinstance(aspect, ContainerClass)}
    dev = container_key(PUBLIC, "warehouse", "PROD").parent_key()
    assert dev is not None
    assert parents[container_key(PUBLIC, "warehouse", "PROD").as_urn()] == dev.as_urn()
    assert len(parents) == 3


def test_one_database_in_two_warehouses_is_two_containers() -> None:
    containers = Containers(env="PROD", region=REGION)
    proposals = [*containers.proposals(PUBLIC, "one"), *containers.proposals(PUBLIC, "two")]
    assert len({proposal.entityUrn for proposal in proposals}) == 4
