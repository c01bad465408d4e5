"""Queries that were started in Athena, from CloudTrail's records of the call `StartQueryExecution`.

Sources: AWS CloudTrail User Guide, "CloudTrail record contents" and "CloudTrail userIdentity element"; Amazon Athena
User Guide, "Log Amazon Athena API calls with AWS CloudTrail". A record says who ran a query, which Athena's own history
does not. It says nothing of how the query ended, and Athena hides the text (`***OMITTED***`) from it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from datahub_aws_lineage.errors import MalformedError
from datahub_aws_lineage.model.ports import Diagnostics
from datahub_aws_lineage.model.queries import TimeWindow

EVENT_SOURCE = "athena.amazonaws.com"
EVENT_NAME = "StartQueryExecution"

# Athena writes ***OMITTED***, other services HIDDEN_DUE_TO_SECURITY_REASONS, <sensitiveDataRemoved> or stars alone.
# A marker is the whole value, so that no statement that merely mentions such a word is taken for hidden.
_HIDDEN = re.compile(
    r"\s*(?:\*+|[*<\[(]*(?:omitted|redacted|masked|hidden(?:[ _]due[ _]to[ _]security[ _]reasons)?"
    r"|sensitive[ _]?data[ _]?removed)[*>\])]*)?\s*",
    re.IGNORECASE,
)
_PARTITION = re.compile(r"arn:([a-z-]+):")


@dataclass(frozen=True, slots=True)
class StartedQuery:
    """One query that Athena accepted.

    `started_at` is when the call was answered, in UTC. `principal` is the ARN of who called, or the clearest name that
    the record has; `issuer` is the ARN behind a session (the role that was assumed), `source_identity` the name that
    the session was given for audits, `identity_center_user` the id of the person on whose behalf it acts.
    `invoked_by` is the AWS service that passed the call on (`quicksight.amazonaws.com`).

    `text` is None where CloudTrail hides it, `execution_parameters` are empty where it hides any of them.
    `work_group` None stands for `primary`, unless `request_omitted`: CloudTrail leaves out the parameters of a request
    beyond 100 KB, and then text, names and work group are not known.
    """

    query_id: str
    started_at: datetime
    principal: str
    invoked_by: str | None
    text: str | None
    catalog: str | None
    database: str | None
    work_group: str | None
    output_location: str | None
    execution_parameters: tuple[str, ...]
    account_id: str
    region: str
    event_id: str | None = None
    issuer: str | None = None
    source_identity: str | None = None
    identity_center_user: str | None = None
    request_omitted: bool = False


def started_query(event: Mapping[str, Any]) -> StartedQuery | None:
    """The query that a record tells of; None for other calls, and for calls that were refused: nothing ran.

    Raises MalformedError where a time, a caller, an account or a region is missing. It never quotes the query.
    """
    query_id = _text(_part(event, "responseElements").get("queryExecutionId"))
    is_start = event.get("eventSource") == EVENT_SOURCE and event.get("eventName") == EVENT_NAME
    if not is_start or event.get("errorCode") or query_id is None:
        return None
    identity = _part(event, "userIdentity")
    session = _part(identity, "sessionContext")
    request = _part(event, "requestParameters")
    context = _part(request, "queryExecutionContext")
    return StartedQuery(
        query_id=query_id,
        started_at=_time(event.get("eventTime")),
        principal=_principal(identity),
        invoked_by=_text(identity.get("invokedBy")),
        # Records of Athena's first years have `query`, and the text in full.
        text=_shown(request.get("queryString")) or _shown(request.get("query")),
        catalog=_text(context.get("catalog")),
        database=_text(context.get("database")),
        work_group=_text(request.get("workGroup")),
        output_location=_text(_part(request, "resultConfiguration").get("outputLocation")),
        execution_parameters=_parameters(request.get("executionParameters")),
        account_id=_required("recipientAccountId", event.get("recipientAccountId") or identity.get("accountId")),
        region=_required("awsRegion", event.get("awsRegion")),
        event_id=_text(event.get("eventID")),
        issuer=_text(_part(session, "sessionIssuer").get("arn")),
        source_identity=_text(session.get("sourceIdentity")),
        identity_center_user=_text(_part(identity, "onBehalfOf").get("userId")),
        # Every request has a text and a token: one without any parameter was cut.
        request_omitted=not request or bool(request.get("omitted")),
    )


class StartedQueries:
    """Takes records one by one, keeps those within the window, and reports what it leaves out."""

    def __init__(self, diagnostics: Diagnostics, window: TimeWindow) -> None:
        self._diagnostics = diagnostics
        self._window = window

    def take(self, event: object, name: str) -> StartedQuery | None:
        """The query that `event` tells of, if it counts. `name` is what the event is called if it is malformed."""
        if not isinstance(event, Mapping):
            self._diagnostics.skipped("malformed", "cloudtrail event", f"{name}: no JSON object")
            return None
        try:
            started = started_query(event)
        except MalformedError as e:
            self._diagnostics.skipped("malformed", "cloudtrail event", f"{_text(event.get('eventID')) or name}: {e}")
            return None
        if started is not None and started.started_at not in self._window:
            self._diagnostics.skipped("outside_window", "cloudtrail event", started.query_id)
            return None
        return started


def _principal(identity: Mapping[str, Any]) -> str:
    """Who called: the ARN where there is one, which is so for users, roles, federated users and the root user.

    A person of IAM Identity Center has the ARN that IAM policies give to them. What has no ARN at all is named by
    service (`AWSService`), `<identity provider>:<user>` (`SAMLUser`, `WebIdentityUser`) or `<account>:<principal id>`
    (`AWSAccount`).
    """
    if not identity:
        raise MalformedError("no userIdentity")
    person = _text(_part(identity, "onBehalfOf").get("userId"))
    name = _text(identity.get("userName"))
    principal_id = _text(identity.get("principalId"))
    candidates = (
        _text(identity.get("arn")),
        _person_arn(identity, person) if person else None,
        _text(_part(_part(identity, "sessionContext"), "sessionIssuer").get("arn")),
        _text(identity.get("invokedBy")) if identity.get("type") == "AWSService" else None,
        _joined(_text(identity.get("identityProvider")), name) if name else None,
        _joined(_text(identity.get("accountId")), principal_id or name),
        _text(identity.get("invokedBy")),
        _text(identity.get("type")),
    )
    return next(filter(None, candidates), "Unknown")


def _person_arn(identity: Mapping[str, Any], user_id: str) -> str:
    store = _PARTITION.match(_text(_part(identity, "onBehalfOf").get("identityStoreArn")) or "")
    return f"arn:{store[1] if store else 'aws'}:identitystore:::user/{user_id}"


def _joined(*parts: str | None) -> str | None:
    return ":".join(part for part in parts if part) or None


def _time(value: object) -> datetime:
    try:
        # Python 3.10 does not read `Z`.
        moment = datetime.fromisoformat(_required("eventTime", value).replace("Z", "+00:00"))
        return moment.replace(tzinfo=moment.tzinfo or timezone.utc).astimezone(timezone.utc)
    except (ValueError, OverflowError) as e:
        raise MalformedError(f"eventTime: {e}") from e


def _parameters(value: object) -> tuple[str, ...]:
    """Empty where any is hidden: they count by position."""
    shown = [_shown(item) for item in value] if isinstance(value, list) else []
    parameters = tuple(item for item in shown if item is not None)
    return parameters if len(parameters) == len(shown) else ()


def _shown(value: object) -> str | None:
    text = _text(value)
    return None if text is None or _HIDDEN.fullmatch(text) else text


def _required(name: str, value: object) -> str:
    text = _text(value)
    if text is None:
        raise MalformedError(f"no {name}")
    return text


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _part(record: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = record.get(name)
    return part if isinstance(part, Mapping) else {}
