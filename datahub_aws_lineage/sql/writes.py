"""INSERT, UPDATE, DELETE, MERGE and ALTER TABLE … APPEND."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import Token, TokenType, exp

from datahub_aws_lineage.model.lineage import Effect, Truncate
from datahub_aws_lineage.sql.cursor import Cursor
from datahub_aws_lineage.sql.dialects import tokenize
from datahub_aws_lineage.sql.expressions import name_parts
from datahub_aws_lineage.sql.relations import BY_POSITION_NAME, KNOWN, OutputColumn, Relation
from datahub_aws_lineage.sql.scopes import Scope
from datahub_aws_lineage.sql.statements import Analysis, Found, Target
from datahub_aws_lineage.sql.token_edits import split_commas
from datahub_aws_lineage.sql.values import Source, Value


def insert(analysis: Analysis) -> Found:
    """[WITH …] INSERT INTO t [(columns)] query | VALUES … | DEFAULT VALUES."""
    cursor = analysis.cursor
    common = _common(cursor)
    cursor.needs("INSERT")
    if not cursor.takes("INTO"):
        cursor.needs("OVERWRITE")
        cursor.takes("INTO")
    cursor.takes("TABLE")
    target = analysis.target(cursor.name())
    listed = _column_list(cursor)
    found = Found("insert", target.table, writes_rows_of_existing=True)
    if cursor.takes("DEFAULT", "VALUES"):
        return found
    relation = analysis.query([*common, *cursor.rest()])
    found.columns = analysis.inserted_columns(relation, target, listed)
    return found


def _common(cursor: Cursor) -> list[Token]:
    """The CTEs in front of INSERT, whose query reads them."""
    start = cursor.at
    depth = 0
    while cursor.token is not None and (depth or not cursor.sees("INSERT")):
        kind = cursor.token.token_type
        depth += (kind is TokenType.L_PAREN) - (kind is TokenType.R_PAREN)
        cursor.at += 1
    return cursor.tokens[start : cursor.at]


def _column_list(cursor: Cursor) -> list[str]:
    """A parenthesis that holds names and not a query."""
    if not cursor.at_parenthesis or cursor.word(1) in ("SELECT", "WITH", "VALUES", "TABLE", "("):
        return []
    return [item[0].text.lower() for item in split_commas(cursor.parenthesised())]


def update(analysis: Analysis) -> Found:
    """[WITH …] UPDATE t [alias] SET c = … [FROM …] [WHERE …]."""
    tree = analysis.parse(analysis.tokens)
    if not isinstance(tree, exp.Update):
        raise analysis.cursor.error("expected UPDATE")
    target, scope = _target_scope(analysis, tree)
    analysis.queries.sources.add_from(tree, scope)
    columns = list(_assignments(analysis, tree.expressions, scope))
    analysis.queries.influence(_condition(tree), scope, "FILTER")
    kept = analysis.in_target(columns, target)
    return Found("update", target.table, kept, writes_rows_of_existing=True)


def delete(analysis: Analysis) -> Found:
    """[WITH …] DELETE FROM t [USING …] [WHERE …]; conditions make inputs, no column edges."""
    tree = analysis.parse(_with_from(analysis.tokens))
    if not isinstance(tree, exp.Delete):
        raise analysis.cursor.error("expected DELETE")
    target, scope = _target_scope(analysis, tree)
    for source in tree.args.get("using") or []:
        analysis.queries.sources.add_alone(source, scope)
    condition = _condition(tree)
    analysis.queries.influence(condition, scope, "FILTER")
    effects: tuple[Effect, ...] = () if condition is not None else (Truncate(target.table),)
    return Found("delete", target.table, effects=effects, writes_rows_of_existing=True)


def _with_from(tokens: list[Token]) -> list[Token]:
    """Redshift's `DELETE t WHERE …` leaves FROM out; sqlglot wants it."""
    for position, token in enumerate(tokens[:-1]):
        if token.text.upper() == "DELETE":
            following = tokens[position + 1]
            if following.text.upper() == "FROM":
                return tokens
            return [*tokens[: position + 1], _FROM, *tokens[position + 1 :]]
    return tokens


def _target_scope(analysis: Analysis, tree: exp.Expr) -> tuple[Target, Scope]:
    """The target as the first relation, so that its own columns are found and told from the sources'."""
    table = tree.this
    parts = name_parts(table)
    if not parts:
        raise analysis.cursor.error("expected the name of a table")
    target = analysis.target(parts)
    relation = _target_relation(analysis, target, table)
    scope = Scope(analysis.dialect, None, [relation])
    analysis.queries.add_ctes(tree, scope)
    return target, scope


def _target_relation(analysis: Analysis, target: Target, table: exp.Expr) -> Relation:
    before = dict(analysis.collector.inputs)
    relation = analysis.queries.sources.base(target.table)
    analysis.collector.inputs = before
    alias = table.alias.lower()
    return relation.aliased(alias) if alias else relation


def _condition(tree: exp.Expr) -> exp.Expr | None:
    where = tree.args.get("where")
    return where.this if where is not None else None


def _assignments(analysis: Analysis, items: list[exp.Expr], scope: Scope) -> Iterator[OutputColumn]:
    """`c = expression`, and `(a, b) = (SELECT x, y …)`."""
    for item in items:
        if not isinstance(item, exp.EQ):
            continue
        if isinstance(item.this, exp.Tuple):
            yield from _tuple_assignment(analysis, item, scope)
        else:
            value = analysis.queries.expressions.value(item.expression, scope)
            yield OutputColumn(item.this.name.lower(), value, item.expression)


def _tuple_assignment(analysis: Analysis, item: exp.Expr, scope: Scope) -> Iterator[OutputColumn]:
    names = [column.name.lower() for column in item.this.expressions]
    if isinstance(item.expression, exp.Query):
        relation = analysis.queries.query(item.expression, scope)
        analysis.gap_stars(relation)
        yield from (OutputColumn(n, c.value, c.item) for n, c in zip(names, relation.closed, strict=False))
    else:
        for name, node in zip(names, item.expression.expressions, strict=False):
            yield OutputColumn(name, analysis.queries.expressions.value(node, scope), node)


# ---- MERGE ----------------------------------------------------------------------------------------------------------


def merge(analysis: Analysis) -> Found:
    """MERGE INTO t USING s ON … WHEN [NOT] MATCHED [AND …] THEN UPDATE | INSERT | DELETE; or REMOVE DUPLICATES."""
    tokens = analysis.tokens
    removes = [token.text.upper() for token in tokens[-2:]] == ["REMOVE", "DUPLICATES"]
    tree = analysis.parse([*tokens[:-2], *_NOTHING_MATCHED] if removes else tokens)
    if not isinstance(tree, exp.Merge):
        raise analysis.cursor.error("expected MERGE")
    target, scope = _target_scope(analysis, tree)
    analysis.queries.sources.add_alone(tree.args["using"], scope)
    analysis.queries.influence(tree.args.get("on"), scope, "JOIN")
    columns: list[OutputColumn] = []
    if removes:
        columns = _all_from_source(analysis, target, scope.relations[-1])
    else:
        for branch in tree.args["whens"].expressions:
            analysis.queries.influence(branch.args.get("condition"), scope, "FILTER")
            columns.extend(_branch(analysis, branch.args.get("then"), target, scope))
    kept = analysis.in_target(columns, target)
    return Found("merge", target.table, kept, writes_rows_of_existing=True)


def _branch(analysis: Analysis, then: exp.Expr | None, target: Target, scope: Scope) -> Iterator[OutputColumn]:
    if isinstance(then, exp.Update):
        yield from _assignments(analysis, then.expressions, scope)
    elif isinstance(then, exp.Insert):
        names, values = _inserted(then)
        names = names or target.names
        if names is None:
            analysis.collector.gap("target", f"the columns of {target.table} are unknown")
            return
        if len(names) != len(values):
            analysis.collector.gap("arity", f"{len(values)} values for {len(names)} columns of {target.table}")
        source = Scope(scope.dialect, None, scope.relations[1:], ctes=scope.ctes)  # there is no target row yet
        for name, node in zip(names, values, strict=False):
            yield OutputColumn(name, analysis.queries.expressions.value(node, source), node)


def _inserted(then: exp.Expr) -> tuple[list[str] | None, list[exp.Expr]]:
    """The column list (None where it is left out) and the values of a MERGE's INSERT."""
    listed = then.this.expressions if isinstance(then.this, exp.Tuple) else []
    if not isinstance(then.expression, exp.Tuple):  # without a list sqlglot reads VALUES (…) as a function
        call = listed[0] if listed else None
        return None, call.expressions if isinstance(call, exp.Anonymous) else []
    return [column.name.lower() for column in listed] or None, then.expression.expressions


def _all_from_source(analysis: Analysis, target: Target, source: Relation) -> list[OutputColumn]:
    """REMOVE DUPLICATES: the source's columns go to the target's, in order (Redshift, MERGE)."""
    return analysis.inserted_columns(Relation(source.columns), target, ())


# ---- APPEND ---------------------------------------------------------------------------------------------------------


def append(analysis: Analysis) -> Found:
    """ALTER TABLE t APPEND FROM s [IGNOREEXTRA | FILLTARGET]: rows move; columns match by name."""
    cursor = analysis.cursor
    cursor.needs("ALTER", "TABLE")
    target = analysis.target(cursor.name())
    cursor.needs("APPEND")
    cursor.needs("FROM")
    source = analysis.target(cursor.name())
    analysis.collector.read(source.table)
    options = {token.text.upper() for token in cursor.rest()}
    names = _common_names(target, source, options)
    if names is None:
        analysis.collector.gap("star", f"{source.table}.*: which of them go to {target.table} is unknown")
    confidence = KNOWN if target.names and source.names else BY_POSITION_NAME
    columns = [
        OutputColumn(name, Value({Source(source.table, (name,), "IDENTITY"): confidence})) for name in names or ()
    ]
    return Found("append", target.table, columns, effects=(Truncate(source.table),))


def _common_names(target: Target, source: Target, options: set[str]) -> list[str] | None:
    """Both tables have the same columns, but for those that an option fills or ignores; None where they are unknown."""
    if target.names is not None and source.names is not None:
        return [name for name in target.names if name in source.names]
    if target.names is not None:
        return None if "FILLTARGET" in options else target.names
    return None if "IGNOREEXTRA" in options else source.names


# Words that sqlglot wants where Redshift leaves them out.
_FROM = tokenize("FROM", "redshift")[0]
_NOTHING_MATCHED = tokenize("WHEN MATCHED THEN DELETE", "redshift")
