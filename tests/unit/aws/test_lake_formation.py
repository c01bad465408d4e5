"""Tags of Lake Formation: which resource is asked for, and what refusals and faults leave, by botocore's own model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from emit_samples import Notes
from moto import mock_aws

from datahub_aws_lineage.aws import lake_formation
from datahub_aws_lineage.aws.clients import Clients
from datahub_aws_lineage.aws.glue import GlueCatalogReader
from datahub_aws_lineage.aws.lake_formation import PERMISSIONS, TaggedCatalogReader, parse_tags, probe
from datahub_aws_lineage.errors import AccessDeniedError, CredentialsError, MalformedError
from datahub_aws_lineage.model.catalog import AssignedTags, Database, LinkTarget, Table, Tag
from datahub_aws_lineage.model.names import TableName

OWN, OWNER = "111122223333", "444455556666"
PII = {"TagKey": "pii", "TagValues": ["true"], "CatalogId": OWN}
TEAM = {"TagKey": "team", "TagValues": ["sales"], "CatalogId": OWN}
IAM_SAYS = f"User: arn:aws:iam::{OWN}:user/x is not authorized to perform: lakeformation:GetResourceLFTags"
LAKE_SAYS = "Insufficient Lake Formation permission(s): Required Describe on orders"


class Catalog:
    """What a reader of the Data Catalog gives."""

    def __init__(self, databases: list[Database], tables: list[Table]) -> None:
        self._databases, self._tables = databases, tables

    def read_databases(self) -> Iterator[Database]:
        yield from self._databases

    def read_tables(self) -> Iterator[Table]:
        yield from self._tables


def database(name: str, **more: Any) -> Database:
    return Database("glue", "awsdatacatalog", name, catalog_id=OWN, **more)


def table(name: str, database: str = "sales", **more: Any) -> Table:
    return Table("glue", TableName("awsdatacatalog", database, name), None, catalog_id=OWN, **more)


@pytest.fixture
def clients() -> Clients:
    return Clients(boto3.Session("testing", "testing", region_name="eu-west-1"))


@pytest.fixture
def lake(clients: Clients) -> Iterator[Stubber]:
    with Stubber(clients.client("lakeformation")) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


@pytest.fixture
def notes() -> Notes:
    return Notes()


def asked(catalog: str, **resource: dict[str, str]) -> dict[str, Any]:
    ((kind, names),) = resource.items()
    return {"CatalogId": catalog, "Resource": {kind: {"CatalogId": catalog, **names}}, "ShowAssignedLFTags": True}


def reader(clients: Clients, notes: Notes, *tables: Table, databases: list[Database] | None = None) -> Any:
    found = [database("sales")] if databases is None else databases
    return TaggedCatalogReader(Catalog(found, list(tables)), clients, notes, threads=1)


def answer(lake: Stubber, response: dict[str, Any], **resource: dict[str, str]) -> None:
    lake.add_response("get_resource_lf_tags", response, asked(OWN, **resource) if resource else None)


def refuse(lake: Stubber, code: str, message: str = "", status: int = 400) -> None:
    lake.add_client_error("get_resource_lf_tags", code, message, status)


def complaints(notes: Notes) -> list[tuple[str, ...]]:
    return [entry for entry in notes.entries if entry[0] != "seen"]


def test_each_database_and_table_has_what_is_assigned_to_it(clients: Clients, notes: Notes, lake: Stubber) -> None:
    answer(lake, {"LFTagOnDatabase": [TEAM]}, Database={"Name": "sales"})
    both = {"LFTagOnDatabase": [TEAM], "LFTagsOnTable": [PII]}
    answer(lake, both, Table={"DatabaseName": "sales", "Name": "orders"})
    answer(lake, {}, Table={"DatabaseName": "sales", "Name": "daily"})
    made = reader(clients, notes, table("orders"), table("daily"))
    assert [one.tags for one in made.read_databases()] == [AssignedTags((Tag("team", "sales"),))]
    assert [one.tags for one in made.read_tables()] == [AssignedTags((Tag("pii", "true"),)), AssignedTags()]
    made.report_faults()
    assert notes.entries == [
        ("seen", "databases with tags of Lake Formation", "1"),
        ("seen", "tables with tags of Lake Formation", "1"),
    ]


def test_a_tag_on_a_column_alone(clients: Clients, notes: Notes, lake: Stubber) -> None:
    """The table's database has a tag, and the table none: it does not get that of its database."""
    columns = [{"Name": "Email", "LFTags": [TEAM, PII]}]
    answer(lake, {})
    lake.add_response("get_resource_lf_tags", {"LFTagOnDatabase": [TEAM], "LFTagsOnColumns": columns})
    (tagged,) = reader(clients, notes, table("orders")).read_tables()
    assert tagged.tags == AssignedTags((), {"email": (Tag("pii", "true"), Tag("team", "sales"))})
    assert notes.entries == [("seen", "columns with tags of Lake Formation", "1")]


def test_databases_are_asked_for_once(clients: Clients, notes: Notes, lake: Stubber) -> None:
    answer(lake, {})
    made = reader(clients, notes)
    assert [*made.read_databases(), *made.read_tables(), *made.read_databases()] == 2 * [
        database("sales", tags=AssignedTags())
    ]


def test_resource_links(clients: Clients, notes: Notes, lake: Stubber) -> None:
    """A link is a resource of its own; what lies behind a link to a database is its owner's."""
    shared = database("shared", link=LinkTarget(OWNER, "sales"))
    far = database("far", link=LinkTarget(OWNER, "sales", region="us-east-1"))
    behind = table("orders", "shared", link=LinkTarget(OWNER, "sales", "orders", "eu-west-1"))
    behind_far = table("orders", "far", link=LinkTarget(OWNER, "sales", "orders", "us-east-1"))
    link = table("link", "sales", link=LinkTarget(OWNER, "sales", "orders"))
    answer(lake, {}, Database={"Name": "shared"})
    answer(lake, {}, Database={"Name": "far"})
    of_owner = asked(OWNER, Table={"DatabaseName": "sales", "Name": "orders"})
    lake.add_response("get_resource_lf_tags", {"LFTagsOnTable": [PII]}, of_owner)
    answer(lake, {"LFTagsOnTable": [TEAM]}, Table={"DatabaseName": "sales", "Name": "link"})
    tables = reader(clients, notes, behind, behind_far, link, databases=[shared, far]).read_tables()
    assert [one.tags and one.tags.own for one in tables] == [(Tag("pii", "true"),), None, (Tag("team", "sales"),)]
    assert complaints(notes) == [
        ("skipped", "unsupported", "tags of Lake Formation", "far.orders: kept in another region")
    ]


def test_iam_refuses_once_for_all(clients: Clients, notes: Notes, lake: Stubber) -> None:
    refuse(lake, "AccessDeniedException", IAM_SAYS)
    made = reader(clients, notes, table("orders"), table("daily"))
    assert [one.name.table for one in made.read_tables()] == ["orders", "daily"]
    assert complaints(notes) == []
    made.report_faults()
    ((kind, title, detail),) = complaints(notes)
    assert (kind, title) == ("warning", "Tags of Lake Formation are refused")
    assert detail.startswith("allow lakeformation:GetResourceLFTags, ")
    assert detail.endswith("; no more were asked for")


def test_lake_formation_refuses_one_by_one(clients: Clients, notes: Notes, lake: Stubber) -> None:
    refuse(lake, "AccessDeniedException", LAKE_SAYS)
    refuse(lake, "AccessDeniedException", LAKE_SAYS)
    answer(lake, {"LFTagsOnTable": [PII]})
    made = reader(clients, notes, table("orders"), table("daily"))
    assert [one.tags for one in made.read_tables()] == [None, AssignedTags((Tag("pii", "true"),))]
    made.report_faults()
    ((kind, _, detail),) = complaints(notes)
    assert kind == "warning"
    assert "2 databases and tables, the first sales: lakeformation:GetResourceLFTags: AccessDenied" in detail


def test_what_is_gone_is_skipped(clients: Clients, notes: Notes, lake: Stubber) -> None:
    answer(lake, {})
    refuse(lake, "EntityNotFoundException")
    made = reader(clients, notes, table("orders"))
    assert [one.tags for one in made.read_tables()] == [None]
    made.report_faults()
    assert [entry[:3] for entry in complaints(notes)] == [("skipped", "gone", "tags of Lake Formation")]


def test_a_throttled_call_is_a_failure_and_the_others_go_on(clients: Clients, notes: Notes, lake: Stubber) -> None:
    answer(lake, {})
    refuse(lake, "ThrottlingException", "Rate exceeded")
    answer(lake, {"LFTagsOnTable": [PII]})
    made = reader(clients, notes, table("orders"), table("daily"))
    assert [one.tags for one in made.read_tables()] == [None, AssignedTags((Tag("pii", "true"),))]
    made.report_faults()
    ((kind, _, detail),) = complaints(notes)
    assert kind == "failure"
    assert detail.startswith("sales.orders: lakeformation:GetResourceLFTags: ThrottlingException")
    assert "no more" not in detail


def test_a_service_that_does_not_answer_is_not_asked_for_ever(clients: Clients, notes: Notes, lake: Stubber) -> None:
    answer(lake, {})
    for _ in range(5):
        refuse(lake, "InternalServiceException", status=500)
    made = reader(clients, notes, *(table(f"t{number}") for number in range(250)))
    assert len(list(made.read_tables())) == 250
    made.report_faults()
    ((kind, _, detail),) = complaints(notes)
    assert kind == "failure"
    assert detail.startswith("5 databases and tables, the first sales.t0: ")
    assert detail.endswith("; no more were asked for")


def test_expired_credentials_stop_the_run(clients: Clients, notes: Notes, lake: Stubber) -> None:
    refuse(lake, "ExpiredTokenException")
    with pytest.raises(CredentialsError):
        list(reader(clients, notes).read_databases())


@pytest.mark.parametrize("broken", [None, {"TagValues": ["x"]}])
def test_a_tag_without_a_key_is_malformed(broken: Any) -> None:
    with pytest.raises(MalformedError):
        parse_tags({"LFTagOnDatabase": [broken]}, "Database")


@mock_aws
def test_a_catalog_kept_by_moto_is_asked_by_threads(clients: Clients, notes: Notes) -> None:
    """More tables than are taken at a time: each has its own tags, in the catalog's order."""
    glue, lake = clients.client("glue"), clients.client("lakeformation")
    glue.create_database(DatabaseInput={"Name": "sales"})
    numbers = [f"{number:03}" for number in range(130)]
    lake.create_lf_tag(TagKey="number", TagValues=numbers)
    # moto fails on what has no tag at all
    some = [{"TagKey": "number", "TagValues": ["000"]}]
    lake.add_lf_tags_to_resource(Resource={"Database": {"Name": "sales"}}, LFTags=some)
    for number in numbers:
        glue.create_table(DatabaseName="sales", TableInput={"Name": f"t{number}"})
        resource = {"Table": {"DatabaseName": "sales", "Name": f"t{number}"}}
        lake.add_lf_tags_to_resource(Resource=resource, LFTags=[{"TagKey": "number", "TagValues": [number]}])
    made = TaggedCatalogReader(GlueCatalogReader(clients, notes), clients, notes, threads=lake_formation.THREADS)
    found = [(one.name.table, one.tags) for one in made.read_tables()]
    assert found == [(f"t{number}", AssignedTags((Tag("number", number),))) for number in numbers]
    made.report_faults()
    assert complaints(notes) == []
    probe(clients)


def test_the_probe_names_what_is_denied(clients: Clients, lake: Stubber) -> None:
    with Stubber(clients.client("glue")) as glue:
        glue.add_response("get_databases", {"DatabaseList": [{"Name": "sales", "CatalogId": OWN}]}, {"MaxResults": 1})
        refuse(lake, "AccessDeniedException", IAM_SAYS)
        with pytest.raises(AccessDeniedError) as refused:
            probe(clients)
        assert (refused.value.permission,) == PERMISSIONS


def test_the_probe_of_an_empty_catalog_shows_the_permission(clients: Clients, lake: Stubber) -> None:
    with Stubber(clients.client("glue")) as glue:
        glue.add_response("get_databases", {"DatabaseList": []})
        refuse(lake, "EntityNotFoundException")
        probe(clients)
