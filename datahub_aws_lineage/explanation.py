"""An answer of `explain` as text for people. The input is the JSON form, so that both forms always say the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Json = Mapping[str, Any]


def render(answer: Json) -> str:
    """One block a statement, with a blank line between."""
    statements = answer.get("statements") or []
    blocks = ["\n".join(_statement_lines(statement, len(statements))) for statement in statements]
    if answer.get("error"):
        blocks.append(f"error: {answer['error']}")
    return "\n\n".join(blocks or ["no statement"]) + "\n"


def _statement_lines(statement: Json, total: int) -> Iterator[str]:
    yield _title(statement, total)
    yield from _listed("reads", statement.get("inputs") or [])
    columns = statement.get("columns") or []
    if columns:
        yield "  columns"
    for column in columns:
        yield from _column_lines(column)
    yield from _listed("rows depend on", map(_upstream, statement.get("indirect") or []))
    yield from _listed("not placed", (f"{gap['what']}: {gap['detail']}" for gap in statement.get("unresolved") or []))
    for inner in statement.get("body") or []:
        yield from (f"    {line}" for line in _statement_lines(inner, 1))


def _title(statement: Json, total: int) -> str:
    number = f"{statement['index'] + 1}/{total} " if total > 1 else ""
    target = f" -> {statement['output']}" if statement.get("output") else ""
    temporary = " (temporary)" if statement.get("temporary") else ""
    return f"{number}{statement['kind']}{target}{temporary}{_outcome(statement)}"


def _outcome(statement: Json) -> str:
    match statement["outcome"]:
        case "lineage":
            return ""
        case "no_lineage":
            return ": reads nothing"
        case _:
            return f": not understood: {_reason(statement['reason'])}"


def _reason(reason: Json) -> str:
    place = f" at line {reason['line']}, column {reason['column']}" if reason.get("line") else ""
    return f"{reason['code']}{place}: {reason['message']}"


def _column_lines(column: Json) -> Iterator[str]:
    expression = f" = {' '.join(column['expression'].split())}" if column.get("expression") else ""
    doubt = f"   (confidence {column['confidence']:g})" if column["confidence"] < 1 else ""
    yield f"    {column['column']}{expression}{doubt}"
    yield from (f"      <- {_upstream(upstream)}" for upstream in column["upstreams"])


def _upstream(upstream: Json) -> str:
    return f"{upstream['table']}  {upstream['column']}  ({upstream['subtype'].lower()})"


def _listed(label: str, items: Any) -> Iterator[str]:
    for index, item in enumerate(items):
        if index == 0:
            yield f"  {label}"
        yield f"    {item}"
