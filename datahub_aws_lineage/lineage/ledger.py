"""Statements that are known to have run, entered into the graph in the order of their commits."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from typing_extensions import assert_never

from datahub_aws_lineage.lineage.contents import Contents, Run, Source, Version
from datahub_aws_lineage.lineage.graph import Graph
from datahub_aws_lineage.lineage.procedures import ProcedureWork
from datahub_aws_lineage.lineage.resolver import Resolved, Resolver, Unknown
from datahub_aws_lineage.lineage.session import SessionState, Temporary
from datahub_aws_lineage.lineage.statement_tables import StatementTables, is_conditional
from datahub_aws_lineage.model.catalog import Column
from datahub_aws_lineage.model.lineage import (
    Call,
    ChangeColumns,
    CreateExternalSchema,
    Drop,
    DropSchema,
    Effect,
    Outcome,
    Prepare,
    Rename,
    RenameSchema,
    SetSearchPath,
    Statement,
    StatementKind,
    StatementLineage,
    StoredProcedure,
    TransactionMark,
    Truncate,
    UseDatabase,
)
from datahub_aws_lineage.model.names import Dataset, Dialect, S3Location, StatementTable, TableName, TemporaryTable
from datahub_aws_lineage.model.ports import Diagnostics

_FILLS: frozenset[StatementKind] = frozenset(
    {
        "create_table_as",
        "create_external_table",
        "create_external_table_as",
        "create_view",
        "create_materialized_view",
        "insert",
        "merge",
        "update",
        "unload",
        "copy",
        "append",
    }
)
"""Kinds that put something into their output even when they read nothing (INSERT … VALUES)."""

_HOLD_NO_DATA: frozenset[StatementKind] = frozenset(
    {"create_view", "create_materialized_view", "create_external_table", "create_table"}
)
"""Kinds whose output has no data of its own, or that only declare where it lies."""

_VIEWS: frozenset[StatementKind] = frozenset({"create_view", "create_materialized_view"})

_MOST_REMEMBERED = 20_000
"""Statements of which it is remembered how they ran last."""


@dataclass(frozen=True, slots=True)
class Touched:
    """The datasets that a statement reads, temporary tables seen through, and writes, and their columns likewise.

    `reads` and `columns_read` are those that it names itself, the columns of its conditions among them; `writes` is
    what it puts something into, empties or takes away.
    """

    datasets: set[Dataset]
    columns: set[tuple[Dataset, str]]
    reads: frozenset[Dataset] = frozenset()
    columns_read: frozenset[tuple[Dataset, str]] = frozenset()
    writes: tuple[Dataset, ...] = ()


_AgainKey: TypeAlias = "tuple[str | None, str | None, StoredProcedure | None]"
"""A statement by the id of its query, its warehouse, and the procedure that it ran in where that is asked for."""


@dataclass(frozen=True, slots=True)
class _Again:
    """A statement that only adds edges, as it ran last: what it looked at, and where its edges went.

    If all that is as it was, the same statement brings nothing new but the time of its run.
    """

    outcome: Outcome
    changes: int
    looked_at: tuple[tuple[Dataset, tuple[Source, Version | None]], ...]
    targets: tuple[tuple[Dataset, Contents], ...]
    run: Run
    touched: Touched

    def holds(self, statement: Statement, run: Run, changes: int, graph: Graph) -> bool:
        return (
            self.outcome is statement.outcome
            and self.changes == changes
            and not self.run.displaced
            and self.run.certainty >= run.certainty
            and all(graph.current(dataset) is contents and not contents.emptied for dataset, contents in self.targets)
            and all(graph.read(dataset) == found for dataset, found in self.looked_at)
        )


def _only_adds(statement: Statement) -> bool:
    """No effect on what other statements see, no table begun anew, no temporary table."""
    outcome = statement.outcome
    tables = (statement.output, *(outcome.inputs if isinstance(outcome, StatementLineage) else ()))
    return not (
        statement.effects
        or statement.replaces
        or statement.temporary
        or statement.kind == "append"
        or any(isinstance(table, TemporaryTable) for table in tables)
    )


class Ledger:
    """Enters statements into `graph`, and remembers what the catalogs say of each dataset that they name."""

    def __init__(
        self,
        resolver: Resolver,
        diagnostics: Diagnostics,
        *,
        storage_lineage: bool = True,
        procedures_of: Collection[str | None] = (),
    ) -> None:
        self._resolver = resolver
        self._diagnostics = diagnostics
        self._facts: dict[Dataset, Resolved] = {}
        self._reported: set[str] = set()
        self._again: dict[_AgainKey, _Again] = {}
        self._storage_lineage = storage_lineage
        self._unloaded: dict[Dataset, tuple[str, ...]] = {}
        self.storages: dict[Dataset, set[Dataset]] = {}
        """Locations that were only written as where tables lie, and these tables."""
        self.graph = Graph(self.is_known)
        self.procedures = ProcedureWork(self.graph, procedures_of)

    # ---- names --------------------------------------------------------------------------------------------------

    def fact(self, dataset: Dataset) -> Resolved | None:
        """What the catalogs say of a dataset that was named; None for one that nothing has named."""
        return self._facts.get(dataset)

    def facts(self) -> Iterator[Resolved]:
        yield from self._facts.values()

    def is_known(self, dataset: Dataset) -> bool:
        fact = self._facts.get(dataset)
        return fact is not None and fact.known

    def resolve(
        self, table: StatementTable, dialect: Dialect, warehouse: str | None, *, written: bool = False
    ) -> Resolved | None:
        """The dataset, or None after a report where one is due."""
        match self._resolver.resolve(table, dialect, warehouse, written=written):
            case Resolved() as resolved:
                self._facts[resolved.dataset] = resolved
                if resolved.source is not None:
                    self._facts[resolved.source.dataset] = resolved.source
                return resolved
            case Unknown(reason, name):
                if reason in ("external_schema", "location"):
                    self.report_once(f"{reason}: {name}", "table", name)
                return None
            case other:
                assert_never(other)

    def report_once(self, key: str, what: str, detail: str) -> None:
        if key not in self._reported:
            self._reported.add(key)
            self._diagnostics.skipped("unknown_dataset", what, detail)

    def report_unused(self, name: str, temporary: Temporary) -> None:
        """Says of a temporary table with lineage, at its end, that nothing was ever made of it."""
        if temporary.contents.inputs and not temporary.used:
            self._diagnostics.skipped("no_target", "temporary table", name)

    # ---- statements ---------------------------------------------------------------------------------------------

    def read(self, statement: Statement, run: Run, dialect: Dialect, warehouse: str | None) -> Contents:
        """The edges of a definition, which belongs to no session."""
        return StatementTables(self, dialect, warehouse, SessionState()).read(statement, run)

    def enter(
        self,
        statement: Statement,
        run: Run,
        dialect: Dialect,
        warehouse: str | None,
        state: SessionState,
        procedure: StoredProcedure | None = None,
    ) -> Touched:
        """Takes a statement that ran, in `procedure` where it did so in one."""
        if not self.procedures.asks_for(warehouse):
            procedure = None
        key = run.query, warehouse, procedure
        again = self._again.get(key) if statement.fingerprint is not None else None
        if again is not None and again.holds(statement, run, self._resolver.index.changes, self.graph):
            again.run.moves(run)
            return again.touched
        self.graph.now = run.at
        names = StatementTables(self, dialect, warehouse, state)
        delta = names.read(statement, run)
        reads = {name for key in delta.inputs if (name := _name_of(key.upstream)) is not None}
        columns = {(name, key.upstream_column) for key in delta.columns if (name := _name_of(key.upstream)) is not None}
        for effect in statement.effects:
            self._take_effect(effect, names)
        written, storages = self._write(statement, delta, names)
        if statement.kind == "append":
            for upstream in reads:
                self.graph.empty(upstream)
        columns.update((dataset, key.column) for dataset in written for key in delta.columns)
        touched = Touched(
            reads.union(written),
            columns,
            frozenset(names.read_datasets),
            frozenset(names.columns_read(statement)),
            written or names.affected(statement),
        )
        if procedure is not None:
            self.procedures.add(procedure, warehouse, names.read_datasets, written, delta)
        if statement.fingerprint is not None and _only_adds(statement):
            self._remember(statement, run, names, (*written, *storages), touched, key)
        return touched

    def _remember(
        self,
        statement: Statement,
        run: Run,
        names: StatementTables,
        written: tuple[Dataset, ...],
        touched: Touched,
        key: _AgainKey,
    ) -> None:
        if len(self._again) >= _MOST_REMEMBERED:
            self._again.clear()
        targets = tuple((dataset, contents) for dataset in written if (contents := self.graph.current(dataset)))
        self._again[key] = _Again(
            statement.outcome, self._resolver.index.changes, tuple(names.looked_at), targets, run, touched
        )

    def _write(
        self, statement: Statement, delta: Contents, names: StatementTables
    ) -> tuple[tuple[Dataset, ...], tuple[Dataset, ...]]:
        """The datasets that the statement names as its output, and where their data lies."""
        output = statement.output
        if output is None or statement.kind == "create_procedure":
            return (), ()
        if isinstance(output, TemporaryTable) or statement.temporary:
            names.write_temporary(str(output), statement, delta)
            return (), ()
        resolved = names.resolve(output, written=True)
        if resolved is None or self._was_there_already(statement, resolved.dataset):
            return (), ()
        ends = (resolved, resolved.source) if resolved.source else (resolved,)
        fills = statement.kind in _FILLS or isinstance(statement.outcome, StatementLineage)
        for end in ends:
            if statement.replaces:
                self.graph.create(
                    end.dataset,
                    statement.schema,
                    is_view=statement.kind in _VIEWS,
                    if_not_exists=is_conditional(statement),
                )
            if fills:
                self.graph.write(end.dataset, delta)
        if isinstance(output, S3Location):
            self.storages.pop(resolved.dataset, None)
            self._learn_files(resolved.dataset, statement.schema)
            return (resolved.dataset,), ()
        storages = self._storages(statement, ends, names) if fills else ()
        for storage in storages:
            if statement.replaces:
                self.graph.create(storage, statement.schema)  # a CTAS refuses a location that holds data
            self.graph.write(storage, delta)
            if storage not in self._unloaded:
                self.storages.setdefault(storage, set()).update(end.dataset for end in ends)
        return tuple(end.dataset for end in ends), storages

    def _learn_files(self, location: Dataset, columns: tuple[Column, ...] | None) -> None:
        """What an UNLOAD has put into the files of a location; nothing where another one has put something else."""
        names = tuple(column.name for column in columns or ())
        if self._unloaded.setdefault(location, names) != names:
            self._unloaded[location] = names = ()
        contents = self.graph.current(location)
        if contents is not None:
            contents.schema = columns if names else None

    def _storages(
        self, statement: Statement, ends: tuple[Resolved, ...], names: StatementTables
    ) -> tuple[Dataset, ...]:
        """Where the statement puts the data: as it says itself, else where the catalog says that tables lie.

        A folder that holds a catalogued location and more is nobody's in particular.
        """
        if not self._storage_lineage or statement.kind in _HOLD_NO_DATA:
            return ()
        if statement.location is not None:
            found = names.resolve(statement.location, written=True)
            own = self._resolver.location_dataset(statement.location.uri)
            return (found.dataset,) if found is not None and found.dataset == own else ()
        return tuple(dict.fromkeys(end.storage for end in ends if end.storage is not None))

    def _was_there_already(self, statement: Statement, dataset: Dataset) -> bool:
        """CREATE … IF NOT EXISTS of what is there does nothing."""
        return statement.replaces and self.graph.current(dataset) is not None and is_conditional(statement)

    def _take_effect(self, effect: Effect, names: StatementTables) -> None:
        match effect:
            case Drop(TemporaryTable(name)):
                names.drop_temporary(name)
            case Drop(table):
                for dataset in names.datasets(table):
                    self.graph.drop(dataset)
            case Truncate(TemporaryTable(name)):
                names.empty_temporary(name)
            case Truncate(table):
                for dataset in names.datasets(table):
                    self.graph.empty(dataset)
            case Rename(TemporaryTable(old), TemporaryTable(new)):
                names.rename_temporary(old, new)
            case Rename(old, new):
                self._rename(old, new, names)
            case ChangeColumns() | DropSchema() | RenameSchema():
                self._change_definition(effect, names)
            case SetSearchPath() | UseDatabase() | TransactionMark() | CreateExternalSchema() | Prepare() | Call():
                pass  # the session's own, or already with the catalog
            case _:
                assert_never(effect)

    def _rename(self, old: StatementTable, new: StatementTable, names: StatementTables) -> None:
        """The catalog, read when all was over, may know the table by its old name alone: it has that one's columns."""
        before, after = names.resolve(old, written=True), names.resolve(new, written=True)
        if before is None or after is None:
            return
        self.graph.rename(before.dataset, after.dataset)
        renamed = self.graph.current(after.dataset)
        if renamed is not None and renamed.schema is None:
            renamed.schema = self._resolver.index.columns(old, names.dialect, names.warehouse)

    def _change_definition(self, effect: ChangeColumns | DropSchema | RenameSchema, names: StatementTables) -> None:
        match effect:
            case ChangeColumns():
                names.change_columns(effect)
            case DropSchema(catalog, schema):
                for dataset, _ in names.of_schema(catalog, schema, self.graph.datasets()):
                    self.graph.drop(dataset)
            case RenameSchema(database, old, new):
                for dataset, name in names.of_schema(database, old, self.graph.datasets()):
                    after = names.resolve(TableName(database, new, name), written=True)
                    if after is not None:
                        self.graph.rename(dataset, after.dataset)
            case _:
                assert_never(effect)


def _name_of(source: Source) -> Dataset | None:
    return source.life.last_name if isinstance(source, Version) else source
