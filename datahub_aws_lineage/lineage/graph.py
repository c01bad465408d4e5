"""Every table that statements wrote, under the name it has now: writes, drops, renames and truncation in time order."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from datahub_aws_lineage.lineage.contents import Contents, Read
from datahub_aws_lineage.model.catalog import Column
from datahub_aws_lineage.model.names import Dataset


class Graph:
    """Contents by name.

    A name whose table is gone keeps the contents of its last life in `last`, for lineage that goes through it.
    An edge keeps the very contents that were read beside their name: where the name is gone at the end, it may have
    been used again for something else since. `known` says that a catalog has a dataset, whose name then suffices.

    Memory stays within distinct edges: gone contents are held by the edges that read them, and when contents go
    themselves, their edges to gone contents are replaced by what filled those.
    """

    def __init__(self, known: Callable[[Dataset], bool]) -> None:
        self._known = known
        self._bound: dict[Dataset, Contents] = {}
        self.last: dict[Dataset, Contents] = {}

    def current(self, dataset: Dataset) -> Contents | None:
        return self._bound.get(dataset)

    def read(self, dataset: Dataset) -> Contents | None:
        """The life that a statement reads. One whose beginning was not seen begins here, unless a catalog has it."""
        contents = self._bound.get(dataset)
        if contents is None and not self._known(dataset):
            contents = self._bind(dataset, Contents())
        return contents

    def items(self) -> Iterator[tuple[Dataset, Contents]]:
        yield from self._bound.items()

    def create(self, dataset: Dataset, schema: tuple[Column, ...] | None) -> None:
        """The table starts anew."""
        self._lose(dataset)
        self._bind(dataset, Contents(schema=schema, created=True))

    def write(self, dataset: Dataset, delta: Contents) -> None:
        """Adds the edges of one statement. Those of an emptied table are void from now on."""
        contents = self._bound.get(dataset)
        if contents is None or contents.emptied:
            fresh = Contents(schema=contents.schema if contents else None, created=bool(contents and contents.created))
            self._lose(dataset)
            contents = self._bind(dataset, fresh)
        contents.merge(self._as_seen_by(contents, dataset, delta))

    def empty(self, dataset: Dataset) -> None:
        contents = self._bound.get(dataset)
        if contents is not None:
            contents.emptied = True

    def drop(self, dataset: Dataset) -> None:
        self._lose(dataset)

    def rename(self, old: Dataset, new: Dataset) -> None:
        """What was `old` is `new`. A table rebuilt from itself under another name keeps what filled it before."""
        contents = self._bound.get(old) or Contents()
        contents.created = True
        self._lose(old, is_gone=False)
        self._lose(new)
        self._bind(new, contents)
        if new in contents.inputs:
            contents.splice(new, self.last.get(new, contents))

    # ---- lives --------------------------------------------------------------------------------------------------

    def _bind(self, dataset: Dataset, contents: Contents) -> Contents:
        contents.name = dataset
        self._bound[dataset] = contents
        return contents

    def _lose(self, dataset: Dataset, *, is_gone: bool = True) -> None:
        contents = self._bound.pop(dataset, None)
        if contents is None:
            return
        contents.name = None
        self.last[dataset] = contents
        if is_gone:
            self._retire(contents)

    def _retire(self, contents: Contents) -> None:
        """Lets go of gone contents that this one read, so that they do not pile up behind one another."""
        for upstream, read in list(contents.inputs.items()):
            inner = read.contents
            if inner is None or inner.name is not None:
                continue
            if upstream in self._bound or self._known(upstream):
                contents.inputs[upstream] = Read(read.run)
            else:
                contents.splice(upstream, inner)

    def _as_seen_by(self, contents: Contents, dataset: Dataset, delta: Contents) -> Contents:
        """`delta` as edges into one life of `dataset`: what it reads of an earlier life is what filled that one."""
        read = delta.inputs.get(dataset)
        if read is None:
            return delta
        seen = Contents(inputs=dict(delta.inputs), columns=dict(delta.columns))
        if read.contents is not None and read.contents is not contents:
            seen.splice(dataset, read.contents)
        else:
            seen.inputs[dataset] = Read(read.run)
        return seen
