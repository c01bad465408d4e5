"""Runs of the small account through one sink or another, and what was told of it, in a form that compares."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from datahub.ingestion.run.pipeline import Pipeline
from metadata_server import TOKEN, MetadataService
from small_account import WINDOW

Told = tuple[str, str]
"""URN and aspect of a proposal."""

MODES = ("SYNC", "ASYNC", "ASYNC_BATCH")
ENDPOINTS = ("RESTLI", "OPENAPI")


def recipe(snapshot: Path, sink: Mapping[str, Any], **source: Any) -> dict[str, Any]:
    return {
        "pipeline_name": "small-account",
        "source": {"type": "aws-lineage", "config": {"snapshot": str(snapshot), **WINDOW, **source}},
        "sink": dict(sink),
    }


def rest_sink(service: MetadataService, **config: Any) -> dict[str, Any]:
    """It tries each call twice: between the two it does not wait, as it does before a third."""
    return {
        "type": "datahub-rest",
        "config": {"server": service.url, "token": TOKEN, "retry_max_times": 1, **config},
    }


def run(recipe: dict[str, Any]) -> Pipeline:
    pipeline = Pipeline.create(recipe, report_to=None)
    pipeline.run()
    return pipeline


def told(service: MetadataService) -> Counter[Told]:
    return Counter((str(one.entityUrn), str(one.aspectName)) for one in service.proposals)


def store_of(path: Path) -> MetadataService:
    """What a metadata service would keep of all that the `file` sink wrote."""
    service = MetadataService()
    for written in json.loads(path.read_text(encoding="utf-8")):
        content = json.dumps(written["aspect"]["json"])
        kind = "application/json-patch+json" if written["changeType"] == "PATCH" else "application/json"
        assert service.take({**written, "aspect": {"value": content, "contentType": kind}}) == []
    return service


def lost_by_log(text: str) -> set[str]:
    """The work units that a log says were not written: `URN-aspect`, without the moment of a series in time."""
    named = re.findall(r"failed to write record with workunit (\S+)", text)
    return {re.sub(r"-\d{13}$", "", name) for name in named}


def work_units(told: Iterable[Told]) -> set[str]:
    """As `lost_by_log` names them."""
    return {f"{urn}-{aspect}" for urn, aspect in told}
