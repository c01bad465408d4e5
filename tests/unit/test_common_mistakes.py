"""What lineage tools commonly get wrong, each from SQL text to the graph, in both dialects where both have it.

All of it was seen in a released tool; each test is named after the mistake that is not made here.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta, timezone

import pytest

from datahub_aws_lineage.aws.redshift_text import stitch
from datahub_aws_lineage.lineage import CatalogIndex, History, Resolver
from datahub_aws_lineage.model.catalog import Column, Table
from datahub_aws_lineage.model.lineage import Statement, StatementLineage
from datahub_aws_lineage.model.names import Dialect, TableName
from datahub_aws_lineage.model.queries import QueryRecord, SqlContext
from datahub_aws_lineage.report import AwsLineageReport
from datahub_aws_lineage.sql import Repeats, fingerprint

CATALOGS: Mapping[Dialect, str] = {"athena": "awsdatacatalog", "redshift": "dev"}
BOTH = pytest.mark.parametrize("dialect", ["athena", "redshift"])


class Warehouse:
    """Runs SQL as its engine would, over tables of the database (or schema) `s`, and tells the lineage."""

    def __init__(self, dialect: Dialect, tables: Mapping[str, str]) -> None:
        self.dialect = dialect
        self.report = AwsLineageReport()
        index = CatalogIndex()
        self.history = History(Resolver(index), self.report.diagnostics, fingerprint)
        self.repeats = Repeats()
        self.statements: tuple[Statement, ...] = ()
        self.clock = datetime(2026, 3, 1, tzinfo=timezone.utc)
        for name, columns in tables.items():
            database, _, table = name.rpartition(".")
            self.history.add_table(
                Table(
                    "redshift" if dialect == "redshift" else "glue",
                    TableName(CATALOGS[dialect], database or "s", table),
                    tuple(_column(column) for column in columns.split()),
                )
            )

    def run(self, sql: str, *, session: str | None = None, database: str = "s") -> Warehouse:
        self.clock += timedelta(minutes=1)
        record = QueryRecord(
            query_id=str(self.clock),
            text=sql,
            context=SqlContext(self.dialect, CATALOGS[self.dialect], database, (database,)),
            started_at=self.clock,
            source="test",
            session=session,
            succeeded=True,
        )
        view = self.history.session(record)
        self.statements = self.repeats.analyze(sql, view.context, view)
        self.history.apply(record, self.statements)
        return self

    @property
    def columns(self) -> set[str]:
        """`table.column <- table.column`, with the database of those that are not in `s`; direct edges only."""
        return {
            f"{self._short(lineage.downstream.name)}.{edge.downstream_column} <- "
            f"{self._short(edge.upstream.name)}.{edge.upstream_column}"
            for lineage in self.history.lineages()
            for edge in lineage.columns
            if edge.subtype in ("IDENTITY", "TRANSFORMATION", "AGGREGATION")
        }

    @property
    def tables(self) -> set[str]:
        return {
            f"{self._short(lineage.downstream.name)} <- {self._short(edge.upstream.name)}"
            for lineage in self.history.lineages()
            for edge in lineage.edges
        }

    def _short(self, name: str) -> str:
        return name.removeprefix(f"{CATALOGS[self.dialect]}.").removeprefix("s.")


def _column(described: str) -> Column:
    """`name`, or `name:type`."""
    name, _, kind = described.partition(":")
    return Column(name, kind or "int")


def edges(text: str) -> set[str]:
    """
    >>> edges("t.a <- s.x; t.b <- s.y") == {"t.a <- s.x", "t.b <- s.y"}
    True
    """
    return {" ".join(edge.split()) for edge in text.split(";") if edge.strip()}


class TestColumnsOfTheTarget:
    @BOTH
    def test_insert_with_a_column_list(self, dialect: Dialect) -> None:
        told = Warehouse(dialect, {"t": "x y", "src": "a b"}).run("INSERT INTO t (y, x) SELECT a, b FROM src")
        assert told.columns == edges("t.y <- src.a; t.x <- src.b")

    @BOTH
    def test_insert_by_position(self, dialect: Dialect) -> None:
        told = Warehouse(dialect, {"t": "x y", "src": "a b"}).run("INSERT INTO t SELECT b, a FROM src")
        assert told.columns == edges("t.x <- src.b; t.y <- src.a")

    def test_a_table_made_with_a_column_list(self) -> None:
        told = Warehouse("redshift", {"src": "a b"}).run("CREATE TABLE t (p, q) AS SELECT a, b FROM src")
        assert told.columns == edges("t.p <- src.a; t.q <- src.b")

    def test_a_view_made_with_a_column_list(self) -> None:
        told = Warehouse("redshift", {"src": "a b"}).run("CREATE VIEW v (p, q) AS SELECT a, b FROM src")
        assert told.columns == edges("v.p <- src.a; v.q <- src.b")

    @BOTH
    def test_merge_writes_what_its_when_clauses_say(self, dialect: Dialect) -> None:
        told = Warehouse(dialect, {"t": "id x y", "src": "id a b"}).run(
            "MERGE INTO t USING src s ON t.id = s.id WHEN MATCHED THEN UPDATE SET x = s.a "
            "WHEN NOT MATCHED THEN INSERT (id, y) VALUES (s.id, s.b)"
        )
        assert told.columns == edges("t.x <- src.a; t.id <- src.id; t.y <- src.b")

    @BOTH
    def test_knowing_the_target_alone_loses_nothing(self, dialect: Dialect) -> None:
        told = Warehouse(dialect, {"t": "x y"}).run("INSERT INTO t SELECT s.a, s.b FROM src s")
        assert told.columns == edges("t.x <- src.a; t.y <- src.b")

    @BOTH
    def test_a_table_that_is_filled_from_itself(self, dialect: Dialect) -> None:
        """The engine sees it; the graph, in which a dataset cannot feed itself, counts it."""
        told = Warehouse(dialect, {"t": "x y"})
        told.run("INSERT INTO t SELECT x + 1, y FROM t")
        [read] = told.statements
        assert isinstance(read.outcome, StatementLineage)
        assert {upstream.column for column in read.outcome.columns for upstream in column.upstreams} == {"x", "y"}
        assert read.outcome.inputs == (TableName(CATALOGS[dialect], "s", "t"),)
        assert told.tables == set()


class TestNamesOverTime:
    @BOTH
    def test_one_text_under_two_default_databases(self, dialect: Dialect) -> None:
        told = Warehouse(dialect, {"one.t": "x", "one.src": "x", "two.t": "x", "two.src": "x"})
        for database in ("one", "two"):
            told.run("INSERT INTO t SELECT x FROM src", database=database)
        assert told.columns == edges("one.t.x <- one.src.x; two.t.x <- two.src.x")

    def test_a_temporary_name_used_twice(self) -> None:
        told = Warehouse("redshift", {"a": "x", "b": "x", "t1": "x", "t2": "x"})
        for source, target in (("a", "t1"), ("b", "t2")):
            told.run(f"CREATE TEMP TABLE stg AS SELECT x FROM {source}", session="1")
            told.run(f"INSERT INTO {target} SELECT x FROM stg", session="1")
            told.run("DROP TABLE stg", session="1")
        assert told.columns == edges("t1.x <- a.x; t2.x <- b.x")

    @BOTH
    def test_dropped_and_rebuilt_from_elsewhere(self, dialect: Dialect) -> None:
        told = Warehouse(dialect, {"a": "x", "b": "x", "t": "x"})
        told.run("CREATE TABLE t AS SELECT x FROM a").run("DROP TABLE t").run("CREATE TABLE t AS SELECT x FROM b")
        assert told.columns == edges("t.x <- b.x")

    def test_renames_take_effect(self) -> None:
        told = Warehouse("redshift", {"a": "x", "t": "x"})
        told.run("CREATE TABLE t_new AS SELECT x FROM a")
        told.run("ALTER TABLE t RENAME TO t_old").run("ALTER TABLE t_new RENAME TO t").run("DROP TABLE t_old")
        assert told.columns == edges("t.x <- a.x")


class TestStatementsThatAreRead:
    @BOTH
    def test_unload(self, dialect: Dialect) -> None:
        query = "SELECT a, b AS c FROM src WHERE d = ''x''"
        unquoted = query.replace("''", "'")
        told = Warehouse(dialect, {"src": "a b d:varchar"}).run(
            f"UNLOAD ('{query}') TO 's3://lake/out/' IAM_ROLE default"
            if dialect == "redshift"
            else f"UNLOAD ({unquoted}) TO 's3://lake/out/' WITH (format = 'PARQUET')"
        )
        assert told.columns == edges("lake/out.a <- src.a; lake/out.c <- src.b")

    def test_append(self) -> None:
        told = Warehouse("redshift", {"t": "a b", "src": "a b"}).run("ALTER TABLE t APPEND FROM src")
        assert told.columns == edges("t.a <- src.a; t.b <- src.b")

    def test_the_target_of_copy_is_no_input(self) -> None:
        told = Warehouse("redshift", {"t": "a b"}).run("COPY t (b) FROM 's3://lake/in/' IAM_ROLE default")
        assert told.tables == edges("t <- lake/in")
        assert told.columns == edges("t.b <- lake/in.b")

    @BOTH
    def test_an_external_table(self, dialect: Dialect) -> None:
        told = Warehouse(dialect, {"x": "a"}).run(
            "CREATE EXTERNAL TABLE x (a int) STORED AS PARQUET LOCATION 's3://lake/x/'"
        )
        assert told.tables == edges("x <- lake/x")

    @BOTH
    def test_several_statements_in_one_text(self, dialect: Dialect) -> None:
        told = Warehouse(dialect, {"a": "x", "b": "x", "t": "x"})
        told.run("INSERT INTO t SELECT x FROM a; -- one\nINSERT INTO t SELECT x FROM b;")
        assert told.columns == edges("t.x <- a.x; t.x <- b.x")

    def test_hive_s_ddl(self) -> None:
        told = Warehouse("athena", {"x": "a dt"}).run(
            "CREATE EXTERNAL TABLE IF NOT EXISTS `s`.`x` (`a` int COMMENT 'it\\'s') PARTITIONED BY (`dt` string) "
            "ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe' WITH SERDEPROPERTIES ('x' = 'y') "
            "LOCATION 's3://lake/x/' TBLPROPERTIES ('projection.enabled' = 'true')"
        )
        assert told.tables == edges("x <- lake/x")

    def test_redshift_s_clauses_of_tables(self) -> None:
        told = Warehouse("redshift", {"src": "a b"}).run(
            "CREATE TABLE t (id bigint IDENTITY(1, 1), a int ENCODE az64, b int ENCODE zstd DISTKEY) "
            "INTERLEAVED SORTKEY (a, b); INSERT INTO t (a, b) SELECT a, b FROM src"
        )
        assert told.columns == edges("t.a <- src.a; t.b <- src.b")

    def test_a_procedure_s_body_does_not_run(self) -> None:
        told = Warehouse("redshift", {"t": "a", "src": "a"}).run(
            "CREATE PROCEDURE p() AS $$ BEGIN INSERT INTO t SELECT a FROM src; END; $$ LANGUAGE plpgsql"
        )
        assert told.tables == set()

    def test_an_external_view(self) -> None:
        told = Warehouse("redshift", {"lake.x": "a"}).run(
            "CREATE EXTERNAL PROTECTED VIEW lake.v IF NOT EXISTS AS SELECT a FROM lake.x"
        )
        assert told.columns == edges("lake.v.a <- lake.x.a")


class TestColumnsOfTheQuery:
    def test_the_catalog_s_own_name_makes_no_second_table(self) -> None:
        told = Warehouse("athena", {"t": "x", "src": "x"}).run(
            'INSERT INTO "AwsDataCatalog".s.t SELECT x FROM awsdatacatalog.s.src'
        )
        assert told.columns == edges("t.x <- src.x")

    @BOTH
    def test_a_star_over_an_unknown_table_keeps_the_other_columns(self, dialect: Dialect) -> None:
        told = Warehouse(dialect, {"t": "x y"}).run("CREATE TABLE t AS SELECT b.x, a.* FROM a JOIN b ON a.id = b.id")
        assert told.columns == edges("t.x <- b.x")

    @BOTH
    def test_unions_of_stars(self, dialect: Dialect) -> None:
        told = Warehouse(dialect, {"a": "x y", "b": "p q", "t": "x y"})
        told.run("INSERT INTO t SELECT * FROM a UNION ALL SELECT * FROM b")
        assert told.columns == edges("t.x <- a.x; t.y <- a.y; t.x <- b.p; t.y <- b.q")

    def test_unnest_of_several_arrays_with_ordinality(self) -> None:
        told = Warehouse("athena", {"src": "xs:array<int> ys:array<int>"}).run(
            "CREATE TABLE t AS SELECT x, y, n FROM src CROSS JOIN UNNEST(xs, ys) WITH ORDINALITY AS u (x, y, n)"
        )
        assert told.columns == edges("t.x <- src.xs; t.y <- src.ys")


def test_the_text_of_a_statement_has_no_limit_of_pieces() -> None:
    """Sixteen pieces of 4,000 characters are where another reader stops."""
    text = (
        "INSERT INTO t SELECT CASE " + " ".join(f"WHEN a = {n} THEN {n + 1}" for n in range(9_000)) + " END, b FROM src"
    )
    pieces = [(number, text[start : start + 4_000]) for number, start in enumerate(range(0, len(text), 4_000))]
    assert len(pieces) > 40
    stitched, missing = stitch(pieces, 4_000)
    assert not missing
    assert Warehouse("redshift", {"t": "x y", "src": "a b"}).run(stitched).columns == edges("t.y <- src.b")


@BOTH
def test_a_repeated_statement_is_answered_without_a_session(dialect: Dialect) -> None:
    told = Warehouse(dialect, {"t": "x", "src": "x"})
    for day in range(10):
        told.run(f"INSERT INTO t SELECT x FROM src WHERE x > {day}")
    assert told.repeats.answered == 9
    assert told.columns == edges("t.x <- src.x")
