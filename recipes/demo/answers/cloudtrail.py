"""AWS CloudTrail: who started which query in Athena. It hides the text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from answers.athena import Athena
from answers.company import Account
from answers.wire import page_of


class CloudTrail:
    def __init__(self, account: Account, athena: Athena) -> None:
        self._account = account
        newest_first = sorted(athena.started, key=lambda one: one["Status"]["SubmissionDateTime"], reverse=True)
        self._events = [self._event(one, athena.principals[one["QueryExecutionId"]]) for one in newest_first]

    def answer(self, operation: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        if operation != "LookupEvents":
            raise LookupError(f"{operation} is not among the calls of the readers")
        start, end = (params[name].timestamp() if name in params else None for name in ("StartTime", "EndTime"))
        within = [
            event
            for event in self._events
            if (start is None or start <= event["EventTime"]) and (end is None or event["EventTime"] <= end)
        ]
        page, following = page_of(within, params.get("MaxResults", 50), params.get("NextToken"))
        return {"Events": page} | following

    def _event(self, execution: Mapping[str, Any], principal: str) -> dict[str, Any]:
        at = datetime.fromtimestamp(execution["Status"]["SubmissionDateTime"], timezone.utc)
        key = execution["QueryExecutionId"]
        record = {
            "eventVersion": "1.11",
            "userIdentity": self._identity(principal),
            "eventTime": f"{at:%Y-%m-%dT%H:%M:%SZ}",
            "eventSource": "athena.amazonaws.com",
            "eventName": "StartQueryExecution",
            "awsRegion": self._account.region,
            "requestParameters": {
                "queryString": "***OMITTED***",
                "workGroup": execution["WorkGroup"],
                "queryExecutionContext": {"database": execution["QueryExecutionContext"]["Database"]},
            },
            "responseElements": {"queryExecutionId": key},
            "eventID": f"{key[:-4]}e000",
            "eventType": "AwsApiCall",
            "recipientAccountId": self._account.id,
        }
        return {
            "EventId": record["eventID"],
            "EventName": record["eventName"],
            "EventTime": at.timestamp(),
            "CloudTrailEvent": json.dumps(record),
        }

    def _identity(self, principal: str) -> dict[str, Any]:
        account = self._account.id
        role, _, session = principal.partition("/")
        arn = f"arn:aws:sts::{account}:assumed-role/{principal}"
        issuer = {"type": "Role", "arn": f"arn:aws:iam::{account}:role/{role}", "accountId": account, "userName": role}
        return {
            "type": "AssumedRole",
            "principalId": f"AROAEXAMPLE:{session}",
            "arn": arn,
            "accountId": account,
            "sessionContext": {"sessionIssuer": issuer},
        }
