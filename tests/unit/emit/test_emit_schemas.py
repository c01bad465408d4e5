"""Schema fields and the field paths that lineage lands on."""

from __future__ import annotations

import ast
import importlib.util
from pathlib import Path

import pytest
from datahub.emitter.mcp import MetadataChangeProposalWrapper
from datahub.ingestion.source.sql.sql_types import resolve_postgres_modified_type
from datahub.metadata.schema_classes import SchemaFieldClass, SchemaFieldDataTypeClass
from emit_samples import ORDERS, ORDERS_SET, Notes
from strict_schema import assert_valid

from datahub_aws_lineage.emit.schema_index import SchemaIndex
from datahub_aws_lineage.emit.schemas import field_of, field_paths, schema_fields, schema_metadata, simple_path
from datahub_aws_lineage.emit.urns import dataset_urn
from datahub_aws_lineage.model.catalog import Column, Table
from datahub_aws_lineage.model.names import TableName


def glue(*columns: Column) -> Table:
    return Table("glue", TableName("awsdatacatalog", "d", "t"), columns)


def redshift(native_type: str) -> SchemaFieldClass:
    table = Table("redshift", TableName("dev", "public", "t"), (Column("c", native_type),))
    return schema_fields(table, Notes())[0]


def kind(field: SchemaFieldClass) -> str:
    return type(field.type.type).__name__.removesuffix("TypeClass")


@pytest.mark.parametrize(
    ("native_type", "path", "kind_of_field"),
    [
        ("bigint", "[version=2.0].[type=long].c", "Number"),
        ("char(8)", "[version=2.0].[type=string].c", "String"),
        ("varchar(65535)", "[version=2.0].[type=string].c", "String"),
        ("decimal(38,2)", "[version=2.0].[type=bytes].c", "Number"),
        ("decimal", "[version=2.0].[type=bytes].c", "Number"),
        ("timestamp", "[version=2.0].[type=int].c", "Time"),
        ("date", "[version=2.0].[type=int].c", "Date"),
        ("boolean", "[version=2.0].[type=boolean].c", "Boolean"),
        ("array<string>", "[version=2.0].[type=struct].[type=array].[type=string].c", "Array"),
        ("map<string,int>", "[version=2.0].[type=struct].[type=map].[type=int].c", "Map"),
        ("struct<a:int>", "[version=2.0].[type=struct].[type=struct].c", "Record"),
        ("interval_year_month", "[version=2.0].[type=null].c", "Null"),
    ],
)
def test_hive_types(native_type: str, path: str, kind_of_field: str) -> None:
    notes = Notes()
    field = schema_fields(glue(Column("c", native_type, "said so")), notes)[0]
    assert (field.fieldPath, kind(field), field.nativeDataType) == (path, kind_of_field, native_type)
    assert (field.description, field.nullable) == ("said so", True)
    assert notes.entries == []


@pytest.mark.parametrize("native_type", ["struct<a:int", "struct<>", "STRUCT<A:INT>", "map<string>"])
def test_a_type_that_cannot_be_read_costs_only_its_structure(native_type: str) -> None:
    notes = Notes()
    fields = schema_fields(glue(Column("c", native_type), Column("d", "int")), notes)
    assert [field.fieldPath for field in fields] == ["c", "[version=2.0].[type=int].d"]
    assert (fields[0].nativeDataType, fields[0].nullable) == (native_type, True)
    assert notes.entries == [("skipped", "malformed", "column type", f"awsdatacatalog.d.t.c: {native_type}")]


def test_partition_keys_are_flagged_and_listed_once() -> None:
    table = glue(Column("dt", "string"), Column("id", "int"), Column("dt", "string", partition_key=True))
    assert [field.fieldPath for field in schema_fields(table, Notes())] == [
        "[version=2.0].[type=string].dt",
        "[version=2.0].[type=int].id",
    ]
    assert [field.isPartitioningKey for field in schema_fields(ORDERS, Notes()) if field.isPartitioningKey] == [True]
    assert schema_fields(ORDERS, Notes())[-1].fieldPath.endswith(".dt")
    assert schema_fields(ORDERS, Notes())[-1].nullable


@pytest.mark.parametrize("name", ["a b", "a.b", "ünï", "Upper", "a,b(c)", "[x", "x]", "0", "select"])
def test_odd_column_names(name: str) -> None:
    table = glue(Column(name, "int"), Column("s", f"struct<`{name}`:int>" if "." not in name else "struct<x:int>"))
    index = SchemaIndex(Notes())
    index.add(ORDERS_SET, table)
    assert schema_fields(table, Notes())[0].fieldPath == f"[version=2.0].[type=int].{name}"
    assert index.field_path(ORDERS_SET, name) == name
    assert index.field_path(ORDERS_SET, name.upper()) == name


def test_redshift_knows_every_type_that_datahub_knows() -> None:
    """DataHub's table is read from its source text: importing it would need a Redshift driver."""
    known = _datahub_redshift_kinds()
    assert len(known) > 30
    foreign = {"BYTES", "BIGNUMERIC", "BIGDECIMAL", "FLOAT64", "INT64", "BYTEINT", "TINYINT", "DATETIME", "DOUBLE"}
    foreign |= {"JSON", "ARRAY", "STRUCT"}  # BigQuery's types, which Redshift does not have
    for native_type, expected in known.items():
        if native_type not in foreign:
            assert (native_type, kind(redshift(native_type))) == (native_type, expected)


def _datahub_redshift_kinds() -> dict[str, str]:
    package = importlib.util.find_spec("datahub.ingestion.source.redshift")
    assert package is not None
    assert package.submodule_search_locations is not None
    tree = ast.parse((Path(package.submodule_search_locations[0]) / "redshift.py").read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == "REDSHIFT_FIELD_TYPE_MAPPINGS":
            assert isinstance(node.value, ast.Dict)
            return {
                ast.literal_eval(key): ast.unparse(value).removesuffix("Type")
                for key, value in zip(node.value.keys, node.value.values, strict=True)
                if key is not None
            }
    raise AssertionError("DataHub's redshift source has no table of types any more")


@pytest.mark.parametrize(
    "native_type", ["character varying(256)", "numeric(38,2)", "timestamp(6) with time zone", "integer[]"]
)
def test_redshift_types_with_lengths_as_datahub_resolves_them(native_type: str) -> None:
    expected = resolve_postgres_modified_type(native_type)
    if expected is not None:
        assert kind(redshift(native_type)) == kind(
            SchemaFieldClass("c", SchemaFieldDataTypeClass(expected()), native_type)
        )
    assert kind(redshift(native_type)) != "Null"
    assert redshift(native_type).nativeDataType == native_type.upper()


def test_redshift_paths_are_plain_but_for_nested_columns_of_external_tables() -> None:
    assert redshift("super").fieldPath == "c"
    assert redshift("STRUCT<a:int>").fieldPath == "[version=2.0].[type=struct].[type=struct].c"


def test_field_paths_follow_the_nesting() -> None:
    assert field_paths(ORDERS) == {
        "id": "id",
        "user": "user",
        "user.name": "user.name",
        "user.address": "user.address",
        "user.address.city": "user.address.City",
        "user.address.zip": "user.address.zip",
        "items": "items",
        "items.sku": "items.sku",
        "items.price": "items.price",
        "tags": "tags",
        "placed_at": "placed_at",
        "dt": "dt",
    }


def test_every_simple_path_is_one_of_the_schema_as_datahub_simplifies_it() -> None:
    from datahub.utilities.urns.field_paths import get_simple_field_path_from_v2_field_path as simplify

    fields = schema_fields(ORDERS, Notes())
    assert sorted(field_paths(ORDERS).values()) == sorted(simplify(field.fieldPath) for field in fields)


def test_schema_metadata_is_valid() -> None:
    aspect = schema_metadata(ORDERS_SET, schema_fields(ORDERS, Notes()))
    assert (aspect.schemaName, aspect.platform) == ("sales.orders", "urn:li:dataPlatform:glue")
    assert_valid([MetadataChangeProposalWrapper(entityUrn=dataset_urn(ORDERS_SET, "PROD"), aspect=aspect)])


@pytest.mark.parametrize("path", ["id", "user", "USER.address.CITY", "items.price"])
def test_the_field_of_a_path(path: str) -> None:
    field = field_of(ORDERS, path)
    assert field is not None
    assert field in schema_fields(ORDERS)
    assert simple_path(field).lower() == path.lower()


def test_a_path_that_is_no_field() -> None:
    assert [field_of(ORDERS, path) for path in ("nowhere", "user.nowhere", "use", "id.x")] == [None] * 4
