"""Errors of AWS told apart, and pages followed, against botocore's own clients."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore import exceptions as boto
from botocore.awsrequest import AWSRequest, AWSResponse
from botocore.client import BaseClient
from botocore.compat import HTTPHeaders
from botocore.config import Config
from botocore.stub import Stubber

from datahub_aws_lineage.aws.calls import call, iam_action, paginate
from datahub_aws_lineage.errors import (
    AccessDeniedError,
    AwsLineageError,
    ConfigurationError,
    CredentialsError,
    MalformedError,
    NotFoundError,
    RetriableError,
    SkippableError,
)

SECRET = "FwoGZXIvYXdzEXAMPLETOKEN"


def make_client(service: str, *, attempts: int = 1) -> Any:
    session: Any = boto3.Session(aws_access_key_id="testing", aws_secret_access_key="testing", region_name="eu-west-1")
    return session.client(service, config=Config(retries={"mode": "standard", "total_max_attempts": attempts}))


@pytest.fixture
def glue() -> BaseClient:
    client: BaseClient = make_client("glue")
    return client


@pytest.fixture
def athena() -> BaseClient:
    client: BaseClient = make_client("athena")
    return client


def answer(status: int, body: bytes) -> Callable[..., AWSResponse]:
    """A `before-send` hook that answers every request with `body`, so that botocore parses and retries for real."""

    class Raw:
        def stream(self, **_: object) -> Iterator[bytes]:
            yield body

    def respond(request: AWSRequest, **_: object) -> AWSResponse:
        headers = HTTPHeaders()
        headers["content-type"] = "application/x-amz-json-1.1"
        return AWSResponse(str(request.url), status, headers, Raw())

    return respond


@pytest.mark.parametrize(
    ("code", "message", "status", "expected"),
    [
        ("AccessDeniedException", "no", 400, AccessDeniedError),
        ("403", "Forbidden", 403, AccessDeniedError),
        ("EntityNotFoundException", "Database x not found.", 400, NotFoundError),
        ("InvalidRequestException", "WorkGroup x is not found.", 400, NotFoundError),
        ("InvalidRequestException", "WorkGroup x doesn't exist", 400, NotFoundError),
        ("InvalidRequestException", "Invalid NextToken", 400, SkippableError),
        ("ThrottlingException", "Rate exceeded", 400, RetriableError),
        ("TooManyRequestsException", "slow", 400, RetriableError),
        ("OperationTimeoutException", "timed out", 400, RetriableError),
        ("SomethingNew", "on fire", 503, RetriableError),
        ("SomethingNew", "no", 400, SkippableError),
        ("ExpiredTokenException", "expired", 400, CredentialsError),
        ("UnrecognizedClientException", "invalid token", 403, CredentialsError),
    ],
)
def test_service_errors(
    athena: BaseClient, code: str, message: str, status: int, expected: type[AwsLineageError]
) -> None:
    with Stubber(athena) as stubber:
        stubber.add_client_error("list_work_groups", code, message, http_status_code=status)
        with pytest.raises(AwsLineageError) as caught:
            call(athena, "ListWorkGroups")
    assert type(caught.value) is expected
    assert code in str(caught.value)
    assert "athena:ListWorkGroups" in str(caught.value)


def test_denial_names_the_permission_called(glue: BaseClient) -> None:
    with Stubber(glue) as stubber:
        stubber.add_client_error("get_tables", "AccessDeniedException", "Insufficient Lake Formation permission(s)")
        with pytest.raises(AccessDeniedError) as caught:
            call(glue, "GetTables", DatabaseName="sales")
    assert caught.value.permission == "glue:GetTables"
    assert isinstance(caught.value.__cause__, boto.ClientError)


def test_denial_names_the_permission_that_aws_names() -> None:
    client = make_client("redshift-data")
    text = "User: arn:aws:iam::1:user/u is not authorized to perform: redshift-serverless:GetCredentials on resource: x"
    with Stubber(client) as stubber:
        stubber.add_client_error("execute_statement", "AccessDeniedException", text)
        with pytest.raises(AccessDeniedError) as caught:
            call(client, "ExecuteStatement", Sql="select 1", Database="dev")
    assert caught.value.permission == "redshift-serverless:GetCredentials"


def test_iam_action_where_it_has_another_name_than_the_operation() -> None:
    assert iam_action(make_client("s3"), "ListObjectsV2") == "s3:ListBucket"
    assert iam_action(make_client("s3"), "GetObject") == "s3:GetObject"
    assert iam_action(make_client("redshift-data"), "ExecuteStatement") == "redshift-data:ExecuteStatement"


def test_signature_errors_do_not_carry_the_session_token(glue: BaseClient) -> None:
    with Stubber(glue) as stubber:
        text = f"The Canonical String should have been x-amz-security-token:{SECRET}"
        stubber.add_client_error("get_databases", "SignatureDoesNotMatch", text)
        with pytest.raises(CredentialsError) as caught:
            call(glue, "GetDatabases")
    assert SECRET not in "".join(traceback.format_exception(caught.value))


def test_a_role_that_cannot_be_assumed_is_no_denial_of_the_call(glue: BaseClient) -> None:
    def refuse(**_: object) -> None:
        raise boto.ClientError({"Error": {"Code": "AccessDenied", "Message": "no sts:AssumeRole"}}, "AssumeRole")

    glue.meta.events.register("before-call.glue.GetDatabases", refuse)
    with pytest.raises(CredentialsError, match="AssumeRole failed"):
        call(glue, "GetDatabases")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (boto.NoCredentialsError(), CredentialsError),
        (boto.CredentialRetrievalError(provider="custom-process", error_msg=SECRET), CredentialsError),
        (boto.TokenRetrievalError(provider="sso", error_msg=SECRET), CredentialsError),
        (boto.SSOTokenLoadError(error_msg="Token for x does not exist"), CredentialsError),
        (boto.EndpointConnectionError(endpoint_url="https://glue.eu-west-1.amazonaws.com"), RetriableError),
        (boto.ReadTimeoutError(endpoint_url="https://glue.eu-west-1.amazonaws.com"), RetriableError),
        (boto.ProfileNotFound(profile="nobody"), ConfigurationError),
        (boto.NoRegionError(), ConfigurationError),
    ],
)
def test_local_errors(glue: BaseClient, error: Exception, expected: type[AwsLineageError]) -> None:
    def fail(**_: object) -> None:
        raise error

    glue.meta.events.register("before-call.glue.GetDatabases", fail)
    with pytest.raises(AwsLineageError) as caught:
        call(glue, "GetDatabases")
    assert type(caught.value) is expected
    assert SECRET not in str(caught.value)


def test_parameters_that_botocore_refuses(glue: BaseClient) -> None:
    with pytest.raises(ConfigurationError, match="CatalogId"):
        call(glue, "GetDatabases", CatalogId="")


def test_a_body_that_cannot_be_parsed_is_not_quoted() -> None:
    client = make_client("sts")
    client.meta.events.register("before-send.sts", answer(200, f"<broken>{SECRET}".encode()))
    with pytest.raises(MalformedError) as caught:
        call(client, "GetCallerIdentity")
    assert SECRET not in "".join(traceback.format_exception(caught.value))


def test_throttling_is_retried_before_it_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _: None)
    client = make_client("athena", attempts=3)
    body = b'{"__type": "ThrottlingException", "message": "Rate exceeded"}'
    sent: list[str] = []
    client.meta.events.register("before-send.athena", lambda request, **_: sent.append(request.url))
    client.meta.events.register("before-send.athena", answer(400, body))
    with pytest.raises(RetriableError, match="athena:ListWorkGroups: ThrottlingException: Rate exceeded"):
        call(client, "ListWorkGroups")
    assert len(sent) == 3


@pytest.mark.parametrize(("service", "operation", "key"), [("glue", "GetDatabases", "DatabaseList")])
def test_pages_of_an_operation_with_a_paginator(service: str, operation: str, key: str) -> None:
    client = make_client(service)
    with Stubber(client) as stubber:
        stubber.add_response("get_databases", {key: [{"Name": "a"}], "NextToken": "t1"}, {})
        stubber.add_response("get_databases", {key: [], "NextToken": "t2"}, {"NextToken": "t1"})
        stubber.add_response("get_databases", {key: [{"Name": "b"}]}, {"NextToken": "t2"})
        assert [row["Name"] for page in paginate(client, operation) for row in page[key]] == ["a", "b"]
        stubber.assert_no_pending_responses()


def test_pages_of_an_operation_without_a_paginator(athena: BaseClient) -> None:
    assert not athena.can_paginate("list_work_groups")
    with Stubber(athena) as stubber:
        first = {"WorkGroups": [{"Name": "a"}], "NextToken": "t1"}
        stubber.add_response("list_work_groups", first, {"MaxResults": 1})
        stubber.add_response("list_work_groups", {"WorkGroups": [{"Name": "b"}]}, {"MaxResults": 1, "NextToken": "t1"})
        pages = list(paginate(athena, "ListWorkGroups", MaxResults=1))
    assert [row["Name"] for page in pages for row in page["WorkGroups"]] == ["a", "b"]


@pytest.mark.parametrize(
    ("service", "operation", "method", "page"),
    [
        ("glue", "GetDatabases", "get_databases", {"DatabaseList": [], "NextToken": "t"}),
        ("athena", "ListWorkGroups", "list_work_groups", {"WorkGroups": [], "NextToken": "t"}),
    ],
)
def test_a_token_that_repeats_ends(service: str, operation: str, method: str, page: dict[str, Any]) -> None:
    client = make_client(service)
    with Stubber(client) as stubber:
        for _ in range(2):
            stubber.add_response(method, page)
        with pytest.raises(MalformedError, match="token came twice"):
            list(paginate(client, operation))


def test_an_error_between_pages_keeps_the_pages_before(glue: BaseClient) -> None:
    with Stubber(glue) as stubber:
        stubber.add_response("get_databases", {"DatabaseList": [{"Name": "a"}], "NextToken": "t1"})
        stubber.add_client_error("get_databases", "ThrottlingException")
        pages = paginate(glue, "GetDatabases")
        assert next(pages)["DatabaseList"] == [{"Name": "a"}]
        with pytest.raises(RetriableError):
            next(pages)
