"""Payloads of the Glue Data Catalog as values of `model.catalog`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from datahub_aws_lineage.errors import MalformedError
from datahub_aws_lineage.model.catalog import Column, Database, LinkTarget, Table, TableFormat
from datahub_aws_lineage.model.names import DATA_CATALOG, TableName

if TYPE_CHECKING:
    from mypy_boto3_glue.type_defs import ColumnOutputTypeDef, DatabaseTypeDef, TableTypeDef

_FORMATS: tuple[TableFormat, ...] = ("iceberg", "delta", "hudi")
_INPUT_FORMATS: dict[str, TableFormat] = {
    "io.delta.": "delta",
    "org.apache.hudi.": "hudi",
    "com.uber.hoodie.": "hudi",
    "org.apache.iceberg.": "iceberg",
}
_MANIFESTS = "_symlink_format_manifest"
"""The folder where Delta Lake writes manifests for engines that read symlinks; S3 Inventory uses symlinks as well."""

_SPARK_SCHEMA = "spark.sql.sources.schema"
_SPARK_TYPES = {"byte": "tinyint", "integer": "int", "long": "bigint", "short": "smallint"} | {
    "timestamp_ltz": "timestamp",
    "timestamp_ntz": "timestamp",
}


def parse_database(payload: DatabaseTypeDef, catalog_id: str | None) -> Database:
    """Converts one of GetDatabases; `catalog_id` is the catalog that was asked. Raises MalformedError."""
    if not payload or not payload.get("Name"):
        raise MalformedError("a database without a name")
    owner = payload.get("CatalogId") or catalog_id
    target = payload.get("TargetDatabase")
    return Database(
        platform="glue",
        catalog=catalog_name(owner),
        name=payload["Name"].lower(),
        catalog_id=owner,
        description=payload.get("Description"),
        location=payload.get("LocationUri") or None,
        parameters=_text_parameters(payload.get("Parameters")),
        link=_link(target, owner, table=None) if target else None,
        created_at=_utc(payload.get("CreateTime")),
    )


def parse_table(payload: TableTypeDef, database: Database) -> tuple[Table, str | None]:
    """Converts one of GetTables of `database`, without its view; and says what of it could not be read, if anything.

    What is reached through a database link becomes a link of its own, under the local database's name.
    Raises MalformedError where the table has no name, a column has none, or a link no target.
    """
    if not payload or not payload.get("Name"):
        raise MalformedError("a table without a name")
    storage = payload.get("StorageDescriptor", {})
    columns, complaint = _columns(payload)
    table = Table(
        platform="glue",
        name=TableName(database.catalog, database.name, payload["Name"].lower()),
        columns=columns,
        format=_format(payload),
        link=_table_link(payload, database),
        location=storage.get("Location") or None,
        catalog_id=database.catalog_id if database.link else payload.get("CatalogId") or database.catalog_id,
        table_type=payload.get("TableType") or None,
        owner=payload.get("Owner") or None,
        description=payload.get("Description"),
        parameters=_parameters(payload),
        created_at=_utc(payload.get("CreateTime")),
        updated_at=_utc(payload.get("UpdateTime")),
    )
    return table, complaint


def catalog_name(catalog_id: str | None) -> str:
    """What Athena calls the catalog: `123456789012:s3tablescatalog/bucket` is `s3tablescatalog/bucket`."""
    _, separator, nested = (catalog_id or "").partition(":")
    return nested.lower() if separator and nested else DATA_CATALOG


def _table_link(payload: TableTypeDef, database: Database) -> LinkTarget | None:
    target = payload.get("TargetTable")
    if target:
        if not target.get("Name"):
            raise MalformedError("a resource link without the name of its target")
        return _link(target, database.catalog_id, table=target["Name"])
    if database.link:
        link = database.link
        return LinkTarget(link.catalog_id, link.database, payload["Name"].lower(), link.region)
    return None


def _link(target: Mapping[str, Any], own_catalog_id: str | None, *, table: str | None) -> LinkTarget:
    catalog_id = target.get("CatalogId") or own_catalog_id
    if not catalog_id or not target.get("DatabaseName"):
        raise MalformedError("a resource link without the catalog or the database of its target")
    return LinkTarget(
        catalog_id=catalog_id,
        database=str(target["DatabaseName"]).lower(),
        table=table.lower() if table else None,
        region=target.get("Region") or None,
    )


def _parameters(payload: TableTypeDef) -> dict[str, str]:
    """Table parameters, and the storage descriptor under its own names (`Location`, `InputFormat`, `SerdeInfo`, …).

    Columns and the descriptor's own `Parameters` are left out. Values that are not text are spelled as Python
    spells them: so does DataHub's glue source in its custom properties, which must come out the same.
    """
    storage = payload.get("StorageDescriptor", {})
    described = {key: str(value) for key, value in storage.items() if key not in {"Columns", "Parameters"}}
    return _text_parameters(payload.get("Parameters")) | described


def _text_parameters(parameters: Mapping[str, str | None] | None) -> dict[str, str]:
    return {key: value for key, value in (parameters or {}).items() if value is not None}


def _format(payload: TableTypeDef) -> TableFormat:
    """By the table's own word (`table_type`), then Spark's provider, then the input format."""
    parameters = {key.lower(): value.lower() for key, value in _text_parameters(payload.get("Parameters")).items()}
    for key in ("table_type", "spark.sql.sources.provider"):
        for known in _FORMATS:
            if parameters.get(key) == known:
                return known
    storage = payload.get("StorageDescriptor", {})
    for prefix, known in _INPUT_FORMATS.items():
        if storage.get("InputFormat", "").startswith(prefix):
            return known
    return "delta" if storage.get("Location", "").rstrip("/").endswith(_MANIFESTS) else "hive"


def _columns(payload: TableTypeDef) -> tuple[tuple[Column, ...] | None, str | None]:
    """The columns (None: the catalog does not say), and a complaint about a Spark schema that cannot be read.

    Spark keeps the schema of a table that Hive cannot describe in parameters, beside one column `col array<string>`
    or none at all; its partition columns are ordinary columns there, in their place, as engines see them.
    """
    listed = payload.get("StorageDescriptor", {}).get("Columns")
    parameters = _text_parameters(payload.get("Parameters"))
    if _is_placeholder(listed) and (_SPARK_SCHEMA in parameters or f"{_SPARK_SCHEMA}.numParts" in parameters):
        try:
            return _spark_columns(parameters), None
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as e:
            return None, f"the schema in {_SPARK_SCHEMA} cannot be read: {type(e).__name__}"
    if "StorageDescriptor" not in payload:
        return None, None
    keys = payload.get("PartitionKeys") or []
    return (*_listed_columns(listed or [], partition_key=False), *_listed_columns(keys, partition_key=True)), None


def _listed_columns(listed: Iterable[ColumnOutputTypeDef], *, partition_key: bool) -> list[Column]:
    columns = []
    for column in listed:
        if not column or not column.get("Name"):
            raise MalformedError("a column without a name")
        # Iceberg's catalog also lists columns of earlier schemas, which no engine shows.
        if (column.get("Parameters") or {}).get("iceberg.field.current") == "false":
            continue
        type_ = column.get("Type") or "unknown"
        columns.append(Column(column["Name"], type_, column.get("Comment") or None, partition_key))
    return columns


def _is_placeholder(listed: list[ColumnOutputTypeDef] | None) -> bool:
    if not listed:
        return True
    return len(listed) == 1 and (listed[0] or {}).get("Name") == "col" and listed[0].get("Type") == "array<string>"


def _spark_columns(parameters: Mapping[str, str]) -> tuple[Column, ...]:
    text = parameters.get(_SPARK_SCHEMA)
    if text is None:
        parts = range(int(parameters[f"{_SPARK_SCHEMA}.numParts"]))
        text = "".join(parameters[f"{_SPARK_SCHEMA}.part.{part}"] for part in parts)
    return tuple(_spark_column(stored) for stored in json.loads(text)["fields"])


def _spark_column(stored: Mapping[str, Any]) -> Column:
    metadata = stored.get("metadata") or {}
    # Spark has no char and varchar inside: the declared type is kept aside.
    type_ = metadata.get("__CHAR_VARCHAR_TYPE_STRING") or _spark_type(stored["type"])
    return Column(str(stored["name"]), type_, metadata.get("comment") or stored.get("description") or None)


def _spark_type(stored: str | Mapping[str, Any]) -> str:
    """Spells a type of Spark's schema JSON as Hive does."""
    if isinstance(stored, str):
        return _SPARK_TYPES.get(stored, stored)
    match stored["type"]:
        case "array":
            return f"array<{_spark_type(stored['elementType'])}>"
        case "map":
            return f"map<{_spark_type(stored['keyType'])},{_spark_type(stored['valueType'])}>"
        case "struct":
            fields = (f"{field['name']}:{_spark_type(field['type'])}" for field in stored["fields"])
            return f"struct<{','.join(fields)}>"
        case "udt":
            return _spark_type(stored["sqlType"])
        case other:
            raise ValueError(other)


def _utc(moment: datetime | None) -> datetime | None:
    return moment.astimezone(timezone.utc) if moment else None
