"""Small parts of the recipe that concern all services."""

from __future__ import annotations

from datahub.configuration.common import ConfigModel
from pydantic import Field


class EdgeMemoryConfig(ConfigModel):
    """What is remembered of the edges that were emitted, from run to run."""

    path: str | None = Field(
        default=None,
        min_length=1,
        description="File that remembers the edges. Default: DataHub, by stateful ingestion.",
    )
    expire_after_days: int = Field(
        default=100, ge=1, description="Days after which an edge that no run has seen any more is taken back."
    )


class UsageConfig(ConfigModel):
    """What is told of how datasets are used, beyond lineage."""

    top_n_queries: int = Field(default=10, ge=1, le=1000, description="Queries named for each table and day at most.")
    include_top_n_queries: bool = Field(default=True, description="Name the most frequent queries of each table.")
    include_read_operational_stats: bool = Field(
        default=False, description="Emit an operation for each query that reads a table too, not for changes alone."
    )
