"""A small language for histories: statements as the SQL stage gives them, and lineage as text.

A column's source is written `table:column`, with a subtype behind it unless it is IDENTITY: `dev.public.s:x FILTER`.
A table is a dotted name of three parts, a bare name (temporary) or an S3 URI.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import cast

from datahub_aws_lineage.lineage import CatalogIndex, History, Naming, Resolver, UnknownTables
from datahub_aws_lineage.model.catalog import Column, Table
from datahub_aws_lineage.model.lineage import (
    ColumnLineage,
    DatasetLineage,
    Drop,
    Effect,
    NoLineage,
    Outcome,
    Query,
    Rename,
    SetSearchPath,
    Statement,
    StatementKind,
    StatementLineage,
    Subtype,
    TransactionMark,
    Truncate,
    Upstream,
    UseDatabase,
)
from datahub_aws_lineage.model.names import Dialect, S3Location, StatementTable, TableName, TemporaryTable
from datahub_aws_lineage.model.ports import SkipReason
from datahub_aws_lineage.model.queries import QueryRecord, SqlContext

START = datetime(2026, 3, 1, 6, tzinfo=timezone.utc)
Columns = Mapping[str, str | Sequence[str]]


def table(name: str) -> StatementTable:
    """
    >>> table("dev.public.t")
    TableName(catalog='dev', database='public', table='t')
    """
    if "://" in name:
        return S3Location(name)
    parts = name.split(".")
    return TableName(parts[0], parts[1], ".".join(parts[2:])) if len(parts) >= 3 else TemporaryTable(name)


def columns(names: str, kind: str = "varchar") -> tuple[Column, ...]:
    return tuple(Column(name, kind) for name in names.split())


def _upstream(source: str) -> Upstream:
    where, _, subtype = source.partition(" ")
    name, _, column = where.rpartition(":")
    return Upstream(table(name), column, cast("Subtype", subtype or "IDENTITY"))


def _outcome(made: Columns, reads: Sequence[str], confidence: float) -> Outcome:
    upstreams = {column: (sources,) if isinstance(sources, str) else tuple(sources) for column, sources in made.items()}
    lineage = tuple(
        ColumnLineage(column, tuple(_upstream(source) for source in sources), f"expr of {column}", confidence)
        for column, sources in upstreams.items()
    )
    read_by_columns = [upstream.table for column in lineage for upstream in column.upstreams]
    inputs = tuple(dict.fromkeys([*read_by_columns, *map(table, reads)]))
    return StatementLineage(inputs, lineage) if inputs else NoLineage()


def statement(
    kind: StatementKind,
    output: str | None = None,
    made: Columns | None = None,
    *,
    reads: Sequence[str] = (),
    effects: tuple[Effect, ...] = (),
    replaces: bool = False,
    schema: str | None = None,
    confidence: float = 1.0,
    text: str | None = None,
) -> Statement:
    """One statement; its text is made up from its parts, so that equal statements have equal fingerprints."""
    target = table(output) if output else None
    return Statement(
        index=0,
        kind=kind,
        text=text or f"{kind} {output} {sorted((made or {}).items())} {sorted(reads)} {effects}",
        outcome=_outcome(made or {}, reads, confidence),
        output=target,
        temporary=isinstance(target, TemporaryTable),
        schema=columns(schema) if schema else None,
        replaces=replaces,
        effects=effects,
    )


def ctas(output: str, made: Columns, *, reads: Sequence[str] = (), confidence: float = 1.0) -> Statement:
    schema = " ".join(made)
    return statement("create_table_as", output, made, reads=reads, replaces=True, schema=schema, confidence=confidence)


def create(output: str, schema: str, *, text: str | None = None) -> Statement:
    return statement("create_table", output, replaces=True, schema=schema, text=text)


def insert(
    output: str, made: Columns | None = None, *, reads: Sequence[str] = (), confidence: float = 1.0
) -> Statement:
    return statement("insert", output, made, reads=reads, confidence=confidence)


def copy(output: str, made: Columns) -> Statement:
    return statement("copy", output, made)


def unload(output: str, made: Columns) -> Statement:
    return statement("unload", output, made)


def select(made: Columns) -> Statement:
    return statement("select", None, made)


def drop(name: str) -> Statement:
    return statement("drop", effects=(Drop(table(name)),))


def rename(old: str, new: str) -> Statement:
    return statement("rename", effects=(Rename(table(old), table(new)),))


def truncate(name: str) -> Statement:
    return statement("truncate", effects=(Truncate(table(name)),))


def delete_all(name: str) -> Statement:
    return statement("delete", name, effects=(Truncate(table(name)),))


def append(output: str, source: str, names: str) -> Statement:
    return statement("append", output, {name: f"{source}:{name}" for name in names.split()})


def search_path(*schemas: str) -> Statement:
    return statement("utility", effects=(SetSearchPath(schemas),))


def use(database: str | None) -> Statement:
    return statement("utility", effects=(UseDatabase(database),))


BEGIN = statement("transaction", effects=(TransactionMark("begin"),), text="BEGIN")
COMMIT = statement("transaction", effects=(TransactionMark("commit"),), text="COMMIT")
ROLLBACK = statement("transaction", effects=(TransactionMark("rollback"),), text="ROLLBACK")


class Notes:
    """A `Diagnostics` that remembers."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.skips: list[tuple[str, str, str]] = []
        self.gaps: list[tuple[str, str]] = []

    def seen(self, what: str, count: int = 1) -> None:
        self.counts[what] = self.counts.get(what, 0) + count

    def skipped(self, reason: SkipReason, what: str, detail: str) -> None:
        self.skips.append((reason, what, detail))

    def unresolved(self, reason: str, detail: str) -> None:
        self.gaps.append((reason, detail))

    def truncated(self, what: str, detail: str) -> None:
        raise AssertionError(f"the lineage stage cuts nothing: {what}: {detail}")

    def warning(self, title: str, detail: str) -> None:
        raise AssertionError(f"the lineage stage meets no denial: {title}: {detail}")

    def failure(self, title: str, detail: str) -> None:
        raise AssertionError(f"the lineage stage lists nothing: {title}: {detail}")


def fingerprint(text: str, dialect: Dialect) -> str:
    """Literals (here: digits behind `=`) are out, as in the SQL stage."""
    return f"{dialect}:{re.sub(r'= ?[0-9]+', '= ?', text)}"


def redshift_context(search_path: tuple[str, ...] = ("$user", "public")) -> SqlContext:
    return SqlContext("redshift", "dev", "public", search_path)


ATHENA = SqlContext("athena", "awsdatacatalog", "sales")


class Story:
    """A history told statement by statement: one record each, a minute apart, in session `s` unless said otherwise."""

    def __init__(
        self,
        *,
        known: Mapping[str, str] | None = None,
        complete: bool = True,
        naming: Naming | None = None,
        unknown_tables: UnknownTables = "keep_where_catalog_is_partial",
    ) -> None:
        self.index = CatalogIndex()
        self.notes = Notes()
        self.history = History(Resolver(self.index, naming), self.notes, fingerprint, unknown_tables=unknown_tables)
        self.clock = START
        for name, schema in (known or {}).items():
            self.knows(name, schema)
        if complete:
            self.index.mark_complete("dev")
            self.index.mark_complete()

    def knows(self, name: str, schema: str, *, location: str | None = None) -> None:
        target = table(name)
        assert isinstance(target, TableName)
        platform = "glue" if target.catalog == "awsdatacatalog" else "redshift"
        self.history.add_table(
            Table("glue" if platform == "glue" else "redshift", target, columns(schema), location=location)
        )

    def record(
        self,
        session: str | None = "s",
        *,
        context: SqlContext | None = None,
        text: str = "",
        actor: str | None = None,
        succeeded: bool | None = True,
        transaction: str | None = None,
    ) -> QueryRecord:
        self.clock += timedelta(minutes=1)
        return QueryRecord(
            query_id=f"{self.clock:%H%M}",
            text=text,
            context=context or redshift_context(),
            started_at=self.clock,
            source="test",
            session=session,
            actor=actor,
            succeeded=succeeded,
            transaction=transaction,
        )

    def run(self, *statements: Statement, session: str | None = "s", context: SqlContext | None = None) -> Story:
        for one in statements:
            self.history.apply(self.record(session, context=context), (one,))
        return self

    def athena(self, *statements: Statement) -> Story:
        return self.run(*statements, session=None, context=ATHENA)

    # ---- what came of it ----------------------------------------------------------------------------------------

    @property
    def lineages(self) -> dict[str, DatasetLineage]:
        return {str(lineage.downstream): lineage for lineage in self.history.lineages()}

    @property
    def edges(self) -> dict[str, set[str]]:
        """Downstream dataset to its upstream datasets."""
        return {name: {str(edge.upstream) for edge in found.edges} for name, found in self.lineages.items()}

    @property
    def columns(self) -> dict[str, set[str]]:
        """`dataset:column` to `dataset:column SUBTYPE` of each of its upstreams (no subtype: IDENTITY)."""
        found: dict[str, set[str]] = {}
        for name, lineage in self.lineages.items():
            for edge in lineage.columns:
                subtype = "" if edge.subtype == "IDENTITY" else f" {edge.subtype}"
                source = f"{edge.upstream}:{edge.upstream_column}{subtype}"
                found.setdefault(f"{name}:{edge.downstream_column}", set()).add(source)
        return found

    @property
    def queries(self) -> list[Query]:
        return list(self.history.queries())

    def unknown(self) -> set[tuple[str, str]]:
        return {(what, detail) for reason, what, detail in self.notes.skips if reason == "unknown_dataset"}
