"""From what the history wrote to edges between datasets that are there: tables that are gone are seen through."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal, TypeAlias

from typing_extensions import assert_never

from datahub_aws_lineage.lineage.contents import ALL, ColumnKey, Contents, InputKey, MadeOf, Read, Version
from datahub_aws_lineage.lineage.graph import Graph
from datahub_aws_lineage.lineage.resolver import Resolved
from datahub_aws_lineage.model.names import Dataset
from datahub_aws_lineage.model.ports import Diagnostics

UnknownTables: TypeAlias = Literal["keep_where_catalog_is_partial", "keep", "leave_out"]
"""What becomes of a table that no catalog has, as an end of an edge.

`keep_where_catalog_is_partial`: it stays where its catalog was not read to the end, or may hide it; elsewhere it is
gone by now. So is one that a statement of the history made and that a catalog, read to its end, lacks: but where
nothing reads it, it stays as an output. `keep`: it stays unless the history drops it. `leave_out`: it never stays.
A table that does not stay is seen through: what is read from it comes from what filled it, if the history tells.
"""

_MOST_ROUNDS = 12
"""Rounds through a circle of tables that are gone; each brings what is one step further away."""


class Settlement:
    """Decides, once the whole history is in, which datasets stay, and settles the contents of each upon those."""

    def __init__(
        self,
        graph: Graph,
        facts: Callable[[Dataset], Resolved | None],
        unknown_tables: UnknownTables,
        diagnostics: Diagnostics,
    ) -> None:
        self._graph = graph
        self._facts = facts
        self._unknown_tables = unknown_tables
        self._diagnostics = diagnostics
        self._settled: dict[Version, Contents] = {}
        self._made: dict[Version, MadeOf] = {}
        self._reported: set[Dataset] = set()
        self._read: set[Dataset] = set()
        for contents in graph.contents():
            self.add_reader(contents)

    def add_reader(self, contents: Contents) -> None:
        for version in contents.lives():
            if version.life.name is not None and version.life is not contents:
                self._read.add(version.life.name)

    # ---- what stays ---------------------------------------------------------------------------------------------

    def stays(self, dataset: Dataset) -> bool:
        """Whether edges from it show it. A table of an external schema stays with the table that it shows.

        Reports, once each, datasets that no catalog has, unless the history itself took them away.
        """
        return self._stays(dataset, as_output=False)

    def stays_as_output(self, dataset: Dataset) -> bool:
        """Whether edges into it are shown: also where it is the last that is known of its data."""
        return self._stays(dataset, as_output=True)

    def _stays(self, dataset: Dataset, *, as_output: bool) -> bool:
        fact = self._facts(dataset)
        if fact is None or fact.known:
            return True
        if fact.source is not None:
            return self._stays(fact.source.dataset, as_output=as_output)
        contents = self._graph.current(dataset)
        if contents is None and dataset in self._graph.last:
            return False
        stays = self._unknown_stays(fact, created=contents is not None and contents.created)
        stays = stays or (as_output and contents is not None and self._is_last(dataset, contents))
        self._report(dataset, "table, kept" if stays else "table")
        return stays

    def _unknown_stays(self, fact: Resolved, *, created: bool) -> bool:
        match self._unknown_tables:
            case "keep":
                return True
            case "leave_out":
                return False
            case "keep_where_catalog_is_partial":
                return not fact.complete or not (created or fact.all_visible)
            case _:
                assert_never(self._unknown_tables)

    def _is_last(self, dataset: Dataset, contents: Contents) -> bool:
        return self._unknown_tables != "leave_out" and contents.created and dataset not in self._read

    # ---- what is seen through -----------------------------------------------------------------------------------

    def settle(self, contents: Contents) -> Contents:
        """The same edges, all from datasets that stay."""
        settled = self._settle_version(Version(contents, ALL))
        return self._without_itself(settled, contents)

    def _settle_version(self, whole: Version) -> Contents:
        order, in_circle = self._gone_before(whole)
        for _ in range(_MOST_ROUNDS if in_circle else 1):
            before = sum(map(self._size, order))
            for version in order:
                self._settled[version] = self._settle_one(version)
                self._made.pop(version, None)
            if in_circle and sum(map(self._size, order)) == before:
                break
        for version in order:
            if version != whole and not self._settled[version].inputs and version.life.last_name is not None:
                self._report(version.life.last_name, "table")
        return self._settled[whole]

    def _without_itself(self, settled: Contents, contents: Contents) -> Contents:
        """A table that was built anew from itself, by way of tables that are gone, has what filled it before."""
        name = contents.name
        read = settled.inputs.get(InputKey(name)) if name is not None else None
        if name is None or read is None or read.version is None or read.version.life is contents:
            return settled
        rebuilt = Contents(settled.name, settled.schema, dict(settled.inputs), dict(settled.columns))
        rebuilt.splice(name, Version(self._settle_version(read.version), ALL))
        return rebuilt

    def _size(self, version: Version) -> int:
        settled = self._settled.get(version)
        return len(settled.inputs) + len(settled.columns) if settled is not None else 0

    def _gone_before(self, whole: Version) -> tuple[list[Version], bool]:
        """Unsettled lives that `whole` needs, deepest first and itself last; whether some of them need each other."""
        if whole in self._settled:
            return [], False
        order: list[Version] = []
        entered, open_ones, in_circle = {whole}, {whole}, False
        stack = [(whole, self._needs(whole))]
        while stack:
            current, needs = stack[-1]
            inner = next(needs, None)
            if inner is None:
                stack.pop()
                open_ones.discard(current)
                order.append(current)
            elif inner in entered:
                in_circle = in_circle or inner in open_ones
            elif inner not in self._settled:
                entered.add(inner)
                open_ones.add(inner)
                stack.append((inner, self._needs(inner)))
        return order, in_circle

    def _needs(self, version: Version) -> Iterator[Version]:
        for key, read in version.life.inputs.items():
            if read.since <= version.clock and isinstance(stand_in := self._stand_in(version.life, key), Version):
                yield stand_in

    def _stand_in(self, reader: Contents, key: InputKey | ColumnKey) -> Dataset | Version | None:
        """The dataset that an edge comes from; else the life to see through; None where the edge does not count.

        A name used again stands for an earlier life of its table, but not where the reader itself is gone.
        """
        upstream = key.upstream
        if key.unless is not None and key.unless != upstream and self.stays(key.unless):
            return None
        if isinstance(upstream, Dataset):
            return upstream if self.stays(upstream) else None
        reader_is_gone = reader.name is None and reader.last_name is not None
        name = upstream.life.name if reader_is_gone else upstream.life.last_name
        return name if name is not None and self.stays(name) else upstream

    def _settle_one(self, version: Version) -> Contents:
        contents, clock = version
        settled = Contents(contents.name, contents.schema)
        for key, read in contents.inputs.items():
            if read.since <= clock:
                self._settle_input(settled, key, read, self._stand_in(contents, key))
        stand_ins: dict[InputKey, Dataset | Version | None] = {}
        for column_key, fact in contents.columns.items():
            if fact.since > clock:
                continue
            place = InputKey(column_key.upstream, column_key.unless)
            if place not in stand_ins:
                stand_ins[place] = self._stand_in(contents, column_key)
            match stand_ins[place]:
                case Dataset() as dataset:
                    settled.add_column(column_key._replace(upstream=dataset, unless=None), fact)
                case Version() as gone:
                    settled.add_through(self._made_of(gone), column_key._replace(unless=None), fact)
                case None:
                    pass  # does not count, or is reported with its table
        return settled

    def _settle_input(self, settled: Contents, key: InputKey, read: Read, stand_in: Dataset | Version | None) -> None:
        match stand_in:
            case Dataset():
                settled.add_input(InputKey(stand_in), Read(read.run, read.version))
            case Version():
                inner = self._settled.get(stand_in, Contents())
                for source, inner_read in inner.inputs.items():
                    settled.add_input(source, Read(read.run, inner_read.version))
            case None:
                pass

    def _made_of(self, version: Version) -> MadeOf:
        """Within a circle of tables that are all gone, one is not settled yet: it adds nothing new."""
        if version not in self._made and version in self._settled:
            self._made[version] = self._settled[version].by_column()
        return self._made.get(version, {})

    def _report(self, dataset: Dataset, what: str) -> None:
        if dataset not in self._reported:
            self._reported.add(dataset)
            self._diagnostics.skipped("unknown_dataset", what, str(dataset))
