"""The same data under two names: a table and its location, a link and its target, an external schema and its source."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from datahub_aws_lineage.lineage.catalog import CataloguedTable
from datahub_aws_lineage.lineage.resolver import Resolved, Resolver
from datahub_aws_lineage.model.catalog import Column
from datahub_aws_lineage.model.lineage import EdgeOrigin
from datahub_aws_lineage.model.names import Dataset


@dataclass(frozen=True, slots=True)
class Copy:
    """What the dataset gets from `upstream`: each of `columns`, with its nested fields, from that of the same name."""

    upstream: Dataset
    origin: EdgeOrigin
    columns: tuple[Column, ...]


Copies: TypeAlias = dict[Dataset, list[Copy]]


def copies_in_catalogs(resolver: Resolver, named: Iterable[Resolved], *, storage: bool) -> Copies:
    """By downstream dataset. `named` are the datasets that statements named, `storage` asks for S3 locations.

    A location is upstream of its table, as in DataHub's glue source. A mount is shown for the tables that the
    warehouse lists or a statement names, not for every table of the Glue database.
    """
    copies: Copies = {}
    for table in resolver.index.data_catalog_tables():
        copy = _link(resolver, table) if table.link else _location(resolver, table) if storage else None
        if copy is not None:
            dataset = resolver.data_catalog_dataset(table.name, table.catalog_id, table.site)
            copies.setdefault(dataset, []).append(copy)
    mounted = {resolved.dataset: resolved for resolved in (*_listed_by_warehouses(resolver), *named) if resolved.source}
    for dataset, resolved in mounted.items():
        if resolved.source is not None:
            copy = Copy(resolved.source.dataset, "external_schema", resolved.columns or ())
            copies.setdefault(dataset, []).append(copy)
    return copies


def _link(resolver: Resolver, table: CataloguedTable) -> Copy | None:
    target = resolver.resolve(table.name, "athena", table.site)
    if not isinstance(target, Resolved):
        return None
    return Copy(target.dataset, "link", table.columns or target.columns or ())


def _location(resolver: Resolver, table: CataloguedTable) -> Copy | None:
    dataset = resolver.location_dataset(table.location) if table.location else None
    return Copy(dataset, "storage", table.columns or ()) if dataset else None


def _listed_by_warehouses(resolver: Resolver) -> Iterator[Resolved]:
    for warehouse, name in resolver.index.warehouse_tables():
        resolved = resolver.resolve(name, "redshift", warehouse)
        if isinstance(resolved, Resolved):
            yield resolved
