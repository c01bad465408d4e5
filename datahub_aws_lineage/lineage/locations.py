"""S3 locations as datasets: one name for each folder of data, however a statement spells what lies in it."""

from __future__ import annotations

import re
from dataclasses import dataclass

_SCHEME = re.compile(r"s3[an]?://", re.IGNORECASE)
_PARTITION_FOLDER = re.compile(r"[^=]+=")
_PATTERN = re.compile(r"[*?{}\[\]$]")
"""A wildcard, a set of alternatives, or a template of partition projection: no folder has such a name."""

_FILE_NAME = re.compile(
    r"""
      .+\.[a-z][a-z0-9]{0,9}      # orders.csv, x.csv.gz; not v1.2
    | part([-_]?\d.*)?            # what COPY and UNLOAD take as the beginning of many file names
    | \d{4,}_part_\d+.*
    | manifest
    | _success
    """,
    re.IGNORECASE | re.VERBOSE,
)


def s3_segments(uri: str) -> tuple[str, ...] | None:
    """Bucket and folders, as written; None where `uri` is not on S3.

    >>> s3_segments("s3a://lake/in//dt=1/")
    ('lake', 'in', 'dt=1')
    """
    scheme = _SCHEME.match(uri.strip())
    if scheme is None:
        return None
    segments = tuple(segment for segment in uri.strip()[scheme.end() :].split("/") if segment)
    return segments or None


def folder_segments(uri: str) -> tuple[str, ...] | None:
    """`s3_segments` up to the folder that is the dataset: partition folders, patterns and file names are cut off.

    The beginning of a file name that COPY and UNLOAD may be given can look like a folder (`s3://lake/in/orders`).
    It is taken for a folder unless it looks like a file, or ends in `_` or `-`.

    >>> folder_segments("s3://lake/in/dt=2024-05-01/part-0000")
    ('lake', 'in')
    """
    segments = s3_segments(uri)
    if segments is None:
        return None
    folders = segments[1:]
    for depth, folder in enumerate(folders):
        if _PARTITION_FOLDER.match(folder) or _PATTERN.search(folder):
            folders = folders[:depth]
            break
    else:
        if folders and not uri.strip().endswith("/") and _is_file_name(folders[-1]):
            folders = folders[:-1]
    return (segments[0], *folders)


def _is_file_name(segment: str) -> bool:
    return segment.endswith(("_", "-")) or _FILE_NAME.fullmatch(segment) is not None


def location_name(uri: str) -> str | None:
    """A catalogued location as DataHub's glue source names it: without scheme and closing slashes, else as written.

    >>> location_name("s3n://Lake/Orders/")
    'Lake/Orders'
    """
    scheme = _SCHEME.match(uri.strip())
    if scheme is None:
        return None
    return uri.strip()[scheme.end() :].strip("/") or None


@dataclass(slots=True)
class _Folder:
    """`name` is the location catalogued here. `beneath` is the only one below; `crowded` says that there are more."""

    name: str | None = None
    beneath: str | None = None
    crowded: bool = False
    folders: dict[str, _Folder] | None = None


class LocationIndex:
    """Catalogued locations, found from any path in as many steps as the path has folders.

    >>> index = LocationIndex()
    >>> index.add("s3://lake/orders/")
    >>> index.longest_prefix("s3://lake/orders/dt=1/a.parquet")
    'lake/orders'
    >>> index.longest_prefix("s3://lake/orders_old/") is None
    True
    """

    def __init__(self) -> None:
        self._root = _Folder()

    def add(self, uri: str) -> None:
        """Takes a catalogued location; one that is not on S3 is passed over."""
        segments, name = s3_segments(uri), location_name(uri)
        if segments is None or name is None:
            return
        folder = self._root
        for segment in segments:
            if folder.beneath is None:
                folder.beneath = name
            elif not folder.crowded:
                folder.crowded = s3_segments(f"s3://{folder.beneath}") != segments
            if folder.folders is None:
                folder.folders = {}
            folder = folder.folders.setdefault(segment, _Folder())
        folder.name = name if folder.name is None else min(name, folder.name)

    def longest_prefix(self, uri: str) -> str | None:
        """The deepest catalogued location that holds `uri`, by whole folder names."""
        found = None
        folder: _Folder | None = self._root
        for segment in s3_segments(uri) or ():
            folder = (folder.folders or {}).get(segment) if folder else None
            if folder is None:
                break
            found = folder.name or found
        return found

    def only_one_below(self, uri: str) -> str | None:
        """The catalogued location below the folder of `uri`, where there is exactly one."""
        segments = folder_segments(uri)
        folder: _Folder | None = self._root if segments else None
        for segment in segments or ():
            folder = (folder.folders or {}).get(segment) if folder else None
        return folder.beneath if folder and not folder.crowded else None
