"""Names in SQL to fully qualified table names."""

from __future__ import annotations

from collections.abc import Sequence

from datahub_aws_lineage.model.catalog import Column
from datahub_aws_lineage.model.lineage import DropSchema, RenameSchema
from datahub_aws_lineage.model.names import StatementTable, TableName, TemporaryTable
from datahub_aws_lineage.model.ports import Schemas
from datahub_aws_lineage.model.queries import SqlContext

_METADATA_SUFFIXES = frozenset(
    (
        "all_data_files all_delete_files all_entries all_files all_manifests data_files delete_files entries files "
        "history manifests metadata_log_entries partitions position_deletes properties refs snapshots"
    ).split()
)
"""Metadata tables that Athena offers as `"table$suffix"` (Athena user guide, Query Apache Iceberg table metadata)."""

PARTITION_FACTS = ("partition", "record_count", "file_count", "total_size", "data")
"""Columns that `"table$partitions"` of an Iceberg table has; that of another table has its partition columns."""

_SYSTEM_PREFIXES = ("pg_", "stl_", "stv_", "svl_", "svv_", "svcs_")
"""Of Redshift's system tables and views, all of which live in `pg_catalog`. Users name tables `sys_…` of their own."""

_MONITORING_VIEWS = frozenset(
    f"sys_{name}"
    for name in (
        "analyze_compression_history analyze_history applied_masking_policy_log auto_table_optimization "
        "automatic_optimization child_query_text connection_log copy_job copy_job_detail copy_job_info "
        "copy_replacements datashare_change_log datashare_cross_region_usage datashare_usage_consumer "
        "datashare_usage_producer extension_log external_query_detail external_query_error integration_activity "
        "integration_table_activity integration_table_state_change load_detail load_error_detail load_history "
        "mv_refresh_history mv_state procedure_call procedure_messages query_detail query_explain query_history "
        "query_text redshift_template_usage restore_log restore_state schema_quota_violations serverless_usage "
        "session_history spatial_simplify stream_scan_errors stream_scan_states transaction_history udf_log "
        "unload_detail unload_history undone_transactions userlog vacuum_history"
    ).split()
)
"""SYS monitoring views (Amazon Redshift Database Developer Guide)."""


class Names:
    """Qualifies names under a context: Athena's execution context, or Redshift's database and search path."""

    def __init__(self, context: SqlContext, schemas: Schemas) -> None:
        self.context = context
        self.schemas = schemas

    def read(self, parts: Sequence[str]) -> StatementTable:
        """The table that a statement reads, updates or drops under this name."""
        parts = tuple(part.lower() for part in parts)
        if self.context.dialect == "redshift" and len(parts) == 1:
            return self._unqualified_redshift(parts[0])
        return self.created(parts)

    def created(self, parts: Sequence[str], *, temporary: bool = False) -> StatementTable:
        """The table that a statement makes under this name."""
        parts = tuple(part.lower() for part in parts)
        if temporary or (self.context.dialect == "redshift" and _is_temporary(parts)):
            return TemporaryTable(parts[-1])
        match len(parts):
            case 1:
                return TableName(self.context.default_catalog, self.context.default_database, parts[0])
            case 2:
                return TableName(self.context.default_catalog, parts[0], parts[1])
            case 3:
                return TableName(parts[0], parts[1], parts[2])
            case _:
                return TableName(parts[0], parts[1], ".".join(parts[2:]))

    def _unqualified_redshift(self, table: str) -> StatementTable:
        """Temporary tables come before the search path, and system tables are found whatever it is."""
        temporary = TemporaryTable(table)
        if table.startswith("#") or self.schemas.columns(temporary) is not None:
            return temporary
        places = self.context.search_path or (self.context.default_database,)
        candidates = [TableName(self.context.default_catalog, place, table) for place in places if place != "$user"]
        for candidate in candidates:
            if self.schemas.columns(candidate) is not None:
                return candidate
        if table.startswith(_SYSTEM_PREFIXES) or table in _MONITORING_VIEWS:
            return TableName(self.context.default_catalog, "pg_catalog", table)
        return candidates[0] if candidates else self.created((table,))


def _is_temporary(parts: Sequence[str]) -> bool:
    return parts[-1].startswith("#") or "pg_temp" in parts[:-1]


def without_metadata_suffix(table: StatementTable) -> tuple[StatementTable, str]:
    """`db."t$snapshots"` is about table `t`; the suffix says that its columns are not those of `t` ('' without one)."""
    if isinstance(table, TableName):
        base, dollar, suffix = table.table.rpartition("$")
        if dollar and base and suffix in _METADATA_SUFFIXES:
            return TableName(table.catalog, table.database, base), suffix
    return table, ""


class LearnedSchemas:
    """Schemas known from outside, and over them what earlier statements of the same text have taught."""

    def __init__(self, known: Schemas) -> None:
        self._known = known
        self._learned: dict[StatementTable, tuple[Column, ...] | None] = {}

    def columns(self, table: StatementTable) -> tuple[Column, ...] | None:
        if table in self._learned:
            return self._learned[table]
        return self._known.columns(table)

    def learn(self, table: StatementTable, columns: tuple[Column, ...] | None) -> None:
        """A temporary table of unknown columns is still there: it is learned as having none."""
        if columns is None and isinstance(table, TemporaryTable):
            columns = ()
        self._learned[table] = columns

    def forget(self, table: StatementTable) -> None:
        self._learned[table] = None

    def forget_schema(self, dropped: DropSchema) -> None:
        for table in list(self._learned):
            if isinstance(table, TableName) and (table.catalog, table.database) == (dropped.catalog, dropped.schema):
                self.forget(table)

    def rename_schema(self, renamed: RenameSchema) -> None:
        for table in list(self._learned):
            if isinstance(table, TableName) and (table.catalog, table.database) == (renamed.database, renamed.old):
                self.rename(table, TableName(renamed.database, renamed.new, table.table))

    def rename(self, old: StatementTable, new: StatementTable) -> None:
        self._learned[new] = self.columns(old)
        self._learned[old] = None
