"""One account for DataHub's own sources and for ours: Glue and S3 of moto, Athena over that Glue, and Redshift.

Ours: what Athena and Redshift answer, checked against AWS's service models where AWS has them. Real: moto, boto3,
PyAthena, SQLAlchemy, pyiceberg, and the sources as whole pipelines.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

import boto3
import pytest
from athena_service import REGION, AthenaService, Ran
from moto import mock_aws
from native_warehouse import NativeWarehouse

AT = datetime(2026, 3, 2, 4, tzinfo=timezone.utc)
WINDOW = {"start_time": "2026-03-01T00:00:00Z", "end_time": "2026-03-08T00:00:00Z"}

ORDERS = [("id", "bigint"), ("amount", "double"), ("User", "struct<Name:string,zip:char(5)>")]
ORDER_VIEW = "SELECT id, amount * 2 AS twice FROM sales.orders"
OBJECTS = {
    "sales/orders/dt=2026-03-01/part-0.csv": "id,amount\n1,2.5\n",
    "files/prices.csv": "sku,price\na,1.0\n",
    "v1.2/Events/day.csv": "id,at\n1,now\n",
    "daily/000.csv": "id,total\n1,2\n",
}
"""What lies in the bucket `lake`."""

ATHENA_RAN = (
    "INSERT INTO sales.daily SELECT id, amount AS total FROM sales.orders",
    "UNLOAD (SELECT id, total FROM sales.daily) TO 's3://lake/daily/' WITH (format = 'TEXTFILE')",
    'INSERT INTO sales.events SELECT id, sku AS at FROM sales.prices CROSS JOIN sales."odd-name"',
)


@dataclass
class NativeAccount(AthenaService):
    """Athena's part is told from moto's Glue; the Data API's from the warehouse."""

    warehouse: NativeWarehouse = field(default_factory=NativeWarehouse)
    results: dict[str, str] = field(default_factory=dict)

    def statement(self, text: str) -> Ran:
        """One more query of the history."""
        return Ran(len(self.ran), text, AT + timedelta(minutes=len(self.ran)))

    # ---- what DataHub's `athena` source asks ------------------------------------------------------------------------

    def _list_databases(self, params: Mapping[str, Any]) -> dict[str, Any]:
        return {"DatabaseList": [{"Name": one["Name"]} for one in _glue().get_databases()["DatabaseList"]]}

    def _list_table_metadata(self, params: Mapping[str, Any]) -> dict[str, Any]:
        listed = _glue().get_tables(DatabaseName=params["DatabaseName"])["TableList"]
        return {"TableMetadataList": [_metadata(table) for table in listed]}

    def _get_table_metadata(self, params: Mapping[str, Any]) -> dict[str, Any]:
        found = _glue().get_table(DatabaseName=params["DatabaseName"], Name=params["TableName"])["Table"]
        return {"TableMetadata": _metadata(found)}

    def _start_query_execution(self, params: Mapping[str, Any]) -> dict[str, Any]:
        shown = re.fullmatch(r'SHOW CREATE VIEW "(\w+)"\."(\w+)";?', params["QueryString"])
        assert shown is not None, params["QueryString"]
        text = _glue().get_table(DatabaseName=shown[1], Name=shown[2])["Table"]["ViewOriginalText"]
        definition = json.loads(base64.b64decode(text.removeprefix("/* Presto View: ").removesuffix(" */")))
        query_id = f"10000000-0000-4000-8000-{len(self.results):012d}"
        self.results[query_id] = f"CREATE VIEW {shown[1]}.{shown[2]} AS {definition['originalSql']}"
        return {"QueryExecutionId": query_id}

    def _get_query_execution(self, params: Mapping[str, Any]) -> dict[str, Any]:
        if params["QueryExecutionId"] not in self.results:
            return super()._get_query_execution(params)
        return {
            "QueryExecution": {
                "QueryExecutionId": params["QueryExecutionId"],
                "Query": "SHOW CREATE VIEW",
                "StatementType": "UTILITY",
                "Status": {"State": "SUCCEEDED"},
                "ResultConfiguration": {"OutputLocation": "s3://lake/results/x.txt"},
            }
        }

    def _get_query_results(self, params: Mapping[str, Any]) -> dict[str, Any]:
        if params["QueryExecutionId"] not in self.results:
            return super()._get_query_results(params)
        rows = [{"Data": [{"VarCharValue": line}]} for line in self.results[params["QueryExecutionId"]].splitlines()]
        names = {"Name": "createview", "Label": "createview", "Type": "string"}
        columns = [names | {"Precision": 0, "Scale": 0, "Nullable": "UNKNOWN", "CaseSensitive": False}]
        return {"ResultSet": {"Rows": rows, "ResultSetMetadata": {"ColumnInfo": columns}}, "UpdateCount": 0}

    # ---- what ours asks of the warehouse ----------------------------------------------------------------------------

    def _execute_statement(self, params: Mapping[str, Any]) -> dict[str, Any]:
        return self.warehouse.data_api.answer("ExecuteStatement", params)

    def _describe_statement(self, params: Mapping[str, Any]) -> dict[str, Any]:
        return self.warehouse.data_api.answer("DescribeStatement", params)

    def _get_statement_result(self, params: Mapping[str, Any]) -> dict[str, Any]:
        return self.warehouse.data_api.answer("GetStatementResult", params)


def _glue() -> Any:
    return boto3.client("glue", region_name=REGION)


def _metadata(table: Mapping[str, Any]) -> dict[str, Any]:
    """A table of GetTables as Athena's own API tells it."""
    storage = table.get("StorageDescriptor", {})
    described = {"location": storage["Location"]} if "Location" in storage else {}
    return {
        "Name": table["Name"],
        "CreateTime": AT.timestamp(),
        "TableType": table["TableType"],
        "Columns": storage.get("Columns", []),
        "PartitionKeys": table.get("PartitionKeys", []),
        "Parameters": {**table.get("Parameters", {}), **described},
    }


@contextmanager
def serving(monkeypatch: pytest.MonkeyPatch) -> Iterator[NativeAccount]:
    """The account, which AWS's clients of this process reach while the context lasts."""
    ran = [Ran(number, text, AT + timedelta(minutes=number)) for number, text in enumerate(ATHENA_RAN)]
    account = NativeAccount(ran=ran)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    with mock_aws(), account.serving() as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL_ATHENA", url)
        monkeypatch.setenv("AWS_ENDPOINT_URL_REDSHIFT_DATA", url)
        _fill_glue(_glue())
        _fill_s3(boto3.client("s3", region_name=REGION))
        yield account


def _fill_s3(s3: Any) -> None:
    s3.create_bucket(Bucket="lake", CreateBucketConfiguration={"LocationConstraint": REGION})
    for key, body in OBJECTS.items():
        s3.put_object(Bucket="lake", Key=key, Body=body.encode())


def _fill_glue(glue: Any) -> None:
    glue.create_database(DatabaseInput={"Name": "sales"})
    _table(glue, "orders", ORDERS, "s3://lake/sales/orders/", PartitionKeys=[{"Name": "dt", "Type": "date"}])
    _table(glue, "daily", [("id", "bigint"), ("total", "double")], "s3://lake/warehouse/daily")
    _table(glue, "prices", [("sku", "string"), ("price", "double")], "s3://lake/files/prices.csv")
    _table(glue, "events", [("id", "bigint"), ("at", "string")], "s3a://lake/v1.2/Events/")
    _table(glue, "odd-name", [("a b", "int")], "s3://lake/odd%20name//x/")
    iceberg = {"table_type": "ICEBERG", "metadata_location": "s3://lake/ice/metadata/1.json"}
    _table(glue, "ice", [("id", "bigint")], "s3://lake/ice", Parameters=iceberg)
    definition = {
        "originalSql": ORDER_VIEW,
        "catalog": "awsdatacatalog",
        "schema": "sales",
        "columns": [{"name": "id", "type": "bigint"}, {"name": "twice", "type": "double"}],
    }
    encoded = base64.b64encode(json.dumps(definition).encode()).decode()
    columns = [{"Name": "id", "Type": "bigint"}, {"Name": "twice", "Type": "double"}]
    made = {
        "Name": "v_orders",
        "TableType": "VIRTUAL_VIEW",
        "StorageDescriptor": {"Columns": columns},
        "ViewOriginalText": f"/* Presto View: {encoded} */",
        "ViewExpandedText": "/* Presto View */",
    }
    glue.create_table(DatabaseName="sales", TableInput=made)


def _table(glue: Any, name: str, columns: list[tuple[str, str]], location: str, **more: Any) -> None:
    storage = {"Columns": [{"Name": column, "Type": kind} for column, kind in columns], "Location": location}
    made = {"Name": name, "TableType": "EXTERNAL_TABLE", "StorageDescriptor": storage, **more}
    glue.create_table(DatabaseName="sales", TableInput=made)
