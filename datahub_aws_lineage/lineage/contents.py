"""What fills a table: the edges that one life of it has gathered, from its CREATE (or first sight) to its DROP."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import NamedTuple, TypeAlias

from datahub_aws_lineage.lineage.compose import compose_confidence, compose_path, compose_subtypes
from datahub_aws_lineage.model.catalog import Column
from datahub_aws_lineage.model.lineage import Subtype
from datahub_aws_lineage.model.names import Dataset

ALL = sys.maxsize
"""The clock of a `Version` that has everything its life ever gathers."""

MOST_VERSIONS = 8
"""Versions of one life that another tells apart. Beyond them, tables that fill each other night by night would grow
without end: what is read then is taken to hold all that its life ever gathers."""


@dataclass(slots=True, eq=False)
class Run:
    """The newest run behind an edge. `query` is None for what is defined rather than run (views).

    The edges of one statement share it: where the statement runs again under the same circumstances, it `moves` on.
    `displaced` says that one of the edges has passed to the run of another statement. `certainty` lessens the
    confidence of its edges where the log does not say that it succeeded.
    """

    query: str | None = None
    at: datetime | None = None
    actor: str | None = None
    displaced: bool = False
    certainty: float = 1.0

    def moves(self, later: Run) -> None:
        if is_newer(later, self):
            self.at, self.actor = later.at, later.actor


DEFINED = Run()

UNCONFIRMED = 0.9
"""The certainty of what a log shows that is written before statements run, or that keeps no outcome."""


_MOST_ASKED = 1_000
"""Lives that are asked, one behind the other, whether a table was filled from itself."""


class Version(NamedTuple):
    """A life of a table as it was read: its edges up to `clock`. What was put into it later was not read."""

    life: Contents
    clock: int


Source: TypeAlias = "Dataset | Version"
"""A dataset by its name, where a catalog has it; else the very life that was read, since its name may be used again."""


class InputKey(NamedTuple):
    """An upstream. With `unless`, it counts only where that name, through which it was read, does not stay.

    Where both are the same name it is the opposite: the name itself, if it stays.
    """

    upstream: Source
    unless: Dataset | None = None


class ColumnKey(NamedTuple):
    """What makes two column edges into one table the same edge. `unless` is as in `InputKey`."""

    upstream: Source
    upstream_column: str
    column: str
    subtype: Subtype
    unless: Dataset | None = None


@dataclass(frozen=True, slots=True)
class ColumnFact:
    """`since` is the clock of the table when the edge first came."""

    expression: str | None
    confidence: float
    run: Run
    since: int = 0


MadeOf: TypeAlias = dict[str, list[tuple[ColumnKey, ColumnFact]]]
"""Edges by the column that they make."""


@dataclass(frozen=True, slots=True)
class Read:
    """`version` is what was read of an upstream that goes by its name; `since` is as in `ColumnFact`."""

    run: Run
    version: Version | None = None
    since: int = 0


@dataclass(slots=True, eq=False)
class Contents:
    """Edges into one table, each once.

    `name` is what the table is called now, None once it is gone; `last_name` what it was called at last. `emptied`
    says that what comes next replaces all this; until then it stands, since a staging table that is truncated after
    use is still filled this way. `created` says that the statement which made the table was seen. `is_view` says that
    it holds no rows of its own. `clock` counts the statements that brought something new. `begun` is when it
    was made or emptied, where that was seen and where it was not filled from itself: what it holds has come since.
    """

    name: Dataset | None = None
    schema: tuple[Column, ...] | None = None
    inputs: dict[InputKey, Read] = field(default_factory=dict)
    columns: dict[ColumnKey, ColumnFact] = field(default_factory=dict)
    emptied: bool = False
    created: bool = False
    last_name: Dataset | None = None
    is_view: bool = False
    clock: int = 0
    begun: datetime | None = None

    def add_input(self, key: InputKey, read: Read) -> None:
        before = self.inputs.get(key)
        if before is not None:
            newest = read if _passes(before.run, read.run) else before
            read = Read(newest.run, newest.version, min(read.since, before.since))
        self.inputs[key] = read

    def add_column(self, key: ColumnKey, fact: ColumnFact) -> None:
        """The newest run and its expression stay, and the greatest confidence."""
        before = self.columns.get(key)
        if before is not None:
            newest = fact if _passes(before.run, fact.run) else before
            confidence, since = max(fact.confidence, before.confidence), min(fact.since, before.since)
            fact = ColumnFact(newest.expression, confidence, newest.run, since)
        self.columns[key] = fact

    def merge(self, other: Contents) -> None:
        """Takes in the edges of one statement."""
        size, now = len(self.inputs) + len(self.columns), self.clock + 1
        for key, read in other.inputs.items():
            self.add_input(key, Read(read.run, read.version, now))
        for column_key, fact in other.columns.items():
            self.add_column(column_key, replace(fact, since=now))
        if len(self.inputs) + len(self.columns) > size:
            self.clock = now

    def rename_column(self, old: str, new: str, *, keep: bool) -> None:
        """What made `old` made `new`, with its fields. Where others have read `old`, `keep` what it was made of."""
        for key in [key for key in self.columns if key.column.partition(".")[0] == old]:
            _, dot, rest = key.column.partition(".")
            fact = self.columns[key] if keep else self.columns.pop(key)
            self.add_column(key._replace(column=f"{new}{dot}{rest}"), fact)

    def comes_from(self, name: Dataset) -> bool:
        """Whether `name`, or what was called so, is among the upstreams, or among those of lives that were read."""
        open_ones, asked = [self], {self}
        while open_ones and len(asked) < _MOST_ASKED:
            contents = open_ones.pop()
            if InputKey(name) in contents.inputs:
                return True
            for version in contents.lives():
                if version.life.last_name == name:
                    return True
                if version.life not in asked:
                    asked.add(version.life)
                    open_ones.append(version.life)
        return False

    def lives(self) -> Iterator[Version]:
        """Upstreams that go by their lives."""
        for upstream in dict.fromkeys(key.upstream for key in self.inputs):
            if isinstance(upstream, Version):
                yield upstream

    def by_column(self, clock: int = ALL) -> MadeOf:
        """What each column was made of at `clock`; found once where many columns are asked for."""
        made: MadeOf = {}
        for key, fact in self.columns.items():
            if fact.since <= clock:
                made.setdefault(key.column, []).append((key, fact))
        return made

    def add_through(self, inner: MadeOf, key: ColumnKey, fact: ColumnFact) -> None:
        """Adds what `key.column` gets from a table that is no dataset and whose columns are made as `inner` says.

        The edge belongs to the run that `fact` names, the last of the chain.
        """
        whole, _, rest = key.upstream_column.partition(".")
        for inner_key, made in inner.get(whole, ()):
            composed = ColumnKey(
                inner_key.upstream,
                compose_path(inner_key.upstream_column, inner_key.subtype, rest),
                key.column,
                compose_subtypes(inner_key.subtype, key.subtype),
                key.unless or inner_key.unless,
            )
            expression = made.expression if key.subtype == "IDENTITY" else fact.expression
            confidence = compose_confidence(made.confidence, fact.confidence)
            self.add_column(composed, ColumnFact(expression, confidence, fact.run, fact.since))

    def splice(self, source: Source, inner: Version, unless: Dataset | None = None) -> None:
        """Puts what fills `inner`, which was read as `source`, in the place of `source`.

        With `unless`, the name stands beside it: which of the two counts is known at the end.
        """
        through = {key: fact for key, fact in self.columns.items() if key.upstream == source}
        for column_key in through:
            del self.columns[column_key]
        made = inner.life.by_column(inner.clock)
        for column_key, fact in through.items():
            if unless is not None and column_key.unless is None:
                self.add_column(column_key._replace(upstream=unless, unless=unless), fact)
            self.add_through(made, column_key._replace(unless=column_key.unless or unless), fact)
        self._splice_inputs(source, inner, unless)

    def _splice_inputs(self, source: Source, inner: Version, unless: Dataset | None) -> None:
        filled = [(key, read) for key, read in inner.life.inputs.items() if read.since <= inner.clock]
        for key in [key for key in self.inputs if key.upstream == source]:
            read = self.inputs.pop(key)
            if unless is not None and key.unless is None:
                self.add_input(InputKey(unless, unless), Read(read.run, None, read.since))
            for inner_key, inner_read in filled:
                if inner_key.upstream != source:
                    condition = key.unless or unless or inner_key.unless
                    self.add_input(
                        InputKey(inner_key.upstream, condition), Read(read.run, inner_read.version, read.since)
                    )

    def settle_names(self, name: Dataset | None = None) -> None:
        """Takes the names that were kept beside gone tables, or that one `name`, for gone themselves."""
        for key in [key for key in self.inputs if key.unless is not None and name in (None, key.unless)]:
            read = self.inputs.pop(key)
            if key.upstream != key.unless:
                self.add_input(InputKey(key.upstream), read)
        for column_key in [key for key in self.columns if key.unless is not None and name in (None, key.unless)]:
            fact = self.columns.pop(column_key)
            if column_key.upstream != column_key.unless:
                self.add_column(column_key._replace(unless=None), fact)


def _passes(before: Run, run: Run) -> bool:
    """Whether an edge passes from the one run to the other."""
    if before is run:
        return True
    newer = is_newer(run, before)
    before.displaced = before.displaced or newer
    return newer


def is_newer(run: Run, than: Run) -> bool:
    """What comes later in the history wins; of one instant, the later statement."""
    return than.at is None or (run.at is not None and run.at >= than.at)
