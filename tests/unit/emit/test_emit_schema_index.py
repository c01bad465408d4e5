"""Where paths of lineage land: in listed schemas, and in those that lineage makes up."""

from __future__ import annotations

import pytest
from emit_samples import LINKED, LINKED_SET, ORDERS, ORDERS_SET, REPORT, REPORT_SET, S3_SET, TOTALS, TOTALS_SET, Notes

from datahub_aws_lineage.emit.schema_index import SchemaIndex
from datahub_aws_lineage.emit.schemas import open_field, schema_fields, simple_path
from datahub_aws_lineage.model.catalog import Column, Table
from datahub_aws_lineage.model.lineage import ColumnEdge, DatasetEdge, DatasetLineage, Subtype
from datahub_aws_lineage.model.names import Dataset, TableName

EXPORT = Dataset("s3", "exchange/orders")


def glue(name: str, *columns: Column) -> tuple[Dataset, Table]:
    return Dataset("glue", f"d.{name}"), Table("glue", TableName("awsdatacatalog", "d", name), columns)


def export(*columns: tuple[str, str, Subtype], upstream: Dataset = ORDERS_SET) -> DatasetLineage:
    """UNLOAD of a table: upstream column, downstream column, kind."""
    edges = tuple(ColumnEdge(upstream, source, target, subtype, None, 1.0, "q") for source, target, subtype in columns)
    return DatasetLineage(EXPORT, (DatasetEdge(upstream, "query", "q"),), edges)


def paths(index: SchemaIndex, dataset: Dataset) -> list[tuple[str, str]]:
    return [(field.fieldPath, field.nativeDataType) for field in index.open_fields(dataset)]


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("user.address.city", "user.address.City"),
        ("USER.Address.ZIP", "user.address.zip"),
        ("user.address.zip.plus4", "user.address.zip"),
        ("tags.some key", "tags"),
        ("tags.a.b.c", "tags"),
    ],
)
def test_a_path_lands_on_its_field_or_nearest_ancestor(path: str, found: str) -> None:
    notes = Notes()
    index = SchemaIndex(notes)
    index.add(ORDERS_SET, ORDERS)
    assert index.field_path(ORDERS_SET, path) == found
    assert notes.entries == []


def test_a_column_that_a_known_schema_lacks_is_no_column_and_is_counted() -> None:
    notes = Notes()
    index = SchemaIndex(notes)
    index.add(REPORT_SET, REPORT)
    assert [index.field_path(REPORT_SET, "nowhere") for _ in range(3)] == [None, None, None]
    assert notes.entries == [("unresolved", "column", "redshift:warehouse.dev.public.report has no column nowhere")]


def test_unknown_schemas_take_paths_as_they_are() -> None:
    notes = Notes()
    index = SchemaIndex(notes)
    index.add(LINKED_SET, LINKED)
    assert index.field_path(LINKED_SET, "Any.Path") == "Any.Path"
    assert index.field_path(Dataset("s3", "lake/x"), "a") == "a"
    assert notes.entries == []


def test_a_location_has_the_fields_of_the_table_that_lies_there() -> None:
    index = SchemaIndex(Notes())
    index.add(ORDERS_SET, ORDERS, S3_SET)
    assert index.open_fields(S3_SET) == schema_fields(ORDERS)
    assert index.field_path(S3_SET, "user.address.city") == "user.address.City"


def test_tables_at_one_location_share_its_fields() -> None:
    index = SchemaIndex(Notes())
    for dataset, table in (
        glue("a", Column("Id", "int"), Column("x", "string")),
        glue("b", Column("ID", "bigint"), Column("y", "date")),
    ):
        index.add(dataset, table, S3_SET)
    assert [simple_path(field) for field in index.open_fields(S3_SET)] == ["Id", "x", "y"]
    assert [index.field_path(S3_SET, path) for path in ("id", "X", "y")] == ["Id", "x", "y"]


def test_columns_that_only_lineage_names_follow_those_of_the_table() -> None:
    index = SchemaIndex(Notes())
    index.add(*glue("a", Column("id", "int")), EXPORT)
    index.learn([export(("id", "ID", "IDENTITY"), ("id", "zz", "IDENTITY"), ("id", "aa", "IDENTITY"))])
    assert [path for path, _ in paths(index, EXPORT)] == ["[version=2.0].[type=int].id", "aa", "zz"]


def test_a_column_that_is_passed_on_has_the_type_of_its_other_end() -> None:
    index = SchemaIndex(Notes())
    index.add(ORDERS_SET, ORDERS)
    index.learn([export(("id", "n", "TRANSFORMATION"), ("id", "m", "IDENTITY"), ("user.address.zip", "z", "IDENTITY"))])
    assert paths(index, EXPORT) == [("m", "bigint"), ("n", "unknown"), ("z", "char(5)")]


def test_the_first_known_type_counts_and_the_first_spelling() -> None:
    index = SchemaIndex(Notes())
    index.add(ORDERS_SET, ORDERS)
    index.add(TOTALS_SET, TOTALS)
    index.learn(
        [
            export(("id", "Key", "AGGREGATION")),
            export(("id", "KEY", "IDENTITY")),
            export(("city", "key", "IDENTITY"), upstream=TOTALS_SET),
        ]
    )
    assert paths(index, EXPORT) == [("Key", "bigint")]
    assert index.field_path(EXPORT, "kEY") == "Key"


def test_a_link_without_columns_has_those_of_its_target_whatever_the_order() -> None:
    link = DatasetLineage(LINKED_SET, (DatasetEdge(ORDERS_SET, "link"),), ())
    index = SchemaIndex(Notes())
    index.add(LINKED_SET, LINKED)
    index.add(ORDERS_SET, ORDERS)
    index.learn([export(("id", "id", "IDENTITY"), upstream=LINKED_SET), link])
    assert index.fields_of_same_data(LINKED_SET) == index.open_fields(LINKED_SET) == schema_fields(ORDERS)
    assert index.field_path(LINKED_SET, "USER.address.city") == "user.address.City"


def test_a_dataset_whose_columns_are_listed_is_not_open() -> None:
    mount = DatasetLineage(REPORT_SET, (DatasetEdge(ORDERS_SET, "external_schema"),), ())
    index = SchemaIndex(Notes())
    index.add(REPORT_SET, REPORT)
    index.add(ORDERS_SET, ORDERS)
    index.learn([mount])
    assert index.fields_of_same_data(REPORT_SET) == []
    assert index.field_path(REPORT_SET, "user") is None


def test_columns_are_spelled_as_datahub_has_them() -> None:
    index = SchemaIndex(Notes())
    index.add(*glue("a", Column("id", "int"), Column("x", "int")), EXPORT)
    index.adopt(EXPORT, [open_field("ID", None), open_field("Other", None)])
    assert [index.field_path(EXPORT, path) for path in ("id", "x", "OTHER", "New")] == ["ID", "x", "Other", "New"]
    assert index.is_open(EXPORT)
    assert not index.is_open(Dataset("glue", "d.a"))
