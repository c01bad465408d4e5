"""An account is recorded by a recipe, and the recording gives what the account gave.

Real: HTTP, botocore, the readers, the recorder, DataHub's pipeline. moto keeps the Glue catalog and the S3 bucket.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
import yaml
from moto.server import ThreadedMotoServer
from small_account import WINDOW, Ingested, ingest

if TYPE_CHECKING:
    from mypy_boto3_glue.type_defs import StorageDescriptorTypeDef

from datahub_aws_lineage import cli

REGION = "eu-west-3"  # moto keeps a catalog a region: tests elsewhere in the process do not meet this one
KEY, SECRET = "testing", "not-to-be-recorded"
LOG = """\
'2026-03-02T04:00:00Z UTC [ db=dev user=etl pid=7 userid=101 xid=1 ]' LOG: COPY public.orders FROM 's3://lake/orders/';
'2026-03-02T04:01:00Z UTC [ db=dev user=etl pid=7 userid=101 xid=2 ]' LOG: INSERT INTO report SELECT id FROM orders;
"""
LOG_KEY = "AWSLogs/123456789012/redshift/eu-west-3/2026/03/02/123456789012_redshift_eu-west-3_c_useractivitylog_x.gz"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    fill(boto3.Session(KEY, SECRET, region_name=REGION), endpoint)
    yield endpoint
    server.stop()


def fill(session: boto3.Session, endpoint: str) -> None:
    glue = session.client("glue", endpoint_url=endpoint)
    glue.create_database(DatabaseInput={"Name": "sales"})
    storage: StorageDescriptorTypeDef = {
        "Columns": [{"Name": "id", "Type": "bigint"}, {"Name": "net", "Type": "double"}],
        "Location": "s3://lake/orders/",
    }
    glue.create_table(DatabaseName="sales", TableInput={"Name": "orders", "StorageDescriptor": storage})
    s3 = session.client("s3", endpoint_url=endpoint)
    s3.create_bucket(Bucket="audit", CreateBucketConfiguration={"LocationConstraint": "eu-west-3"})
    s3.put_object(Bucket="audit", Key=LOG_KEY, Body=gzip.compress(LOG.encode()))


def settings(endpoint: str) -> dict[str, Any]:
    warehouse = {"name": "ledger", "query_logs": [{"type": "audit_log", "bucket": "audit"}]}
    return {
        "aws_config": {
            "aws_region": REGION,
            "aws_endpoint_url": endpoint,
            "aws_access_key_id": KEY,
            "aws_secret_access_key": SECRET,
        },
        "athena": {"include_query_history": False},  # moto lacks BatchGetQueryExecution
        "redshift": [warehouse],
        **WINDOW,
    }


def write_recipe(path: Path, config: dict[str, Any]) -> Path:
    path.write_text(yaml.safe_dump({"source": {"type": "aws-lineage", "config": config}}))
    return path


def without_run(ingested: Ingested) -> list[Any]:
    return [{key: one[key] for key in ("entityUrn", "aspectName", "aspect")} for one in ingested.proposals]


def test_a_recording_gives_what_the_account_gave(
    endpoint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = settings(endpoint)
    folder = tmp_path / "account"
    assert cli.main(["record", "-c", str(write_recipe(tmp_path / "recipe.yml", config)), str(folder)]) == 0
    assert f"answers of AWS recorded to {folder}" in capsys.readouterr().out
    live = ingest(tmp_path / "live.json", config)
    del config["aws_config"]
    replayed = ingest(tmp_path / "replayed.json", {**config, "snapshot": str(folder)})
    assert without_run(replayed) == without_run(live)
    assert live.upstreams()["redshift dev.public.report"] == {"redshift dev.public.orders"}
    assert live.upstreams()["redshift dev.public.orders"] == {"s3 lake/orders"}
    assert not live.report.failures
    assert not replayed.report.failures


def test_no_secret_is_recorded(endpoint: str, tmp_path: Path) -> None:
    folder = tmp_path / "account"
    cli.main(["record", "-c", str(write_recipe(tmp_path / "recipe.yml", settings(endpoint))), str(folder)])
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert json.loads((folder / "snapshot.json").read_text())["region"] == REGION
    assert not [path for path in files if b"not-to-be-recorded" in path.read_bytes()]


def test_what_cannot_be_read_is_said(endpoint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = settings(endpoint)
    config["redshift"][0]["query_logs"][0]["bucket"] = "no-such-bucket"
    assert cli.main(["record", "-c", str(write_recipe(tmp_path / "r.yml", config)), str(tmp_path / "account")]) == 0
    assert "no-such-bucket" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"snapshot": "x"}, "snapshot replays a recording"),
        ({"unknown": 1}, "unknown"),
        ({"aws_config": {"aws_profile": "no-such-profile"}}, "no-such-profile"),
    ],
)
def test_a_recipe_that_cannot_be_recorded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], config: dict[str, Any], says: str
) -> None:
    recipe = write_recipe(tmp_path / "recipe.yml", config)
    assert cli.main(["record", "-c", str(recipe), str(tmp_path / "account")]) == 1
    assert says in capsys.readouterr().err


def test_a_recipe_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["record", "-c", str(tmp_path / "gone.yml"), str(tmp_path / "account")]) == 1
    assert "gone.yml" in capsys.readouterr().err
