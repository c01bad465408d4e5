"""Where the memory of edges is kept from run to run: in a file, or with DataHub's stateful ingestion."""

from __future__ import annotations

import gzip
import json
import zlib
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from datahub.ingestion.api.committable import CommitPolicy
from datahub.ingestion.api.common import PipelineContext
from datahub.ingestion.api.ingestion_job_checkpointing_provider_base import JobId
from datahub.ingestion.source.state.checkpoint import Checkpoint, CheckpointStateBase
from datahub.ingestion.source.state.stateful_ingestion_base import StateProviderWrapper
from datahub.ingestion.source.state.use_case_handler import StatefulIngestionUsecaseHandlerBase
from pydantic import Field

from datahub_aws_lineage.config import SOURCE_TYPE, AwsLineageConfig
from datahub_aws_lineage.emit.memory import EdgeMemory, as_json, from_json
from datahub_aws_lineage.errors import ConfigurationError


class EdgesState(CheckpointStateBase):
    """`memory` is as `emit.memory.as_json` gives it."""

    memory: dict[str, Any] = Field(default_factory=dict)


class EdgeMemories(StatefulIngestionUsecaseHandlerBase[EdgesState]):
    """Opens the memory that the last run without an error has left, and keeps that of this one."""

    def __init__(self, provider: StateProviderWrapper, config: AwsLineageConfig, context: PipelineContext) -> None:
        self._provider = provider
        self._config = config
        self._settings = config.edge_memory
        self._context = context
        provider.register_stateful_ingestion_usecase_handler(self)
        committable = provider.ingestion_checkpointing_state_provider
        if self.is_checkpointing_enabled() and committable is not None:
            committable.commit_policy = CommitPolicy.ON_NO_ERRORS

    @property
    def job_id(self) -> JobId:
        return JobId(f"{SOURCE_TYPE}_edges")

    def is_checkpointing_enabled(self) -> bool:
        in_datahub = self._settings is not None and self._settings.path is None
        return in_datahub and self._provider.is_stateful_ingestion_configured()

    def create_checkpoint(self) -> Checkpoint[EdgesState] | None:
        if not self.is_checkpointing_enabled() or self._context.pipeline_name is None:
            return None
        return Checkpoint(self.job_id, self._context.pipeline_name, self._context.run_id, EdgesState())

    def open(self) -> EdgeMemory | None:
        """None where the recipe asks for none. Raises ConfigurationError where what was kept cannot be read."""
        if self._settings is None:
            return None
        kept = self._kept_in_file(Path(self._settings.path)) if self._settings.path else self._kept_in_datahub()
        try:
            earlier = from_json(kept) if kept else {}
        except ValueError as e:
            raise ConfigurationError(f"edge_memory: {self._settings.path or 'DataHub checkpoint'}: {e}") from e
        expires_after = timedelta(days=self._settings.expire_after_days)
        return EdgeMemory(
            earlier,
            now=round(self._config.end_time.timestamp() * 1000),
            expires_after=round(expires_after.total_seconds() * 1000),
        )

    def keep(self, memory: EdgeMemory | None, *, failed: bool) -> None:
        """After a run that failed, the memory stays as it was. Raises OSError where the file cannot be written."""
        if self._settings is None or memory is None:
            return
        if self._settings.path is not None:
            if not failed:
                _write(Path(self._settings.path), as_json(memory.edges()))
            return
        checkpoint = self._provider.get_current_checkpoint(self.job_id) if self.is_checkpointing_enabled() else None
        if checkpoint is not None:
            checkpoint.state.memory = self._kept_in_datahub() if failed else as_json(memory.edges())

    def _kept_in_datahub(self) -> dict[str, Any]:
        last = self._provider.get_last_checkpoint(self.job_id, EdgesState) if self.is_checkpointing_enabled() else None
        return last.state.memory if last is not None else {}

    def _kept_in_file(self, path: Path) -> Any:
        try:
            return json.loads(gzip.decompress(path.read_bytes()))
        except FileNotFoundError:
            return {}
        except (OSError, EOFError, zlib.error, ValueError) as e:
            raise ConfigurationError(f"edge_memory.path: {path} cannot be read as a memory of edges: {e}") from e


def _write(path: Path, value: Any) -> None:
    """The whole file or none of it: it takes the place of the one before when it is written."""
    packed = gzip.compress(json.dumps(value, separators=(",", ":")).encode(), mtime=0)
    with NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as written:
        try:
            written.write(packed)
            written.close()
            Path(written.name).replace(path)
        except BaseException:
            with suppress(OSError):
                Path(written.name).unlink()
            raise
