"""The session that a recipe's connection gives, with errors told apart and assumed roles renewed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

import botocore.session
from boto3 import Session
from botocore.credentials import AssumeRoleCredentialFetcher, Credentials, RefreshableCredentials
from botocore.exceptions import BotoCoreError, ClientError

from datahub_aws_lineage.errors import CredentialsError

__all__ = ["Session", "assumed_session", "open_session", "session_in"]

PERMISSIONS = ("sts:AssumeRole",)
"""Of the identity that reads several accounts."""

T = TypeVar("T")

_SAFE_TO_QUOTE = frozenset({"AccessDenied", "RegionDisabledException"})
"""Answers of STS whose text names roles and regions; that of a bad signature quotes the signed request."""


def open_session(connect: Callable[[], Session], expiry: Callable[[], datetime | None] = lambda: None) -> Session:
    """The session that `connect` gives. `expiry` says when its credentials end; None: they renew themselves.

    An assumed role ends after an hour, a long history does not: `connect` is then called again when the end is near.
    Raises CredentialsError where no session can be had.
    """
    session = _connected(connect)
    if expiry() is None:
        return session

    def renew() -> dict[str, str]:
        renewed = _connected(connect)
        credentials, end = renewed.get_credentials(), expiry()
        if credentials is None or end is None:
            raise CredentialsError("The assumed role cannot be renewed")
        frozen = credentials.get_frozen_credentials()
        return {
            "access_key": str(frozen.access_key),
            "secret_key": str(frozen.secret_key),
            "token": str(frozen.token),
            "expiry_time": end.isoformat(),
        }

    credentials = RefreshableCredentials.create_from_metadata(
        metadata=renew(), refresh_using=renew, method="sts-assume-role"
    )
    return _with_credentials(credentials, session.region_name)


def session_in(hub: Callable[[], Session], region: str) -> Session:
    """A session of the identity of `hub` in another region. Raises CredentialsError."""
    return _with_credentials(hub().get_credentials(), region)


def assumed_session(
    hub: Callable[[], Session], region: str, role: str, external_id: str | None, client_options: Mapping[str, Any]
) -> Session:
    """A session of a role that the identity of `hub` assumes, by the STS of `region`; it renews itself.

    Raises CredentialsError where the role cannot be assumed. Source: STS API reference, AssumeRole.
    """
    session = hub()
    source = session.get_credentials()
    if source is None:
        raise CredentialsError("No session: AWS credentials were not found")
    arguments = {"RoleSessionName": "datahub-aws-lineage", **({"ExternalId": external_id} if external_id else {})}
    make_client = partial(session.client, region_name=region, **client_options)
    fetcher = AssumeRoleCredentialFetcher(
        lambda service, **_: make_client(service), source, role, extra_args=arguments, cache={}
    )
    metadata = _connected(fetcher.fetch_credentials)
    credentials = RefreshableCredentials.create_from_metadata(
        metadata=metadata, refresh_using=partial(_connected, fetcher.fetch_credentials), method="assume-role"
    )
    return _with_credentials(credentials, region)


def _with_credentials(credentials: Credentials | None, region: str) -> Session:
    renewing = botocore.session.Session()
    renewing._credentials = credentials  # type: ignore[attr-defined]
    return Session(botocore_session=renewing, region_name=region)


def _connected(connect: Callable[[], T]) -> T:
    try:
        return connect()
    except ClientError as e:
        error = e.response.get("Error", {})
        code = str(error.get("Code"))
        text = f": {error.get('Message')}" if code in _SAFE_TO_QUOTE else ""
        raise CredentialsError(f"No session: {e.operation_name} failed: {code}{text}") from None
    except (BotoCoreError, ValueError) as e:
        raise CredentialsError(f"No session: {e}") from e
