"""Tags of Lake Formation as DataHub's tags, named as DataHub's own `glue` source names them.

Those of databases and tables are patched in: `globalTags` is where people put theirs. Those of columns stand in
`schemaMetadata`, which is this source's own; people's are in `editableSchemaMetadata`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from datahub.emitter.mcp import MetadataChangeProposalWrapper
from datahub.emitter.mcp_patch_builder import UNIT_SEPARATOR, MetadataPatchProposal
from datahub.ingestion.api.workunit import MetadataWorkUnit
from datahub.metadata.schema_classes import (
    ChangeTypeClass,
    GlobalTagsClass,
    MetadataAttributionClass,
    TagAssociationClass,
    TagKeyClass,
    TagPropertiesClass,
)
from datahub.metadata.urns import TagUrn

from datahub_aws_lineage.emit.stored import Stored
from datahub_aws_lineage.emit.urns import INGESTION_ACTOR, platform_urn, tag_urn
from datahub_aws_lineage.emit.work_units import WorkUnits, mentioned
from datahub_aws_lineage.errors import RetriableError
from datahub_aws_lineage.model.catalog import AssignedTags, Column, Table, Tag
from datahub_aws_lineage.model.ports import Diagnostics

SOURCE = platform_urn("glue")
"""Whom the tags are attributed to, which tells them from those of people and of other sources."""

_UNLESS_THERE = {"If-None-Match": "*"}


class Tags:
    """Emits what tags are assigned, and each tag itself once. No tag is ever removed: others may use it.

    `stored` asks DataHub, where it can be asked, whether somebody has described a tag.
    """

    def __init__(self, diagnostics: Diagnostics, stored: Stored | None) -> None:
        self._diagnostics = diagnostics
        self._stored = stored
        self._known: set[Tag] = set()

    def work_units(self, urn: str, assigned: AssignedTags | None) -> WorkUnits:
        """The tags of one dataset or container, and those of its columns as entities; what is not known stays."""
        if assigned is None:
            return
        for tag in (*assigned.own, *(tag for tags in assigned.of_columns.values() for tag in tags)):
            if tag not in self._known:
                self._known.add(tag)
                yield from mentioned(self._entity(tag))
        yield own_tags_unit(urn, assigned.own)

    def _entity(self, tag: Tag) -> Iterator[MetadataChangeProposalWrapper]:
        """Properties are proposed where there are none, for people give tags their colour and description."""
        urn = tag_urn(tag)
        if urn is None:
            self._diagnostics.skipped("unsupported", "tag with a long name", f"{tag.key}={tag.value}")
            return
        name = TagUrn.from_string(urn).name
        yield MetadataChangeProposalWrapper(entityUrn=urn, aspect=TagKeyClass(name=name))
        if not self._may_be_described(urn):
            yield MetadataChangeProposalWrapper(
                entityUrn=urn,
                aspect=TagPropertiesClass(name=f"{tag.key}:{tag.value}" if tag.value else tag.key),
                changeType=ChangeTypeClass.CREATE,
                headers=_UNLESS_THERE,
            )

    def _may_be_described(self, urn: str) -> bool:
        """Asked although a proposal to create replaces nothing: sent through OpenAPI, it is one like any other."""
        try:
            return self._stored is not None and self._stored(urn).described
        except RetriableError:
            return True


def column_tags(table: Table, column: Column) -> GlobalTagsClass | None:
    tags = table.tags.of_columns.get(column.name.lower(), ()) if table.tags is not None else ()
    urns = _urns(tags)
    return GlobalTagsClass([TagAssociationClass(urn) for urn in urns]) if urns else None


def own_tags_unit(urn: str, tags: Iterable[Tag]) -> MetadataWorkUnit:
    """Says that of all tags which this source gives a dataset or container, it has these alone."""
    patch = _OwnTags(urn)
    patch.state(_urns(tags))
    (made,) = patch.build()
    return MetadataWorkUnit(MetadataWorkUnit.generate_workunit_id(made), mcp_raw=made)


class _OwnTags(MetadataPatchProposal):
    """A patch of `globalTags` by source and tag, as DataHub's own HasTagsPatch, which adds one after the other.

    This one sets all that a source says, so that no question is needed to take back what it does not say any more.
    """

    def state(self, urns: Iterable[str]) -> None:
        attribution = MetadataAttributionClass(time=0, actor=INGESTION_ACTOR, source=SOURCE)
        keys = {"tags": [f"attribution{UNIT_SEPARATOR}source", "tag"]}
        told = {urn: TagAssociationClass(urn, attribution=attribution).to_obj() for urn in urns}
        self._add_patch(GlobalTagsClass.ASPECT_NAME, "add", ("tags", SOURCE), told, keys)


def _urns(tags: Iterable[Tag]) -> list[str]:
    return [urn for urn in map(tag_urn, tags) if urn is not None]
