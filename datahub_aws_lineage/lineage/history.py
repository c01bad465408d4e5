"""The history of an account, statement by statement in time order, merged into the lineage of each dataset."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import cast, get_args

from typing_extensions import assert_never

from datahub_aws_lineage.lineage.assembly import Assembly
from datahub_aws_lineage.lineage.contents import DEFINED, UNCONFIRMED, Contents, Run
from datahub_aws_lineage.lineage.copies import Copies, copies_in_catalogs
from datahub_aws_lineage.lineage.hand_written import HandWritten
from datahub_aws_lineage.lineage.ledger import Ledger
from datahub_aws_lineage.lineage.manifests import Files, without_manifests
from datahub_aws_lineage.lineage.query_log import QueryLog, dataset_order, query_id
from datahub_aws_lineage.lineage.resolver import Resolved, Resolver
from datahub_aws_lineage.lineage.session import Columns, Session, SessionState, Step, prepare
from datahub_aws_lineage.lineage.settle import Settlement, UnknownTables
from datahub_aws_lineage.model.catalog import ExternalSchema, ExternalSchemaKind, Table
from datahub_aws_lineage.model.lineage import (
    Call,
    CreateExternalSchema,
    DatasetLineage,
    NoLineage,
    Prepare,
    ProcedureLineage,
    Query,
    RanStatement,
    Statement,
    StatementLineage,
    StoredProcedure,
    TransactionMark,
    Unresolved,
)
from datahub_aws_lineage.model.names import Dataset, Dialect, S3Location, TableName
from datahub_aws_lineage.model.ports import Diagnostics
from datahub_aws_lineage.model.queries import PreparedStatement, QueryRecord

MOST_SESSIONS = 10_000
"""Sessions remembered at a time; the one that was silent longest is closed first."""

MOST_PENDING_STATEMENTS = 10_000
"""Statements of one open transaction held back; beyond it they are taken as committed."""


class History:
    """Takes the catalogs first, then every record in time order, then views; gives lineage and queries at the end.

    For each record the caller does

        session = history.session(record, warehouse)
        history.apply(record, analyze(record.text, session.context, session), warehouse)

    `on_run` is told of each statement that ran, in the order in which they took effect. What the stored procedures of
    the warehouses `procedures_of` did is gathered. `manifests` reads the manifests of COPY, by warehouse.
    `columns_elsewhere` is asked for the columns of tables that no catalog lists and no statement made.

    `warehouse` is the label under which a Redshift record's warehouse was added to the index, for Athena the site's;
    None where there is only one.
    """

    def __init__(
        self,
        resolver: Resolver,
        diagnostics: Diagnostics,
        fingerprint: Callable[[str, Dialect], str],
        *,
        unknown_tables: UnknownTables = "keep_where_catalog_is_partial",
        storage_lineage: bool = True,
        on_run: Callable[[RanStatement], None] | None = None,
        procedures_of: Collection[str | None] = (),
        manifests: Mapping[str | None, Files] | None = None,
        columns_elsewhere: Callable[[Dataset], Columns] | None = None,
    ) -> None:
        self._resolver = resolver
        self._index = resolver.index
        self._diagnostics = diagnostics
        self._fingerprint = fingerprint
        self._unknown_tables: UnknownTables = unknown_tables
        self._storage_lineage = storage_lineage
        self._on_run = on_run
        self._manifests = manifests or {}
        self._columns_elsewhere = columns_elsewhere
        self._ledger = Ledger(resolver, diagnostics, storage_lineage=storage_lineage, procedures_of=procedures_of)
        self._sessions: OrderedDict[tuple[str | None, str], SessionState] = OrderedDict()
        self._log = QueryLog()
        self.hand_written = HandWritten(resolver, self._ledger, diagnostics)
        self._prepared: dict[tuple[str | None, str], dict[str, str]] = {}
        """Athena's prepared statements, by work group and name."""
        self._saved: dict[tuple[str | None, str], list[PreparedStatement]] = {}
        self._views: dict[Dataset, Contents] = {}
        self._noted: set[str] = set()
        self._filled_from_before: set[Dataset] = set()
        self._finished: tuple[tuple[DatasetLineage, ...], Settlement] | None = None

    # ---- the catalog --------------------------------------------------------------------------------------------

    def add_table(self, table: Table, warehouse: str | None = None) -> None:
        """Puts a table into the index; its location, link or mount becomes lineage at the end."""
        self._index.add_table(table, warehouse)

    def add_external_schema(self, schema: ExternalSchema, warehouse: str | None = None) -> None:
        self._index.add_external_schema(schema, warehouse)

    def add_prepared(self, statement: PreparedStatement, site: str | None = None) -> None:
        """A prepared statement as its work group keeps it: what EXECUTE ran since it was last changed."""
        self._saved.setdefault((site, statement.work_group), []).append(statement)

    def apply_view(self, table: Table, statements: Sequence[Statement], warehouse: str | None = None) -> None:
        """Takes the definition of a view: it says more than any CREATE VIEW of the history, and replaces it."""
        dialect: Dialect = "redshift" if table.view is not None and table.view.dialect == "redshift" else "athena"
        own_dialect: Dialect = "redshift" if table.platform == "redshift" else "athena"
        contents = Contents(schema=table.columns)
        for statement in statements:
            self._note(statement, f"view {table.name}")
            if isinstance(statement.outcome, StatementLineage):
                contents.merge(self._ledger.read(statement, DEFINED, dialect, warehouse))
        view = self._ledger.resolve(table.name, own_dialect, warehouse)
        if view is not None and contents.inputs:
            self._views[view.dataset] = contents
            self._finished = None

    # ---- the history --------------------------------------------------------------------------------------------

    def session(self, record: QueryRecord, warehouse: str | None = None) -> Session:
        """The session that `record` belongs to, as it stands before the record runs."""
        state = self._state(record, warehouse)
        database = record.context.default_catalog

        def columns_of(table: TableName | S3Location) -> Columns:
            return self._columns(table, record.context.dialect, warehouse)

        def has_schema(schema: str) -> bool:
            return self._index.has_schema(warehouse, database, schema)

        prepared = self._prepared_for(record, state, warehouse)
        saved = self._saved_for(record, warehouse)
        return Session(record, warehouse, state, {**saved, **prepared} if saved else prepared, columns_of, has_schema)

    def apply(self, record: QueryRecord, statements: Sequence[Statement], warehouse: str | None = None) -> None:
        """Takes what `record` did. A failed record did nothing, and spoils the transaction that it ran in.

        It comes with no statements; the reader that gave it has reported it.
        """
        self._finished = None
        session = self.session(record, warehouse)
        state = session.state
        self._end_transaction_of_another(state, record, warehouse)
        procedure = state.calls.around(record)
        if record.succeeded is False:
            self._fail(record, state)
        elif state.failed is not None and state.failed == record.transaction:
            self._diagnostics.skipped("rolled_back", f"{record.context.dialect} statement", record.query_id)
        else:
            state.failed = None
            if record.succeeded is None:
                self._diagnostics.seen("statements of which the log does not say whether they succeeded")
            files = self._manifests.get(warehouse)
            for statement in statements:
                located = without_manifests(statement, files) if files is not None else statement
                self._take(self._step(session, located, procedure), state, warehouse)
        if record.session is None:
            self._close(state, warehouse)
        elif state.is_blank:
            self._sessions.pop((warehouse, record.session), None)

    def lineages(self) -> Iterator[DatasetLineage]:
        """One value a downstream dataset, by platform, name and instance. Ends the history's open sessions."""
        lineages, _ = self._finish()
        yield from lineages

    def stays(self, dataset: Dataset) -> bool:
        """Whether a dataset that statements named is one at the end: a table that is gone by then is none."""
        _, settlement = self._finish()
        return settlement.stays_as_output(dataset)

    def over(self) -> Iterator[tuple[Dataset, datetime]]:
        """Datasets that were made anew, emptied or dropped, and when: what was put into them before is gone.

        Not those that were filled from themselves, such as by a copy without duplicates that took their place, or from
        a table that is gone and was filled before this history.
        """
        self._finish()
        yield from (found for found in self._ledger.graph.over() if found[0] not in self._filled_from_before)

    def emptied(self) -> Iterator[tuple[Dataset, datetime]]:
        """Tables that are empty at the end, and since when: what filled them stands until they are filled again."""
        self._finish()
        yield from self._ledger.graph.emptied()

    def subjects(
        self, statements: Sequence[Statement], dialect: Dialect, warehouse: str | None = None
    ) -> tuple[Dataset, ...]:
        """The datasets that some statements read and write, had they run."""
        found: set[Dataset] = set()
        for statement in statements:
            inputs = statement.outcome.inputs if isinstance(statement.outcome, StatementLineage) else ()
            for table in (*inputs, statement.output):
                resolved = self._ledger.resolve(table, dialect, warehouse) if table is not None else None
                if resolved is not None:
                    found.add(resolved.dataset)
        return tuple(sorted(found, key=dataset_order))

    def queries(self) -> Iterator[Query]:
        """By id: statements that read or wrote at least one dataset that stays."""
        _, settlement = self._finish()
        yield from self._log.queries(settlement.stays_as_output)

    def procedures(self) -> Iterator[ProcedureLineage]:
        """By warehouse and name: stored procedures that read or wrote at least one dataset that stays."""
        _, settlement = self._finish()
        for warehouse, procedure, read, writes in self._ledger.procedures.items():
            written = [
                self._written(dataset, edges, settlement)
                for dataset, edges in writes
                if settlement.stays_as_output(dataset)
            ]
            upstreams = {edge.upstream for lineage in written for edge in lineage.edges}
            reads = tuple(sorted(upstreams.union(filter(settlement.stays, read)), key=dataset_order))
            if reads or written:
                written.sort(key=lambda lineage: dataset_order(lineage.downstream))
                yield ProcedureLineage(procedure, warehouse, reads, tuple(written))

    def _written(self, dataset: Dataset, edges: Contents, settlement: Settlement) -> DatasetLineage:
        assembly = Assembly(dataset, self._ledger.fact, None)
        assembly.add_contents(settlement.settle(edges), "query")
        return assembly.build() or DatasetLineage(dataset, (), ())

    def _prepared_for(self, record: QueryRecord, state: SessionState, site: str | None) -> dict[str, str]:
        """Redshift keeps prepared statements with the session, Athena with the work group (SQL PREPARE)."""
        if record.session is not None or record.work_group is None:
            return state.prepared
        return self._prepared.setdefault((site, record.work_group), {})

    def _saved_for(self, record: QueryRecord, site: str | None) -> dict[str, str]:
        saved = self._saved.get((site, record.work_group), ()) if record.work_group is not None else ()
        return {one.name.lower(): one.text for one in saved if one.modified_at <= record.started_at}

    # ---- sessions and transactions ------------------------------------------------------------------------------

    def _state(self, record: QueryRecord, warehouse: str | None) -> SessionState:
        if record.session is None:
            return SessionState()
        key = warehouse, record.session
        state = self._sessions.setdefault(key, SessionState())
        self._sessions.move_to_end(key)
        if len(self._sessions) > MOST_SESSIONS:
            (longest_silent, _), closed = self._sessions.popitem(last=False)
            self._close(closed, longest_silent)
        return state

    def _take(self, step: Step, state: SessionState, warehouse: str | None) -> None:
        statement, record = step.statement, step.record
        if step.query not in self._noted:
            self._noted.add(step.query)
            self._note(statement, f"{step.context.dialect} statement {record.query_id}")
        for effect in statement.effects:
            if isinstance(effect, CreateExternalSchema):
                self._index.learn_external_schema(_external_schema(effect), warehouse)
            elif isinstance(effect, TransactionMark):
                self._mark(effect, record, state, warehouse)
            elif isinstance(effect, Call):
                state.calls.begin(effect.procedure, record, within_transaction=state.transaction is not None)
            elif isinstance(effect, Prepare) and record.session is None:
                prepare(self._prepared_for(record, state, warehouse), effect.name, effect.text)
        if statement.kind == "transaction":
            return
        state.learn(statement, lambda table: self._columns(table, step.context.dialect, warehouse))
        if state.transaction is None:
            self._enter(step, state, warehouse)
            return
        state.transaction.steps.append(step)
        if statement.kind == "truncate":  # commits at once (Database Developer Guide, r_TRUNCATE)
            self._commit(state, warehouse)
        elif len(state.transaction.steps) >= MOST_PENDING_STATEMENTS:
            self._diagnostics.seen("transactions too long to hold back, taken as committed")
            self._commit(state, warehouse)

    def _fail(self, record: QueryRecord, state: SessionState) -> None:
        if state.transaction is not None:
            state.transaction.failed = True
        else:
            state.failed = record.transaction

    def _mark(self, effect: TransactionMark, record: QueryRecord, state: SessionState, warehouse: str | None) -> None:
        match effect.mark:
            case "begin":
                state.begin(record.transaction)
            case "commit":
                self._commit(state, warehouse)
            case "rollback":
                self._roll_back(state)
            case _:
                assert_never(effect.mark)

    def _end_transaction_of_another(self, state: SessionState, record: QueryRecord, warehouse: str | None) -> None:
        """A session that has gone on to another transaction id has ended the one before, unseen.

        A log may give BEGIN an id of its own: the first statement after it says which transaction it is.
        """
        transaction = state.transaction
        if transaction is None or record.transaction is None:
            return
        if not transaction.steps:
            transaction.transaction_id = record.transaction
        elif transaction.transaction_id not in (None, record.transaction):
            self._diagnostics.seen("transactions whose end was not seen, taken as committed")
            self._commit(state, warehouse)

    def _commit(self, state: SessionState, warehouse: str | None) -> None:
        """COMMIT of a transaction in which a statement failed is a roll-back."""
        transaction = state.transaction
        if transaction is None:
            return
        if transaction.failed:
            self._roll_back(state)
            return
        for step in state.commit():
            self._enter(step, state, warehouse)

    def _roll_back(self, state: SessionState) -> None:
        for step in state.forget_transaction():
            self._diagnostics.skipped("rolled_back", f"{step.context.dialect} statement", step.record.query_id)

    def _close(self, state: SessionState, warehouse: str | None) -> None:
        if state.transaction is not None:
            self._diagnostics.seen("transactions whose end was not seen, taken as committed")
            self._commit(state, warehouse)
        for name, temporary in state.temporaries.items():
            self._ledger.report_unused(name, temporary)

    # ---- statements ---------------------------------------------------------------------------------------------

    def _step(self, session: Session, statement: Statement, procedure: StoredProcedure | None) -> Step:
        context = session.context
        dialect = context.dialect
        instance = self._resolver.default_instance(dialect, session.warehouse)
        query = query_id(statement.fingerprint or self._fingerprint(statement.text, dialect), context, instance)
        return Step(session.record, statement, context, query, procedure)

    def _enter(self, step: Step, state: SessionState, warehouse: str | None) -> None:
        record, statement = step.record, step.statement
        if isinstance(statement.outcome, Unresolved):
            return
        certainty = UNCONFIRMED if record.succeeded is None else 1.0
        run = Run(step.query, record.started_at, record.person, certainty=certainty)
        touched = self._ledger.enter(statement, run, step.context.dialect, warehouse, state, step.procedure)
        if touched.datasets:
            self._log.add(step.query, statement.text, record, touched.datasets, touched.columns, step.procedure)
        if self._on_run is not None and (touched.reads or touched.writes):
            self._on_run(
                RanStatement(
                    query=step.query,
                    kind=statement.kind,
                    text=statement.text,
                    dialect=step.context.dialect,
                    started_at=record.started_at,
                    ended_at=record.ended_at,
                    actor=record.person,
                    reads=touched.reads,
                    columns=touched.columns_read,
                    writes=touched.writes,
                    warehouse=warehouse,
                )
            )

    def _note(self, statement: Statement, where: str) -> None:
        match statement.outcome:
            case Unresolved(reason, message):
                self._diagnostics.unresolved(reason, f"{where}: {message}")
            case StatementLineage(gaps=gaps) | NoLineage(gaps=gaps):
                for gap in gaps:
                    self._diagnostics.unresolved(gap.what, f"{where}: {gap.detail}")
            case _:
                assert_never(statement.outcome)

    def _columns(self, table: TableName | S3Location, dialect: Dialect, warehouse: str | None) -> Columns:
        """The catalog's columns; for a table that it lacks, what the statement that made it taught."""
        files = self._manifests.get(warehouse)
        if isinstance(table, S3Location) and table.is_manifest and files is not None and (listed := files(table)):
            found = {self._columns(folder, dialect, warehouse) for folder in listed}
            return found.pop() if len(found) == 1 else None
        columns = self._index.columns(table, dialect, warehouse)
        if columns is not None:
            return columns
        resolved = self._resolver.resolve(table, dialect, warehouse)
        if not isinstance(resolved, Resolved):
            return None
        contents = self._ledger.graph.current(resolved.dataset)
        learned = contents.schema if contents else None
        is_listed = resolved.known or resolved.complete
        if learned is not None or is_listed or self._columns_elsewhere is None:
            return learned
        return self._columns_elsewhere(resolved.dataset)

    # ---- the end ------------------------------------------------------------------------------------------------

    def _finish(self) -> tuple[tuple[DatasetLineage, ...], Settlement]:
        if self._finished is None:
            while self._sessions:
                (warehouse, _), state = self._sessions.popitem(last=False)
                self._close(state, warehouse)
            settlement = Settlement(self._ledger.graph, self._ledger.fact, self._unknown_tables, self._diagnostics)
            for view in self._views.values():
                settlement.add_reader(view)
            copies = copies_in_catalogs(self._resolver, self._ledger.facts(), storage=self._storage_lineage)
            lineages = tuple(self._assemble(settlement, copies))
            self._finished = tuple(self._without_unread_storages(lineages)), settlement
            for lineage in self._finished[0]:
                self._log.add_edges(lineage)
        return self._finished

    def _without_unread_storages(self, lineages: Sequence[DatasetLineage]) -> Iterator[DatasetLineage]:
        """What a query writes to a table lies in its location. That is shown where somebody else reads the location (a
        COPY, another table over the same files): else it would say of each table twice where it comes from."""
        readers: dict[Dataset, set[Dataset]] = {}
        for lineage in lineages:
            for edge in lineage.edges:
                if edge.upstream in self._ledger.storages:
                    readers.setdefault(edge.upstream, set()).add(lineage.downstream)
        for lineage in lineages:
            tables = self._ledger.storages.get(lineage.downstream)
            if tables is None or readers.get(lineage.downstream, set()) - tables:
                yield lineage

    def _assemble(self, settlement: Settlement, copies: Copies) -> Iterator[DatasetLineage]:
        downstreams = {dataset for dataset, _ in self._ledger.graph.items()} | self._views.keys() | copies.keys()
        downstreams = downstreams | self.hand_written.downstreams
        for downstream in sorted(downstreams, key=dataset_order):
            if not settlement.stays_as_output(downstream):
                continue
            assembly = Assembly(downstream, self._ledger.fact, self._diagnostics)
            view, written = self._views.get(downstream), self._ledger.graph.current(downstream)
            if view is not None:
                assembly.add_contents(settlement.settle(view), "view")
            elif written is not None:
                settled = settlement.settle(written)
                if settled.comes_from(downstream) or (written.inputs and not settled.inputs):
                    self._filled_from_before.add(downstream)
                assembly.add_contents(settled, "query")
            for copy in copies.get(downstream, ()):
                assembly.add_copy(copy)
            for by_hand in self.hand_written.of(downstream):
                assembly.add_written_down(by_hand)
            lineage = assembly.build()
            if lineage is not None:
                yield lineage


def _external_schema(effect: CreateExternalSchema) -> ExternalSchema:
    written = "kafka" if effect.kind == "msk" else effect.kind  # FROM MSK | KAFKA
    kind = cast("ExternalSchemaKind", written) if written in get_args(ExternalSchemaKind) else "other"
    return ExternalSchema(effect.database, effect.schema, kind, effect.source_database)
