"""Every SQL text that is run on a warehouse, constant to the letter; what varies is a named parameter.

Sources: pages of the Amazon Redshift Database Developer Guide (https://docs.aws.amazon.com/redshift/latest/dg/),
named at each text. All of it runs on provisioned clusters and on serverless work groups. STL, STV and SVL views are not
used: serverless and multi-AZ clusters refuse them. Each begins with `OWN_STATEMENT_MARK`.
"""

from __future__ import annotations

from typing import Final

VISIBILITY: Final = """/* datahub-aws-lineage */
SELECT user_name, superuser, syslog_access
FROM svv_user_info
WHERE user_name = current_user"""
"""Who is asking, and does it see other users' statements? r_SVV_USER_INFO, c_visibility-of-data.

`syslog_access` is RESTRICTED or UNRESTRICTED. A regular user sees its own row of this view, so one row comes.
"""

RETENTION: Final = """/* datahub-aws-lineage */
SELECT MIN(start_time) AS oldest, GETDATE() AS now
FROM sys_query_history"""
"""How far back the history reaches, by the warehouse's own clock (UTC). SYS_QUERY_HISTORY, r_GETDATE."""

USERS: Final = """/* datahub-aws-lineage */
SELECT usesysid AS user_id, usename AS user_name
FROM pg_user
ORDER BY usesysid"""
"""Names by user id. PG_USER is visible to all, whereas a regular user finds only itself in SVV_USER_INFO."""

ROLLED_BACK: Final = """/* datahub-aws-lineage */
SELECT transaction_id
FROM sys_transaction_history
WHERE status = 'rolledback'
  AND transaction_start_time >= DATEADD(day, -1, CAST(:window_start AS timestamp))
  AND transaction_start_time < CAST(:window_end AS timestamp)
ORDER BY transaction_id"""
"""Transactions that came to nothing. SYS_TRANSACTION_HISTORY, for superusers only.

A transaction can begin before the window in which its statements run: a day is allowed for that.
"""

HISTORY: Final = """/* datahub-aws-lineage */
SELECT q.query_id, q.session_id, q.transaction_id, q.user_id,
  TRIM(q.database_name) AS database_name, TRIM(q.query_type) AS query_type, TRIM(q.status) AS status,
  q.start_time, q.end_time, t.sequence, RTRIM(t.text) AS text
FROM sys_query_history AS q
LEFT JOIN sys_query_text AS t ON t.query_id = q.query_id AND q.status = 'success'
WHERE q.user_id > 1
  AND q.start_time >= CAST(:window_start AS timestamp)
  AND q.start_time < CAST(:window_end AS timestamp)
ORDER BY q.start_time, q.query_id, t.sequence"""
"""Statements that began in a window, in time order, one row for each 4,000 characters of text.

SYS_QUERY_HISTORY, SYS_QUERY_TEXT. A statement that did not succeed comes as one row without text, to be counted.
No query type is left out: SET search_path, BEGIN, COMMIT and ROLLBACK are UTILITY like much that is noise, and the
page does not say which type SELECT INTO has. User 1 is the service itself (`user_id > 1`, c_visibility-of-data).
RTRIM keeps the padding of the CHAR column out of the result; whoever joins the rows pads them again.
"""

SCHEMAS: Final = """/* datahub-aws-lineage */
SELECT schema_name, schema_type, source_database
FROM svv_all_schemas
WHERE database_name = :database_name AND LEFT(schema_name, 3) <> 'pg_'
ORDER BY schema_name"""
"""Schemas of one database: local, external, shared. r_SVV_ALL_SCHEMAS."""

TABLES: Final = """/* datahub-aws-lineage */
SELECT schema_name, table_name, table_type, remarks
FROM svv_all_tables
WHERE database_name = :database_name AND LEFT(schema_name, 3) <> 'pg_'
ORDER BY schema_name, table_name"""
"""Tables and views of one database, external tables included. r_SVV_ALL_TABLES."""

COLUMNS: Final = """/* datahub-aws-lineage */
SELECT schema_name, table_name, column_name, data_type,
  character_maximum_length, numeric_precision, numeric_scale, remarks
FROM svv_all_columns
WHERE database_name = :database_name AND LEFT(schema_name, 3) <> 'pg_'
ORDER BY schema_name, table_name, ordinal_position"""
"""Columns of tables, external tables and bound views of one database. r_SVV_ALL_COLUMNS."""

LATE_BINDING_COLUMNS: Final = """/* datahub-aws-lineage */
SELECT view_schema, view_name, col_name, col_type
FROM pg_get_late_binding_view_cols()
  cols(view_schema name, view_name name, col_name name, col_type varchar, col_num int)
ORDER BY view_schema, view_name, col_num"""
"""Columns of the connected database's late-binding views, which SVV_ALL_COLUMNS lacks.

PG_GET_LATE_BINDING_VIEW_COLS.
"""

VIEWS: Final = """/* datahub-aws-lineage */
SELECT schema_name, view_name, owner_name,
  CASE WHEN OCTET_LENGTH(definition) <= 60000 THEN definition END AS definition
FROM (
  SELECT n.nspname AS schema_name, c.relname AS view_name, PG_GET_USERBYID(c.relowner) AS owner_name,
    PG_GET_VIEWDEF(c.oid, true) AS definition
  FROM pg_class AS c
  JOIN pg_namespace AS n ON n.oid = c.relnamespace
  WHERE c.relkind = 'v' AND LEFT(n.nspname, 3) <> 'pg_'
) AS views
ORDER BY schema_name, view_name"""
"""SQL of the connected database's views: PG_VIEWS' own source, c_intro_catalog_views.

A bound view gives its query, a late-binding or materialized view the whole CREATE statement. (STV_MV_INFO and
SVV_MV_INFO hold no text.) The Data API refuses a whole result for one row above 64 KB (data-api-troubleshooting in the
Management Guide), so a longer definition comes as NULL and is read in pieces (`LONG_VIEW`).
"""

LONG_VIEW: Final = """/* datahub-aws-lineage */
SELECT SUBSTRING(PG_GET_VIEWDEF(c.oid, true), CAST(:first_character AS integer), 15000) AS piece
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind = 'v' AND n.nspname = :schema_name AND c.relname = :view_name
ORDER BY c.oid"""
"""15,000 characters of one view's SQL, at most 60,000 bytes, from a character on, counted from 1. r_SUBSTRING."""

MATERIALIZED_VIEWS: Final = """/* datahub-aws-lineage */
SELECT TRIM(schema_name) AS schema_name, TRIM(name) AS view_name
FROM svv_mv_info
WHERE TRIM(database_name) = :database_name
ORDER BY schema_name, view_name"""
"""Which views are materialized. r_SVV_MV_INFO."""

EXTERNAL_TABLES: Final = """/* datahub-aws-lineage */
SELECT schemaname, tablename, location
FROM svv_external_tables
WHERE redshift_database_name = :database_name
ORDER BY schemaname, tablename"""
"""Where external tables lie. r_SVV_EXTERNAL_TABLES."""

EXTERNAL_SCHEMAS: Final = """/* datahub-aws-lineage */
SELECT schemaname, eskind, databasename, esoptions
FROM svv_external_schemas
ORDER BY schemaname"""
"""External schemas of the connected database. r_SVV_EXTERNAL_SCHEMAS."""

LOCAL_DATABASES: Final = """/* datahub-aws-lineage */
SELECT database_name
FROM svv_redshift_databases
WHERE database_type = 'local' AND database_name NOT IN ('padb_harvest', 'template0', 'template1')
ORDER BY database_name"""
"""The warehouse's own databases but for the service's, those that the login may use. r_SVV_REDSHIFT_DATABASES."""

SHARED_DATABASES: Final = """/* datahub-aws-lineage */
SELECT database_name, database_options
FROM svv_redshift_databases
WHERE database_type = 'shared'
ORDER BY database_name"""
"""Databases made from a datashare. r_SVV_REDSHIFT_DATABASES; `database_options` is JSON, cut at 128 characters."""

INBOUND_DATASHARES: Final = """/* datahub-aws-lineage */
SELECT TRIM(consumer_database) AS consumer_database, TRIM(share_name) AS share_name,
  TRIM(source_database) AS source_database, TRIM(producer_account) AS producer_account,
  TRIM(producer_namespace) AS producer_namespace
FROM svv_datashares
WHERE share_type = 'INBOUND'
ORDER BY share_name, producer_namespace"""
"""Whose datashares they are, uncut. r_SVV_DATASHARES: superusers, owners and users with USAGE or ALTER see rows."""

OUTBOUND_DATASHARES: Final = """/* datahub-aws-lineage */
SELECT TRIM(share_name) AS share_name, TRIM(source_database) AS source_database,
  TRIM(producer_namespace) AS producer_namespace
FROM svv_datashares
WHERE share_type = 'OUTBOUND'
ORDER BY share_name"""
"""The warehouse's own datashares, and the namespace that consumers know it by. r_SVV_DATASHARES."""

PROBE: Final = """/* datahub-aws-lineage */
SELECT current_user AS user_name"""
"""The least that shows a login to work."""

PROBE_HISTORY: Final = """/* datahub-aws-lineage */
SELECT q.query_id, t.sequence
FROM sys_query_history AS q
LEFT JOIN sys_query_text AS t ON t.query_id = q.query_id
LIMIT 1"""

PROBE_CATALOG: Final = """/* datahub-aws-lineage */
SELECT schema_name
FROM svv_all_schemas
LIMIT 1"""
