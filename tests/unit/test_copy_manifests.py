"""COPY … MANIFEST reads the files that the manifest lists."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

import pytest
from datahub.ingestion.run.pipeline import Pipeline
from moto import mock_aws
from redshift_samples import Notes, test_session
from warehouse_story import Warehouse

from datahub_aws_lineage.aws import copy_manifests
from datahub_aws_lineage.aws.clients import Clients
from datahub_aws_lineage.aws.copy_manifests import CopyManifests
from datahub_aws_lineage.model.names import S3Location
from datahub_aws_lineage.model.queries import QueryRecord, SqlContext
from datahub_aws_lineage.readers import copied_manifests

TABLES = {"dev.public.orders": "id amount", "dev.public.sales": "no total"}
ROLE = "IAM_ROLE 'arn:aws:iam::111122223333:role/r'"
COPY = f"COPY sales FROM 's3://jobs/run-7/load.manifest' {ROLE} MANIFEST CSV"


def listing(*urls: str) -> str:
    return json.dumps({"entries": [{"url": url, "mandatory": True} for url in urls]})


@pytest.fixture
def clients() -> Iterator[Clients]:
    with mock_aws():
        clients = Clients(test_session())
        clients.client("s3").create_bucket(
            Bucket="jobs", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
        )
        yield clients


def edges(clients: Clients, manifest: str | None, *before: str, copy: str = COPY) -> set[str]:
    if manifest is not None:
        clients.client("s3").put_object(Bucket="jobs", Key="run-7/load.manifest", Body=manifest.encode())
    files = CopyManifests(clients, Notes()).files
    found = Warehouse(TABLES, files).run(*before, copy).edges
    return {edge for edge in found if "-> public.sales" in edge}


def test_what_is_listed_is_what_was_loaded(clients: Clients) -> None:
    manifest = listing("s3://lake/in/dt=2026-03-01/part-0.csv", "s3://lake/in/dt=2026-03-01/part-1.csv")
    assert edges(clients, manifest) == {"lake/in:no -> public.sales:no", "lake/in:total -> public.sales:total"}


def test_files_of_several_folders_are_several_upstreams(clients: Clients) -> None:
    assert edges(clients, listing("s3://lake/a/0.csv", "s3://lake/b/0.csv", "s3://lake/a/1.csv")) == {
        f"lake/{folder}:{column} -> public.sales:{column}" for folder in "ab" for column in ("no", "total")
    }


def test_files_that_an_unload_wrote_are_read_by_position(clients: Clients) -> None:
    unload = f"UNLOAD ('SELECT id, amount FROM orders') TO 's3://lake/out/' {ROLE} MANIFEST"
    assert edges(clients, listing("s3://lake/out/0000_part_00"), unload) == {
        "lake/out:id -> public.sales:no",
        "lake/out:amount -> public.sales:total",
    }


IN_ITS_FOLDER = {"jobs/run-7:no -> public.sales:no", "jobs/run-7:total -> public.sales:total"}


@pytest.mark.parametrize(
    ("manifest", "reason"),
    [
        (None, "gone"),
        ("not JSON", "malformed"),
        ("[]", "malformed"),
        ('{"entries": [{"key": "x"}]}', "malformed"),
        ('{"entries": 7}', "malformed"),
    ],
)
def test_a_manifest_that_cannot_be_read_stands_for_its_folder(
    clients: Clients, manifest: str | None, reason: str
) -> None:
    assert edges(clients, manifest) == IN_ITS_FOLDER
    notes = Notes()
    assert CopyManifests(clients, notes).files(S3Location("s3://jobs/run-7/load.manifest")) == ()
    assert [(skip[0], skip[1]) for skip in notes.skips] == [(reason, "copy manifest")]


def test_an_empty_manifest_stands_for_its_folder(clients: Clients) -> None:
    assert edges(clients, '{"entries": []}') == IN_ITS_FOLDER


def test_a_bucket_that_is_gone(clients: Clients) -> None:
    notes = Notes()
    assert CopyManifests(clients, notes).files(S3Location("s3://elsewhere/x.manifest")) == ()
    assert notes.skips == [("gone", "copy manifest", "s3://elsewhere/x.manifest")]


def test_a_manifest_of_great_length_is_not_read(clients: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copy_manifests, "MAX_BYTES", 20)
    assert edges(clients, listing("s3://lake/in/0.csv")) == IN_ITS_FOLDER


def test_each_manifest_is_read_once(clients: Clients) -> None:
    notes = Notes()
    clients.client("s3").put_object(Bucket="jobs", Key="x.manifest", Body=listing("s3://lake/in/0.csv").encode())
    manifests = CopyManifests(clients, notes)
    for _ in range(3):
        assert manifests.files(S3Location("s3://jobs/x.manifest")) == (S3Location("s3://lake/in/"),)
    assert notes.counts == {"copy manifests": 1}


def test_a_copy_without_the_option_reads_no_manifest(clients: Clients) -> None:
    plain = COPY.replace("MANIFEST", "")
    assert edges(clients, listing("s3://lake/in/0.csv"), copy=plain) == IN_ITS_FOLDER


def test_the_manifests_that_a_recording_needs() -> None:
    def named(text: str, *, succeeded: bool = True) -> list[str]:
        context = SqlContext("redshift", "dev", "public", ("public",))
        at = datetime(2026, 3, 1, tzinfo=timezone.utc)
        record = QueryRecord("1", text, context, at, "test", succeeded=succeeded)
        return [location.uri for location in copied_manifests(record)]

    assert named(f"TRUNCATE sales; {COPY}") == ["s3://jobs/run-7/load.manifest"]
    assert named(COPY, succeeded=False) == []
    assert named(COPY.replace(" MANIFEST", "")) == []


@pytest.mark.parametrize(("asked", "source"), [(True, "lake/in"), (False, "jobs/run-7")])
def test_a_run_reads_manifests_where_the_recipe_says_so(
    clients: Clients, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: bool, source: str
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    clients.client("s3").put_object(
        Bucket="jobs", Key="run-7/load.manifest", Body=listing("s3://lake/in/0.csv").encode()
    )
    log, output = tmp_path / "log.csv", tmp_path / "out.json"
    log.write_text(f'query_text,start_time,database_name\n"{COPY}",2026-03-02 04:00:00,dev\n')
    warehouse = {"name": "w", "query_logs": [{"type": "file", "path": str(log)}], "read_copy_manifests": asked}
    recipe = {
        "aws_config": {"aws_region": "eu-central-1"},
        "glue": {"enabled": False},
        "athena": {"enabled": False},
        "start_time": "2026-03-02T00:00:00Z",
        "end_time": "2026-03-03T00:00:00Z",
        "redshift": [warehouse],
    }
    pipeline = Pipeline.create(
        {
            "source": {"type": "aws-lineage", "config": recipe},
            "sink": {"type": "file", "config": {"filename": str(output)}},
        },
        report_to=None,
    )
    pipeline.run()
    pipeline.raise_from_status(raise_warnings=True)
    assert f"urn:li:dataset:(urn:li:dataPlatform:s3,{source},PROD)" in output.read_text()
