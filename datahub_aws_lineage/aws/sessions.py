"""The session that a recipe's connection gives, with errors told apart and assumed roles renewed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import botocore.session
from boto3 import Session
from botocore.credentials import RefreshableCredentials
from botocore.exceptions import BotoCoreError, ClientError

from datahub_aws_lineage.errors import CredentialsError

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

    renewing = botocore.session.Session()
    renewing._credentials = RefreshableCredentials.create_from_metadata(  # type: ignore[attr-defined]
        metadata=renew(), refresh_using=renew, method="sts-assume-role"
    )
    return Session(botocore_session=renewing, region_name=session.region_name)


def _connected(connect: Callable[[], Session]) -> Session:
    try:
        return connect()
    except ClientError as e:
        error = e.response.get("Error", {})
        code = str(error.get("Code"))
        text = f": {error.get('Message')}" if code in _SAFE_TO_QUOTE else ""
        raise CredentialsError(f"No session: {e.operation_name} failed: {code}{text}") from None
    except (BotoCoreError, ValueError) as e:
        raise CredentialsError(f"No session: {e}") from e
