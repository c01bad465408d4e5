"""PIVOT, UNPIVOT and MATCH_RECOGNIZE: relations made from relations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from datahub_aws_lineage.sql.relations import OpenStar, OutputColumn, Relation
from datahub_aws_lineage.sql.scopes import Scope
from datahub_aws_lineage.sql.values import Value, merged

if TYPE_CHECKING:
    from datahub_aws_lineage.sql.queries import QueryWalker


def pivoted(pivot: exp.Expr, relation: Relation, queries: QueryWalker) -> Relation:
    """The relation after one PIVOT or UNPIVOT clause."""
    scope = Scope(queries.dialect, None, [relation])
    result = _unpivot(pivot, relation, scope, queries) if pivot.args.get("unpivot") else _pivot(pivot, scope, queries)
    alias = pivot.args.get("alias")
    names = [column.name.lower() for column in alias.columns] if isinstance(alias, exp.TableAlias) else []
    return result.aliased(None, names)


def _pivot(pivot: exp.Expr, scope: Scope, queries: QueryWalker) -> Relation:
    """Columns that are neither aggregated nor pivoted stay; each IN value gives a column for each aggregate."""
    relation = scope.relations[0]
    used: set[str] = {column.name.lower() for column in pivot.find_all(exp.Column)}
    keys = Value()
    for clause in pivot.args.get("fields") or ():
        keys.add(queries.expressions.value(clause.this, scope), "CONDITIONAL")
    kept: list[OutputColumn | OpenStar] = [
        OpenStar(column.table, column.but | used, column.rows) if isinstance(column, OpenStar) else column
        for column in relation.columns
        if isinstance(column, OpenStar) or column.name not in used
    ]
    aggregates = [queries.expressions.value(item, scope) for item in pivot.expressions]
    names = [column.name.lower() for column in pivot.args.get("columns") or ()] or _pivot_names(pivot)
    made: list[OutputColumn | OpenStar] = []
    for position, name in enumerate(names):
        value = Value()
        value.add(aggregates[position % len(aggregates)] if aggregates else Value())
        value.add(keys)
        made.append(OutputColumn(name, value))
    return Relation([*kept, *made])


def _pivot_names(pivot: exp.Expr) -> list[str]:
    clauses = pivot.args.get("fields") or ()
    return [item.alias_or_name.lower() for clause in clauses for item in clause.expressions]


def _unpivot(pivot: exp.Expr, relation: Relation, scope: Scope, queries: QueryWalker) -> Relation:
    """The listed columns become one value column, beside a column that holds their names."""
    listed: list[exp.Expr] = []
    names: list[str] = []
    for clause in pivot.args.get("fields") or ():
        names.append(clause.this.name.lower())
        listed.extend(
            item.this if isinstance(item, exp.PivotAlias | exp.Alias) else item for item in clause.expressions
        )
    used = {item.name.lower() for item in listed}
    values = merged(queries.expressions.value(item, scope) for item in listed if isinstance(item, exp.Column))
    kept: list[OutputColumn | OpenStar] = [
        OpenStar(column.table, column.but | used, column.rows) if isinstance(column, OpenStar) else column
        for column in relation.columns
        if isinstance(column, OpenStar) or column.name not in used
    ]
    made: list[OutputColumn | OpenStar] = [OutputColumn(name, Value()) for name in names]
    made.extend(OutputColumn(item.name.lower(), values) for item in pivot.expressions)
    return Relation([*kept, *made])


def match_recognize(match: exp.Expr, scope: Scope, queries: QueryWalker) -> Relation:
    """Partition columns and measures, and with ALL ROWS PER MATCH all other columns too.

    Pattern variables qualify columns of the one input (`A.price`); DEFINE decides which rows there are.
    """
    rows = list(scope.relations)
    variables = {item.alias.lower() for item in match.args.get("define") or ()}
    variables |= {column.table.lower() for column in match.find_all(exp.Column) if column.table}
    columns = [column for relation in rows for column in relation.columns]
    inner = Scope(queries.dialect, scope.parent, [*rows, *(Relation(columns, name) for name in sorted(variables))])
    plain = Scope(queries.dialect, scope.parent, rows)
    kept: list[OutputColumn | OpenStar] = []
    for key in match.args.get("partition_by") or ():
        value = queries.expressions.value(key, plain)
        queries.collector.influenced_by(value, "GROUP_BY")
        kept.append(OutputColumn(key.name.lower(), value))
    order = match.args.get("order")
    for key in order.expressions if order is not None else ():
        queries.influence(key.this, plain, "SORT")
    for condition in match.args.get("define") or ():
        queries.influence(condition.this, _measured(inner, plain, condition), "FILTER")
    if "ALL ROWS" in str(match.args.get("rows") or "").upper():
        kept = list(columns)
    for measure in match.args.get("measures") or ():
        item = measure.this if isinstance(measure, exp.MatchRecognizeMeasure) else measure
        value = queries.expressions.value(item.unalias(), _measured(inner, plain, item))
        kept.append(OutputColumn(item.alias_or_name.lower(), value, item))
    alias = match.args.get("alias")
    return Relation(kept, alias.name.lower() if alias is not None else None)


def _measured(with_variables: Scope, plain: Scope, node: exp.Expr) -> Scope:
    """Unqualified columns are of the input itself; the variables' relations would make them ambiguous."""
    qualified = any(column.table for column in node.find_all(exp.Column))
    return with_variables if qualified else plain
