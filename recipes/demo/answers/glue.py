"""AWS Glue: the Data Catalog. Payloads are in the form of the Glue API's GetDatabases and GetTables."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Mapping
from typing import Any

from answers.company import Account, Column, Database, Table, read_catalog
from answers.type_names import presto_type, spark_type
from answers.wire import page_of

_HADOOP = "org.apache.hadoop"
_PARQUET = (
    f"{_HADOOP}.hive.ql.io.parquet.MapredParquetInputFormat",
    f"{_HADOOP}.hive.ql.io.parquet.MapredParquetOutputFormat",
    f"{_HADOOP}.hive.ql.io.parquet.serde.ParquetHiveSerDe",
)
_TEXT = (f"{_HADOOP}.mapred.TextInputFormat", f"{_HADOOP}.hive.ql.io.HiveIgnoreKeyTextOutputFormat")
_LAZY = f"{_HADOOP}.hive.serde2.lazy.LazySimpleSerDe"
_ORC = f"{_HADOOP}.hive.ql.io.orc.Orc"

_FORMATS = {
    "parquet": _PARQUET,
    "orc": (f"{_ORC}InputFormat", f"{_ORC}OutputFormat", f"{_ORC}Serde"),
    "json": (*_TEXT, "org.openx.data.jsonserde.JsonSerDe"),
    "csv": (*_TEXT, _LAZY),
    "tsv": (*_TEXT, _LAZY),
    "open_csv": (*_TEXT, f"{_HADOOP}.hive.serde2.OpenCSVSerde"),
    "hudi": ("org.apache.hudi.hadoop.HoodieParquetInputFormat", *_PARQUET[1:]),
    "delta": (
        f"{_HADOOP}.mapred.SequenceFileInputFormat",
        f"{_HADOOP}.hive.ql.io.HiveSequenceFileOutputFormat",
        _LAZY,
    ),
    "iceberg": ("", "", ""),
}
_SERDE_PARAMETERS = {
    "csv": {"field.delim": ",", "serialization.format": ","},
    "tsv": {"field.delim": "\t", "serialization.format": "\t"},
    "open_csv": {"separatorChar": ";", "quoteChar": '"'},
}
_DATABASES_A_PAGE = 3
_TABLES_A_PAGE = 6


class Glue:
    def __init__(self, account: Account) -> None:
        self._account_id = account.id
        self._databases = {database.name: database for database in read_catalog(account.folder)}

    def answer(self, operation: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        token = params.get("NextToken")
        match operation:
            case "GetDatabases":
                databases = [self._database(database) for database in self._databases.values()]
                page, following = page_of(databases, params.get("MaxResults", _DATABASES_A_PAGE), token)
                return {"DatabaseList": page} | following
            case "GetTables":
                database = self._databases[params["DatabaseName"]]
                tables = [self._table(table, database) for table in database.tables]
                page, following = page_of(tables, params.get("MaxResults", _TABLES_A_PAGE), token)
                return {"TableList": page} | following
            case _:
                raise LookupError(f"{operation} is not among the calls of the readers")

    def _database(self, database: Database) -> dict[str, Any]:
        payload = {
            "Name": database.name,
            "Description": database.description,
            "CreateTime": database.created.timestamp(),
            "CatalogId": self._account_id,
        }
        if database.location:
            payload["LocationUri"] = database.location
        if database.link:
            payload["TargetDatabase"] = _link(database.link)
        return payload

    def _table(self, table: Table, database: Database) -> dict[str, Any]:
        created = table.created or database.created
        target = database.link or {}
        payload: dict[str, Any] = {
            "Name": table.name,
            "DatabaseName": target.get("database", database.name),
            "CatalogId": target.get("catalog_id", self._account_id),
            "Owner": database.owner,
            "CreateTime": created.timestamp(),
            "UpdateTime": created.timestamp(),
        }
        if table.description:
            payload["Description"] = table.description
        if table.link:
            return payload | {"TargetTable": _link(table.link)}
        return payload | (_view(table, database) if table.view else _storage(table))


def _view(table: Table, database: Database) -> dict[str, Any]:
    """As Athena stores a view: JSON, in base64, in a comment."""
    columns = [{"name": column.name, "type": presto_type(column.type)} for column in table.columns]
    stored = {"originalSql": table.view, "catalog": "awsdatacatalog", "schema": database.name, "columns": columns}
    encoded = base64.b64encode(json.dumps(stored, separators=(",", ":")).encode()).decode()
    return {
        "TableType": "VIRTUAL_VIEW",
        "ViewOriginalText": f"/* Presto View: {encoded} */",
        "ViewExpandedText": "/* Presto View */",
        "Parameters": {"comment": "Presto View", "presto_view": "true"},
        "PartitionKeys": [],
        "StorageDescriptor": {"Columns": _columns(table.columns), "Location": "", "SerdeInfo": {}},
    }


def _storage(table: Table) -> dict[str, Any]:
    reads, writes, serde = _FORMATS[table.format]
    parameters = {"EXTERNAL": "TRUE", **_format_parameters(table), **table.parameters}
    descriptor: dict[str, Any] = {
        "Columns": _stored_columns(table),
        "Location": table.location,
        "Compressed": False,
        "NumberOfBuckets": -1 if reads else 0,
        "SortColumns": [],
        "StoredAsSubDirectories": False,
    }
    if reads:
        settings = _SERDE_PARAMETERS.get(table.format, {"serialization.format": "1"})
        descriptor |= {
            "InputFormat": reads,
            "OutputFormat": writes,
            "SerdeInfo": {"SerializationLibrary": serde, "Parameters": settings},
        }
    return {
        "TableType": "EXTERNAL_TABLE",
        "Parameters": dict(sorted(parameters.items())),
        "PartitionKeys": _columns(table.partition_keys),
        "StorageDescriptor": descriptor,
    }


def _format_parameters(table: Table) -> dict[str, str]:
    match table.format:
        case "iceberg":
            version = uuid.uuid5(uuid.NAMESPACE_URL, table.location)
            return {
                "table_type": "ICEBERG",
                "metadata_location": f"{table.location}/metadata/00042-{version}.metadata.json",
            }
        case "hudi":
            return {"spark.sql.sources.provider": "hudi", "hudi.metadata-listing-enabled": "FALSE"}
        case "delta":
            fields = [
                {"name": column.name, "type": spark_type(column.type), "nullable": True, "metadata": {}}
                for column in table.columns
            ]
            schema = json.dumps({"type": "struct", "fields": fields}, separators=(",", ":"))
            return {
                "spark.sql.sources.provider": "delta",
                "spark.sql.sources.schema.numParts": "1",
                "spark.sql.sources.schema.part.0": schema,
            }
        case "parquet" | "orc" | "json":
            return {"classification": table.format}
        case _:
            return {"classification": "csv"}


def _stored_columns(table: Table) -> list[dict[str, Any]]:
    match table.format:
        case "delta":  # Spark keeps the schema in the parameters alone
            return [{"Name": "col", "Type": "array<string>", "Comment": "from deserializer"}]
        case "iceberg":
            return [
                column
                | {
                    "Parameters": {
                        "iceberg.field.current": "true",
                        "iceberg.field.id": str(number),
                        "iceberg.field.optional": "true",
                    }
                }
                for number, column in enumerate(_columns(table.columns), start=1)
            ]
        case _:
            return _columns(table.columns)


def _columns(columns: tuple[Column, ...]) -> list[dict[str, Any]]:
    return [
        {"Name": column.name, "Type": column.type} | ({"Comment": column.comment} if column.comment else {})
        for column in columns
    ]


def _link(source: Mapping[str, Any]) -> dict[str, str]:
    members = {"CatalogId": "catalog_id", "DatabaseName": "database", "Name": "table", "Region": "region"}
    return {member: source[key] for member, key in members.items() if key in source}
