"""What DataHub's server makes of a PATCH: a JSON patch on the aspect that it has, or on an empty one.

No DataHub server runs in tests. Lists whose members the server keys are `upstream_patches` (lineage) and
`tag_patches`; here are the aspects whose patches speak of members by name alone. `operations`: a patch as it is sent.
"""

from __future__ import annotations

import copy
from typing import Any

from datahub.emitter.mcp_patch_builder import parse_patch_path
from datahub.emitter.serialization_helper import pre_json_transform
from datahub.metadata.schema_classes import DatasetPropertiesClass, GlobalTagsClass, UpstreamLineageClass
from tag_patches import merge as merge_by_keys
from upstream_patches import merge


def patched(name: str, stored: dict[str, Any] | None, operations: Any) -> dict[str, Any]:
    """The aspect of that name after the operations. Raises AssertionError where nothing is known of its patches."""
    if name == UpstreamLineageClass.ASPECT_NAME:
        before = UpstreamLineageClass.from_obj(stored) if stored is not None else None
        merged: dict[str, Any] = pre_json_transform(merge(before, operations).to_obj())
        return merged
    if name == GlobalTagsClass.ASPECT_NAME:
        return merge_by_keys(stored, operations)
    assert name == DatasetPropertiesClass.ASPECT_NAME, f"no PATCH of {name} is known here"
    aspect = copy.deepcopy(stored) if stored is not None else {"customProperties": {}, "tags": []}
    for operation in operations:
        *parents, member = (str(part) for part in parse_patch_path(operation["path"]))
        place = aspect
        for parent in parents:
            place = place.setdefault(parent, {})
        if operation["op"] == "remove":
            place.pop(member, None)
        else:
            place[member] = operation["value"]
    return aspect
