"""From what the history wrote to edges between datasets that are there: tables that are gone are seen through."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal, TypeAlias

from typing_extensions import assert_never

from datahub_aws_lineage.lineage.contents import Contents, Read
from datahub_aws_lineage.lineage.graph import Graph
from datahub_aws_lineage.lineage.resolver import Resolved
from datahub_aws_lineage.model.names import Dataset
from datahub_aws_lineage.model.ports import Diagnostics

UnknownTables: TypeAlias = Literal["keep_where_catalog_is_partial", "keep", "leave_out"]
"""What becomes of a table that no catalog has, as an end of an edge.

`keep_where_catalog_is_partial`: it stays where its catalog was not read to the end, or where a statement of the
history made it and none took it away; elsewhere it is gone by now. `keep`: it stays unless the history drops it.
`leave_out`: it never stays.
A table that does not stay is seen through: what is read from it comes from what filled it, if the history tells.
"""


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
        self._settled: dict[int, tuple[Contents, Contents]] = {}
        self._reported: set[Dataset] = set()

    def stays(self, dataset: Dataset) -> bool:
        """A table of an external schema stays with the table that it shows.

        Reports, once each, datasets that no catalog has, unless the history itself took them away.
        """
        fact = self._facts(dataset)
        if fact is None or fact.known:
            return True
        if fact.source is not None:
            return self.stays(fact.source.dataset)
        contents = self._graph.current(dataset)
        if contents is None and dataset in self._graph.last:
            return False
        stays = self._unknown_stays(fact, created=contents is not None and contents.created)
        self._report(dataset, "table, kept" if stays else "table")
        return stays

    def _unknown_stays(self, fact: Resolved, *, created: bool) -> bool:
        match self._unknown_tables:
            case "keep":
                return True
            case "leave_out":
                return False
            case "keep_where_catalog_is_partial":
                return created or not fact.complete
            case _:
                assert_never(self._unknown_tables)

    def settle(self, contents: Contents) -> Contents:
        """The same edges, all from datasets that stay."""
        for gone in self._gone_before(contents):
            if id(gone) not in self._settled:
                self._settled[id(gone)] = (gone, self._settle_one(gone))
        return self._settled[id(contents)][1]

    def _gone_before(self, contents: Contents) -> Iterator[Contents]:
        """Contents that `contents` needs, deepest first and itself last; a circle is cut where it closes."""
        entered: set[int] = set()
        stack: list[tuple[Contents, Iterator[Contents]]] = [(contents, self._needs(contents))]
        entered.add(id(contents))
        while stack:
            current, needs = stack[-1]
            inner = next((need for need in needs if id(need) not in entered), None)
            if inner is None:
                stack.pop()
                yield current
            elif id(inner) not in self._settled:
                entered.add(id(inner))
                stack.append((inner, self._needs(inner)))

    def _needs(self, contents: Contents) -> Iterator[Contents]:
        for upstream, read in contents.inputs.items():
            stand_in = self._stand_in(upstream, read)
            if isinstance(stand_in, Contents):
                yield stand_in

    def _stand_in(self, upstream: Dataset, read: Read) -> Dataset | Contents | None:
        """`upstream` itself; else the name its contents have now; else those contents; else nothing."""
        if self.stays(upstream):
            return upstream
        contents = read.contents or self._graph.current(upstream) or self._graph.last.get(upstream)
        if contents is not None and contents.name is not None and self.stays(contents.name):
            return contents.name
        return contents

    def _settle_one(self, contents: Contents) -> Contents:
        settled = Contents(contents.name, contents.schema)
        stand_ins = {upstream: self._stand_in(upstream, read) for upstream, read in contents.inputs.items()}
        for upstream, stand_in in stand_ins.items():
            self._settle_input(settled, upstream, contents.inputs[upstream], stand_in)
        made = {
            upstream: self._already_settled(stand_in).by_column()
            for upstream, stand_in in stand_ins.items()
            if isinstance(stand_in, Contents)
        }
        for key, fact in contents.columns.items():
            match stand_ins.get(key.upstream, key.upstream):
                case Dataset() as dataset:
                    settled.add_column(key._replace(upstream=dataset), fact)
                case Contents():
                    settled.add_through(made[key.upstream], key.column, key.upstream_column, key.subtype, fact)
                case None:
                    pass  # reported with its table, in `stays`
        return settled

    def _settle_input(
        self, settled: Contents, upstream: Dataset, read: Read, stand_in: Dataset | Contents | None
    ) -> None:
        match stand_in:
            case Dataset():
                settled.add_input(stand_in, Read(read.run))
            case Contents():
                inner = self._already_settled(stand_in)
                for source in inner.inputs:
                    settled.add_input(source, Read(read.run))
                if not inner.inputs:
                    self._report(upstream, "table")
            case None:
                self._report(upstream, "table")

    def _already_settled(self, contents: Contents) -> Contents:
        """Within a circle of tables that are all gone, one is not settled yet: it adds nothing new."""
        return self._settled[id(contents)][1] if id(contents) in self._settled else Contents()

    def _report(self, dataset: Dataset, what: str) -> None:
        if dataset not in self._reported:
            self._reported.add(dataset)
            self._diagnostics.skipped("unknown_dataset", what, str(dataset))
