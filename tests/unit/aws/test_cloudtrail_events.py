"""CloudTrail records: who called, what is hidden, which calls ran nothing."""

from __future__ import annotations

from datetime import timedelta, timezone
from typing import Any

import pytest
from cloudtrail_samples import (
    ACCOUNT,
    DAY,
    ON_BEHALF_OF,
    PERSON,
    REGION,
    ROLE,
    SESSION_ARN,
    assumed_role,
    event_id,
    other_call,
    query_id,
    record,
    request,
)
from redshift_samples import Notes

from datahub_aws_lineage.aws.cloudtrail_events import StartedQueries, StartedQuery, started_query
from datahub_aws_lineage.errors import MalformedError
from datahub_aws_lineage.model.queries import TimeWindow


def started(**changes: Any) -> StartedQuery:
    query = started_query(record(**changes))
    assert query is not None
    return query


def by(identity: dict[str, Any]) -> StartedQuery:
    return started(userIdentity=identity)


def test_a_record_of_today() -> None:
    assert started_query(record()) == StartedQuery(
        query_id=query_id(1),
        started_at=DAY + timedelta(hours=1),
        principal=SESSION_ARN,
        invoked_by=None,
        text=None,
        catalog="AwsDataCatalog",
        database="sales",
        work_group="analytics",
        output_location="s3://amzn-s3-demo-bucket/results/",
        execution_parameters=(),
        account_id=ACCOUNT,
        region=REGION,
        event_id=event_id(1),
        issuer=f"arn:aws:iam::{ACCOUNT}:role/Analyst",
    )


def test_a_record_of_2017() -> None:
    """The Athena guide's own example of then: no work group, no context, and the text under `query`."""
    query = started(
        eventVersion="1.05",
        requestParameters={
            "clientRequestToken": "16bc6e70-f972-4260-b18a-db1b623cb35c",
            "resultConfiguration": {"outputLocation": "s3://athena-johndoe-test/test/"},
            "query": "Select 10",
        },
    )

    assert query.text == "Select 10"
    assert (query.catalog, query.database, query.work_group) == (None, None, None)
    assert not query.request_omitted


class TestWhoCalled:
    @pytest.mark.parametrize(
        ("kind", "arn"),
        [
            ("IAMUser", f"arn:aws:iam::{ACCOUNT}:user/Alice"),
            ("Root", f"arn:aws:iam::{ACCOUNT}:root"),
            ("Role", f"arn:aws:iam::{ACCOUNT}:role/Analyst"),
            ("FederatedUser", f"arn:aws:sts::{ACCOUNT}:federated-user/Alice"),
            ("AssumedRole", f"arn:aws-cn:sts::{ACCOUNT}:assumed-role/Analyst/session"),
        ],
    )
    def test_an_arn_is_kept(self, kind: str, arn: str) -> None:
        query = by({"type": kind, "principalId": "AIDAJ45Q7YFFAREXAMPLE", "arn": arn, "accountId": ACCOUNT})

        assert (query.principal, query.invoked_by, query.issuer) == (arn, None, None)

    def test_a_federated_user_has_the_user_behind_it(self) -> None:
        user = f"arn:aws:iam::{ACCOUNT}:user/broker"
        query = by(
            {
                "type": "FederatedUser",
                "arn": f"arn:aws:sts::{ACCOUNT}:federated-user/Alice",
                "sessionContext": {"sessionIssuer": {"type": "IAMUser", "arn": user}},
            }
        )

        assert (query.principal, query.issuer) == (f"arn:aws:sts::{ACCOUNT}:federated-user/Alice", user)

    def test_a_service_on_a_users_behalf(self) -> None:
        query = by(assumed_role(invokedBy="quicksight.amazonaws.com"))

        assert (query.principal, query.invoked_by) == (SESSION_ARN, "quicksight.amazonaws.com")

    def test_a_session_may_say_whose_it_is(self) -> None:
        identity = assumed_role(onBehalfOf=ON_BEHALF_OF)
        identity["sessionContext"]["sourceIdentity"] = "ann"
        query = by(identity)

        assert (query.principal, query.source_identity, query.identity_center_user) == (SESSION_ARN, "ann", PERSON)

    def test_a_session_without_its_arn_has_its_roles(self) -> None:
        identity = assumed_role()
        del identity["arn"]

        assert by(identity).principal == ROLE["arn"]

    @pytest.mark.parametrize(
        ("identity", "principal"),
        [
            ({"type": "AWSService", "invokedBy": "quicksight.amazonaws.com"}, "quicksight.amazonaws.com"),
            (
                {"type": "AWSAccount", "principalId": "AIDAQRSTUVWXYZEXAMPLE:session", "accountId": "999988887777"},
                "999988887777:AIDAQRSTUVWXYZEXAMPLE:session",
            ),
            (
                {
                    "type": "SAMLUser",
                    "principalId": "SampleUkh1i4+ExamplexL/jEvs=:SamlExample",
                    "userName": "SamlExample",
                    "identityProvider": "SampleUkh1i4+ExamplexL/jEvs=",
                },
                "SampleUkh1i4+ExamplexL/jEvs=:SamlExample",
            ),
            (
                {
                    "type": "WebIdentityUser",
                    "principalId": "accounts.google.com:application-id.apps.googleusercontent.com:user-id",
                    "userName": "user-id",
                    "identityProvider": "accounts.google.com",
                },
                "accounts.google.com:user-id",
            ),
            (
                {"type": "IdentityCenterUser", "accountId": ACCOUNT, "onBehalfOf": ON_BEHALF_OF, "credentialId": "x"},
                f"arn:aws:identitystore:::user/{PERSON}",
            ),
            ({"type": "Unknown", "onBehalfOf": ON_BEHALF_OF}, f"arn:aws:identitystore:::user/{PERSON}"),
            (
                {
                    "type": "IdentityCenterUser",
                    "onBehalfOf": {"userId": PERSON, "identityStoreArn": "arn:aws-us-gov:identitystore::1:x"},
                },
                f"arn:aws-us-gov:identitystore:::user/{PERSON}",
            ),
            ({"type": "Directory", "userName": "ann"}, "ann"),
            ({"type": "Unknown", "accountId": ACCOUNT, "principalId": "", "userName": ""}, ACCOUNT),
            ({"type": "Unknown"}, "Unknown"),
        ],
    )
    def test_who_has_no_arn_has_a_name(self, identity: dict[str, Any], principal: str) -> None:
        assert by(identity).principal == principal


class TestHiddenText:
    @pytest.mark.parametrize(
        "text",
        [
            "***OMITTED***",
            "***",
            "HIDDEN_DUE_TO_SECURITY_REASONS",
            "hidden due to security reasons",
            "<sensitiveDataRemoved>",
            "[REDACTED]",
            "",
            "  ",
            None,
            {},
        ],
    )
    def test_a_marker_is_no_text(self, text: object) -> None:
        query = started(requestParameters=request(queryString=text))

        assert query.text is None
        assert query.work_group == "analytics"
        assert not query.request_omitted

    def test_a_missing_text(self) -> None:
        parameters = request()
        del parameters["queryString"]

        assert started(requestParameters=parameters).text is None

    @pytest.mark.parametrize(
        "text",
        [
            "SELECT '***OMITTED***' FROM t",
            "SELECT * FROM hidden",
            "-- OMITTED\nINSERT INTO t SELECT 1",
            "EXECUTE redacted USING 1",
            "SHOW TABLES",
        ],
    )
    def test_a_statement_that_mentions_one_is_text(self, text: str) -> None:
        assert started(requestParameters=request(queryString=text)).text == text

    @pytest.mark.parametrize(
        ("given", "kept"),
        [
            (["'x'", "1"], ("'x'", "1")),
            (["''", "'***'", "'omitted'"], ("''", "'***'", "'omitted'")),
            (["'x'", "***OMITTED***"], ()),
            (["'x'", ""], ()),
            ("***OMITTED***", ()),
            (None, ()),
        ],
    )
    def test_parameters_are_shown_all_or_not_at_all(self, given: object, kept: tuple[str, ...]) -> None:
        assert started(requestParameters=request(executionParameters=given)).execution_parameters == kept

    @pytest.mark.parametrize("parameters", [None, {}, {"omitted": True, "originalSize": 131072}])
    def test_a_request_that_was_left_out(self, parameters: object) -> None:
        query = started(requestParameters=parameters)

        assert query.request_omitted
        assert (query.text, query.database, query.work_group, query.output_location) == (None, None, None, None)


class TestWhatIsNoQuery:
    @pytest.mark.parametrize(
        "event",
        [
            {},
            other_call("GetQueryResults"),
            other_call("CreateNamedQuery"),
            record(eventSource="glue.amazonaws.com"),
            record(eventName="StopQueryExecution"),
            record(
                errorCode="InvalidRequestException", errorMessage="Invalid result configuration.", responseElements=None
            ),
            record(errorCode="AccessDenied", responseElements=None, requestParameters=None),
            record(errorCode="ThrottlingException"),
            record(responseElements=None),
            record(responseElements={}),
            record(responseElements={"queryExecutionId": None}),
            record(responseElements="x"),
        ],
    )
    def test_other_and_refused_calls(self, event: dict[str, Any]) -> None:
        assert started_query(event) is None

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"eventTime": None}, "no eventTime"),
            ({"eventTime": "yesterday"}, "eventTime: "),
            ({"eventTime": "0001-01-01T00:00:00+23:59"}, "eventTime: "),
            ({"awsRegion": ""}, "no awsRegion"),
            ({"userIdentity": None}, "no userIdentity"),
            ({"userIdentity": {"type": "AWSService"}, "recipientAccountId": None}, "no recipientAccountId"),
        ],
    )
    def test_malformed_records(self, change: dict[str, Any], message: str) -> None:
        with pytest.raises(MalformedError, match=message):
            started_query(record(**change))

    def test_the_callers_account_stands_in_for_the_recipients(self) -> None:
        """`recipientAccountId` is optional, and queries run in the account of who starts them."""
        assert started(recipientAccountId=None).account_id == ACCOUNT


@pytest.mark.parametrize("written", ["2026-05-02T03:00:00+02:00", "2026-05-02 01:00:00", "2026-05-02T01:00:00.000Z"])
def test_times_are_utc(written: str) -> None:
    moment = started(eventTime=written).started_at

    assert moment == DAY + timedelta(hours=1)
    assert moment.tzinfo is timezone.utc


def test_events_outside_the_window_and_malformed_ones_are_counted() -> None:
    notes = Notes()
    queries = StartedQueries(notes, TimeWindow(DAY, DAY + timedelta(days=1)))

    assert queries.take(record(1, at=DAY), "a") is not None
    assert queries.take(record(2, at=DAY + timedelta(days=1)), "b") is None
    assert queries.take(record(3, eventTime=None), "c") is None
    assert queries.take({**record(4, eventTime=None), "eventID": None}, "d") is None
    assert queries.take(["no", "object"], "e") is None
    assert queries.take(other_call(), "f") is None
    assert notes.skips == [
        ("outside_window", "cloudtrail event", query_id(2)),
        ("malformed", "cloudtrail event", f"{event_id(3)}: no eventTime"),
        ("malformed", "cloudtrail event", "d: no eventTime"),
        ("malformed", "cloudtrail event", "e: no JSON object"),
    ]
