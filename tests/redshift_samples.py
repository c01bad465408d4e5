"""A warehouse behind the Redshift Data API for tests, and diagnostics that can be looked at.

The warehouse answers at botocore's wire level: requests are serialised and answers parsed by botocore itself, and every
answer is checked against botocore's model of the service before it is given.
"""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, TypeAlias

import boto3
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.validate import validate_parameters

from datahub_aws_lineage.aws.clients import Clients
from datahub_aws_lineage.aws.redshift_data import RedshiftDataApi, WorkGroup
from datahub_aws_lineage.model.ports import SkipReason

Row: TypeAlias = Mapping[str, Any]


@dataclass
class Fails:
    """The statement ends as FAILED with this message."""

    message: str


Answer: TypeAlias = Sequence[Row] | Fails
Answerer: TypeAlias = Answer | Callable[[Mapping[str, str]], Answer]


def utc(*parts: int) -> datetime:
    year, month, day, *clock = parts
    return datetime(year, month, day, *clock, tzinfo=timezone.utc)  # type: ignore[misc, arg-type]


def test_session() -> boto3.Session:
    return boto3.Session(aws_access_key_id="testing", aws_secret_access_key="testing", region_name="eu-central-1")


test_session.__test__ = False  # type: ignore[attr-defined]


@dataclass
class Notes:
    """Diagnostics that keep all they are told."""

    counts: Counter[str] = field(default_factory=Counter)
    skips: list[tuple[str, str, str]] = field(default_factory=list)
    cuts: list[tuple[str, str]] = field(default_factory=list)
    warnings: list[tuple[str, str]] = field(default_factory=list)
    failures: list[tuple[str, str]] = field(default_factory=list)

    def seen(self, what: str, count: int = 1) -> None:
        self.counts[what] += count

    def skipped(self, reason: SkipReason, what: str, detail: str) -> None:
        self.skips.append((reason, what, detail))

    def unresolved(self, reason: str, detail: str) -> None:
        raise AssertionError(f"no reader resolves anything: {reason}, {detail}")

    def truncated(self, what: str, detail: str) -> None:
        self.cuts.append((what, detail))

    def warning(self, title: str, detail: str) -> None:
        self.warnings.append((title, detail))

    def failure(self, title: str, detail: str) -> None:
        self.failures.append((title, detail))

    @property
    def reasons(self) -> Counter[str]:
        return Counter(reason for reason, _, _ in self.skips)

    @property
    def untroubled(self) -> bool:
        return not (self.skips or self.cuts or self.warnings or self.failures)


@dataclass
class Warehouse:
    """Answers each SQL text as `answers` say; one that is not among them has no rows. `asked` keeps the questions."""

    answers: dict[str, Answerer]
    rows_a_page: int = 2
    asked: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    _results: dict[str, Answer] = field(default_factory=dict)

    def api(self) -> RedshiftDataApi:
        return RedshiftDataApi(self.clients(), WorkGroup("analytics"), sleep=lambda _: None)

    def clients(self) -> Clients:
        clients = Clients(test_session())
        client = clients.client("redshift-data")
        send: Any = self._send
        client.meta.events.register("before-send.redshift-data", send)
        self._model = client.meta.service_model
        return clients

    def times_asked(self, sql: str) -> int:
        return sum(1 for text, _, _ in self.asked if text == sql)

    def answer(self, operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """What one operation of the Data API gives."""
        answer: dict[str, Any] = getattr(self, f"_on_{operation}")(request)
        return answer

    def _send(self, request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        target, body = request.headers["X-Amz-Target"], request.body
        operation = (target.decode() if isinstance(target, bytes) else target).rpartition(".")[2]
        assert isinstance(body, bytes)
        answer = self.answer(operation, json.loads(body))
        shape = self._model.operation_model(operation).output_shape
        assert shape is not None
        validate_parameters(answer, shape)
        return AWSResponse(str(request.url), 200, HTTPHeaders(), _Raw(json.dumps(answer).encode()))

    def _on_ExecuteStatement(self, request: Mapping[str, Any]) -> dict[str, Any]:  # noqa: N802
        parameters = {item["name"]: item["value"] for item in request.get("Parameters", ())}
        self.asked.append((request["Sql"], request["Database"], parameters))
        statement_id = f"{len(self.asked):08d}-0000-0000-0000-000000000000"
        answer = self.answers.get(request["Sql"], ())
        self._results[statement_id] = answer(parameters) if callable(answer) else answer
        return {"Id": statement_id}

    def _on_DescribeStatement(self, request: Mapping[str, Any]) -> dict[str, Any]:  # noqa: N802
        result = self._results[request["Id"]]
        if isinstance(result, Fails):
            return {"Id": request["Id"], "Status": "FAILED", "Error": result.message}
        return {"Id": request["Id"], "Status": "FINISHED", "HasResultSet": True}

    def _on_GetStatementResult(self, request: Mapping[str, Any]) -> dict[str, Any]:  # noqa: N802
        rows = self._results[request["Id"]]
        assert not isinstance(rows, Fails)
        start = int(request.get("NextToken", 0))
        page = rows[start : start + self.rows_a_page]
        more = {"NextToken": str(start + len(page))} if start + len(page) < len(rows) else {}
        columns = [{"name": name, "label": name} for name in (rows[0] if rows else {})]
        return {
            "Records": [[_field(value) for value in row.values()] for row in page],
            "ColumnMetadata": columns,
        } | more


class _Raw(io.BytesIO):
    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.read()


def _field(value: Any) -> dict[str, Any]:
    match value:
        case None:
            return {"isNull": True}
        case bool():
            return {"booleanValue": value}
        case int():
            return {"longValue": value}
        case float():
            return {"doubleValue": value}
        case datetime():
            return {"stringValue": f"{value:%Y-%m-%d %H:%M:%S.%f}"}
        case _:
            return {"stringValue": str(value)}
