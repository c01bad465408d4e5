"""Payloads of Glue as catalog values: columns, formats, parameters, times. The payloads pass botocore's validation."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import Any
from unittest.mock import MagicMock

import botocore.session
import pytest
from botocore.validate import ParamValidator
from datahub.ingestion.source.aws.glue import GlueSource

from datahub_aws_lineage.aws.glue_tables import catalog_name, parse_database, parse_table
from datahub_aws_lineage.model.catalog import Column, Database, Table

GLUE = botocore.session.get_session().get_service_model("glue")
SALES = Database(platform="glue", catalog="awsdatacatalog", name="sales", catalog_id="111122223333")
SYMLINKS = "org.apache.hadoop.hive.ql.io.SymlinkTextInputFormat"
PLACEHOLDER = {"Columns": [{"Name": "col", "Type": "array<string>", "Comment": "from deserializer"}]}


def check(shape: str, payload: Any) -> None:
    """Fails where the Glue service model has no such payload."""
    report = ParamValidator().validate(payload, GLUE.shape_for(shape))
    assert not report.has_errors(), report.generate_report()


def parse(payload: dict[str, Any]) -> Table:
    payload = {"Name": "orders", **payload}
    check("Table", payload)
    table, complaint = parse_table(payload, SALES)  # type: ignore[arg-type]
    assert complaint is None
    return table


def test_columns_in_order_with_partition_keys_last() -> None:
    table = parse(
        {
            "StorageDescriptor": {"Columns": [{"Name": "b", "Type": "int"}, {"Name": "a", "Type": "string"}]},
            "PartitionKeys": [{"Name": "day", "Type": "date", "Comment": "of the order"}, {"Name": "hour"}],
        }
    )
    assert table.columns == (
        Column("b", "int"),
        Column("a", "string"),
        Column("day", "date", "of the order", partition_key=True),
        Column("hour", "unknown", partition_key=True),
    )


def test_columns_of_earlier_iceberg_schemas_are_left_out() -> None:
    columns = [
        {"Name": "id", "Type": "int", "Parameters": {"iceberg.field.id": "1", "iceberg.field.current": "true"}},
        {"Name": "gone", "Type": "int", "Parameters": {"iceberg.field.id": "2", "iceberg.field.current": "false"}},
    ]
    assert parse({"StorageDescriptor": {"Columns": columns}}).columns == (Column("id", "int"),)


def test_without_a_storage_descriptor_the_columns_are_unknown() -> None:
    assert parse({}).columns is None


def test_parameters_keep_the_storage_descriptor_as_datahub_spells_it() -> None:
    storage = {
        "Columns": [{"Name": "a", "Type": "int"}],
        "Location": "s3://lake/orders/",
        "InputFormat": "org.apache.hadoop.mapred.TextInputFormat",
        "Compressed": False,
        "NumberOfBuckets": -1,
        "SerdeInfo": {"SerializationLibrary": "org.openx.data.jsonserde.JsonSerDe", "Parameters": {"paths": "a"}},
        "BucketColumns": ["a"],
        "Parameters": {"averageRecordSize": "12"},
    }
    table = parse({"Parameters": {"classification": "json", "Location": "elsewhere"}, "StorageDescriptor": storage})
    assert table.parameters == {
        "classification": "json",
        "Location": "s3://lake/orders/",
        "InputFormat": "org.apache.hadoop.mapred.TextInputFormat",
        "Compressed": "False",
        "NumberOfBuckets": "-1",
        "SerdeInfo": "{'SerializationLibrary': 'org.openx.data.jsonserde.JsonSerDe', 'Parameters': {'paths': 'a'}}",
        "BucketColumns": "['a']",
    }
    assert table.location == "s3://lake/orders/"


def test_parameters_are_what_datahub_makes_custom_properties_of() -> None:
    payload = {
        "Name": "orders",
        "Parameters": {"classification": "parquet", "table_type": "ICEBERG"},
        "StorageDescriptor": {
            "Columns": [{"Name": "a", "Type": "int"}],
            "Location": "s3://lake/orders",
            "AdditionalLocations": ["s3://lake/more"],
            "Compressed": True,
            "NumberOfBuckets": 4,
            "SerdeInfo": {"Name": "s", "Parameters": {"serialization.format": "1"}},
            "SortColumns": [{"Column": "a", "SortOrder": 1}],
            "Parameters": {"sizeKey": "9"},
            "SkewedInfo": {"SkewedColumnNames": ["a"]},
            "StoredAsSubDirectories": False,
            "SchemaReference": {"SchemaVersionNumber": 2},
        },
    }
    theirs = GlueSource._get_dataset_properties(MagicMock(), payload | {"CatalogId": "1", "DatabaseName": "sales"})
    assert parse(payload).parameters == theirs.customProperties


def test_times_are_utc() -> None:
    noon = datetime(2026, 3, 1, 12, tzinfo=timezone(timedelta(hours=2)))
    table = parse({"CreateTime": noon, "UpdateTime": noon})
    assert table.created_at == table.updated_at == datetime(2026, 3, 1, 10, tzinfo=timezone.utc)
    assert table.created_at is not None
    assert table.created_at.tzinfo is timezone.utc


def test_names_are_lower_case() -> None:
    assert str(parse({"Name": "Orders"}).name) == "awsdatacatalog.sales.orders"


def test_database() -> None:
    payload: Any = {
        "Name": "Sales",
        "CatalogId": "111122223333",
        "Description": "what was sold",
        "LocationUri": "s3://lake/sales/",
        "Parameters": {"team": "shop"},
        "CreateTime": datetime(2026, 3, 1, tzinfo=timezone.utc),
    }
    check("Database", payload)
    assert parse_database(payload, None) == Database(
        platform="glue",
        catalog="awsdatacatalog",
        name="sales",
        catalog_id="111122223333",
        description="what was sold",
        location="s3://lake/sales/",
        parameters={"team": "shop"},
        created_at=datetime(2026, 3, 1, tzinfo=timezone.utc),
    )


@pytest.mark.parametrize(
    ("catalog_id", "name"),
    [
        (None, "awsdatacatalog"),
        ("111122223333", "awsdatacatalog"),
        ("111122223333:s3tablescatalog/Bucket", "s3tablescatalog/bucket"),
    ],
)
def test_catalog_name(catalog_id: str | None, name: str) -> None:
    assert catalog_name(catalog_id) == name


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ({}, "hive"),
        ({"Parameters": {"table_type": "ICEBERG"}}, "iceberg"),
        ({"Parameters": {"TABLE_TYPE": "iceberg", "spark.sql.sources.provider": "hive"}}, "iceberg"),
        ({"Parameters": {"table_type": "delta"}}, "delta"),
        ({"Parameters": {"spark.sql.sources.provider": "DELTA"}}, "delta"),
        ({"Parameters": {"spark.sql.sources.provider": "hudi"}}, "hudi"),
        ({"Parameters": {"spark.sql.sources.provider": "parquet"}}, "hive"),
        ({"StorageDescriptor": {"InputFormat": "org.apache.hudi.hadoop.HoodieParquetInputFormat"}}, "hudi"),
        ({"StorageDescriptor": {"InputFormat": "com.uber.hoodie.hadoop.HoodieInputFormat"}}, "hudi"),
        ({"StorageDescriptor": {"InputFormat": "io.delta.hive.DeltaInputFormat"}}, "delta"),
        ({"StorageDescriptor": {"InputFormat": SYMLINKS, "Location": "s3://b/t/_symlink_format_manifest/"}}, "delta"),
        ({"StorageDescriptor": {"InputFormat": SYMLINKS, "Location": "s3://b/inventory/hive/"}}, "hive"),
    ],
)
def test_format(payload: dict[str, Any], expected: str) -> None:
    assert parse(payload).format == expected


SPARK_SCHEMA = {
    "type": "struct",
    "fields": [
        {"name": "id", "type": "long", "nullable": False, "metadata": {}},
        {"name": "price", "type": "decimal(10,2)", "nullable": True, "metadata": {"comment": "gross"}},
        {"name": "spot", "type": {"type": "udt", "class": "org.example.Point", "sqlType": "double"}, "metadata": {}},
        {"name": "code", "type": "string", "metadata": {"__CHAR_VARCHAR_TYPE_STRING": "varchar(3)"}},
        {
            "name": "tags",
            "type": {"type": "map", "keyType": "string", "valueType": "integer", "valueContainsNull": True},
        },
        {
            "name": "lines",
            "type": {
                "type": "array",
                "elementType": {
                    "type": "struct",
                    "fields": [{"name": "sku", "type": "string"}, {"name": "at", "type": "timestamp_ntz"}],
                },
                "containsNull": True,
            },
        },
    ],
}
SPARK_COLUMNS = (
    Column("id", "bigint"),
    Column("price", "decimal(10,2)", "gross"),
    Column("spot", "double"),
    Column("code", "varchar(3)"),
    Column("tags", "map<string,int>"),
    Column("lines", "array<struct<sku:string,at:timestamp>>"),
)


def in_parts(schema: Any, size: int = 40) -> dict[str, str]:
    text = json.dumps(schema)
    parts = [text[start : start + size] for start in range(0, len(text), size)]
    numbered = {f"spark.sql.sources.schema.part.{number}": part for number, part in enumerate(parts)}
    return {"spark.sql.sources.provider": "delta", "spark.sql.sources.schema.numParts": str(len(parts)), **numbered}


@pytest.mark.parametrize("storage", [PLACEHOLDER, {"Columns": []}, {"Location": "s3://lake/t"}])
def test_schema_in_parameters_stands_for_a_placeholder(storage: dict[str, Any]) -> None:
    table = parse({"Parameters": in_parts(SPARK_SCHEMA), "StorageDescriptor": storage})
    assert table.columns == SPARK_COLUMNS
    assert table.format == "delta"


def test_schema_in_one_parameter() -> None:
    parameters = {"spark.sql.sources.schema": json.dumps(SPARK_SCHEMA)}
    assert parse({"Parameters": parameters, "StorageDescriptor": PLACEHOLDER}).columns == SPARK_COLUMNS


def test_schema_in_parameters_gives_way_to_real_columns() -> None:
    storage = {"Columns": [{"Name": "id", "Type": "bigint"}]}
    assert parse({"Parameters": in_parts(SPARK_SCHEMA), "StorageDescriptor": storage}).columns == (
        Column("id", "bigint"),
    )


def test_a_placeholder_without_a_schema_stays() -> None:
    assert parse({"StorageDescriptor": PLACEHOLDER}).columns == (Column("col", "array<string>", "from deserializer"),)


@pytest.mark.parametrize(
    "parameters",
    [
        {"spark.sql.sources.schema.numParts": "2", "spark.sql.sources.schema.part.0": "{}"},
        {"spark.sql.sources.schema.numParts": "many"},
        {"spark.sql.sources.schema": "{"},
        {"spark.sql.sources.schema": "[]"},
        {"spark.sql.sources.schema": '{"fields": ["a"]}'},
        {"spark.sql.sources.schema": '{"fields": [{"name": "a", "type": {"type": "variant"}}]}'},
        {"spark.sql.sources.schema": '{"fields": [{"name": "a"}]}'},
    ],
)
def test_a_broken_schema_in_parameters_keeps_the_table(parameters: dict[str, str]) -> None:
    payload: Any = {"Name": "orders", "Parameters": parameters, "StorageDescriptor": PLACEHOLDER}
    check("Table", payload)
    table, complaint = parse_table(payload, SALES)
    assert table.columns is None
    assert complaint is not None
    assert "spark.sql.sources.schema" in complaint
