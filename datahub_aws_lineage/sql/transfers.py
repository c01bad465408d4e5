"""COPY and UNLOAD: between tables and S3."""

from __future__ import annotations

from datahub_aws_lineage.sql.cursor import Cursor
from datahub_aws_lineage.sql.relations import BY_POSITION_NAME, KNOWN, OutputColumn
from datahub_aws_lineage.sql.statements import Analysis, Found, check_location
from datahub_aws_lineage.sql.token_edits import split_commas
from datahub_aws_lineage.sql.values import Source, Value

_JSON_WITHOUT_PATHS = frozenset({"", "auto", "auto ignorecase", "noshred"})
_JOB_COMMANDS = frozenset({"ALTER", "DROP", "LIST", "RUN", "SHOW"})
"""COPY JOB …: what is done to a job that loads by itself (Redshift)."""


def copy(analysis: Analysis) -> Found:
    """COPY t [(columns)] FROM 'source' …: by convention each column is read from the column of that name.

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
    analysis.collector.read(source)
    if _mapped_by_file(cursor):
        return Found("copy", target.table, writes_rows_of_existing=True)
    names = listed or target.names
    if names is None:
        analysis.collector.gap("target", f"the columns of {target.table} are unknown")
        names = []
    confidence = KNOWN if target.names else BY_POSITION_NAME
    columns = [OutputColumn(name, Value({Source(source, (name,), "IDENTITY"): confidence})) for name in names]
    return Found("copy", target.table, analysis.in_target(columns, target), writes_rows_of_existing=True)


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
    return Found("unload", location, analysis.named_columns(relation))
