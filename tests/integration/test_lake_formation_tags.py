"""Tags of Lake Formation through whole runs: a recorded account into a file and into the strict metadata service, and
an account of moto's server that is recorded and replayed.

Ours: the recorded answers, in the form of AWS's service model (moto has no tags of columns within a table's answer).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from datahub.emitter.mcp import MetadataChangeProposalWrapper
from datahub.emitter.serialization_helper import pre_json_transform
from datahub.ingestion.run.pipeline import Pipeline
from datahub.metadata.schema_classes import GlobalTagsClass, TagAssociationClass, TagPropertiesClass
from metadata_server import TOKEN, MetadataService, metadata_service
from moto.server import ThreadedMotoServer
from small_account import ACCOUNT, WINDOW, Answer, Ingested, SmallAccount, ingest, short
from strict_schema import assert_valid_file

from datahub_aws_lineage import cli

TAGS_ON: dict[str, Any] = {"glue": {"extract_lakeformation_tags": True}, "athena": {"enabled": False}}
ORDERS_URN = "urn:li:dataset:(urn:li:dataPlatform:glue,sales.orders,PROD)"
OURS = "urn:li:dataPlatform:glue"
REGION = "eu-west-2"  # moto keeps a catalog a region: tests elsewhere in the process do not meet this one

Pairs = dict[str, str]


def pairs(tags: Pairs) -> list[dict[str, Any]]:
    return [{"CatalogId": ACCOUNT, "TagKey": key, "TagValues": [value]} for key, value in tags.items()]


@dataclass
class TaggedAccount(SmallAccount):
    """The small account with tags: of the database, of its tables by name, and of columns by table and name."""

    of_database: Pairs = field(default_factory=lambda: {"team": "sales"})
    of_tables: dict[str, Pairs] = field(default_factory=lambda: {"orders": {"pii": "true", "zone": "raw/landing"}})
    of_columns: dict[tuple[str, str], Pairs] = field(default_factory=lambda: {("daily", "total"): {"pii": "false"}})
    tags_are_recorded: bool = True

    def answers(self) -> Iterator[Answer]:
        yield from super().answers()
        if not self.tags_are_recorded:
            return
        own = {"LFTagOnDatabase": pairs(self.of_database)} if self.of_database else {}
        yield self._tags({"Database": {"CatalogId": ACCOUNT, "Name": "sales"}}, own)
        for table in self.tables:
            yield self._tags(self._resource(table["Name"]), {**own, **self._of_table(table["Name"])})

    def _tags(self, resource: dict[str, Any], body: dict[str, Any]) -> Answer:
        asked = {"CatalogId": ACCOUNT, "Resource": resource, "ShowAssignedLFTags": True}
        return "lakeformation", "GetResourceLFTags", asked, body, 200

    def _resource(self, name: str) -> dict[str, Any]:
        return {"Table": {"CatalogId": ACCOUNT, "DatabaseName": "sales", "Name": name}}

    def _of_table(self, name: str) -> dict[str, Any]:
        body: dict[str, Any] = {"LFTagsOnTable": pairs(self.of_tables[name])} if name in self.of_tables else {}
        columns = [{"Name": c, "LFTags": pairs(tags)} for (table, c), tags in self.of_columns.items() if table == name]
        return {**body, "LFTagsOnColumns": columns} if columns else body


@pytest.fixture
def account(tmp_path: Path) -> TaggedAccount:
    return TaggedAccount(tmp_path / "account")


@pytest.fixture
def service() -> Iterator[MetadataService]:
    with metadata_service() as service:
        yield service


def run(account: SmallAccount, **recipe: Any) -> Ingested:
    output = account.folder.with_suffix(".json")
    ingested = ingest(output, {"snapshot": str(account.record()), **TAGS_ON, **recipe})
    assert_valid_file(output)
    return ingested


def said(ingested: Ingested) -> dict[str, set[str]]:
    """The tags that patches set, by dataset; those of the one container by `container`."""
    found = {}
    for urn, patch in ingested.aspects("globalTags").items():
        (operation,) = patch["patch"]
        assert (operation["op"], operation["path"]) == ("add", f"/tags/{OURS}")
        name = "container" if urn.startswith("urn:li:container:") else short(urn)
        found[name] = {tag.removeprefix("urn:li:tag:") for tag in operation["value"]}
    return found


def column_tags(ingested: Ingested) -> dict[str, set[str]]:
    """By dataset and column."""
    return {
        f"{short(urn)} {field['fieldPath'].rpartition('.')[2]}": {tag["tag"] for tag in field["globalTags"]["tags"]}
        for urn, schema in ingested.aspects("schemaMetadata").items()
        for field in schema["fields"]
        if field.get("globalTags")
    }


def test_tags_of_databases_tables_and_columns(account: TaggedAccount) -> None:
    """Nothing is inherited: not by tables, not by columns, and not by the locations of either."""
    ingested = run(account)
    assert said(ingested) == {
        "container": {"team:sales"},
        "glue sales.orders": {"pii:true", "zone:raw/landing"},
        "glue sales.daily": set(),
        "glue sales.v_daily": set(),
    }
    assert column_tags(ingested) == {"glue sales.daily total": {"urn:li:tag:pii:false"}}
    assert "s3 lake/daily" in {short(urn) for urn in ingested.aspects("schemaMetadata")}
    names = {urn: properties["name"] for urn, properties in ingested.aspects("tagProperties").items()}
    assert names == {f"urn:li:tag:{name}": name for name in ("pii:false", "pii:true", "team:sales", "zone:raw/landing")}
    assert ingested.aspects("tagKey").keys() == names.keys()
    assert {kind: count for kind, count in ingested.report.seen.items() if "Lake Formation" in kind} == {
        "databases with tags of Lake Formation": 1,
        "tables with tags of Lake Formation": 1,
        "columns with tags of Lake Formation": 1,
    }
    assert not ingested.report.failures
    assert not ingested.report.warnings


def test_nothing_is_asked_unless_the_recipe_says_so(account: TaggedAccount) -> None:
    account.tags_are_recorded = False
    ingested = run(account, glue={})
    assert not ingested.aspects("globalTags")
    assert not ingested.report.warnings


def test_tags_go_where_the_tables_are_named_for_athena(account: TaggedAccount) -> None:
    ingested = run(account, glue={"extract_lakeformation_tags": True, "platform": "athena"}, platform_instance="eu")
    assert "athena eu.sales.orders" in said(ingested)


def test_a_name_that_datahub_refuses_is_counted(account: TaggedAccount) -> None:
    long = {"数" * 50: "数" * 50}
    account.of_tables["daily"] = long
    account.of_columns["daily", "total"] = long
    ingested = run(account)
    assert said(ingested)["glue sales.daily"] == set()
    assert column_tags(ingested) == {}
    assert ingested.report.skipped.counts["tag with a long name: unsupported"] == 1


def test_refused_tags_are_one_warning_and_lineage_is_what_it_was(account: TaggedAccount) -> None:
    """Not even the catalog counts as half read: a table that it lacks is unknown all the same."""
    account.statements.append("INSERT INTO sales.daily SELECT day, 1 FROM sales.no_such_table")
    history = {"athena": {"include_usage_statistics": False}}
    whole = run(account, **history)
    account.denied = {"lakeformation:GetResourceLFTags"}
    refused = run(account, **history)
    assert refused.upstreams() == whole.upstreams()
    assert refused.report.skipped.counts == whole.report.skipped.counts
    assert not refused.aspects("globalTags")
    (warning,) = refused.report.warnings
    assert warning.message == "Tags of Lake Formation are refused"
    assert "allow lakeformation:GetResourceLFTags" in " ".join(warning.context)
    assert not refused.report.failures


def test_a_recording_without_tags_is_one_warning(account: TaggedAccount) -> None:
    account.tags_are_recorded = False
    ingested = run(account)
    assert "glue sales.orders" in ingested.upstreams()
    (warning,) = ingested.report.warnings
    assert warning.message == "The recording lacks a part of the account"
    assert "Lake Formation tags: sales: " in " ".join(warning.context)
    assert not ingested.report.failures


def test_a_resource_link_has_its_own_tags(account: TaggedAccount) -> None:
    target = {"CatalogId": "999988887777", "DatabaseName": "theirs", "Name": "orders"}
    account.tables.append({"Name": "link", "DatabaseName": "sales", "CatalogId": ACCOUNT, "TargetTable": target})
    account.of_tables["link"] = {"shared": "yes"}
    assert said(run(account))["glue sales.link"] == {"shared:yes"}


# ---- beside the tags of others --------------------------------------------------------------------------------------


def ingest_into(service: MetadataService, account: TaggedAccount, **sink: str) -> None:
    source = {"type": "aws-lineage", "config": {"snapshot": str(account.record()), **WINDOW, **TAGS_ON}}
    target = {"type": "datahub-rest", "config": {"server": service.url, "token": TOKEN, "mode": "SYNC", **sink}}
    pipeline = Pipeline.create({"run_id": "tags", "source": source, "sink": target}, report_to=None)
    pipeline.run()
    pipeline.raise_from_status()
    assert service.refused == []


def tags_in(service: MetadataService, urn: str) -> set[tuple[str, str | None]]:
    """Tag and whom it is attributed to."""
    tags = service.entity(urn)["aspects"]["globalTags"]["value"]["tags"]
    return {(one["tag"].removeprefix("urn:li:tag:"), (one.get("attribution") or {}).get("source")) for one in tags}


@pytest.mark.parametrize("endpoint", ["RESTLI", "OPENAPI"])
def test_tags_of_others_stay_and_own_ones_go(service: MetadataService, account: TaggedAccount, endpoint: str) -> None:
    given = GlobalTagsClass([TagAssociationClass(f"urn:li:tag:{name}") for name in ("gold", "pii:true")])
    service.take(pre_json_transform(MetadataChangeProposalWrapper(entityUrn=ORDERS_URN, aspect=given).to_obj()))
    ingest_into(service, account, endpoint=endpoint)
    people = {("gold", None), ("pii:true", None)}
    assert tags_in(service, ORDERS_URN) == people | {("pii:true", OURS), ("zone:raw/landing", OURS)}
    account.of_tables["orders"] = {"pii": "false"}
    ingest_into(service, account, endpoint=endpoint)
    assert tags_in(service, ORDERS_URN) == people | {("pii:false", OURS)}
    del account.of_tables["orders"]
    ingest_into(service, account, endpoint=endpoint)
    assert tags_in(service, ORDERS_URN) == people
    account.of_tables["orders"], account.denied = {"pii": "true"}, {"lakeformation:GetResourceLFTags"}
    ingest_into(service, account, endpoint=endpoint)
    assert tags_in(service, ORDERS_URN) == people


@pytest.mark.parametrize("endpoint", ["RESTLI", "OPENAPI"])
def test_what_people_say_of_a_tag_stays(service: MetadataService, account: TaggedAccount, endpoint: str) -> None:
    urn = "urn:li:tag:pii:true"
    ingest_into(service, account, endpoint=endpoint)
    assert service.entity(urn)["aspects"]["tagProperties"]["value"] == {"name": "pii:true"}
    mine = TagPropertiesClass(name="Personal", description="Names and addresses", colorHex="#ff0000")
    service.take(pre_json_transform(MetadataChangeProposalWrapper(entityUrn=urn, aspect=mine).to_obj()))
    ingest_into(service, account, endpoint=endpoint)
    assert service.entity(urn)["aspects"]["tagProperties"]["value"]["description"] == "Names and addresses"


# ---- moto -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    _fill(boto3.Session("testing", "testing", region_name=REGION), endpoint)
    yield endpoint
    server.stop()


def _fill(session: boto3.Session, endpoint: str) -> None:
    glue = session.client("glue", endpoint_url=endpoint)
    lake = session.client("lakeformation", endpoint_url=endpoint)
    glue.create_database(DatabaseInput={"Name": "lake"})
    lake.create_lf_tag(TagKey="pii", TagValues=["true", "false"])
    lake.add_lf_tags_to_resource(Resource={"Database": {"Name": "lake"}}, LFTags=pairs({"pii": "false"}))
    for name in ("orders", "daily"):
        glue.create_table(DatabaseName="lake", TableInput={"Name": name, "StorageDescriptor": {"Columns": []}})
        resource = {"Table": {"DatabaseName": "lake", "Name": name}}
        lake.add_lf_tags_to_resource(Resource=resource, LFTags=pairs({"pii": "true"}))


def test_a_recording_has_the_tags(endpoint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    connection = {"aws_region": REGION, "aws_endpoint_url": endpoint}
    keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
    config = {"aws_config": {**connection, **keys}, **TAGS_ON}
    recipe, folder = tmp_path / "recipe.yml", tmp_path / "account"
    recipe.write_text(yaml.safe_dump({"source": {"type": "aws-lineage", "config": {**config, **WINDOW}}}))
    assert cli.main(["record", "-c", str(recipe), str(folder)]) == 0
    assert "warning" not in capsys.readouterr().out
    live = ingest(tmp_path / "live.json", config)
    replayed = ingest(tmp_path / "replayed.json", {**TAGS_ON, "snapshot": str(folder)})
    assert said(live) == {"container": {"pii:false"}, "glue lake.orders": {"pii:true"}, "glue lake.daily": {"pii:true"}}
    assert said(replayed) == said(live)
    assert not replayed.report.warnings
