"""The engine's stable JSON form: one line in, one line out."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, get_args

from datahub_aws_lineage.model.catalog import Column
from datahub_aws_lineage.model.lineage import NoLineage, Statement, StatementLineage, Unresolved, Upstream
from datahub_aws_lineage.model.names import DATA_CATALOG, Dialect, StatementTable, TableName
from datahub_aws_lineage.model.queries import SqlContext
from datahub_aws_lineage.sql.scripts import analyze

TableMap = Mapping[str, Iterable[tuple[str, str]]]


class GivenSchemas:
    """Known schemas from a JSON map: `{"catalog.db.table": [[column, type], …]}`."""

    def __init__(self, *maps: TableMap) -> None:
        self._tables = {
            name.lower(): tuple(Column(str(column).lower(), str(kind)) for column, kind in columns)
            for tables in maps
            for name, columns in tables.items()
        }

    def columns(self, table: StatementTable) -> tuple[Column, ...] | None:
        return self._tables.get(str(table)) if isinstance(table, TableName) else None


def explain_line(line: str, tables: TableMap) -> dict[str, Any]:
    """The answer to one line. A line that cannot be read is answered with `error` and no statements."""
    try:
        case = json.loads(line)
    except ValueError as e:
        return {"id": None, "error": f"not JSON: {e}", "statements": []}
    if not isinstance(case, dict):
        return {"id": None, "error": "a JSON object is expected", "statements": []}
    try:
        context = context_of(case)
        schemas = GivenSchemas(tables, case.get("tables") or {})
        sql = case["sql"]
        if not isinstance(sql, str):
            raise TypeError("`sql` is not a string")
    except (KeyError, TypeError, ValueError, AttributeError) as e:
        message = f"the key {e} is missing" if isinstance(e, KeyError) else str(e)
        return {"id": case.get("id"), "error": message, "statements": []}
    return {"id": case.get("id"), "statements": [as_json(s) for s in analyze(sql, context, schemas)]}


def context_of(case: Mapping[str, Any]) -> SqlContext:
    """Raises ValueError for a dialect that is not known, KeyError where none is given."""
    dialect: Dialect = case["dialect"]
    if dialect not in get_args(Dialect):
        raise ValueError(f"`dialect` is {dialect!r}; it must be one of {', '.join(get_args(Dialect))}")
    if dialect == "athena":
        catalog = (case.get("default_catalog") or DATA_CATALOG).lower()
        return SqlContext(dialect, catalog, (case.get("default_database") or "default").lower())
    schema = (case.get("default_schema") or "public").lower()
    return SqlContext(dialect, (case.get("default_database") or "dev").lower(), schema, (schema,))


def as_json(statement: Statement) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "index": statement.index,
        "kind": statement.kind,
        "outcome": "no_lineage",
        "reason": None,
        "output": str(statement.output) if statement.output is not None else None,
        "temporary": statement.temporary,
        "inputs": [],
        "columns": [],
        "indirect": [],
        "unresolved": [],
    }
    match statement.outcome:
        case StatementLineage() as lineage:
            answer["outcome"] = "lineage"
            answer["inputs"] = [str(table) for table in lineage.inputs]
            answer["columns"] = [
                {
                    "column": column.column,
                    "upstreams": [_upstream(upstream) for upstream in column.upstreams],
                    "expression": column.expression,
                    "confidence": column.confidence,
                }
                for column in lineage.columns
            ]
            answer["indirect"] = [_upstream(upstream, typed=False) for upstream in lineage.indirect]
            answer["unresolved"] = [{"what": gap.what, "detail": gap.detail} for gap in lineage.gaps]
        case NoLineage(gaps=gaps):
            answer["unresolved"] = [{"what": gap.what, "detail": gap.detail} for gap in gaps]
        case Unresolved(reason=reason, message=message, line=line, column=column):
            answer["outcome"] = "unresolved"
            answer["reason"] = {"code": reason, "message": message, "line": line, "column": column}
    if statement.body or statement.kind == "create_procedure":
        answer["body"] = [as_json(inner) for inner in statement.body]
    return answer


def _upstream(upstream: Upstream, *, typed: bool = True) -> dict[str, str]:
    kind = {"type": "DIRECT" if upstream.direct else "INDIRECT"} if typed else {}
    return {"table": str(upstream.table), "column": upstream.column, **kind, "subtype": upstream.subtype}
