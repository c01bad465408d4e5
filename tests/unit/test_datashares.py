"""Tables of another warehouse's datashare, from what the Data API says of both to the dataset that they are."""

from __future__ import annotations

from typing import Any

import pytest
from redshift_samples import Notes, Warehouse

from datahub_aws_lineage.aws import redshift_sql
from datahub_aws_lineage.aws.redshift_catalog import RedshiftCatalogReader
from datahub_aws_lineage.lineage import CatalogIndex, Naming, Resolved, Resolver
from datahub_aws_lineage.model.names import Dataset, TableName

PRODUCER = "13b8833d-17c6-4f16-8fe4-1a018f5ed00d"
OPTIONS = (
    f'{{"datashare_name":"salesshare","datashare_producer_account":"123456789012","datashare_producer_namespace":"{PRODUCER}"}}'
)[:128]  # as SVV_REDSHIFT_DATABASES cuts it
INBOUND = {
    "consumer_database": "sales_db",
    "share_name": "salesshare",
    "source_database": None,  # AWS tells it to the producer
    "producer_account": "123456789012",
    "producer_namespace": PRODUCER,
}
OUTBOUND = {"share_name": "salesshare", "source_database": "Prod", "producer_namespace": PRODUCER}


def dataset(*, notes: Notes | None = None, inbound: Any = INBOUND, outbound: Any = (), instances: Any = ()) -> Dataset:
    """What `sales_db.public.orders` is on the warehouse `consumer`, with `outbound` shares of `producer`."""
    notes = notes or Notes()
    consumer = Warehouse(
        {
            redshift_sql.SHARED_DATABASES: [{"database_name": "sales_db", "database_options": OPTIONS}],
            redshift_sql.INBOUND_DATASHARES: [inbound],
        }
    )
    producer = Warehouse({redshift_sql.OUTBOUND_DATASHARES: list(outbound)})
    index = CatalogIndex()
    for schema in RedshiftCatalogReader(consumer.api(), notes, ("dev",)).read_external_schemas():
        index.add_external_schema(schema, "consumer")
    for share in RedshiftCatalogReader(producer.api(), notes, ("prod",)).read_shares():
        index.add_share(share, "producer")
    naming = Naming(redshift_instances={"consumer": "C", "producer": "P"}, namespace_instances=dict(instances))
    found = Resolver(index, naming).resolve(TableName("sales_db", "public", "orders"), "redshift", "consumer")
    assert isinstance(found, Resolved)
    return found.dataset


def test_a_producer_of_the_same_recipe_tells_which_database_it_shares() -> None:
    notes = Notes()
    assert dataset(notes=notes, outbound=[OUTBOUND]) == Dataset("redshift", "prod.public.orders", "P")
    assert notes.counts["redshift datashares"] == 1


def test_a_producer_that_the_recipe_does_not_read() -> None:
    told = {**INBOUND, "source_database": "prod"}
    assert dataset(inbound=told) == Dataset("redshift", "prod.public.orders", "C")
    assert dataset(inbound=told, instances={PRODUCER: "far"}) == Dataset("redshift", "prod.public.orders", "far")


@pytest.mark.parametrize("outbound", [[], [{**OUTBOUND, "share_name": "other", "source_database": "elsewhere"}]])
def test_where_nobody_tells_the_producers_database_the_table_goes_by_its_name_here(outbound: Any) -> None:
    here = Dataset("redshift", "sales_db.public.orders", "C")
    assert dataset(outbound=outbound, instances={PRODUCER: "far"}) == here


@pytest.mark.parametrize("missing", ["source_database", "producer_namespace"])
def test_a_share_that_says_too_little_is_none(missing: str) -> None:
    assert dataset(outbound=[{**OUTBOUND, missing: None}]) == Dataset("redshift", "sales_db.public.orders", "C")
