"""The whole recipe on real input: the Athena views that AWS publishes for its cost dashboards (`cid-cmd`).

Real: the views, the code that deploys them, HTTP, botocore, DataHub's pipeline and file sink. moto keeps the Glue
catalog. Ours: the stand-in that carries out CREATE VIEW, and what a row scan would find in the maps of the report.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import boto3
import pytest
import yaml
from cid_athena import DeployedView
from cid_deployment import deploy_everything, shipped_queries
from cid_select_list import tables_read
from datahub.ingestion.run.pipeline import Pipeline
from datahub.metadata.urns import DatasetUrn, SchemaFieldUrn
from datahub.utilities.urns.field_paths import get_simple_field_path_from_v2_field_path
from moto.server import ThreadedMotoServer

REGION = "eu-north-1"  # moto keeps a catalog a region: tests elsewhere in the process do not meet this one
KEYS = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
EXPECTED = sorted((Path(__file__).parent / "cid_expected").glob("*.yaml"))
DIRECT, CONDITIONAL, EITHER = "direct", "conditional", "either"

Edge: TypeAlias = tuple[str, str]
"""An upstream: `database.table` and column."""


@dataclass
class Emitted:
    """What the run wrote: upstream tables by view, and edges by view and column with `direct` or `conditional`."""

    report: Any
    tables: dict[str, set[str]] = field(default_factory=dict)
    columns: dict[tuple[str, str], dict[Edge, set[str]]] = field(default_factory=dict)


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="module")
def views(endpoint: str) -> tuple[DeployedView, ...]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", endpoint)
        return deploy_everything(boto3.Session("testing", "testing", region_name=REGION))


@pytest.fixture(scope="module")
def emitted(endpoint: str, views: tuple[DeployedView, ...], tmp_path_factory: pytest.TempPathFactory) -> Emitted:
    output = tmp_path_factory.mktemp("cid") / "emitted.json"
    aws_config = {"aws_region": REGION, "aws_endpoint_url": endpoint, **KEYS}
    pipeline = Pipeline.create(
        {
            "source": {
                "type": "aws-lineage",
                "config": {
                    "aws_config": aws_config,
                    "incremental_lineage": False,  # whole aspects instead of patches
                    "athena": {"include_query_history": False},  # moto lacks BatchGetQueryExecution
                },
            },
            "sink": {"type": "file", "config": {"filename": str(output)}},
        }
    )
    pipeline.run()
    pipeline.raise_from_status()
    return _read(json.loads(output.read_text(encoding="utf-8")), pipeline.source.get_report())


def test_every_query_of_the_package_is_deployed(views: tuple[DeployedView, ...]) -> None:
    statements = [path.read_text(encoding="utf-8") for path in shipped_queries()]
    named = {match[1] for text in statements if (match := re.search(r'VIEW\s+"?(\w+)"?\s+AS', text))}
    unnamed = [text for text in statements if "${athena_view_name}" in text]
    assert len(statements) == len(named) + len(unnamed) >= 36
    assert named <= {view.name for view in views if view.database == "cid_cur"}
    fallbacks = [view for view in views if view.name == "account_map" and view.database != "cid_cur"]
    assert len(fallbacks) == len(unnamed)


def test_no_parameter_is_left(views: tuple[DeployedView, ...]) -> None:
    assert [view.full_name for view in views if "${" in view.statement] == []


def test_nothing_is_unresolved(emitted: Emitted, views: tuple[DeployedView, ...]) -> None:
    coverage = emitted.report.coverage
    assert emitted.report.unresolved.as_obj() == {}
    assert coverage.statements_understood == coverage.statements_total == len(views)
    assert coverage.column_edges.keys() == {"certain"}
    assert not emitted.report.warnings
    assert not emitted.report.failures


def test_views_read_the_tables_that_they_name(emitted: Emitted, views: tuple[DeployedView, ...]) -> None:
    wanted = {view.full_name: set(tables_read(view.query, view.database)) for view in views}
    assert {name: emitted.tables.get(name, set()) for name in wanted} == wanted


def test_every_output_column_is_accounted_for(emitted: Emitted, views: tuple[DeployedView, ...]) -> None:
    wanted = {(view.full_name, column.name): not column.constant for view in views for column in view.columns}
    found = {key: bool(emitted.columns.get(key)) for key in wanted}
    assert {key for key in wanted if wanted[key] != found[key]} == set()
    names = {view.full_name for view in views}
    assert {key for key in emitted.columns if key[0] in names} <= wanted.keys()


def test_union_takes_columns_by_position(emitted: Emitted, views: tuple[DeployedView, ...]) -> None:
    by_name = {view.full_name: view for view in views}
    union = by_name["cid_cur.compute_optimizer_all_options"]
    branches = [by_name[name] for name in tables_read(union.query, union.database)]
    assert len(branches) == 9
    for position, column in enumerate(union.columns):
        wanted = {(branch.full_name, branch.columns[position].name) for branch in branches}
        assert emitted.columns[union.full_name, column.name].keys() == wanted


@pytest.mark.parametrize("path", EXPECTED, ids=lambda path: str(path.stem))
def test_edges_checked_by_hand(path: Path, emitted: Emitted, views: tuple[DeployedView, ...]) -> None:
    case = yaml.safe_load(path.read_text(encoding="utf-8"))
    view = next(view for view in views if view.full_name == case["view"])
    if not case.get("partial"):
        assert list(case["columns"]) == [column.name for column in view.columns]
    for column, groups in case["columns"].items():
        found = emitted.columns.get((view.full_name, column), {})
        assert _kinds(found, groups, case["source"]) == _expected(groups, case["source"]), column


def _expected(groups: dict[str, list[str]], source: str) -> dict[Edge, set[str]]:
    edges: dict[Edge, set[str]] = {}
    for kind, names in groups.items():
        for name in names:
            edges.setdefault(_edge(name, source), set()).add(kind)
    return edges


def _kinds(found: dict[Edge, set[str]], groups: dict[str, list[str]], source: str) -> dict[Edge, set[str]]:
    """The edges found; where the case leaves it open which kind an edge is, so does this."""
    open_edges = {_edge(name, source) for name in groups.get(EITHER, ())}
    return {edge: {EITHER} if edge in open_edges else kinds for edge, kinds in found.items()}


def _edge(name: str, source: str) -> Edge:
    table, _, column = name.rpartition(".")
    return table or source, column


def _read(proposals: list[dict[str, Any]], report: Any) -> Emitted:
    emitted = Emitted(report)
    for proposal in proposals:
        if proposal.get("aspectName") != "upstreamLineage":
            continue
        aspect = proposal["aspect"]["json"]
        downstream = _table(proposal["entityUrn"])
        upstreams = (upstream["dataset"] for upstream in aspect["upstreams"])
        emitted.tables[downstream] = {_table(urn) for urn in upstreams if "dataPlatform:glue" in urn}
        for lineage in aspect.get("fineGrainedLineages", []):
            kind = DIRECT if lineage["transformOperation"].startswith("DIRECT:") else CONDITIONAL
            for urn in lineage["downstreams"]:
                edges = emitted.columns.setdefault(_field(urn), {})
                for upstream in lineage["upstreams"]:
                    edges.setdefault(_field(upstream), set()).add(kind)
    return emitted


def _table(urn: str) -> str:
    return DatasetUrn.from_string(urn).name


def _field(urn: str) -> Edge:
    parsed = SchemaFieldUrn.from_string(urn)
    return _table(parsed.parent), get_simple_field_path_from_v2_field_path(parsed.field_path)
