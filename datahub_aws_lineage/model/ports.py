"""What a stage asks of its surroundings, as protocols."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, Protocol, TypeAlias

from datahub_aws_lineage.model.catalog import Column, Database, ExternalSchema, Table
from datahub_aws_lineage.model.names import StatementTable
from datahub_aws_lineage.model.queries import QueryRecord

SkipReason: TypeAlias = Literal[
    "filtered",  # by a pattern of the recipe
    "failed_statement",  # ran and failed, or was cancelled
    "rolled_back",
    "outside_window",
    "denied",  # an optional part, refused by IAM; the permission is in the detail
    "malformed",  # a record that is not in the documented form
    "hidden",  # the log does not show the text
    "gone",  # not there any more
    "unsupported",
    "no_target",  # a temporary table that never reached a real one
    "unknown_dataset",  # a name that no catalog knows
]


class Schemas(Protocol):
    """Known schemas, by the name that SQL uses. None: the table is not known; empty: known to have no columns."""

    def columns(self, table: StatementTable) -> tuple[Column, ...] | None: ...


class Diagnostics(Protocol):
    """Where the stages say what they saw, skipped and could not do. Satisfied by the end-of-run report.

    Rule: only a true denial of an optional part is a `warning`; every other failed listing is a `failure`, so that
    removal of stale entities never deletes what was merely not listed.
    """

    def seen(self, what: str, count: int = 1) -> None:
        """Counts `what`: a plural noun such as `glue tables`, `athena statements`."""

    def skipped(self, reason: SkipReason, what: str, detail: str) -> None:
        """One thing (`what`: its kind, such as `athena query`) that was left out; `detail` names it."""

    def unresolved(self, reason: str, detail: str) -> None:
        """A statement or name that was not understood; `reason` is an UnresolvedReason or GapKind."""

    def truncated(self, what: str, detail: str) -> None:
        """Something was cut by the service: text, a result, a window older than the service keeps."""

    def warning(self, title: str, detail: str) -> None: ...

    def failure(self, title: str, detail: str) -> None: ...


class CatalogReader(Protocol):
    def read_databases(self) -> Iterator[Database]: ...

    def read_tables(self) -> Iterator[Table]: ...


class ExternalSchemaReader(Protocol):
    def read_external_schemas(self) -> Iterator[ExternalSchema]: ...


class HistoryReader(Protocol):
    """Records in the order the source gives them; the lineage stage orders them by time."""

    def read_queries(self) -> Iterator[QueryRecord]: ...
