"""`python -m benchmarks.million`: a long log, streamed. How time and memory grow with the statements.

A million statements are 20,000 templates, each run 50 times with other literals, over 10,000 tables.
"""

from __future__ import annotations

import argparse
import resource
import sys
from collections.abc import Iterator
from time import process_time

from benchmarks.runs import Run
from benchmarks.workload import Workload
from datahub_aws_lineage.model.queries import QueryRecord

LEGS = 10


def main() -> None:
    arguments = _arguments()
    size: int = arguments.statements
    workload = Workload(arguments.dialect, templates=max(1, size // 50), repeats=50, tables=max(100, size // 100))
    run = Run(workload.catalog())
    print(f"{len(workload):,} statements of {arguments.dialect}; {_peak():,} MiB before the first")
    start = process_time()
    run.read(_told(workload.records(), len(workload), start))
    read = process_time()
    proposals = sum(1 for _ in run.work_units())
    print(f"{proposals:,} proposals in {process_time() - read:,.0f} CPU seconds more; {_peak():,} MiB at most")


def _told(records: Iterator[QueryRecord], count: int, start: float) -> Iterator[QueryRecord]:
    for number, record in enumerate(records, 1):
        yield record
        if number % max(1, count // LEGS) == 0:
            print(f"  {number:>9,} statements   {process_time() - start:>5,.0f} CPU seconds   {_peak():>6,} MiB")
            sys.stdout.flush()


def _peak() -> int:
    """The most memory that this process has had, in MiB (`ru_maxrss` is in KiB on Linux, in bytes on macOS)."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most // (1024 * 1024 if sys.platform == "darwin" else 1024)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.million", description=__doc__)
    parser.add_argument("--statements", type=int, default=1_000_000, help="how long the log is (default 1,000,000)")
    parser.add_argument("--dialect", choices=("athena", "redshift"), default="redshift")
    return parser.parse_args()


if __name__ == "__main__":
    main()
