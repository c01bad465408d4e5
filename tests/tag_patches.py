"""What DataHub's server makes of patches that name the keys of a list (`arrayPrimaryKeys`), such as those of tags.

No DataHub server runs in tests. `merge` stands for what its GenericPatchTemplate does: the list becomes a tree by its
keys (one that is missing is empty), parents that an operation needs are made, the JSON patch is applied, and the tree
becomes a list again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from datahub.emitter.mcp_patch_builder import UNIT_SEPARATOR, parse_patch_path


def merge(stored: Mapping[str, Any] | None, envelope: Mapping[str, Any]) -> dict[str, Any]:
    aspect: dict[str, Any] = dict(stored or {})
    keys: Mapping[str, Sequence[str]] = envelope["arrayPrimaryKeys"]
    for name, fields in keys.items():
        aspect[name] = _tree(aspect.get(name) or [], fields)
    for operation in envelope["patch"]:
        *parents, last = (str(part) for part in parse_patch_path(operation["path"]))
        node = aspect
        for part in parents:
            node = node.setdefault(part, {})
        if operation["op"] == "remove":
            node.pop(last, None)
        else:
            node[last] = operation["value"]
    for name, fields in keys.items():
        aspect[name] = list(_leaves(aspect[name], len(fields)))
    return aspect


def _tree(items: Sequence[Mapping[str, Any]], fields: Sequence[str]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for item in items:
        node = tree
        for field in fields:
            node = node.setdefault(_at(item, field.split(UNIT_SEPARATOR)), {})
        node.update(item)
    return tree


def _at(item: Any, path: Sequence[str]) -> str:
    for part in path:
        item = item.get(part) if isinstance(item, Mapping) else None
    return str(item or "")


def _leaves(node: Mapping[str, Any], depth: int) -> Iterator[Any]:
    for child in node.values():
        if depth == 1:
            yield child
        else:
            yield from _leaves(child, depth - 1)
