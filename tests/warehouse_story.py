"""A warehouse, the statements that ran on it, and the lineage of columns that comes of it: from SQL to edges."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta, timezone

from datahub_aws_lineage.lineage import CatalogIndex, History, Resolver
from datahub_aws_lineage.lineage.manifests import Files
from datahub_aws_lineage.model.catalog import Column, Table
from datahub_aws_lineage.model.names import Dataset, TableName
from datahub_aws_lineage.model.queries import QueryRecord, SqlContext
from datahub_aws_lineage.report import AwsLineageReport
from datahub_aws_lineage.sql import Repeats, fingerprint

NOON = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)


class Warehouse:
    """`tables` are those of its catalog, read to its end: `{"dev.public.sales": "id amount"}`."""

    def __init__(self, tables: Mapping[str, str], manifests: Files | None = None) -> None:
        self.report = AwsLineageReport()
        index = CatalogIndex()
        self.history = History(
            Resolver(index),
            self.report.diagnostics,
            fingerprint,
            procedures_of=(None,),
            manifests={None: manifests} if manifests else None,
        )
        for name, columns in tables.items():
            table = TableName(*name.split("."))
            self.history.add_table(Table("redshift", table, tuple(Column(one, "integer") for one in columns.split())))
        index.mark_complete("dev")
        self._repeats = Repeats()
        self._last = QueryRecord("0", "", SqlContext("redshift", "dev", "public", ("$user", "public")), NOON, "test")

    def run(
        self,
        *texts: str,
        session: str = "s",
        transaction: str | None = None,
        succeeded: bool | None = True,
        seconds: float | None = 1,
    ) -> Warehouse:
        """Each text takes `seconds`, and one begins when the one before has begun a second ago."""
        for text in texts:
            started_at = self._last.started_at + timedelta(seconds=1)
            self._last = replace(
                self._last,
                query_id=str(int(self._last.query_id) + 1),
                text="" if succeeded is False else text,
                started_at=started_at,
                ended_at=started_at + timedelta(seconds=seconds) if seconds is not None else None,
                session=session,
                transaction=transaction,
                succeeded=succeeded,
            )
            self.apply(self._last)
        return self

    def apply(self, record: QueryRecord) -> None:
        session = self.history.session(record)
        texts = self._repeats.analyze(record.text, session.context, session, session.prepared) if record.text else ()
        self.history.apply(record, texts)

    @property
    def edges(self) -> set[str]:
        """`public.a:x -> public.b:y`."""
        return {
            f"{short(edge.upstream)}:{edge.upstream_column} -> {short(lineage.downstream)}:{edge.downstream_column}"
            for lineage in self.history.lineages()
            for edge in lineage.columns
        }

    @property
    def confidences(self) -> set[float]:
        return {edge.confidence for lineage in self.history.lineages() for edge in lineage.columns}


def short(dataset: Dataset) -> str:
    return dataset.name.removeprefix("dev.")
