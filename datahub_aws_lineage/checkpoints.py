"""How far Athena's history has been read, kept by DataHub's stateful ingestion from run to run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timezone
from functools import partial

from datahub.configuration.time_window_config import get_time_bucket
from datahub.ingestion.api.committable import CommitPolicy
from datahub.ingestion.api.common import PipelineContext
from datahub.ingestion.api.ingestion_job_checkpointing_provider_base import JobId
from datahub.ingestion.source.state.checkpoint import Checkpoint, CheckpointStateBase
from datahub.ingestion.source.state.stateful_ingestion_base import StateProviderWrapper
from datahub.ingestion.source.state.use_case_handler import StatefulIngestionUsecaseHandlerBase
from pydantic import Field

from datahub_aws_lineage.aws.athena import Earlier
from datahub_aws_lineage.config import SOURCE_TYPE, AwsLineageConfig
from datahub_aws_lineage.model.queries import TimeWindow
from datahub_aws_lineage.version import __version__

_IRRELEVANT = {"start_time", "end_time", "aws_config", "report_file", "stateful_ingestion"}
"""Settings that change nothing in what was made of the statements that were read."""


class WorkGroupsState(CheckpointStateBase):
    """`read` has the first and the last moment that was read of each work group, in milliseconds since 1970.

    `settings` is a digest of the recipe and of this package's version: under others, the same statements may mean
    something else, and are read again.
    """

    settings: str = ""
    read: dict[str, tuple[int, int]] = Field(default_factory=dict)


class WorkGroupCheckpoints(StatefulIngestionUsecaseHandlerBase[WorkGroupsState]):
    """Gives what earlier runs have read, and takes what this one has.

    It asks for incremental lineage: a run that replaces lineage has to see all of it. And for stateful ingestion by the
    recipe's own word: DataHub switches that on for whoever sends to a server, and a run must not leave out statements
    for a reason that nobody wrote down.
    """

    def __init__(self, provider: StateProviderWrapper, config: AwsLineageConfig, context: PipelineContext) -> None:
        self._provider = provider
        self._config = config
        self._context = context
        asked = config.stateful_ingestion is not None and config.stateful_ingestion.enabled
        self._wanted = asked and config.incremental_lineage and config.athena.reads_api
        self._wanted = self._wanted and config.athena.enable_stateful_time_window
        provider.register_stateful_ingestion_usecase_handler(self)
        committable = provider.ingestion_checkpointing_state_provider
        if self.is_checkpointing_enabled() and committable is not None:
            # What a sink failed to write must be read again; DataHub's own policy is to commit all the same. This holds
            # for what the sink has told by then: `datahub-rest` tells some of it later (docs/sinks.md).
            committable.commit_policy = CommitPolicy.ON_NO_ERRORS

    @property
    def job_id(self) -> JobId:
        return JobId(f"{SOURCE_TYPE}_athena_work_groups")

    def is_checkpointing_enabled(self) -> bool:
        return self._wanted and self._provider.is_stateful_ingestion_configured()

    def create_checkpoint(self) -> Checkpoint[WorkGroupsState] | None:
        if not self.is_checkpointing_enabled() or self._context.pipeline_name is None:
            return None
        state = WorkGroupsState(settings=self._settings())
        return Checkpoint(self.job_id, self._context.pipeline_name, self._context.run_id, state)

    def earlier(self) -> Earlier:
        """What the last run that was without an error, and those before it, have read."""
        if not self.is_checkpointing_enabled():
            return Earlier()
        last = self._provider.get_last_checkpoint(self.job_id, WorkGroupsState)
        if last is None or last.state.settings != self._settings():
            return Earlier()
        buckets = self._config.athena.include_usage_statistics
        return Earlier(
            read={name: TimeWindow(_moment(start), _moment(end)) for name, (start, end) in last.state.read.items()},
            begin_of=partial(get_time_bucket, bucketing=self._config.bucket_duration) if buckets else lambda at: at,
            reaches_back=not self._config.window_is_given,
        )

    @staticmethod
    def of_site(earlier: Earlier, site: str | None) -> Earlier:
        """The part on the work groups of one site."""
        if site is None:
            return earlier
        prefix = _named(site, "")
        return replace(
            earlier,
            read={name.removeprefix(prefix): one for name, one in earlier.read.items() if name.startswith(prefix)},
        )

    def keep(self, read_at: Mapping[str | None, Mapping[str, TimeWindow]], earlier: Earlier, *, failed: bool) -> None:
        """Keeps what has been read, by site. After a run that failed, that is what was known before it."""
        if not self.is_checkpointing_enabled():
            return
        checkpoint = self._provider.get_current_checkpoint(self.job_id)
        if checkpoint is not None:
            read = {_named(site, name): one for site, groups in read_at.items() for name, one in groups.items()}
            windows = dict(earlier.read) if failed else {**earlier.read, **read}
            checkpoint.state.read = {
                name: (_millis(window.start), _millis(window.end)) for name, window in sorted(windows.items())
            }

    def _settings(self) -> str:
        settings = self._config.model_dump(mode="json", exclude=_IRRELEVANT)
        text = json.dumps([__version__, settings], sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:32]


def _named(site: str | None, work_group: str) -> str:
    """No work group has a slash in its name (Athena API reference, WorkGroup)."""
    return work_group if site is None else f"{site}/{work_group}"


def _millis(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def _moment(millis: int) -> datetime:
    return datetime.fromtimestamp(millis / 1000, timezone.utc)
