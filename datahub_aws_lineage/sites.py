"""The accounts and regions of a recipe, each as a recipe of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from datahub_aws_lineage.aws.clients import Clients
from datahub_aws_lineage.aws.organizations import OrganizationAccount, list_accounts
from datahub_aws_lineage.aws.sessions import Session, assumed_session, open_session, session_in
from datahub_aws_lineage.config import AccountConfig, AwsLineageConfig, OrganizationConfig
from datahub_aws_lineage.emit.urns import aws_partition
from datahub_aws_lineage.errors import AwsLineageError
from datahub_aws_lineage.lineage.resolver import Naming
from datahub_aws_lineage.model.ports import Diagnostics
from datahub_aws_lineage.readers import open_clients

HUB = "hub"
"""Folder, within a recording of several accounts, of what AWS answered to the identity of `aws_config` itself."""


@dataclass(frozen=True, slots=True)
class Site:
    """One account in one region. `name` is its label (`NAME/REGION`), None where the recipe lists no accounts.

    `config` is the recipe as of this site alone; `open_session` gives its session, where it is not replayed.
    """

    name: str | None
    config: AwsLineageConfig
    clients: Clients
    open_session: Callable[[], Session]
    account_id: str | None = None
    region: str | None = None


def open_sites(config: AwsLineageConfig, diagnostics: Diagnostics, opened: Session | None = None) -> list[Site]:
    """The sites of a recipe. No call is made, but to list an organisation's accounts. `opened` is a session of the
    identity of `aws_config`, where there is one.

    A site whose recording cannot be read, and an organisation that cannot be listed, is a failure of its own.
    Raises SnapshotError where the recipe is of one site, and its recording cannot be read.
    """
    hub = _hub(config) if opened is None else lambda: opened
    if not config.has_several_sites:
        return [Site(None, config, open_clients(config), hub)]
    sites: dict[tuple[str | None, str], Site] = {}
    for account in (*config.accounts, *_of_organization(config, hub, diagnostics)):
        for region in account.regions or [str(config.aws_config.aws_region)]:
            try:
                site = _site(config, account, region, hub)
            except AwsLineageError as e:
                diagnostics.failure("A part of the account could not be read", f"{account.name}/{region}: {e}")
                continue
            sites.setdefault((account.known_account_id or account.name, region), site)
    return list(sites.values())


def hub_clients(config: AwsLineageConfig, hub: Callable[[], Session] | None = None) -> Clients:
    """Clients of the identity of `aws_config`, or of what was recorded of it."""
    if config.snapshot is not None:
        return open_clients(config.model_copy(update={"snapshot": str(Path(config.snapshot) / HUB)}))
    return Clients(hub or _hub(config), **config.client_options())


def _hub(config: AwsLineageConfig) -> Callable[[], Session]:
    return cache(partial(open_session, config.aws_config.get_session, config.credentials_expiry))


def _site(config: AwsLineageConfig, account: AccountConfig, region: str, hub: Callable[[], Session]) -> Site:
    name = f"{account.name}/{region}"
    own = config.model_copy(
        update={
            "accounts": [],
            "organization": None,
            "platform_instance": _instance(account, account.platform_instance or config.platform_instance, region),
            "redshift": account.redshift,
            "snapshot": str(Path(config.snapshot) / name) if config.snapshot is not None else None,
        }
    )
    opened = partial(session_in, hub, region)
    if account.aws_role is not None:
        sts = config.client_options()
        opened = partial(assumed_session, hub, region, account.aws_role, account.external_id, sts)
    clients = open_clients(own) if own.snapshot is not None else Clients(opened, **config.client_options())
    return Site(name, own, clients, opened, account.known_account_id, region)


def _instance(account: AccountConfig, template: str | None, region: str) -> str | None:
    if template is None:
        return None
    fields = {"account_id": account.known_account_id or account.name, "account_name": account.name, "region": region}
    for field, value in fields.items():
        template = template.replace(f"{{{field}}}", value)
    return template


def _of_organization(
    config: AwsLineageConfig, hub: Callable[[], Session], diagnostics: Diagnostics
) -> Iterator[AccountConfig]:
    organization = config.organization
    if organization is None:
        return
    try:
        for account in list_accounts(hub_clients(config, hub)):
            allowed = organization.account_pattern.allowed
            if not (allowed(account.account_id) and allowed(account.name)):
                diagnostics.skipped("filtered", "account", f"{account.account_id} {account.name}")
                continue
            diagnostics.seen("accounts")
            yield _member(account, organization, config)
    except AwsLineageError as e:
        diagnostics.failure("The accounts of the organisation could not be listed", str(e))


def _member(account: OrganizationAccount, organization: OrganizationConfig, config: AwsLineageConfig) -> AccountConfig:
    regions = organization.regions or [str(config.aws_config.aws_region)]
    template = organization.platform_instance or config.platform_instance
    role = f"arn:{aws_partition(regions[0])}:iam::{account.account_id}:role/{organization.role_name.lstrip('/')}"
    return AccountConfig(
        name=account.account_id,
        aws_role=role,
        external_id=organization.external_id,
        regions=regions,
        platform_instance=template.replace("{account_name}", account.name) if template else None,
    )


def naming(config: AwsLineageConfig, sites: Iterable[Site]) -> Naming:
    """The part of a recipe, and of its sites, in the names of datasets."""
    warehouses = config.warehouses
    return Naming(
        data_catalog_platform=config.glue.platform,
        glue_instance=config.platform_instance,
        glue_instances=config.glue.platform_instance_map,
        site_instances={site.name: site.config.platform_instance for site in sites if site.name is not None},
        redshift_instances={warehouse.name: warehouse.platform_instance for warehouse in warehouses},
        athena_catalogs={
            name: (catalog.platform, catalog.platform_instance, catalog.database)
            for name, catalog in config.athena.catalogs.items()
        },
        namespace_instances={
            namespace: instance
            for warehouse in warehouses
            for namespace, instance in warehouse.datashare_instance_map.items()
        },
        s3_instance=config.s3_platform_instance,
        external_instances={
            schema.lower(): instance
            for warehouse in warehouses
            for schema, instance in warehouse.external_instance_map.items()
        },
    )
