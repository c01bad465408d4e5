"""Statements that ran on a Redshift warehouse, from its system tables as it publishes them to S3 Tables.

Source: Amazon Redshift Management Guide, publishing of system tables to Amazon S3 Tables, which is opt-in and keeps
more than the warehouse's seven days: SYS_QUERY_HISTORY and its sisters in the catalog `s3tablescatalog/aws-redshift`,
one database a warehouse. They are read by queries on Athena; no login to the warehouse is needed.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone

from datahub_aws_lineage.aws.athena_queries import AthenaQueries
from datahub_aws_lineage.aws.athena_system_table import PERMISSIONS as TABLE_PERMISSIONS
from datahub_aws_lineage.aws.own_statements import OWN_STATEMENT_MARK
from datahub_aws_lineage.aws.redshift_rows import HistoryRows
from datahub_aws_lineage.errors import AccessDeniedError, RetriableError, SkippableError
from datahub_aws_lineage.model.ports import Diagnostics
from datahub_aws_lineage.model.queries import QueryRecord, TimeWindow

PERMISSIONS: tuple[str, ...] = TABLE_PERMISSIONS
SOURCE = "redshift-s3-tables"
CATALOG = "s3tablescatalog/aws-redshift"

_LONGEST_TRANSACTION = timedelta(days=1)
"""A transaction can begin before the window in which its statements run."""


def history_text(namespace: str, window: TimeWindow, limit: int | None = None) -> str:
    """Athena's query for the statements that began in `window`, one row for each 4,000 characters of text."""
    return (
        f"{OWN_STATEMENT_MARK}\n"
        "SELECT q.query_id, q.session_id, q.transaction_id, q.user_id, TRIM(q.database_name) AS database_name,\n"
        "  TRIM(q.query_type) AS query_type, TRIM(q.status) AS status, CAST(q.start_time AS varchar) AS start_time,\n"
        "  CAST(q.end_time AS varchar) AS end_time, t.sequence, t.text\n"
        f"FROM {_table(namespace, 'sys_query_history')} AS q\n"
        f"LEFT JOIN {_table(namespace, 'sys_query_text')} AS t\n"
        "  ON t.query_id = q.query_id AND TRIM(q.status) = 'success'\n"
        f"WHERE q.user_id > 1 AND {_within('q.start_time', window)}\n"
        "ORDER BY q.start_time, q.query_id, t.sequence" + (f"\nLIMIT {limit}" if limit else "")
    )


def rolled_back_text(namespace: str, window: TimeWindow) -> str:
    """Athena's query for the transactions that came to nothing."""
    longer = TimeWindow(window.start - _LONGEST_TRANSACTION, window.end)
    return (
        f"{OWN_STATEMENT_MARK}\nSELECT transaction_id FROM {_table(namespace, 'sys_transaction_history')}\n"
        f"WHERE TRIM(status) = 'rolledback' AND {_within('transaction_start_time', longer)}"
    )


class PublishedHistoryReader:
    """Reads the statements on `databases` that began within `window`, in time order, from the tables of `namespace`.

    Names of users are not among what is published: `actor` is None. A failed statement comes without its text.
    """

    def __init__(
        self,
        queries: AthenaQueries,
        diagnostics: Diagnostics,
        window: TimeWindow,
        databases: tuple[str, ...],
        namespace: str,
    ) -> None:
        self._queries = queries
        self._diagnostics = diagnostics
        self._window = window
        self._namespace = namespace
        self._rows = HistoryRows(diagnostics, databases, SOURCE)

    def read_queries(self) -> Iterator[QueryRecord]:
        """Yields one record a statement. What cannot be read is reported and left out; only FatalError is raised."""
        rolled_back = self._rolled_back()
        try:
            rows = self._queries.rows(history_text(self._namespace, self._window))
            yield from self._rows.records(rows, rolled_back)
        except AccessDeniedError as e:
            self._diagnostics.warning("Redshift's published history is denied", f"needs {e.permission}: {e}")
        except (SkippableError, RetriableError) as e:
            self._diagnostics.failure("Redshift's published history cannot be read to its end", str(e))

    def _rolled_back(self) -> frozenset[str]:
        try:
            rows = list(self._queries.rows(rolled_back_text(self._namespace, self._window)))
        except (SkippableError, RetriableError) as e:
            self._diagnostics.warning(
                "Redshift's published transactions cannot be read",
                f"roll-backs are known by their ROLLBACK statements alone: {e}",
            )
            return frozenset()
        return frozenset(str(row["transaction_id"]) for row in rows)


def _table(namespace: str, name: str) -> str:
    quoted = namespace.replace('"', '""')
    return f'"{CATALOG}"."{quoted}"."{name}"'


def _within(column: str, window: TimeWindow) -> str:
    return f"{column} >= {_moment(window.start)} AND {column} < {_moment(window.end)}"


def _moment(moment: datetime) -> str:
    return f"TIMESTAMP '{moment.astimezone(timezone.utc):%Y-%m-%d %H:%M:%S.%f}'"


def probe(queries: AthenaQueries, namespace: str, window: TimeWindow) -> None:
    """Asks for one row. Raises what `AthenaQueries.rows` raises."""
    for _ in queries.rows(history_text(namespace, window, limit=1)):
        pass
