"""Schemas, tables, views and external schemas of a Redshift warehouse, from its catalog views through the Data API.

Sources: the pages of the Amazon Redshift Database Developer Guide that `redshift_sql` names at each text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import groupby

from datahub_aws_lineage.aws import redshift_data, redshift_sql
from datahub_aws_lineage.aws.redshift_data import RedshiftDataApi, Value
from datahub_aws_lineage.aws.redshift_mounts import parse_datashare, parse_external_schema
from datahub_aws_lineage.aws.redshift_sessions import DEFAULT_SCHEMA
from datahub_aws_lineage.errors import AccessDeniedError, RetriableError, SkippableError
from datahub_aws_lineage.model.catalog import Column, Database, Datashare, ExternalSchema, Table, ViewDefinition
from datahub_aws_lineage.model.names import TableName
from datahub_aws_lineage.model.ports import Diagnostics

PERMISSIONS: tuple[str, ...] = redshift_data.PERMISSIONS

_SYSTEM_SCHEMA = re.compile(r"pg_.*|information_schema|catalog_history")
"""Names that begin with `pg_` are the system's (r_CREATE_SCHEMA)."""
_MATERIALIZED_STORAGE = re.compile(r"mv_tbl__.+__\d+")
"""Where a materialized view keeps its rows: a table beside it that nobody queries by name."""
_CREATES_MATERIALIZED = re.compile(r"\s*create\s+materialized\s+view\b", re.IGNORECASE)

_LISTINGS = frozenset({redshift_sql.SCHEMAS, redshift_sql.TABLES, redshift_sql.COLUMNS})
"""What says which schemas and tables there are."""

_Row = dict[str, Value]
_Name = tuple[str, str]
"""Schema and table, lower case where nothing else is said."""


def _allow_all(_: str) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class _View:
    """`stored_name` is schema and view in the case that the warehouse keeps; `sql` is None where it is too long."""

    stored_name: _Name
    owner: str | None
    sql: str | None
    materialized: bool


@dataclass(slots=True)
class _DatabaseParts:
    """What is known of one database's tables beside their columns."""

    kinds: dict[_Name, _Row] = field(default_factory=dict)
    views: dict[_Name, _View] = field(default_factory=dict)
    late_binding: dict[_Name, tuple[Column, ...]] = field(default_factory=dict)
    locations: dict[_Name, str] = field(default_factory=dict)


class RedshiftCatalogReader:
    """Reads the given databases, one login each. `schema_allowed` is asked for `database.schema`, `table_allowed` for
    `database.schema.table`, both lower case. System schemas are left out. Reports, and raises only FatalError."""

    def __init__(
        self,
        api: RedshiftDataApi,
        diagnostics: Diagnostics,
        databases: tuple[str, ...],
        *,
        schema_allowed: Callable[[str], bool] = _allow_all,
        table_allowed: Callable[[str], bool] = _allow_all,
    ) -> None:
        self._api = api
        self._diagnostics = diagnostics
        self._databases = databases
        self._schema_allowed = schema_allowed
        self._table_allowed = table_allowed

    def read_databases(self) -> Iterator[Database]:
        """Yields the schemas, each a `Database` whose catalog is the Redshift database."""
        for database in self._databases:
            for row in self._rows("Redshift schemas", redshift_sql.SCHEMAS, database):
                name = _text(row["schema_name"])
                if not self._takes_schema(database, name):
                    continue
                self._diagnostics.seen("redshift schemas")
                known = {key: _text(row[key]) for key in ("schema_type", "source_database") if row[key]}
                yield Database(platform="redshift", catalog=database.lower(), name=name.lower(), parameters=known)

    def read_tables(self) -> Iterator[Table]:
        """Yields tables, external tables and views, by name; late-binding views and what has no columns come last."""
        for database in self._databases:
            parts = self._read_parts(database)
            columns = self._rows("Redshift columns", redshift_sql.COLUMNS, database)
            without_columns = {*parts.kinds, *parts.views}
            for name, rows in groupby(columns, key=lambda row: _name(row, "schema_name", "table_name")):
                yield from self._table(database, name, parts, tuple(map(_column, rows)))
                without_columns.discard(name)
            for name in sorted(without_columns):
                yield from self._table(database, name, parts, parts.late_binding.get(name))

    def read_external_schemas(self) -> Iterator[ExternalSchema]:
        """Yields external schemas of each database, then the databases that are made from datashares."""
        for database in self._databases:
            for row in self._rows("Redshift external schemas", redshift_sql.EXTERNAL_SCHEMAS, database):
                self._diagnostics.seen("redshift external schemas")
                yield parse_external_schema(database, row)
        login = self._databases[0]
        shared = list(self._rows("Redshift shared databases", redshift_sql.SHARED_DATABASES, login))
        inbound = list(self._rows("Redshift datashares", redshift_sql.INBOUND_DATASHARES, login)) if shared else []
        for row in shared:
            self._diagnostics.seen("redshift shared databases")
            yield parse_datashare(row, inbound)

    def read_shares(self) -> Iterator[Datashare]:
        """Yields the datashares that this warehouse gives to others, as far as the login may see them."""
        for row in self._rows("Redshift datashares", redshift_sql.OUTBOUND_DATASHARES, self._databases[0]):
            if row["producer_namespace"] and row["source_database"]:
                self._diagnostics.seen("redshift datashares")
                yield Datashare(
                    namespace=_text(row["producer_namespace"]),
                    name=_text(row["share_name"]),
                    database=_text(row["source_database"]).lower(),
                )

    def sees_everything(self) -> bool:
        """Whether a table that was not listed is not there: the catalog views show other logins only what they may use.

        A login that cannot be told is taken for one that does not see everything.
        """
        users = self._rows("Redshift user", redshift_sql.VISIBILITY, self._databases[0])
        return any(bool(user["superuser"]) for user in users)

    def _read_parts(self, database: str) -> _DatabaseParts:
        materialized = {
            _name(row, "schema_name", "view_name")
            for row in self._rows("Redshift materialized views", redshift_sql.MATERIALIZED_VIEWS, database)
        }
        late_binding = self._rows("Redshift late-binding views", redshift_sql.LATE_BINDING_COLUMNS, database)
        external = self._rows("Redshift external tables", redshift_sql.EXTERNAL_TABLES, database)
        tables = self._rows("Redshift tables", redshift_sql.TABLES, database)
        return _DatabaseParts(
            kinds={_name(row, "schema_name", "table_name"): row for row in tables},
            views=self._read_views(database, materialized),
            late_binding={
                name: tuple(Column(_text(row["col_name"]), _text(row["col_type"])) for row in rows)
                for name, rows in groupby(late_binding, key=lambda row: _name(row, "view_schema", "view_name"))
            },
            locations={_name(row, "schemaname", "tablename"): _text(row["location"]) for row in external},
        )

    def _read_views(self, database: str, materialized: set[_Name]) -> dict[_Name, _View]:
        views = {}
        for row in self._rows("Redshift views", redshift_sql.VIEWS, database):
            name = _name(row, "schema_name", "view_name")
            sql = _text(row["definition"]).strip() or None
            by_text = sql is not None and _CREATES_MATERIALIZED.match(sql) is not None
            stored_name = (_text(row["schema_name"]), _text(row["view_name"]))
            views[name] = _View(stored_name, _text(row["owner_name"]) or None, sql, by_text or name in materialized)
        return views

    def _with_long_definition(self, database: str, view: _View) -> _View:
        """A view whose SQL did not fit into a row of a result, with its SQL where that can be read in pieces."""
        sql = ""
        try:
            while piece := self._piece(database, view, len(sql)):
                sql += piece
        except (SkippableError, RetriableError) as e:
            return self._without_definition(database, view, str(e))
        if not sql.strip():
            return self._without_definition(database, view, "no SQL is shown for it")
        return replace(view, sql=sql.strip())

    def _piece(self, database: str, view: _View, offset: int) -> str:
        schema_name, view_name = view.stored_name
        parameters = {"schema_name": schema_name, "view_name": view_name, "first_character": str(offset + 1)}
        row = next(self._api.query(redshift_sql.LONG_VIEW, database, parameters), None)
        return _text(row["piece"]) if row else ""

    def _without_definition(self, database: str, view: _View, reason: str) -> _View:
        self._diagnostics.truncated("redshift view", f"{database}.{'.'.join(view.stored_name)}: {reason}")
        return view

    def _table(
        self, database: str, name: _Name, parts: _DatabaseParts, columns: tuple[Column, ...] | None
    ) -> Iterator[Table]:
        if not self._takes_table(database, name):
            return
        row, view = parts.kinds.get(name, {}), parts.views.get(name)
        if view is not None and view.sql is None:
            view = self._with_long_definition(database, view)
        self._diagnostics.seen("redshift views" if view else "redshift tables")
        yield Table(
            platform="redshift",
            name=TableName(database.lower(), *name),
            columns=columns,
            format="redshift",
            view=_view_definition(database, view),
            location=parts.locations.get(name) or None,
            table_type="VIEW" if view else _text(row.get("table_type")).upper() or "TABLE",
            owner=view.owner if view else None,
            description=_text(row.get("remarks")) or None,
            parameters={"materialized": "true"} if view and view.materialized else {},
        )

    def _takes_schema(self, database: str, schema: str) -> bool:
        if _SYSTEM_SCHEMA.fullmatch(schema.lower()):
            return False
        name = f"{database}.{schema}".lower()
        if not self._schema_allowed(name):
            self._diagnostics.skipped("filtered", "redshift schema", name)
            return False
        return True

    def _takes_table(self, database: str, name: _Name) -> bool:
        full_name = f"{database.lower()}.{name[0]}.{name[1]}"
        if _SYSTEM_SCHEMA.fullmatch(name[0]) or _MATERIALIZED_STORAGE.fullmatch(name[1]):
            return False
        if not self._schema_allowed(f"{database.lower()}.{name[0]}") or not self._table_allowed(full_name):
            self._diagnostics.skipped("filtered", "redshift table", full_name)
            return False
        return True

    def _rows(self, what: str, sql: str, database: str) -> Iterator[_Row]:
        """The rows of one catalog query; where it fails, those that came before, and a report.

        A denial costs the optional parts alone. Without the others, tables that are there would seem to be gone.
        """
        parameters = {"database_name": database} if ":database_name" in sql else None
        try:
            yield from self._api.query(sql, database, parameters)
        except AccessDeniedError as e:
            report = self._diagnostics.failure if sql in _LISTINGS else self._diagnostics.warning
            report(f"{what} are denied", f"database {database}: {e.permission}: {e}")
        except (SkippableError, RetriableError) as e:
            self._diagnostics.failure(f"{what} cannot be read", f"database {database}: {e}")


def local_databases(api: RedshiftDataApi, diagnostics: Diagnostics, first: tuple[str, ...]) -> tuple[str, ...]:
    """`first`, to the first of which this logs in, and then the warehouse's other databases, lower case.

    What fails is reported, and leaves `first`. Raises FatalError.
    """
    try:
        found = [_text(row["database_name"]).lower() for row in api.query(redshift_sql.LOCAL_DATABASES, first[0])]
    except (SkippableError, RetriableError) as e:
        diagnostics.failure("Redshift databases cannot be listed", f"only {', '.join(first)} will be read: {e}")
        return first
    return tuple(dict.fromkeys([*first, *found]))


def _view_definition(database: str, view: _View | None) -> ViewDefinition | None:
    """PG_GET_VIEWDEF writes the schema of every table that the reading session would not find by its search path, so
    what is unqualified is found under the default path of this session."""
    if view is None or view.sql is None:
        return None
    return ViewDefinition(view.sql, "redshift", database.lower(), DEFAULT_SCHEMA, materialized=view.materialized)


def _column(row: _Row) -> Column:
    return Column(name=_text(row["column_name"]), type=_column_type(row), comment=_text(row["remarks"]).strip() or None)


def _column_type(row: _Row) -> str:
    """The type as Redshift's FORMAT_TYPE spells it: `character varying(8)`, `numeric(18,2)`, `integer`."""
    name = _text(row["data_type"]).strip()
    length, precision, scale = row["character_maximum_length"], row["numeric_precision"], row["numeric_scale"]
    if name.startswith(("character", "varchar", "char", "bpchar")) and "(" not in name and length:
        return f"{name}({length})"
    if name in {"numeric", "decimal"} and precision:
        return f"{name}({precision},{scale or 0})"
    return name


def _name(row: _Row, schema: str, table: str) -> _Name:
    return _text(row[schema]).lower(), _text(row[table]).lower()


def _text(value: Value) -> str:
    return "" if value is None else str(value)


def probe(api: RedshiftDataApi, database: str) -> None:
    """Reads one row of the catalog. Raises what `RedshiftDataApi.query` raises."""
    next(api.query(redshift_sql.PROBE_CATALOG, database), None)
