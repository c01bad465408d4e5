"""A strict check of metadata change proposals, far beyond `datahub check metadata-file`.

It needs nothing but the installed `acryl-datahub`: the aspects an entity may carry come from its generated key classes,
types from each aspect's Avro schema, and which strings are URNs, of which entities, from that schema's annotations.

`problems(item)` takes whatever a source or a sink holds: a work unit, a proposal (whole or patch), a snapshot event;
`file_problems(path)` the file sink's output. Both return sentences; nothing found is an empty list.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import quote_plus

from avro.errors import AvroException
from avro.schema import (
    ArraySchema,
    EnumSchema,
    MapSchema,
    PrimitiveSchema,
    RecordSchema,
    Schema,
    UnionSchema,
)
from avrogen.dict_wrapper import DictWrapper
from datahub.emitter.mce_builder import ALL_ENV_TYPES
from datahub.emitter.mcp import MetadataChangeProposalWrapper
from datahub.emitter.mcp_patch_builder import parse_patch_path
from datahub.ingestion.api.workunit import MetadataWorkUnit
from datahub.metadata.schema_classes import (
    ASPECT_NAME_MAP,
    KEY_ASPECTS,
    ChangeTypeClass,
    DataPlatformInstanceClass,
    FineGrainedLineageClass,
    MetadataChangeEventClass,
    MetadataChangeProposalClass,
    SchemaMetadataClass,
    TagAssociationClass,
    UpstreamClass,
    UpstreamLineageClass,
)
from datahub.metadata.urns import DataPlatformUrn, DatasetUrn, SchemaFieldUrn, Urn
from datahub.utilities.urns._urn_base import _SpecificUrn
from datahub.utilities.urns.error import InvalidUrnError

Item: TypeAlias = (
    MetadataWorkUnit | MetadataChangeProposalWrapper | MetadataChangeProposalClass | MetadataChangeEventClass
)

PLATFORMS = frozenset({"athena", "glue", "hive", "iceberg", "mysql", "postgres", "redshift", "s3"})
"""The platforms this project emits; each is one of DataHub's bootstrapped data platforms."""

TOOLS = frozenset({"dbt", "hex", "looker", "metabase", "mode", "quicksight", "redash", "sigma"})
"""Platforms that are named as the origin of a query alone; DataHub has sources of all of these names."""

URN_BYTES = 512
"""DataHub's server refuses entity URNs that are longer, encoded for a URL; those of fields alone may be."""

_INT, _LONG = 2**31, 2**63
_EARLIEST, _LATEST = 946_684_800_000, 4_102_444_800_000
_GUID = re.compile(r"[0-9a-f]{32}")


def assert_valid(items: Iterable[Item]) -> None:
    """Fails with every problem of every item."""
    found = [problem for item in items for problem in problems(item)]
    assert not found, "\n".join(found)


def assert_valid_file(path: str | Path) -> None:
    found = file_problems(path)
    assert not found, "\n".join(found)


def problems(item: Item) -> list[str]:
    match item:
        case MetadataWorkUnit():
            return problems(item.metadata)
        case MetadataChangeEventClass():
            return list(_snapshot_problems(item))
        case MetadataChangeProposalWrapper():
            aspect = item.aspect
            return list(_proposal_problems(str(item.entityUrn), item.entityType, item.aspectName, aspect))
        case MetadataChangeProposalClass():
            return list(_raw_problems(item))
        case _:
            return [f"{type(item).__name__} is no proposal"]


def file_problems(path: str | Path) -> list[str]:
    """The output of DataHub's file sink: parsed strictly, so that a field which its reader would drop is a problem."""
    found: list[str] = []
    for index, written in enumerate(json.loads(Path(path).read_text(encoding="utf-8"))):
        try:
            item = _parse(copy.deepcopy(written))
            form = _written_form(item)
        except (AvroException, AttributeError, KeyError, TypeError, ValueError) as error:
            found.append(f"[{index}] cannot be read: {error!s:.200}")
            continue
        found.extend(f"[{index}] {problem}" for problem in problems(item))
        found.extend(f"[{index}] {problem}" for problem in difference(written, form, ""))
    return found


# ---- proposals ------------------------------------------------------------------------------------------------------


def _parse(written: dict[str, Any]) -> MetadataChangeProposalWrapper | MetadataChangeProposalClass:
    if "proposedSnapshot" in written:
        raise ValueError("a snapshot: proposals are expected")
    return MetadataChangeProposalWrapper.from_obj(written)


def _written_form(item: MetadataChangeProposalWrapper | MetadataChangeProposalClass) -> Any:
    if isinstance(item, MetadataChangeProposalWrapper):
        return item.to_obj(simplified_structure=True)
    form = item.to_obj()
    if item.aspect is not None:
        form["aspect"] = {"json": json.loads(item.aspect.value)}
    return form


def difference(written: Any, read: Any, path: str) -> Iterator[str]:
    """What stands in the file and did not survive being read."""
    if isinstance(written, dict) and isinstance(read, dict):
        for key, value in written.items():
            if value is not None and key not in read:
                yield f"unknown field {path}/{key}"
            elif value is not None:
                yield from difference(value, read[key], f"{path}/{key}")
    elif isinstance(written, list) and isinstance(read, list) and len(written) == len(read):
        for position, (left, right) in enumerate(zip(written, read, strict=True)):
            yield from difference(left, right, f"{path}/{position}")
    elif written != read:
        yield f"{path} is {written!r} in the file, read as {read!r}"


def _snapshot_problems(event: MetadataChangeEventClass) -> Iterator[str]:
    snapshot = event.proposedSnapshot
    entity_type = Urn.from_string(snapshot.urn).entity_type
    for aspect in snapshot.aspects:
        yield from _proposal_problems(snapshot.urn, entity_type, aspect.get_aspect_name(), aspect)


def _raw_problems(proposal: MetadataChangeProposalClass) -> Iterator[str]:
    where = f"{proposal.entityUrn} {proposal.aspectName}"
    if proposal.entityUrn is None or proposal.aspect is None:
        yield f"{where}: without entity URN or aspect"
    elif proposal.changeType == ChangeTypeClass.PATCH:
        yield from _entity_problems(proposal.entityUrn, proposal.entityType, proposal.aspectName)
        if getattr(ASPECT_NAME_MAP.get(proposal.aspectName or ""), "ASPECT_TYPE", "") == "timeseries":
            yield f"{where}: a series in time takes no patch"
        for problem in _patch_problems(proposal.entityUrn, proposal.aspectName or "", proposal.aspect.value):
            yield f"{where}: {problem}"
    else:
        whole = copy.copy(proposal)
        whole._inner_dict = dict(proposal._inner_dict)
        if proposal.changeType == ChangeTypeClass.CREATE and (proposal.headers or {}).get("If-None-Match") == "*":
            whole.changeType = ChangeTypeClass.UPSERT  # DataHub's parser takes no other
        wrapper = MetadataChangeProposalWrapper.try_from_mcpc(whole)
        if wrapper is None:
            yield f"{where}: neither a patch nor a known aspect"
        else:
            yield from problems(wrapper)


def _proposal_problems(
    urn: str, entity_type: str | None, aspect_name: str | None, aspect: DictWrapper | None
) -> Iterator[str]:
    yield from _entity_problems(urn, entity_type, aspect_name)
    where = f"{urn} {aspect_name}"
    if aspect is None:
        yield f"{where}: no aspect"
        return
    for problem in _value_problems(aspect.RECORD_SCHEMA, aspect, aspect_name or "", {}):
        yield f"{where}: {problem}"
    for problem in _meaning_problems(urn, aspect):
        yield f"{where}: {problem}"
    if KEY_ASPECTS.get(entity_type or "") is type(aspect) and aspect != _key_of(urn):
        yield f"{where}: not the key of this URN"


def _entity_problems(urn: str, entity_type: str | None, aspect_name: str | None) -> Iterator[str]:
    for problem in _urn_problems(urn):
        yield f"{urn} {aspect_name}: {problem}"
    if entity_type != "schemaField" and len(quote_plus(urn, safe="*")) > URN_BYTES:
        yield f"{urn}: longer than {URN_BYTES} bytes"
    if entity_type not in KEY_ASPECTS:
        yield f"{urn}: unknown entity type {entity_type}"
        return
    if not urn.startswith(f"urn:li:{entity_type}:"):
        yield f"{urn}: is said to be a {entity_type}"
    key = KEY_ASPECTS[entity_type]
    if aspect_name != key.get_aspect_name() and aspect_name not in key.ASPECT_INFO["entityAspects"]:
        yield f"{urn}: a {entity_type} has no aspect {aspect_name}"
    made = _key_of(urn)
    if made is None or type(made) is not key:
        yield f"{urn}: no key of a {entity_type} can be made of it"
    else:
        yield from (f"{urn}: {problem}" for problem in _value_problems(made.RECORD_SCHEMA, made, "key", {}))


def _key_of(urn: str) -> DictWrapper | None:
    """The key aspect, which DataHub's server makes of the URN that it is sent."""
    try:
        parsed = Urn.from_string(urn)
    except InvalidUrnError:
        return None
    return parsed.to_key_aspect() if isinstance(parsed, _SpecificUrn) else None


# ---- values, by Avro schema -----------------------------------------------------------------------------------------


def _value_problems(schema: Schema, value: Any, path: str, notes: Mapping[str, Any]) -> Iterator[str]:
    """Walks a value beside its schema; `notes` are the annotations of the field that holds it."""
    match schema:
        case UnionSchema():
            yield from _union_problems(schema, value, path, notes)
        case RecordSchema():
            yield from _record_problems(schema, value, path)
        case ArraySchema() if isinstance(value, list):
            for position, element in enumerate(value):
                yield from _value_problems(schema.items, element, f"{path}[{position}]", notes)
        case MapSchema() if isinstance(value, dict):
            for key, element in value.items():
                if not isinstance(key, str):
                    yield f"{path}: key {key!r} is no text"
                yield from _value_problems(schema.values, element, f"{path}[{key!r}]", {})
        case EnumSchema() if value in schema.symbols:
            pass
        case PrimitiveSchema() if _is_primitive(schema.type, value):
            if isinstance(value, str):
                yield from _text_problems(value, path, notes)
            elif path.endswith(".time") and value != 0 and not _EARLIEST <= value < _LATEST:
                yield f"{path}: {value} is no time in milliseconds of this century"
        case _:
            yield f"{path}: {value!r:.80} is no {schema.type}"


def _union_problems(schema: UnionSchema, value: Any, path: str, notes: Mapping[str, Any]) -> Iterator[str]:
    attempts = [list(_value_problems(branch, value, path, notes)) for branch in schema.schemas if _fits(branch, value)]
    if not attempts:
        yield f"{path}: {value!r:.80} fits no branch of the union"
    else:
        yield from min(attempts, key=len)


def _fits(schema: Schema, value: Any) -> bool:
    """Whether a value is meant for this branch of a union, right or wrong within."""
    match schema:
        case RecordSchema():
            return isinstance(value, DictWrapper) and value.RECORD_SCHEMA.fullname == schema.fullname
        case ArraySchema():
            return isinstance(value, list)
        case MapSchema():
            return isinstance(value, dict)
        case EnumSchema():
            return isinstance(value, str)
        case _:
            return _is_primitive(schema.type, value)


def _record_problems(schema: RecordSchema, value: Any, path: str) -> Iterator[str]:
    if not isinstance(value, DictWrapper) or value.RECORD_SCHEMA.fullname != schema.fullname:
        yield f"{path}: {value!r:.80} is no {schema.fullname}"
        return
    present: dict[str, Any] = dict(value._inner_dict)
    fields = {field.name: field for field in schema.fields}
    for name in present.keys() - fields.keys():
        yield f"{path}: {schema.name} has no field {name}"
    for name, field in fields.items():
        yield from _value_problems(field.type, present.get(name), f"{path}.{name}", field.other_props)


def _is_primitive(kind: str, value: Any) -> bool:
    match kind:
        case "null":
            return value is None
        case "boolean":
            return isinstance(value, bool)
        case "int" | "long":
            limit = _INT if kind == "int" else _LONG
            return isinstance(value, int) and not isinstance(value, bool) and -limit <= value < limit
        case "float" | "double":
            return isinstance(value, (int, float)) and not isinstance(value, bool)
        case "bytes":
            return isinstance(value, bytes)
        case _:
            return kind == "string" and isinstance(value, str)


# ---- URNs -----------------------------------------------------------------------------------------------------------


def _text_problems(text: str, path: str, notes: Mapping[str, Any]) -> Iterator[str]:
    """What is annotated as a URN, or looks like one (ids of browse paths are both, and not annotated)."""
    if "Urn" in notes or text.startswith("urn:li:"):
        for problem in _urn_problems(text):
            yield f"{path}: {problem}"
    if "Urn" not in notes:
        return
    entity_type = text.split(":", 3)[2] if text.count(":") > 2 else ""
    allowed = _entity_types(notes)
    if allowed and entity_type not in allowed:
        yield f"{path}: {text} is none of {sorted(allowed)}"


def _entity_types(notes: Mapping[str, Any]) -> set[str]:
    """Which entities an annotated URN may name; empty: any."""
    if notes.get("entityTypes"):
        return set(notes["entityTypes"])
    name = str(notes["Urn"]).removesuffix("Urn")
    return {entity for entity in KEY_ASPECTS if entity.lower() == name.lower()}


def _urn_problems(text: str) -> Iterator[str]:
    try:
        urn = Urn.from_string(text)
    except (InvalidUrnError, ValueError, TypeError) as error:
        yield f"no URN: {text!r} ({error})"
        return
    if str(urn) != text or text != text.strip():
        yield f"not in its normal form: {text!r}"
    if urn.entity_type not in KEY_ASPECTS:
        yield f"unknown entity type in {text}"
    yield from _kind_problems(urn)


def _kind_problems(urn: Urn) -> Iterator[str]:
    match urn:
        case DatasetUrn():
            yield from _urn_problems(urn.platform)
            if urn.env not in ALL_ENV_TYPES:
                yield f"unknown environment in {urn}"
            if not urn.name.strip("./ "):
                yield f"no name in {urn}"
        case SchemaFieldUrn():
            yield from _urn_problems(urn.parent)
            if not urn.field_path.strip() or "[version=2.0]" in urn.field_path:
                yield f"not a simple field path in {urn}"
        case DataPlatformUrn() if urn.platform_name not in PLATFORMS | TOOLS:
            yield f"unknown platform in {urn}"
        case Urn(entity_type="container") if not _GUID.fullmatch(urn.entity_ids[0]):
            yield f"no GUID in {urn}"
        case Urn(entity_type="dataPlatformInstance"):
            yield from _urn_problems(urn.entity_ids[0])


# ---- meaning --------------------------------------------------------------------------------------------------------


def _meaning_problems(urn: str, aspect: DictWrapper) -> Iterator[str]:
    match aspect:
        case UpstreamLineageClass():
            yield from _lineage_problems(urn, aspect)
        case DataPlatformInstanceClass():
            yield from _kind_of_urn_problems(aspect.platform, "dataPlatform")
            yield from _kind_of_urn_problems(aspect.instance, "dataPlatformInstance")
        case SchemaMetadataClass():
            paths = [field.fieldPath for field in aspect.fields]
            if len(set(paths)) != len(paths):
                yield "a field path stands twice"
            if not all(path.strip() for path in paths):
                yield "an empty field path"


def _lineage_problems(urn: str, aspect: UpstreamLineageClass) -> Iterator[str]:
    upstreams = [upstream.dataset for upstream in aspect.upstreams]
    if not upstreams:
        yield "no upstreams: an upsert would wipe what others wrote"
    if len(set(upstreams)) != len(upstreams):
        yield "an upstream stands twice"
    for upstream in aspect.upstreams:
        yield from _kind_of_urn_problems(upstream.query, "query")
    keys: set[tuple[str | None, str, str | None]] = set()
    for edge in aspect.fineGrainedLineages or []:
        yield from _edge_problems(urn, edge, set(upstreams))
        key = (edge.transformOperation, str(edge.downstreams), edge.query)
        if key in keys:
            yield f"two entries under one patch key: {key}"
        keys.add(key)


def _edge_problems(urn: str, edge: FineGrainedLineageClass, upstreams: set[str]) -> Iterator[str]:
    if len(edge.downstreams or []) != 1:
        yield f"{len(edge.downstreams or [])} downstreams: a patch needs one"
    if not edge.upstreams:
        yield "a column edge without upstreams"
    if not 0.0 < edge.confidenceScore <= 1.0:
        yield f"confidence {edge.confidenceScore}"
    yield from _kind_of_urn_problems(edge.query, "query")
    for field in edge.downstreams or []:
        if not field.startswith(f"urn:li:schemaField:({urn},"):
            yield f"{field} is a field of another dataset"
    for field in edge.upstreams or []:
        if not any(field.startswith(f"urn:li:schemaField:({upstream},") for upstream in upstreams):
            yield f"{field} is a field of no upstream"


def _kind_of_urn_problems(text: str | None, entity_type: str) -> Iterator[str]:
    """Where the schema lets any URN stand, and only one kind has a meaning."""
    if text is not None and not text.startswith(f"urn:li:{entity_type}:"):
        yield f"{text} is no {entity_type}"


# ---- patches --------------------------------------------------------------------------------------------------------


def _patch_problems(urn: str, aspect_name: str, payload: bytes) -> Iterator[str]:
    aspect_class = ASPECT_NAME_MAP.get(aspect_name)
    if aspect_class is None:
        yield f"unknown aspect {aspect_name}"
        return
    parsed = json.loads(payload)
    operations = parsed["patch"] if isinstance(parsed, dict) else parsed
    if not operations:
        yield "an empty patch"
    for operation in operations:
        yield from _operation_problems(urn, aspect_class.RECORD_SCHEMA, operation)
    paths = [str(operation.get("path")) for operation in operations]
    for path in sorted({path for path in paths if paths.count(path) > 1}) if len(set(paths)) < len(paths) else ():
        yield f"two operations on {path}"
    added = [str(operation.get("path")) for operation in operations if operation.get("op") == "add"]
    upstreams = [_key(path, 2) for path in added if path.startswith("/upstreams/")]
    for path in added:
        field = _key(path, 5) if path.startswith("/fineGrainedLineages/") else ""
        if upstreams and field and not any(field.startswith(f"urn:li:schemaField:({one},") for one in upstreams):
            yield f"{field} is a field of no upstream"


def _key(path: str, position: int) -> str:
    parts = path.split("/")
    return parts[position].replace("~1", "/").replace("~0", "~") if position < len(parts) else ""


def _operation_problems(urn: str, schema: RecordSchema, operation: Mapping[str, Any]) -> Iterator[str]:
    if set(operation) != {"op", "path", "value"} or operation["op"] not in {"add", "remove", "replace"}:
        yield f"no JSON patch operation: {operation!r:.120}"
        return
    try:
        path = [str(part) for part in parse_patch_path(operation["path"])]
    except ValueError as error:
        yield str(error)
        return
    if path[0] not in {field.name for field in schema.fields}:
        yield f"{schema.name} has no field {path[0]}"
    elif operation["op"] == "remove":
        if len(path) != {"upstreams": 2, "fineGrainedLineages": 5}.get(path[0]):
            yield f"more or less than one edge is removed: {path}"
    elif path[0] == "fineGrainedLineages":
        yield from _fine_grained_patch_problems(urn, path, operation["value"])
    elif path[0] == "upstreams":
        yield from _upstream_patch_problems(path, operation["value"])
    elif path[0] == "tags":
        yield from _tags_patch_problems(path, operation["value"])


def _upstream_patch_problems(path: Sequence[str], value: Any) -> Iterator[str]:
    if len(path) != 2 or not isinstance(value, dict):
        yield f"no upstream at {path}"
        return
    upstream = UpstreamClass.from_obj(copy.deepcopy(value))
    if upstream.dataset != path[1]:
        yield f"{upstream.dataset} under the key {path[1]}"
    yield from difference(value, upstream.to_obj(), "")
    yield from _value_problems(UpstreamClass.RECORD_SCHEMA, upstream, "upstream", {})


def _tags_patch_problems(path: Sequence[str], value: Any) -> Iterator[str]:
    """`/tags/<source>` with all tags that the source gives, by URN."""
    if len(path) != 2 or not isinstance(value, dict):
        yield f"not the tags of one source at {path}"
        return
    for urn, told in value.items():
        tag = TagAssociationClass.from_obj(copy.deepcopy(told))
        if tag.tag != urn or tag.attribution is None or tag.attribution.source != path[1]:
            yield f"{tag} under the keys {path[1]} and {urn}"
        yield from difference(told, tag.to_obj(), "")
        yield from _value_problems(TagAssociationClass.RECORD_SCHEMA, tag, "tag", {})


def _fine_grained_patch_problems(urn: str, path: Sequence[str], value: Any) -> Iterator[str]:
    """`/fineGrainedLineages/<transform operation>/<downstream>/<query or NONE>/<upstream>` with the confidence."""
    if len(path) != 5:
        yield f"{len(path)} parts in the path of a column edge: {path}"
        return
    _, _, downstream, query, upstream = path
    yield from _text_problems(upstream, "upstream", {"Urn": "Urn", "entityTypes": ["schemaField", "dataset"]})
    yield from _text_problems(downstream, "downstream", {"Urn": "Urn", "entityTypes": ["schemaField"]})
    if query != "NONE":
        yield from _text_problems(query, "query", {"Urn": "Urn", "entityTypes": ["query"]})
    if not downstream.startswith(f"urn:li:schemaField:({urn},"):
        yield f"{downstream} is a field of another dataset"
    score = value.get("confidenceScore")
    if set(value) != {"confidenceScore"} or not isinstance(score, (int, float)) or not 0.0 < score <= 1.0:
        yield f"no confidence: {value!r:.80}"
