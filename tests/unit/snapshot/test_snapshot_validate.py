"""Validation: each kind of problem is found, with its place; and nothing is found where there is none."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from datahub_aws_lineage.errors import SnapshotError
from datahub_aws_lineage.snapshot import RecordingWriter, validate

MOMENT = datetime(2024, 3, 1, tzinfo=timezone.utc)
TABLE = {
    "Name": "orders",
    "DatabaseName": "sales",
    "CreateTime": MOMENT,
    "Retention": 0,
    "Parameters": {"classification": "parquet"},
    "StorageDescriptor": {"Columns": [{"Name": "id", "Type": "bigint"}], "Compressed": False},
    "IsRegisteredWithLakeFormation": True,
    "Description": None,
}
GET_TABLE = {"DatabaseName": "sales", "Name": "orders"}
LISTING = (
    '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>bkt</Name><KeyCount>1</KeyCount>'
    "<IsTruncated>false</IsTruncated><Contents><Key>k</Key><LastModified>2024-03-01T00:00:00.000Z</LastModified>"
    "<Size>3</Size><Owner><ID>x</ID></Owner><StorageClass>STANDARD</StorageClass></Contents></ListBucketResult>"
)
IDENTITY = (
    "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::1:root</Arn><UserId>1</UserId>"
    "<Account>1</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"
)
CLUSTERS = (
    '<DescribeClustersResponse xmlns="http://redshift.amazonaws.com/doc/2012-12-01/"><DescribeClustersResult><Clusters>'
    "<Cluster><ClusterIdentifier>c</ClusterIdentifier><Encrypted>true</Encrypted><NumberOfNodes>2</NumberOfNodes>"
    "<Tags><Tag><Key>k</Key><Value>v</Value></Tag></Tags></Cluster></Clusters></DescribeClustersResult>"
    "<ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></DescribeClustersResponse>"
)


def problems(
    folder: Path, service: str, operation: str, request: Mapping[str, Any], body: Any, **rest: Any
) -> list[str]:
    with RecordingWriter(folder, region="eu-central-1") as recording:
        recording.add(service, operation, request, body, **rest)
    return validate(folder)


def test_a_sound_recording_has_none(tmp_path: Path) -> None:
    missing = {"__type": "EntityNotFoundException", "Message": "no"}
    sql = {"Sql": "select 1", "Database": "dev", "WorkgroupName": "www"}
    rows = {
        "Records": [[{"stringValue": "a"}, {"longValue": 1}, {"doubleValue": 1}, {"isNull": True}]],
        "TotalNumRows": 1,
    }
    with RecordingWriter(tmp_path, region="eu-central-1") as recording:
        recording.add("glue", "GetTable", GET_TABLE, {"Table": TABLE})
        recording.add("glue", "GetTable", {**GET_TABLE, "Name": "x"}, missing, status=400)
        recording.add("glue", "GetDatabases", {}, {"DatabaseList": [{"Name": "a"}], "NextToken": "2"})
        recording.add("glue", "GetDatabases", {"NextToken": "2"}, {"DatabaseList": []})
        recording.add("redshift-data", "ExecuteStatement", sql, {"Id": "i", "CreatedAt": 1.5})
        recording.add("redshift-data", "DescribeStatement", {"Id": "i"}, {"Id": "i", "Status": "STARTED"})
        recording.add("redshift-data", "DescribeStatement", {"Id": "i"}, {"Id": "i", "Status": "FINISHED"})
        recording.add("redshift-data", "GetStatementResult", {"Id": "i"}, rows)
        recording.add("s3", "ListObjectsV2", {"Bucket": "bkt"}, LISTING)
        recording.add(
            "s3", "GetBucketLocation", {"Bucket": "bkt"}, "<LocationConstraint>eu-central-1</LocationConstraint>"
        )
        recording.add("s3", "GetObject", {"Bucket": "bkt", "Key": "k"}, gzip.compress(b"x"))
        recording.add("s3", "HeadObject", {"Bucket": "bkt", "Key": "x"}, "", status=404)
        recording.add("sts", "GetCallerIdentity", {}, IDENTITY)
        recording.add("redshift", "DescribeClusters", {}, CLUSTERS)
        recording.add("cloudtrail", "LookupEvents", {"StartTime": MOMENT}, {"Events": [{"EventTime": MOMENT}]})
        tags = {"LFTagOnDatabase": [{"TagKey": "k", "TagValues": ["v"]}]}
        recording.add("lakeformation", "GetResourceLFTags", {"Resource": {"Catalog": {}}}, tags)
    assert validate(tmp_path) == []


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"Nmae": "x"}, "body.Table.Nmae is no member of Table"),
        ({"Name": 1}, "body.Table.Name is a number, not a string"),
        ({"Name": None}, "body.Table lacks Name, which Table always has"),
        ({"Retention": "0"}, "body.Table.Retention is a string, not a integer"),
        ({"Retention": True}, "body.Table.Retention is a boolean, not a integer"),
        ({"CreateTime": "2024-03-01"}, "CreateTime is a string, not a timestamp (seconds since the epoch)"),
        ({"Parameters": {"a": 1}}, "body.Table.Parameters.a is a number, not a string"),
        ({"Parameters": []}, "body.Table.Parameters is a list, not a map"),
        ({"PartitionKeys": {}}, "body.Table.PartitionKeys is an object, not a list"),
        ({"StorageDescriptor": "s"}, "body.Table.StorageDescriptor is a string, not a structure"),
        ({"PartitionKeys": [{"Name": "a", "Tpye": "b"}]}, "body.Table.PartitionKeys[0].Tpye is no member of Column"),
    ],
)
def test_json_answers(tmp_path: Path, change: dict[str, Any], problem: str) -> None:
    found = problems(tmp_path, "glue", "GetTable", GET_TABLE, {"Table": {**TABLE, **change}})
    assert len([text for text in found if "cannot be read" not in text]) == 1
    assert found[0].startswith("glue/GetTable, exchange 1: ")
    assert problem in found[0]


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("<Key>k</Key>", "<Kye>k</Kye>", "body/Contents/Kye is no member of Object"),
        ("<Size>3</Size>", "<Size>big</Size>", "body/Contents/Size is 'big', not a long"),
        ("<IsTruncated>false", "<IsTruncated>no", "body/IsTruncated is 'no', not a boolean"),
        ("STANDARD", "COLDEST", "body/Contents/StorageClass is 'COLDEST', which is not one of STANDARD"),
        ("2024-03-01T00", "yesterday", "body/Contents/LastModified is 'yesterday"),
        ("</ListBucketResult>", "", "cannot be read"),
    ],
)
def test_xml_answers(tmp_path: Path, old: str, new: str, problem: str) -> None:
    found = problems(tmp_path, "s3", "ListObjectsV2", {"Bucket": "bkt"}, LISTING.replace(old, new))
    assert any(problem in text for text in found)


def test_query_answers(tmp_path: Path) -> None:
    broken = CLUSTERS.replace("<Value>v</Value>", "<Wert>v</Wert>").replace("<NumberOfNodes>2", "<NumberOfNodes>two")
    found = problems(tmp_path, "redshift", "DescribeClusters", {}, broken)
    assert any("Clusters/Cluster/Tags/Tag/Wert is no member of Tag" in text for text in found)
    assert any("Clusters/Cluster/NumberOfNodes is 'two', not a integer" in text for text in found)


@pytest.mark.parametrize(
    ("service", "operation", "request_", "body", "status", "problem"),
    [
        ("glue", "GetDatabasez", {}, {}, 200, "glue has no operation GetDatabasez"),
        ("glu", "GetDatabases", {}, {}, 200, "botocore knows no service glu"),
        ("glue", "GetTable", {"Name": "t"}, {}, 200, 'Missing required parameter in input: "DatabaseName"'),
        ("glue", "GetTable", {**GET_TABLE, "Extra": 1}, {}, 200, 'Unknown parameter in input: "Extra"'),
        ("glue", "GetTable", {**GET_TABLE, "Name": 5}, {}, 200, "Invalid type for parameter Name"),
        ("glue", "GetTable", GET_TABLE, {"Message": "no"}, 400, "an error without a code"),
        ("glue", "GetTable", GET_TABLE, {}, 99, "status is 99"),
        ("glue", "GetTable", GET_TABLE, "<html>", 200, "cannot be read"),
        ("glue", "GetTable", GET_TABLE, [], 200, "body is a list, not a structure"),
        (
            "redshift-data",
            "DescribeStatement",
            {"Id": "i"},
            {"Id": "i", "Status": "DONE"},
            200,
            "'DONE', which is not one",
        ),
        ("redshift-data", "DescribeStatement", {"Id": "i"}, {"Id": "i", "Status": "PICKED"}, 200, "polls without end"),
        (
            "redshift-data",
            "GetStatementResult",
            {"Id": "i"},
            {"Records": [[{"stringValue": "a", "longValue": 1}]]},
            200,
            "body.Records[0][0] has 2 members, and Field is one of several",
        ),
        (
            "athena",
            "ListWorkGroups",
            {},
            {"WorkGroups": [], "NextToken": "n"},
            200,
            "the page after {} is not recorded",
        ),
        (
            "s3",
            "ListObjectsV2",
            {"Bucket": "bkt"},
            LISTING.replace("<KeyCount>", "<NextContinuationToken>n</NextContinuationToken><KeyCount>"),
            200,
            "is not recorded (ContinuationToken 'n')",
        ),
    ],
)
def test_other_problems(
    tmp_path: Path, service: str, operation: str, request_: dict[str, Any], body: Any, status: int, problem: str
) -> None:
    found = problems(tmp_path, service, operation, request_, body, status=status)
    assert any(problem in text for text in found), found


def test_a_credential_added_by_hand_is_found(tmp_path: Path) -> None:
    assert problems(tmp_path, "glue", "GetTable", GET_TABLE, {"Table": TABLE}) == []
    path = tmp_path / "glue" / "GetTable.jsonl"
    path.write_text(path.read_text().replace('"classification": "parquet"', '"password": "hunter2"'))
    assert validate(tmp_path) == ["glue/GetTable, exchange 1: body: holds what looks like a credential"]


def test_a_missing_object_is_found(tmp_path: Path) -> None:
    request = {"Bucket": "bkt", "Key": "k"}
    assert problems(tmp_path, "s3", "GetObject", request, b"\xff") == []
    next(tmp_path.glob("objects/*")).unlink()
    assert any("cannot be read" in text for text in validate(tmp_path))


def test_a_folder_that_is_no_recording_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SnapshotError):
        validate(tmp_path)
