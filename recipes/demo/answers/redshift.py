"""The Redshift Data API: a warehouse that knows the answers to the readers' own SQL, by its text."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from typing import Any, TypeAlias

from answers.company import Account
from answers.warehouse import Rows, Value, Warehouse
from answers.wire import page_of
from datahub_aws_lineage.aws import redshift_sql

_ROWS_A_PAGE = 100
_Statement: TypeAlias = tuple[str, str, tuple[tuple[str, str], ...]]


class RedshiftData:
    def __init__(self, account: Account) -> None:
        self._warehouse = Warehouse(account)
        self._statements: dict[str, _Statement] = {}
        self._now = account.now.timestamp()

    def answer(self, operation: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        match operation:
            case "ExecuteStatement":
                return self._execute(params)
            case "DescribeStatement":
                return self._describe(params["Id"])
            case "GetStatementResult":
                return self._result(params["Id"], params.get("NextToken"))
            case _:
                raise LookupError(f"{operation} is not among the calls of the readers")

    def _execute(self, params: Mapping[str, Any]) -> dict[str, Any]:
        if params["WorkgroupName"] != self._warehouse.work_group:
            raise LookupError(f"There is no work group {params['WorkgroupName']}")
        parameters = tuple((given["name"], given["value"]) for given in params.get("Parameters", ()))
        statement = (params["Sql"], params["Database"], parameters)
        key = str(uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(statement)))
        self._statements[key] = statement
        return {"Id": key, "Database": params["Database"], "WorkgroupName": params["WorkgroupName"]} | self._created()

    def _describe(self, key: str) -> dict[str, Any]:
        sql, database, _ = self._statements[key]
        _, rows = self._rows(key)
        described = {
            "Id": key,
            "Status": "FINISHED",
            "HasResultSet": True,
            "ResultRows": len(rows),
            "Database": database,
            "WorkgroupName": self._warehouse.work_group,
            "QueryString": sql,
            "UpdatedAt": self._now,
        }
        return described | self._created()

    def _result(self, key: str, token: str | None) -> dict[str, Any]:
        columns, rows = self._rows(key)
        page, following = page_of(rows, _ROWS_A_PAGE, token)
        return {
            "ColumnMetadata": [{"name": name, "label": name} for name in columns],
            "Records": [[_field(value) for value in row] for row in page],
            "TotalNumRows": len(rows),
        } | following

    def _created(self) -> dict[str, float]:
        return {"CreatedAt": self._now}

    def _rows(self, key: str) -> Rows:
        sql, _, parameters = self._statements[key]
        return _answer_sql(self._warehouse, sql, dict(parameters))


def _answer_sql(warehouse: Warehouse, sql: str, parameters: Mapping[str, str]) -> Rows:
    """Each text of the readers is met with the rows that the warehouse would give. Raises LookupError for any other."""
    answers = {
        redshift_sql.VISIBILITY: warehouse.visibility,
        redshift_sql.RETENTION: warehouse.retention,
        redshift_sql.USERS: warehouse.users,
        redshift_sql.SCHEMAS: warehouse.all_schemas,
        redshift_sql.TABLES: warehouse.all_tables,
        redshift_sql.COLUMNS: warehouse.all_columns,
        redshift_sql.LATE_BINDING_COLUMNS: warehouse.late_binding_columns,
        redshift_sql.VIEWS: warehouse.views,
        redshift_sql.MATERIALIZED_VIEWS: warehouse.materialized_views,
        redshift_sql.EXTERNAL_TABLES: warehouse.external_tables,
        redshift_sql.EXTERNAL_SCHEMAS: warehouse.external_schemas,
        redshift_sql.SHARED_DATABASES: warehouse.shared_databases,
        redshift_sql.INBOUND_DATASHARES: warehouse.inbound_datashares,
        redshift_sql.PROBE: warehouse.current_user,
        redshift_sql.PROBE_CATALOG: warehouse.any_schema,
        redshift_sql.PROBE_HISTORY: warehouse.any_query,
    }
    windowed = {redshift_sql.HISTORY: warehouse.history, redshift_sql.ROLLED_BACK: warehouse.rolled_back}
    if sql in windowed:
        return windowed[sql](parameters["window_start"], parameters["window_end"])
    if sql not in answers:
        raise LookupError(f"The warehouse has no answer written down to: {sql}")
    return answers[sql]()


def _field(value: Value) -> dict[str, Any]:
    match value:
        case None:
            return {"isNull": True}
        case bool():
            return {"booleanValue": value}
        case int():
            return {"longValue": value}
        case str():
            return {"stringValue": value}
