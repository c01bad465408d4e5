"""What a stand-in for DataHub's metadata service keeps: proposals, and the aspects that they make.

It is stricter than DataHub: it refuses what `strict_schema` refuses, fields that no aspect has, and patches that do not
apply or leave an aspect that its Avro schema does not allow.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

import jsonpatch
from avro.errors import AvroException
from datahub.emitter.serialization_helper import post_json_transform, pre_json_transform
from datahub.metadata.schema_classes import (
    ASPECT_NAME_MAP,
    DatahubIngestionCheckpointClass,
    GlobalTagsClass,
    MetadataChangeProposalClass,
    UpstreamLineageClass,
    _Aspect,
)
from metadata_faults import Fault
from strict_schema import difference, problems
from tag_patches import merge as merge_by_keys
from upstream_patches import merge

Aspects = dict[str, dict[str, Any]]

OWN_RECORDS = frozenset({"dataHubIngestionSource", "dataHubExecutionRequest"})
"""Entities of DataHub's own reporter: it tells of each run in them, and names a platform `unknown`."""

_UNREADABLE = (AvroException, AttributeError, KeyError, TypeError, ValueError)


@dataclass
class MetadataService:
    """What was received. `refused` says what is wrong with proposals that were answered with 422.

    `silent`: it knows nothing of what it has been told. `faults`: what befalls calls, the first that fits.
    `fail_after`: how many proposals it still takes before it refuses one, once. `secrets` are those of the UI,
    `sources` the ingestion sources that were deployed, by URN.
    """

    url: str = ""
    version: str = "v1.2.0"
    silent: bool = False
    fail_after: int | None = None
    faults: list[Fault] = field(default_factory=list)
    proposals: list[MetadataChangeProposalClass] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    unknown_calls: list[str] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    secrets: dict[str, str] = field(default_factory=dict)
    sources: dict[str, dict[str, Any]] = field(default_factory=dict)
    _stored: dict[str, Aspects] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def take(self, *written: dict[str, Any]) -> list[str]:
        """Keeps the proposals of one call, as they came over the wire, or none of them; gives what is wrong."""
        with self._lock:
            read = [_read(one) for one in written]
            after = copy.deepcopy({one.entityUrn: self._stored.get(str(one.entityUrn), {}) for one, _ in read})
            found = [problem for one, wrong in read for problem in wrong or _apply(after[one.entityUrn], one)]
            found += self._failure(len(read))
            self.refused.extend(found)
            if not found:
                self.proposals.extend(one for one, _ in read)
                self._stored.update({str(urn): aspects for urn, aspects in after.items()})
        return found

    def _failure(self, proposals: int) -> list[str]:
        if self.fail_after is None:
            return []
        self.fail_after = self.fail_after - proposals if proposals <= self.fail_after else None
        return [] if self.fail_after is not None else ["this one fails"]

    def forget(self) -> None:
        """Forgets all that it has been told."""
        for kept in (self.proposals, self.refused, self.unknown_calls, self.calls, self._stored):
            kept.clear()

    def fault_of(self, written: Iterable[dict[str, Any]]) -> Fault | None:
        """What befalls the call that brings these proposals."""
        aspects = {str(one.get("aspectName")) for one in written}
        with self._lock:
            return next((fault for fault in self.faults if fault.strikes(aspects)), None)

    def aspects(self, name: str) -> dict[str, Any]:
        """The last `name` aspect of each entity (a patch: its operations)."""
        return {
            str(proposal.entityUrn): json.loads(proposal.aspect.value)
            for proposal in self.proposals
            if proposal.aspectName == name and proposal.aspect is not None
        }

    def entity(self, urn: str) -> dict[str, Any]:
        """An entity in the form of `entitiesV2`: its aspects as they stand, patches applied."""
        aspects = copy.deepcopy(self._stored.get(urn, {}))
        return {"urn": urn, "aspects": {name: {"value": value} for name, value in aspects.items()}}

    def stored(self) -> dict[str, Aspects]:
        """All aspects as they stand, but those of DataHub's records of runs."""
        return {urn: aspects for urn, aspects in self._stored.items() if urn.split(":")[2] not in OWN_RECORDS}

    def graphql(self, query: str, variables: dict[str, Any]) -> dict[str, Any] | None:
        """The answer of the two operations that running from the UI needs; None for others."""
        if "updateIngestionSource" in query:
            self.sources[variables["urn"]] = variables["input"]
            return {"updateIngestionSource": variables["urn"]}
        if "getSecretValues" in query:
            known = [name for name in variables["input"]["secrets"] if name in self.secrets]
            return {"getSecretValues": [{"name": name, "value": self.secrets[name]} for name in known]}
        return None

    def last_checkpoint(self, urn: str) -> list[dict[str, Any]]:
        """The stateful-ingestion checkpoint of a job, in the form of `getTimeseriesAspectValues`."""
        name = DatahubIngestionCheckpointClass.ASPECT_NAME
        checkpoint = self.aspects(name).get(urn)
        return [{"aspect": {"value": json.dumps(checkpoint), "contentType": "application/json"}}] if checkpoint else []


def _read(written: dict[str, Any]) -> tuple[MetadataChangeProposalClass, list[str]]:
    """A proposal, and what is wrong with it alone."""
    try:
        proposal = MetadataChangeProposalClass.from_obj(post_json_transform(written))
        found = list(difference(written, pre_json_transform(proposal.to_obj()), ""))
        if proposal.changeType != "PATCH" and proposal.aspect is not None:
            value = json.loads(proposal.aspect.value)
            aspect = ASPECT_NAME_MAP[str(proposal.aspectName)].from_obj(post_json_transform(copy.deepcopy(value)))
            found += difference(value, pre_json_transform(aspect.to_obj()), "")
        if proposal.entityType not in OWN_RECORDS:
            found += problems(proposal)
    except _UNREADABLE as error:
        return MetadataChangeProposalClass("", ""), [f"cannot be read: {error!r:.200}"]
    return proposal, found


def _apply(aspects: Aspects, proposal: MetadataChangeProposalClass) -> list[str]:
    """Writes a proposal into the aspects of its entity; gives what is wrong with what a patch makes of them."""
    assert proposal.aspect is not None
    name, value = str(proposal.aspectName), json.loads(proposal.aspect.value)
    if proposal.changeType == "CREATE":
        aspects.setdefault(name, value)
        return []
    if proposal.changeType != "PATCH":
        aspects[name] = value
        return []
    try:
        if name == GlobalTagsClass.ASPECT_NAME:
            aspects[name] = merge_by_keys(aspects.get(name), value)
            return []
        aspects[name] = _patched(name, aspects.get(name), value["patch"] if isinstance(value, dict) else value)
    except (*_UNREADABLE, jsonpatch.JsonPatchException, jsonpatch.JsonPointerException) as error:
        return [f"{proposal.entityUrn} {name}: the patch does not apply: {error!r:.200}"]
    return []


def _patched(name: str, before: dict[str, Any] | None, operations: list[dict[str, Any]]) -> dict[str, Any]:
    """An aspect after a patch. DataHub's server starts from an aspect of defaults where there is none."""
    kind = ASPECT_NAME_MAP[name]
    after: _Aspect
    if kind is UpstreamLineageClass:
        lineage = UpstreamLineageClass.from_obj(post_json_transform(before)) if before is not None else None
        after = merge(lineage, operations)
    else:
        start = before if before is not None else pre_json_transform(kind._construct_with_defaults().to_obj())
        after = kind.from_obj(post_json_transform(jsonpatch.apply_patch(start, operations)))
    if not after.validate():
        raise ValueError(f"{name} does not fit its schema")
    written: dict[str, Any] = pre_json_transform(after.to_obj())
    return written
