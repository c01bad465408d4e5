"""Several accounts and regions in one recipe: names that are equal and mean different tables, links between them, parts
that fail alone, roles, and an organisation's list.

Ours: what the accounts of the first part answer. Real: botocore, the readers, DataHub's pipeline; in the second part
moto's server, which keeps a backend for each account and hands out sessions of roles.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from botocore.credentials import AssumeRoleCredentialFetcher
from botocore.exceptions import ClientError
from moto.server import ThreadedMotoServer
from small_account import START, WINDOW, Ingested, ingest, table

from datahub_aws_lineage import cli
from datahub_aws_lineage.config import AwsLineageConfig
from datahub_aws_lineage.snapshot import RecordingWriter
from datahub_aws_lineage.source import AwsLineageSource

PRODUCER, CONSUMER = "111122223333", "444455556666"
ORDERS = {**table("orders", {"id": "bigint", "net": "double"}), "CatalogId": PRODUCER}
COPIED = {**ORDERS, "Name": "copied"}
CLICKS = {**table("orders", {"page": "string", "clicks": "bigint"}), "CatalogId": CONSUMER}
LINK = {"CatalogId": PRODUCER, "DatabaseName": "sales", "Region": "eu-central-1"}


def record(
    folder: Path, account: str, databases: dict[str, Any], statements: tuple[str, ...] = (), minute: int = 0
) -> None:
    """An account's recording: by database either its tables, or the target of a resource link with what it shows."""
    listed = []
    with RecordingWriter(folder, region=folder.name, account_id=account) as recording:
        for name, content in databases.items():
            target = {"TargetDatabase": LINK} if isinstance(content, tuple) else {}
            listed.append({"Name": name, "CatalogId": account, "CreateTime": START.timestamp(), **target})
            recording.add("glue", "GetTables", {"DatabaseName": name}, {"TableList": list(content)})
        recording.add("glue", "GetDatabases", {}, {"DatabaseList": listed})
        recording.add("athena", "ListWorkGroups", {}, {"WorkGroups": [{"Name": "primary", "State": "ENABLED"}]})
        ids = [f"{account}-{folder.name}-{number}" for number in range(len(statements))]
        recording.add("athena", "ListQueryExecutions", {"WorkGroup": "primary"}, {"QueryExecutionIds": ids})
        found = [execution(one, sql, minute + k) for k, (one, sql) in enumerate(zip(ids, statements, strict=True))]
        answer = {"QueryExecutions": found, "UnprocessedQueryExecutionIds": []}
        recording.add("athena", "BatchGetQueryExecution", {"QueryExecutionIds": ids}, answer)


def execution(query: str, sql: str, minute: int) -> dict[str, Any]:
    at = START + timedelta(days=1, minutes=minute)
    times = {"SubmissionDateTime": at.timestamp(), "CompletionDateTime": (at + timedelta(seconds=9)).timestamp()}
    return {
        "QueryExecutionId": query,
        "Query": sql,
        "StatementType": "DML",
        "WorkGroup": "primary",
        "QueryExecutionContext": {"Catalog": "awsdatacatalog", "Database": "sales"},
        "Status": {"State": "SUCCEEDED", **times},
    }


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    """A producer; a consumer that has a database of the same name, and a link to the producer's; its other region."""
    folder = tmp_path / "accounts"
    copied = "CREATE TABLE sales.copied AS SELECT id, net FROM orders"
    record(folder / "producer" / "eu-central-1", PRODUCER, {"sales": [ORDERS, COPIED]}, (copied,))
    joined = "CREATE TABLE sales.joined AS SELECT s.net, o.clicks FROM shared.orders s JOIN orders o ON s.id = o.clicks"
    later = "CREATE TABLE sales.through AS SELECT net FROM shared.copied"
    linked = ({**ORDERS},)
    record(folder / "consumer" / "eu-central-1", CONSUMER, {"sales": [CLICKS], "shared": linked}, (joined, later), 30)
    record(folder / "consumer" / "us-east-1", CONSUMER, {"sales": [ORDERS]}, ("CREATE TABLE far AS TABLE orders",))
    return folder


def recipe(folder: Path, **more: Any) -> dict[str, Any]:
    accounts = [
        {"name": "producer", "account_id": PRODUCER, "regions": ["eu-central-1"]},
        {"name": "consumer", "regions": ["eu-central-1", "us-east-1"]},
    ]
    return {
        "snapshot": str(folder),
        "platform_instance": "{account_name}-{region}",
        "accounts": accounts,
        "glue": {"include_storage_lineage": False},
        **more,
    }


def test_a_name_is_of_the_account_and_region_that_uses_it(recorded: Path, tmp_path: Path) -> None:
    ingested = ingest(tmp_path / "out.json", recipe(recorded))
    assert ingested.upstreams() == {
        "glue producer-eu-central-1.sales.copied": {"glue producer-eu-central-1.sales.orders"},
        "glue consumer-eu-central-1.shared.orders": {"glue producer-eu-central-1.sales.orders"},
        "glue consumer-eu-central-1.sales.joined": {
            "glue producer-eu-central-1.sales.orders",
            "glue consumer-eu-central-1.sales.orders",
        },
        "glue consumer-eu-central-1.sales.through": {"glue producer-eu-central-1.sales.copied"},
        "glue consumer-us-east-1.sales.far": {"glue consumer-us-east-1.sales.orders"},
    }
    assert not ingested.report.failures
    assert not ingested.report.warnings
    schemas = ingested.aspects("schemaMetadata")
    (columns,) = (one["fields"] for urn, one in schemas.items() if "consumer-eu-central-1.sales.orders" in urn)
    assert [field["fieldPath"].rpartition(".")[2] for field in columns] == ["page", "clicks"]


def test_each_catalog_stands_in_its_own_browse_path(recorded: Path, tmp_path: Path) -> None:
    paths = ingest(tmp_path / "out.json", recipe(recorded)).aspects("browsePathsV2")
    (path,) = (one["path"] for urn, one in paths.items() if "consumer-us-east-1.sales.orders" in urn)
    assert "consumer-us-east-1" in path[0]["id"]


def test_an_account_that_cannot_be_read_costs_no_other(recorded: Path, tmp_path: Path) -> None:
    (recorded / "producer" / "eu-central-1" / "snapshot.json").unlink()
    ingested = ingest(tmp_path / "out.json", recipe(recorded))
    assert "glue consumer-us-east-1.sales.far" in ingested.upstreams()
    (failure,) = ingested.report.failures
    assert "producer/eu-central-1: " in "".join(failure.context)


def test_tables_that_become_one_are_told(recorded: Path, tmp_path: Path) -> None:
    report = ingest(tmp_path / "out.json", recipe(recorded, platform_instance="{account_name}")).report
    (warning,) = report.warnings
    assert "consumer/eu-central-1, consumer/us-east-1; give each" in "".join(warning.context)


def test_accounts_may_share_an_instance_where_no_name_is_used_twice(recorded: Path, tmp_path: Path) -> None:
    clicks = {**CLICKS, "DatabaseName": "clicks"}
    record(recorded / "other" / "eu-central-1", CONSUMER, {"clicks": [clicks]})
    accounts = [{"name": name, "regions": ["eu-central-1"]} for name in ("producer", "other")]
    report = ingest(tmp_path / "out.json", recipe(recorded, platform_instance="lake", accounts=accounts)).report
    assert not report.warnings
    assert not report.failures


def test_the_accounts_of_an_organisation(recorded: Path, tmp_path: Path) -> None:
    (recorded / "producer").rename(recorded / PRODUCER)
    members = [("producer", PRODUCER, "ACTIVE"), ("old", "777788889999", "SUSPENDED"), ("other", CONSUMER, "ACTIVE")]
    with RecordingWriter(recorded / "hub", region="eu-central-1", account_id="999900001111") as recording:
        pages: list[dict[str, Any]] = [{"Accounts": [as_listed(*one)]} for one in members]
        for number, page in enumerate(pages):
            more = {"NextToken": f"{number + 1}"} if number + 1 < len(pages) else {}
            recording.add("organizations", "ListAccounts", {"NextToken": f"{number}"} if number else {}, page | more)
    organization = {
        "role_name": "lineage/reader",
        "account_pattern": {"deny": ["other"]},
        "regions": ["eu-central-1"],
        "platform_instance": "{account_name}",
    }
    ingested = ingest(tmp_path / "out.json", recipe(recorded, accounts=[], organization=organization))
    assert ingested.upstreams() == {"glue producer.sales.copied": {"glue producer.sales.orders"}}
    assert not ingested.report.failures


def as_listed(name: str, account: str, state: str) -> dict[str, Any]:
    return {"Id": account, "Name": name, "Status": state, "Arn": f"arn:aws:organizations::1:account/o-x/{account}"}


def test_an_organisation_that_cannot_be_listed(recorded: Path, tmp_path: Path) -> None:
    with RecordingWriter(recorded / "hub", region="eu-central-1", account_id="999900001111") as recording:
        denied = {"__type": "AccessDeniedException", "Message": "You don't have permissions to access this resource."}
        recording.add("organizations", "ListAccounts", {}, denied, status=400)
    organization = {"role_name": "reader", "regions": ["eu-central-1"]}
    ingested = ingest(tmp_path / "out.json", recipe(recorded, organization=organization))
    assert "glue producer-eu-central-1.sales.copied" in ingested.upstreams()
    (failure,) = ingested.report.failures
    assert "organizations:ListAccounts" in f"{failure.message} {failure.context}"


def test_connection_is_tested_account_by_account(recorded: Path) -> None:
    report = AwsLineageSource.test_connection({**recipe(recorded), **WINDOW})
    assert report.capability_report is not None
    capable = {name: one.capable for name, one in report.capability_report.items()}
    assert capable["producer/eu-central-1: AWS identity"]
    assert capable["consumer/us-east-1: AWS identity"]


# ---- roles, from a server that knows accounts ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def live(endpoint: str, *accounts: tuple[str, str], region: str = "ap-south-1") -> dict[str, Any]:
    hub = boto3.Session("testing", "testing", region_name=region)
    for name, account in accounts:
        role = f"arn:aws:iam::{account}:role/lineage"
        sts = hub.client("sts", endpoint_url=endpoint)
        given = sts.assume_role(RoleArn=role, RoleSessionName="fill")["Credentials"]
        session = boto3.Session(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"], region)
        glue = session.client("glue", endpoint_url=endpoint)
        if not glue.get_databases()["DatabaseList"]:
            glue.create_database(DatabaseInput={"Name": name})
            glue.create_table(
                DatabaseName=name,
                TableInput={
                    "Name": "orders",
                    "StorageDescriptor": {
                        "Columns": [{"Name": "id", "Type": "bigint"}],
                        "Location": f"s3://{name}/orders/",
                    },
                },
            )
    return {
        "aws_config": {
            "aws_region": region,
            "aws_endpoint_url": endpoint,
            "aws_access_key_id": "testing",
            "aws_secret_access_key": "testing",
        },
        "athena": {"include_query_history": False},  # moto lacks BatchGetQueryExecution
        "platform_instance": "{account_id}",
        "accounts": [
            {"name": name, "aws_role": f"arn:aws:iam::{account}:role/lineage", "external_id": "lineage-4711"}
            for name, account in accounts
        ],
        **WINDOW,
    }


def test_roles_are_assumed_and_what_they_read_can_be_recorded(endpoint: str, tmp_path: Path) -> None:
    config = live(endpoint, ("alpha", PRODUCER), ("beta", CONSUMER))
    first = ingest(tmp_path / "live.json", config)
    assert first.upstreams() == {
        f"glue {PRODUCER}.alpha.orders": {"s3 alpha/orders"},
        f"glue {CONSUMER}.beta.orders": {"s3 beta/orders"},
    }
    properties = first.aspects("datasetProperties")
    assert {one["qualifiedName"] for urn, one in properties.items() if ":glue," in urn} == {
        f"arn:aws:glue:ap-south-1:{PRODUCER}:table/alpha/orders",
        f"arn:aws:glue:ap-south-1:{CONSUMER}:table/beta/orders",
    }
    path, folder = tmp_path / "recipe.yml", tmp_path / "recorded"
    path.write_text(yaml.safe_dump({"source": {"type": "aws-lineage", "config": config}}))
    assert cli.main(["record", "-c", str(path), str(folder)]) == 0
    replayed = {key: value for key, value in config.items() if key != "aws_config"} | {"snapshot": str(folder)}
    for account in replayed["accounts"]:
        account["regions"] = ["ap-south-1"]
    second = ingest(tmp_path / "replayed.json", replayed)
    assert without_run(second) == without_run(first)
    kept = b"".join(file.read_bytes() for file in folder.rglob("*") if file.is_file())
    assert b"lineage-4711" not in kept


def without_run(ingested: Ingested) -> list[str]:
    keys = ("entityUrn", "aspectName", "aspect")
    return [json.dumps({key: one[key] for key in keys}, sort_keys=True) for one in ingested.proposals]


def test_a_role_that_cannot_be_assumed_costs_no_other_account(
    endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = live(endpoint, ("alpha", PRODUCER))
    refused = "An error occurred (AccessDenied) when calling the AssumeRole operation"
    config["accounts"].append({"name": "gamma", "aws_role": "not-a-role"})
    with pytest.raises(ValueError, match="aws_role"):
        AwsLineageConfig.model_validate(config)
    config["accounts"][1]["aws_role"] = f"arn:aws:iam::{CONSUMER}:role/refused"
    fetcher_class: Any = AssumeRoleCredentialFetcher
    fetch = fetcher_class._get_credentials

    def refusing(fetcher: Any) -> Any:  # moto's STS never refuses
        if fetcher._role_arn.endswith("/refused"):
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": refused}}, "AssumeRole")
        return fetch(fetcher)

    monkeypatch.setattr(fetcher_class, "_get_credentials", refusing)
    ingested = ingest(tmp_path / "out.json", config)
    assert f"glue {PRODUCER}.alpha.orders" in ingested.upstreams()
    failures = "".join("".join(one.context) for one in ingested.report.failures)
    assert "gamma/ap-south-1: Glue Data Catalog: No session: AssumeRole failed: AccessDenied" in failures
