"""Spark's analyser says for each output column which base columns it is made from: ours are the same, column by column.

Spark is no part of the development tools; `make oracles` installs it. It needs Java.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
from generated_queries import BASE_TABLES, Features, query, text_of
from oracle_lineage import read_by
from spark_plans import Found, Plan, tree

from datahub_aws_lineage.model.names import Dialect

sql = pytest.importorskip("pyspark.sql", reason="PySpark is not installed; `make oracles` installs it")
QUERIES = int(os.environ.get("ORACLE_QUERIES", "100"))
_KINDS = {"int": "int", "text": "string"}
_REFUSED = 0.35
"""Spark has rules of its own for correlated subqueries."""


@pytest.fixture(scope="module")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    if shutil.which("java") is None:
        pytest.skip("Spark needs Java: `apt-get install default-jre-headless` brings it")
    folder = tmp_path_factory.mktemp("spark")
    builder = sql.SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false")
    session = builder.config("spark.sql.warehouse.dir", str(folder)).getOrCreate()
    session.sparkContext.setLogLevel("OFF")
    for table, columns in BASE_TABLES.items():
        described = ", ".join(f"{column} {_KINDS[kind]}" for column, kind in columns.items())
        session.sql(f"CREATE TABLE {table} ({described}) USING parquet")
    yield session
    session.stop()


def analysed(spark: Any, text: str) -> list[Found] | None:
    """What each output column is made from, in order; None where Spark refuses the query."""
    try:
        plan = spark.sql(text)._jdf.queryExecution().analyzed()
    except sql.utils.AnalysisException:
        return None
    return list(Plan().columns(tree(json.loads(plan.toJSON()))).values())


@pytest.mark.parametrize("dialect", ["athena", "redshift"])
def test_every_output_column(spark: Any, dialect: Dialect) -> None:
    # The plan as JSON leaves out the columns of ROLLUP.
    features = Features(using=dialect == "redshift", stars_of_sides=False, rollup=False)
    refused = 0
    for seed in range(QUERIES):
        made = query(Random(f"{dialect} {seed}"), features)
        text = text_of(made)
        wanted = analysed(spark, text)
        if wanted is None:
            refused += 1
            continue
        read = read_by(text, dialect)
        found = {name: read.of(name) for name in made.columns}
        assert found == dict(zip(made.columns, wanted, strict=True)), text
    assert refused <= QUERIES * _REFUSED, f"{refused} of {QUERIES} queries were refused"
