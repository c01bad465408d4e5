"""Catalog columns to DataHub's schema fields, and the lineage stage's dotted column paths to their field paths.

Two forms of a field path are in use. `schemaMetadata` carries what DataHub's own `glue` source writes: version 2 paths,
such as `[version=2.0].[type=struct].[type=struct].user.[type=string].city`. Column lineage names the same field by the
simple path `user.city`, as DataHub's SQL parser does: its index joins column lineage by exact URN, and its UI
simplifies the schema's paths before it draws edges. (DataHub's `glue` source does so too, but in arrays and maps.)
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeAlias

from datahub.metadata.schema_classes import (
    ArrayTypeClass,
    BooleanTypeClass,
    GlobalTagsClass,
    MySqlDDLClass,
    NullTypeClass,
    NumberTypeClass,
    SchemaFieldClass,
    SchemaFieldDataTypeClass,
    SchemaMetadataClass,
    StringTypeClass,
    TimeTypeClass,
)
from datahub.utilities.hive_schema_to_avro import get_schema_fields_for_hive_column
from datahub.utilities.urns.field_paths import get_simple_field_path_from_v2_field_path

from datahub_aws_lineage.emit.urns import platform_urn
from datahub_aws_lineage.model.catalog import Column, Table
from datahub_aws_lineage.model.names import Dataset
from datahub_aws_lineage.model.ports import Diagnostics

_Kind: TypeAlias = type[
    ArrayTypeClass | BooleanTypeClass | NullTypeClass | NumberTypeClass | StringTypeClass | TimeTypeClass
]

_REDSHIFT_KINDS: Mapping[str, _Kind] = {
    **dict.fromkeys(("BOOL", "BOOLEAN"), BooleanTypeClass),
    **dict.fromkeys(("SMALLINT", "INT2", "INTEGER", "INT", "INT4", "BIGINT", "INT8", "OID"), NumberTypeClass),
    **dict.fromkeys(("DECIMAL", "NUMERIC", "REAL", "FLOAT", "FLOAT4", "FLOAT8", "DOUBLE PRECISION"), NumberTypeClass),
    **dict.fromkeys(("CHAR", "CHARACTER", "NCHAR", "BPCHAR", "NAME", '"CHAR"'), StringTypeClass),
    **dict.fromkeys(("VARCHAR", "CHARACTER VARYING", "NVARCHAR", "TEXT", "STRING"), StringTypeClass),
    **dict.fromkeys(("VARBYTE", "VARBINARY", "BINARY VARYING"), StringTypeClass),
    **dict.fromkeys(("DATE", "TIME", "TIMETZ", "TIME WITHOUT TIME ZONE", "TIME WITH TIME ZONE"), TimeTypeClass),
    **dict.fromkeys(("TIMESTAMP", "TIMESTAMPTZ"), TimeTypeClass),
    **dict.fromkeys(("TIMESTAMP WITHOUT TIME ZONE", "TIMESTAMP WITH TIME ZONE"), TimeTypeClass),
    **dict.fromkeys(("SUPER", "GEOMETRY", "GEOGRAPHY", "HLLSKETCH", "INTERVAL"), NullTypeClass),
}
"""Redshift's types, as `SVV_COLUMNS` and SQL spell them, without lengths. Source: Redshift Developer Guide, data types.

The kinds are those of DataHub's own `redshift` source, which knows fewer spellings.
"""

UNKNOWN_TYPE = "unknown"
"""The type of a field that no catalog lists and no column of a known type is passed on to."""


def schema_metadata(dataset: Dataset, fields: list[SchemaFieldClass]) -> SchemaMetadataClass:
    """As DataHub's `glue` and `redshift` sources have it, which know of no statement that would define the table."""
    return SchemaMetadataClass(
        schemaName=dataset.name,
        platform=platform_urn(dataset.platform),
        version=0,
        hash="",
        platformSchema=MySqlDDLClass(tableSchema=""),
        fields=fields,
    )


def schema_fields(
    table: Table,
    diagnostics: Diagnostics | None = None,
    tags_of: Callable[[Column], GlobalTagsClass | None] = lambda _: None,
) -> list[SchemaFieldClass]:
    """The fields in column order, nested ones after their column, each field path once.

    A partition key that is listed among the columns too (Hudi does so) stays where it comes first. A type that cannot
    be read costs the field its structure alone: it keeps its name and the type's text, and is noted as malformed.
    The tags of a column stand at its field, not at those within it.
    """
    by_path: dict[str, SchemaFieldClass] = {}
    for column in table.columns or ():
        fields = _fields_of(table, column)
        if diagnostics is not None and _has_hive_type(table, column) and not _is_structured(fields[0]):
            diagnostics.skipped("malformed", "column type", f"{table.name}.{column.name}: {column.type}")
        fields[0].globalTags = tags_of(column)
        for field in fields:
            by_path.setdefault(field.fieldPath, field)
    return list(by_path.values())


def field_paths(table: Table) -> Mapping[str, str]:
    """Lower-case dotted path to the simple field path as the schema spells it, for columns and all nested fields.

    >>> from datahub_aws_lineage.model.names import TableName
    >>> field_paths(Table("glue", TableName("awsdatacatalog", "s", "t"), (Column("user", "struct<City:string>"),)))
    {'user': 'user', 'user.city': 'user.City'}
    """
    paths: dict[str, str] = {}
    for column in table.columns or ():
        paths.setdefault(column.name.lower(), column.name)
        # Most columns have no fields: converting their types as well would be most of the work.
        for field in _fields_of(table, column)[1:] if "<" in column.type else ():
            paths.setdefault(simple_path(field).lower(), simple_path(field))
    return paths


def field_of(table: Table, path: str) -> SchemaFieldClass | None:
    """The schema field of a dotted path, in any case."""
    path = path.lower()
    for column in table.columns or ():
        name = column.name.lower()
        if path == name:
            return _fields_of(table, column)[0]
        if path.startswith(f"{name}."):
            for field in _fields_of(table, column):
                if simple_path(field).lower() == path:
                    return field
    return None


def open_field(path: str, like: SchemaFieldClass | None) -> SchemaFieldClass:
    """A field that only lineage names, with the type of the column that it comes from or goes to as it is."""
    return SchemaFieldClass(
        fieldPath=path,
        type=like.type if like is not None else SchemaFieldDataTypeClass(_redshift_kind(UNKNOWN_TYPE)()),
        nativeDataType=like.nativeDataType if like is not None else UNKNOWN_TYPE,
        nullable=True,
    )


def simple_path(field: SchemaFieldClass) -> str:
    """The dotted path by which column lineage names a field."""
    return get_simple_field_path_from_v2_field_path(field.fieldPath)


def _fields_of(table: Table, column: Column) -> list[SchemaFieldClass]:
    if table.platform == "glue":
        fields = _hive_fields(column)
    elif _has_hive_type(table, column):
        fields = _hive_fields(replace(column, type=column.type.lower()))
    else:
        fields = [_redshift_field(column)]
    fields[0].isPartitioningKey = True if column.partition_key else None
    return fields


def _has_hive_type(table: Table, column: Column) -> bool:
    """Glue columns, and the nested columns of Redshift's external tables."""
    return table.platform == "glue" or any(word in column.type.lower() for word in ("struct", "array"))


def _hive_fields(column: Column) -> list[SchemaFieldClass]:
    with warnings.catch_warnings():
        # Avro warns of logical types that DataHub's converter writes on purpose; raised, it would cost the column.
        warnings.filterwarnings("ignore", module=r"avro(\.|$)")
        fields = get_schema_fields_for_hive_column(
            hive_column_name=column.name,
            hive_column_type=column.type,
            description=column.comment,
            default_nullable=not column.partition_key,
        )
    if not _is_structured(fields[0]):
        # DataHub's converter could not read the type: the path it leaves can be doubled (`a.a`), `nullable` is a guess.
        fields[0].fieldPath = column.name
        fields[0].nullable = True
    return fields


def _redshift_field(column: Column) -> SchemaFieldClass:
    return SchemaFieldClass(
        fieldPath=column.name,
        type=SchemaFieldDataTypeClass(_redshift_kind(column.type)()),
        nativeDataType=column.type.upper(),
        description=column.comment,
        nullable=True,
    )


def _redshift_kind(native_type: str) -> _Kind:
    """`character varying(256)` and `timestamp(6) without time zone` by the name around the parentheses."""
    if native_type.endswith("[]"):
        return ArrayTypeClass
    name, _, rest = native_type.upper().partition("(")
    return _REDSHIFT_KINDS.get(" ".join((name + rest.partition(")")[2]).split()), NullTypeClass)


def _is_structured(field: SchemaFieldClass) -> bool:
    return field.fieldPath.startswith("[version=2.0].")
