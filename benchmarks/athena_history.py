"""`python -m benchmarks.athena_history`: a long history of Athena, through its API to the last proposal.

Everything runs but the network: the API's answers are made in this process as its client asks, page by page. Usage and
operations are counted, as a recipe does by default. Statements are distinct templates, each run 50 times.
"""

from __future__ import annotations

import argparse
import io
import json
import resource
import sys
from collections.abc import Iterator, Mapping
from datetime import timedelta
from threading import local
from time import process_time
from typing import Any

import boto3
from botocore.awsrequest import AWSResponse
from botocore.session import Session
from datahub.ingestion.api.common import PipelineContext

from benchmarks.workload import FIRST, Workload
from datahub_aws_lineage.aws.clients import Clients
from datahub_aws_lineage.config import AwsLineageConfig
from datahub_aws_lineage.emit.work_units import browse_paths
from datahub_aws_lineage.model.catalog import Table
from datahub_aws_lineage.run import Run
from datahub_aws_lineage.sites import Site
from datahub_aws_lineage.source import AwsLineageSource

WORK_GROUPS = 5
_PAGE = 50


class Account:
    """The answers of an account; a query's number, counted from the oldest, is its id."""

    def __init__(self, workload: Workload) -> None:
        self._workload = workload
        self._tables: dict[str, list[Table]] = {}
        for table in workload.catalog():
            self._tables.setdefault(table.name.database, []).append(table)
        self._thread = local()

    def session(self) -> boto3.Session:
        session = Session()
        session.set_credentials("none", "none")
        events = session.get_component("event_emitter")
        events.register_first("provide-client-params", self._on_params)
        events.register_first("before-send", self._on_send)
        return boto3.Session(botocore_session=session, region_name="eu-central-1")

    def _on_params(self, *, params: Mapping[str, Any], model: Any, **_: Any) -> None:
        self._thread.call = model.name, params

    def _on_send(self, *, request: Any, **_: Any) -> AWSResponse:
        operation, params = self._thread.call
        content = json.dumps(self._answer(operation, params)).encode()
        headers: Any = {"content-length": str(len(content))}
        return AWSResponse(request.url, 200, headers, _Stream(content))

    def _answer(self, operation: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        match operation:
            case "GetDatabases":
                return {"DatabaseList": [{"Name": name, "CatalogId": "123456789012"} for name in self._tables]}
            case "GetTables":
                return {"TableList": [_glue(table) for table in self._tables[params["DatabaseName"]]]}
            case "ListWorkGroups":
                return {"WorkGroups": [{"Name": str(number)} for number in range(WORK_GROUPS)]}
            case "ListQueryExecutions":
                start = int(params.get("NextToken") or len(self._workload) - 1 - int(params["WorkGroup"]))
                numbers = range(start, -1, -WORK_GROUPS)
                following = {"NextToken": str(numbers[_PAGE])} if len(numbers) > _PAGE else {}
                return {"QueryExecutionIds": [str(number) for number in numbers[:_PAGE]]} | following
            case "BatchGetQueryExecution":
                return {"QueryExecutions": [self._execution(int(number)) for number in params["QueryExecutionIds"]]}
            case _:
                raise LookupError(operation)

    def _execution(self, number: int) -> dict[str, Any]:
        record = self._workload.record(number)
        return {
            "QueryExecutionId": str(number),
            "Query": record.text,
            "QueryExecutionContext": {"Database": record.context.default_database},
            "Status": {"State": "SUCCEEDED", "SubmissionDateTime": record.started_at.timestamp()},
            "WorkGroup": str((len(self._workload) - 1 - number) % WORK_GROUPS),
            "Statistics": {"DataScannedInBytes": 1_000_000, "TotalExecutionTimeInMillis": 1_000},
        }


class _Stream(io.BytesIO):
    """A body in the form that botocore reads."""

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.read()


def _glue(table: Table) -> dict[str, Any]:
    columns = [{"Name": column.name, "Type": column.type} for column in table.columns or ()]
    location = f"s3://lake/{table.name.database}/{table.name.table}/"
    return {
        "Name": table.name.table,
        "DatabaseName": table.name.database,
        "CatalogId": "123456789012",
        "TableType": "EXTERNAL_TABLE",
        "StorageDescriptor": {"Columns": columns, "Location": location},
    }


def main() -> None:
    arguments = _arguments()
    size: int = arguments.statements
    workload = Workload("athena", templates=max(1, size // 50), repeats=50, tables=max(100, size // 100))
    window = {"start_time": FIRST.isoformat(), "end_time": (FIRST + timedelta(seconds=size)).isoformat()}
    config = AwsLineageConfig.model_validate(window)
    source = AwsLineageSource(config, PipelineContext(run_id="benchmark"))
    with_paths = browse_paths(source.report, source.ctx)
    session = Account(workload).session()
    site = Site(None, config, Clients(session), lambda: session)
    start = process_time()
    run = Run(config, source.report, [site], with_paths, None, source.checkpoints, source.memories)
    proposals = sum(1 for _ in run.work_units())
    for problem in (*source.report.failures, *source.report.warnings):
        print(problem, file=sys.stderr)
    seen = source.report.seen["athena queries"]
    print(
        f"{seen:,} queries, {proposals:,} proposals, {process_time() - start:,.0f} CPU seconds, {_peak():,} MiB at most"
    )


def _peak() -> int:
    """The most memory that this process has had, in MiB (`ru_maxrss` is in KiB on Linux, in bytes on macOS)."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most // (1024 * 1024 if sys.platform == "darwin" else 1024)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.athena_history", description=__doc__)
    parser.add_argument("--statements", type=int, default=100_000, help="how long the history is (default 100,000)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
