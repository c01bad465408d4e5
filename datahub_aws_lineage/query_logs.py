"""All query histories of a recipe as one log: each query once, what counts, without secrets, in time order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from itertools import groupby

from datahub_aws_lineage.athena_readers import may_execute
from datahub_aws_lineage.chronology import Logged, each_once, in_time_order
from datahub_aws_lineage.config import AwsLineageConfig
from datahub_aws_lineage.model.ports import Diagnostics, SkipReason
from datahub_aws_lineage.model.queries import QueryRecord, well_formed
from datahub_aws_lineage.model.secrets import mask_text
from datahub_aws_lineage.readers import History, Readers
from datahub_aws_lineage.sql.origins import origin_of


class QueryLogs:
    """Reads every history to its end before it gives the first record.

    `part` is the context of one history: what ends it there is reported, and the others go on.
    """

    def __init__(
        self,
        config: AwsLineageConfig,
        readers: Sequence[Readers],
        diagnostics: Diagnostics,
        part: Callable[[str], AbstractContextManager[None]],
    ) -> None:
        self._config = config
        self._readers = readers
        self._diagnostics = diagnostics
        self._part = part
        self._executing: dict[str | None, dict[str, None]] = {}

    @property
    def executing_work_groups(self) -> dict[str | None, list[str]]:
        """By site, work groups of Athena with a statement that may be an EXECUTE; known once a record was given."""
        return {site: list(work_groups) for site, work_groups in self._executing.items()}

    def read(self) -> Iterator[Logged]:
        return in_time_order(self._logged())

    def _logged(self) -> Iterator[Logged]:
        for readers in self._readers:
            yield from self._logged_at(readers)

    def _logged_at(self, readers: Readers) -> Iterator[Logged]:
        for (joint, warehouse), histories in groupby(readers.histories(), lambda one: (one.joint, one.warehouse)):
            records = self._records(histories, readers.site)
            for record in each_once(records) if joint else records:
                if self._counts(record, readers):
                    if may_execute(record):
                        self._executing.setdefault(readers.site, {})[str(record.work_group)] = None
                    text = mask_text(well_formed(record.text))
                    yield Logged(replace(record, text=text, origin=origin_of(text)), warehouse)

    def _records(self, histories: Iterable[History], site: str | None) -> Iterator[QueryRecord]:
        for history in histories:
            with self._part(history.label if site is None else f"{site}: {history.label}"):
                yield from history.open().read_queries()

    def _counts(self, record: QueryRecord, readers: Readers) -> bool:
        if not record.text and record.session is None:
            if record.succeeded is not False:
                reason: SkipReason = "outside_window" if readers.athena.was_read_before(record) else "hidden"
                self._diagnostics.skipped(reason, f"{record.context.dialect} query", record.query_id)
            return False
        users, texts = self._config.user_pattern, self._config.query_pattern
        allowed = (record.actor is None or users.allowed(record.actor)) and texts.allowed(record.text)
        if not allowed:
            self._diagnostics.skipped("filtered", f"{record.context.dialect} query", record.query_id)
        return allowed
