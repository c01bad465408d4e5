"""A small hand-made catalog and its lineage, with what real catalogs hold: nesting, odd names, links, views, S3."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timezone

from datahub_aws_lineage.model.catalog import Column, Database, LinkTarget, Table, ViewDefinition
from datahub_aws_lineage.model.lineage import ColumnEdge, DatasetEdge, DatasetLineage, Query
from datahub_aws_lineage.model.names import DATA_CATALOG, Dataset, Dialect, TableName
from datahub_aws_lineage.model.ports import SkipReason

REGION = "eu-central-1"
ACCOUNT = "123456789012"
ANALYST = f"arn:aws:sts::{ACCOUNT}:assumed-role/Analyst/alice@example.com"
EARLIER = datetime(2026, 3, 1, 6, 30, tzinfo=timezone.utc)
LATER = datetime(2026, 3, 2, 6, 30, tzinfo=timezone.utc)


@dataclass
class Notes:
    """Diagnostics that remember everything."""

    entries: list[tuple[str, ...]] = field(default_factory=list)

    def seen(self, what: str, count: int = 1) -> None:
        self.entries.append(("seen", what, str(count)))

    def skipped(self, reason: SkipReason, what: str, detail: str) -> None:
        self.entries.append(("skipped", reason, what, detail))

    def unresolved(self, reason: str, detail: str) -> None:
        self.entries.append(("unresolved", reason, detail))

    def truncated(self, what: str, detail: str) -> None:
        self.entries.append(("truncated", what, detail))

    def warning(self, title: str, detail: str) -> None:
        self.entries.append(("warning", title, detail))

    def failure(self, title: str, detail: str) -> None:
        self.entries.append(("failure", title, detail))


def masked(text: str, dialect: Dialect) -> str:
    """Stands for the SQL stage's masking; it shows the dialect that it was called with."""
    return text.replace("'secret'", "?").replace("100", "?") + ("" if dialect == "athena" else " -- redshift")


SALES = Database("glue", DATA_CATALOG, "sales", catalog_id=ACCOUNT, description="Sales", location="s3://lake/sales/")
PUBLIC = Database("redshift", "dev", "public", description="Default schema")

ORDERS = Table(
    platform="glue",
    name=TableName(DATA_CATALOG, "sales", "orders"),
    columns=(
        Column("id", "bigint", "Order number"),
        Column("user", "struct<name:string,address:struct<City:string,zip:char(5)>>"),
        Column("items", "array<struct<sku:string,price:decimal(10,2)>>"),
        Column("tags", "map<string,string>"),
        Column("placed_at", "timestamp"),
        Column("dt", "date", partition_key=True),
    ),
    location="s3://lake/sales/orders/",
    catalog_id=ACCOUNT,
    table_type="EXTERNAL_TABLE",
    owner="hadoop",
    description="Orders as placed",
    parameters={"classification": "parquet"},
    created_at=EARLIER,
    updated_at=LATER,
)
TOTALS = Table(
    platform="glue",
    name=TableName(DATA_CATALOG, "sales", "totals"),
    columns=(Column("city", "string"), Column("total", "decimal(38,2)"), Column("big", "boolean")),
    view=ViewDefinition("SELECT 1", "athena", DATA_CATALOG, "sales"),
    catalog_id=ACCOUNT,
    table_type="VIRTUAL_VIEW",
)
LINKED = Table(
    platform="glue",
    name=TableName(DATA_CATALOG, "sales", "shared_orders"),
    columns=None,
    link=LinkTarget("210987654321", "sales", "orders"),
    catalog_id=ACCOUNT,
)
REPORT = Table(
    platform="redshift",
    name=TableName("dev", "public", "report"),
    columns=(
        Column("city", "character varying(64)", "City"),
        Column("total", "numeric(38,2)"),
        Column("made_at", "timestamp without time zone"),
        Column("payload", "super"),
    ),
    format="redshift",
    owner="awsuser",
)
TABLES = (ORDERS, TOTALS, LINKED, REPORT)

ORDERS_SET = Dataset("glue", "sales.orders")
TOTALS_SET = Dataset("glue", "sales.totals")
LINKED_SET = Dataset("glue", "sales.shared_orders")
REPORT_SET = Dataset("redshift", "dev.public.report", "warehouse")
S3_SET = Dataset("s3", "lake/sales/orders")
DATASETS = dict(zip((table.name for table in TABLES), (ORDERS_SET, TOTALS_SET, LINKED_SET, REPORT_SET), strict=True))

LOAD = "0f" * 16
LINEAGES = (
    DatasetLineage(
        ORDERS_SET,
        (DatasetEdge(S3_SET, "storage"),),
        (ColumnEdge(S3_SET, "id", "id", "IDENTITY", None, 1.0),),
    ),
    DatasetLineage(
        TOTALS_SET,
        (DatasetEdge(ORDERS_SET, "view"),),
        (
            ColumnEdge(ORDERS_SET, "user.address.city", "city", "IDENTITY", "o.user.address.city", 1.0),
            ColumnEdge(ORDERS_SET, "items.price", "total", "AGGREGATION", "SUM(i.price)", 1.0),
            ColumnEdge(ORDERS_SET, "items.price", "big", "CONDITIONAL", "CASE WHEN i.price > 100 THEN true END", 0.8),
        ),
    ),
    DatasetLineage(LINKED_SET, (DatasetEdge(Dataset("glue", "sales.orders", "owner"), "link"),), ()),
    DatasetLineage(
        REPORT_SET,
        (DatasetEdge(TOTALS_SET, "query", LOAD, LATER, ANALYST),),
        (
            ColumnEdge(TOTALS_SET, "city", "city", "TRANSFORMATION", "COALESCE(city,  'secret')", 0.9, LOAD),
            ColumnEdge(TOTALS_SET, "total", "total", "IDENTITY", "total", 1.0, LOAD),
        ),
    ),
)
QUERY = Query(
    query_id=LOAD,
    text="INSERT INTO report SELECT COALESCE(city, 'secret'), total FROM totals WHERE total > 100",
    dialect="redshift",
    subjects=(TOTALS_SET, REPORT_SET),
    first_seen=EARLIER,
    last_seen=LATER,
    actor=ANALYST,
    runs=2,
    column_subjects=((TOTALS_SET, "city"), (TOTALS_SET, "total"), (REPORT_SET, "city"), (REPORT_SET, "total")),
)
