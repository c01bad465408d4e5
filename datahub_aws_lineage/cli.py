"""The command `datahub-aws-lineage`: ask the engine, record or examine an account, read a run.

Exit codes: 0 it did what was asked (a statement that is not understood is an answer too); 1 it could not, and standard
error says why; 2 it was called wrongly; 130 it was interrupted. A reader that goes away (`| head`) is no error.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

from datahub_aws_lineage.errors import AwsLineageError, MalformedError
from datahub_aws_lineage.explanation import render as render_explanation
from datahub_aws_lineage.sql.contract import explain_line
from datahub_aws_lineage.summary import read_emitted, read_json, source_report
from datahub_aws_lineage.summary import render as render_summary
from datahub_aws_lineage.version import __version__

INTERRUPTED = 130
Tables: TypeAlias = Mapping[str, Any]


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and gives its exit code."""
    options = build_parser().parse_args(arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # SQL holds what a terminal may not be able to show
    try:
        code: int = options.run(options) or 0
        sys.stdout.flush()
    except AwsLineageError as e:
        sys.stderr.write(f"datahub-aws-lineage: {e}\n")
        return 1
    except BrokenPipeError:
        # The interpreter flushes standard output once more at its end, which would complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        return INTERRUPTED
    else:
        return code
    return 0


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="datahub-aws-lineage", description="Column-level lineage of AWS Glue, Athena and Redshift."
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_explain(commands.add_parser("explain", help="show the lineage of SQL, without AWS and without DataHub"))
    _add_record(commands.add_parser("record", help="record the account that a recipe reads to a folder"))
    _add_doctor(commands.add_parser("doctor", help="say what a recipe cannot read, and how to mend it"))
    commands.add_parser("schema", help="print the JSON schema of recipes, for editors").set_defaults(run=schema)
    _add_report(commands.add_parser("report", help="summarise a run from the file that it wrote"))
    return parser


def _add_explain(parser: argparse.ArgumentParser) -> None:
    parser.description = "Shows which columns each statement reads and writes."
    parser.add_argument("file", nargs="?", type=Path, help="SQL to explain; default: standard input")
    parser.add_argument("--jsonl", action="store_true", help="read and write one JSON object a line")
    parser.add_argument("--dialect", choices=("athena", "redshift"), default="athena", help="default: %(default)s")
    parser.add_argument("--database", help="default database (Athena) or connected database (Redshift)")
    parser.add_argument("--schema", help="first schema of the search path (Redshift)")
    parser.add_argument("--tables", type=Path, metavar="FILE", help="known schemas: a JSON map of tables to columns")
    parser.set_defaults(run=explain)


def _add_record(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Reads what a run of the recipe would read, and keeps every answer of AWS. No lineage is built."
    )
    parser.add_argument("folder", type=Path, help="where to record to; the recipe option `snapshot` replays it")
    parser.add_argument("-c", "--config", type=Path, required=True, metavar="RECIPE", help="recipe to read by")
    parser.set_defaults(run=record)


def _add_doctor(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Tries each part that a run of the recipe would read, by one cheap call. Exits with 1 where a part is missing."
    )
    parser.add_argument("-c", "--config", type=Path, required=True, metavar="RECIPE", help="recipe to examine")
    parser.set_defaults(run=doctor)


def _add_report(parser: argparse.ArgumentParser) -> None:
    parser.description = "Summarises what a run wrote through DataHub's file sink."
    parser.add_argument("output", type=Path, help="file that the sink wrote")
    parser.add_argument("--run", type=Path, dest="run_report", metavar="FILE", help="report of the run (`report_file`)")
    parser.set_defaults(run=report)


def explain(options: argparse.Namespace) -> None:
    tables = _read_tables(options.tables)
    with _opened(options.file) as file:
        if options.jsonl:
            _explain_lines(file, tables, sys.stdout.buffer)
        else:
            sys.stdout.write(render_explanation(_explain_text(file.read(), tables, options)))


def _explain_lines(lines: Iterable[bytes], tables: Tables, output: BinaryIO) -> None:
    """Answers each line as it comes; a line that is no JSON gets an answer too, and the others go on."""
    for line in lines:
        if line.strip():
            output.write(json.dumps(explain_line(_decoded(line), tables)).encode("ascii") + b"\n")
            output.flush()


def _explain_text(sql: bytes, tables: Tables, options: argparse.Namespace) -> dict[str, Any]:
    names = {"default_database": options.database, "default_schema": options.schema}
    given = {key: name for key, name in names.items() if name is not None}
    request = {"id": None, "dialect": options.dialect, "sql": _decoded(sql), **given}
    return explain_line(json.dumps(request), tables)


def _decoded(text: bytes) -> str:
    return text.decode("utf-8-sig", "replace")


def _read_tables(path: Path | None) -> Tables:
    """Raises MalformedError where the file is not a JSON map."""
    if path is None:
        return {}
    tables = read_json(path)
    if not isinstance(tables, dict):
        raise MalformedError(f"{path}: not a JSON map of table names to columns")
    return tables


@contextmanager
def _opened(path: Path | None) -> Iterator[BinaryIO]:
    """Standard input without a path. Raises MalformedError where the file cannot be opened."""
    if path is None or str(path) == "-":
        yield sys.stdin.buffer
        return
    try:
        file = path.open("rb")
    except OSError as e:
        raise MalformedError(f"{path}: {e.strerror}") from e
    with file:
        yield file


def record(options: argparse.Namespace) -> None:
    # DataHub takes seconds to import; only this command needs it.
    from datahub_aws_lineage.recorder import record_account

    sys.stdout.write(record_account(options.config, options.folder))


def doctor(options: argparse.Namespace) -> int:
    from datahub_aws_lineage.doctor import examine

    text, whole = examine(options.config)
    sys.stdout.write(text)
    return 0 if whole else 1


def schema(_: argparse.Namespace) -> None:
    from datahub_aws_lineage.config.recipes import recipe_schema

    sys.stdout.write(json.dumps(recipe_schema(), indent=2) + "\n")


def report(options: argparse.Namespace) -> None:
    run = source_report(read_json(options.run_report), options.run_report) if options.run_report else None
    sys.stdout.write(render_summary(read_emitted(options.output), options.output, run))


if __name__ == "__main__":
    sys.exit(main())
