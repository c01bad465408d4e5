"""DataHub's own sources and ours over one account, each as a whole pipeline: what they emit, by entity and aspect."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from athena_service import REGION
from datahub.ingestion.run.pipeline import Pipeline
from datahub.utilities.urns.field_paths import get_simple_field_path_from_v2_field_path as simple_path
from native_account import WINDOW

WAREHOUSE = {"name": "analytics", "work_group": "analytics", "query_logs": [{"type": "system_views"}]}
REDSHIFT = {
    "host_port": "warehouse:5439",
    "database": "dev",
    "username": "datahub",
    "password": "unused",
    "is_serverless": True,
    **WINDOW,
}
ATHENA = {"aws_region": REGION, "work_group": "primary", "query_result_location": "s3://lake/results/"}
S3 = {"aws_config": {"aws_region": REGION}}


@dataclass
class Emitted:
    """Aspects by entity, PATCH as its operations; `proposals` are what the file sink wrote, snapshots taken apart."""

    proposals: list[dict[str, Any]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def datasets(self) -> set[str]:
        """The datasets that are described: those with a schema."""
        return {one["entityUrn"] for one in self.proposals if one["aspectName"] == "schemaMetadata"}

    @property
    def containers(self) -> set[str]:
        return {one["entityUrn"] for one in self.proposals if one["entityType"] == "container"}

    @property
    def fields(self) -> set[tuple[str, str]]:
        """Dataset and simple field path."""
        return {
            (one["entityUrn"], simple_path(column["fieldPath"]))
            for one in self.proposals
            if one["aspectName"] == "schemaMetadata"
            for column in one["aspect"]["json"]["fields"]
        }

    @property
    def edges(self) -> set[tuple[str, str]]:
        return {(upstream["dataset"], urn) for urn, one in self._lineage() for upstream in one["upstreams"]}

    @property
    def column_edges(self) -> set[tuple[str, str]]:
        return {
            (upstream, edge["downstreams"][0])
            for _, one in self._lineage()
            for edge in one.get("fineGrainedLineages") or ()
            for upstream in edge["upstreams"]
        }

    def _lineage(self) -> Iterator[tuple[str, dict[str, Any]]]:
        for one in self.proposals:
            if one["aspectName"] == "upstreamLineage":
                yield one["entityUrn"], one["aspect"]["json"]


def emit(output: Path, kind: str, config: Mapping[str, Any]) -> Emitted:
    """Runs one source into a file. Warnings of the source are for its reader; a failure is an error here."""
    pipeline = Pipeline.create(
        {
            "run_id": kind,
            "source": {"type": kind, "config": dict(config)},
            "sink": {"type": "file", "config": {"filename": str(output)}},
        },
        report_to=None,
    )
    pipeline.run()
    pipeline.raise_from_status()
    proposals = [part for one in json.loads(output.read_text(encoding="utf-8")) for part in _parts(one)]
    return Emitted(proposals, [str(warning) for warning in pipeline.source.get_report().warnings])


def ours(output: Path, **config: Any) -> Emitted:
    base = {"aws_config": {"aws_region": REGION}, "incremental_lineage": False, **WINDOW}
    return emit(output, "aws-lineage", base | config)


def glue(output: Path, **config: Any) -> Emitted:
    return emit(output, "glue", {"aws_region": REGION, "extract_transforms": False, **config})


def _parts(written: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A proposal, or a snapshot as proposals."""
    if "proposedSnapshot" not in written:
        yield written
        return
    (snapshot,) = written["proposedSnapshot"].values()
    for aspect in snapshot["aspects"]:
        ((name, value),) = aspect.items()
        short = name.rsplit(".", 1)[-1]
        yield {
            "entityType": "dataset",
            "entityUrn": snapshot["urn"],
            "changeType": "UPSERT",
            "aspectName": short[0].lower() + short[1:],
            "aspect": {"json": value},
        }


def by_dataset(pairs: set[tuple[str, str]]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for dataset, path in pairs:
        found[dataset].add(path)
    return found
