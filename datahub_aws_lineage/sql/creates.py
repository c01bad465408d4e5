"""CREATE TABLE, CREATE VIEW and their kin, of both dialects and of Hive's DDL."""

from __future__ import annotations

from contextlib import suppress

from sqlglot import Token, TokenType

from datahub_aws_lineage.model.catalog import Column
from datahub_aws_lineage.model.lineage import CreateExternalSchema, StatementKind
from datahub_aws_lineage.model.names import S3Location
from datahub_aws_lineage.sql.cursor import STRINGS, Cursor, source_text, string_value
from datahub_aws_lineage.sql.dialects import NotUnderstoodError
from datahub_aws_lineage.sql.statements import QUERY_STARTS, Analysis, Found, check_location
from datahub_aws_lineage.sql.token_edits import split_commas

_CONSTRAINTS = {"CHECK": "(", "FOREIGN": "KEY", "PRIMARY": "KEY", "UNIQUE": "("}
"""Words that begin a constraint, before these, and are names of columns elsewhere."""
_LOCATIONS = frozenset({"location", "external_location"})
_END_OF_TYPE = frozenset(
    "COMMENT NOT NULL DEFAULT ENCODE DISTKEY SORTKEY IDENTITY GENERATED PRIMARY UNIQUE REFERENCES COLLATE CONSTRAINT "
    "CHECK".split()
)


def create_table(analysis: Analysis) -> Found:
    """CREATE [TEMP] [EXTERNAL] TABLE, with columns, LIKE, or AS a query; the cursor stands behind CREATE."""
    cursor = analysis.cursor
    temporary = _modifiers(cursor)
    external = cursor.takes("EXTERNAL")
    cursor.needs("TABLE")
    conditional = cursor.takes("IF", "NOT", "EXISTS")
    output = analysis.names.created(cursor.name(), temporary=temporary)
    existing = analysis.session.schemas.columns(output) if conditional else None  # then nothing is made
    listed = cursor.parenthesised() if cursor.at_parenthesis and not _starts_query(cursor, 1) else []
    location = _location(cursor)
    if _at_query(cursor):
        kind: StatementKind = "create_external_table_as" if external else "create_table_as"
        found = _create_as(analysis, Found(kind, output, replaces=True), listed)
        found.schema = existing or found.schema
        found.location = _storage(location)
        return found
    schema = existing or _defined(analysis, listed) or None
    if external:
        if location is not None:
            analysis.collector.read(check_location(location))
        return Found("create_external_table", output, schema=schema, replaces=True)
    return Found("create_table", output, schema=schema, replaces=True)


def create_view(analysis: Analysis) -> Found:
    """CREATE [OR REPLACE] [MATERIALIZED | PROTECTED | EXTERNAL] VIEW name [(columns)] … AS query."""
    cursor = analysis.cursor
    while cursor.takes_any(
        frozenset({"OR", "REPLACE", "PROTECTED", "MULTI", "DIALECT", "EXTERNAL", "TEMP", "TEMPORARY"})
    ):
        pass
    materialized = cursor.takes("MATERIALIZED")
    cursor.needs("VIEW")
    cursor.takes("IF", "NOT", "EXISTS")
    output = analysis.names.created(cursor.name())
    listed = cursor.parenthesised() if cursor.at_parenthesis and not _starts_query(cursor, 1) else []
    kind: StatementKind = "create_materialized_view" if materialized else "create_view"
    if not _to_query(cursor):
        raise cursor.error("expected AS and the query of the view")
    return _create_as(analysis, Found(kind, output, replaces=True), listed)


def alter_external_view(analysis: Analysis) -> Found:
    """ALTER EXTERNAL VIEW name [FORCE] AS (query): a definition in place of the old one; or REMOVE DEFINITION."""
    cursor = analysis.cursor
    cursor.needs("ALTER", "EXTERNAL", "VIEW")
    output = analysis.names.created(cursor.name())
    if not _to_query(cursor):
        return Found("utility")
    return _create_as(analysis, Found("create_view", output, replaces=True), [])


def create_external_schema(analysis: Analysis) -> Found:
    """CREATE EXTERNAL SCHEMA name FROM DATA CATALOG | HIVE METASTORE | POSTGRES | … [DATABASE 'name']."""
    cursor = analysis.cursor
    cursor.needs("EXTERNAL")
    cursor.needs("SCHEMA")
    cursor.takes("IF", "NOT", "EXISTS")
    schema = cursor.name()[-1]
    kind, source = "other", None
    if cursor.skip_to("FROM"):
        cursor.takes("FROM")
        kind = cursor.word().lower()
        if cursor.sees("DATA", "CATALOG"):
            kind = "data_catalog"
    if cursor.skip_to("DATABASE"):
        cursor.takes("DATABASE")
        source = cursor.string()
    effect = CreateExternalSchema(analysis.session.context.default_catalog, schema, kind, source)
    return Found("create_external_schema", effects=(effect,))


def select_into(analysis: Analysis, into: int) -> Found:
    """SELECT … INTO [TEMP] [TABLE] name FROM …; `into` is the position of INTO among the tokens."""
    cursor = Cursor(analysis.tokens, analysis.text)
    cursor.at = into + 1
    temporary = _modifiers(cursor)
    cursor.takes("TABLE")
    output = analysis.names.created(cursor.name(), temporary=temporary)
    query = analysis.tokens[:into] + analysis.tokens[cursor.at :]
    relation = analysis.query(query)
    columns = analysis.named_columns(relation)
    schema = analysis.schema_of(relation, columns)
    return Found("create_table_as", output, columns, schema, replaces=True)


def _create_as(analysis: Analysis, found: Found, listed: list[Token]) -> Found:
    cursor = analysis.cursor
    query = _without_tail(cursor.rest())
    reads = not _has_no_data(cursor.rest())
    names = [column.name for column in definitions(listed, analysis.text)]
    relation = analysis.query(query)
    found.columns = analysis.named_columns(relation, names)
    found.schema = analysis.schema_of(relation, found.columns)
    if not reads:
        found.columns = []
        analysis.collector.forget()
    return found


def _has_no_data(tokens: list[Token]) -> bool:
    """CREATE TABLE … AS query WITH NO DATA copies the query's schema, and reads no row."""
    return [token.text.upper() for token in tokens[-3:]] == ["WITH", "NO", "DATA"]


def _modifiers(cursor: Cursor) -> bool:
    """Steps over OR REPLACE, LOCAL, TEMP, …; True if the table is temporary."""
    temporary = False
    while True:
        if cursor.takes_any(frozenset({"TEMP", "TEMPORARY"})):
            temporary = True
        elif not cursor.takes_any(frozenset({"OR", "REPLACE", "LOCAL", "GLOBAL", "UNLOGGED"})):
            return temporary


def _starts_query(cursor: Cursor, ahead: int) -> bool:
    return cursor.word(ahead) in ("SELECT", "WITH", "(")


def _at_query(cursor: Cursor) -> bool:
    """WITH begins a query too, unless it begins a table's properties: `WITH (format = …)`."""
    return cursor.word() in QUERY_STARTS and not cursor.sees("WITH", "(")


def _to_query(cursor: Cursor) -> bool:
    """Moves behind the AS that a query follows, over whatever clauses stand before it."""
    while cursor.skip_to("AS"):
        cursor.takes("AS")
        if _at_query(cursor):
            return True
    return False


def _location(cursor: Cursor) -> str | None:
    """Moves over the table's clauses to its query or its end; gives the location on the way.

    It stands as `LOCATION 's3://…'`, or among the properties of a CTAS of Athena (`WITH (external_location = …)`).
    """
    location = None
    start = cursor.at
    while not cursor.done:
        if cursor.takes("STORED", "AS") or cursor.takes("DEFINED", "AS"):
            continue
        if cursor.takes("AS"):
            if not _at_query(cursor):
                raise cursor.error("expected a query behind AS")
            return location
        if cursor.takes("LOCATION"):
            location = cursor.string() or cursor.quoted() or location
        elif cursor.at_parenthesis:
            if cursor.at == start and _starts_query(cursor, 1):
                return location
            location = _location_property(cursor.parenthesised(), cursor.text) or location
        elif cursor.at == start and _at_query(cursor):
            return location
        else:
            cursor.at += 1
    return location


def _storage(location: str | None) -> S3Location | None:
    """Where a CTAS puts its data; that a template stands there instead costs nothing else of the statement."""
    with suppress(NotUnderstoodError):
        return check_location(location) if location is not None else None
    return None


def _location_property(properties: list[Token], text: str) -> str | None:
    """`location` of an Iceberg table, `external_location` of a Hive one (Amazon Athena User Guide, "CTAS table
    properties")."""
    for item in split_commas(properties):
        if len(item) == 3 and item[0].text.lower() in _LOCATIONS and item[2].token_type in STRINGS:
            return string_value(item[2], text)
    return None


def _without_tail(tokens: list[Token]) -> list[Token]:
    """The query without what may follow it: WITH [NO] DATA, WITH NO SCHEMA BINDING."""
    words = [token.text.upper() for token in tokens[-4:]]
    for tail in (["WITH", "NO", "SCHEMA", "BINDING"], ["WITH", "NO", "DATA"], ["WITH", "DATA"]):
        if words[-len(tail) :] == tail:
            return tokens[: -len(tail)]
    return tokens


def definitions(listed: list[Token], text: str) -> tuple[Column, ...]:
    """The columns of `name type …, name type …`; constraints are left out."""
    return tuple(_definition(item, text) for item in split_commas(_angled(listed)) if _is_column(item))


def _is_column(item: list[Token]) -> bool:
    if item[0].token_type is TokenType.IDENTIFIER:
        return True
    first, _, second = item[0].text.upper().partition(" ")  # sqlglot reads PRIMARY KEY as one word
    following = second or (item[1].text.upper() if len(item) > 1 else "")
    return first not in ("CONSTRAINT", "LIKE") and (first not in _CONSTRAINTS or _CONSTRAINTS[first] != following)


def _definition(item: list[Token], text: str) -> Column:
    words = [None if _quoted(token) else token.text.upper().split()[0] for token in item]
    end = next((i for i, word in enumerate(words) if i > 0 and word in _END_OF_TYPE), len(item))
    type_tokens = item[1:end]
    if type_tokens and type_tokens[0].token_type is TokenType.COLON:
        type_tokens = type_tokens[1:]
    return Column(item[0].text.lower(), source_text(type_tokens, text).strip())


def _quoted(token: Token) -> bool:
    return token.token_type is TokenType.IDENTIFIER or token.token_type in STRINGS


def _angled(tokens: list[Token]) -> list[Token]:
    """Hides commas inside `struct<a:int,b:int>` from the splitting into columns."""
    depth, kept = 0, []
    for token in tokens:
        depth += token.text.count("<") - token.text.count(">") if not _quoted(token) else 0
        if depth > 0 and token.token_type is TokenType.COMMA:
            continue
        kept.append(token)
    return kept


def _partitions(analysis: Analysis) -> tuple[Column, ...]:
    """PARTITIONED BY (name type, …): Hive's partition columns come last. Iceberg's transforms add no column."""
    cursor = Cursor(analysis.tokens, analysis.text)
    while cursor.skip_to("PARTITIONED", "PARTITIONED BY"):
        cursor.at += 1
        cursor.takes("BY")
        if cursor.at_parenthesis:
            items = split_commas(_angled(cursor.parenthesised()))
            plain = [item for item in items if len(item) > 1 and item[1].token_type is not TokenType.L_PAREN]
            return tuple(_definition(item, analysis.text) for item in plain)
    return ()


def _defined(analysis: Analysis, listed: list[Token]) -> tuple[Column, ...]:
    """The columns of a CREATE TABLE; `LIKE other` stands for those of the other table. Empty where they are unknown."""
    columns: list[Column] = []
    for item in split_commas(_angled(listed)):
        if _quoted(item[0]) or item[0].text.upper() != "LIKE":
            columns.extend([_definition(item, analysis.text)] if _is_column(item) else [])
            continue
        cursor = Cursor(item, analysis.text)
        cursor.takes("LIKE")
        copied = analysis.target(cursor.name()).columns
        if not copied:
            return ()
        columns.extend(copied)
    return tuple(columns) + _partitions(analysis)
