"""A small account, recorded by hand: two Glue tables with a view on one, what ran on Athena, and a Redshift log.

Ours: the answers, in the form of AWS's service models. Real: botocore, which parses them, and all that reads them.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from datahub.ingestion.run.pipeline import Pipeline

from datahub_aws_lineage.report import AwsLineageReport
from datahub_aws_lineage.snapshot import RecordingWriter

ACCOUNT, REGION = "123456789012", "eu-central-1"
START = datetime(2026, 3, 1, tzinfo=timezone.utc)
WINDOW = {"start_time": "2026-03-01T00:00:00Z", "end_time": "2026-03-08T00:00:00Z"}

INSERT_DAILY = "INSERT INTO sales.daily SELECT day, sum(amount) FROM sales.orders WHERE status <> 'void' GROUP BY day"
UNLOAD_DAILY = "UNLOAD (SELECT day, total FROM sales.daily) TO 's3://exchange/daily/' WITH (format = 'PARQUET')"
BROKEN = "INSERT INTO sales.daily SELEKT day FROM"

REDSHIFT_LOG = """\
query_id,query_text,start_time,database_name,user_name,session_id,status
1,"CREATE TEMP TABLE stg AS SELECT * FROM public.landing",2026-03-02 04:00:00,dev,etl,77,success
2,"INSERT INTO public.report SELECT id, net FROM stg",2026-03-02 04:01:00,dev,etl,77,success
3,"INSERT INTO public.report SELECT id, net FROM public.mistake",2026-03-02 05:00:00,dev,alice,78,success
"""


def table(name: str, columns: Mapping[str, str], **more: Any) -> dict[str, Any]:
    return {
        "Name": name,
        "DatabaseName": "sales",
        "CatalogId": ACCOUNT,
        "TableType": "EXTERNAL_TABLE",
        "CreateTime": START.timestamp(),
        "Parameters": {},
        "PartitionKeys": [],
        "StorageDescriptor": {
            "Columns": [{"Name": column, "Type": kind} for column, kind in columns.items()],
            "Location": f"s3://lake/{name}/",
        },
        **more,
    }


def view(name: str, sql: str, columns: Mapping[str, str]) -> dict[str, Any]:
    definition = {
        "originalSql": sql,
        "catalog": "awsdatacatalog",
        "schema": "sales",
        "columns": [{"name": column, "type": kind} for column, kind in columns.items()],
    }
    text = f"/* Presto View: {base64.b64encode(json.dumps(definition).encode()).decode()} */"
    made = table(name, columns, TableType="VIRTUAL_VIEW", ViewOriginalText=text, ViewExpandedText="/* Presto View */")
    made["StorageDescriptor"].pop("Location")
    return made


ORDERS = table(
    "orders",
    {"id": "bigint", "amount": "double", "status": "string"},
    PartitionKeys=[{"Name": "day", "Type": "date"}],
)
DAILY = table("daily", {"day": "date", "total": "double"})
V_DAILY = view("v_daily", "SELECT day, total * 2 AS twice FROM sales.daily", {"day": "date", "twice": "double"})

Answer = tuple[str, str, dict[str, Any], dict[str, Any], int]
"""Service, operation, request, body and status of one exchange."""

DENIED = {"__type": "AccessDeniedException", "Message": "User is not authorized to perform: x on resource: y"}


@dataclass
class SmallAccount:
    """What is recorded. Tests change the parts before `record`."""

    folder: Path
    tables: list[dict[str, Any]] = field(default_factory=lambda: [ORDERS, DAILY, V_DAILY])
    statements: list[str] = field(default_factory=lambda: [INSERT_DAILY, BROKEN, UNLOAD_DAILY])
    denied: set[str] = field(default_factory=set)

    def answers(self) -> Iterator[Answer]:
        databases = [{"Name": "sales", "CatalogId": ACCOUNT, "CreateTime": START.timestamp()}]
        yield "glue", "GetDatabases", {}, {"DatabaseList": databases}, 200
        yield "glue", "GetTables", {"DatabaseName": "sales"}, {"TableList": self.tables}, 200
        yield "athena", "ListWorkGroups", {}, {"WorkGroups": [{"Name": "primary", "State": "ENABLED"}]}, 200
        executions = [self._execution(number, sql) for number, sql in enumerate(self.statements)]
        ids = [execution["QueryExecutionId"] for execution in executions]
        yield "athena", "ListQueryExecutions", {"WorkGroup": "primary"}, {"QueryExecutionIds": ids}, 200
        found = {"QueryExecutions": executions, "UnprocessedQueryExecutionIds": []}
        yield "athena", "BatchGetQueryExecution", {"QueryExecutionIds": ids}, found, 200

    def record(self) -> Path:
        with RecordingWriter(self.folder, region=REGION, account_id=ACCOUNT) as recording:
            for service, operation, request, body, status in self.answers():
                refused = f"{service}:{operation}" in self.denied
                answer, code = (DENIED, 400) if refused else (body, status)
                recording.add(service, operation, request, answer, status=code)
        return self.folder

    def _execution(self, number: int, sql: str) -> dict[str, Any]:
        submitted = START + timedelta(days=1, minutes=number)
        return {
            "QueryExecutionId": f"query-{number}",
            "Query": sql,
            "StatementType": "DML",
            "WorkGroup": "primary",
            "QueryExecutionContext": {"Catalog": "awsdatacatalog", "Database": "sales"},
            "Status": {
                "State": "SUCCEEDED",
                "SubmissionDateTime": submitted.timestamp(),
                "CompletionDateTime": (submitted + timedelta(seconds=9)).timestamp(),
            },
        }


@dataclass
class Ingested:
    """What a run of the real pipeline gave: the file sink's proposals, and the source's report."""

    proposals: list[dict[str, Any]]
    report: AwsLineageReport

    def aspects(self, name: str) -> dict[str, Any]:
        """The `name` aspect of each entity (a patch: its operations), by URN."""
        return {one["entityUrn"]: one["aspect"]["json"] for one in self.proposals if one["aspectName"] == name}

    def upstreams(self) -> dict[str, set[str]]:
        """Short names of the datasets that feed each dataset. For whole aspects, not patches."""
        return {
            short(urn): {short(upstream["dataset"]) for upstream in aspect["upstreams"]}
            for urn, aspect in self.aspects("upstreamLineage").items()
        }


def short(urn: str) -> str:
    """`urn:li:dataset:(urn:li:dataPlatform:glue,sales.orders,PROD)` as `glue sales.orders`."""
    return urn.removeprefix("urn:li:dataset:(urn:li:dataPlatform:").rpartition(",")[0].replace(",", " ")


def ingest(output: Path, recipe: Mapping[str, Any]) -> Ingested:
    """Runs `datahub ingest` in this process, with whole aspects unless the recipe says otherwise."""
    config = {"incremental_lineage": False, **WINDOW, **recipe}
    pipeline = Pipeline.create(
        {
            "run_id": "small-account",
            "source": {"type": "aws-lineage", "config": config},
            "sink": {"type": "file", "config": {"filename": str(output)}},
        },
        report_to=None,
    )
    pipeline.run()
    report = pipeline.source.get_report()
    assert isinstance(report, AwsLineageReport)
    return Ingested(json.loads(output.read_text(encoding="utf-8")), report)


@pytest.fixture
def account(tmp_path: Path) -> SmallAccount:
    return SmallAccount(tmp_path / "account")
