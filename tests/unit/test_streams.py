"""Streaming ingestion into Redshift: a stream or a topic is read through an external schema."""

from __future__ import annotations

import pytest
from warehouse_story import Warehouse


@pytest.mark.parametrize(("source", "platform"), [("KINESIS", "kinesis"), ("MSK", "kafka"), ("KAFKA", "kafka")])
def test_a_schema_that_the_log_creates_over_a_stream(source: str, platform: str) -> None:
    warehouse = Warehouse({"dev.public.orders": "id"}).run(
        f"CREATE EXTERNAL SCHEMA feed FROM {source} IAM_ROLE default",
        "INSERT INTO orders SELECT f.kafka_value FROM feed.clicks f",
    )
    ((edge,),) = [lineage.edges for lineage in warehouse.history.lineages()]
    assert (edge.upstream.platform, edge.upstream.name) == (platform, "clicks")
