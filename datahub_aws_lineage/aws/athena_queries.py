"""A query on Athena, started, waited for and read: rows as mappings from column to text.

Sources: Amazon Athena API Reference, StartQueryExecution, GetQueryExecution and GetQueryResults (1,000 rows a page; the
first row of a SELECT's first page holds the names of its columns).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any, TypeAlias

from datahub_aws_lineage.aws.calls import call, paginate
from datahub_aws_lineage.aws.clients import Clients
from datahub_aws_lineage.errors import AwsLineageError, MalformedError, RetriableError, SkippableError

PERMISSIONS: tuple[str, ...] = (
    "athena:StartQueryExecution",
    "athena:GetQueryExecution",
    "athena:GetQueryResults",
    "athena:StopQueryExecution",
)

Row: TypeAlias = Mapping[str, str | None]

_PAGE = 1000
_ENDED = frozenset({"SUCCEEDED", "FAILED", "CANCELLED"})


class AthenaQueries:
    """Runs one query at a time in `work_group`, whose result goes to `output_location` or where the work group says.

    Seconds: the first wait between two looks is `poll_seconds`, each next one half as long again up to
    `longest_poll_seconds`; after `timeout_seconds` of waiting the query is stopped.
    """

    def __init__(
        self,
        clients: Clients,
        work_group: str,
        output_location: str | None = None,
        *,
        poll_seconds: float = 0.5,
        longest_poll_seconds: float = 10,
        timeout_seconds: float = 1800,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = clients.client("athena")
        self._work_group = work_group
        self._output_location = output_location
        self._polls = poll_seconds, longest_poll_seconds, timeout_seconds
        self._sleep = sleep

    def rows(self, text: str) -> Iterator[Row]:
        """Runs a SELECT and yields its rows as they are read.

        Raises what `call` raises, SkippableError where the query fails, and RetriableError where it takes too long.
        """
        query_id = self._start(text)
        try:
            self._wait(query_id)
        except (RetriableError, KeyboardInterrupt):
            with suppress(AwsLineageError):
                call(self._client, "StopQueryExecution", QueryExecutionId=query_id)
            raise
        yield from self._results(query_id)

    def _start(self, text: str) -> str:
        where: dict[str, Any] = {"WorkGroup": self._work_group}
        if self._output_location is not None:
            where["ResultConfiguration"] = {"OutputLocation": self._output_location}
        return str(call(self._client, "StartQueryExecution", QueryString=text, **where)["QueryExecutionId"])

    def _wait(self, query_id: str) -> None:
        pause, longest, left = self._polls
        while True:
            status = call(self._client, "GetQueryExecution", QueryExecutionId=query_id)["QueryExecution"]["Status"]
            state = status.get("State")
            if state == "SUCCEEDED":
                return
            if state in _ENDED:
                raise SkippableError(f"Athena query {query_id} {state}: {status.get('StateChangeReason')}")
            if left <= 0:
                raise RetriableError(f"Athena query {query_id} was still {state} after {self._polls[2]:.0f} seconds")
            self._sleep(min(pause, left))
            left -= pause
            pause = min(pause * 1.5, longest)

    def _results(self, query_id: str) -> Iterator[Row]:
        names: list[str] | None = None
        for page in paginate(self._client, "GetQueryResults", QueryExecutionId=query_id, MaxResults=_PAGE):
            for row in page.get("ResultSet", {}).get("Rows", []):
                values = [datum.get("VarCharValue") for datum in row.get("Data", [])]
                if names is None:
                    names = [str(value) for value in values]
                elif len(values) == len(names):
                    yield dict(zip(names, values, strict=True))
                else:
                    raise MalformedError(f"Athena query {query_id}: a row of {len(values)} values, not {len(names)}")
