"""One thing that a run reads, and whether it can be had."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from datahub_aws_lineage.errors import AccessDeniedError, AwsLineageError, CredentialsError


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that a run reads, and how to try it."""

    name: str
    attempt: Callable[[], object]


@dataclass(frozen=True, slots=True)
class Finding:
    """`reason` is None where it works; `remedy` says what to change, where that is known."""

    name: str
    reason: str | None = None
    remedy: str | None = None


def try_one(check: Check) -> Finding:
    try:
        check.attempt()
    except AwsLineageError as e:
        return Finding(check.name, str(e), _remedy(e))
    return Finding(check.name)


def _remedy(e: AwsLineageError) -> str | None:
    match e:
        case AccessDeniedError() if ":" in e.permission:
            return f"Allow the IAM action {e.permission} to this identity"
        case AccessDeniedError():
            return f"Grant the database user {e.permission}"
        case CredentialsError():
            return "Check aws_config, or the credentials of this machine"
        case _:
            return None
