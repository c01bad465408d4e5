"""The recipe, as pydantic models. An unknown key, or a setting that would do nothing, is an error that names it."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from datahub.configuration.common import AllowDenyPattern, ConfigModel, MetaError
from datahub.configuration.config_loader import load_config_file
from datahub.configuration.source_common import EnvConfigMixin, PlatformInstanceConfigMixin
from datahub.configuration.time_window_config import BaseTimeWindowConfig
from datahub.ingestion.api.incremental_lineage_helper import IncrementalLineageConfigMixin
from datahub.ingestion.source.aws.aws_common import AwsConnectionConfig
from datahub.ingestion.source.state.stale_entity_removal_handler import StatefulStaleMetadataRemovalConfig
from datahub.ingestion.source.state.stateful_ingestion_base import StatefulIngestionConfigBase
from datahub.ingestion.source.usage.usage_common import BaseUsageConfig
from pydantic import (
    AfterValidator,
    Field,
    ModelWrapValidatorHandler,
    PrivateAttr,
    ValidationError,
    field_validator,
    model_validator,
)
from typing_extensions import Self
from yaml import YAMLError

from datahub_aws_lineage.errors import ConfigurationError
from datahub_aws_lineage.model.queries import TimeWindow

SOURCE_TYPE = "aws-lineage"
PATIENT_RETRIES = {"aws_retry_mode": "adaptive", "aws_retry_num": 9}
"""Athena allows a whole account five list calls a second; DataHub's default gives up too early for that."""

QueryText = Literal["full", "masked", "none"]


def _compiled(pattern: AllowDenyPattern) -> AllowDenyPattern:
    """Raises ValueError for what is no regular expression: it would fail where it is first matched."""
    try:
        for expression in (*pattern.allow, *pattern.deny):
            re.compile(expression)
    except re.error as e:
        raise ValueError(f"{e.pattern!r} is no regular expression: {e}") from e
    return pattern


Pattern = Annotated[AllowDenyPattern, AfterValidator(_compiled)]
_ALL = AllowDenyPattern.allow_all


_OF_ATHENA_HISTORY = (
    "query_logs",
    "include_usage_statistics",
    "include_operational_stats",
    "include_result_locations",
    "max_workers",
    "enable_stateful_time_window",
)


def _reject_unused(model: ConfigModel, keys: tuple[str, ...], because: str) -> None:
    """Raises ValueError for each of `keys` that the recipe sets although nothing would read it."""
    unused = [key for key in keys if key in model.model_fields_set]
    if unused:
        raise ValueError(f"{', '.join(unused)}: no effect, because {because}; remove it")


class GlueConfig(ConfigModel):
    """The Glue Data Catalog: databases, tables and views."""

    enabled: bool = Field(
        default=True,
        description="Read the Glue Data Catalog. Its schemas let `*` and bare columns be resolved.",
    )
    platform: Literal["glue", "athena"] = Field(
        default="glue",
        description="DataHub platform of the catalog's tables: `athena` where DataHub's `athena` source, or its `glue` "
        "source with that platform, describes them.",
    )
    catalog_id: str | None = Field(
        default=None, description="Account id of the catalog to read. Default: the account of the credentials."
    )
    platform_instance_map: dict[str, str] = Field(
        default_factory=dict,
        description="Platform instance of other accounts' catalogs, by account id: resource links lead there.",
    )
    include_storage_lineage: bool = Field(
        default=True, description="Link each table to its S3 location, column by column."
    )
    include_views: bool = Field(default=True, description="Parse the SQL of views into lineage.")

    @model_validator(mode="after")
    def _no_idle_settings(self) -> Self:
        if not self.enabled:
            unused = ("catalog_id", "include_storage_lineage", "include_views")
            _reject_unused(self, unused, "glue.enabled is false")
        return self


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


class UsageConfig(ConfigModel):
    """What is told of how datasets are used, beyond lineage."""

    top_n_queries: int = Field(default=10, ge=1, le=1000, description="Queries named for each table and day at most.")
    include_top_n_queries: bool = Field(default=True, description="Name the most frequent queries of each table.")
    include_read_operational_stats: bool = Field(
        default=False, description="Emit an operation for each query that reads a table too, not for changes alone."
    )


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
    work_group_pattern: Pattern = Field(default_factory=_ALL, description="Work groups whose history is read, by name.")
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
            _reject_unused(self, (*named, *_OF_ATHENA_HISTORY), "athena.enabled is false")
        elif not self.include_query_history:
            patterns = () if self.include_named_queries else ("work_group_pattern",)
            _reject_unused(self, (*_OF_ATHENA_HISTORY, *patterns), "athena.include_query_history is false")
        elif not self.reads_api:
            of_api = ("max_workers", "enable_stateful_time_window")
            _reject_unused(self, of_api, "athena.query_logs has none of type api")
        return self

    @model_validator(mode="after")
    def _each_log_once(self) -> Self:
        seen = [log.model_dump_json() for log in self.query_logs]
        if len(set(seen)) < len(seen):
            raise ValueError("query_logs: the same log is given twice")
        return self


class SystemViewsLog(ConfigModel):
    """The warehouse's own SYS_QUERY_HISTORY and SYS_QUERY_TEXT, read through the Data API."""

    type: Literal["system_views"] = Field(description="Read `SYS_QUERY_HISTORY` through the Data API.")


class AuditLog(ConfigModel):
    """The user-activity audit log that a provisioned cluster writes to S3."""

    type: Literal["audit_log"] = Field(description="Read the user-activity audit log from S3.")
    bucket: str = Field(min_length=1, description="Bucket that the cluster logs to.")
    prefix: str = Field(default="", description="Key prefix in front of `AWSLogs/`.")


class FileLog(ConfigModel):
    """A query log that somebody exported."""

    type: Literal["file"] = Field(description="Read an exported log.")
    path: str = Field(min_length=1, description="CSV, JSON lines or a user-activity log; gzipped or not.")


QueryLog = Annotated[SystemViewsLog | AuditLog | FileLog, Field(discriminator="type")]


class RedshiftConfig(PlatformInstanceConfigMixin):
    """One Redshift warehouse: a serverless work group or a provisioned cluster."""

    name: str = Field(min_length=1, description="What reports call this warehouse; unique within the recipe.")
    platform_instance: str | None = Field(default=None, description="Platform instance of the warehouse's datasets.")
    work_group: str | None = Field(default=None, description="Serverless work group, for the Data API.")
    cluster_identifier: str | None = Field(default=None, description="Provisioned cluster, for the Data API.")
    database_user: str | None = Field(
        default=None, description="Database user of a cluster. Default: the IAM identity."
    )
    secret_arn: str | None = Field(default=None, description="Secrets Manager secret that holds the database login.")
    databases: list[str] = Field(
        default=["dev"],
        min_length=1,
        description="Databases to read; the first is the one that names in a log without a database belong to.",
    )
    include_catalog: bool = Field(
        default=True, description="Read tables, views and external schemas through the Data API."
    )
    external_instance_map: dict[str, str] = Field(
        default_factory=dict,
        description="Platform instance behind an external schema of another database, by `database.schema` as here.",
    )
    query_logs: list[QueryLog] = Field(default_factory=list, description="Where the statements that ran are read.")
    include_usage_statistics: bool = Field(
        default=True,
        description="Emit how often each table and column was queried, and by whom. Set to false where DataHub's "
        "`redshift` source does.",
    )
    include_operational_stats: bool = Field(default=True, description="Emit when each table was changed, and how.")
    include_log_tables: bool = Field(
        default=True,
        description="Without work_group and cluster_identifier: emit a bare dataset (its name, and the columns that "
        "lineage mentions) for each table that the logs name. Set to false where DataHub's `redshift` source "
        "describes them.",
    )

    @property
    def has_data_api(self) -> bool:
        return self.work_group is not None or self.cluster_identifier is not None

    @property
    def reads_catalog(self) -> bool:
        return self.has_data_api and self.include_catalog

    @property
    def describes_log_tables(self) -> bool:
        return not self.has_data_api and self.include_log_tables

    @field_validator("databases", mode="after")
    @classmethod
    def _lower_case_databases(cls, databases: list[str]) -> list[str]:
        return list(dict.fromkeys(name.lower() for name in databases))

    @model_validator(mode="after")
    def _one_target(self) -> Self:
        if self.work_group and self.cluster_identifier:
            raise ValueError(f"{self.name}: give work_group or cluster_identifier, not both")
        if self.database_user and self.secret_arn:
            raise ValueError(f"{self.name}: give database_user or secret_arn, not both")
        if self.work_group:
            _reject_unused(self, ("database_user",), "a work group takes its user from IAM or from secret_arn")
        return self

    @model_validator(mode="after")
    def _no_idle_settings(self) -> Self:
        if not self.has_data_api:
            self._reject_what_needs_the_data_api()
        elif not self.include_catalog:
            _reject_unused(
                self, ("include_log_tables",), "include_catalog is false: another source describes the tables"
            )
        else:
            _reject_unused(self, ("include_log_tables",), "the catalog is read")
        if not self.query_logs:
            unused = ("include_usage_statistics", "include_operational_stats")
            _reject_unused(self, unused, f"{self.name} has no query_logs")
        if not self.reads_catalog and not self.query_logs:
            raise ValueError(f"{self.name}: nothing to read; give work_group, cluster_identifier or query_logs")
        return self

    def _reject_what_needs_the_data_api(self) -> None:
        because = "neither work_group nor cluster_identifier is given"
        _reject_unused(self, ("database_user", "secret_arn", "include_catalog"), because)
        if any(isinstance(log, SystemViewsLog) for log in self.query_logs):
            raise ValueError(f"{self.name}: query_logs of type system_views need work_group or cluster_identifier")


class AwsLineageConfig(
    StatefulIngestionConfigBase[StatefulStaleMetadataRemovalConfig],
    PlatformInstanceConfigMixin,
    EnvConfigMixin,
    BaseTimeWindowConfig,
    IncrementalLineageConfigMixin,
):
    """Configuration of the source `aws-lineage`."""

    platform_instance: str | None = Field(
        default=None, description="Platform instance of the Data Catalog's datasets, as DataHub's `glue` source has it."
    )
    aws_config: AwsConnectionConfig = Field(
        default_factory=lambda: AwsConnectionConfig.model_validate({}),
        description="Connection to AWS, as in DataHub's other AWS sources. Default: boto3's own credential chain.",
    )
    snapshot: str | None = Field(
        default=None, description="Folder of a recorded account to replay; then AWS is never called."
    )
    database_pattern: Pattern = Field(default_factory=_ALL, description="Glue databases to read, by name.")
    table_pattern: Pattern = Field(
        default_factory=_ALL,
        description="Tables to read: `database.table` of Glue, `database.schema.table` of Redshift.",
    )
    user_pattern: Pattern = Field(
        default_factory=_ALL,
        description="Users whose statements count, by name or ARN. Statements whose log does not name a user (Athena's "
        "API) always count.",
    )
    user_map: dict[str, str] = Field(
        default_factory=dict,
        description="DataHub user of who ran a statement: a regular expression over the whole name or ARN, and the "
        "user (`\\1` is its first group). The first that matches counts. Default: the last part of an ARN.",
    )
    usage: UsageConfig = Field(default_factory=UsageConfig, description="How usage is told.")
    query_pattern: Pattern = Field(default_factory=_ALL, description="Statements that count, by their text.")
    include_catalog_metadata: bool = Field(
        default=True,
        description="Describe the tables and databases of the catalogs that are read: properties, schema, view text. "
        "Set to false where DataHub's `glue` and `redshift` sources describe them; lineage and queries remain.",
    )
    include_column_lineage: bool = Field(default=True, description="Emit column-level lineage beside table-level.")
    include_s3_datasets: bool = Field(
        default=True,
        description="Emit a bare dataset (its name, and the columns that lineage mentions) for each S3 location of "
        "lineage; without it, DataHub's graph leaves the location out. Set to false where DataHub's `s3` source "
        "describes them.",
    )
    incremental_lineage: bool = Field(
        default=True,
        description="Add lineage to what DataHub has (as patches), so that edges of other writers survive. "
        "When false, each run replaces the lineage of every dataset it writes.",
    )
    query_text: QueryText = Field(
        default="full",
        description="Text of Query entities: `full`, `masked` (literals become `?`) or `none` (no Query entities). "
        "Views keep their SQL, as DataHub's own sources show it.",
    )
    report_file: str | None = Field(
        default=None,
        description="File to write this source's report to, as JSON, when the run ends; "
        "`datahub-aws-lineage report` reads it. (DataHub's `--report-to` writes nothing beside its file sink.)",
    )
    stateful_ingestion: StatefulStaleMetadataRemovalConfig | None = Field(
        default=None, description="Removal of what an earlier run found and this one does not."
    )
    glue: GlueConfig = Field(default_factory=GlueConfig, description="The Glue Data Catalog.")
    athena: AthenaConfig = Field(default_factory=AthenaConfig, description="Athena's query history.")
    redshift: list[RedshiftConfig] = Field(default_factory=list, description="Redshift warehouses, one entry each.")

    _window_is_given: bool = PrivateAttr(default=False)

    @property
    def window(self) -> TimeWindow:
        return TimeWindow(self.start_time, self.end_time)

    @property
    def window_is_given(self) -> bool:
        """Whether the recipe itself says from when or until when."""
        return self._window_is_given

    @model_validator(mode="wrap")
    @classmethod
    def _note_given_window(cls, settings: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        # DataHub's mixin fills start_time in, and so makes it look given.
        config = handler(settings)
        config._window_is_given = isinstance(settings, dict) and not settings.keys().isdisjoint(
            {"start_time", "end_time"}
        )
        return config

    @property
    def usage_config(self) -> BaseUsageConfig:
        """For DataHub's own aggregator of usage."""
        return BaseUsageConfig(
            start_time=self.start_time,
            end_time=self.end_time,
            bucket_duration=self.bucket_duration,
            **self.usage.model_dump(),
        )

    def tells_of(self, dialect: str, warehouse: str | None) -> AthenaConfig | RedshiftConfig:
        """The part of the recipe that says what is told of statements of Athena, or of a warehouse by its name."""
        named = [one for one in self.redshift if one.name == warehouse] if dialect == "redshift" else []
        return named[0] if named else self.athena

    def credentials_expiry(self) -> datetime | None:
        """When the credentials of an assumed role end; None where boto3 renews them by itself."""
        return self.aws_config._credentials_expiration

    def client_options(self) -> dict[str, Any]:
        """Endpoint and `botocore.config.Config` of aws_config; patient retries, unless the recipe says otherwise."""
        connection = self.aws_config
        if not {"aws_retry_num", "aws_retry_mode"} & connection.model_fields_set:
            connection = connection.model_copy(update=PATIENT_RETRIES)
        return {"endpoint_url": connection.aws_endpoint_url, "config": connection._aws_config()}

    @field_validator("user_map", mode="after")
    @classmethod
    def _expressions(cls, users: dict[str, str]) -> dict[str, str]:
        try:
            for expression, user in users.items():
                re.sub(f"(?:{expression})|", user, "")  # an empty match: whether the user's groups are there
        except (re.error, IndexError) as e:
            raise ValueError(f"{expression!r}: {user!r}: {e}") from e
        return users

    @model_validator(mode="after")
    def _window_is_not_empty(self) -> Self:
        if self.start_time >= self.end_time:
            raise ValueError(f"start_time {self.start_time} is not before end_time {self.end_time}")
        return self

    @model_validator(mode="after")
    def _snapshot_needs_no_connection(self) -> Self:
        if self.snapshot is not None:
            unused = sorted(self.aws_config.model_fields_set)
            if unused:
                raise ValueError(
                    f"aws_config.{', aws_config.'.join(unused)}: no effect, because snapshot replays a recording "
                    "and AWS is never called; remove it"
                )
        return self

    @model_validator(mode="after")
    def _something_to_remove(self) -> Self:
        if not self.include_catalog_metadata:
            _reject_unused(
                self, ("stateful_ingestion",), "include_catalog_metadata is false: nothing is this source's own"
            )
        return self

    @model_validator(mode="after")
    def _warehouse_names_are_unique(self) -> Self:
        names = [warehouse.name for warehouse in self.redshift]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise ValueError(f"redshift: name {', '.join(repeated)} is given more than once")
        return self

    @model_validator(mode="after")
    def _something_to_read(self) -> Self:
        athena = self.athena.reads_history or (self.athena.enabled and self.athena.include_named_queries)
        if not (self.glue.enabled or athena or self.redshift):
            raise ValueError("nothing to read: glue and athena are disabled and redshift is empty")
        return self


def parse_recipe(recipe: Any, origin: str) -> AwsLineageConfig:
    """The configuration of this source within a whole recipe.

    Raises ConfigurationError when the recipe is of another source; pydantic's ValidationError when it is not valid.
    """
    source = recipe.get("source") if isinstance(recipe, dict) else None
    kind = source.get("type") if isinstance(source, dict) else None
    if not isinstance(source, dict) or kind != SOURCE_TYPE:
        raise ConfigurationError(f"{origin}: source.type is {kind!r}; expected {SOURCE_TYPE!r}")
    return AwsLineageConfig.model_validate(source.get("config") or {})


def load_recipe(path: Path) -> AwsLineageConfig:
    """Reads a recipe as `datahub ingest` does, with `${VARIABLE}` filled in from the environment.

    Raises ConfigurationError where it cannot be read or is not valid.
    """
    try:
        return parse_recipe(load_config_file(path, allow_remote=False), str(path))
    except ValidationError as e:
        problems = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in e.errors(include_input=False))
        raise ConfigurationError(f"{path}: {problems}") from None
    except (MetaError, YAMLError) as e:
        raise ConfigurationError(f"{path}: {e}") from e
