"""The recipe, as pydantic models. An unknown key, or a setting that would do nothing, is an error that names it."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any, Literal

from datahub.configuration.source_common import EnvConfigMixin, PlatformInstanceConfigMixin
from datahub.configuration.time_window_config import BaseTimeWindowConfig
from datahub.ingestion.api.incremental_lineage_helper import IncrementalLineageConfigMixin
from datahub.ingestion.source.aws.aws_common import AwsConnectionConfig
from datahub.ingestion.source.state.stale_entity_removal_handler import StatefulStaleMetadataRemovalConfig
from datahub.ingestion.source.state.stateful_ingestion_base import StatefulIngestionConfigBase
from datahub.ingestion.source.usage.usage_common import BaseUsageConfig
from pydantic import Field, ModelWrapValidatorHandler, PrivateAttr, field_validator, model_validator
from typing_extensions import Self

from datahub_aws_lineage.config.accounts import AccountConfig, OrganizationConfig, reject_unknown_fields
from datahub_aws_lineage.config.athena import (
    AthenaApi,
    AthenaConfig,
    AthenaFile,
    AthenaLog,
    AthenaSystemTable,
    CatalogPlatform,
    CloudTrailEvents,
    CloudTrailTrail,
)
from datahub_aws_lineage.config.glue import GlueConfig
from datahub_aws_lineage.config.lineage_only import lineage_alone
from datahub_aws_lineage.config.parts import EdgeMemoryConfig, UsageConfig
from datahub_aws_lineage.config.patterns import ALL, Pattern, reject_unused
from datahub_aws_lineage.config.redshift import (
    AuditLog,
    FileLog,
    LogGroup,
    PublishedTables,
    QueryLog,
    RedshiftConfig,
    SystemViewsLog,
)
from datahub_aws_lineage.model.queries import TimeWindow

__all__ = [
    "SOURCE_TYPE",
    "AccountConfig",
    "AthenaApi",
    "AthenaConfig",
    "AthenaFile",
    "AthenaLog",
    "AthenaSystemTable",
    "AuditLog",
    "AwsLineageConfig",
    "CatalogPlatform",
    "CloudTrailEvents",
    "CloudTrailTrail",
    "FileLog",
    "GlueConfig",
    "LogGroup",
    "OrganizationConfig",
    "PublishedTables",
    "QueryLog",
    "RedshiftConfig",
    "SystemViewsLog",
    "UsageConfig",
]

SOURCE_TYPE = "aws-lineage"
PATIENT_RETRIES = {"aws_retry_mode": "adaptive", "aws_retry_num": 9}
"""Athena allows a whole account five list calls a second; DataHub's default gives up too early for that."""

QueryText = Literal["full", "masked", "none"]


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
    database_pattern: Pattern = Field(default_factory=ALL, description="Glue databases to read, by name.")
    table_pattern: Pattern = Field(
        default_factory=ALL,
        description="Tables to read: `database.table` of Glue, `database.schema.table` of Redshift.",
    )
    user_pattern: Pattern = Field(
        default_factory=ALL,
        description="Users whose statements count, by name or ARN. Statements whose log does not name a user (Athena's "
        "API) always count.",
    )
    user_map: dict[str, str] = Field(
        default_factory=dict,
        description="DataHub user of who ran a statement: a regular expression over the whole name or ARN, and the "
        "user (`\\1` is its first group). The first that matches counts. Default: the last part of an ARN.",
    )
    edge_memory: EdgeMemoryConfig | None = Field(
        default=None,
        description="Remember the edges that were emitted: those that have left the logs stay, and those whose table "
        "was made anew, or that no run has seen for long, are taken back. Default: lineage is only ever added, or with "
        "`incremental_lineage: false` replaced by what the window shows.",
    )
    usage: UsageConfig = Field(default_factory=UsageConfig, description="How usage is told.")
    query_pattern: Pattern = Field(default_factory=ALL, description="Statements that count, by their text.")
    include_catalog_metadata: bool = Field(
        default=True,
        description="Describe the tables and databases of the catalogs that are read: properties, schema, view text. "
        "Set to false where DataHub's `glue` and `redshift` sources describe them; lineage and queries remain.",
    )
    lineage_only: bool = Field(
        default=False,
        description="Emit lineage and queries alone, and nothing that DataHub's own sources emit: short for "
        "`include_catalog_metadata`, `include_s3_datasets`, usage statistics, operations and `include_log_tables` "
        "set to false.",
    )
    include_column_lineage: bool = Field(default=True, description="Emit column-level lineage beside table-level.")
    include_s3_datasets: bool = Field(
        default=True,
        description="Emit a bare dataset (its name, and the columns that lineage mentions) for each S3 location of "
        "lineage; without it, DataHub's graph leaves the location out. Set to false where DataHub's `s3` source "
        "describes all of them.",
    )
    s3_platform_instance: str | None = Field(
        default=None, description="Platform instance of S3 locations, as DataHub's `s3` source has it."
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
    lineage_file: str | None = Field(
        default=None,
        min_length=1,
        description="File of hand-written lineage to add, in the format of DataHub's `lineage-file` source; checked "
        "against the catalogs that are read.",
    )
    include_noted_lineage: bool = Field(
        default=True,
        description="Add lineage that is noted in catalogs: the table parameter `lineage.upstream`, or "
        "`@upstream(database.table)` in the comment of a table or column.",
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
    accounts: list[AccountConfig] = Field(
        default_factory=list,
        description="Accounts and regions to read together, instead of the one of `aws_config`, whose identity assumes "
        "their roles. With `snapshot`, each is recorded in a folder of its own there: `NAME/REGION`.",
    )
    organization: OrganizationConfig | None = Field(
        default=None, description="Accounts of an AWS organisation to read together, beside those of `accounts`."
    )

    _window_is_given: bool = PrivateAttr(default=False)

    @property
    def window(self) -> TimeWindow:
        return TimeWindow(self.start_time, self.end_time)

    @property
    def window_is_given(self) -> bool:
        """Whether the recipe itself says from when or until when."""
        return self._window_is_given

    @model_validator(mode="before")
    @classmethod
    def _lineage_alone(cls, settings: Any) -> Any:
        if isinstance(settings, dict) and settings.get("lineage_only") is True:
            return lineage_alone(settings)
        return settings

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
    def has_several_sites(self) -> bool:
        """Whether the recipe itself lists accounts, or where they are listed."""
        return bool(self.accounts) or self.organization is not None

    @property
    def warehouses(self) -> list[RedshiftConfig]:
        """Of all accounts."""
        return [*self.redshift, *(warehouse for account in self.accounts for warehouse in account.redshift)]

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
        named = [one for one in self.warehouses if one.name == warehouse] if dialect == "redshift" else []
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
    def _something_to_go_on_from(self) -> Self:
        if self.stateful_ingestion is None or not self.stateful_ingestion.enabled:
            reject_unused(self.athena, ("enable_stateful_time_window",), "stateful_ingestion is not enabled")
        elif not self.incremental_lineage:
            because = "incremental_lineage is false: lineage that is replaced needs every statement"
            reject_unused(self.athena, ("enable_stateful_time_window",), because)
        return self

    @model_validator(mode="after")
    def _something_to_remove(self) -> Self:
        remembers = self.edge_memory is not None and self.edge_memory.path is None
        goes_on = self.athena.reads_api and self.athena.enable_stateful_time_window and self.incremental_lineage
        if not (self.include_catalog_metadata or remembers or goes_on):
            because = "include_catalog_metadata is false: nothing is this source's own, and no history is carried on"
            reject_unused(self, ("stateful_ingestion",), because)
        return self

    @model_validator(mode="after")
    def _something_to_tag(self) -> Self:
        if not self.include_catalog_metadata:
            because = "include_catalog_metadata is false: databases and tables are not described"
            reject_unused(self.glue, ("extract_lakeformation_tags",), because)
        return self

    @model_validator(mode="after")
    def _memory_has_a_place(self) -> Self:
        if self.edge_memory is None:
            return self
        if self.query_text == "none":
            raise ValueError("edge_memory: query_text is none, and edges are told apart by their queries; use masked")
        stateful = self.stateful_ingestion is not None and self.stateful_ingestion.enabled
        if self.edge_memory.path is None and not stateful:
            raise ValueError("edge_memory: give path, or enable stateful_ingestion")
        return self

    @model_validator(mode="after")
    def _sites_are_told_apart(self) -> Self:
        if not self.has_several_sites:
            return self
        if self.redshift:
            raise ValueError("redshift: with accounts or organization, give each warehouse under its account")
        if self.glue.catalog_id is not None:
            raise ValueError("glue.catalog_id: with accounts or organization, each account's own catalog is read")
        reject_unknown_fields(self.platform_instance)
        without = [account.name for account in self.accounts if not account.regions]
        if self.organization is not None and not self.organization.regions:
            without.append("organization")
        if without and self.aws_config.aws_region is None:
            raise ValueError(f"{', '.join(without)}: give regions, or aws_config.aws_region")
        sites = [(account.name, region) for account in self.accounts for region in account.regions or [""]]
        repeated = sorted({name for name, region in sites if sites.count((name, region)) > 1})
        if repeated:
            raise ValueError(f"accounts: name {', '.join(repeated)} is given more than once for the same region")
        return self

    @model_validator(mode="after")
    def _warehouse_names_are_unique(self) -> Self:
        names = [warehouse.name for warehouse in self.warehouses]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise ValueError(f"redshift: name {', '.join(repeated)} is given more than once")
        return self

    @model_validator(mode="after")
    def _something_to_read(self) -> Self:
        athena = self.athena.reads_history or (self.athena.enabled and self.athena.include_named_queries)
        if not (self.glue.enabled or athena or self.warehouses):
            raise ValueError("nothing to read: glue and athena are disabled and redshift is empty")
        return self
