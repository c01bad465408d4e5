"""CloudTrail records of Athena's StartQueryExecution, in the forms of AWS's guides and of published records."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from redshift_samples import utc

ACCOUNT = "111122223333"
REGION = "eu-central-1"
DAY = utc(2026, 5, 2)
ROLE = {
    "type": "Role",
    "principalId": "AROAIDPPEZS35WEXAMPLE",
    "arn": f"arn:aws:iam::{ACCOUNT}:role/Analyst",
    "accountId": ACCOUNT,
    "userName": "Analyst",
}
SESSION_ARN = f"arn:aws:sts::{ACCOUNT}:assumed-role/Analyst/ann@example.com"
PERSON = "544894e8-80c1-707f-60e3-3ba6510dfac1"
ON_BEHALF_OF = {
    "userId": PERSON,
    "identityStoreArn": f"arn:aws:identitystore::{ACCOUNT}:identitystore/d-9067642ac7",
}


def assumed_role(**more: Any) -> dict[str, Any]:
    return {
        "type": "AssumedRole",
        "principalId": "AROAIDPPEZS35WEXAMPLE:ann@example.com",
        "arn": SESSION_ARN,
        "accountId": ACCOUNT,
        "accessKeyId": "",
        "sessionContext": {
            "sessionIssuer": ROLE,
            "webIdFederationData": {},
            "attributes": {"mfaAuthenticated": "false", "creationDate": "2026-05-02T00:30:00Z"},
        },
        **more,
    }


def request(**changes: Any) -> dict[str, Any]:
    return {
        "queryString": "***OMITTED***",
        "clientRequestToken": "16bc6e70-f972-4260-b18a-db1b623cb35c",
        "queryExecutionContext": {"database": "sales", "catalog": "AwsDataCatalog"},
        "resultConfiguration": {"outputLocation": "s3://amzn-s3-demo-bucket/results/"},
        "workGroup": "analytics",
        **changes,
    }


def record(number: int = 1, *, at: datetime = DAY + timedelta(hours=1), **changes: Any) -> dict[str, Any]:
    return {
        "eventVersion": "1.11",
        "userIdentity": assumed_role(),
        "eventTime": f"{at:%Y-%m-%dT%H:%M:%SZ}",
        "eventSource": "athena.amazonaws.com",
        "eventName": "StartQueryExecution",
        "awsRegion": REGION,
        "sourceIPAddress": "203.0.113.7",
        "userAgent": "aws-cli/2.15.0",
        "requestParameters": request(),
        "responseElements": {"queryExecutionId": query_id(number)},
        "requestID": "f5039b01-305f-11e7-b146-c3fc56a7dc7a",
        "eventID": event_id(number),
        "readOnly": False,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": ACCOUNT,
        "eventCategory": "Management",
        **changes,
    }


def query_id(number: int) -> str:
    return f"b621c254-74e0-48e3-9630-{number:012d}"


def event_id(number: int) -> str:
    return f"c97cf8c8-6112-467a-8777-{number:012d}"


def other_call(name: str = "GetQueryResults", source: str = "athena.amazonaws.com") -> dict[str, Any]:
    return record(99, eventName=name, eventSource=source, responseElements=None)
