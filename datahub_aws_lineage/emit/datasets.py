"""Datasets: tables and views of a catalog, and what lineage alone knows, such as S3 locations."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from functools import partial

from datahub.emitter.mce_builder import make_ts_millis
from datahub.emitter.mcp import MetadataChangeProposalWrapper
from datahub.ingestion.source.common.subtypes import DatasetSubTypes
from datahub.metadata.schema_classes import (
    AuditStampClass,
    ContainerClass,
    DataPlatformInstanceClass,
    DatasetPropertiesClass,
    SchemaFieldClass,
    SchemaMetadataClass,
    StatusClass,
    SubTypesClass,
    TimeStampClass,
    ViewPropertiesClass,
    _Aspect,
)

from datahub_aws_lineage.emit.schemas import UNKNOWN_TYPE, schema_fields, schema_metadata, simple_path
from datahub_aws_lineage.emit.stored import StoredDataset
from datahub_aws_lineage.emit.tags import column_tags
from datahub_aws_lineage.emit.urns import (
    INGESTION_ACTOR,
    container_key,
    dataset_urn,
    glue_arn,
    platform_instance_urn,
    platform_urn,
)
from datahub_aws_lineage.model.catalog import Column, LinkTarget, Table
from datahub_aws_lineage.model.names import Dataset
from datahub_aws_lineage.model.ports import Diagnostics

_OWN_SCHEMA = "columns that lineage names"
"""Tells a schema of this source's making from one that another source has read."""


def table_proposals(
    table: Table,
    dataset: Dataset,
    *,
    env: str,
    region: str,
    diagnostics: Diagnostics,
) -> Iterator[MetadataChangeProposalWrapper]:
    """The aspects that describe a catalog table or view; `dataset` is what the resolver names it.

    The container comes first: DataHub derives browse paths from it within the run of proposals of one dataset.
    """
    aspects: tuple[_Aspect | None, ...] = (
        ContainerClass(container=container_key(table, dataset.instance, env, platform=dataset.platform).as_urn()),
        StatusClass(removed=False),
        SubTypesClass(typeNames=[DatasetSubTypes.VIEW if table.is_view else DatasetSubTypes.TABLE]),
        _properties(table, dataset, region),
        schema_metadata(dataset, schema_fields(table, diagnostics, partial(column_tags, table)))
        if table.columns is not None
        else None,
        _view_properties(table),
        _platform_instance(dataset),
    )
    yield from MetadataChangeProposalWrapper.construct_many(
        entityUrn=dataset_urn(dataset, env), aspects=[aspect for aspect in aspects if aspect is not None]
    )


def open_proposals(
    dataset: Dataset, fields: list[SchemaFieldClass], stored: StoredDataset | None, *, env: str
) -> Iterator[MetadataChangeProposalWrapper]:
    """An S3 location, or a table of a warehouse whose catalog is not read, with the `fields` that lineage names.

    A status, a name and its platform make it a node of DataHub's lineage graph, which hides datasets that do not
    exist; the fields let the graph draw column edges, which it hides where a dataset's schema lacks the field.

    What `stored` has stays: properties of another source, and fields that earlier runs or another source know. None
    says that this could not be found out; then nothing is said that could take its place.
    """
    aspects: list[_Aspect] = [StatusClass(removed=False)]
    if stored is not None and not stored.described:
        aspects += [_open_properties(dataset), _platform_instance(dataset)]
    if stored is not None:
        aspects += _open_schema(dataset, fields, stored.schema)
    yield from MetadataChangeProposalWrapper.construct_many(entityUrn=dataset_urn(dataset, env), aspects=aspects)


def _open_properties(dataset: Dataset) -> DatasetPropertiesClass:
    on_s3 = dataset.platform == "s3"
    return DatasetPropertiesClass(
        name=dataset.name.rpartition("/" if on_s3 else ".")[2],
        qualifiedName=f"s3://{dataset.name}" if on_s3 else dataset.name,
    )


def _open_schema(
    dataset: Dataset, fields: list[SchemaFieldClass], stored: SchemaMetadataClass | None
) -> Iterator[SchemaMetadataClass]:
    if stored is not None and stored.created.message != _OWN_SCHEMA:
        further = _not_among(fields, stored.fields)
        if further:
            stored.fields = [*stored.fields, *further]
            yield stored
    elif fields:
        schema = schema_metadata(dataset, [*fields, *_not_among(stored.fields if stored else [], fields)])
        schema.created = AuditStampClass(time=0, actor=INGESTION_ACTOR, message=_OWN_SCHEMA)
        yield schema


def stored_columns(schema: SchemaMetadataClass | None) -> tuple[Column, ...] | None:
    """The columns of a table that another source has read, in their order; None where none has.

    What lineage alone has added to them is not taken for a column.
    """
    if schema is None or schema.created.message == _OWN_SCHEMA:
        return None
    fields = [(simple_path(field), field.nativeDataType) for field in schema.fields]
    return tuple(Column(path, kind) for path, kind in fields if "." not in path and kind != UNKNOWN_TYPE) or None


def _not_among(fields: list[SchemaFieldClass], others: list[SchemaFieldClass]) -> list[SchemaFieldClass]:
    known = {simple_path(field).lower() for field in others}
    return [field for field in fields if simple_path(field).lower() not in known]


def schema_proposals(
    dataset: Dataset, fields: list[SchemaFieldClass], *, env: str
) -> Iterator[MetadataChangeProposalWrapper]:
    """The schema of a dataset whose catalog does not list its columns; nothing where no field is known."""
    if fields:
        yield MetadataChangeProposalWrapper(
            entityUrn=dataset_urn(dataset, env), aspect=schema_metadata(dataset, fields)
        )


def _properties(table: Table, dataset: Dataset, region: str) -> DatasetPropertiesClass:
    return DatasetPropertiesClass(
        name=table.name.table,
        qualifiedName=_qualified_name(table, dataset, region),
        description=table.description,
        customProperties=_custom_properties(table),
        created=_timestamp(table.created_at),
        lastModified=_timestamp(table.updated_at),
    )


def _qualified_name(table: Table, dataset: Dataset, region: str) -> str | None:
    """An ARN for Glue, `database.schema.table` for Redshift, as DataHub's own sources have it."""
    if table.platform == "redshift":
        return dataset.name
    if table.catalog_id is None:
        return None
    return glue_arn(region, table.catalog_id, table.name.database, table.name.table)


def _custom_properties(table: Table) -> dict[str, str]:
    """The catalog's parameters as they are; what this package adds goes by the names that DataHub's sources use.

    Those are Glue's own spelling (`Location`, as in the API) and lower case for Redshift. The owner is told here, and
    not as DataHub's ownership, which people maintain.
    """
    if table.platform == "redshift":
        added = {"location": table.location, "table_type": table.table_type, "owner": table.owner}
    else:
        stored = not table.is_view and table.link is None
        added = {
            "Location": table.location,
            "TableType": table.table_type,
            "TableFormat": table.format if stored else None,
            "Owner": table.owner,
            "TargetTable": _target(table.link) if table.link else None,
        }
    return {**table.parameters, **{name: value for name, value in added.items() if value}}


def _target(link: LinkTarget) -> str:
    return f"{link.catalog_id}:{link.database}.{link.table}"


def _view_properties(table: Table) -> ViewPropertiesClass | None:
    view = table.view
    if view is None:
        return None
    return ViewPropertiesClass(materialized=view.materialized, viewLogic=view.original or view.sql, viewLanguage="SQL")


def _platform_instance(dataset: Dataset) -> DataPlatformInstanceClass:
    instance = platform_instance_urn(dataset.platform, dataset.instance) if dataset.instance else None
    return DataPlatformInstanceClass(platform=platform_urn(dataset.platform), instance=instance)


def _timestamp(moment: datetime | None) -> TimeStampClass | None:
    return TimeStampClass(time=make_ts_millis(moment)) if moment is not None else None
