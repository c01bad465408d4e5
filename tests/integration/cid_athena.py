"""What cid-cmd asks of Athena, answered from a Glue catalog: its own code then deploys the views it ships.

moto's Athena is not linked to its Glue, so CREATE VIEW is carried out here: the view lands in the catalog as Athena
stores it (`TableType` VIRTUAL_VIEW, the query as base64 JSON within `/* Presto View: … */`).
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
from cid_select_list import Columns, OutputColumn, select_list

if TYPE_CHECKING:
    from mypy_boto3_glue.type_defs import TableInputTypeDef

CATALOG = "awsdatacatalog"

_CREATE_VIEW = re.compile(
    r"""\A (?: \s | /\*.*?\*/ | --[^\n]*\n )*      # blanks and comments before the statement
        CREATE \s+ (?: OR \s+ REPLACE \s+ )? VIEW \s+ "? (?P<name>\w+) "? \s+ AS \b \s* (?P<query>.*) \Z""",
    re.IGNORECASE | re.DOTALL | re.VERBOSE,
)
_UNNESTED = re.compile(r"UNNEST\((\w+)\)")
_KEY_PREFIX = re.compile(r"key LIKE '([^%']*)%'")


@dataclass(frozen=True, slots=True)
class DeployedView:
    """A view as it stands in the catalog: its whole statement, the query in it, and its output columns."""

    database: str
    name: str
    statement: str
    query: str
    columns: Columns

    @property
    def full_name(self) -> str:
        return f"{self.database}.{self.name}"


class CatalogAthena:
    """Stands in for `cid.helpers.Athena` over one database of a Glue catalog.

    `map_keys` says which keys the map columns hold (`{"resource_tags": ["user_team"]}`), as a scan of the rows would.
    Every view that is created is kept in `created`.
    """

    CatalogName = CATALOG

    def __init__(
        self,
        session: boto3.Session,
        database_name: str,
        resources: Mapping[str, Any] | None = None,
        map_keys: Mapping[str, Iterable[str]] | None = None,
    ) -> None:
        self.session = session
        self.region = session.region_name
        self.client = session.client("athena")  # only its exception classes are used
        self.DatabaseName = database_name
        self._glue = session.client("glue")
        self._metadata: dict[str, dict[str, Any]] = {}
        self._resources = resources
        self._map_keys = map_keys or {}
        self.created: list[DeployedView] = []

    def list_databases(self) -> list[str]:
        return [database["Name"] for database in self._glue.get_databases()["DatabaseList"]]

    def list_table_metadata(self, database_name: str | None = None) -> list[dict[str, Any]]:
        tables = self._glue.get_tables(DatabaseName=database_name or self.DatabaseName)["TableList"]
        return [_metadata(table) for table in tables]

    def get_table_metadata(self, table_name: str, database_name: str | None = None) -> dict[str, Any]:
        if table_name not in self._metadata:
            try:
                answer = self._glue.get_table(DatabaseName=database_name or self.DatabaseName, Name=table_name)
            except self._glue.exceptions.EntityNotFoundException as error:
                raise self.client.exceptions.MetadataException(error.response, "GetTableMetadata") from error
            self._metadata[table_name] = _metadata(answer["Table"])
        return self._metadata[table_name]

    def discover_views(self, views: Iterable[str]) -> None:
        for view in views:
            with suppress(self.client.exceptions.MetadataException):
                self.get_table_metadata(view)

    def wait_for_view(self, view_name: str) -> bool:
        self.discover_views([view_name])
        return view_name in self._metadata

    def create_or_update_view(self, view_name: str, view_query: str) -> None:
        self.execute_query(view_query)
        assert self.wait_for_view(view_name)

    def execute_query(self, sql_query: str) -> None:
        """Carries out CREATE VIEW; raises ValueError on any other statement."""
        match = _CREATE_VIEW.match(sql_query)
        if match is None:
            raise ValueError(f"not a CREATE VIEW statement: {sql_query[:200]}")
        name, query = match["name"].lower(), match["query"].strip()
        view = DeployedView(
            self.DatabaseName, name, sql_query, query, select_list(query, self.DatabaseName, self._columns)
        )
        self._store(view)
        self.created = [other for other in self.created if other.name != name] + [view]
        self._metadata.pop(name, None)

    def query(self, sql: str, database: str | None = None) -> list[list[str]]:
        """The rows of the few queries that cid-cmd runs to see what is there."""
        if "information_schema.columns" in sql:
            return [[c.name, c.type] for view in self.created if f"'{view.name}'" in sql for c in view.columns]
        if sql.lstrip().startswith("SHOW CREATE VIEW"):
            view = next(view for view in self.created if view.name == sql.split()[-1])
            return [[re.sub(r"\s+", " ", view.statement).replace("( ", "(").replace(" )", ")")]]
        if unnested := _UNNESTED.search(sql):
            prefix = _KEY_PREFIX.search(sql)
            keys = self._map_keys.get(unnested[1], ())
            return [[key, "7"] for key in keys if prefix is None or key.startswith(prefix[1])]
        raise ValueError(f"no answer to: {sql[:200]}")

    def _columns(self, database: str, table: str) -> Columns:
        found = self._glue.get_table(DatabaseName=database, Name=table)["Table"]
        columns = [*found["StorageDescriptor"]["Columns"], *found.get("PartitionKeys", [])]
        return tuple(OutputColumn(column["Name"], column["Type"]) for column in columns)

    def _store(self, view: DeployedView) -> None:
        document = {
            "originalSql": view.query,
            "catalog": CATALOG,
            "schema": view.database,
            "columns": [{"name": column.name, "type": _presto_type(column.type)} for column in view.columns],
        }
        encoded = base64.b64encode(json.dumps(document).encode()).decode()
        table_input: TableInputTypeDef = {
            "Name": view.name,
            "TableType": "VIRTUAL_VIEW",
            "Parameters": {"presto_view": "true", "comment": "Presto View"},
            "PartitionKeys": [],
            "StorageDescriptor": {
                "Columns": [{"Name": column.name, "Type": column.type} for column in view.columns],
                "Location": "",
                "SerdeInfo": {},
            },
            "ViewOriginalText": f"/* Presto View: {encoded} */",
            "ViewExpandedText": "/* Presto View */",
        }
        if any(other.name == view.name for other in self.created):
            self._glue.update_table(DatabaseName=view.database, TableInput=table_input)
        else:
            self._glue.create_table(DatabaseName=view.database, TableInput=table_input)


def _metadata(table: Mapping[str, Any]) -> dict[str, Any]:
    """Athena's TableMetadata of a Glue table."""
    return {
        "Name": table["Name"],
        "TableType": table.get("TableType"),
        "Columns": [dict(column) for column in table["StorageDescriptor"]["Columns"]],
        "PartitionKeys": [dict(column) for column in table.get("PartitionKeys", [])],
        "Parameters": dict(table.get("Parameters", {})),
    }


def _presto_type(hive_type: str) -> str:
    return hive_type.replace("string", "varchar").replace("<", "(").replace(">", ")")
