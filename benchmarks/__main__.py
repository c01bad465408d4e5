"""`python -m benchmarks`: this package beside DataHub's aggregator, as ratios of one run. No figure is kept."""

from __future__ import annotations

import argparse
import sys
from time import process_time

from benchmarks.runs import Measured, datahubs, measured, ours
from benchmarks.workload import Workload
from datahub_aws_lineage.model.catalog import Column
from datahub_aws_lineage.model.names import Dialect, StatementTable
from datahub_aws_lineage.sql import analyze
from datahub_aws_lineage.sql.dialects import parse, tokenize

DIALECTS: tuple[Dialect, ...] = ("athena", "redshift")


def main() -> None:
    arguments = _arguments()
    size: int = arguments.statements
    for dialect in DIALECTS:
        print(f"{dialect}: statements a CPU second, from the log to the last proposal")
        for title, workload in (
            ("distinct statements", Workload(dialect, templates=size, repeats=1, tables=size)),
            ("each 50 times, other literals", Workload(dialect, templates=size // 10, repeats=50, tables=size)),
        ):
            _show(title, *_best(workload, arguments.rounds))
        parsing, whole = min(_shares(Workload(dialect, size, 1, size)) for _ in range(arguments.rounds))
        print(f"  {'parsed by sqlglot':<32}{size / parsing:>8,.0f}")
        print(f"  {'parsed and analysed':<32}{size / whole:>8,.0f}   own share {1 - parsing / whole:.0%}")
        print(flush=True)


def _best(workload: Workload, rounds: int) -> tuple[Measured, Measured]:
    """The faster of the rounds of each, which take turns: a busy machine slows both."""
    mine, theirs = zip(*((measured(ours, workload), measured(datahubs, workload)) for _ in range(rounds)), strict=True)
    return max(mine, key=lambda one: one.rate), max(theirs, key=lambda one: one.rate)


def _show(title: str, mine: Measured, theirs: Measured) -> None:
    print(f"  {title:<32}{mine.rate:>8,.0f}   DataHub {theirs.rate:>6,.0f}   {mine.rate / theirs.rate:>6.1f} times")
    sys.stdout.flush()


def _shares(workload: Workload) -> tuple[float, float]:
    """CPU seconds of sqlglot's tokenizing and parsing alone, and of the whole analysis."""
    records = list(workload.records())
    schemas = _Schemas(workload)
    start = process_time()
    for record in records:
        tokens = tokenize(record.text, workload.dialect)
        query = next(at for at, token in enumerate(tokens) if token.text.upper() in ("SELECT", "WITH"))
        parse(tokens[query:], record.text, workload.dialect)
    middle = process_time()
    for record in records:
        analyze(record.text, record.context, schemas)
    return middle - start, process_time() - middle


class _Schemas:
    def __init__(self, workload: Workload) -> None:
        self._tables: dict[StatementTable, tuple[Column, ...] | None] = {t.name: t.columns for t in workload.catalog()}

    def columns(self, table: StatementTable) -> tuple[Column, ...] | None:
        return self._tables.get(table)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--statements", type=int, default=400, help="statements of each workload (default 400)")
    parser.add_argument("--rounds", type=int, default=2, help="times each is run; the best counts (default 2)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
