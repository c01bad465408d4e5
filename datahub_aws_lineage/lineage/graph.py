"""Every table that statements wrote, under the name it has now: writes, drops, renames and truncation in time order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime

from datahub_aws_lineage.lineage.contents import ALL, MOST_VERSIONS, Contents, InputKey, Read, Source, Version
from datahub_aws_lineage.model.catalog import Column
from datahub_aws_lineage.model.names import Dataset

_MOST_ROUNDS = 3
"""Times that a gone life is put in its own place, where gone lives fill each other in a circle."""


class Graph:
    """Contents by name.

    An edge from a dataset that a catalog has (`known`) is an edge from its name. Any other name may be used for one
    table after another: an edge from it names the life that was read, as it was when it was read.
    A name whose table is gone keeps the contents of its last life in `last`.

    Memory stays within distinct edges. Contents read at most one gone life of each name: when the next one is read,
    what filled the one before takes its place. When contents go themselves, so does all that they read and that is
    gone.
    """

    def __init__(self, known: Callable[[Dataset], bool]) -> None:
        self._known = known
        self._bound: dict[Dataset, Contents] = {}
        self.last: dict[Dataset, Contents] = {}
        self._dropped: dict[Dataset, datetime] = {}
        self._emptied: dict[Dataset, datetime] = {}
        self.now: datetime | None = None
        """When the statement that is being entered ran."""

    def current(self, dataset: Dataset) -> Contents | None:
        return self._bound.get(dataset)

    def read(self, dataset: Dataset) -> tuple[Source, Version | None]:
        """What a statement reads: the source of its edges, and the life behind it where there is one.

        A life whose beginning was not seen begins here, unless a catalog has the dataset.
        """
        contents = self._bound.get(dataset)
        if self._known(dataset):
            return dataset, Version(contents, contents.clock) if contents is not None else None
        if contents is None:
            contents = self._bind(dataset, Contents())
        elif contents.is_view:
            contents = self._as_of_now(contents, set())
        version = Version(contents, _clock_of_read(contents))
        return version, version

    def contents(self) -> Iterator[Contents]:
        yield from self._bound.values()

    def datasets(self) -> tuple[Dataset, ...]:
        """All names that are in use now."""
        return tuple(self._bound)

    def items(self) -> Iterator[tuple[Dataset, Contents]]:
        yield from self._bound.items()

    def create(
        self,
        dataset: Dataset,
        schema: tuple[Column, ...] | None,
        *,
        is_view: bool = False,
        if_not_exists: bool = False,
    ) -> None:
        """The table starts anew; `if_not_exists`: where the history does not show that it was there before."""
        begun = self.now if not if_not_exists or dataset in self.last else None
        self._lose(dataset)
        self._bind(dataset, Contents(schema=schema, created=True, is_view=is_view, begun=begun))

    def write(self, dataset: Dataset, delta: Contents) -> None:
        """Adds the edges of one statement. Those of an emptied table are void from now on."""
        contents = self._bound.get(dataset)
        if contents is None or contents.emptied:
            fresh = Contents(
                schema=contents.schema if contents else None,
                created=bool(contents and contents.created),
                begun=self.now if contents is not None or dataset in self.last else None,
            )
            self._lose(dataset)
            contents = self._bind(dataset, fresh)
        if contents.begun is not None and delta.comes_from(dataset):
            contents.begun = None
        self.add(contents, self._as_seen_by(contents, dataset, delta))

    def add(self, contents: Contents, delta: Contents) -> None:
        """Merges the edges of a statement, or of a definition, within the bounds of memory."""
        read = list(delta.lives())
        own = [version for version in read if version.life is contents]
        if own:
            delta = Contents(inputs=dict(delta.inputs), columns=dict(delta.columns))
            for version in own:
                delta.splice(version, version)
        if read:
            self._let_go_of_earlier_lives(contents, read)
            delta = _within_versions(contents, delta, read)
        contents.merge(delta)

    def empty(self, dataset: Dataset) -> None:
        contents = self._bound.get(dataset)
        if contents is None:
            if dataset in self._dropped:
                return
            contents = self._bind(dataset, Contents())
        contents.emptied = True
        if self.now is not None:
            self._emptied[dataset] = self.now

    def drop(self, dataset: Dataset) -> None:
        self._lose(dataset)
        self.last.setdefault(dataset, Contents(last_name=dataset))
        if self.now is not None:
            self._dropped[dataset] = self.now

    def rename(self, old: Dataset, new: Dataset) -> None:
        """What was `old` is `new`. A table rebuilt from itself under another name keeps what filled it before."""
        contents = self._bound.get(old) or Contents()
        contents.created, contents.begun = True, None if contents.comes_from(new) else self.now
        self._lose(old, is_gone=False)
        self._lose(new)
        if self.now is not None:
            self._dropped[old] = self.now
        self._bind(new, contents)
        _splice_earlier_lives(contents, new, contents)
        if InputKey(new) in contents.inputs:
            contents.splice(new, Version(self.last.get(new, contents), ALL))

    def over(self) -> Iterator[tuple[Dataset, datetime]]:
        """Names, and since when what was put there before is gone: tables made anew, emptied or dropped."""
        for dataset, moment in self._dropped.items():
            if dataset not in self._bound or self._bound[dataset].begun is not None:
                yield dataset, moment
        for dataset, contents in self._bound.items():
            if contents.begun is not None:
                yield dataset, contents.begun

    def emptied(self) -> Iterator[tuple[Dataset, datetime]]:
        """Tables that are empty now, and since when: what filled them stands until they are filled again."""
        for dataset, moment in self._emptied.items():
            contents = self._bound.get(dataset)
            if contents is not None and contents.emptied:
                yield dataset, moment

    # ---- lives --------------------------------------------------------------------------------------------------

    def _bind(self, dataset: Dataset, contents: Contents) -> Contents:
        contents.name = contents.last_name = dataset
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
        contents.settle_names()
        spliced: Counter[Version] = Counter()
        while gone := [version for version in contents.lives() if version.life.name is None]:
            for version in gone:
                spliced[version] += 1
                in_circle = spliced[version] > _MOST_ROUNDS or version.life is contents
                contents.splice(version, Version(Contents(), 0) if in_circle else version)
        own = contents.last_name
        read = contents.inputs.get(InputKey(own)) if own is not None else None
        if own is not None and read is not None and read.version is not None and read.version.life is not contents:
            contents.splice(own, read.version)  # an earlier life, of which the same has been made
        for key, read in list(contents.inputs.items()):
            if read.version is not None and read.version.life.name is None:
                contents.inputs[key] = Read(read.run, _alone(read.version), read.since)
        _bound_versions(contents)

    def _let_go_of_earlier_lives(self, contents: Contents, read: list[Version]) -> None:
        """Of each name that `read` has, `contents` may have read lives that are gone by now."""
        names = {version.life.last_name: version.life for version in read}
        earlier = [
            version
            for version in contents.lives()
            if version.life.name is None and names.get(version.life.last_name, version.life) is not version.life
        ]
        for version in earlier:
            contents.splice(version, version, version.life.last_name)
        if earlier:
            _bound_versions(contents)

    def _as_seen_by(self, contents: Contents, dataset: Dataset, delta: Contents) -> Contents:
        """`delta` as edges into one life of `dataset`: what it reads of an earlier life is what filled that one."""
        seen = Contents(inputs=dict(delta.inputs), columns=dict(delta.columns))
        _splice_earlier_lives(seen, dataset, contents)
        read = seen.inputs.get(InputKey(dataset))
        if read is not None and read.version is not None and read.version.life is not contents:
            seen.splice(dataset, read.version)
        return seen

    def _as_of_now(self, view: Contents, asked: set[Contents]) -> Contents:
        """A view reads, each time, what its tables hold by then: where that has changed, it is a life of its own."""
        asked.add(view)
        moved = {version: now for version in view.lives() if (now := self._now(version, asked)) != version}
        if not moved or view.name is None:
            return view
        fresh = Contents(schema=view.schema, created=view.created, is_view=True, begun=view.begun)
        for key, read in view.inputs.items():
            fresh.add_input(key._replace(upstream=_moved(key.upstream, moved)), read)
        for column_key, fact in view.columns.items():
            fresh.add_column(column_key._replace(upstream=_moved(column_key.upstream, moved)), fact)
        fresh.clock = view.clock
        name = view.name
        self._lose(name)
        return self._bind(name, fresh)

    def _now(self, version: Version, asked: set[Contents]) -> Version:
        life = version.life
        if life.name is None and life.last_name is not None:
            life = self._bound.get(life.last_name, life)
        if life.is_view and life not in asked:
            life = self._as_of_now(life, asked)
        return Version(life, _clock_of_read(life))


def _clock_of_read(contents: Contents) -> int:
    """What was in a table before the history began is most likely what the history goes on to put there."""
    return contents.clock if contents.created or contents.clock else ALL


def _alone(version: Version) -> Version:
    """A gone life without what it read itself, so that gone lives do not hold one another."""
    life = version.life
    inputs = {key: Read(read.run, None, read.since) for key, read in life.inputs.items()}
    return Version(Contents(None, life.schema, inputs, life.columns, last_name=life.last_name), version.clock)


def _moved(source: Source, moved: dict[Version, Version]) -> Source:
    return moved.get(source, source) if isinstance(source, Version) else source


def _splice_earlier_lives(contents: Contents, dataset: Dataset, now: Contents) -> None:
    """What `contents`, edges into the life `now` of `dataset`, reads of its earlier lives is what filled those."""
    for version in list(contents.lives()):
        if version.life.last_name == dataset and version.life is not now:
            contents.splice(version, version)
    contents.settle_names(dataset)


def _within_versions(contents: Contents, delta: Contents, read: list[Version]) -> Contents:
    """`delta`, with all of a life in the place of one version too many of it."""
    held = _clocks(contents)
    crowded: dict[Version, Version] = {}
    for version in read:
        clocks = held.get(version.life, [])
        if version.clock not in clocks and len(clocks) >= MOST_VERSIONS:
            crowded[version] = Version(version.life, ALL)
    if not crowded:
        return delta
    bounded = Contents()
    for key, found in delta.inputs.items():
        bounded.add_input(key._replace(upstream=_moved(key.upstream, crowded)), found)
    for column_key, fact in delta.columns.items():
        bounded.add_column(column_key._replace(upstream=_moved(column_key.upstream, crowded)), fact)
    return bounded


def _bound_versions(contents: Contents) -> None:
    """As `_within_versions`, for what `contents` holds already."""
    crowded = {
        Version(life, clock): Version(life, ALL)
        for life, clocks in _clocks(contents).items()
        for clock in sorted(clocks)[MOST_VERSIONS:]
        if clock != ALL
    }
    if not crowded:
        return
    for key in [key for key in contents.inputs if key.upstream in crowded]:
        contents.add_input(key._replace(upstream=_moved(key.upstream, crowded)), contents.inputs.pop(key))
    for column_key in [key for key in contents.columns if key.upstream in crowded]:
        fact = contents.columns.pop(column_key)
        contents.add_column(column_key._replace(upstream=_moved(column_key.upstream, crowded)), fact)


def _clocks(contents: Contents) -> dict[Contents, list[int]]:
    clocks: dict[Contents, list[int]] = {}
    for version in contents.lives():
        clocks.setdefault(version.life, []).append(version.clock)
    return clocks
