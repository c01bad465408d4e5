"""The strict check finds what is broken, one break at a time, and is silent on what is right."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from datahub.emitter.mcp import MetadataChangeProposalWrapper
from datahub.metadata.schema_classes import (
    AuditStampClass,
    BrowsePathEntryClass,
    BrowsePathsV2Class,
    DataPlatformInstanceClass,
    DatasetKeyClass,
    FineGrainedLineageClass,
    GenericAspectClass,
    MetadataChangeProposalClass,
    OtherSchemaClass,
    QueryKeyClass,
    QueryPropertiesClass,
    QuerySubjectClass,
    QuerySubjectsClass,
    SchemaFieldClass,
    SchemaFieldDataTypeClass,
    SchemaMetadataClass,
    StatusClass,
    StringTypeClass,
    SubTypesClass,
    UpstreamClass,
    UpstreamLineageClass,
    _Aspect,
)
from datahub.specific.dataset import DatasetPatchBuilder
from strict_schema import file_problems, problems

TARGET = "urn:li:dataset:(urn:li:dataPlatform:glue,sales.totals,PROD)"
SOURCE = "urn:li:dataset:(urn:li:dataPlatform:s3,lake/sales,PROD)"
USER = "urn:li:corpuser:alice"


def field(dataset: str, path: str) -> str:
    return f"urn:li:schemaField:({dataset},{path})"


def edge(**changes: Any) -> FineGrainedLineageClass:
    parts: dict[str, Any] = {
        "upstreamType": "FIELD_SET",
        "downstreamType": "FIELD",
        "upstreams": [field(SOURCE, "a")],
        "downstreams": [field(TARGET, "b")],
        "confidenceScore": 0.5,
    }
    return FineGrainedLineageClass(**(parts | changes))


def lineage(*edges: FineGrainedLineageClass) -> UpstreamLineageClass:
    return UpstreamLineageClass([UpstreamClass(SOURCE, "COPY")], list(edges))


def schema(*paths: str) -> SchemaMetadataClass:
    fields = [
        SchemaFieldClass(path, SchemaFieldDataTypeClass(StringTypeClass._construct_with_defaults()), "string")
        for path in paths
    ]
    return SchemaMetadataClass("t", "urn:li:dataPlatform:glue", 0, "", OtherSchemaClass(""), fields)


def proposal(aspect: _Aspect, urn: str = TARGET) -> MetadataChangeProposalWrapper:
    return MetadataChangeProposalWrapper(entityUrn=urn, aspect=aspect)


def broken(aspect: _Aspect, name: str, value: Any) -> _Aspect:
    aspect._inner_dict[name] = value
    return aspect


@pytest.mark.parametrize(
    "aspect",
    [
        StatusClass(removed=False),
        lineage(edge()),
        schema("a", "b"),
        lineage(),
        DatasetKeyClass("urn:li:dataPlatform:glue", "sales.totals", "PROD"),
    ],
)
def test_what_is_right_passes(aspect: _Aspect) -> None:
    assert problems(proposal(aspect)) == []


@pytest.mark.parametrize(
    ("item", "said"),
    [
        (proposal(QueryKeyClass("b"), "urn:li:query:a"), "not the key of this URN"),
        (proposal(broken(StatusClass(), "removed", "no")), "is no boolean"),
        (proposal(broken(StatusClass(), "removed", None)), "is no boolean"),
        (proposal(broken(StatusClass(), "extra", 1)), "has no field extra"),
        (proposal(SubTypesClass(typeNames="Table")), "is no array"),  # type: ignore[arg-type]
        (proposal(SubTypesClass(typeNames=[1])), "is no string"),  # type: ignore[list-item]
        (proposal(QuerySubjectsClass([QuerySubjectClass(TARGET)])), "a dataset has no aspect querySubjects"),
        (proposal(StatusClass(), "urn:li:dataset:(urn:li:dataPlatform:glue,sales.totals)"), "no URN"),
        (proposal(StatusClass(), TARGET.replace("PROD", "PRODUCTION")), "unknown environment"),
        (proposal(StatusClass(), TARGET.replace("glue", "gleu")), "unknown platform"),
        (proposal(StatusClass(), TARGET.replace("totals", "t" * 440)), "longer than 512 bytes"),
        (proposal(StatusClass(), "urn:li:container:sales"), "no GUID"),
        (proposal(DataPlatformInstanceClass(TARGET)), "is no dataPlatform"),
        (proposal(DataPlatformInstanceClass("glue")), "no URN: 'glue'"),
        (proposal(lineage(edge(upstreams=["a"]))), "no URN: 'a'"),
        (proposal(lineage(edge(upstreams=[]))), "a column edge without upstreams"),
        (proposal(lineage(edge(upstreams=[field(TARGET, "a")]))), "is a field of no upstream"),
        (proposal(lineage(edge(upstreams=[field(SOURCE, "[version=2.0].[type=int].a")]))), "not a simple field path"),
        (proposal(lineage(edge(downstreams=[field(SOURCE, "a")]))), "is a field of another dataset"),
        (proposal(lineage(edge(downstreams=[field(TARGET, "a"), field(TARGET, "b")]))), "2 downstreams"),
        (proposal(lineage(edge(confidenceScore=1.5))), "confidence 1.5"),
        (proposal(lineage(edge(), edge())), "two entries under one patch key"),
        (proposal(lineage(edge(upstreamType="FIELD"))), "is no enum"),
        (proposal(lineage(edge(query=TARGET))), "is no query"),
        (proposal(UpstreamLineageClass([UpstreamClass("urn:li:container:" + "0" * 32, "COPY")])), "is none of"),
        (proposal(UpstreamLineageClass([UpstreamClass(SOURCE, "COPIED")])), "is no enum"),
        (proposal(UpstreamLineageClass([])), "no upstreams"),
        (proposal(UpstreamLineageClass([UpstreamClass(SOURCE, "COPY")] * 2)), "an upstream stands twice"),
        (proposal(UpstreamLineageClass([UpstreamClass(SOURCE, "COPY", AuditStampClass(1772, USER))])), "is no time in"),
        (proposal(BrowsePathsV2Class([BrowsePathEntryClass("urn:li:container:x")])), "no GUID"),
        (proposal(schema("a", "a")), "a field path stands twice"),
        (proposal(schema("a", " ")), "an empty field path"),
    ],
)
def test_what_is_broken_is_found(item: MetadataChangeProposalWrapper, said: str) -> None:
    found = problems(item)
    assert any(said in problem for problem in found), found


def patch(build: Callable[[DatasetPatchBuilder], object]) -> MetadataChangeProposalClass:
    builder = DatasetPatchBuilder(TARGET)
    build(builder)
    return builder.build()[0]


def upstream_twice(builder: DatasetPatchBuilder) -> None:
    for _ in range(2):
        builder.add_upstream_lineage(UpstreamClass(SOURCE, "COPY"))


def edge_of_another_upstream(builder: DatasetPatchBuilder) -> None:
    builder.add_upstream_lineage(UpstreamClass(TARGET, "COPY"))
    builder.add_fine_grained_lineage(edge())


def column_path(*parts: str) -> str:
    return "/" + "/".join(["fineGrainedLineages", *map(DatasetPatchBuilder.quote, (*parts, field(SOURCE, "a")))])


def patched(**changes: Any) -> MetadataChangeProposalClass:
    """A patch of one column edge with its only operation changed."""
    made = patch(lambda builder: builder.add_fine_grained_lineage(edge()))
    assert isinstance(made.aspect, GenericAspectClass)
    operation = json.loads(made.aspect.value)[0] | changes
    made.aspect.value = json.dumps([operation]).encode()
    return made


@pytest.mark.parametrize(
    "item",
    [
        patch(lambda builder: builder.add_upstream_lineage(UpstreamClass(SOURCE, "COPY"))),
        patch(
            lambda builder: builder.add_fine_grained_lineage(edge(query="urn:li:query:ab", transformOperation="a/b"))
        ),
        patch(lambda builder: builder.remove_upstream_lineage(SOURCE).remove_fine_grained_lineage(edge())),
        patch(lambda builder: builder.add_custom_property("a", "b")),
    ],
)
def test_patches_that_are_right_pass(item: MetadataChangeProposalClass) -> None:
    assert problems(item) == []


@pytest.mark.parametrize(
    ("item", "said"),
    [
        (patched(op="put"), "no JSON patch operation"),
        (patched(path="fineGrainedLineages/a"), "must start with '/'"),
        (patched(path="/fineGrainedLineages//a/b/c"), "empty component"),
        (patched(path="/fineLineages/a"), "UpstreamLineage has no field fineLineages"),
        (patched(path=column_path("SUM(a/b)", field(TARGET, "b"), "NONE").replace("~1b", "/b")), "6 parts"),
        (patched(path=column_path("X", field(SOURCE, "b"), "NONE")), "another dataset"),
        (patched(path=column_path("X", field(TARGET, "b"), "q")), "no URN: 'q'"),
        (patched(path=column_path("X", TARGET[:-1], "NONE")), "no URN"),
        (patched(value={"confidence": 1.0}), "no confidence"),
        (patched(value={"confidenceScore": 1.5}), "no confidence"),
        (patched(op="remove", path="/upstreams", value={}), "more or less than one edge"),
        (patch(upstream_twice), "two operations on"),
        (patch(edge_of_another_upstream), "is a field of no upstream"),
        (patched(path=f"/upstreams/{TARGET}", value=UpstreamClass(SOURCE, "COPY").to_obj()), "under the key"),
        (
            patched(
                path=f"/upstreams/{DatasetPatchBuilder.quote(SOURCE)}",
                value={"dataset": SOURCE, "type": "COPY", "more": 1},
            ),
            "unknown field",
        ),
    ],
)
def test_patches_that_are_broken_are_found(item: MetadataChangeProposalClass, said: str) -> None:
    found = problems(item)
    assert any(said in problem for problem in found), found


def written(tmp_path: Path, change: Callable[[dict[str, Any]], object]) -> list[str]:
    good = [proposal(lineage(edge())).to_obj(simplified_structure=True)]
    changed = copy.deepcopy(good)
    change(changed[0])
    path = tmp_path / "proposals.json"
    path.write_text(json.dumps(good + changed), encoding="utf-8")
    found = file_problems(path)
    assert all(problem.startswith("[1]") for problem in found), found
    return found


def test_a_file_that_is_right_passes(tmp_path: Path) -> None:
    assert written(tmp_path, lambda _: None) == []


@pytest.mark.parametrize(
    "change",
    [
        lambda item: item.pop("entityUrn"),
        lambda item: item.update(entityType="table"),
        lambda item: item.update(entityType="query"),
        lambda item: item.update(aspectName="lineage"),
        lambda item: item.update(changeType="MERGE"),
        lambda item: item.update(comment="more"),
        lambda item: item["aspect"]["json"].update(comment="more"),
        lambda item: item["aspect"]["json"]["upstreams"][0].update(comment="more"),
        lambda item: item["aspect"]["json"]["upstreams"][0].pop("dataset"),
        lambda item: item["aspect"]["json"]["upstreams"][0]["auditStamp"].update(time="today"),
        lambda item: item["aspect"]["json"]["fineGrainedLineages"][0].update(upstreams="all"),
        lambda item: item.update(proposedSnapshot={}),
    ],
)
def test_a_file_that_is_broken_is_found(tmp_path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    assert written(tmp_path, change)


def test_an_audit_stamp_by_no_one_is_found() -> None:
    query = QueryPropertiesClass._construct_with_defaults()
    assert problems(proposal(query, "urn:li:query:ab"))
