"""Sessions: temporary tables, search path, and transactions that may yet be rolled back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from typing_extensions import assert_never

from datahub_aws_lineage.lineage.contents import Contents
from datahub_aws_lineage.lineage.procedures import Calls
from datahub_aws_lineage.model.catalog import Column
from datahub_aws_lineage.model.lineage import (
    ChangeColumns,
    Drop,
    DropSchema,
    Prepare,
    Rename,
    RenameSchema,
    SetSearchPath,
    Statement,
    StoredProcedure,
    UseDatabase,
)
from datahub_aws_lineage.model.names import S3Location, StatementTable, TableName, TemporaryTable
from datahub_aws_lineage.model.queries import QueryRecord, SqlContext

Columns = tuple[Column, ...] | None


@dataclass(slots=True)
class Temporary:
    """A temporary table. `used` says that something was read from it."""

    contents: Contents = field(default_factory=Contents)
    used: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """One statement that ran, with its record, the names under which it was read, and the id of its `Query`."""

    record: QueryRecord
    statement: Statement
    context: SqlContext
    query: str
    procedure: StoredProcedure | None = None
    """The stored procedure that it ran in."""


@dataclass(slots=True)
class Transaction:
    """An open transaction: what ran in it so far, and what to go back to when it is rolled back."""

    transaction_id: str | None
    schemas_before: dict[str, Columns]
    search_path_before: tuple[str, ...] | None
    search_path_after: tuple[str, ...] | None
    """What the session goes on with after COMMIT: SET LOCAL ends with the transaction."""
    database_before: str | None = None
    steps: list[Step] = field(default_factory=list)
    drafts: dict[TableName, Columns] = field(default_factory=dict)
    failed: bool = False


@dataclass(slots=True)
class SessionState:
    """What one session carries from record to record.

    `schemas` of temporary tables are those of this moment; `temporaries`, their lineage, follows at each commit.
    """

    schemas: dict[str, Columns] = field(default_factory=dict)
    temporaries: dict[str, Temporary] = field(default_factory=dict)
    search_path: tuple[str, ...] | None = None
    database: str | None = None
    """The database of USE; None for the one that the session is connected to."""
    prepared: dict[str, str] = field(default_factory=dict)
    """The texts of prepared statements, by name; a roll-back leaves them."""
    transaction: Transaction | None = None
    failed: str | None = None
    """The transaction of a statement that failed by itself: all that it ran, as a stored procedure does, is undone."""
    calls: Calls = field(default_factory=Calls)

    @property
    def is_blank(self) -> bool:
        settings = (self.search_path, self.database, self.transaction, self.failed)
        held = (self.schemas, self.temporaries, self.prepared, self.calls)
        return not any(held) and all(one is None for one in settings)

    def begin(self, transaction_id: str | None) -> None:
        if self.transaction is None:
            self.transaction = Transaction(
                transaction_id, dict(self.schemas), self.search_path, self.search_path, self.database
            )

    def forget_transaction(self) -> list[Step]:
        """Goes back to what was before it; gives what ran in it."""
        if self.transaction is None:
            return []
        transaction, self.transaction = self.transaction, None
        self.schemas = transaction.schemas_before
        self.search_path = transaction.search_path_before
        self.database = transaction.database_before
        return transaction.steps

    def commit(self) -> list[Step]:
        """Ends the transaction; gives what ran in it."""
        if self.transaction is None:
            return []
        transaction, self.transaction = self.transaction, None
        self.search_path = transaction.search_path_after
        return transaction.steps

    def learn(self, statement: Statement, columns_of: Callable[[TableName], Columns]) -> None:
        """Takes in at once what the next statement of the session can see of this one; `columns_of` are those of tables
        outside of the session."""
        for effect in statement.effects:
            match effect:
                case SetSearchPath(schemas, local):
                    self._set_search_path(_search_path(schemas), local=local)
                case UseDatabase(database):
                    self.database = database
                case Prepare(name, text):
                    prepare(self.prepared, name, text)
                case Drop(table):
                    self._learn_table(table, None, there=False)
                case Rename(old, new):
                    columns = self._draft_of(old, columns_of)
                    self._learn_table(old, None, there=False)
                    self._learn_table(new, columns, there=True)
                case ChangeColumns(table, columns):
                    self._learn_table(table, columns, there=True)
                case DropSchema(catalog, schema):
                    for table in self._drafts_of(catalog, schema):
                        self._learn_table(table, None, there=False)
                case RenameSchema(database, old_schema, new_schema):
                    self._learn_schema(database, old_schema, new_schema)
                case _:
                    pass
        if statement.output is not None and (statement.replaces or statement.temporary):
            self._learn_table(statement.output, statement.schema, there=True)

    def _set_search_path(self, path: tuple[str, ...] | None, *, local: bool) -> None:
        """SET LOCAL outside of a transaction is over with its own statement."""
        if self.transaction is not None:
            self.transaction.search_path_after = self.transaction.search_path_after if local else path
        elif local:
            return
        self.search_path = path

    def _learn_table(self, table: StatementTable, columns: Columns, *, there: bool) -> None:
        match table:
            case TemporaryTable(name):
                if there:
                    self.schemas[name] = columns or self.schemas.get(name)
                else:
                    self.schemas.pop(name, None)
            case TableName() if self.transaction is not None:
                self.transaction.drafts[table] = columns
            case _:
                pass

    def _learn_schema(self, database: str, old: str, new: str) -> None:
        for table in self._drafts_of(database, old):
            columns = self._draft_of(table, _unknown)
            self._learn_table(table, None, there=False)
            self._learn_table(replace(table, database=new), columns, there=True)

    def _drafts_of(self, catalog: str, schema: str) -> list[TableName]:
        drafts = self.transaction.drafts if self.transaction is not None else {}
        return [table for table in drafts if (table.catalog, table.database) == (catalog, schema)]

    def _draft_of(self, table: StatementTable, columns_of: Callable[[TableName], Columns]) -> Columns:
        match table:
            case TemporaryTable(name):
                return self.schemas.get(name)
            case TableName() if self.transaction is not None:
                return self.transaction.drafts.get(table) or columns_of(table)
            case _:
                return None


def _unknown(_: TableName) -> Columns:
    return None


def prepare(prepared: dict[str, str], name: str, text: str | None) -> None:
    """PREPARE, or DEALLOCATE where there is no text."""
    if text is None:
        prepared.pop(name, None)
    else:
        prepared[name] = text


class Session:
    """One record's view of its session; satisfies the `Schemas` port.

    `context` has the search path of this moment, `$user` put in its place; the SQL stage looks an unqualified name up
    through it: temporary tables first, then each schema in order, by asking for their columns.
    """

    def __init__(
        self,
        record: QueryRecord,
        warehouse: str | None,
        state: SessionState,
        prepared: Mapping[str, str],
        columns_of: Callable[[TableName | S3Location], Columns],
        has_schema: Callable[[str], bool],
    ) -> None:
        self.record = record
        self.warehouse = warehouse
        self.state = state
        self.prepared = prepared
        self._columns_of = columns_of
        self._has_schema = has_schema

    @property
    def context(self) -> SqlContext:
        context = self.record.context
        if self.state.database is not None:
            context = replace(
                context, default_catalog=self.state.database, first_catalog=self.record.context.default_catalog
            )
        path = context.search_path if self.state.search_path is None else self.state.search_path
        if context.dialect != "redshift" or not path:
            return context
        schemas = self._schemas_of(path)
        first = schemas[0] if schemas else context.default_database
        before = () if self.state.search_path is None else self._schemas_of(context.search_path)
        return replace(context, default_database=first, search_path=schemas, first_search_path=before)

    def columns(self, table: StatementTable) -> Columns:
        """A temporary table of unknown columns is there all the same, and gives no columns rather than None."""
        match table:
            case TemporaryTable(name):
                return (self.state.schemas[name] or ()) if name in self.state.schemas else None
            case TableName():
                drafts = self.state.transaction.drafts if self.state.transaction else {}
                return drafts.get(table) or self._columns_of(table)
            case S3Location():
                return self._columns_of(table)
            case _:
                assert_never(table)

    def _schemas_of(self, path: tuple[str, ...]) -> tuple[str, ...]:
        """`$user` is the schema of the user's name, where there is one."""
        user = (self.record.actor or "").lower()
        has_own = "$user" in path and user and self._has_schema(user)
        return tuple(user if name == "$user" else name for name in path if name != "$user" or has_own)


def _search_path(schemas: tuple[str, ...]) -> tuple[str, ...] | None:
    """None for `SET search_path TO DEFAULT`: what the session began with."""
    path = tuple(schema.strip().strip("\"'").lower() for schema in schemas)
    return None if path == ("default",) else path
