"""What of a recipe decides which readers there are, and what they ask for."""

from __future__ import annotations

from typing import Any

import pytest
from redshift_samples import Answerer, Notes, Warehouse

from datahub_aws_lineage.aws import redshift_sql
from datahub_aws_lineage.config import AwsLineageConfig
from datahub_aws_lineage.readers import Readers


def config(**warehouse: Any) -> AwsLineageConfig:
    settings = {
        "athena": {"enabled": False},
        "redshift": [{"name": "analytics", "work_group": "analytics", **warehouse}],
    }
    return AwsLineageConfig.model_validate(settings)


ANSWERS: dict[str, Answerer] = {
    redshift_sql.LOCAL_DATABASES: [{"database_name": name} for name in ("dev", "finance", "sample")],
    redshift_sql.SCHEMAS: [{"schema_name": "mart", "schema_type": "local", "source_database": None}],
}


@pytest.mark.parametrize(
    ("settings", "databases"),
    [
        ({}, ["dev"]),
        ({"databases": ["finance"]}, ["finance"]),
        ({"databases": ["finance"], "all_databases": True}, ["finance", "dev", "sample"]),
    ],
)
def test_the_databases_of_a_warehouse(settings: dict[str, Any], databases: list[str]) -> None:
    source, notes = Warehouse(ANSWERS), Notes()
    given = config(query_logs=[{"type": "system_views"}], **settings)
    readers = Readers(given, source.clients(), notes, given.window)

    reader = readers.redshift(given.redshift[0])
    assert reader is not None
    assert [one.catalog for one in reader.read_databases()] == databases
    for history in readers.histories():
        list(history.open().read_queries())

    assert source.times_asked(redshift_sql.LOCAL_DATABASES) == int("all_databases" in settings)
    assert {database for text, database, _ in source.asked if text == redshift_sql.HISTORY} == {databases[0]}
    assert not notes.failures


@pytest.mark.parametrize("several", [True, False])
def test_a_recording_has_what_a_run_asks_of_the_catalogs(several: bool) -> None:
    """Whose datashares they are matters where one warehouse of the recipe may use those of another."""
    settings = config().model_dump(exclude_unset=True)
    settings["glue"] = {"enabled": False}
    if several:
        settings["redshift"].append({"name": "other", "work_group": "other"})
    given = AwsLineageConfig.model_validate(settings)
    source, notes = Warehouse(ANSWERS), Notes()
    Readers(given, source.clients(), notes, given.window).read_all()
    warehouses = len(given.redshift)
    assert source.times_asked(redshift_sql.VISIBILITY) == warehouses
    assert source.times_asked(redshift_sql.OUTBOUND_DATASHARES) == (warehouses if several else 0)
    assert not notes.failures
