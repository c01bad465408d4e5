"""The recipe's part on Athena: the ways to its history, and what is told of it."""

from __future__ import annotations

from typing import Annotated, Literal

from datahub.configuration.common import ConfigModel
from pydantic import Field, field_validator, model_validator
from typing_extensions import Self

from datahub_aws_lineage.config.patterns import ALL, Pattern, reject_unused

_OF_HISTORY = (
    "query_logs",
    "include_usage_statistics",
    "include_operational_stats",
    "include_result_locations",
    "max_workers",
    "enable_stateful_time_window",
)


class CatalogPlatform(ConfigModel):
    """The DataHub platform behind a catalog that Athena reaches through a connector."""

    platform: str = Field(min_length=1, description="DataHub platform of the catalog's tables, such as `mysql`.")
    platform_instance: str | None = Field(default=None, description="Its platform instance, as its own source has it.")
    database: str | None = Field(
        default=None,
        min_length=1,
        description="Database that the connector reads, where the platform names tables `database.schema.table` "
        "(PostgreSQL, Redshift, Snowflake, SQL Server): Athena calls their schemas databases.",
    )


class AthenaApi(ConfigModel):
    """Athena's own list of queries."""

    type: Literal["api"] = Field(description="Read the query history of each work group: 45 days.")


class AthenaSystemTable(ConfigModel):
    """Athena's system table `query_executions`, which an account opts in to."""

    type: Literal["system_table"] = Field(description="Read the system table `query_executions`, by a query.")
    work_group: str = Field(default="primary", min_length=1, description="Work group that the query runs in.")
    output_location: str | None = Field(
        default=None,
        pattern=r"^s3://.+",
        description="Where the query's result is put (`s3://bucket/prefix/`). Default: as the work group says.",
    )


class CloudTrailEvents(ConfigModel):
    """CloudTrail's event history."""

    type: Literal["cloudtrail_events"] = Field(description="Read who started which query from CloudTrail: 90 days.")


class CloudTrailTrail(ConfigModel):
    """The files that a trail of CloudTrail writes to S3."""

    type: Literal["cloudtrail_trail"] = Field(description="Read who started which query from a trail's files in S3.")
    bucket: str = Field(min_length=1, description="Bucket that the trail writes to.")
    prefix: str = Field(default="", description="Key prefix in front of `AWSLogs/`, or a path down to an account.")
    account_id: str | None = Field(
        default=None, description="Account whose events count. Default: the account of the credentials."
    )


class AthenaFile(ConfigModel):
    """A history that somebody saved."""

    type: Literal["file"] = Field(description="Read a saved history.")
    path: str = Field(min_length=1, description="What the AWS CLI printed, or JSON lines; gzipped or not.")


AthenaLog = Annotated[
    AthenaApi | AthenaSystemTable | CloudTrailEvents | CloudTrailTrail | AthenaFile, Field(discriminator="type")
]


def _the_api() -> list[AthenaLog]:
    return [AthenaApi(type="api")]


class AthenaConfig(ConfigModel):
    """Athena: the query history of the work groups."""

    enabled: bool = Field(default=True, description="Read Athena.")
    include_query_history: bool = Field(
        default=True, description="Read the statements that ran between `start_time` and `end_time`."
    )
    query_logs: list[AthenaLog] = Field(
        default_factory=_the_api,
        min_length=1,
        description="Where the statements that ran are read. Several tell of one query together: the API how it ended, "
        "CloudTrail who ran it. Default: the API.",
    )
    work_group_pattern: Pattern = Field(default_factory=ALL, description="Work groups whose history is read, by name.")
    include_usage_statistics: bool = Field(
        default=True, description="Emit how often each table and column was queried, and by whom."
    )
    include_operational_stats: bool = Field(default=True, description="Emit when each table was changed, and how.")
    include_named_queries: bool = Field(
        default=False, description="Emit the named (saved) queries of the work groups as Query entities."
    )
    include_result_locations: bool = Field(
        default=False,
        description="Emit lineage from a SELECT to the S3 folder of its result, for what reads such results next.",
    )
    max_workers: int = Field(default=4, ge=1, le=32, description="Work groups whose history is read at a time.")
    enable_stateful_time_window: bool = Field(
        default=True,
        description="With stateful ingestion and `incremental_lineage`: read from the API only what no earlier run has "
        "read, work group by work group. With usage statistics, days (`bucket_duration`) are read whole.",
    )
    catalogs: dict[str, CatalogPlatform] = Field(
        default_factory=dict,
        description="Platform of each further data catalog, by its name in Athena. "
        "Tables of a catalog that is not listed are named on platform `athena`.",
    )

    @property
    def reads_history(self) -> bool:
        return self.enabled and self.include_query_history

    @property
    def reads_api(self) -> bool:
        return self.reads_history and any(isinstance(log, AthenaApi) for log in self.query_logs)

    @field_validator("catalogs", mode="after")
    @classmethod
    def _lower_case_names(cls, catalogs: dict[str, CatalogPlatform]) -> dict[str, CatalogPlatform]:
        lowered = {name.lower(): platform for name, platform in catalogs.items()}
        if len(lowered) < len(catalogs):
            raise ValueError("two names differ only in case; Athena does not tell them apart")
        if "awsdatacatalog" in lowered:
            raise ValueError("awsdatacatalog is the account's own Glue catalog and needs no entry")
        return lowered

    @model_validator(mode="after")
    def _no_idle_settings(self) -> Self:
        if not self.enabled:
            named = ("include_query_history", "include_named_queries", "work_group_pattern")
            reject_unused(self, (*named, *_OF_HISTORY), "athena.enabled is false")
        elif not self.include_query_history:
            patterns = () if self.include_named_queries else ("work_group_pattern",)
            reject_unused(self, (*_OF_HISTORY, *patterns), "athena.include_query_history is false")
        elif not self.reads_api:
            of_api = ("max_workers", "enable_stateful_time_window")
            reject_unused(self, of_api, "athena.query_logs has none of type api")
        return self

    @model_validator(mode="after")
    def _each_log_once(self) -> Self:
        seen = [log.model_dump_json() for log in self.query_logs]
        if len(set(seen)) < len(seen):
            raise ValueError("query_logs: the same log is given twice")
        return self
