"""Every SQL case under `tests/cases`: the answer in the engine's stable JSON form against what the language means.

A case lists only what it is about: a key missing from its `expected` is not compared. Schemas come from
`<file>_tables.json` beside the cases, and from the case itself.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from datahub_aws_lineage.sql.contract import explain_line

CASES = Path(__file__).parents[2] / "cases"
Json = dict[str, Any]
Edge = tuple[str, str, str]


def stored_cases() -> Iterator[Any]:
    for path in sorted(CASES.glob("*.jsonl")):
        beside = path.with_name(f"{path.stem}_tables.json")
        shared = json.loads(beside.read_text(encoding="utf-8")) if beside.exists() else {}
        for line in path.read_text(encoding="utf-8").splitlines():
            case = json.loads(line)
            case["tables"] = {**shared, **case.get("tables", {})}
            yield pytest.param(case, id=case["id"])


def same_name(name: str | None) -> str | None:
    return name.lower().rstrip("/") if name else name


def wanted_edges(expected: Json) -> set[Edge]:
    return {
        (output.lower(), str(same_name(table)), column.lower())
        for output, upstreams in expected["columns"].items()
        for table, column in upstreams
    }


def found_edges(statement: Json, wanted: set[Edge]) -> set[Edge]:
    """A path that is deeper than what is asked for counts as its top-level column."""
    raw = {
        (column["column"].lower(), str(same_name(upstream["table"])), upstream["column"].lower())
        for column in statement["columns"]
        for upstream in column["upstreams"]
    }
    return {edge if edge in wanted else (edge[0], edge[1], edge[2].split(".")[0]) for edge in raw}


def found_subtypes(statement: Json) -> set[tuple[str, ...]]:
    return {
        (column["column"].lower(), upstream["column"].lower().split(".")[0], upstream["subtype"])
        for column in statement["columns"]
        for upstream in column["upstreams"]
    }


def meant(statements: list[Json], kind: str | None) -> Json:
    """The first statement of the kind that is meant, else the first."""
    return next((s for s in statements if s["kind"] == kind), statements[0])


def names(statement: Json, expected: Json) -> tuple[object, object]:
    return {same_name(i) for i in expected["inputs"]}, {same_name(i) for i in statement["inputs"]}


def edges(statement: Json, expected: Json) -> tuple[object, object]:
    wanted = wanted_edges(expected)
    return wanted, found_edges(statement, wanted)


def subtypes(statement: Json, expected: Json) -> tuple[object, object]:
    wanted = {tuple(row) for row in expected["subtypes"]}
    return wanted, wanted & found_subtypes(statement)


def conditions(statement: Json, expected: Json) -> tuple[object, object]:
    wanted = {(how, same_name(t), c.lower()) for how, columns in expected["indirect"].items() for t, c in columns}
    found = {(i["subtype"], same_name(i["table"]), i["column"].lower()) for i in statement["indirect"]}
    return wanted, found


MEASURES: dict[str, Callable[[Json, Json], tuple[object, object]]] = {
    "kind": lambda statement, expected: (expected["kind"], statement["kind"]),
    "outcome": lambda statement, expected: (expected["outcome"], statement["outcome"]),
    "output": lambda statement, expected: (same_name(expected["output"]), same_name(statement["output"])),
    "inputs": names,
    "columns": edges,
    "subtypes": subtypes,
    "indirect": conditions,
    "unresolved": lambda statement, expected: (expected["unresolved"], bool(statement["unresolved"])),
}


def difference(measure: str, wanted: object, found: object) -> list[str]:
    if not isinstance(wanted, set) or not isinstance(found, set):
        return [f"{measure}: wanted {wanted!r}, found {found!r}"]
    lost = [f"{measure}: missing {item}" for item in sorted(wanted - found)]
    return lost + [f"{measure}: not wanted {item}" for item in sorted(found - wanted)]


@pytest.mark.parametrize("case", list(stored_cases()))
def test_case(case: Json) -> None:
    expected = case["expected"]
    assert set(expected) <= set(MEASURES), "the case asks for what is not compared"
    answer = explain_line(json.dumps(case), {})
    assert answer["id"] == case["id"]
    assert answer["statements"], "no statement at all"
    assert "internal" not in {statement["reason"]["code"] for statement in answer["statements"] if statement["reason"]}
    statement = meant(answer["statements"], expected.get("kind"))
    wrong: list[str] = []
    for measure, compare in MEASURES.items():
        if measure in expected:
            wanted, found = compare(statement, expected)
            wrong += difference(measure, wanted, found) if wanted != found else []
    if wrong:
        about = [f"note: {case['note']}"] if "note" in case else []
        reason = [f"reason: {statement['reason']}"] if statement["reason"] else []
        pytest.fail("\n".join([case["id"], case["sql"], *about, *wrong, *reason]), pytrace=False)
