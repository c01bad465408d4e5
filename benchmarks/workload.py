"""A log as a warehouse writes it: many statements from fewer templates, over tables whose schemas are known.

Everything follows from the seed. A statement is about 700 characters long: joins, a CTE, aggregates, CASE, a window,
and conditions with a date, which changes from run to run of one template.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from datahub_aws_lineage.model.catalog import CatalogPlatform, Column, Table
from datahub_aws_lineage.model.names import Dialect, TableName
from datahub_aws_lineage.model.queries import QueryRecord, SqlContext

FIRST = datetime(2026, 1, 1, tzinfo=timezone.utc)
CATALOGS: Mapping[Dialect, str] = {"athena": "awsdatacatalog", "redshift": "dev"}
_DATABASES = 20
_COLUMNS = (
    ("id", "bigint"),
    ("customer_id", "bigint"),
    ("product_id", "bigint"),
    ("status", "varchar(20)"),
    ("country", "varchar(2)"),
    ("amount", "decimal(18,2)"),
    ("quantity", "int"),
    ("discount", "decimal(18,2)"),
    ("created_at", "timestamp"),
    ("dt", "date"),
)


@dataclass(frozen=True)
class Workload:
    """`templates` distinct statements over `tables` tables, the whole of them `repeats` times with other literals."""

    dialect: Dialect
    templates: int
    repeats: int
    tables: int
    seed: int = 1

    def __len__(self) -> int:
        return self.templates * self.repeats

    def catalog(self) -> Iterator[Table]:
        platform: CatalogPlatform = "redshift" if self.dialect == "redshift" else "glue"
        columns = tuple(Column(name, kind) for name, kind in _COLUMNS)
        for number in range(self.tables):
            yield Table(platform, self._name(number), columns)

    def records(self) -> Iterator[QueryRecord]:
        """In time order, one a second."""
        yield from map(self.record, range(len(self)))

    def record(self, number: int) -> QueryRecord:
        day, template = divmod(number, self.templates)
        return QueryRecord(
            query_id=str(number),
            text=self._text(template, day),
            context=SqlContext(self.dialect, CATALOGS[self.dialect], "db0", ("db0",)),
            started_at=FIRST + timedelta(seconds=number),
            source="benchmark",
            actor="etl",
        )

    def _name(self, number: int) -> TableName:
        return TableName(CATALOGS[self.dialect], f"db{number % _DATABASES}", f"t{number}")

    def _text(self, template: int, day: int) -> str:
        chosen = random.Random(f"{self.seed}/{template}")  # noqa: S311 - a workload, no secret
        target, orders, customers, products = (
            f"{name.database}.{name.table}" for name in (self._name(chosen.randrange(self.tables)) for _ in range(4))
        )
        date = (FIRST + timedelta(days=day)).date().isoformat()
        query = _QUERIES[chosen.randrange(len(_QUERIES))].format(
            orders=orders, customers=customers, products=products, date=date, limit=100 + day, tag=f"x{template}"
        )
        match chosen.randrange(3):
            case 0:
                return f"CREATE TABLE db0.made_{template} AS\n{query}"
            case _:
                return f"INSERT INTO {target} (id, customer_id, status, amount, quantity, discount, dt)\n{query}"


_QUERIES = (
    """WITH recent AS (
    SELECT o.id, o.customer_id, o.product_id, o.status, o.amount, o.quantity, o.dt
    FROM {orders} o
    WHERE o.dt = DATE '{date}' AND o.status IN ('paid', 'shipped', 'returned')
)
SELECT r.id, r.customer_id AS customer_id, upper(c.status) AS status, sum(r.amount) AS {tag},
       sum(CASE WHEN p.country = 'DE' THEN r.quantity ELSE 0 END) AS quantity,
       max(coalesce(p.discount, c.discount)) AS discount, r.dt
FROM recent r
JOIN {customers} c ON c.id = r.customer_id
LEFT JOIN {products} p ON p.id = r.product_id AND p.created_at > TIMESTAMP '{date} 00:00:00'
WHERE c.amount > {limit}
GROUP BY r.id, r.customer_id, upper(c.status), r.dt
HAVING sum(r.amount) > {limit}""",
    """SELECT q.id, q.customer_id, q.status, q.{tag}, q.quantity, q.discount, q.dt
FROM (
    SELECT o.id, o.customer_id, c.status, o.amount * (1 - o.discount) AS {tag}, o.quantity,
           avg(o.discount) OVER (PARTITION BY o.customer_id ORDER BY o.created_at) AS discount, o.dt,
           row_number() OVER (PARTITION BY o.id ORDER BY o.created_at DESC) AS newest
    FROM {orders} o
    INNER JOIN {customers} c ON o.customer_id = c.customer_id AND c.country = o.country
    WHERE o.dt BETWEEN DATE '{date}' AND DATE '{date}' AND o.amount > {limit}
      AND EXISTS (SELECT 1 FROM {products} p WHERE p.product_id = o.product_id AND p.status = 'active')
) q
WHERE q.newest = 1 AND q.quantity < {limit}""",
    """SELECT a.id, a.customer_id, a.status, a.amount AS {tag}, a.quantity, a.discount, a.dt
FROM {orders} a WHERE a.dt = DATE '{date}' AND a.country LIKE 'D%'
UNION ALL
SELECT b.id, b.customer_id, lower(b.status), b.amount + coalesce(b.discount, 0), b.quantity, b.discount, b.dt
FROM {customers} b WHERE b.dt = DATE '{date}' AND b.quantity > {limit}
UNION ALL
SELECT max(c.id), c.customer_id, min(c.status), sum(c.amount), cast(sum(c.quantity) AS int), max(c.discount),
       date_trunc('month', c.dt)
FROM {products} c
WHERE c.dt < DATE '{date}' AND c.status <> 'void' AND c.country IN ('DE', 'FR', 'NL', 'BE', 'AT', 'CH', 'PL')
GROUP BY c.customer_id, date_trunc('month', c.dt)
HAVING count(*) > {limit}""",
)
