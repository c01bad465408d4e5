"""What a run of the recipe wrote to its file, by view and column."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from datahub.ingestion.run.pipeline import Pipeline
from datahub.metadata.urns import DatasetUrn, SchemaFieldUrn
from datahub.utilities.urns.field_paths import get_simple_field_path_from_v2_field_path

DIRECT, CONDITIONAL = "direct", "conditional"

Field: TypeAlias = tuple[str, str]
"""`database.table` and a column of it."""


@dataclass
class Emitted:
    """Upstream tables by view, columns by table, and upstream fields by field.

    An upstream field comes with the kinds of its edge (`direct`, `conditional`). Names are spelled as emitted.
    """

    report: Any
    tables: dict[str, set[str]] = field(default_factory=dict)
    schemas: dict[str, set[str]] = field(default_factory=dict)
    fields: dict[Field, dict[Field, set[str]]] = field(default_factory=dict)

    def of_view(self, view: str) -> dict[str, set[Field]]:
        """The upstream fields of each column of `view` that has any; columns in lower case, as Athena compares them."""
        return {
            column.lower(): {(upstream, name.lower()) for upstream, name in edges}
            for (table, column), edges in self.fields.items()
            if table == view
        }


def run_recipe(aws_config: dict[str, str], output: Path) -> Emitted:
    """Runs DataHub's pipeline over the Glue catalog into `output`; raises when the run fails."""
    config = {
        "aws_config": aws_config,
        "incremental_lineage": False,  # whole aspects instead of patches
        "athena": {"include_query_history": False},  # moto lacks BatchGetQueryExecution
    }
    sink = {"type": "file", "config": {"filename": str(output)}}
    pipeline = Pipeline.create({"source": {"type": "aws-lineage", "config": config}, "sink": sink})
    pipeline.run()
    pipeline.raise_from_status()
    emitted = Emitted(pipeline.source.get_report())
    for proposal in json.loads(output.read_text(encoding="utf-8")):
        match proposal.get("aspectName"):
            case "upstreamLineage":
                _read_lineage(emitted, _table(proposal["entityUrn"]), proposal["aspect"]["json"])
            case "schemaMetadata":
                columns = {_column(schema_field["fieldPath"]) for schema_field in proposal["aspect"]["json"]["fields"]}
                emitted.schemas[_table(proposal["entityUrn"])] = columns
    return emitted


def _read_lineage(emitted: Emitted, downstream: str, aspect: dict[str, Any]) -> None:
    upstreams = (upstream["dataset"] for upstream in aspect["upstreams"])
    emitted.tables[downstream] = {
        _table(urn) for urn in upstreams if DatasetUrn.from_string(urn).platform.endswith("glue")
    }
    for lineage in aspect.get("fineGrainedLineages", []):
        kind = DIRECT if lineage["transformOperation"].startswith("DIRECT:") else CONDITIONAL
        for urn in lineage["downstreams"]:
            edges = emitted.fields.setdefault(_field(urn), {})
            for upstream in lineage["upstreams"]:
                edges.setdefault(_field(upstream), set()).add(kind)


def _table(urn: str) -> str:
    return DatasetUrn.from_string(urn).name


def _field(urn: str) -> Field:
    parsed = SchemaFieldUrn.from_string(urn)
    return _table(parsed.parent), _column(parsed.field_path)


def _column(field_path: str) -> str:
    return get_simple_field_path_from_v2_field_path(field_path)
