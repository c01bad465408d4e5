"""One Redshift warehouse, told to DataHub's `redshift` source through its connection and to ours through the Data API.

Ours: the answers, from one list of tables and statements. A text that is no query of DataHub's source
fails the test, so that a release of DataHub that asks something else is noticed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from importlib import import_module
from typing import Any

from redshift_samples import Answerer, Warehouse

from datahub_aws_lineage.aws import redshift_sql

START, END = datetime(2026, 3, 1, tzinfo=timezone.utc), datetime(2026, 3, 8, tzinfo=timezone.utc)
AT = datetime(2026, 3, 3, 4, tzinfo=timezone.utc)
DATABASE = "dev"


@dataclass(frozen=True)
class Relation:
    """A table, a view (`sql`), or a table of an external schema (`location`)."""

    schema: str
    name: str
    columns: tuple[tuple[str, str], ...]
    sql: str | None = None
    location: str | None = None

    @property
    def late_binding(self) -> bool:
        return self.sql is not None and "no schema binding" in self.sql

    @property
    def kind(self) -> str:
        return "VIEW" if self.sql else "EXTERNAL_TABLE" if self.location else "TABLE"


@dataclass(frozen=True)
class Statement:
    """`writes` is the table that an INSERT fills, `copies` and `unloads` the table and the file that S3 has of it."""

    text: str
    writes: tuple[str, str] | None = None
    copies: tuple[str, str, str] | None = None
    unloads: tuple[str, str, str] | None = None


_SALES = (("id", "integer"), ("amount", "double precision"))

RELATIONS = (
    Relation("public", "orders", _SALES),
    Relation("public", "report", _SALES),
    Relation("public", "landing", _SALES),
    Relation("mart", "v_report", _SALES, sql="SELECT report.id, report.amount FROM report;"),
    Relation(
        "mart",
        "late",
        _SALES,
        sql="create view mart.late as select id, amount from public.orders with no schema binding;",
    ),
    Relation("spectrum", "orders", _SALES, location="s3://lake/sales/orders/"),
)
MIXED = (
    Relation("Mart", "Orders", (("Id", "integer"), ("Amount", "double precision"))),
    Relation("Mart", "Report", (("Id", "integer"), ("Amount", "double precision"))),
)
"""Of a database with `enable_case_sensitive_identifier`."""

FEDERATED = (*RELATIONS, Relation("crm", "accounts", _SALES, location="postgres"))
FEDERATED_STATEMENTS = (
    Statement("INSERT INTO public.report SELECT id, amount FROM crm.accounts", writes=("public", "report")),
    Statement(
        "COPY public.landing FROM 's3://exchange/in/dt=1/' CSV",
        copies=("public", "landing", "s3://exchange/in/dt=1/000.csv"),
    ),
)
"""With the external schema `crm` on PostgreSQL."""

STATEMENTS = (
    Statement("INSERT INTO public.report SELECT id, amount FROM public.orders", writes=("public", "report")),
    Statement("INSERT INTO public.orders SELECT id, amount FROM spectrum.orders", writes=("public", "orders")),
    Statement(
        "COPY public.landing FROM 's3://lake/daily/' CSV", copies=("public", "landing", "s3://lake/daily/000.csv")
    ),
    Statement(
        "UNLOAD ('select id, amount from public.report') TO 's3://exchange/report/'",
        unloads=("public", "report", "s3://exchange/report/0000_part_00"),
    ),
)
MIXED_STATEMENTS = (
    Statement('INSERT INTO "Mart"."Report" SELECT "Id", "Amount" FROM "Mart"."Orders"', writes=("Mart", "Report")),
)

Rows = Sequence[Mapping[str, Any]]


@dataclass
class NativeWarehouse:
    """`external` maps external schemas to databases of the Data Catalog, `federated` to databases of PostgreSQL."""

    relations: tuple[Relation, ...] = RELATIONS
    statements: tuple[Statement, ...] = STATEMENTS
    external: Mapping[str, str] = field(default_factory=lambda: {"spectrum": "sales"})
    federated: Mapping[str, str] = field(default_factory=dict)

    @property
    def schemas(self) -> list[str]:
        return sorted({one.schema for one in self.relations})

    def __post_init__(self) -> None:
        self.data_api = Warehouse(self._data_api_answers(), rows_a_page=100)

    # ---- through the Data API, to ours ------------------------------------------------------------------------------

    def _data_api_answers(self) -> dict[str, Answerer]:
        kinds = {"EXTERNAL_TABLE": "EXTERNAL TABLE"}
        return {
            redshift_sql.VISIBILITY: [{"user_name": "admin", "superuser": True, "syslog_access": "UNRESTRICTED"}],
            redshift_sql.USERS: [{"user_id": 100, "user_name": "etl"}],
            redshift_sql.RETENTION: [{"oldest": START, "now": END}],
            redshift_sql.HISTORY: self._history,
            redshift_sql.SCHEMAS: [
                {
                    "schema_name": name,
                    "schema_type": "external" if self._source(name) else "local",
                    "source_database": self._source(name),
                }
                for name in self.schemas
            ],
            redshift_sql.TABLES: [
                {
                    "schema_name": one.schema,
                    "table_name": one.name,
                    "table_type": kinds.get(one.kind, one.kind),
                    "remarks": None,
                }
                for one in self.relations
            ],
            redshift_sql.COLUMNS: [
                {
                    "schema_name": one.schema,
                    "table_name": one.name,
                    "column_name": name,
                    "data_type": kind,
                    "character_maximum_length": None,
                    "numeric_precision": None,
                    "numeric_scale": None,
                    "remarks": None,
                }
                for one in self.relations
                if not one.late_binding
                for name, kind in one.columns
            ],
            redshift_sql.LATE_BINDING_COLUMNS: [
                {"view_schema": one.schema, "view_name": one.name, "col_name": name, "col_type": kind}
                for one in self.relations
                if one.late_binding
                for name, kind in one.columns
            ],
            redshift_sql.VIEWS: [
                {"schema_name": one.schema, "view_name": one.name, "owner_name": "etl", "definition": one.sql}
                for one in self.relations
                if one.sql
            ],
            redshift_sql.EXTERNAL_TABLES: [
                {"schemaname": one.schema, "tablename": one.name, "location": one.location}
                for one in self.relations
                if one.location
            ],
            redshift_sql.EXTERNAL_SCHEMAS: [
                {"schemaname": name, "eskind": kind, "databasename": database, "esoptions": '{"SCHEMA":"public"}'}
                for kind, schemas in ((1, self.external), (3, self.federated))
                for name, database in schemas.items()
            ],
        }

    def _source(self, schema: str) -> str | None:
        return self.external.get(schema) or self.federated.get(schema)

    def _history(self, parameters: Mapping[str, str]) -> Rows:
        rows = [
            {
                "query_id": number,
                "session_id": 7,
                "transaction_id": 9000 + number,
                "user_id": 100,
                "database_name": DATABASE,
                "query_type": "OTHER",
                "status": "success",
                "start_time": AT + timedelta(minutes=number),
                "end_time": AT + timedelta(minutes=number, seconds=2),
                "sequence": 0,
                "text": one.text,
            }
            for number, one in enumerate(self.statements)
        ]
        start, end = parameters["window_start"], parameters["window_end"]
        return [row for row in rows if start <= f"{row['start_time']:%Y-%m-%d %H:%M:%S.%f}" < end]

    # ---- through `redshift_connector`, to DataHub's -----------------------------------------------------------------

    def connection(self, **_: Any) -> Connection:
        return Connection(dict(self._connection_answers()))

    def _connection_answers(self) -> Iterable[tuple[str, Rows]]:
        Query: Any = import_module("datahub.ingestion.source.redshift.query").RedshiftServerlessQuery  # noqa: N806
        window = (DATABASE, START, END)
        yield (
            Query.get_database_details(DATABASE),
            [{"database_name": DATABASE, "database_type": "local", "database_options": None}],
        )
        yield Query.list_schemas(DATABASE), [self._schema(name) for name in self.schemas]
        yield Query.list_tables(DATABASE), [self._table(one) for one in self.relations]
        for schema in self.schemas:
            yield Query.list_columns(DATABASE, schema), list(self._columns(schema))
        yield (
            Query.list_late_view_ddls_query(),
            [
                {"target_schema": one.schema, "target_table": one.name, "ddl": one.sql}
                for one in self.relations
                if one.sql
            ],
        )
        yield Query.list_insert_create_queries_sql(*window), [*self._inserts()]
        yield (
            Query.list_copy_commands_sql(*window),
            [
                {"target_schema": one.copies[0], "target_table": one.copies[1], "filename": one.copies[2]}
                for one in self.statements
                if one.copies
            ],
        )
        yield (
            Query.list_unload_commands_sql(*window),
            [
                {"source_schema": one.unloads[0], "source_table": one.unloads[1], "filename": one.unloads[2]}
                for one in self.statements
                if one.unloads
            ],
        )
        nothing: Rows = []
        yield Query.additional_table_metadata_query(), nothing
        yield Query.view_lineage_query(), nothing
        yield Query.alter_table_rename_query(*window), nothing
        yield Query.temp_table_ddl_query(START, END), nothing
        yield Query.stl_scan_based_lineage_query(*window), nothing
        yield Query.list_outbound_datashares(), nothing

    def _schema(self, name: str) -> dict[str, Any]:
        database = self._source(name)
        return {
            "schema_name": name,
            "schema_type": "external" if database else "local",
            "schema_owner_name": None,
            "schema_option": "{}" if database else None,
            "external_platform": ("POSTGRES" if name in self.federated else "GLUE") if database else None,
            "external_database": database,
        }

    def _table(self, one: Relation) -> dict[str, Any]:
        told = {"tabletype": one.kind, "schema": one.schema, "relname": one.name}
        return dict.fromkeys(_TABLE_COLUMNS) | told | {"location": one.location, "view_definition": one.sql}

    def _columns(self, schema: str) -> Iterable[dict[str, Any]]:
        for one in self.relations:
            for position, (name, kind) in enumerate(one.columns if one.schema == schema else (), 1):
                told = {"schema": schema, "table_name": one.name, "name": name, "type": kind, "attnum": position}
                yield dict.fromkeys(_COLUMN_COLUMNS) | told | {"sortkey": 0, "distkey": False}

    def _inserts(self) -> Iterable[dict[str, Any]]:
        for number, one in enumerate(self.statements):
            if one.writes:
                yield {
                    "target_schema": one.writes[0],
                    "target_table": one.writes[1],
                    "ddl": one.text,
                    "session_id": 7,
                    "timestamp": AT + timedelta(minutes=number),
                }


_TABLE_COLUMNS = (
    "tabletype schema_oid schema rel_oid relname creation_time diststyle owner_id owner_name view_definition "
    "privileges location parameters input_format output_format serde_parameters table_description"
).split()
_COLUMN_COLUMNS = "schema table_name name encode type distkey sortkey notnull comment adsrc attnum default".split()


@dataclass
class Connection:
    """Of `redshift_connector`, as far as the source uses it. It answers the very texts of the source's own queries."""

    answers: Mapping[str, Rows]
    autocommit: bool = False

    def cursor(self) -> Cursor:
        return Cursor(self.answers)

    def close(self) -> None:
        pass


@dataclass
class Cursor:
    """Of PEP 249."""

    answers: Mapping[str, Rows]
    description: list[tuple[str]] = field(default_factory=list)
    _rows: list[list[Any]] = field(default_factory=list)

    def execute(self, tagged: str, parameters: Sequence[Any] | None = None) -> None:
        tag, _, sql = tagged.partition("\n")
        assert tag.startswith("-- partner: DataHub"), tag
        assert sql in self.answers, f"a query that the stand-in does not know:\n{sql}"
        rows = self.answers[sql]
        self.description = [(name,) for name in (rows[0] if rows else ())]
        self._rows = [list(row.values()) for row in rows]

    def fetchall(self) -> list[list[Any]]:
        rows, self._rows = self._rows, []
        return rows

    def fetchmany(self) -> list[list[Any]]:
        return self.fetchall()

    def fetchone(self) -> list[Any] | None:
        return self._rows.pop(0) if self._rows else None
