"""`python -m benchmarks.growth`: what one statement costs as it gets wider, longer and deeper."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from time import process_time

from datahub_aws_lineage.model.catalog import Column
from datahub_aws_lineage.model.names import Dialect, StatementTable
from datahub_aws_lineage.model.queries import SqlContext
from datahub_aws_lineage.sql import analyze

WIDTH = 2_000
CONTEXTS: Mapping[Dialect, SqlContext] = {
    "athena": SqlContext("athena", "awsdatacatalog", "db"),
    "redshift": SqlContext("redshift", "dev", "db", ("db",)),
}


class _Wide:
    """Every table has columns c0 to c1999."""

    def __init__(self) -> None:
        self._columns = tuple(Column(f"c{number}", "int") for number in range(WIDTH))

    def columns(self, table: StatementTable) -> tuple[Column, ...] | None:
        return self._columns


def _columns(size: int) -> str:
    listed = ", ".join(f"a.c{number} + b.c{number} AS x{number}" for number in range(size))
    return f"CREATE TABLE t AS SELECT {listed} FROM a JOIN b ON a.c0 = b.c0"


def _branches(size: int) -> str:
    branches = (f"SELECT c0, c1 + {number} AS y FROM a WHERE c2 = {number}" for number in range(size))
    return f"CREATE TABLE t AS {' UNION ALL '.join(branches)}"


def _cases(size: int) -> str:
    branches = " ".join(f"WHEN c0 = {number} THEN c1" for number in range(size))
    return f"CREATE TABLE t AS SELECT CASE {branches} END AS y FROM a"


def _depth(size: int) -> str:
    query = "SELECT c0, c1 FROM a"
    for level in range(size):
        query = f"SELECT c0, c1 FROM ({query}) s{level}"
    return f"CREATE TABLE t AS {query}"


SHAPES: tuple[tuple[str, Callable[[int], str], tuple[int, ...]], ...] = (
    ("columns of two joined tables", _columns, (10, 100, 1_000, 2_000)),
    ("branches of a UNION", _branches, (1, 10, 100, 500)),
    ("branches of a CASE", _cases, (10, 100, 1_000, 10_000)),
    ("subqueries within one another", _depth, (1, 10, 50, 100)),
)


def main() -> None:
    schemas = _Wide()
    for title, made, sizes in SHAPES:
        print(title)
        for size in sizes:
            text = made(size)
            times = [f"{dialect} {_milliseconds(text, dialect, schemas):>8,.1f} ms" for dialect in CONTEXTS]
            print(f"  {size:>6,}   {len(text):>9,} characters   {'   '.join(times)}")


def _milliseconds(text: str, dialect: Dialect, schemas: _Wide) -> float:
    """CPU time of the best of three."""
    best = float("inf")
    for _ in range(3):
        start = process_time()
        analyze(text, CONTEXTS[dialect], schemas)
        best = min(best, process_time() - start)
    return best * 1_000


if __name__ == "__main__":
    main()
