"""One statement: its head is read by a cursor, its query or expressions by sqlglot, and the kinds by a table.

The readers, one module a group of kinds, take an `Analysis` and return a `Found`; `sql.scripts` chooses among them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from sqlglot import Token, TokenType, exp

from datahub_aws_lineage.model.catalog import Column
from datahub_aws_lineage.model.lineage import (
    ColumnLineage,
    Effect,
    NoLineage,
    Outcome,
    Statement,
    StatementKind,
    StatementLineage,
    Upstream,
)
from datahub_aws_lineage.model.names import Dialect, S3Location, StatementTable, TemporaryTable
from datahub_aws_lineage.model.queries import SqlContext
from datahub_aws_lineage.sql.collector import Collector
from datahub_aws_lineage.sql.cursor import STRINGS, Cursor, source_text
from datahub_aws_lineage.sql.dialects import NotUnderstoodError, parse, to_sql, tokenize
from datahub_aws_lineage.sql.names import LearnedSchemas, Names
from datahub_aws_lineage.sql.output_names import numbered_name
from datahub_aws_lineage.sql.queries import QueryWalker
from datahub_aws_lineage.sql.relations import OutputColumn, Relation
from datahub_aws_lineage.sql.rewriting import end_of_values
from datahub_aws_lineage.sql.scopes import Scope
from datahub_aws_lineage.sql.select_items import item_texts
from datahub_aws_lineage.sql.token_edits import split_commas, word_at
from datahub_aws_lineage.sql.values import Value

MAX_EXPRESSION = 2000
"""Longer expression texts are cut, with an ellipsis."""

QUERY_STARTS = frozenset({"SELECT", "WITH", "VALUES", "TABLE", "("})
"""Words that a query begins with."""

_TEMPLATES = frozenset({("{", "{"), ("{", "%"), ("$", "{")})


@dataclass(slots=True)
class Session:
    """What earlier statements of the same text have left behind."""

    context: SqlContext
    schemas: LearnedSchemas
    first_path: tuple[str, ...] = ()
    """The search path before any SET of the session."""
    connected: str = ""
    """The database before any USE of the session."""
    prepared: dict[str, str] = field(default_factory=dict)
    """The text of each prepared statement, by its name."""
    variables: frozenset[str] = frozenset()
    """Names that are no columns: parameters and variables of the procedure whose body is read."""

    @property
    def default_path(self) -> tuple[str, ...]:
        return self.first_path or ("$user", "public")


@dataclass(slots=True)
class Target:
    """Where a statement writes: the table, and its columns where they are known."""

    table: StatementTable
    columns: tuple[Column, ...] | None = None

    @property
    def names(self) -> list[str] | None:
        return [column.name.lower() for column in self.columns] if self.columns else None


@dataclass(slots=True)
class Found:
    """A statement as its reader leaves it; `Analysis.finish` makes the frozen value from it."""

    kind: StatementKind
    output: StatementTable | None = None
    columns: list[OutputColumn] = field(default_factory=list)
    schema: tuple[Column, ...] | None = None
    replaces: bool = False
    effects: tuple[Effect, ...] = ()
    body: tuple[Statement, ...] = ()
    location: S3Location | None = None
    writes_rows_of_existing: bool = False
    """INSERT, MERGE, UPDATE, DELETE, …: the target is an input only where its columns feed what is written."""


class Analysis:
    """The reading of one statement; readers call its methods and return a `Found`."""

    def __init__(self, tokens: list[Token], text: str, session: Session) -> None:
        self.text = text
        self.tokens = tokens
        self.session = session
        self.dialect: Dialect = session.context.dialect
        self.cursor = Cursor(tokens, text)
        self.collector = Collector()
        self.names = Names(session.context, session.schemas)
        self.queries = QueryWalker(self.names, self.collector, session.variables)
        self._texts: dict[int, str] = {}
        self._reads_target = False
        """Whether what an INSERT writes is made from the target's own columns, placed or not."""

    # ---- parts that readers share -----------------------------------------------------------------------------------

    def parse(self, tokens: list[Token]) -> exp.Expr:
        return parse(tokens, self.text, self.dialect)

    def query(self, tokens: list[Token]) -> Relation:
        """The relation of a query given as tokens; remembers how its select items were written."""
        if word_at(tokens, 0) == "VALUES" and end_of_values(tokens, 0) == len(tokens):
            return self._values(tokens[1:])
        return self._walked(tokens, self.text)

    def _walked(self, tokens: list[Token], text: str) -> Relation:
        if not tokens or tokens[0].text.upper() not in QUERY_STARTS:
            raise Cursor(tokens, text).error("expected a query")
        tree = parse(tokens, text, self.dialect)
        self._texts |= item_texts(tree, tokens, text)
        return self.queries.query(tree)

    def _values(self, tokens: list[Token]) -> Relation:
        """VALUES (…), (…): rows without a subquery read nothing, and are not parsed however many they are."""
        rows = [_unwrapped(row) for row in split_commas(tokens)]
        if not rows:
            raise self.cursor.error("expected rows behind VALUES")
        columns = [OutputColumn(None, Value()) for _ in split_commas(rows[0])]
        for row in rows:
            for column, item in zip(columns, split_commas(row), strict=False):
                if any(token.token_type is TokenType.SELECT for token in item):
                    column.value.add(self.queries.expressions.value(self.parse(item), Scope(self.dialect)))
        return Relation([*columns])

    def inner_query(self, sql: str) -> Relation:
        """The relation of a query that stands in a string (UNLOAD)."""
        tokens = tokenize(sql, self.dialect)
        check_filled_in(tokens)
        try:
            return self._walked(tokens, sql)
        except NotUnderstoodError as e:
            raise NotUnderstoodError(e.reason, f"in the quoted query: {e.message}") from e

    def adopt_texts(self, other: Analysis) -> None:
        self._texts |= other._texts

    def target(self, parts: Sequence[str]) -> Target:
        """An existing table that is written to."""
        table = self.names.read(parts)
        return Target(table, self.session.schemas.columns(table))

    def gap_stars(self, relation: Relation) -> None:
        """What a relation does not show is said once."""
        for star in relation.stars:
            self.collector.gap("star", f"{star.table}.*: the schema is unknown")
        for column in relation.closed:
            if column.value.unknown:
                self.collector.gap("column", f"{column.name} stands for a column behind a star")

    # ---- columns ----------------------------------------------------------------------------------------------------

    def named_columns(self, relation: Relation, names: Sequence[str] = ()) -> list[OutputColumn]:
        """Output columns under their own names, or under a column list."""
        self.gap_stars(relation)
        if not names:
            return self._numbered(relation)
        if not relation.stars and len(names) != len(relation.columns):
            self.collector.gap("arity", f"{len(names)} names for {len(relation.columns)} columns")
        return _renamed(relation.by_position(names, exact=True))

    def _numbered(self, relation: Relation) -> list[OutputColumn]:
        """Columns without a name get one by their position, which behind an open star is unknown."""
        first_star = relation.columns.index(relation.stars[0]) if relation.stars else len(relation.columns)
        return [
            replace(column, name=numbered_name(position))
            if column.name is None and self.dialect == "athena" and position < first_star
            else column
            for position, column in enumerate(relation.columns)
            if isinstance(column, OutputColumn)
        ]

    def inserted_columns(self, relation: Relation, target: Target, listed: Sequence[str]) -> list[OutputColumn]:
        """Output columns of an INSERT: by the column list, else by the target's columns, in order."""
        self.gap_stars(relation)
        known = target.names
        names = list(listed) or known
        sources = [source for column in relation.closed for source in column.value.sources]
        self._reads_target = any(source.table == target.table for source in sources)
        if names is None:
            if sources:
                self.collector.gap("target", f"the columns of {target.table} are unknown")
            return []
        width = len(relation.columns)
        exact = bool(listed) or self.dialect == "athena"  # Redshift fills what an INSERT without a list leaves out
        if not relation.stars and (width > len(names) or (width < len(names) and exact)):
            self.collector.gap("arity", f"{len(relation.columns)} columns for {len(names)} of {target.table}")
        return self.in_target(_renamed(relation.by_position(names, exact=exact)), target)

    def in_target(self, columns: Iterable[OutputColumn], target: Target) -> list[OutputColumn]:
        """Leaves out columns that the known target does not have; each is a gap."""
        known = target.names
        if known is None:
            return list(columns)
        kept = []
        for column in columns:
            if column.name in known:
                kept.append(column)
            else:
                self.collector.gap("target", f"{target.table} has no column {column.name}")
        return kept

    def schema_of(self, relation: Relation, columns: Sequence[OutputColumn]) -> tuple[Column, ...] | None:
        """The columns that a CREATE … AS makes; None where a star hides them."""
        if relation.stars or any(column.name is None for column in columns):
            return None
        return tuple(Column(column.name or "", "") for column in columns)

    # ---- the result -------------------------------------------------------------------------------------------------

    def finish(self, found: Found, index: int) -> Statement:
        columns = tuple(lineage for column in found.columns if (lineage := self._lineage(column)) is not None)
        inputs = self._inputs(found, columns)
        gaps = tuple(self.collector.gaps)
        outcome: Outcome = NoLineage(gaps)
        if inputs:
            outcome = StatementLineage(inputs, _merged_columns(columns), self._indirect(inputs), gaps)
        return Statement(
            index=index,
            kind=found.kind,
            text=source_text(self.tokens, self.text),
            outcome=outcome,
            output=found.output,
            temporary=isinstance(found.output, TemporaryTable),
            schema=found.schema,
            replaces=found.replaces,
            effects=found.effects,
            body=found.body,
            location=found.location,
        )

    def _lineage(self, column: OutputColumn) -> ColumnLineage | None:
        sources = column.value.everything()
        if not sources or column.name is None:
            return None
        upstreams = sorted({Upstream(s.table, ".".join(s.path), s.subtype) for s in sources}, key=_order)
        confidence = round(min(sources.values()), 2)
        return ColumnLineage(column.name, tuple(upstreams), self._expression(column), confidence)

    def _expression(self, column: OutputColumn) -> str | None:
        item = column.item
        if item is None:
            return None
        text = self._texts.get(id(item)) or to_sql(item.unalias(), self.dialect)
        if text is not None and len(text) > MAX_EXPRESSION:
            return text[: MAX_EXPRESSION - 1] + "…"
        return text

    def _inputs(self, found: Found, columns: tuple[ColumnLineage, ...]) -> tuple[StatementTable, ...]:
        inputs = dict(self.collector.inputs)
        if found.writes_rows_of_existing and found.output is not None:
            feeds = self._reads_target or any(
                upstream.table == found.output for column in columns for upstream in column.upstreams
            )
            starred = any(
                gap.what == "star" and gap.detail.startswith(f"{found.output}.*") for gap in self.collector.gaps
            )
            inputs.pop(found.output, None)
            if feeds or starred:
                inputs[found.output] = None
        return tuple(inputs)

    def _indirect(self, inputs: tuple[StatementTable, ...]) -> tuple[Upstream, ...]:
        found = {
            Upstream(source.table, ".".join(source.path), source.subtype)
            for source in self.collector.indirect
            if source.table in inputs
        }
        return tuple(sorted(found, key=_order))


def check_filled_in(tokens: list[Token]) -> None:
    """`{{ … }}`, `{% … %}` and `${…}` outside strings are no SQL in either dialect."""
    for token, following in pairwise(tokens):
        if (token.text, following.text) in _TEMPLATES and not {token.token_type, following.token_type} & STRINGS:
            raise NotUnderstoodError(
                "placeholder", "a template that was not filled in", line=token.line, column=token.col
            )


def check_location(uri: str) -> S3Location:
    """An S3 location; a template in it names nothing."""
    if any(opening in uri for opening in ("{{", "{%", "${")):
        raise NotUnderstoodError("placeholder", f"a location that was not filled in: {uri}")
    return S3Location(uri)


def _unwrapped(tokens: list[Token]) -> list[Token]:
    """The inside of `(…)` or `ROW(…)`; a row of one column may stand without parentheses."""
    start = 1 if tokens[0].text.upper() == "ROW" else 0
    return tokens[start + 1 : -1] if tokens[start:] and tokens[start].token_type is TokenType.L_PAREN else tokens


def _order(upstream: Upstream) -> tuple[str, str, str]:
    return str(upstream.table), upstream.column, upstream.subtype


def _renamed(columns: Iterable[tuple[str, OutputColumn]]) -> list[OutputColumn]:
    return [OutputColumn(name, column.value, column.item) for name, column in columns]


def _merged_columns(columns: Iterable[ColumnLineage]) -> tuple[ColumnLineage, ...]:
    """One entry a column: several WHEN branches of a MERGE may write the same one."""
    merged: dict[str, ColumnLineage] = {}
    for column in columns:
        known = merged.get(column.column)
        if known is None:
            merged[column.column] = column
        else:
            upstreams = tuple(sorted({*known.upstreams, *column.upstreams}, key=_order))
            merged[column.column] = replace(
                known, upstreams=upstreams, confidence=min(known.confidence, column.confidence)
            )
    return tuple(merged.values())


Reader = Callable[[Analysis], Found]
