"""Query entities: the distinct statements behind the lineage, what they read and wrote, and who ran them last."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Literal, TypeAlias

from datahub.emitter.mce_builder import make_ts_millis
from datahub.emitter.mcp import MetadataChangeProposalWrapper
from datahub.metadata.schema_classes import (
    AuditStampClass,
    DataPlatformInstanceClass,
    QueryLanguageClass,
    QueryPropertiesClass,
    QuerySourceClass,
    QueryStatementClass,
    QuerySubjectClass,
    QuerySubjectsClass,
)

from datahub_aws_lineage.emit.schema_index import SchemaIndex
from datahub_aws_lineage.emit.urns import dataset_urn, field_urn, platform_urn, query_urn
from datahub_aws_lineage.emit.users import Users
from datahub_aws_lineage.model.lineage import Query
from datahub_aws_lineage.model.names import Dataset, Dialect
from datahub_aws_lineage.model.ports import Diagnostics
from datahub_aws_lineage.model.queries import NamedQuery

QueryText: TypeAlias = Literal["full", "masked", "none"]
"""What is told of the SQL text. `none`: no Query entities, no references to them and no expressions on edges."""

Mask: TypeAlias = Callable[[str, Dialect], str]
"""Replaces the literals of an SQL text, or of an expression, by `?`."""

TOOLS = frozenset({"dbt", "hex", "looker", "metabase", "mode", "quicksight", "redash", "sigma"})
"""Tools that have a platform of their name in DataHub."""

MAX_STATEMENT_BYTES = 4 * 1024 * 1024
"""Bytes of a statement in JSON. DataHub cuts the whole aspect at 5 MiB, which is what its Kafka producer takes."""


class QueryBuilder:
    """Builds Query entities as DataHub's own SQL aggregator does: text, subjects, and the platform it ran on."""

    def __init__(
        self,
        *,
        env: str,
        schemas: SchemaIndex,
        diagnostics: Diagnostics,
        query_text: QueryText,
        mask: Mask,
        users: Users | None = None,
    ) -> None:
        self._env = env
        self._users = users or Users()
        self._schemas = schemas
        self._diagnostics = diagnostics
        self._query_text = query_text
        self._mask = mask

    def proposals(self, query: Query) -> Iterator[MetadataChangeProposalWrapper]:
        """Nothing with `query_text: none`: an entity without its statement would only say that it hides one."""
        if self._query_text == "none":
            return
        yield from MetadataChangeProposalWrapper.construct_many(
            entityUrn=query_urn(query.query_id),
            aspects=[
                self._properties(query),
                QuerySubjectsClass(subjects=[QuerySubjectClass(entity=urn) for urn in self._subjects(query)]),
                DataPlatformInstanceClass(platform=platform_urn(query.dialect)),
            ],
        )

    def named_query_proposals(
        self, query: NamedQuery, subjects: Sequence[Dataset], at: datetime
    ) -> Iterator[MetadataChangeProposalWrapper]:
        """A query that somebody saved, under its own id. Athena does not say by whom, or when: `at` stands there."""
        if self._query_text == "none":
            return
        text = self._mask(query.text, "athena") if self._query_text == "masked" else query.text
        stamp = audit_stamp(at, self._users.urn(None))
        yield from MetadataChangeProposalWrapper.construct_many(
            entityUrn=query_urn(f"athena-named-query-{query.query_id}"),
            aspects=[
                QueryPropertiesClass(
                    statement=QueryStatementClass(
                        value=cut_statement(text, MAX_STATEMENT_BYTES), language=QueryLanguageClass.SQL
                    ),
                    source=QuerySourceClass.MANUAL,
                    name=query.name,
                    description=query.description,
                    created=stamp,
                    lastModified=stamp,
                    customProperties={"work_group": query.work_group},
                ),
                QuerySubjectsClass(
                    subjects=[QuerySubjectClass(entity=dataset_urn(dataset, self._env)) for dataset in subjects]
                ),
                DataPlatformInstanceClass(platform=platform_urn("athena")),
            ],
        )

    def _properties(self, query: Query) -> QueryPropertiesClass:
        user = self._users.urn(query.actor)
        return QueryPropertiesClass(
            statement=QueryStatementClass(value=self._statement(query), language=QueryLanguageClass.SQL),
            source=QuerySourceClass.SYSTEM,
            created=audit_stamp(query.first_seen, user),
            lastModified=audit_stamp(query.last_seen, user),
            customProperties=dict(_custom_properties(query)),
            origin=_origin(query),
        )

    def _statement(self, query: Query) -> str:
        text = self._mask(query.text, query.dialect) if self._query_text == "masked" else query.text
        cut = cut_statement(text, MAX_STATEMENT_BYTES)
        if cut != text:
            self._diagnostics.truncated("query text", f"{query.query_id}: {len(text)} characters")
        return cut

    def _subjects(self, query: Query) -> Iterator[str]:
        """Each dataset, followed by those of its columns that the query touches, as the aggregator lists them."""
        columns: dict[str, dict[str, None]] = {dataset_urn(dataset, self._env): {} for dataset in query.subjects}
        for dataset, path in query.column_subjects:
            field_path = self._schemas.field_path(dataset, path)
            if field_path is not None:
                urn = dataset_urn(dataset, self._env)
                columns.setdefault(urn, {})[field_urn(urn, field_path)] = None
        for urn, fields in columns.items():
            yield urn
            yield from fields


def audit_stamp(moment: datetime, user: str) -> AuditStampClass:
    return AuditStampClass(time=make_ts_millis(moment), actor=user)


def _origin(query: Query) -> str | None:
    """Only a tool that DataHub knows as a platform: a name alone would be shown as a broken link."""
    tool = query.origin.tool if query.origin is not None else None
    return platform_urn(tool) if tool in TOOLS else None


def _custom_properties(query: Query) -> Iterator[tuple[str, str]]:
    """Sums over all runs, and where and through which service the query ran last."""
    yield "runs", str(query.runs)
    if query.bytes_scanned is not None:
        yield "data_scanned_in_bytes", str(query.bytes_scanned)
    if query.milliseconds is not None:
        yield "execution_time_in_millis", str(query.milliseconds)
    if query.work_group is not None:
        yield "work_group", query.work_group
    if query.procedures:
        yield "stored_procedures", ", ".join(query.procedures)
    if query.invoked_by is not None:
        yield "invoked_by", query.invoked_by
    if query.origin is not None:
        yield "tool", query.origin.tool
        yield from query.origin.details.items()


def cut_statement(text: str, limit: int) -> str:
    """`text`, or what of it fits into `limit` bytes of JSON together with a marker that says how much is missing."""
    if len(json.dumps(text)) <= limit:
        return text
    marker = "\n-- … cut: {kept} of {total} characters"
    room = limit - len(json.dumps(marker.format(kept=len(text), total=len(text))))
    kept = _fitting(text, room)
    return text[:kept] + marker.format(kept=kept, total=len(text))


def _fitting(text: str, limit: int) -> int:
    """How many leading characters fit into `limit` bytes of JSON, by bisection: their escapes vary in size."""
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if len(json.dumps(text[:middle])) <= limit:
            low = middle
        else:
            high = middle - 1
    return low
