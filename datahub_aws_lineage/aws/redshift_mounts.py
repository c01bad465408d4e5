"""External schemas and datashare databases: what a name in Redshift stands for elsewhere.

Sources: Amazon Redshift Database Developer Guide, r_SVV_EXTERNAL_SCHEMAS (`eskind`, `esoptions`),
r_CREATE_EXTERNAL_SCHEMA, r_SVV_REDSHIFT_DATABASES (`database_options`), r_SVV_DATASHARES.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

from datahub_aws_lineage.aws.redshift_data import Value
from datahub_aws_lineage.model.catalog import ExternalSchema, ExternalSchemaKind

_KINDS: dict[int, ExternalSchemaKind] = {
    1: "data_catalog",
    2: "hive",
    3: "postgres",
    4: "redshift",  # a database of this warehouse
    5: "redshift",  # a database made from another warehouse's datashare, under its local name
    6: "system",
    8: "mysql",
    9: "kinesis",
    10: "kafka",  # Amazon MSK, or any other Kafka
}
_KEPT_OPTIONS = frozenset({"CATALOG_ID", "PORT", "REGION", "SCHEMA", "URI"})
"""What tells which source it is. Roles and secrets are left behind."""

_PAIR = re.compile(r'"(\w+)"\s*:\s*(?:"((?:[^"\\]|\\.)*)"|(\d+))')
_CUT_NAMESPACE = re.compile(r'"datashare_producer_namespace"\s*:\s*"([^"]+)$')

_Row = Mapping[str, Value]


def parse_external_schema(database: str, row: _Row) -> ExternalSchema:
    """One row of SVV_EXTERNAL_SCHEMAS, of the connected `database`."""
    options = {name.upper(): value for name, value in parse_options(str(row["esoptions"] or "")).items()}
    return ExternalSchema(
        database=database.lower(),
        schema=str(row["schemaname"]).lower(),
        kind=_KINDS.get(int(row["eskind"] or 0), "other"),
        source_database=str(row["databasename"]) if row["databasename"] else None,
        source_schema=options.get("SCHEMA"),
        options={name: value for name, value in options.items() if name in _KEPT_OPTIONS},
    )


def parse_datashare(row: _Row, inbound: Sequence[_Row]) -> ExternalSchema:
    """One shared database. `inbound` (SVV_DATASHARES) completes what the 128 characters of its options cut off.

    `source_database` stays None where no row tells it: AWS shows a producer's database to the producer.
    """
    text = str(row["database_options"] or "")
    options = parse_options(text)
    cut = _CUT_NAMESPACE.search(text)
    namespace = options.get("datashare_producer_namespace") or (cut[1] if cut else "")
    matches = [
        share
        for share in inbound
        if share["share_name"] == options.get("datashare_name")
        and str(share["producer_namespace"]).startswith(namespace)
    ]
    source_database = None
    if len(matches) == 1:
        options["datashare_producer_namespace"] = str(matches[0]["producer_namespace"])
        if matches[0]["producer_account"]:
            options["datashare_producer_account"] = str(matches[0]["producer_account"])
        source_database = str(matches[0]["source_database"]) if matches[0]["source_database"] else None
    return ExternalSchema(
        database=str(row["database_name"]).lower(),
        schema=None,
        kind="datashare",
        source_database=source_database,
        options=options,
    )


def parse_options(text: str) -> dict[str, str]:
    """The members of a JSON object, as text; those that are whole where the object is cut.

    >>> parse_options('{"datashare_name":"sales","datashare_producer_acc')
    {'datashare_name': 'sales'}
    """
    try:
        value = json.loads(text)
    except ValueError:
        return {name: string or number for name, string, number in _PAIR.findall(text)}
    return {str(name): str(member) for name, member in value.items()} if isinstance(value, dict) else {}
