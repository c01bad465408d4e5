"""The accounts of an AWS organisation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from datahub_aws_lineage.aws.calls import call, paginate
from datahub_aws_lineage.aws.clients import Clients

PERMISSIONS = ("organizations:ListAccounts",)


@dataclass(frozen=True, slots=True)
class OrganizationAccount:
    """An account that is open: neither suspended nor being closed."""

    account_id: str
    name: str


def list_accounts(clients: Clients) -> Iterator[OrganizationAccount]:
    """Organizations ListAccounts, which the management account and delegated administrators may call.

    Raises what `call` raises.
    """
    for page in paginate(clients.client("organizations"), "ListAccounts"):
        for account in page.get("Accounts", []):
            # `State` follows `Status`, which AWS retires in September 2026 (Organizations API reference, Account).
            if account.get("State", account.get("Status")) == "ACTIVE":
                yield OrganizationAccount(str(account["Id"]), str(account.get("Name") or account["Id"]))


def probe(clients: Clients) -> None:
    """Asks for one account. Raises what `call` raises."""
    call(clients.client("organizations"), "ListAccounts", MaxResults=1)
