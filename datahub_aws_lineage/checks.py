"""One thing that a run reads, and whether it can be had."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from datahub_aws_lineage.errors import AccessDeniedError, AwsLineageError, CredentialsError


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that a run reads, and how to try it. `needs` are all IAM actions that reading it takes, `gives` what
    the lineage has of it."""

    name: str
    attempt: Callable[[], object]
    needs: tuple[str, ...] = ()
    gives: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """`reason` is None where it works; `remedy` says what to change, where that is known, and `denied` which IAM action
    is missing."""

    name: str
    reason: str | None = None
    remedy: str | None = None
    denied: str | None = None


def try_one(check: Check) -> Finding:
    try:
        check.attempt()
    except AwsLineageError as e:
        denied = e.permission if isinstance(e, AccessDeniedError) and ":" in e.permission else None
        return Finding(check.name, str(e), _remedy(e), denied)
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
