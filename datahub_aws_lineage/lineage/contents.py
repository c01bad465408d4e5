"""What fills a table: the edges that one life of it has gathered, from its CREATE (or first sight) to its DROP."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple, TypeAlias

from datahub_aws_lineage.lineage.compose import compose_confidence, compose_path, compose_subtypes
from datahub_aws_lineage.model.catalog import Column
from datahub_aws_lineage.model.lineage import Subtype
from datahub_aws_lineage.model.names import Dataset


@dataclass(frozen=True, slots=True)
class Run:
    """The newest run behind an edge. `query` is None for what is defined rather than run (views)."""

    query: str | None = None
    at: datetime | None = None
    actor: str | None = None


DEFINED = Run()


class ColumnKey(NamedTuple):
    """What makes two column edges into one table the same edge."""

    upstream: Dataset
    upstream_column: str
    column: str
    subtype: Subtype


@dataclass(frozen=True, slots=True)
class ColumnFact:
    expression: str | None
    confidence: float
    run: Run


MadeOf: TypeAlias = dict[str, list[tuple[ColumnKey, ColumnFact]]]
"""Edges by the column that they make."""


@dataclass(frozen=True, slots=True)
class Read:
    """An upstream. `contents` is the life of it that was read, where the name alone may not say it later."""

    run: Run
    contents: Contents | None = None


@dataclass(slots=True, eq=False)
class Contents:
    """Edges into one table, each once.

    `name` is what the table is called now, None once it is gone. `emptied` says that what comes next replaces all
    this; until then it stands, since a staging table that is truncated after use is still filled this way.
    `created` says that the statement which made the table was seen.
    """

    name: Dataset | None = None
    schema: tuple[Column, ...] | None = None
    inputs: dict[Dataset, Read] = field(default_factory=dict)
    columns: dict[ColumnKey, ColumnFact] = field(default_factory=dict)
    emptied: bool = False
    created: bool = False

    def add_input(self, upstream: Dataset, read: Read) -> None:
        before = self.inputs.get(upstream)
        if before is None or is_newer(read.run, before.run):
            self.inputs[upstream] = read

    def add_column(self, key: ColumnKey, fact: ColumnFact) -> None:
        """The newest run and its expression stay, and the greatest confidence."""
        before = self.columns.get(key)
        if before is not None:
            newest = fact if is_newer(fact.run, before.run) else before
            fact = ColumnFact(newest.expression, max(fact.confidence, before.confidence), newest.run)
        self.columns[key] = fact

    def merge(self, other: Contents) -> None:
        for upstream, read in other.inputs.items():
            self.add_input(upstream, read)
        for key, fact in other.columns.items():
            self.add_column(key, fact)

    def by_column(self) -> MadeOf:
        """What each column is made of; found once where many columns are asked for."""
        made: MadeOf = {}
        for key, fact in self.columns.items():
            made.setdefault(key.column, []).append((key, fact))
        return made

    def add_through(self, inner: MadeOf, column: str, path: str, subtype: Subtype, fact: ColumnFact) -> None:
        """Adds what `column` gets from `path` of a table that is no dataset and whose columns are made as `inner` says.

        The edge belongs to the run that `fact` names, the last of the chain.
        """
        whole, _, rest = path.partition(".")
        for key, made in inner.get(whole, ()):
            upstream_column = compose_path(key.upstream_column, key.subtype, rest)
            composed = ColumnKey(key.upstream, upstream_column, column, compose_subtypes(key.subtype, subtype))
            expression = made.expression if subtype == "IDENTITY" else fact.expression
            confidence = compose_confidence(made.confidence, fact.confidence)
            self.add_column(composed, ColumnFact(expression, confidence, fact.run))

    def splice(self, upstream: Dataset, inner: Contents) -> None:
        """Puts what fills `upstream` in the place of `upstream`."""
        read = self.inputs.pop(upstream)
        through = {key: fact for key, fact in self.columns.items() if key.upstream == upstream}
        for key in through:
            del self.columns[key]
        if inner is self:
            return
        for source, source_read in list(inner.inputs.items()):
            self.add_input(source, Read(read.run, source_read.contents))
        made = inner.by_column()
        for key, fact in through.items():
            self.add_through(made, key.column, key.upstream_column, key.subtype, fact)


def is_newer(run: Run, than: Run) -> bool:
    """What comes later in the history wins; of one instant, the later statement."""
    return than.at is None or (run.at is not None and run.at >= than.at)
