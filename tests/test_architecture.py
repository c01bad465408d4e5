"""The import rule of the house, held over every module of the package.

Data moves one way, through one package a stage; a third-party SDK lives where the table says and nowhere else.
A new package or a new dependency has to be entered here before it can be used.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = "datahub_aws_lineage"
ROOT = Path(__file__).parent.parent / PACKAGE

VALUES = {"model", "errors", "version"}
STAGES = {"aws", "sql", "lineage", "emit", "snapshot"}
EDGES = {"config", "report", "summary", "explanation", "chronology", "garbage"}
WIRING = {"source", "run", "publication", "cli", "readers", "athena_readers", "query_logs", "checkpoints", "checks"} | {
    "connection_test",
    "doctor",
    "edge_memories",
    "recorder",
    "sites",
}

MAY_IMPORT: dict[str, set[str]] = {
    "model": set(),
    "errors": set(),
    "version": set(),
    **dict.fromkeys(STAGES, VALUES),
    "config": VALUES,
    "report": VALUES,
    "summary": VALUES,
    "explanation": VALUES,
    "chronology": VALUES,
    "garbage": set(),
    **dict.fromkeys(WIRING, VALUES | STAGES | EDGES | WIRING),
}
"""What each package or top-level module may import from the others."""

THIRD_PARTY: dict[str, set[str]] = {
    "boto3": {"aws", "snapshot"},
    "botocore": {"aws", "snapshot"},
    "mypy_boto3": {"aws", "snapshot"},  # stubs, one package a service; for type checking alone
    "sqlglot": {"sql"},
    "datahub": {"emit", "source", "config", "report", "checkpoints", "edge_memories"},
    "pydantic": {"config", "checkpoints", "edge_memories"},
    "expandvars": {"config"},  # as DataHub reads recipes with it
    "yaml": {"config"},  # DataHub reads recipes with it, and lets its errors through
    "typing_extensions": STAGES | EDGES | WIRING,  # assert_never and Self, which Python 3.10 lacks
}
"""Where each third-party package may be imported."""


def modules() -> list[Path]:
    return sorted(path for path in ROOT.rglob("*.py") if path != ROOT / "__init__.py")


def unit_of(path: Path) -> str:
    """The package (or top-level module) that a file belongs to."""
    first = path.relative_to(ROOT).parts[0]
    return first.removesuffix(".py")


def imported_names(path: Path) -> Iterator[str]:
    """Every dotted name that a file imports, at whatever depth the statement stands."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            module = node.module or ""
            yield from (f"{module}.{alias.name}" for alias in node.names)


def violations(path: Path) -> Iterator[str]:
    unit = unit_of(path)
    for name in imported_names(path):
        top, _, rest = name.partition(".")
        if top == PACKAGE:
            other = rest.partition(".")[0]
            if other != unit and other not in MAY_IMPORT[unit] and not other.startswith("__"):
                yield f"{unit} imports {other} ({name})"
        elif top not in sys.stdlib_module_names and unit not in THIRD_PARTY.get(_without_service(top), set()):
            yield f"{unit} imports {top} ({name})"


def _without_service(package: str) -> str:
    return "mypy_boto3" if package.startswith("mypy_boto3_") else package


def test_every_package_and_module_is_listed() -> None:
    assert {unit_of(path) for path in modules()} == set(MAY_IMPORT)


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports(path: Path) -> None:
    assert list(violations(path)) == []


def test_the_walk_sees_what_it_must(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A guard for the guard: nested, aliased and type-checking imports are all found."""
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    offender = tmp_path / "sql" / "offender.py"
    offender.parent.mkdir()
    offender.write_text(
        "from typing import TYPE_CHECKING\n"
        f"from {PACKAGE} import lineage\n"
        f"import {PACKAGE}.emit.urns as u\n"
        "if TYPE_CHECKING:\n    import boto3\n"
        "def f():\n    from datahub.emitter import mcp\n    import requests, sqlglot.exp\n"
    )
    assert sorted(violations(offender)) == [
        "sql imports boto3 (boto3)",
        "sql imports datahub (datahub.emitter.mcp)",
        f"sql imports emit ({PACKAGE}.emit.urns)",
        f"sql imports lineage ({PACKAGE}.lineage)",
        "sql imports requests (requests)",
    ]
