"""Containers: Glue databases, and Redshift databases with their schemas, under the GUIDs of DataHub's own sources."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from datahub.emitter.mce_builder import make_ts_millis
from datahub.emitter.mcp import MetadataChangeProposalWrapper
from datahub.emitter.mcp_builder import ContainerKey, gen_containers
from datahub.ingestion.source.common.subtypes import DatasetContainerSubTypes

from datahub_aws_lineage.emit.urns import container_key, database_key, glue_arn
from datahub_aws_lineage.model.catalog import Database


class Containers:
    """Builds containers in the order they come; a Redshift database before the first of its schemas, once.

    `region` is that of the Data Catalog, for ARNs.
    """

    def __init__(self, *, env: str, region: str) -> None:
        self._env = env
        self._region = region
        self._emitted: set[str] = set()

    def proposals(
        self, database: Database, instance: str | None, *, platform: str = "glue"
    ) -> Iterator[MetadataChangeProposalWrapper]:
        """`platform` and `instance` are those of the datasets of the catalog or warehouse."""
        parent: ContainerKey | None = None
        if database.platform == "redshift":
            parent = database_key("redshift", database.catalog, instance, self._env)
            if parent.guid() not in self._emitted:
                self._emitted.add(parent.guid())
                yield from _build(parent, Database("redshift", database.catalog, database.catalog), None, None)
        key = container_key(database, instance, self._env, platform=platform)
        yield from _build(key, database, parent, self._qualified_name(database))

    def _qualified_name(self, database: Database) -> str | None:
        if database.platform == "redshift" or database.catalog_id is None:
            return None
        return glue_arn(self._region, database.catalog_id, database.name)


def _build(
    key: ContainerKey, database: Database, parent: ContainerKey | None, qualified_name: str | None
) -> Iterator[MetadataChangeProposalWrapper]:
    work_units = gen_containers(
        container_key=key,
        name=database.name,
        sub_types=[DatasetContainerSubTypes.SCHEMA if parent else DatasetContainerSubTypes.DATABASE],
        parent_container_key=parent,
        extra_properties=_properties(database),
        description=database.description,
        qualified_name=qualified_name,
        created=make_ts_millis(database.created_at),
    )
    # `gen_containers` wraps each proposal in a work unit, as it wraps nothing else.
    yield from (cast("MetadataChangeProposalWrapper", work_unit.metadata) for work_unit in work_units)


def _properties(database: Database) -> dict[str, str]:
    """By Glue's own names, as DataHub's `glue` source has them; a database link says where it leads."""
    properties = dict(database.parameters)
    if database.location:
        properties["LocationUri"] = database.location
    if database.link:
        properties["TargetDatabase"] = f"{database.link.catalog_id}:{database.link.database}"
    return properties
