"""`lineage_only`: the settings that keep this source from what DataHub's own sources emit.

S3 locations may be asked for beside it: of one that DataHub has, all stays as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_OF_RECIPE = ("include_catalog_metadata",)
_OF_STATEMENTS = ("include_usage_statistics", "include_operational_stats")


def lineage_alone(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The recipe with those settings off, as far as they mean something in it.

    Raises ValueError where the recipe itself sets one of them to true, or asks for lineage that replaces.
    """
    if settings.get("incremental_lineage") is False:
        raise ValueError("lineage_only: incremental_lineage is false, which replaces what other sources have said")
    off = {**_without(settings, "", _OF_RECIPE), "athena": _athena(settings.get("athena"))}
    off.setdefault("include_s3_datasets", False)
    off["redshift"] = _warehouses(settings.get("redshift"), "redshift")
    if isinstance(settings.get("accounts"), list):
        off["accounts"] = [
            {**one, "redshift": _warehouses(one.get("redshift"), "accounts.redshift")} if isinstance(one, dict) else one
            for one in settings["accounts"]
        ]
    return {name: value for name, value in off.items() if value is not None}


def _athena(athena: Any) -> Any:
    if athena is not None and not isinstance(athena, dict):
        return athena
    given = athena or {}
    reads = given.get("enabled", True) and given.get("include_query_history", True)
    return _without(given, "athena.", _OF_STATEMENTS) if reads else athena


def _warehouses(warehouses: Any, path: str) -> Any:
    if not isinstance(warehouses, list):
        return warehouses
    return [_warehouse(one, path) if isinstance(one, dict) else one for one in warehouses]


def _warehouse(warehouse: Mapping[str, Any], path: str) -> dict[str, Any]:
    names = _OF_STATEMENTS if warehouse.get("query_logs") else ()
    if not (warehouse.get("work_group") or warehouse.get("cluster_identifier")):
        names = (*names, "include_log_tables")
    return _without(warehouse, f"{path}.", names)


def _without(settings: Mapping[str, Any], path: str, names: tuple[str, ...]) -> dict[str, Any]:
    for name in names:
        if settings.get(name) is True:
            raise ValueError(f"{path}{name}: lineage_only sets it to false; remove one of the two")
    return {**settings, **dict.fromkeys(names, False)}
