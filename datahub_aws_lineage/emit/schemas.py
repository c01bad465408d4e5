"""Catalog columns to DataHub's schema fields, and the lineage stage's dotted column paths to their field paths.

Two forms of a field path are in use. `schemaMetadata` carries what DataHub's own `glue` source writes: version 2 paths,
such as `[version=2.0].[type=struct].[type=struct].user.[type=string].city`. Column lineage names the same field by the
simple path `user.city`: so do DataHub's own writers (its SQL parser, its `glue`, `redshift` and `dbt` sources), the
graph joins column lineage by exact URN, and the UI simplifies the schema's paths before it draws the edges. A version 2
path in column lineage would stand apart from every edge that another source writes.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TypeAlias

from datahub.metadata.schema_classes import (
    ArrayTypeClass,
    BooleanTypeClass,
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


def schema_metadata(table: Table, dataset: Dataset, diagnostics: Diagnostics) -> SchemaMetadataClass | None:
    """None where the catalog does not say which columns there are."""
    if table.columns is None:
        return None
    return SchemaMetadataClass(
        schemaName=dataset.name,
        platform=platform_urn(dataset.platform),
        version=0,
        hash="",
        platformSchema=MySqlDDLClass(tableSchema=""),
        fields=schema_fields(table, diagnostics),
    )


def schema_fields(table: Table, diagnostics: Diagnostics) -> list[SchemaFieldClass]:
    """The fields in column order, nested ones after their column, each field path once.

    A partition key that is listed among the columns too (Hudi does so) stays where it comes first. A type that cannot
    be read costs the field its structure alone: it keeps its name and the type's text, and is noted as malformed.
    """
    by_path: dict[str, SchemaFieldClass] = {}
    for column, fields in _fields_by_column(table):
        if _has_hive_type(table, column) and not _is_structured(fields[0]):
            diagnostics.skipped("malformed", "column type", f"{table.name}.{column.name}: {column.type}")
        for field in fields:
            by_path.setdefault(field.fieldPath, field)
    return list(by_path.values())


def field_paths(table: Table) -> Mapping[str, str]:
    """Lower-case dotted path to the simple field path as the schema spells it, for columns and all nested fields.

    >>> field_paths(Table("glue", TableName("awsdatacatalog", "s", "t"), (Column("user", "struct<City:string>"),)))
    {'user': 'user', 'user.city': 'user.City'}
    """
    paths: dict[str, str] = {}
    for column, fields in _fields_by_column(table):
        paths.setdefault(column.name.lower(), column.name)
        for field in fields[1:]:
            path = get_simple_field_path_from_v2_field_path(field.fieldPath)
            paths.setdefault(path.lower(), path)
    return paths


class SchemaIndex:
    """The columns of the datasets whose catalog entry is known: where a lineage path lands in their schema.

    Paths are worked out when a dataset is first asked for: most tables of a large catalog take part in no lineage.
    """

    def __init__(self, diagnostics: Diagnostics) -> None:
        self._diagnostics = diagnostics
        self._tables: dict[Dataset, Table] = {}
        self._paths: dict[Dataset, Mapping[str, str]] = {}
        self._missing: set[tuple[Dataset, str]] = set()

    def add(self, dataset: Dataset, table: Table) -> None:
        """A table whose columns the catalog does not list leaves the dataset's schema unknown."""
        if table.columns is not None:
            self._tables[dataset] = table
            self._paths.pop(dataset, None)

    def field_path(self, dataset: Dataset, path: str) -> str | None:
        """The field of `path`, else of its nearest known ancestor (`user.address` for `user.address.zip4`).

        `path` itself where the schema is unknown. None where the schema is known and has no such column; each such
        column is counted as unresolved once, however many edges and queries name it.
        """
        table = self._tables.get(dataset)
        if table is None:
            return path
        known = self._paths.get(dataset)
        if known is None:
            known = self._paths[dataset] = field_paths(table)
        for candidate in _ancestry(path.lower()):
            if candidate in known:
                return known[candidate]
        if (dataset, path) not in self._missing:
            self._missing.add((dataset, path))
            self._diagnostics.unresolved("column", f"{dataset} has no column {path}")
        return None


def _ancestry(path: str) -> Iterator[str]:
    while path:
        yield path
        path = path.rpartition(".")[0]


def _fields_by_column(table: Table) -> Iterator[tuple[Column, list[SchemaFieldClass]]]:
    for column in table.columns or ():
        if table.platform == "glue":
            fields = _hive_fields(column)
        elif _has_hive_type(table, column):
            fields = _hive_fields(replace(column, type=column.type.lower()))
        else:
            fields = [_redshift_field(column)]
        fields[0].isPartitioningKey = True if column.partition_key else None
        yield column, fields


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
