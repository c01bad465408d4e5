"""One Athena history, told in every way that AWS tells it, by a web server that speaks AWS's protocols.

Ours: the server and its account; requests and answers are checked against botocore's service models. Real: boto3 and
all that reads. It counts calls, and can refuse, throttle or hide.
"""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit
from xml.sax.saxutils import escape

import botocore.session
from botocore import xform_name
from botocore.validate import ParamValidator

ACCOUNT, REGION, BUCKET = "123456789012", "eu-central-1", "trails"
ROLE = f"arn:aws:sts::{ACCOUNT}:assumed-role/AWSReservedSSO_Analyst_0a1b/alice@example.com"
DBT = f"arn:aws:iam::{ACCOUNT}:user/dbt"

_LOADER = botocore.session.get_session()
_TARGETS = {"AmazonAthena": "athena", "AWSGlue": "glue", "CloudTrail_20131101": "cloudtrail"} | {
    "RedshiftData": "redshift-data"
}


@dataclass(frozen=True)
class Ran:
    """One query of the account."""

    number: int
    text: str
    at: datetime
    state: str = "SUCCEEDED"
    work_group: str = "primary"
    database: str = "sales"
    principal: str = ROLE
    invoked_by: str | None = None
    catalog: str = "AwsDataCatalog"

    @property
    def query_id(self) -> str:
        return f"00000000-0000-4000-8000-{self.number:012d}"

    def execution(self) -> dict[str, Any]:
        ended = self.at + timedelta(seconds=9)
        unfinished = self.state in {"QUEUED", "RUNNING"}
        return {
            "QueryExecutionId": self.query_id,
            "Query": self.text,
            "StatementType": "DML",
            "WorkGroup": self.work_group,
            "QueryExecutionContext": {"Catalog": self.catalog, "Database": self.database},
            "ResultConfiguration": {"OutputLocation": f"s3://results/{self.work_group}/{self.query_id}.csv"},
            "Statistics": {"DataScannedInBytes": 1000, "TotalExecutionTimeInMillis": 9000},
            "Status": {"State": self.state, "SubmissionDateTime": self.at.timestamp()}
            | ({} if unfinished else {"CompletionDateTime": ended.timestamp()}),
        }

    def row(self) -> dict[str, str | None]:
        """Of the system table, as GetQueryResults gives it."""
        return {
            "query_execution_id": self.query_id,
            "account_id": ACCOUNT,
            "work_group_name": self.work_group,
            "query_string": self.text,
            "execution_parameters": None,
            "principal_arn": self.principal,
            "catalog_name": self.catalog,
            "database_name": self.database,
            "state": self.state,
            "submission_date_time": f"{self.at:%Y-%m-%d %H:%M:%S.%f}"[:-3] + " UTC",
            "completion_date_time": f"{self.at + timedelta(seconds=9):%Y-%m-%d %H:%M:%S.%f}"[:-3] + " UTC",
            "data_scanned_in_bytes": "1000",
            "total_execution_time_in_millis": "9000",
            "output_location": f"s3://results/{self.work_group}/{self.query_id}.csv",
            "tables_accessed": "[{catalog_name=AwsDataCatalog}]",
        }

    def event(self) -> dict[str, Any]:
        """Of CloudTrail, which hides the text."""
        kind = "AssumedRole" if ":assumed-role/" in self.principal else "IAMUser"
        return {
            "eventVersion": "1.11",
            "userIdentity": {"type": kind, "arn": self.principal, "accountId": ACCOUNT}
            | ({"invokedBy": self.invoked_by} if self.invoked_by else {}),
            "eventTime": f"{self.at:%Y-%m-%dT%H:%M:%SZ}",
            "eventSource": "athena.amazonaws.com",
            "eventName": "StartQueryExecution",
            "awsRegion": REGION,
            "requestParameters": {
                "queryString": "***OMITTED***",
                "workGroup": self.work_group,
                "queryExecutionContext": {"database": self.database, "catalog": self.catalog},
            },
            "responseElements": {"queryExecutionId": self.query_id},
            "eventID": f"event-{self.number}",
            "recipientAccountId": ACCOUNT,
        }


class Refusal(Exception):  # noqa: N818  (an answer, not a defect)
    def __init__(self, code: str, message: str = "refused", status: int = 400) -> None:
        super().__init__(message)
        self.code, self.message, self.status = code, message, status


@dataclass
class AthenaService:
    """The account. `refused` maps `service:Operation`, or that with `/<work group>`, to an error code."""

    ran: list[Ran] = field(default_factory=list)
    tables: list[dict[str, Any]] = field(default_factory=list)
    prepared: dict[str, dict[str, tuple[str, datetime]]] = field(default_factory=dict)
    named: list[dict[str, Any]] = field(default_factory=list)
    catalogs: list[dict[str, Any]] = field(default_factory=list)
    kept: Callable[[Ran], bool] = lambda _: True
    refused: dict[str, str] = field(default_factory=dict)
    calls: Counter[str] = field(default_factory=Counter)
    system_query: str = ""
    _lock: Lock = field(default_factory=Lock)

    @property
    def work_groups(self) -> list[str]:
        return sorted({"primary", *(one.work_group for one in self.ran)})

    def answer(self, service: str, operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
        with self._lock:
            self.calls[operation] += 1
        scope = f"{service}:{operation}"
        for key in (scope, f"{scope}/{params.get('WorkGroup')}"):
            if key in self.refused:
                raise Refusal(self.refused[key], f"User is not authorized to perform: {scope}")
        answer: dict[str, Any] = getattr(self, f"_{xform_name(operation)}")(params)
        return answer

    # ---- the API ----------------------------------------------------------------------------------------------------

    def _list_work_groups(self, params: Mapping[str, Any]) -> dict[str, Any]:
        return {"WorkGroups": [{"Name": name, "State": "ENABLED"} for name in self.work_groups]}

    def _list_query_executions(self, params: Mapping[str, Any]) -> dict[str, Any]:
        mine = [one for one in self.ran if one.work_group == params["WorkGroup"] and self.kept(one)]
        newest_first = sorted(mine, key=lambda one: one.at, reverse=True)
        page, following = _page([one.query_id for one in newest_first], params)
        return {"QueryExecutionIds": page} | following

    def _batch_get_query_execution(self, params: Mapping[str, Any]) -> dict[str, Any]:
        known = {one.query_id: one for one in self.ran if self.kept(one)}
        ids = params["QueryExecutionIds"]
        gone = [
            {"QueryExecutionId": one, "ErrorMessage": "QueryExecution was not found"} for one in ids if one not in known
        ]
        return {
            "QueryExecutions": [known[one].execution() for one in ids if one in known],
            "UnprocessedQueryExecutionIds": gone,
        }

    def _list_prepared_statements(self, params: Mapping[str, Any]) -> dict[str, Any]:
        saved = self.prepared.get(params["WorkGroup"], {})
        rows = [{"StatementName": name, "LastModifiedTime": at.timestamp()} for name, (_, at) in saved.items()]
        return {"PreparedStatements": rows}

    def _get_prepared_statement(self, params: Mapping[str, Any]) -> dict[str, Any]:
        text, at = self.prepared[params["WorkGroup"]][params["StatementName"]]
        names = {"StatementName": params["StatementName"], "WorkGroupName": params["WorkGroup"]}
        return {"PreparedStatement": names | {"QueryStatement": text, "LastModifiedTime": at.timestamp()}}

    def _list_named_queries(self, params: Mapping[str, Any]) -> dict[str, Any]:
        return {"NamedQueryIds": [one["NamedQueryId"] for one in self.named if one["WorkGroup"] == params["WorkGroup"]]}

    def _batch_get_named_query(self, params: Mapping[str, Any]) -> dict[str, Any]:
        return {"NamedQueries": [one for one in self.named if one["NamedQueryId"] in params["NamedQueryIds"]]}

    def _list_data_catalogs(self, params: Mapping[str, Any]) -> dict[str, Any]:
        own = {"CatalogName": "AwsDataCatalog", "Type": "GLUE"}
        further = [{"CatalogName": one["Name"], "Type": one["Type"]} for one in self.catalogs]
        return {"DataCatalogsSummary": [own, *further]}

    def _get_data_catalog(self, params: Mapping[str, Any]) -> dict[str, Any]:
        (found,) = (one for one in self.catalogs if one["Name"] == params["Name"])
        return {"DataCatalog": found}

    # ---- the system table -------------------------------------------------------------------------------------------

    def _start_query_execution(self, params: Mapping[str, Any]) -> dict[str, Any]:
        self.system_query = params["QueryString"]
        return {"QueryExecutionId": "system-table"}

    def _get_query_execution(self, params: Mapping[str, Any]) -> dict[str, Any]:
        if params["QueryExecutionId"] == "system-table":
            polls = self.calls["GetQueryExecution"]
            return {"QueryExecution": {"Status": {"State": "RUNNING" if polls < 2 else "SUCCEEDED"}}}
        (found,) = self._batch_get_query_execution({"QueryExecutionIds": [params["QueryExecutionId"]]})[
            "QueryExecutions"
        ]
        return {"QueryExecution": found}

    def _stop_query_execution(self, params: Mapping[str, Any]) -> dict[str, Any]:
        return {}

    def _get_query_results(self, params: Mapping[str, Any]) -> dict[str, Any]:
        rows = [one.row() for one in self.ran if one.state not in {"QUEUED", "RUNNING"}]
        names = list(rows[0]) if rows else ["query_execution_id"]
        lines = [names, *([row[name] for name in names] for row in rows)]
        page, following = _page(lines, params)
        data = [{"Data": [{"VarCharValue": value} if value is not None else {} for value in line]} for line in page]
        return {"ResultSet": {"Rows": data}} | following

    # ---- the neighbours ---------------------------------------------------------------------------------------------

    def _lookup_events(self, params: Mapping[str, Any]) -> dict[str, Any]:
        newest_first = sorted(self.ran, key=lambda one: one.at, reverse=True)
        page, following = _page(newest_first, params)
        events = [
            {
                "EventId": f"event-{one.number}",
                "EventName": "StartQueryExecution",
                "EventTime": one.at.timestamp(),
                "CloudTrailEvent": json.dumps(one.event()),
            }
            for one in page
        ]
        return {"Events": events} | following

    def _get_databases(self, params: Mapping[str, Any]) -> dict[str, Any]:
        return {"DatabaseList": [{"Name": "sales", "CatalogId": ACCOUNT}]}

    def _get_tables(self, params: Mapping[str, Any]) -> dict[str, Any]:
        return {"TableList": self.tables}

    def trail_files(self) -> dict[str, bytes]:
        """Keys and contents: a file a day."""
        days: dict[str, list[dict[str, Any]]] = {}
        for one in self.ran:
            days.setdefault(f"{one.at:%Y/%m/%d}", []).append(one.event())
        folder, name = f"AWSLogs/{ACCOUNT}/CloudTrail/{REGION}", f"{ACCOUNT}_CloudTrail_{REGION}"
        return {
            f"{folder}/{day}/{name}_{day.replace('/', '')}T2355Z_aBcDeFgH12345678.json.gz": gzip.compress(
                json.dumps({"Records": events}).encode()
            )
            for day, events in days.items()
        }

    def saved(self) -> str:
        """What `aws athena batch-get-query-execution` prints, page by page."""
        pages = []
        for start in range(0, len(self.ran), 50):
            executions = [one.execution() for one in self.ran[start : start + 50]]
            for execution in executions:
                status = execution["Status"]
                for member in ("SubmissionDateTime", "CompletionDateTime"):
                    if member in status:
                        status[member] = datetime.fromtimestamp(status[member], timezone.utc).isoformat()
            pages.append(json.dumps({"QueryExecutions": executions, "UnprocessedQueryExecutionIds": []}, indent=4))
        return "\n".join(pages)

    @contextmanager
    def serving(self) -> Iterator[str]:
        """The URL of a server of this account."""
        handler = type("Handler", (_Handler,), {"account": self})
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        thread = Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


def _page(items: list[Any], params: Mapping[str, Any]) -> tuple[list[Any], dict[str, str]]:
    start, size = int(params.get("NextToken", 0)), params.get("MaxResults", 50)
    rest = items[start + size :]
    return items[start : start + size], {"NextToken": str(start + size)} if rest else {}


class _Handler(BaseHTTPRequestHandler):
    account: AthenaService

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        target = self.headers.get("x-amz-target")
        if target is None:
            self._send(200, _IDENTITY.encode(), "text/xml")
            return
        prefix, _, operation = target.rpartition(".")
        service = _TARGETS[prefix.rpartition(".")[2]]
        model = _LOADER.get_service_model(service).operation_model(operation)
        params = json.loads(body)
        try:
            _check(params, model.input_shape, f"request of {operation}")
            answer = self.account.answer(service, operation, params)
        except Refusal as e:
            fault = {"__type": e.code, "Message": e.message}
            self._send(e.status, json.dumps(fault).encode(), "application/x-amz-json-1.1")
        else:
            _check(answer, model.output_shape, f"answer of {operation}")
            self._send(200, json.dumps(answer).encode(), "application/x-amz-json-1.1")

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        files = self.account.trail_files()
        if "list-type" in query:
            self.account.calls["ListObjectsV2"] += 1
            self._send(200, _listing(files, query.get("prefix", ""), query.get("delimiter")).encode(), "text/xml")
            return
        self.account.calls["GetObject"] += 1
        self._send(200, files[url.path.removeprefix(f"/{BUCKET}/")], "application/octet-stream")

    def _send(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


def _check(value: Any, shape: Any, what: str) -> None:
    report = ParamValidator().validate(_timed(value), shape)
    if report.has_errors():
        raise AssertionError(f"{what}: {report.generate_report()}")


def _timed(value: Any) -> Any:
    """Times go over the wire as numbers, and are checked as times."""
    match value:
        case dict():
            return {
                key: datetime.fromtimestamp(one, timezone.utc)
                if key.endswith("Time") and isinstance(one, (int, float))
                else _timed(one)
                for key, one in value.items()
            }
        case list():
            return [_timed(one) for one in value]
        case _:
            return value


def _listing(files: Mapping[str, bytes], prefix: str, delimiter: str | None) -> str:
    keys = [key for key in sorted(files) if key.startswith(prefix)]
    folders: dict[str, None] = {}
    if delimiter:
        for key in keys:
            name, slash, _ = key[len(prefix) :].partition(delimiter)
            if slash:
                folders[f"{prefix}{name}/"] = None
        keys = [key for key in keys if delimiter not in key[len(prefix) :]]
    contents = "".join(f"<Contents><Key>{escape(key)}</Key><Size>{len(files[key])}</Size></Contents>" for key in keys)
    common = "".join(f"<CommonPrefixes><Prefix>{escape(one)}</Prefix></CommonPrefixes>" for one in folders)
    space = "http://s3.amazonaws.com/doc/2006-03-01/"
    return f'<ListBucketResult xmlns="{space}"><IsTruncated>false</IsTruncated>{contents}{common}</ListBucketResult>'


_IDENTITY = (
    '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>'
    f"<Arn>arn:aws:iam::{ACCOUNT}:user/datahub</Arn><UserId>AIDA</UserId><Account>{ACCOUNT}</Account>"
    "</GetCallerIdentityResult></GetCallerIdentityResponse>"
)
