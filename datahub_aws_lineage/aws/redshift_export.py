"""Statements of an exported file, from rows of CSV or JSON lines, with the layout that their columns have."""

from __future__ import annotations

import csv
import gzip
import io
import json
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import TypeAlias

from datahub_aws_lineage.aws.redshift_audit_records import INTERNAL_USER_ID
from datahub_aws_lineage.aws.redshift_columns import Layout, RowStatus, read_layout
from datahub_aws_lineage.aws.redshift_text import (
    STL_ROW_WIDTH,
    SYS_ROW_WIDTH,
    parse_timestamp,
    restore_line_ends,
    stitch,
)
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

    @property
    def internal(self) -> bool:
        return self.cell(self.layout.user) == "rdsdb" or self.cell(self.layout.user_id) == INTERNAL_USER_ID

    @property
    def actor(self) -> str | None:
        return self.cell(self.layout.user) or self.cell(self.layout.user_id)

    @property
    def status(self) -> RowStatus:
        return self.layout.status_of(self.cells)

    def times(self) -> tuple[datetime | None, datetime | None]:
        """Start and end, as far as the file has them. Raises ValueError for what is no time."""
        started, ended = self.cell(self.layout.started_at), self.cell(self.layout.ended_at)
        return parse_timestamp(started) if started else None, parse_timestamp(ended) if ended else None


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


def statements(rows: Iterator[ExportedRow]) -> Iterator[list[ExportedRow]]:
    """Groups the adjacent rows of one statement; without a sequence every row is a statement."""
    group: list[ExportedRow] = []
    taken: set[str | None] = set()
    for row in rows:
        part = row.cell(row.layout.sequence)
        if group and (not _same_statement(group[0], row) or part in taken):
            yield group
            group, taken = [], set()
        group.append(row)
        taken.add(part)
    if group:
        yield group


def _same_statement(one: ExportedRow, other: ExportedRow) -> bool:
    return one.layout.statement_key(one.cells) == other.layout.statement_key(other.cells)


def statement_text(rows: list[ExportedRow]) -> tuple[str, bool]:
    """The statement's text, and whether some of it is missing. Raises ValueError for a sequence that is no number."""
    layout = rows[0].layout
    if layout.sequence is None:
        text = rows[0].cells[layout.text]
        missing = layout.cuts(text)
    else:
        pieces = [(int(row.cells[layout.sequence]), row.cells[layout.text]) for row in rows]
        longest = max(len(piece) for _, piece in pieces)
        text, missing = stitch(pieces, STL_ROW_WIDTH if longest <= STL_ROW_WIDTH else SYS_ROW_WIDTH)
    return (restore_line_ends(text) if layout.from_system_view else text).strip(), missing
