"""The tables of one statement: what each name stands for in its session, and the edges that come of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from datahub_aws_lineage.lineage.contents import ColumnFact, ColumnKey, Contents, InputKey, Read, Run, Source, Version
from datahub_aws_lineage.lineage.graph import Graph
from datahub_aws_lineage.lineage.resolver import Resolved
from datahub_aws_lineage.lineage.session import SessionState, Temporary
from datahub_aws_lineage.model.lineage import ChangeColumns, Drop, Rename, Statement, StatementLineage, Truncate
from datahub_aws_lineage.model.names import Dataset, Dialect, StatementTable, TableName, TemporaryTable

_IF_NOT_EXISTS = re.compile(r"\b(?:table|view)\s+if\s+not\s+exists\b", re.IGNORECASE)


class Places(Protocol):
    """Where names lead and what is there; the ledger."""

    graph: Graph

    def resolve(
        self, table: StatementTable, dialect: Dialect, warehouse: str | None, *, written: bool = False
    ) -> Resolved | None: ...

    def report_once(self, key: str, what: str, detail: str) -> None: ...

    def report_unused(self, name: str, temporary: Temporary) -> None: ...


def is_conditional(statement: Statement) -> bool:
    """CREATE … IF NOT EXISTS."""
    return _IF_NOT_EXISTS.search(statement.text) is not None


@dataclass(frozen=True, slots=True)
class _Named:
    """A table that is a dataset, and the life of it that is read."""

    source: Source
    version: Version | None


_Place: TypeAlias = "_Named | Contents | None"
"""What a name stands for: a dataset, the contents of a temporary table, or nothing that is known."""

_THROUGH = Dataset("", "")
"""Stands for a temporary table, in edges that are seen through at once."""


def _add_inputs(delta: Contents, place: _Place, run: Run) -> None:
    match place:
        case _Named(source, version):
            delta.add_input(InputKey(source), Read(run, version))
        case Contents():
            for key, read in place.inputs.items():
                delta.add_input(key, Read(run, read.version))
        case None:
            pass


class StatementTables:
    """The tables of one statement, under the dialect, warehouse and session it ran in."""

    def __init__(self, ledger: Places, dialect: Dialect, warehouse: str | None, state: SessionState) -> None:
        self._ledger = ledger
        self.dialect: Dialect = dialect
        self.warehouse = warehouse
        self._state = state
        self.looked_at: list[tuple[Dataset, tuple[Source, Version | None]]] = []
        self._named: dict[StatementTable, Dataset] = {}

    def resolve(self, table: StatementTable, *, written: bool = False) -> Resolved | None:
        return self._ledger.resolve(table, self.dialect, self.warehouse, written=written)

    def datasets(self, table: StatementTable) -> tuple[Dataset, ...]:
        """Both ends, where the table is one of an external schema."""
        resolved = self.resolve(table, written=True)
        if resolved is None:
            return ()
        return (resolved.dataset, resolved.source.dataset) if resolved.source else (resolved.dataset,)

    def of_schema(self, database: str, schema: str, datasets: Iterable[Dataset]) -> Iterator[tuple[Dataset, str]]:
        """Those of `datasets` that are tables of a schema, each with its own name; none of an external schema."""
        any_table = self.resolve(TableName(database, schema, "t"), written=True)
        if any_table is not None and any_table.source is None:
            platform, instance = any_table.dataset.platform, any_table.dataset.instance
            prefix = any_table.dataset.name.removesuffix("t")
            for dataset in datasets:
                if (dataset.platform, dataset.instance) == (platform, instance) and dataset.name.startswith(prefix):
                    yield dataset, dataset.name.removeprefix(prefix)

    def read(self, statement: Statement, run: Run) -> Contents:
        """The edges of a statement, as if into an empty table."""
        delta = Contents()
        outcome = statement.outcome
        if not isinstance(outcome, StatementLineage):
            return delta
        tables = dict.fromkeys(outcome.inputs)
        tables.update((upstream.table, None) for column in outcome.columns for upstream in column.upstreams)
        places = {table: self._place(table) for table in tables}
        made = {table: place.by_column() for table, place in places.items() if isinstance(place, Contents)}
        for column in outcome.columns:
            fact = ColumnFact(column.expression, column.confidence * run.certainty, run)
            for upstream in column.upstreams:
                match places[upstream.table]:
                    case _Named(source):
                        delta.add_column(ColumnKey(source, upstream.column, column.column, upstream.subtype), fact)
                    case Contents():
                        key = ColumnKey(_THROUGH, upstream.column, column.column, upstream.subtype)
                        delta.add_through(made[upstream.table], key, fact)
                    case None:
                        pass  # reported by `_place`
        for place in places.values():
            _add_inputs(delta, place, run)
        return delta

    @property
    def read_datasets(self) -> Iterable[Dataset]:
        """After `read`: the datasets that the statement names as what it reads."""
        return self._named.values()

    def columns_read(self, statement: Statement) -> Iterator[tuple[Dataset, str]]:
        """After `read`: the columns that the statement uses, for values or for conditions."""
        if isinstance(statement.outcome, StatementLineage):
            used = (upstream for column in statement.outcome.columns for upstream in column.upstreams)
            for upstream in (*used, *statement.outcome.indirect):
                dataset = self._named.get(upstream.table)
                if dataset is not None:
                    yield dataset, upstream.column

    def affected(self, statement: Statement) -> tuple[Dataset, ...]:
        """What a statement without an output empties, drops or renames."""
        found: dict[Dataset, None] = {}
        for effect in statement.effects:
            match effect:
                case Truncate(TableName() as table) | Drop(TableName() as table) | Rename(_, TableName() as table):
                    found.update(dict.fromkeys(self.datasets(table)))
                case _:
                    pass
        return tuple(found)

    def _place(self, table: StatementTable) -> _Place:
        if not isinstance(table, TemporaryTable):
            resolved = self.resolve(table)
            if resolved is None:
                return None
            self._named[table] = resolved.dataset
            found = self._ledger.graph.read(resolved.dataset)
            self.looked_at.append((resolved.dataset, found))
            return _Named(*found)
        temporary = self._state.temporaries.get(table.name)
        if temporary is None:
            self._ledger.report_once(f"temporary: {table.name}", "temporary table", table.name)
            return None
        temporary.used = True
        return temporary.contents

    def change_columns(self, effect: ChangeColumns) -> None:
        """What fills a column goes with its new name."""
        if isinstance(effect.table, TemporaryTable):
            temporary = self._state.temporaries.get(effect.table.name)
            if temporary is not None and effect.renamed is not None:
                temporary.contents.rename_column(*effect.renamed, keep=False)
            return
        for dataset in self.datasets(effect.table):
            contents = self._ledger.graph.current(dataset)
            if contents is None:
                continue
            if contents.schema is not None:
                contents.schema = effect.columns
            if effect.renamed is not None:
                contents.rename_column(*effect.renamed, keep=True)

    # ---- temporary tables ---------------------------------------------------------------------------------------

    def write_temporary(self, name: str, statement: Statement, delta: Contents) -> None:
        temporaries = self._state.temporaries
        temporary = temporaries.get(name)
        if temporary is not None and statement.replaces and is_conditional(statement):
            return
        if temporary is None or statement.replaces or temporary.contents.emptied:
            temporary = temporaries[name] = Temporary()
        self._ledger.graph.add(temporary.contents, delta)

    def drop_temporary(self, name: str) -> None:
        temporary = self._state.temporaries.pop(name, None)
        if temporary is not None:
            self._ledger.report_unused(name, temporary)

    def empty_temporary(self, name: str) -> None:
        temporary = self._state.temporaries.get(name)
        if temporary is not None:
            temporary.contents.emptied = True

    def rename_temporary(self, old: str, new: str) -> None:
        temporary = self._state.temporaries.pop(old, None)
        if temporary is not None:
            self._state.temporaries[new] = temporary
