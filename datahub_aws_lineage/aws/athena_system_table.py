"""Athena's history from its own system table, which is opt-in, keeps more than 45 days and knows who ran what.

Source: Amazon Athena User Guide, "query_executions": one row for each query that has ended, across all work groups of
an account and region, partitioned by the day of `submission_date_time` and by `work_group_name`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

from datahub_aws_lineage.aws.athena_queries import PERMISSIONS as QUERY_PERMISSIONS
from datahub_aws_lineage.aws.athena_queries import AthenaQueries, Row
from datahub_aws_lineage.aws.athena_records import AthenaRecords
from datahub_aws_lineage.aws.athena_rows import execution_of_row
from datahub_aws_lineage.aws.own_statements import OWN_STATEMENT_MARK
from datahub_aws_lineage.errors import AccessDeniedError, MalformedError, RetriableError, SkippableError
from datahub_aws_lineage.model.ports import Diagnostics
from datahub_aws_lineage.model.queries import QueryRecord, TimeWindow

PERMISSIONS: tuple[str, ...] = (
    *QUERY_PERMISSIONS,
    "glue:GetCatalog",
    "glue:GetDatabase",
    "glue:GetTable",
    "s3tables:GetTableData",
    "s3tables:GetTableMetadataLocation",
    "s3:GetBucketLocation",
    "s3:GetObject",
    "s3:PutObject",
)
"""The query itself, the table that it reads (S3 Tables integration with the Data Catalog), and its result in S3."""

TABLE = '"s3tablescatalog/aws-athena"."metadata"."query_executions"'


def history_text(window: TimeWindow, limit: int | None = None) -> str:
    """The query. All columns are asked for: a name that a region's table lacks would be an error.

    >>> print(history_text(TimeWindow(datetime(2026, 3, 1), datetime(2026, 3, 2))))
    /* datahub-aws-lineage */
    SELECT * FROM "s3tablescatalog/aws-athena"."metadata"."query_executions"
    WHERE submission_date_time >= TIMESTAMP '2026-03-01 00:00:00.000 UTC'
      AND submission_date_time < TIMESTAMP '2026-03-02 00:00:00.000 UTC'
    """
    return (
        f"{OWN_STATEMENT_MARK}\nSELECT * FROM {TABLE}\n"
        f"WHERE submission_date_time >= TIMESTAMP '{_literal(window.start)}'\n"
        f"  AND submission_date_time < TIMESTAMP '{_literal(window.end)}'" + (f"\nLIMIT {limit}" if limit else "")
    )


class SystemTableHistoryReader:
    """Reads the rows of all work groups that are allowed. Who ran a query is the record's actor, as an ARN."""

    def __init__(
        self,
        queries: AthenaQueries,
        diagnostics: Diagnostics,
        window: TimeWindow,
        *,
        work_group_allowed: Callable[[str], bool] = lambda _: True,
        with_failed: bool = False,
    ) -> None:
        self._queries = queries
        self._diagnostics = diagnostics
        self._window = window
        self._records = AthenaRecords(
            diagnostics,
            window,
            "athena-system-table",
            work_group_allowed=work_group_allowed,
            with_failed=with_failed,
        )

    def read_queries(self) -> Iterator[QueryRecord]:
        """Yields the records in no order. Raises FatalError alone."""
        try:
            for row in self._queries.rows(history_text(self._window)):
                record = self._record(row)
                if record is not None:
                    yield record
        except AccessDeniedError as e:
            self._diagnostics.warning("Athena's system table is refused", f"needs {e.permission}: {e}")
        except (SkippableError, RetriableError) as e:
            self._diagnostics.failure("Athena's system table could not be read to its end", str(e))

    def _record(self, row: Row) -> QueryRecord | None:
        try:
            execution, principal = execution_of_row(row)
        except MalformedError as e:
            self._diagnostics.skipped("malformed", "athena query", f"{row.get('query_execution_id')}: {e}")
            return None
        return self._records.record(execution, actor=principal)


def probe(queries: AthenaQueries, window: TimeWindow) -> None:
    """Asks for one row. Raises what `AthenaQueries.rows` raises."""
    for _ in queries.rows(history_text(window, limit=1)):
        pass


def _literal(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}.{moment.microsecond // 1000:03d} UTC"
