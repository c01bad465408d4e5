"""Amazon Athena: work groups and the history of their queries."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from answers.company import Account
from answers.history import Execution, read_history
from answers.wire import page_of

_ENGINE = "Athena engine version 3"
_LEADING_COMMENT = re.compile(r"\s*(?:--[^\n]*\n|/\*.*?\*/)", re.DOTALL)
_DDL = {"CREATE", "ALTER", "DROP", "MSCK"}
_UTILITY = {"SHOW", "DESCRIBE", "EXPLAIN"}


class Athena:
    def __init__(self, account: Account) -> None:
        self._work_groups = account.source["work_groups"]
        self._connectors: list[str] = account.source["connectors"]
        self._executions: dict[str, list[dict[str, Any]]] = {}
        self.principals: dict[str, str] = {}
        """Role and session that started each query, by its id."""
        for name in self._work_groups:
            path = account.folder / "athena" / f"{name}.sql"
            newest_first = reversed(read_history(path)) if path.exists() else ()
            self._executions[name] = []
            for execution in newest_first:
                found = _execution(execution, name)
                self._executions[name].append(found)
                self.principals[found["QueryExecutionId"]] = execution.options["principal"]
        self._by_id = {found["QueryExecutionId"]: found for group in self._executions.values() for found in group}

    def answer(self, operation: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        match operation:
            case "ListWorkGroups":
                size = params.get("MaxResults", 50)
                page, following = page_of(self._summaries(), size, params.get("NextToken"))
                return {"WorkGroups": page} | following
            case "ListQueryExecutions":
                ids = [found["QueryExecutionId"] for found in self._executions[params["WorkGroup"]]]
                page, following = page_of(ids, params.get("MaxResults", 50), params.get("NextToken"))
                return {"QueryExecutionIds": page} | following
            case "BatchGetQueryExecution":
                found = [self._by_id[key] for key in params["QueryExecutionIds"]]
                return {"QueryExecutions": found, "UnprocessedQueryExecutionIds": []}
            case "ListPreparedStatements":
                return {"PreparedStatements": []}
            case "ListDataCatalogs":
                lambdas = [{"CatalogName": name, "Type": "LAMBDA"} for name in self._connectors]
                return {"DataCatalogsSummary": [{"CatalogName": "AwsDataCatalog", "Type": "GLUE"}, *lambdas]}
            case _:
                raise LookupError(f"{operation} is not among the calls of the readers")

    @property
    def started(self) -> Iterator[dict[str, Any]]:
        yield from self._by_id.values()

    def _summaries(self) -> list[dict[str, Any]]:
        return [
            {
                "Name": name,
                "State": "ENABLED",
                "Description": group["description"],
                "EngineVersion": {
                    "SelectedEngineVersion": "AUTO",
                    "EffectiveEngineVersion": group.get("engine", _ENGINE),
                },
            }
            for name, group in self._work_groups.items()
        ]


def _execution(execution: Execution, work_group: str) -> dict[str, Any]:
    key = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{work_group} {execution.started_at.isoformat()} {execution.text}"))
    kind, subkind = _statement_types(execution.text)
    scanned = int(execution.options.get("scanned", "0MB").removesuffix("MB")) * 1_000_000
    return {
        "QueryExecutionId": key,
        "Query": execution.text,
        "StatementType": kind,
        "SubstatementType": subkind,
        "ResultConfiguration": {"OutputLocation": f"s3://ringelrad-athena-results/{work_group}/{key}.csv"},
        "QueryExecutionContext": {"Database": execution.options["database"], "Catalog": "AwsDataCatalog"},
        "Status": _status(execution),
        "Statistics": {
            "DataScannedInBytes": scanned,
            "EngineExecutionTimeInMillis": execution.seconds * 1000 - 180,
            "QueryQueueTimeInMillis": 120,
            "ServiceProcessingTimeInMillis": 60,
            "TotalExecutionTimeInMillis": execution.seconds * 1000,
        },
        "WorkGroup": work_group,
        "EngineVersion": {"SelectedEngineVersion": "AUTO", "EffectiveEngineVersion": _ENGINE},
    }


def _status(execution: Execution) -> dict[str, Any]:
    status: dict[str, Any] = {
        "State": execution.options["state"],
        "SubmissionDateTime": execution.started_at.timestamp(),
        "CompletionDateTime": execution.ended_at.timestamp(),
    }
    error = execution.options.get("error")
    if error:
        status["StateChangeReason"] = error
        status["AthenaError"] = {"ErrorCategory": 2, "ErrorType": 1003, "Retryable": False, "ErrorMessage": error}
    return status


def _statement_types(text: str) -> tuple[str, str]:
    while comment := _LEADING_COMMENT.match(text):
        text = text[comment.end() :]
    words = text.upper().split()
    if words[0] in _UTILITY:
        return "UTILITY", words[0]
    if words[0] in _DDL:
        as_select = words[:2] == ["CREATE", "TABLE"]
        return "DDL", "CREATE_TABLE_AS_SELECT" if as_select else "_".join(words[:2])
    return "DML", "SELECT" if words[0] in {"WITH", "USING"} else words[0]
