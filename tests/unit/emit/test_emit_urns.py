"""URNs, container keys and ARNs, against the functions of DataHub's own sources and botocore's partitions."""

from __future__ import annotations

import botocore.session
import pytest
from datahub.ingestion.source.aws.s3_util import make_s3_urn_for_lineage
from datahub.ingestion.source.sql.sql_utils import gen_database_key, gen_schema_key
from datahub.metadata.urns import DatasetUrn
from emit_samples import ACCOUNT, ORDERS, PUBLIC, REPORT, SALES

from datahub_aws_lineage.emit.urns import (
    INGESTION_ACTOR,
    aws_partition,
    container_key,
    database_key,
    dataset_urn,
    field_urn,
    glue_arn,
    is_accepted,
    query_urn,
    user_urn,
)
from datahub_aws_lineage.model.names import Dataset


@pytest.mark.parametrize(
    ("actor", "user"),
    [
        ("alice", "alice"),
        ("IAM:alice", "IAM:alice"),
        ("awsuser             ", "awsuser"),
        (f"arn:aws:iam::{ACCOUNT}:user/team/data/alice", "alice"),
        (f"arn:aws:sts::{ACCOUNT}:assumed-role/Analyst/alice@example.com", "alice@example.com"),
        (f"arn:aws-cn:iam::{ACCOUNT}:role/service-role/etl", "etl"),
        (f"arn:aws:sts::{ACCOUNT}:federated-user/bob", "bob"),
        (f"arn:aws:iam::{ACCOUNT}:root", "root"),
        (f"arn:aws:sts::{ACCOUNT}:assumed-role/Role/a,b(c)", "a%2Cb%28c%29"),
    ],
)
def test_user(actor: str, user: str) -> None:
    assert user_urn(actor) == f"urn:li:corpuser:{user}"


@pytest.mark.parametrize("actor", [None, "", "   "])
def test_unknown_user_is_the_one_datahub_names(actor: str | None) -> None:
    from datahub.sql_parsing.sql_parsing_aggregator import _DEFAULT_USER_URN

    assert user_urn(actor) == INGESTION_ACTOR == _DEFAULT_USER_URN.urn()


def test_dataset_keeps_the_case_of_its_instance() -> None:
    urn = dataset_urn(Dataset("glue", "sales.orders", "Prod-EU"), "DEV")
    assert urn == "urn:li:dataset:(urn:li:dataPlatform:glue,Prod-EU.sales.orders,DEV)"


@pytest.mark.parametrize(("part", "encoded"), [("a", 1), ("/", 3), (" ", 1), ("ü", 6), ("~", 3), ("*", 1), ("(", 5)])
def test_a_name_that_is_longer_than_datahub_takes(part: str, encoded: int) -> None:
    """`(` is `%28` in the URN itself, and so `%2528` in a URL."""
    room = 512 - len("urn%3Ali%3Adataset%3A%28urn%3Ali%3AdataPlatform%3As3%2C%2CPROD%29")
    assert is_accepted(Dataset("s3", part * (room // encoded)), "PROD")
    assert not is_accepted(Dataset("s3", part * (room // encoded + 1)), "PROD")


@pytest.mark.parametrize("location", ["lake/sales/orders", "lake/x.csv", "lake/a b/ü,(1)"])
def test_location_is_named_as_by_the_storage_lineage_of_datahub(location: str) -> None:
    assert dataset_urn(Dataset("s3", location), "PROD") == make_s3_urn_for_lineage(f"s3://{location}/", "PROD")


def test_odd_names_survive_the_round_trip() -> None:
    urn = dataset_urn(Dataset("glue", "sales.o(1),2 ü"), "PROD")
    assert str(DatasetUrn.from_string(urn)) == urn
    assert field_urn(urn, "a(b),c").endswith(",a%28b%29%2Cc)")


def test_query() -> None:
    assert query_urn("ab12") == "urn:li:query:ab12"


@pytest.mark.parametrize("instance", [None, "warehouse"])
@pytest.mark.parametrize("env", ["PROD", "DEV"])
def test_redshift_containers_are_those_of_datahub(instance: str | None, env: str) -> None:
    database = gen_database_key("dev", "redshift", instance, env)
    schema = gen_schema_key("dev", "public", "redshift", instance, env)
    assert database_key("redshift", "dev", instance, env).guid() == database.guid()
    assert container_key(PUBLIC, instance, env).guid() == schema.guid()
    assert container_key(REPORT, instance, env).guid() == schema.guid()
    parent = container_key(REPORT, instance, env).parent_key()
    assert parent is not None
    assert parent.guid() == database.guid()


def test_a_glue_table_lies_in_its_database() -> None:
    assert container_key(ORDERS, "prod", "PROD") == container_key(SALES, "prod", "PROD")
    assert container_key(ORDERS, "prod", "PROD") != container_key(ORDERS, None, "PROD")


def test_arns() -> None:
    assert glue_arn("cn-north-1", ACCOUNT, "db") == f"arn:aws-cn:glue:cn-north-1:{ACCOUNT}:database/db"
    assert glue_arn("us-east-1", ACCOUNT, "db", "t") == f"arn:aws:glue:us-east-1:{ACCOUNT}:table/db/t"


def test_partitions_are_those_of_botocore() -> None:
    session = botocore.session.get_session()
    regions = {
        region: partition
        for partition in session.get_available_partitions()
        for region in session.get_available_regions("sts", partition)
    }
    assert len(regions) > 30
    assert {region: aws_partition(region) for region in regions} == regions
