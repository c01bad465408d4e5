"""What of a recipe would work: one cheap call for each thing that a run would read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from typing_extensions import assert_never

from datahub_aws_lineage import athena_readers
from datahub_aws_lineage.aws import (
    glue,
    lake_formation,
    redshift_audit_log,
    redshift_catalog,
    redshift_data,
    redshift_file,
    redshift_history,
    redshift_log_group,
    redshift_published,
)
from datahub_aws_lineage.aws.athena_queries import AthenaQueries
from datahub_aws_lineage.aws.clients import Clients
from datahub_aws_lineage.aws.redshift_data import RedshiftDataApi
from datahub_aws_lineage.checks import Check
from datahub_aws_lineage.config import (
    AuditLog,
    AwsLineageConfig,
    FileLog,
    LogGroup,
    PublishedTables,
    QueryLog,
    RedshiftConfig,
    SystemViewsLog,
)
from datahub_aws_lineage.errors import ConfigurationError
from datahub_aws_lineage.model.queries import TimeWindow
from datahub_aws_lineage.readers import data_api_target, log_name


def identity_check(clients: Clients) -> Check:
    """Whether AWS knows the identity at all: the basic connectivity."""
    return Check("AWS identity", clients.account_id)


def capability_checks(config: AwsLineageConfig, clients: Clients) -> Iterator[Check]:
    """A check for each part of the recipe that is enabled, under the name that the report shows."""
    if config.glue.enabled:
        gives = "tables with their columns, views and S3 locations; without them, `*` and bare columns stay open"
        catalog_id = config.glue.catalog_id
        yield Check("Glue databases", partial(glue.probe_databases, clients, catalog_id), glue.PERMISSIONS, gives)
        yield Check("Glue tables", partial(glue.probe_tables, clients, catalog_id), glue.PERMISSIONS, gives)
    if config.glue.extract_lakeformation_tags:
        attempt = partial(lake_formation.probe, clients, config.glue.catalog_id)
        yield Check("Lake Formation tags", attempt, lake_formation.PERMISSIONS, "tags; lineage needs none of them")
    yield from athena_readers.checks(config, clients)
    for warehouse in config.redshift:
        yield from _warehouse_checks(warehouse, clients, config.window)


def _warehouse_checks(warehouse: RedshiftConfig, clients: Clients, window: TimeWindow) -> Iterator[Check]:
    target = data_api_target(warehouse)
    api = RedshiftDataApi(clients, target) if target else None
    data_api: tuple[str, ...] = ()
    if api is not None and target is not None:
        data_api = (*redshift_data.PERMISSIONS, redshift_data.login_permission(target))
        for database in warehouse.databases:
            name = f"Redshift {warehouse.name}:"
            gives = "all that is read of this database"
            yield Check(f"{name} database {database}", partial(redshift_data.probe, api, database), data_api, gives)
            if warehouse.include_catalog:
                attempt, gives = partial(redshift_catalog.probe, api, database), "tables, views and external schemas"
                yield Check(f"{name} catalog of {database}", attempt, data_api, gives)
    for log in warehouse.query_logs:
        log_attempt = _log_attempt(log, warehouse, api, clients, window)
        needs, name = _log_permissions(log) or data_api, f"Redshift {warehouse.name}: {log_name(log)}"
        yield Check(name, log_attempt, needs, "what ran on the warehouse: every edge but those of views and mounts")


def _log_permissions(log: QueryLog) -> tuple[str, ...]:
    """None of its own where the log is read through the Data API, or is a file."""
    match log:
        case SystemViewsLog() | FileLog():
            return ()
        case AuditLog():
            return redshift_audit_log.PERMISSIONS
        case LogGroup():
            return redshift_log_group.PERMISSIONS
        case PublishedTables():
            return redshift_published.PERMISSIONS
        case _:
            assert_never(log)


def _log_attempt(
    log: QueryLog, warehouse: RedshiftConfig, api: RedshiftDataApi | None, clients: Clients, window: TimeWindow
) -> Callable[[], object]:
    match log:
        case SystemViewsLog():
            return partial(_probe_history, api, warehouse)
        case AuditLog():
            return partial(redshift_audit_log.probe, clients, log.bucket, log.prefix)
        case LogGroup():
            return partial(redshift_log_group.probe, clients, log.log_group)
        case PublishedTables():
            queries = AthenaQueries(clients, log.work_group, log.output_location)
            return partial(redshift_published.probe, queries, log.namespace, window)
        case FileLog():
            return partial(redshift_file.probe, Path(log.path))
        case _:
            assert_never(log)


def _probe_history(api: RedshiftDataApi | None, warehouse: RedshiftConfig) -> None:
    if api is None:
        raise ConfigurationError(f"{warehouse.name}: system_views need work_group or cluster_identifier")
    redshift_history.probe(api, warehouse.databases[0])
