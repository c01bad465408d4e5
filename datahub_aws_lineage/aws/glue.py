"""The Glue Data Catalog: every database, table and view over pages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from datahub_aws_lineage.aws.calls import call, paginate
from datahub_aws_lineage.aws.clients import Clients
from datahub_aws_lineage.aws.glue_tables import parse_database, parse_table
from datahub_aws_lineage.aws.glue_views import is_view, parse_view
from datahub_aws_lineage.errors import (
    AccessDeniedError,
    MalformedError,
    NotFoundError,
    RetriableError,
    SkippableError,
)
from datahub_aws_lineage.model.catalog import Database, Table
from datahub_aws_lineage.model.lineage import Unresolved
from datahub_aws_lineage.model.ports import Diagnostics

if TYPE_CHECKING:
    from mypy_boto3_glue.type_defs import DatabaseTypeDef, TableTypeDef

PERMISSIONS: tuple[str, ...] = ("glue:GetDatabases", "glue:GetTables")


class GlueCatalogReader:
    """Reads one Data Catalog: the identity's own, or `catalog_id` (another account's, `<account>:s3tablescatalog/b`).

    `table_allowed` gets `database.table`. Names come out in lower case, as Glue keeps them.

    - A database that is a resource link is given with its target. Its tables are read through the link and given
      under the link's own name, each with the target that it stands for.
    - A table that is a resource link is given with its target; its columns are None unless Glue lists them.
    - A view that cannot be decoded is given without definition, and counted as unresolved.
    - A failed listing loses what it did not list, reports a failure, and leaves the rest as it is. Only two are no
      failure: a database link whose target is refused (a warning) and a database that is gone since it was listed.
    """

    def __init__(
        self,
        clients: Clients,
        diagnostics: Diagnostics,
        *,
        catalog_id: str | None = None,
        database_allowed: Callable[[str], bool] = lambda _: True,
        table_allowed: Callable[[str], bool] = lambda _: True,
    ) -> None:
        self._client = clients.client("glue")
        self._diagnostics = diagnostics
        self._catalog_id = catalog_id
        self._database_allowed = database_allowed
        self._table_allowed = table_allowed
        self._databases: list[Database] | None = None

    def read_databases(self) -> Iterator[Database]:
        """Yields the allowed databases; they are listed once. Raises FatalError alone."""
        if self._databases is None:
            self._databases = list(self._list_databases())
        yield from self._databases

    def read_tables(self) -> Iterator[Table]:
        """Yields the allowed tables and views of the allowed databases. Raises FatalError alone."""
        for database in self.read_databases():
            yield from self._tables_of(database)

    def _list_databases(self) -> Iterator[Database]:
        try:
            for page in paginate(self._client, "GetDatabases", **_catalog(self._catalog_id)):
                for payload in page.get("DatabaseList", []):
                    yield from self._convert_database(payload)
        except (SkippableError, RetriableError) as e:
            self._diagnostics.failure("The Glue databases could not be listed", _advice(e))

    def _convert_database(self, payload: DatabaseTypeDef) -> Iterator[Database]:
        try:
            database = parse_database(payload, self._catalog_id)
        except MalformedError as e:
            self._diagnostics.skipped("malformed", "glue database", f"{(payload or {}).get('Name')}: {e}")
            return
        if not self._database_allowed(database.name):
            self._diagnostics.skipped("filtered", "glue database", database.name)
            return
        self._diagnostics.seen("glue databases")
        yield database

    def _tables_of(self, database: Database) -> Iterator[Table]:
        pages = paginate(self._client, "GetTables", DatabaseName=database.name, **_catalog(self._catalog_id))
        try:
            for page in pages:
                yield from filter(None, (self._convert_table(row, database) for row in page.get("TableList", [])))
        except (SkippableError, RetriableError) as e:
            self._report_lost_tables(database, e)

    def _convert_table(self, payload: TableTypeDef, database: Database) -> Table | None:
        # A row that is null or nameless: the service model promises neither.
        label = f"{database.name}.{((payload or {}).get('Name') or '?').lower()}"
        if not self._table_allowed(label):
            self._diagnostics.skipped("filtered", "glue table", label)
            return None
        try:
            table, complaint = parse_table(payload, database)
        except MalformedError as e:
            self._diagnostics.skipped("malformed", "glue table", f"{label}: {e}")
            return None
        if complaint:
            self._diagnostics.skipped("malformed", "glue table schema", f"{label}: {complaint}")
        self._diagnostics.seen("glue tables")
        return self._with_view(table, payload) if is_view(payload) else table

    def _with_view(self, table: Table, payload: TableTypeDef) -> Table:
        self._diagnostics.seen("glue views")
        parsed = parse_view(payload, table.name.catalog, table.name.database)
        if isinstance(parsed, Unresolved):
            self._diagnostics.unresolved(
                parsed.reason, f"glue view {table.name.database}.{table.name.table}: {parsed.message}"
            )
            return table
        return replace(table, view=parsed.definition, columns=table.columns or parsed.columns)

    def _report_lost_tables(self, database: Database, e: SkippableError | RetriableError) -> None:
        match e:
            case NotFoundError():
                self._diagnostics.skipped("unknown_dataset", "glue database", f"{database.name} is gone: {e}")
            case AccessDeniedError() if database.link:
                self._diagnostics.warning(
                    "The tables of a linked Glue database are refused", f"{database.name}: needs {e.permission}: {e}"
                )
            case _:
                self._diagnostics.failure(
                    "The tables of a Glue database could not be listed", f"{database.name}: {_advice(e)}"
                )


def probe_databases(clients: Clients, catalog_id: str | None = None) -> None:
    """Asks for one database. Raises what `call` raises."""
    call(clients.client("glue"), "GetDatabases", MaxResults=1, **_catalog(catalog_id))


def probe_tables(clients: Clients, catalog_id: str | None = None) -> None:
    """Asks for one table of the first database. Raises what `call` raises."""
    client = clients.client("glue")
    page = call(client, "GetDatabases", MaxResults=1, **_catalog(catalog_id))
    databases = cast("list[DatabaseTypeDef]", page.get("DatabaseList", []))
    name = databases[0]["Name"] if databases else "default"
    try:
        call(client, "GetTables", DatabaseName=name, MaxResults=1, **_catalog(catalog_id))
    except NotFoundError:
        return  # the catalog is empty; that Glue looks for the database shows that the call is allowed


def _catalog(catalog_id: str | None) -> dict[str, str]:
    return {"CatalogId": catalog_id} if catalog_id else {}


def _advice(e: SkippableError | RetriableError) -> str:
    if isinstance(e, AccessDeniedError):
        return f"allow {e.permission}, or exclude it by database_pattern: {e}"
    return str(e)
