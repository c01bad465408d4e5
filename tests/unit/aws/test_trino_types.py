"""Trino's types in Hive's spelling."""

from __future__ import annotations

import pytest

from datahub_aws_lineage.aws.trino_types import hive_type


@pytest.mark.parametrize(
    ("trino", "hive"),
    [
        ("bigint", "bigint"),
        ("INTEGER", "int"),
        ("real", "float"),
        ("double precision", "double"),
        ("varchar", "string"),
        ("varchar(8)", "varchar(8)"),
        ("char(2)", "char(2)"),
        ("varbinary", "binary"),
        ("decimal(38, 9)", "decimal(38,9)"),
        ("timestamp(3)", "timestamp"),
        ("timestamp(3) with time zone", "timestamp"),
        ("timestamp with time zone", "timestamp"),
        ("json", "string"),
        ("array(varchar)", "array<string>"),
        ("map(varchar, array(integer))", "map<string,array<int>>"),
        ("row(a integer, b varchar(3))", "struct<a:int,b:varchar(3)>"),
        ('row("order id" bigint, "a,b" row(x decimal(4,2)))', "struct<order id:bigint,a,b:struct<x:decimal(4,2)>>"),
        ("row(integer, varchar)", "struct<field0:int,field1:string>"),
        ("row(at timestamp(3) with time zone, timestamp with time zone)", "struct<at:timestamp,field1:timestamp>"),
        ("row(double precision)", "struct<field0:double>"),
    ],
)
def test_types(trino: str, hive: str) -> None:
    assert hive_type(trino) == hive


@pytest.mark.parametrize("text", ["", "array(row(a int)", "array()", "?", "array(" * 2000 + "int" + ")" * 2000])
def test_what_cannot_be_read_stays(text: str) -> None:
    assert hive_type(text) == text
