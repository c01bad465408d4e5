"""COPY and UNLOAD: between tables and S3."""

from __future__ import annotations

from dataclasses import replace

from datahub_aws_lineage.model.names import S3Location
from datahub_aws_lineage.sql.cursor import Cursor
from datahub_aws_lineage.sql.relations import BY_POSITION_NAME, KNOWN, OutputColumn
from datahub_aws_lineage.sql.statements import Analysis, Found, check_location
from datahub_aws_lineage.sql.token_edits import split_commas
from datahub_aws_lineage.sql.values import Source, Value

_JSON_WITHOUT_PATHS = frozenset({"", "auto", "auto ignorecase", "noshred"})
_JOB_COMMANDS = frozenset({"ALTER", "DROP", "LIST", "RUN", "SHOW"})
"""COPY JOB …: what is done to a job that loads by itself (Redshift)."""


def copy(analysis: Analysis) -> Found:
    """COPY t [(columns)] FROM 'source' …: each column is read from the column in its place, where the source's columns
    are known and the format has no names of its own, else by convention from the column of that name.

    With a JSONPaths or Avro path file the names in the source are unknown (Redshift, COPY from JSON format).
    """
    cursor = analysis.cursor
    cursor.needs("COPY")
    if cursor.sees("JOB") and cursor.word(1) in _JOB_COMMANDS:
        return Found("utility")
    target = analysis.target(cursor.name())
    listed = [item[0].text.lower() for item in split_commas(cursor.parenthesised())] if cursor.at_parenthesis else []
    cursor.needs("FROM")
    uri = cursor.string()
    if uri is None:
        raise cursor.error("expected the source of COPY as a string")
    source = check_location(uri)
    if not uri.lower().startswith(("s3://", "s3a://", "s3n://")):
        analysis.collector.gap("source", f"COPY reads {uri}, which is no S3 location")
        return Found("copy", target.table, writes_rows_of_existing=True)
    options = cursor.at
    source = replace(source, is_manifest=cursor.skip_to("MANIFEST"))
    cursor.at = options
    analysis.collector.read(source)
    if _mapped_by_file(cursor):
        return Found("copy", target.table, writes_rows_of_existing=True)
    names = listed or target.names
    if names is None:
        analysis.collector.gap("target", f"the columns of {target.table} are unknown")
        names = []
    cursor.at = options
    in_files = [column.name for column in analysis.session.schemas.columns(source) or ()]
    by_place = len(in_files) == len(names) and not _has_names(cursor)
    confidence = KNOWN if target.names or by_place else BY_POSITION_NAME
    columns = [
        OutputColumn(name, Value({Source(source, (read,), "IDENTITY"): confidence}))
        for name, read in zip(names, in_files if by_place else names, strict=True)
    ]
    return Found("copy", target.table, analysis.in_target(columns, target), writes_rows_of_existing=True)


def _has_names(cursor: Cursor) -> bool:
    """JSON and Avro find a column by its name; text, PARQUET and ORC go by position (Redshift, COPY)."""
    return cursor.skip_to("JSON", "AVRO")


def _mapped_by_file(cursor: Cursor) -> bool:
    """JSONPaths and Avro paths name the columns elsewhere; with SSH the file lists hosts."""
    while cursor.skip_to("JSON", "AVRO", "SSH"):
        if cursor.takes("SSH"):
            return True
        cursor.at += 1
        cursor.takes("AS")
        if (cursor.string() or "").lower() not in _JSON_WITHOUT_PATHS:
            return True
    return False


def unload(analysis: Analysis) -> Found:
    """Redshift: UNLOAD ('query') TO 's3://…'. Athena: UNLOAD (query) TO 's3://…' WITH (…)."""
    cursor = analysis.cursor
    cursor.needs("UNLOAD")
    inner = cursor.parenthesised()
    cursor.needs("TO")
    uri = cursor.string()
    if uri is None:
        raise cursor.error("expected the target of UNLOAD as a string")
    location = check_location(uri)
    quoted = Cursor(inner, analysis.text)
    text = quoted.string()
    relation = analysis.inner_query(text) if text is not None and quoted.done else analysis.query(inner)
    columns = analysis.named_columns(relation)
    options = frozenset(token.text.upper().partition(" ")[0] for token in cursor.rest())
    if not relation.stars and options.isdisjoint(_NAMED | _PARTITIONED):
        columns = _in_places(columns, location, analysis)
    schema = analysis.schema_of(relation, columns) if options.isdisjoint(_PARTITIONED) else None
    return Found("unload", location, columns, schema)


_NAMED = frozenset({"PARQUET", "ORC", "AVRO", "JSON"})
"""Formats that have the columns' names in the files."""

_PARTITIONED = frozenset({"PARTITION", "PARTITIONED_BY"})
"""Some of the columns are not in the files."""


def _in_places(columns: list[OutputColumn], location: S3Location, analysis: Analysis) -> list[OutputColumn]:
    """Under the names that the catalog gives to the columns of text files there, which go by position. Columns that
    an earlier statement has put there have no types: its names say nothing of this one."""
    in_files = analysis.session.schemas.columns(location) or ()
    if len(in_files) != len(columns) or not all(column.type for column in in_files):
        return columns
    return [replace(made, name=column.name) for made, column in zip(columns, in_files, strict=True)]
