"""Lineage in two forms: by statement, in SQL's own names, and by dataset, resolved and merged."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, TypeAlias

from datahub_aws_lineage.model.catalog import Column
from datahub_aws_lineage.model.names import Dataset, Dialect, S3Location, StatementTable
from datahub_aws_lineage.model.origins import QueryOrigin

StatementKind: TypeAlias = Literal[
    "create_table_as",
    "create_table",
    "create_external_table",
    "create_external_table_as",
    "create_view",
    "create_materialized_view",
    "insert",
    "merge",
    "update",
    "delete",
    "unload",
    "copy",
    "append",
    "rename",
    "drop",
    "truncate",
    "select",
    "prepare",
    "execute",
    "call",
    "create_procedure",
    "create_external_schema",
    "transaction",
    "utility",
]

DirectSubtype: TypeAlias = Literal["IDENTITY", "TRANSFORMATION", "AGGREGATION"]
IndirectSubtype: TypeAlias = Literal["CONDITIONAL", "WINDOW", "JOIN", "FILTER", "GROUP_BY", "SORT"]
Subtype: TypeAlias = Literal[
    "IDENTITY", "TRANSFORMATION", "AGGREGATION", "CONDITIONAL", "WINDOW", "JOIN", "FILTER", "GROUP_BY", "SORT"
]
"""OpenLineage's column-lineage transformation subtypes (ColumnLineageDatasetFacet 1-2-0)."""

DIRECT_SUBTYPES: frozenset[str] = frozenset({"IDENTITY", "TRANSFORMATION", "AGGREGATION"})


@dataclass(frozen=True, slots=True, order=True)
class Upstream:
    """One upstream column of an output column. `column` keeps a nested path (`user.address.city`)."""

    table: StatementTable
    column: str
    subtype: Subtype

    @property
    def direct(self) -> bool:
        return self.subtype in DIRECT_SUBTYPES


@dataclass(frozen=True, slots=True)
class ColumnLineage:
    """An output column, all its upstream columns, its SQL text (None where none was written) and how sure we are."""

    column: str
    upstreams: tuple[Upstream, ...]
    expression: str | None
    confidence: float


GapKind: TypeAlias = Literal[
    "star",  # `*` of a table whose schema is unknown
    "column",  # a name that several unknown tables could own, or that no known table has
    "target",  # the target's columns are unknown, or fewer or more than the query gives
    "arity",  # set operation or column list of another width than the query
    "source",  # a table that is known to be there but cannot be named
]


@dataclass(frozen=True, slots=True)
class Gap:
    """What could not be placed within a statement that was otherwise understood."""

    what: GapKind
    detail: str


UnresolvedReason: TypeAlias = Literal[
    "syntax",  # neither the pre-parser nor sqlglot can read it
    "empty",  # nothing but comments or blanks where a statement is expected
    "unsupported",  # read, but of a form whose lineage is not known
    "truncated",  # the text is known to be cut
    "placeholder",  # a template that was never filled in
    "too_long",
    "too_deep",
    "too_slow",
    "internal",  # a defect of this tool; always reported as a warning
]


@dataclass(frozen=True, slots=True)
class StatementLineage:
    """The statement reads at least one dataset. `gaps` says what is missing from `columns`."""

    inputs: tuple[StatementTable, ...]
    columns: tuple[ColumnLineage, ...]
    indirect: tuple[Upstream, ...] = ()
    gaps: tuple[Gap, ...] = ()


@dataclass(frozen=True, slots=True)
class NoLineage:
    """Understood: nothing is read."""

    gaps: tuple[Gap, ...] = ()


@dataclass(frozen=True, slots=True)
class Unresolved:
    """Not understood. `line` and `column` are 1-based positions within the text given, where known."""

    reason: UnresolvedReason
    message: str
    line: int | None = None
    column: int | None = None


Outcome: TypeAlias = StatementLineage | NoLineage | Unresolved


@dataclass(frozen=True, slots=True)
class Rename:
    """ALTER TABLE … RENAME TO: `old` is called `new` from here on."""

    old: StatementTable
    new: StatementTable


@dataclass(frozen=True, slots=True)
class RenameSchema:
    """ALTER SCHEMA … RENAME TO: every table of `old` is one of `new` from here on."""

    database: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class DropSchema:
    """DROP SCHEMA … CASCADE, or DROP DATABASE … CASCADE in Athena: the tables of `catalog.schema` are gone."""

    catalog: str
    schema: str


@dataclass(frozen=True, slots=True)
class Drop:
    """DROP TABLE or VIEW: what was written before has no effect on a later table of that name."""

    table: StatementTable


@dataclass(frozen=True, slots=True)
class ChangeColumns:
    """ALTER TABLE … ADD, DROP or RENAME COLUMN: the columns from here on; `renamed` has the old name and the new."""

    table: StatementTable
    columns: tuple[Column, ...]
    renamed: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Truncate:
    """TRUNCATE or DELETE without WHERE: the table is emptied."""

    table: StatementTable


@dataclass(frozen=True, slots=True)
class SetSearchPath:
    """SET search_path TO …, for what follows in the session; `local` (SET LOCAL) up to the end of the transaction."""

    schemas: tuple[str, ...]
    local: bool = False


@dataclass(frozen=True, slots=True)
class UseDatabase:
    """USE database: names without a database are of it; None after RESET USE, for the connected one."""

    database: str | None


@dataclass(frozen=True, slots=True)
class TransactionMark:
    """BEGIN, COMMIT (END) or ROLLBACK (ABORT)."""

    mark: Literal["begin", "commit", "rollback"]


@dataclass(frozen=True, slots=True)
class CreateExternalSchema:
    """CREATE EXTERNAL SCHEMA … FROM DATA CATALOG DATABASE 'sales': later names under `schema` are the source's."""

    database: str
    schema: str
    kind: str
    source_database: str | None


@dataclass(frozen=True, slots=True)
class Prepare:
    """PREPARE: EXECUTE of that name runs `text` from here on; None after DEALLOCATE."""

    name: str
    text: str | None


@dataclass(frozen=True, slots=True, order=True)
class StoredProcedure:
    """A stored procedure of Redshift, by its name in lower case: those of one name with other parameters are one."""

    database: str
    schema: str
    name: str

    def __str__(self) -> str:
        return f"{self.database}.{self.schema}.{self.name}"


@dataclass(frozen=True, slots=True)
class Call:
    """CALL of a stored procedure: the log tells what it ran beside it."""

    procedure: StoredProcedure


Effect: TypeAlias = (
    Rename
    | RenameSchema
    | Drop
    | DropSchema
    | ChangeColumns
    | Truncate
    | SetSearchPath
    | UseDatabase
    | TransactionMark
    | CreateExternalSchema
    | Prepare
    | Call
)
"""What a statement does to the statements that follow it, other than moving data."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One analysed statement of a text.

    `output` is the dataset written or defined; `temporary` says it is a temporary table. `schema` is what the
    statement teaches about its output's columns (a CTAS, a view, a CREATE TABLE), None where that is unknown.
    `replaces` is true where the output starts anew (CREATE, CREATE OR REPLACE), so that earlier upstreams are void.
    `body` holds the statements of a procedure, or what a PREPARE would run: what can run, not what ran.
    `location` is where the statement puts the data of the table that it makes, where it says so itself.
    `text` is the statement's own text within the record. `fingerprint` is the text's, where it is at hand.
    """

    index: int
    kind: StatementKind
    text: str
    outcome: Outcome
    output: StatementTable | None = None
    temporary: bool = False
    schema: tuple[Column, ...] | None = None
    replaces: bool = False
    effects: tuple[Effect, ...] = ()
    body: tuple[Statement, ...] = ()
    location: S3Location | None = None
    fingerprint: str | None = field(default=None, compare=False)


# ---- by dataset -----------------------------------------------------------------------------------------------------

EdgeOrigin: TypeAlias = Literal["query", "view", "storage", "link", "external_schema", "manual"]
"""Why an edge is there: a statement ran; a view is defined so; a table lies at a location; a resource link; a mount;
somebody wrote it down.
"""


@dataclass(frozen=True, slots=True)
class ColumnEdge:
    """`downstream_column` is made from `upstream_column` of `upstream`. Paths are dotted, spelled as in the catalog."""

    upstream: Dataset
    upstream_column: str
    downstream_column: str
    subtype: Subtype
    expression: str | None
    confidence: float
    query: str | None = None
    """Fingerprint id of the `Query` that made it; None for views, storage and links."""


@dataclass(frozen=True, slots=True)
class DatasetEdge:
    """`query` is the newest query that made the edge; `last_seen` when it last ran, UTC."""

    upstream: Dataset
    origin: EdgeOrigin
    query: str | None = None
    last_seen: datetime | None = None
    actor: str | None = None


@dataclass(frozen=True, slots=True)
class DatasetLineage:
    """Everything that is known to feed one dataset. Sorted, without duplicates."""

    downstream: Dataset
    edges: tuple[DatasetEdge, ...]
    columns: tuple[ColumnEdge, ...]


@dataclass(frozen=True, slots=True)
class ProcedureLineage:
    """What the runs of a stored procedure did. `reads` are the datasets that its statements read, and those that fill
    the temporary and other tables that are gone; `writes` has what it put into each dataset that is there. Sorted."""

    procedure: StoredProcedure
    warehouse: str | None
    reads: tuple[Dataset, ...]
    writes: tuple[DatasetLineage, ...]


@dataclass(frozen=True, slots=True)
class RanStatement:
    """One statement that is known to have run, by the datasets that it names itself: temporary tables are left out.

    `query` is the id of its `Query`, `actor` who ran it, as the log gives it. Times are UTC; `ended_at` may be unknown.
    """

    query: str
    kind: StatementKind
    text: str
    dialect: Dialect
    started_at: datetime
    ended_at: datetime | None
    actor: str | None
    reads: frozenset[Dataset]
    columns: frozenset[tuple[Dataset, str]]
    writes: tuple[Dataset, ...]
    warehouse: str | None = None


@dataclass(frozen=True, slots=True)
class Query:
    """A distinct statement (literals aside) that ran, for DataHub's Query entity.

    `subjects` are the datasets that it reads and writes. `text` is one of the texts that ran, whole.
    `procedures` are the stored procedures that it ran in, by name.
    `bytes_scanned` and `milliseconds` add up over all runs whose log tells them; None where none does.
    """

    query_id: str
    text: str
    dialect: Dialect
    subjects: tuple[Dataset, ...]
    first_seen: datetime
    last_seen: datetime
    actor: str | None = None
    runs: int = 1
    column_subjects: tuple[tuple[Dataset, str], ...] = field(default=())
    bytes_scanned: int | None = None
    milliseconds: int | None = None
    work_group: str | None = None
    invoked_by: str | None = None
    origin: QueryOrigin | None = None
    procedures: tuple[str, ...] = ()
