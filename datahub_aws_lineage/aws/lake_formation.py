"""The tags that Lake Formation has assigned to what a reader of the Data Catalog gives."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import Any, Literal, TypeAlias, TypeVar

from botocore.client import BaseClient

from datahub_aws_lineage.aws.calls import call
from datahub_aws_lineage.aws.clients import Clients
from datahub_aws_lineage.aws.prefetch import in_turn
from datahub_aws_lineage.errors import (
    AccessDeniedError,
    MalformedError,
    NotFoundError,
    RetriableError,
    SkippableError,
    SnapshotError,
)
from datahub_aws_lineage.model.catalog import AssignedTags, Database, Table, Tag
from datahub_aws_lineage.model.ports import CatalogReader, Diagnostics

PERMISSIONS: tuple[str, ...] = ("lakeformation:GetResourceLFTags",)

THREADS = 4
_AT_A_TIME = 100
"""Tables that are taken from the catalog before their tags are asked for: a page of GetTables."""

_ENOUGH = 5
"""Calls in a row that AWS does not answer, each tried many times, after which no more are made."""

_BY_IAM = "not authorized to perform"
"""IAM knows no resources of Lake Formation: what it refuses once, it refuses always. Lake Formation's own refusals say
`Insufficient Lake Formation permission(s)`, and are of one resource."""

ResourceKind: TypeAlias = Literal["Database", "Table"]

_Item = TypeVar("_Item", Database, Table)
_Fault: TypeAlias = SkippableError | RetriableError | SnapshotError
_Answer: TypeAlias = AssignedTags | _Fault | None
"""None: not asked."""


@dataclass(slots=True)
class _Faults:
    """What went wrong in one way: how often, and how it began."""

    count: int = 0
    first: str = ""

    def add(self, name: str, e: Exception) -> None:
        self.first = self.first or f"{name}: {e}"
        self.count += 1

    def __str__(self) -> str:
        return self.first if self.count == 1 else f"{self.count} databases and tables, the first {self.first}"


class TaggedCatalogReader:
    """The databases and tables of `catalog` in their order, each with its tags; up to `threads` ask at a time.

    - A resource link has the tags that it has under its own name; a table that is reached through a database link
      those of its owner.
    - Where tags cannot be had, they are None, and the databases and tables are given all the same. `report_faults` says
      what went wrong, once for each way and not before it is called: a listing is whole without tags.

    Source: Lake Formation API Reference, GetResourceLFTags, which has no pages.
    """

    def __init__(
        self, catalog: CatalogReader, clients: Clients, diagnostics: Diagnostics, *, threads: int = THREADS
    ) -> None:
        self._catalog = catalog
        self._client = clients.client("lakeformation")
        self._region = clients.region
        self._diagnostics = diagnostics
        self._threads = threads
        self._databases: list[Database] | None = None
        self._refused, self._failed, self._unrecorded = _Faults(), _Faults(), _Faults()
        self._unanswered = 0
        self._gave_up = False

    def read_databases(self) -> Iterator[Database]:
        """Yields the databases; they are read once. Raises what the catalog's reader raises, and FatalError."""
        if self._databases is None:
            self._databases = list(self._tagged(self._catalog.read_databases(), self._of_database))
        yield from self._databases

    def read_tables(self) -> Iterator[Table]:
        """Yields the tables. Raises what the catalog's reader raises, and FatalError."""
        behind_links = {database.name for database in self.read_databases() if database.link}
        yield from self._tagged(self._catalog.read_tables(), partial(self._of_table, behind_links))

    def report_faults(self) -> None:
        """A refusal is a warning, for tags are an addition; and so is a recording that was made without them."""
        rest = "; no more were asked for" if self._gave_up else ""
        if self._refused.count:
            needs = f"allow {PERMISSIONS[0]}, and DESCRIBE on the tags in Lake Formation"
            self._diagnostics.warning("Tags of Lake Formation are refused", f"{needs}: {self._refused}{rest}")
        if self._failed.count:
            self._diagnostics.failure("Tags of Lake Formation could not be read", f"{self._failed}{rest}")
        if self._unrecorded.count:
            detail = f"Lake Formation tags: {self._unrecorded.first}"
            self._diagnostics.warning("The recording lacks a part of the account", detail)

    def _tagged(self, items: Iterable[_Item], ask: Callable[[_Item], _Answer]) -> Iterator[_Item]:
        rest = iter(items)
        while batch := list(islice(rest, _AT_A_TIME)):
            reads = [partial(_once, ask, item) for item in batch]
            for item, (answer,) in zip(batch, in_turn(reads, threads=self._threads, ahead=1), strict=True):
                yield replace(item, tags=self._noted(item, answer))

    def _of_database(self, database: Database) -> _Answer:
        return self._ask(database.catalog_id, "Database", Name=database.name)

    def _of_table(self, behind_links: set[str], table: Table) -> _Answer:
        name, link = table.name, table.link
        if link is None or name.database not in behind_links:
            return self._ask(table.catalog_id, "Table", DatabaseName=name.database, Name=name.table)
        if link.region not in {None, self._region}:
            return None
        return self._ask(link.catalog_id, "Table", DatabaseName=link.database, Name=link.table)

    def _ask(self, catalog_id: str | None, kind: ResourceKind, **names: str | None) -> _Answer:
        if self._gave_up:
            return None
        try:
            return parse_tags(_get_tags(self._client, catalog_id, kind, **names), kind)
        except (SkippableError, RetriableError, SnapshotError) as e:
            return e

    def _noted(self, item: _Item, answer: _Answer) -> AssignedTags | None:
        """Counts an answer; gives the tags in it."""
        name = item.name if isinstance(item, Database) else f"{item.name.database}.{item.name.table}"
        self._unanswered = self._unanswered + 1 if isinstance(answer, RetriableError) else 0
        match answer:
            case AssignedTags():
                self._count(item, answer)
                return answer
            case NotFoundError():
                self._diagnostics.skipped("gone", "tags of Lake Formation", f"{name}: {answer}")
            case AccessDeniedError():
                self._refused.add(name, answer)
                self._gave_up = self._gave_up or _BY_IAM in str(answer)
            case SkippableError() | RetriableError():
                self._failed.add(name, answer)
                self._gave_up = self._gave_up or self._unanswered >= _ENOUGH
            case SnapshotError():
                self._unrecorded.add(name, answer)
            case None if not self._gave_up:
                self._diagnostics.skipped("unsupported", "tags of Lake Formation", f"{name}: kept in another region")
        return None

    def _count(self, item: _Item, tags: AssignedTags) -> None:
        if tags.own:
            kind = "databases" if isinstance(item, Database) else "tables"
            self._diagnostics.seen(f"{kind} with tags of Lake Formation")
        if tags.of_columns:
            self._diagnostics.seen("columns with tags of Lake Formation", len(tags.of_columns))


def parse_tags(response: Mapping[str, Any], kind: ResourceKind) -> AssignedTags:
    """Converts the answer on a database, or on a table, which tells of its database as well. Raises MalformedError."""
    if kind == "Database":
        return AssignedTags(_tags(response.get("LFTagOnDatabase")))
    of_columns = {}
    for column in response.get("LFTagsOnColumns") or []:
        if not column or not column.get("Name"):
            raise MalformedError(f"{PERMISSIONS[0]}: a column without a name")
        tags = _tags(column.get("LFTags"))
        if tags:
            of_columns[str(column["Name"]).lower()] = tags
    return AssignedTags(_tags(response.get("LFTagsOnTable")), of_columns)


def _tags(pairs: Iterable[Mapping[str, Any]] | None) -> tuple[Tag, ...]:
    found = []
    for pair in pairs or ():
        if not pair or not pair.get("TagKey"):
            raise MalformedError(f"{PERMISSIONS[0]}: a tag without a key")
        found += [Tag(str(pair["TagKey"]), str(value)) for value in pair.get("TagValues") or ()]
    return tuple(sorted(set(found)))


def probe(clients: Clients, catalog_id: str | None = None) -> None:
    """Asks for the tags of the first database. Raises what `call` raises."""
    page = call(clients.client("glue"), "GetDatabases", MaxResults=1, **_catalog(catalog_id))
    databases = page.get("DatabaseList") or [{"Name": "default"}]
    owner = databases[0].get("CatalogId") or catalog_id
    with suppress(NotFoundError):  # the catalog is empty; that it is looked for shows that the call is allowed
        _get_tags(clients.client("lakeformation"), owner, "Database", Name=databases[0]["Name"])


def _get_tags(client: BaseClient, catalog_id: str | None, kind: ResourceKind, **names: str | None) -> dict[str, Any]:
    """What is assigned to a resource itself; without ShowAssignedLFTags the answer has what it inherits as well."""
    catalog = _catalog(catalog_id)
    return call(client, "GetResourceLFTags", **catalog, Resource={kind: {**catalog, **names}}, ShowAssignedLFTags=True)


def _catalog(catalog_id: str | None) -> dict[str, str]:
    return {"CatalogId": catalog_id} if catalog_id else {}


def _once(ask: Callable[[_Item], _Answer], item: _Item) -> Iterator[_Answer]:
    yield ask(item)
