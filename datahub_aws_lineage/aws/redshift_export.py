"""Rows of an exported file: CSV or JSON lines, plain or gzipped, with the layout that their columns have."""

from __future__ import annotations

import csv
import gzip
import io
import json
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TypeAlias

from datahub_aws_lineage.aws.redshift_columns import Layout, read_layout
from datahub_aws_lineage.errors import ConfigurationError

DAMAGE = (csv.Error, gzip.BadGzipFile, zlib.error, EOFError)
"""What reading raises where a file breaks off or is not what it claims to be."""

_GZIP_MAGIC = b"\x1f\x8b"
_DELIMITERS = ",;\t|"
_LONGEST_VALUE = 16 * 1024 * 1024
"""Characters of one CSV value: Redshift allows statements of 16 MB."""

Cells: TypeAlias = dict[str, str]


@dataclass(frozen=True, slots=True)
class ExportedRow:
    layout: Layout
    cells: Cells

    def cell(self, column: str | None) -> str | None:
        """The value under `column`, without blanks around it; None where it is empty or there is no such column."""
        return (self.cells[column].strip() or None) if column else None


@dataclass(frozen=True, slots=True)
class MalformedRow:
    detail: str


@contextmanager
def open_lines(path: Path) -> Iterator[tuple[str, Iterator[str]]]:
    """Gives the first line that is not blank, and all lines from it on. Raises ConfigurationError, and `DAMAGE`."""
    with ExitStack() as opened:
        try:
            raw = opened.enter_context(path.open("rb"))
        except OSError as e:
            raise ConfigurationError(f"{path}: cannot be read: {e.strerror or e}") from e
        zipped = raw.peek(len(_GZIP_MAGIC)).startswith(_GZIP_MAGIC)
        binary = opened.enter_context(gzip.GzipFile(fileobj=raw)) if zipped else raw
        lines = opened.enter_context(io.TextIOWrapper(binary, encoding="utf-8-sig", errors="replace", newline=""))
        first = next((line for line in lines if line.strip()), "")
        yield first, chain([first], lines)


def read_rows(first: str, lines: Iterator[str], name: str) -> Iterator[ExportedRow | MalformedRow]:
    """Reads JSON lines if the first line is an object, else CSV with a header. Raises ConfigurationError, `DAMAGE`."""
    return _json_rows(lines, name) if first.lstrip().startswith("{") else _csv_rows(first, lines, name)


def _csv_rows(header: str, lines: Iterator[str], name: str) -> Iterator[ExportedRow | MalformedRow]:
    csv.field_size_limit(max(csv.field_size_limit(), _LONGEST_VALUE))
    table = csv.reader(lines, delimiter=max(_DELIMITERS, key=header.count))
    columns = next(table, [])
    layout = read_layout(columns, name)
    for values in table:
        if len(values) == len(columns):
            yield ExportedRow(layout, dict(zip(columns, values, strict=True)))
        elif values:
            yield MalformedRow(f"line {table.line_num}: {len(values)} values under {len(columns)} columns")


def _json_rows(lines: Iterator[str], name: str) -> Iterator[ExportedRow | MalformedRow]:
    layouts: dict[tuple[str, ...], Layout] = {}
    for number, line in enumerate(lines, start=1):
        cells = _json_cells(line)
        if cells is None:
            yield MalformedRow(f"JSON line {number}: not an object")
        elif cells:
            columns = tuple(cells)
            if columns not in layouts:
                layouts[columns] = read_layout(list(columns), f"{name}, JSON line {number}")
            yield ExportedRow(layouts[columns], cells)


def _json_cells(line: str) -> Cells | None:
    """The object of one line with its values as text; empty for a blank line, None for what is no object."""
    if not line.strip():
        return {}
    try:
        value = json.loads(line)
    except ValueError:
        return None
    if not isinstance(value, dict):
        return None
    return {name: "" if cell is None else str(cell) for name, cell in value.items()}
