"""The serverless warehouse as its system views would show it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import TypeAlias

from answers.company import Account, Column, Database, Source, Table, read_catalog, read_schemas, read_yaml
from answers.log import Logged, read_log
from answers.type_names import redshift_type

Value: TypeAlias = str | int | bool | None
Rows: TypeAlias = "tuple[tuple[str, ...], list[tuple[Value, ...]]]"
"""Column names, and rows."""

_TEXT_WIDTH = 4000
_KINDS = {"data_catalog": 1, "hive": 2, "postgres": 3}
_COLUMN_NAMES = (
    *("schema_name", "table_name", "column_name", "data_type"),
    *("character_maximum_length", "numeric_precision", "numeric_scale", "remarks"),
)
_HISTORY_NAMES = (
    *("query_id", "session_id", "transaction_id", "user_id", "database_name", "query_type", "status"),
    *("start_time", "end_time", "sequence", "text"),
)


class Warehouse:
    """Each method answers one SQL text of the readers: the columns that it selects, in its order."""

    def __init__(self, account: Account) -> None:
        folder = account.folder / "redshift"
        self._account = account
        self._source: Source = read_yaml(folder / "warehouse.yml")
        self._schemas = read_schemas(self._source, folder / "views")
        glue = {database.name: database for database in read_catalog(account.folder)}
        self._external: dict[str, Source] = self._source["external_schemas"]
        self._mounted = {
            name: glue[source["source_database"]]
            for name, source in sorted(self._external.items())
            if source["kind"] == "data_catalog"
        }
        self._log = read_log(folder / "history", self._source["users"])

    @property
    def work_group(self) -> str:
        return str(self._source["work_group"])

    @property
    def _database(self) -> str:
        return str(self._source["database"])

    def current_user(self) -> Rows:
        return ("user_name",), [("IAMR:lineage-reader",)]

    def visibility(self) -> Rows:
        return ("user_name", "superuser", "syslog_access"), [("IAMR:lineage-reader", True, "UNRESTRICTED")]

    def retention(self) -> Rows:
        oldest = min(entry.started_at for entry in self._log)
        return ("oldest", "now"), [(_time(oldest), _time(self._account.now))]

    def users(self) -> Rows:
        return ("user_id", "user_name"), [(number, name) for name, number in self._source["users"].items()]

    def any_schema(self) -> Rows:
        return ("schema_name",), [("core",)]

    def any_query(self) -> Rows:
        return ("query_id", "sequence"), [(self._log[0].query_id, 0)]

    def all_schemas(self) -> Rows:
        local: list[tuple[Value, ...]] = [(schema.name, "local", None) for schema in self._schemas]
        external = [(name, "external", source["source_database"]) for name, source in self._external.items()]
        return ("schema_name", "schema_type", "source_database"), sorted([*local, *external], key=str)

    def all_tables(self) -> Rows:
        rows: list[tuple[Value, ...]] = [
            (schema.name, table.name, "VIEW" if table.view else "TABLE", table.description or None)
            for schema, table in _tables(self._schemas)
        ]
        external = [(name, table.name, "EXTERNAL TABLE", None) for name, table in self._external_tables()]
        return ("schema_name", "table_name", "table_type", "remarks"), sorted([*rows, *external], key=str)

    def all_columns(self) -> Rows:
        rows = [
            (schema.name, table.name, *_described(column))
            for schema, table in _tables(self._schemas)
            if not table.late_binding
            for column in table.columns
        ]
        external: list[tuple[Value, ...]] = [
            (name, table.name, column.name, column.type, None, None, None, None)
            for name, table in self._external_tables()
            for column in (*table.columns, *table.partition_keys)
        ]
        return _COLUMN_NAMES, sorted([*rows, *external], key=lambda row: (str(row[0]), str(row[1])))

    def late_binding_columns(self) -> Rows:
        rows: list[tuple[Value, ...]] = [
            (schema.name, table.name, column.name, _long_type(column))
            for schema, table in _tables(self._schemas)
            if table.late_binding
            for column in table.columns
        ]
        return ("view_schema", "view_name", "col_name", "col_type"), rows

    def views(self) -> Rows:
        rows: list[tuple[Value, ...]] = [
            (schema.name, table.name, schema.owner, table.view)
            for schema, table in _tables(self._schemas)
            if table.view
        ]
        return ("schema_name", "view_name", "owner_name", "definition"), rows

    def materialized_views(self) -> Rows:
        rows: list[tuple[Value, ...]] = [
            (schema.name, table.name) for schema, table in _tables(self._schemas) if table.materialized
        ]
        return ("schema_name", "view_name"), rows

    def external_tables(self) -> Rows:
        rows: list[tuple[Value, ...]] = [(name, table.name, table.location) for name, table in self._external_tables()]
        return ("schemaname", "tablename", "location"), rows

    def external_schemas(self) -> Rows:
        rows: list[tuple[Value, ...]] = [
            (name, _KINDS[source["kind"]], source["source_database"], _options(source, self._account))
            for name, source in sorted(self._external.items())
        ]
        return ("schemaname", "eskind", "databasename", "esoptions"), rows

    def shared_databases(self) -> Rows:
        return ("database_name", "database_options"), []

    def inbound_datashares(self) -> Rows:
        names = ("consumer_database", "share_name", "source_database", "producer_account", "producer_namespace")
        return names, []

    def history(self, start: str, end: str) -> Rows:
        rows = [row for entry in self._log if start <= _time(entry.started_at) < end for row in self._text_rows(entry)]
        return _HISTORY_NAMES, rows

    def rolled_back(self, start: str, end: str) -> Rows:
        found = {entry.transaction: entry for entry in self._log if entry.rolled_back}
        rows: list[tuple[Value, ...]] = [
            (number,) for number, entry in sorted(found.items()) if start <= _time(entry.started_at) < end
        ]
        return ("transaction_id",), rows

    def _text_rows(self, entry: Logged) -> Iterator[tuple[Value, ...]]:
        """A row for each 4,000 characters; a statement that failed has one, without text."""
        head = (entry.query_id, entry.session, entry.transaction, entry.user_id, self._database, entry.kind)
        times = (entry.status, _time(entry.started_at), _time(entry.ended_at))
        if entry.status != "success":
            yield (*head, *times, None, None)
            return
        for sequence, piece in enumerate(_pieces(entry.text)):
            yield (*head, *times, sequence, piece.rstrip(" "))

    def _external_tables(self) -> Iterator[tuple[str, Table]]:
        """Tables of the mounted Glue databases. Athena's views cannot be read through a mount, and are not listed."""
        for name, database in self._mounted.items():
            yield from ((name, table) for table in database.tables if not table.view)


def _tables(schemas: tuple[Database, ...]) -> Iterator[tuple[Database, Table]]:
    return ((schema, table) for schema in schemas for table in schema.tables)


def _described(column: Column) -> tuple[Value, ...]:
    return (column.name, *redshift_type(column.type), column.comment)


def _long_type(column: Column) -> str:
    name = redshift_type(column.type)[0]
    return f"{name}{column.type[column.type.index('(') :]}" if "(" in column.type else name


def _options(source: Source, account: Account) -> str:
    if source["kind"] == "data_catalog":
        return json.dumps({"IAM_ROLE": f"arn:aws:iam::{account.id}:role/{source['role']}"})
    return json.dumps({"SCHEMA": source["source_schema"], "URI": source["host"], "PORT": 5432})


def _pieces(text: str) -> list[str]:
    """As SYS_QUERY_TEXT stores a text: line ends as backslash and n, which no cut parts."""
    stored = text.replace("\n", "\\n")
    pieces = []
    while stored:
        width = _TEXT_WIDTH - 1 if stored[_TEXT_WIDTH - 1 : _TEXT_WIDTH + 1] == "\\n" else _TEXT_WIDTH
        pieces.append(stored[:width])
        stored = stored[width:]
    return pieces


def _time(moment: datetime) -> str:
    return f"{moment.astimezone(timezone.utc):%Y-%m-%d %H:%M:%S.%f}"
