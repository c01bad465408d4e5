"""Stored procedures: in which of them a statement ran, and what each has put into which table.

Redshift logs a CALL, and beside it each statement that it ran.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from datahub_aws_lineage.lineage.contents import Contents
from datahub_aws_lineage.lineage.graph import Graph
from datahub_aws_lineage.model.lineage import StoredProcedure
from datahub_aws_lineage.model.names import Dataset
from datahub_aws_lineage.model.queries import QueryRecord


@dataclass(frozen=True, slots=True)
class _Call:
    procedure: StoredProcedure
    transaction: str | None
    ended_at: datetime | None

    def spans(self, record: QueryRecord) -> bool:
        """By time; a log without ends says which transaction a call was, and a call by itself is the whole of one."""
        if self.ended_at is not None:
            return record.started_at < self.ended_at
        return self.transaction is not None and self.transaction == record.transaction


@dataclass(slots=True)
class Calls:
    """The calls that a session is in, the outermost first. Records come in the order in which they began."""

    _open: list[_Call] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self._open)

    def begin(self, procedure: StoredProcedure, record: QueryRecord, *, within_transaction: bool) -> None:
        """Within a transaction, a call whose end the log does not tell cannot be told from what follows it."""
        if record.ended_at is not None or not within_transaction:
            self._open.append(_Call(procedure, record.transaction, record.ended_at))

    def around(self, record: QueryRecord) -> StoredProcedure | None:
        """The innermost procedure in which `record` ran; calls that ended before it are forgotten."""
        self._open = [call for call in self._open if call.spans(record)]
        return self._open[-1].procedure if self._open else None


@dataclass(slots=True)
class _Work:
    """What the runs of one procedure have read, and put into each life of a table."""

    reads: set[Dataset] = field(default_factory=set)
    writes: dict[Contents, Contents] = field(default_factory=dict)

    def let_go(self) -> None:
        """Of a table that has been built anew, by this procedure too, the latest life counts."""
        latest = {life.name for life in self.writes}
        for life in [life for life in reversed(self.writes) if life.name is None]:
            if life.last_name in latest:
                del self.writes[life]
            latest.add(life.last_name)


class ProcedureWork:
    """What the stored procedures of some warehouses, known by their labels, have done in all their runs."""

    def __init__(self, graph: Graph, warehouses: Collection[str | None]) -> None:
        self._graph = graph
        self._warehouses = warehouses
        self._done: dict[tuple[str | None, StoredProcedure], _Work] = {}

    def asks_for(self, warehouse: str | None) -> bool:
        return warehouse in self._warehouses

    def add(
        self,
        procedure: StoredProcedure,
        warehouse: str | None,
        reads: Iterable[Dataset],
        written: Iterable[Dataset],
        delta: Contents,
    ) -> None:
        """Takes what one statement has done: `delta` are its edges, into each of `written`."""
        work = self._done.setdefault((warehouse, procedure), _Work())
        work.reads.update(reads)
        for dataset in written:
            life = self._graph.current(dataset)
            if life is None:
                continue
            if life not in work.writes:
                work.writes[life] = Contents()
                work.let_go()
            self._graph.add(work.writes[life], delta)

    def items(self) -> Iterator[tuple[str | None, StoredProcedure, set[Dataset], list[tuple[Dataset, Contents]]]]:
        """By warehouse and name: what was read, and the edges into each table by the name that it has now, or had."""
        for (warehouse, procedure), work in sorted(self._done.items(), key=lambda item: (item[0][0] or "", item[0][1])):
            work.let_go()
            writes = [(life.last_name, edges) for life, edges in work.writes.items() if life.last_name is not None]
            yield warehouse, procedure, work.reads, writes
