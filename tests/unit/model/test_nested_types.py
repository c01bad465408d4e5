"""Type texts of Hive and Trino, and the fields below a column."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datahub_aws_lineage.model.nested_types import ArrayOf, MapOf, Scalar, StructOf, field_paths, parse_type


@pytest.mark.parametrize(
    "text",
    [
        "struct<id:int,tags:array<string>>",
        "row(id int, tags array(string))",
        'ROW("id" INT, "tags" ARRAY<STRING>)',
        "struct< `id` : int , tags : array< string > >",
    ],
)
def test_both_spellings_are_one_type(text: str) -> None:
    assert parse_type(text) == StructOf((("id", Scalar("int")), ("tags", ArrayOf(Scalar("string")))))


def test_fields_without_names_are_numbered() -> None:
    fields = (("field0", Scalar("int")), ("field1", ArrayOf(Scalar("varchar ( 3 )"))), ("x", Scalar("double")))
    assert parse_type("row(int, array(varchar(3)), x double)") == StructOf(fields)


@pytest.mark.parametrize("text", ["decimal(10,2)", "varchar(8)", "timestamp with time zone", "super", "array<int", ""])
def test_anything_else_is_a_scalar(text: str) -> None:
    assert isinstance(parse_type(text), Scalar)


def test_a_decimal_within_a_map_keeps_the_map() -> None:
    assert parse_type("map<string,decimal(10,2)>") == MapOf(Scalar("string"), Scalar("decimal ( 10 , 2 )"))


def test_fields_below_arrays_and_maps_have_no_part_for_them() -> None:
    text = "struct<id:int,items:array<struct<sku:string>>,props:map<string,struct<v:int>>>"
    assert list(field_paths("u", text)) == ["u", "u.id", "u.items", "u.items.sku", "u.props", "u.props.v"]


@given(st.text(alphabet='struct<>array(),:int mp"`', max_size=80))
def test_no_text_breaks_it(text: str) -> None:
    assert next(iter(field_paths("c", text))) == "c"
