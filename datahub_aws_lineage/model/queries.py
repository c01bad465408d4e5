"""What ran: one record a statement text of a query history."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from datahub_aws_lineage.model.names import Dialect
from datahub_aws_lineage.model.origins import QueryOrigin


@dataclass(frozen=True, slots=True)
class SqlContext:
    """The names under which SQL is read.

    Athena: `default_catalog` and `default_database` of the query execution context.
    Redshift: `default_catalog` is the connected database, `search_path` the schemas in order.
    `default_database` is the first place of an unqualified name in both.
    `first_search_path` and `first_catalog` are what RESET goes back to, where SET or USE have changed them since.
    """

    dialect: Dialect
    default_catalog: str
    default_database: str
    search_path: tuple[str, ...] = ()
    first_search_path: tuple[str, ...] = ()
    first_catalog: str = ""


@dataclass(frozen=True, slots=True)
class TimeWindow:
    """A half-open window in UTC: `start <= t < end`; both aware."""

    start: datetime
    end: datetime

    def __contains__(self, moment: object) -> bool:
        return isinstance(moment, datetime) and self.start <= moment < self.end


@dataclass(frozen=True, slots=True)
class QueryRecord:
    """One executed statement text (it may hold several statements).

    `source` names where it was read (`athena-api`, `cloudtrail`, `redshift-data-api`, `redshift-audit-log`, …).
    `session` groups what shares temporary tables and `search_path`; None where every record stands alone (Athena).
    `succeeded` is None where the log cannot say (the audit log records statements before they run).
    `actor` is a user name or ARN as the log gives it, `invoked_by` the AWS service that acted for it (QuickSight).
    `origin` is the tool that wrote the text. Times are aware, UTC. `truncated` marks text known to be cut. An empty
    text is hidden by the log.
    """

    query_id: str
    text: str
    context: SqlContext
    started_at: datetime
    source: str
    ended_at: datetime | None = None
    actor: str | None = None
    session: str | None = None
    transaction: str | None = None
    succeeded: bool | None = True
    truncated: bool = False
    work_group: str | None = None
    statistics: Mapping[str, str] = field(default_factory=dict)
    invoked_by: str | None = None
    origin: QueryOrigin | None = None

    @property
    def person(self) -> str | None:
        """Who wanted it: the person that a tool names, else whoever ran it."""
        return (self.origin.user if self.origin else None) or self.actor

    @property
    def bytes_scanned(self) -> int | None:
        """As Athena measures it: what is paid for."""
        scanned = self.statistics.get("DataScannedInBytes", "")
        return int(scanned) if scanned.isdigit() else None

    @property
    def result_location(self) -> str | None:
        """Where Athena puts the result of a SELECT, a file of its own."""
        return self.statistics.get("OutputLocation")

    @property
    def milliseconds(self) -> int | None:
        """From submission to the end, as Athena measures it, else as the times of the log say."""
        total = self.statistics.get("TotalExecutionTimeInMillis", "")
        if total.isdigit():
            return int(total)
        return round((self.ended_at - self.started_at).total_seconds() * 1000) if self.ended_at else None


@dataclass(frozen=True, slots=True)
class PreparedStatement:
    """A statement that an Athena work group keeps for EXECUTE, as it was last changed at `modified_at` (UTC)."""

    work_group: str
    name: str
    text: str
    modified_at: datetime


@dataclass(frozen=True, slots=True)
class NamedQuery:
    """A query that somebody saved in an Athena work group; it says nothing of whether it ever ran."""

    query_id: str
    name: str
    text: str
    context: SqlContext
    work_group: str
    description: str | None = None


def well_formed(text: str) -> str:
    """Half of a surrogate pair, in which a text that was cut can end, becomes U+FFFD: it could not be written.

    >>> well_formed("SELECT '" + chr(0xD83D)) == "SELECT '" + chr(0xFFFD)
    True
    """
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
