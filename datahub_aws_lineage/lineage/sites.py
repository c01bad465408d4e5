"""Accounts and regions: whose Data Catalog a name or an account id means."""

from __future__ import annotations

from collections.abc import Iterable


class Sites:
    """The parts of a recipe that have a Data Catalog of their own: one account in one region each, by a label.

    A recipe of one account has one site, without label, and need not say so.

    >>> sites = Sites()
    >>> sites.add("sales", "eu-central-1", "111122223333", warehouses=["shop"])
    >>> sites.of_warehouse("shop"), sites.owner("finance", "111122223333", "eu-central-1")
    ('sales', 'sales')
    """

    def __init__(self) -> None:
        self._regions: dict[str | None, str] = {}
        self._owners: dict[tuple[str, str | None], str | None] = {}
        self._of_warehouses: dict[str | None, str | None] = {}

    def add(
        self, site: str | None, region: str | None, account: str | None = None, warehouses: Iterable[str] = ()
    ) -> None:
        if region is not None:
            self._regions[site] = region
        if account is not None:
            self.learn_account(site, account)
        self._of_warehouses.update(dict.fromkeys(warehouses, site))

    def learn_account(self, site: str | None, account: str) -> None:
        """Says which account's catalog a site reads; what was said first stays."""
        self._owners.setdefault((account, self._regions.get(site)), site)

    def of_warehouse(self, warehouse: str | None) -> str | None:
        """That of a warehouse; a site is its own (the SQL of a Glue view may be Redshift's)."""
        return self._of_warehouses.get(warehouse, warehouse if warehouse in self._regions else None)

    def owner(self, site: str | None, catalog_id: str | None, region: str | None = None) -> str | None:
        """The site of the account `catalog_id`, as `site` names it: in its own region, unless another is given.

        An account that the recipe does not read is known by what `site` has of it.
        """
        if catalog_id is None:
            return site
        return self._owners.get((catalog_id, region or self._regions.get(site)), site)
