"""One call or all pages of an AWS operation, with botocore's errors told apart by what the caller does next."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from botocore import exceptions as boto
from botocore import xform_name
from botocore.client import BaseClient
from botocore.parsers import ResponseParserError

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

_DENIED = frozenset(
    {"AccessDenied", "AccessDeniedException", "AccessDeniedFault", "AuthorizationError", "AuthorizationErrorException"}
    | {"UnauthorizedException", "UnauthorizedOperation", "Forbidden", "403"}
)
_BAD_IDENTITY = frozenset(
    {"AuthFailure", "ExpiredToken", "ExpiredTokenException", "IncompleteSignature", "InvalidAccessKeyId"}
    | {"InvalidClientTokenId", "InvalidSignatureException", "InvalidToken", "MissingAuthenticationToken"}
    | {"MissingAuthenticationTokenException", "OptInRequired", "RequestExpired", "RequestTimeTooSkewed"}
    | {"SignatureDoesNotMatch", "TokenRefreshRequired", "UnrecognizedClientException"}
)
_TRANSIENT = frozenset(
    {"ActiveSessionsExceededException", "ActiveStatementsExceededException", "BandwidthLimitExceeded"}
    | {"ConcurrentModificationException", "DatabaseConnectionException", "FederationSourceRetryableException"}
    | {"InternalError", "InternalFailure", "InternalServerError", "InternalServerException"}
    | {"InternalServiceException", "LimitExceededException", "OperationTimeoutException", "PriorRequestNotComplete"}
    | {"ProvisionedThroughputExceededException", "RequestLimitExceeded", "RequestThrottled"}
    | {"RequestThrottledException", "RequestTimeout", "RequestTimeoutException", "ResourceNotReadyException"}
    | {"ServiceUnavailable", "ServiceUnavailableException", "SlowDown", "ThrottledException", "Throttling"}
    | {"ThrottlingException", "TooManyRequestsException"}
)
_NOT_FOUND = frozenset(
    {"404", "ClusterNotFound", "ClusterNotFoundFault", "EntityNotFoundException", "NoSuchBucket", "NoSuchEntity"}
    | {"NoSuchKey", "NotFound", "ResourceNotFoundException"}
)
# Athena says InvalidRequestException both for a bad request and for a work group that is gone: the text decides.
_SAYS_NOT_FOUND = re.compile(r"\b(?:is not found|not found|does ?n[o']t exist)\b", re.IGNORECASE)
_NAMED_ACTION = re.compile(r"not authorized to perform:?\s+([a-z0-9-]+:[A-Za-z0-9]+)")

_IAM_ACTIONS = {
    "s3:HeadBucket": "s3:ListBucket",
    "s3:HeadObject": "s3:GetObject",
    "s3:ListBuckets": "s3:ListAllMyBuckets",
    "s3:ListObjects": "s3:ListBucket",
    "s3:ListObjectsV2": "s3:ListBucket",
}
"""Operations whose IAM action has another name (AWS Service Authorization Reference, Amazon S3)."""

_MESSAGE_LIMIT = 500
"""Characters of a service's message that are kept."""


def call(client: BaseClient, operation: str, **params: Any) -> dict[str, Any]:
    """Calls `operation`, named as the API names it (`GetTables`), and gives its whole response.

    Raises AccessDeniedError, NotFoundError, RetriableError (after botocore's own retries), CredentialsError,
    ConfigurationError (parameters that botocore refuses, no region) or SkippableError (any other refusal).
    """
    with _translated(client, operation):
        response: dict[str, Any] = getattr(client, xform_name(operation))(**params)
    return response


def paginate(client: BaseClient, operation: str, **params: Any) -> Iterator[dict[str, Any]]:
    """Yields the pages of `operation` as they arrive; an error later on loses none of the pages given before.

    Uses botocore's paginator where it has one, else follows NextToken.
    Raises what `call` raises, and MalformedError where a token repeats, which would never end.
    """
    if client.can_paginate(xform_name(operation)):
        pages = iter(client.get_paginator(xform_name(operation)).paginate(**params))
    else:
        pages = _follow_tokens(client, operation, params)
    while True:
        with _translated(client, operation):
            page: dict[str, Any] | None = next(pages, None)
        if page is None:
            return
        yield page


def iam_action(client: BaseClient, operation: str) -> str:
    """The IAM action that allows `operation`: `athena:ListWorkGroups`, `s3:ListBucket`."""
    action = f"{client.meta.service_model.signing_name}:{operation}"
    return _IAM_ACTIONS.get(action, action)


def _follow_tokens(client: BaseClient, operation: str, params: dict[str, Any]) -> Iterator[dict[str, Any]]:
    shape = client.meta.service_model.operation_model(operation).input_shape
    key = "nextToken" if shape is not None and "nextToken" in shape.members else "NextToken"
    token: str | None = None
    while True:
        page = call(client, operation, **params, **({key: token} if token else {}))
        yield page
        following = page.get(key)
        if not following:
            return
        if following == token:
            raise MalformedError(f"{iam_action(client, operation)}: the same page token came twice")
        token = following


@contextmanager
def _translated(client: BaseClient, operation: str) -> Iterator[None]:
    try:
        yield
    except boto.ClientError as e:
        error = _from_service(client, operation, e)
        if isinstance(error, CredentialsError):
            # A signature mismatch quotes the signed request, session token included: the cause must not be logged.
            raise error from None
        raise error from e
    except ResponseParserError:
        # botocore quotes the body, and that of STS holds credentials: neither text nor cause goes on.
        raise MalformedError(f"{iam_action(client, operation)}: the response cannot be read") from None
    except boto.BotoCoreError as e:
        raise _from_botocore(iam_action(client, operation), e) from e


def _from_service(client: BaseClient, operation: str, e: boto.ClientError) -> AwsLineageError:
    code = str(e.response.get("Error", {}).get("Code", ""))
    text = " ".join(str(e.response.get("Error", {}).get("Message", "")).split())[:_MESSAGE_LIMIT]
    status = int(e.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    action = iam_action(client, operation)
    message = f"{action}: {code}: {text}"
    if code in _BAD_IDENTITY:
        return CredentialsError(f"{action}: AWS refuses the credentials ({code})")
    if e.operation_name != operation and e.operation_name.startswith(("AssumeRole", "GetRoleCredentials")):
        return CredentialsError(f"{action}: the role's credentials cannot be had: {e.operation_name} failed ({code})")
    if code in _DENIED:
        named = _NAMED_ACTION.search(text)
        return AccessDeniedError(message, named.group(1) if named else action)
    if code in _NOT_FOUND or (code == "InvalidRequestException" and _SAYS_NOT_FOUND.search(text)):
        return NotFoundError(message)
    if code in _TRANSIENT or status >= 500:
        return RetriableError(message)
    return SkippableError(message)


def _from_botocore(action: str, e: boto.BotoCoreError) -> AwsLineageError:
    name = type(e).__name__
    match e:
        case boto.CredentialRetrievalError() | boto.TokenRetrievalError():
            # These quote what an external credential program printed.
            return CredentialsError(f"{action}: the credentials cannot be had ({name})")
        case boto.NoCredentialsError() | boto.PartialCredentialsError() | boto.NoAuthTokenError() | boto.SSOError():
            return CredentialsError(f"{action}: {e}")
        case boto.PaginationError():
            return MalformedError(f"{action}: the same page token came twice")
        case boto.HTTPClientError() | boto.ConnectionError() | boto.IncompleteReadError():
            return RetriableError(f"{action}: {e}")
        case _:
            return ConfigurationError(f"{action}: {name}: {str(e)[:_MESSAGE_LIMIT]}")
