"""Statements that Athena's work groups keep: prepared ones, which EXECUTE runs, and named ones, which people saved."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone
from typing import Any

from datahub_aws_lineage.aws.calls import call, paginate
from datahub_aws_lineage.aws.clients import Clients
from datahub_aws_lineage.errors import AccessDeniedError, NotFoundError, RetriableError, SkippableError
from datahub_aws_lineage.model.names import DATA_CATALOG
from datahub_aws_lineage.model.ports import Diagnostics
from datahub_aws_lineage.model.queries import NamedQuery, PreparedStatement, SqlContext

PREPARED_PERMISSIONS: tuple[str, ...] = ("athena:ListPreparedStatements", "athena:GetPreparedStatement")
NAMED_PERMISSIONS: tuple[str, ...] = ("athena:ListWorkGroups", "athena:ListNamedQueries", "athena:BatchGetNamedQuery")

_PAGE = 50
"""The most names or ids that a call gives or takes (Amazon Athena API Reference)."""


class SavedStatementReader:
    """Reads what work groups keep. A refused one is a warning, any other failure is a failure; the others go on."""

    def __init__(
        self,
        clients: Clients,
        diagnostics: Diagnostics,
        *,
        work_group_allowed: Callable[[str], bool] = lambda _: True,
    ) -> None:
        self._client = clients.client("athena")
        self._diagnostics = diagnostics
        self._work_group_allowed = work_group_allowed

    def read_prepared(self, work_groups: Sequence[str]) -> Iterator[PreparedStatement]:
        """The prepared statements of some work groups. Raises FatalError alone."""
        for work_group in work_groups:
            with self._work_group("The prepared statements of an Athena work group", work_group):
                for page in paginate(self._client, "ListPreparedStatements", WorkGroup=work_group, MaxResults=_PAGE):
                    for summary in page.get("PreparedStatements", []):
                        yield from self._prepared(work_group, summary["StatementName"])

    def read_named(self) -> Iterator[NamedQuery]:
        """The named queries of every work group that is allowed. Raises FatalError alone."""
        for work_group in self._work_groups():
            with self._work_group("The named queries of an Athena work group", work_group):
                for page in paginate(self._client, "ListNamedQueries", WorkGroup=work_group, MaxResults=_PAGE):
                    yield from self._named(work_group, page.get("NamedQueryIds", []))

    def _prepared(self, work_group: str, name: str) -> Iterator[PreparedStatement]:
        try:
            response = call(self._client, "GetPreparedStatement", WorkGroup=work_group, StatementName=name)
        except NotFoundError:
            return  # dropped since it was listed
        found: Mapping[str, Any] = response.get("PreparedStatement", {})
        text, modified_at = found.get("QueryStatement"), found.get("LastModifiedTime")
        if not text or not isinstance(modified_at, datetime):
            self._diagnostics.skipped("malformed", "athena prepared statement", f"{work_group}: {name}")
            return
        self._diagnostics.seen("athena prepared statements")
        yield PreparedStatement(work_group, name, text, modified_at.astimezone(timezone.utc))

    def _work_groups(self) -> list[str]:
        with self._work_group("Athena's work groups", "all"):
            pages = paginate(self._client, "ListWorkGroups", MaxResults=_PAGE)
            names = [str(summary.get("Name")) for page in pages for summary in page.get("WorkGroups", [])]
            return [name for name in names if self._work_group_allowed(name)]
        return []

    def _named(self, work_group: str, ids: Sequence[str]) -> Iterator[NamedQuery]:
        if not ids:
            return
        response = call(self._client, "BatchGetNamedQuery", NamedQueryIds=list(ids))
        for row in response.get("UnprocessedNamedQueryIds", []):
            detail = f"{work_group}: {row.get('NamedQueryId')}: {row.get('ErrorCode')}: {row.get('ErrorMessage')}"
            self._diagnostics.skipped("malformed", "athena named query", detail)
        for found in response.get("NamedQueries", []):
            self._diagnostics.seen("athena named queries")
            yield NamedQuery(
                query_id=found.get("NamedQueryId", ""),
                name=found["Name"],
                text=found["QueryString"],
                context=SqlContext("athena", DATA_CATALOG, (found.get("Database") or "default").lower()),
                work_group=found.get("WorkGroup", work_group),
                description=found.get("Description") or None,
            )

    @contextmanager
    def _work_group(self, what: str, work_group: str) -> Iterator[None]:
        try:
            yield
        except NotFoundError as e:
            self._diagnostics.skipped("unknown_dataset", "athena work group", f"{work_group} is gone: {e}")
        except AccessDeniedError as e:
            self._diagnostics.warning(f"{what} are refused", f"{work_group}: needs {e.permission}: {e}")
        except (SkippableError, RetriableError) as e:
            self._diagnostics.failure(f"{what} could not be read", f"{work_group}: {e}")
