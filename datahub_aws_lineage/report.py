"""What a run saw, skipped, truncated and could not do, and how much of it became lineage."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from datahub.ingestion.api.report import Report
from datahub.ingestion.source.state.stale_entity_removal_handler import StaleEntityRemovalSourceReport
from datahub.utilities.lossy_collections import LossyList
from typing_extensions import assert_never

from datahub_aws_lineage.model.lineage import DatasetLineage, NoLineage, Statement, StatementLineage, Unresolved
from datahub_aws_lineage.model.names import Dialect
from datahub_aws_lineage.model.ports import SkipReason

SAMPLES = 20
"""Details kept for each reason; the counts are exact."""

CERTAIN, LIKELY = 1.0, 0.8


def _samples() -> LossyList[str]:
    return LossyList(max_elements=SAMPLES)


def confidence_band(confidence: float) -> str:
    """The band of the coverage report: `certain` is 1.0, `likely` 0.8 and more, `uncertain` the rest."""
    if confidence >= CERTAIN:
        return "certain"
    return "likely" if confidence >= LIKELY else "uncertain"


@dataclass
class Reasons:
    """Counts by reason, each with a sample of what it befell."""

    counts: dict[str, int] = field(default_factory=dict)
    samples: dict[str, LossyList[str]] = field(default_factory=dict)

    def add(self, reason: str, detail: str) -> None:
        self.counts[reason] = self.counts.get(reason, 0) + 1
        self.samples.setdefault(reason, _samples()).append(detail)

    def as_obj(self) -> dict[str, Any]:
        return {
            reason: {"count": count, "samples": self.samples[reason].as_obj()}
            for reason, count in sorted(self.counts.items())
        }


@dataclass
class Coverage:
    """How much was understood: statements by outcome, datasets with lineage, column edges by confidence."""

    statements: dict[str, dict[str, int]] = field(default_factory=dict)
    datasets_with_lineage: int = 0
    datasets_with_column_lineage: int = 0
    column_edges: dict[str, int] = field(default_factory=dict)

    def add_statement(self, dialect: Dialect, outcome: str) -> None:
        counts = self.statements.setdefault(dialect, {})
        counts[outcome] = counts.get(outcome, 0) + 1

    def add_lineage(self, lineage: DatasetLineage) -> None:
        self.datasets_with_lineage += bool(lineage.edges)
        self.datasets_with_column_lineage += bool(lineage.columns)
        for edge in lineage.columns:
            band = confidence_band(edge.confidence)
            self.column_edges[band] = self.column_edges.get(band, 0) + 1

    @property
    def statements_total(self) -> int:
        return sum(sum(counts.values()) for counts in self.statements.values())

    @property
    def statements_understood(self) -> int:
        return self.statements_total - sum(counts.get("unresolved", 0) for counts in self.statements.values())

    def as_obj(self) -> dict[str, Any]:
        total = self.statements_total
        return {
            "statements": self.statements,
            "statements_total": total,
            "statements_understood": self.statements_understood,
            "statements_understood_percent": round(100 * self.statements_understood / total, 1) if total else None,
            "datasets_with_lineage": self.datasets_with_lineage,
            "datasets_with_column_lineage": self.datasets_with_column_lineage,
            "column_edges": self.column_edges,
            "column_edges_total": sum(self.column_edges.values()),
        }


@dataclass
class AwsLineageReport(StaleEntityRemovalSourceReport):
    """The source's report, as `datahub ingest` prints it. The stages write to it through `diagnostics`."""

    seen: dict[str, int] = field(default_factory=dict)
    skipped: Reasons = field(default_factory=Reasons)
    unresolved: Reasons = field(default_factory=Reasons)
    truncated: Reasons = field(default_factory=Reasons)
    coverage: Coverage = field(default_factory=Coverage)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._diagnostics = ReportDiagnostics(self)

    @property
    def diagnostics(self) -> ReportDiagnostics:
        return self._diagnostics

    def write(self, path: Path) -> None:
        """Writes the report as JSON. A file that cannot be written is a warning: what was ingested stands."""
        text = json.dumps(Report.to_pure_python_obj(self), indent=2)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text + "\n", encoding="utf-8")
        except OSError as e:
            self.diagnostics.warning("The report file could not be written", f"{path}: {e.strerror}")

    def count_statements(self, dialect: Dialect, statements: Iterable[Statement]) -> None:
        for statement in statements:
            self.coverage.add_statement(dialect, _outcome_name(statement))


def _outcome_name(statement: Statement) -> str:
    """`outcome` as the `explain` command spells it."""
    match statement.outcome:
        case StatementLineage():
            return "lineage"
        case NoLineage():
            return "no_lineage"
        case Unresolved():
            return "unresolved"
        case _:
            assert_never(statement.outcome)


class ReportDiagnostics:
    """The `Diagnostics` port over a report, whose own `warning` and `failure` take other arguments."""

    def __init__(self, report: AwsLineageReport) -> None:
        self._report = report
        self.gaps = 0
        """How often something that is there was not read: as long as it stays the same, a listing is whole."""

    def seen(self, what: str, count: int = 1) -> None:
        self._report.seen[what] = self._report.seen.get(what, 0) + count

    def skipped(self, reason: SkipReason, what: str, detail: str) -> None:
        self.gaps += reason in {"denied", "malformed"}
        self._report.skipped.add(f"{what}: {reason}", detail)

    def unresolved(self, reason: str, detail: str) -> None:
        self._report.unresolved.add(reason, detail)
        if reason == "internal":
            self._report.warning(
                message="A defect of datahub-aws-lineage cost a statement; please report it", context=detail
            )

    def truncated(self, what: str, detail: str) -> None:
        self._report.truncated.add(what, detail)

    def warning(self, title: str, detail: str) -> None:
        self.gaps += 1
        self._report.warning(message=title, context=detail)

    def failure(self, title: str, detail: str) -> None:
        self.gaps += 1
        self._report.failure(message=title, context=detail)
