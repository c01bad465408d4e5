"""What one statement reads, gathered while its queries are walked."""

from __future__ import annotations

from dataclasses import dataclass, field

from datahub_aws_lineage.model.lineage import Gap, GapKind, IndirectSubtype
from datahub_aws_lineage.model.names import StatementTable
from datahub_aws_lineage.sql.values import Source, Value


@dataclass(slots=True)
class Collector:
    """Ordered sets: inputs, columns that influence the whole statement, and what could not be placed."""

    inputs: dict[StatementTable, None] = field(default_factory=dict)
    indirect: dict[Source, float] = field(default_factory=dict)
    gaps: dict[Gap, None] = field(default_factory=dict)

    def read(self, table: StatementTable) -> None:
        self.inputs[table] = None

    def influenced_by(self, value: Value, how: IndirectSubtype) -> None:
        for source, confidence in value.everything().items():
            self.indirect.setdefault(source._replace(subtype=how), confidence)

    def forget(self) -> None:
        """Nothing that was walked is run."""
        for gathered in (self.inputs, self.indirect, self.gaps):
            gathered.clear()

    def gap(self, what: GapKind, detail: str) -> None:
        self.gaps[Gap(what, detail)] = None
