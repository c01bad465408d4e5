"""Every URN, container key and ARN that is emitted is built here, as DataHub's own sources build them."""

from __future__ import annotations

from functools import lru_cache
from urllib.parse import quote_plus

from datahub.emitter.mce_builder import (
    make_data_platform_urn,
    make_dataplatform_instance_urn,
    make_dataset_urn_with_platform_instance,
    make_schema_field_urn,
    make_user_urn,
)
from datahub.emitter.mcp_builder import ContainerKey, DatabaseKey, SchemaKey
from datahub.metadata.urns import QueryUrn, TagUrn

from datahub_aws_lineage.model.catalog import Database, Table, Tag
from datahub_aws_lineage.model.names import Dataset

INGESTION_ACTOR = "urn:li:corpuser:_ingestion"
"""Who DataHub names where a log does not say who ran a statement."""

MAX_URN_BYTES = 512
"""Longest URN of an entity (DataHub documentation, "What is an URN"); URNs of fields may be longer."""

_PARTITIONS = (
    ("cn-", "aws-cn"),
    ("us-gov-", "aws-us-gov"),
    ("us-iso-", "aws-iso"),
    ("us-isob-", "aws-iso-b"),
    ("eu-isoe-", "aws-iso-e"),
    ("us-isof-", "aws-iso-f"),
    ("eusc-", "aws-eusc"),
)


_RECENT = 100_000
"""URNs kept: an edge names its two columns several times over, and DataHub checks every character of each."""


@lru_cache(_RECENT)
def dataset_urn(dataset: Dataset, env: str) -> str:
    """The instance keeps its case. It becomes a prefix of the name: `…,prod-eu.sales.orders,PROD)`."""
    return make_dataset_urn_with_platform_instance(
        platform=dataset.platform, name=dataset.name, platform_instance=dataset.instance, env=env
    )


def is_accepted(dataset: Dataset, env: str) -> bool:
    """Whether DataHub's server takes a dataset of this name: it measures the URN as Java encodes it for a URL."""
    return _is_short_enough(dataset_urn(dataset, env))


def _is_short_enough(urn: str) -> bool:
    return len(quote_plus(urn, safe="*").replace("~", "%7E")) <= MAX_URN_BYTES


@lru_cache(_RECENT)
def field_urn(dataset: str, path: str) -> str:
    """`dataset` is the URN of the dataset, `path` the dotted path that `SchemaIndex.field_path` gives."""
    return make_schema_field_urn(dataset, path)


def query_urn(query_id: str) -> str:
    return str(QueryUrn(query_id))


def tag_urn(tag: Tag) -> str | None:
    """As DataHub's `glue` source names a tag of Lake Formation; None where DataHub's server does not take the name.

    >>> tag_urn(Tag("pii", "true"))
    'urn:li:tag:pii:true'
    """
    urn = str(TagUrn(f"{tag.key}:{tag.value}" if tag.value else tag.key))
    return urn if _is_short_enough(urn) else None


def platform_urn(platform: str) -> str:
    return make_data_platform_urn(platform)


def platform_instance_urn(platform: str, instance: str) -> str:
    return make_dataplatform_instance_urn(platform, instance)


def user_urn(actor: str | None) -> str:
    """Who ran or owns something, from a user name or an ARN as the log gives it.

    Of an ARN the last segment stays: a user's name without its path, a role session's name, a role's name.
    Redshift pads user names with blanks; names such as `IAM:alice` stay whole, as DataHub's own source has them.

    >>> user_urn("arn:aws:sts::123456789012:assumed-role/Analyst/alice@example.com")
    'urn:li:corpuser:alice@example.com'
    """
    name = (actor or "").strip()
    if name.startswith("arn:"):
        name = name.split(":", 5)[-1].rstrip("/").rsplit("/", 1)[-1]
    return make_user_urn(name) if name else INGESTION_ACTOR


def glue_arn(region: str, account: str, database: str, table: str | None = None) -> str:
    """The ARN of a database or a table of the Data Catalog.

    Source: AWS Glue Developer Guide, "Specifying AWS Glue resource ARNs".

    >>> glue_arn("eu-central-1", "123456789012", "sales", "orders")
    'arn:aws:glue:eu-central-1:123456789012:table/sales/orders'
    """
    prefix = f"arn:{aws_partition(region)}:glue:{region}:{account}"
    return f"{prefix}:table/{database}/{table}" if table else f"{prefix}:database/{database}"


def aws_partition(region: str) -> str:
    """`aws`, `aws-cn`, `aws-us-gov`, …: told by the region's prefix. Source: botocore's partition metadata."""
    return next((partition for prefix, partition in _PARTITIONS if region.startswith(prefix)), "aws")


def database_key(platform: str, name: str, instance: str | None, env: str) -> DatabaseKey:
    """The container of a Glue database or of a Redshift database (not of its schemas)."""
    return DatabaseKey(platform=platform, instance=instance, env=env, backcompat_env_as_instance=True, database=name)


def schema_key(database: str, name: str, instance: str | None, env: str) -> SchemaKey:
    """The container of a schema of a Redshift database."""
    return SchemaKey(
        platform="redshift",
        instance=instance,
        env=env,
        backcompat_env_as_instance=True,
        database=database,
        schema=name,
    )


def container_key(item: Database | Table, instance: str | None, env: str, *, platform: str = "glue") -> ContainerKey:
    """The container that a database (or Redshift schema) is, or that a table lies in.

    `platform` and `instance` are those of the datasets; that of Redshift's is always the same.
    """
    catalog, name = (item.catalog, item.name) if isinstance(item, Database) else (item.name.catalog, item.name.database)
    if item.platform == "glue":
        return database_key(platform, name, instance, env)
    return schema_key(catalog, name, instance, env)
