"""The recipe's part on Redshift: a warehouse, and the ways to its query log."""

from __future__ import annotations

from typing import Annotated, Literal

from datahub.configuration.common import ConfigModel
from datahub.configuration.source_common import PlatformInstanceConfigMixin
from pydantic import Field, field_validator, model_validator
from typing_extensions import Self

from datahub_aws_lineage.config.patterns import reject_unused


class SystemViewsLog(ConfigModel):
    """The warehouse's own SYS_QUERY_HISTORY and SYS_QUERY_TEXT, read through the Data API."""

    type: Literal["system_views"] = Field(description="Read `SYS_QUERY_HISTORY` through the Data API.")


class AuditLog(ConfigModel):
    """The user-activity audit log that a provisioned cluster writes to S3."""

    type: Literal["audit_log"] = Field(description="Read the user-activity audit log from S3.")
    bucket: str = Field(min_length=1, description="Bucket that the cluster logs to.")
    prefix: str = Field(default="", description="Key prefix in front of `AWSLogs/`.")


class LogGroup(ConfigModel):
    """The user-activity audit log in CloudWatch Logs: of a provisioned cluster, or of a serverless namespace."""

    type: Literal["cloudwatch_logs"] = Field(description="Read the user-activity audit log from CloudWatch Logs.")
    log_group: str = Field(
        min_length=1,
        description="`/aws/redshift/cluster/CLUSTER/useractivitylog`, or `/aws/redshift/NAMESPACE/useractivitylog`.",
    )

    @field_validator("log_group", mode="after")
    @classmethod
    def _of_activity(cls, log_group: str) -> str:
        other = log_group.rsplit("/", 1)[-1]
        if other in ("connectionlog", "userlog"):
            raise ValueError(f"{log_group} holds no statements: give the log group that ends in /useractivitylog")
        return log_group


class PublishedTables(ConfigModel):
    """The system tables that a warehouse publishes to S3 Tables, read by queries on Athena."""

    type: Literal["s3_tables"] = Field(description="Read the published `sys_query_history`, by queries on Athena.")
    namespace: str = Field(
        min_length=1, description="Database of the catalog `s3tablescatalog/aws-redshift` that holds the tables."
    )
    work_group: str = Field(default="primary", min_length=1, description="Work group of Athena for the queries.")
    output_location: str | None = Field(
        default=None,
        pattern=r"^s3://.+",
        description="Where the queries' results are put (`s3://bucket/prefix/`). Default: as the work group says.",
    )


class FileLog(ConfigModel):
    """A query log that somebody exported."""

    type: Literal["file"] = Field(description="Read an exported log.")
    path: str = Field(min_length=1, description="CSV, JSON lines or a user-activity log; gzipped or not.")


_OF_STATEMENTS = (
    "include_usage_statistics",
    "include_operational_stats",
    "include_stored_procedures",
    "read_copy_manifests",
)
"""Settings of a warehouse that say what is made of its query logs."""

QueryLog = Annotated[SystemViewsLog | AuditLog | LogGroup | PublishedTables | FileLog, Field(discriminator="type")]


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
    all_databases: bool = Field(
        default=False,
        description="Read every database of the warehouse that the login may use, those of `databases` first.",
    )
    include_catalog: bool = Field(
        default=True, description="Read tables, views and external schemas through the Data API."
    )
    external_instance_map: dict[str, str] = Field(
        default_factory=dict,
        description="Platform instance behind an external schema of another database, by `database.schema` as here.",
    )
    datashare_instance_map: dict[str, str] = Field(
        default_factory=dict,
        description="Platform instance of warehouses that this recipe does not read and whose datashares this one "
        "uses, by namespace id. Default: as this warehouse.",
    )
    query_logs: list[QueryLog] = Field(default_factory=list, description="Where the statements that ran are read.")
    include_usage_statistics: bool = Field(
        default=True,
        description="Emit how often each table and column was queried, and by whom. Set to false where DataHub's "
        "`redshift` source does.",
    )
    include_operational_stats: bool = Field(default=True, description="Emit when each table was changed, and how.")
    include_stored_procedures: bool = Field(
        default=False,
        description="Emit each stored procedure that was called as a DataJob, with what its runs read and wrote, by "
        "column.",
    )
    read_copy_manifests: bool = Field(
        default=False,
        description="Read the manifests of COPY … MANIFEST from S3: the files that they list are what was loaded. "
        "Default: the folder that the manifest lies in.",
    )
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

    def reads_schemas_of(self, database: str) -> bool:
        """Whether a database is one that the Data API reads, here or for another source."""
        return self.has_data_api and (self.all_databases or database in self.databases)

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
            reject_unused(self, ("database_user",), "a work group takes its user from IAM or from secret_arn")
        return self

    @model_validator(mode="after")
    def _no_idle_settings(self) -> Self:
        if not self.reads_catalog:
            reject_unused(self, ("datashare_instance_map",), "datashares are told by the catalog, which is not read")
        if not self.has_data_api:
            self._reject_what_needs_the_data_api()
        elif not self.include_catalog:
            reject_unused(
                self, ("include_log_tables",), "include_catalog is false: another source describes the tables"
            )
        else:
            reject_unused(self, ("include_log_tables",), "the catalog is read")
        if not self.query_logs:
            reject_unused(self, _OF_STATEMENTS, f"{self.name} has no query_logs")
        if not self.reads_catalog and not self.query_logs:
            raise ValueError(f"{self.name}: nothing to read; give work_group, cluster_identifier or query_logs")
        return self

    def _reject_what_needs_the_data_api(self) -> None:
        because = "neither work_group nor cluster_identifier is given"
        reject_unused(self, ("database_user", "secret_arn", "all_databases", "include_catalog"), because)
        if any(isinstance(log, SystemViewsLog) for log in self.query_logs):
            raise ValueError(f"{self.name}: query_logs of type system_views need work_group or cluster_identifier")
