"""The whole recipe on real input: the Athena views that AWS publishes for its cost dashboards (`cid-cmd`).

Real: the views, the code that deploys them, HTTP, botocore, DataHub's pipeline and file sink. moto keeps the Glue
catalog. Ours: the stand-in that carries out CREATE VIEW, and what a row scan would find in the maps of the report.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
import yaml
from cid_athena import DeployedView
from cid_deployment import deploy_everything, shipped_queries
from cid_emitted import Emitted, Field, run_recipe
from cid_select_list import tables_read
from datahub.emitter.mce_builder import make_dataset_urn
from datahub.metadata.urns import DatasetUrn
from datahub.sql_parsing.schema_resolver import SchemaResolver
from datahub.sql_parsing.sqlglot_lineage import sqlglot_lineage
from moto.server import ThreadedMotoServer

REGION = "eu-north-1"  # moto keeps a catalog a region: tests elsewhere in the process do not meet this one
EXPECTED = sorted((Path(__file__).parent / "cid_expected").glob("*.yaml"))
EITHER = "either"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="module")
def session(endpoint: str) -> Iterator[boto3.Session]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", endpoint)
        yield boto3.Session("testing", "testing", region_name=REGION)


@pytest.fixture(scope="module")
def views(session: boto3.Session) -> tuple[DeployedView, ...]:
    return deploy_everything(session)


@pytest.fixture(scope="module")
def emitted(endpoint: str, views: tuple[DeployedView, ...], tmp_path_factory: pytest.TempPathFactory) -> Emitted:
    aws_config = {
        "aws_region": REGION,
        "aws_endpoint_url": endpoint,
        "aws_access_key_id": "testing",
        "aws_secret_access_key": "testing",
    }
    return run_recipe(aws_config, tmp_path_factory.mktemp("cid") / "emitted.json")


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
    found = {key: bool(emitted.fields.get(key)) for key in wanted}
    assert {key for key in wanted if wanted[key] != found[key]} == set()
    names = {view.full_name for view in views}
    assert {key for key in emitted.fields if key[0] in names} <= wanted.keys()


def test_edges_end_at_fields_that_are_there(emitted: Emitted) -> None:
    """As the catalog spells them: a table of the package has a column in mixed case, read in lower case by a view."""
    edges = [(table, upstream, column) for (table, column), found in emitted.fields.items() for upstream in found]
    ends = {(table, column) for table, _, column in edges} | {upstream for _, upstream, _ in edges}
    assert {end for end in ends if end[0] in emitted.schemas and end[1] not in emitted.schemas[end[0]]} == set()
    spelled = "currentserviceContainerConfiguration_4_containerName"
    upstreams = emitted.fields["cid_cur.compute_optimizer_ecs_service_options", "option_details"]
    assert ("cid_cur.compute_optimizer_ecs_service_lines", spelled) in upstreams


def test_union_takes_columns_by_position(emitted: Emitted, views: tuple[DeployedView, ...]) -> None:
    by_name = {view.full_name: view for view in views}
    union = by_name["cid_cur.compute_optimizer_all_options"]
    branches = [by_name[name] for name in tables_read(union.query, union.database)]
    assert len(branches) == 9
    for position, column in enumerate(union.columns):
        wanted = {(branch.full_name, branch.columns[position].name) for branch in branches}
        assert emitted.fields[union.full_name, column.name].keys() == wanted


@pytest.mark.parametrize("path", EXPECTED, ids=lambda path: str(path.stem))
def test_edges_checked_by_hand(path: Path, emitted: Emitted, views: tuple[DeployedView, ...]) -> None:
    case = yaml.safe_load(path.read_text(encoding="utf-8"))
    view = next(view for view in views if view.full_name == case["view"])
    if not case.get("partial"):
        assert list(case["columns"]) == [column.name for column in view.columns]
    for column, groups in case["columns"].items():
        found = emitted.fields.get((view.full_name, column), {})
        assert _kinds(found, groups, case["source"]) == _expected(groups, case["source"]), column


def test_edges_agree_with_datahubs_own_parser(
    emitted: Emitted, views: tuple[DeployedView, ...], session: boto3.Session
) -> None:
    """With every schema known and plain SELECTs, DataHub's parser is right: here one can only tie."""
    schemas = _schemas(session)
    wanted = {view.full_name: _parsed_by_datahub(view, schemas) for view in views}
    found = {name: emitted.of_view(name) for name in wanted}
    assert {name: found[name] for name in wanted if found[name] != wanted[name]} == {}


def _parsed_by_datahub(view: DeployedView, schemas: SchemaResolver) -> dict[str, set[Field]]:
    parsed = sqlglot_lineage(
        view.query, schema_resolver=schemas, default_schema=view.database, override_dialect="athena"
    )
    assert parsed.debug_info.error is None
    return {
        column.downstream.column: {(DatasetUrn.from_string(up.table).name, up.column) for up in column.upstreams}
        for column in parsed.column_lineage or ()
        if column.upstreams
    }


def _schemas(session: boto3.Session) -> SchemaResolver:
    glue = session.client("glue")
    schemas = SchemaResolver(platform="glue", env="PROD")
    for database in glue.get_databases()["DatabaseList"]:
        for table in glue.get_tables(DatabaseName=database["Name"])["TableList"]:
            columns = [*table["StorageDescriptor"]["Columns"], *table.get("PartitionKeys", [])]
            urn = make_dataset_urn("glue", f"{database['Name']}.{table['Name']}")
            schemas.add_raw_schema_info(urn, {column["Name"].lower(): column["Type"] for column in columns})
    return schemas


def _expected(groups: dict[str, list[str]], source: str) -> dict[Field, set[str]]:
    edges: dict[Field, set[str]] = {}
    for kind, names in groups.items():
        for name in names:
            edges.setdefault(_field(name, source), set()).add(kind)
    return edges


def _kinds(found: dict[Field, set[str]], groups: dict[str, list[str]], source: str) -> dict[Field, set[str]]:
    """The edges found; where the case leaves it open which kind an edge is, so does this."""
    left_open = {_field(name, source) for name in groups.get(EITHER, ())}
    return {edge: {EITHER} if edge in left_open else kinds for edge, kinds in found.items()}


def _field(name: str, source: str) -> Field:
    table, _, column = name.rpartition(".")
    return table or source, column
