"""Logs that an AWS service writes to S3 as gzip objects, in folders by the day of delivery.

Source: the services' own guides; all lay their logs out as
`[prefix/]AWSLogs/<account>/<service>/<region>/<year>/<month>/<day>/<object>.gz`.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta, timezone
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from botocore import exceptions as boto

from datahub_aws_lineage.aws.calls import call, paginate
from datahub_aws_lineage.errors import AccessDeniedError, NotFoundError, RetriableError, SkippableError
from datahub_aws_lineage.model.ports import Diagnostics
from datahub_aws_lineage.model.queries import TimeWindow

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

LATEST_DELIVERY = timedelta(days=1)
"""A log lies under the day of its delivery, which can come after the last record in it."""

_Record = TypeVar("_Record")

_Date: TypeAlias = tuple[int, ...]
"""Year, year and month, or year, month and day."""


class DatedLogs:
    """Lists and reads the logs of one bucket. `title` is what one of them is called: `Redshift audit log`."""

    def __init__(self, client: S3Client, diagnostics: Diagnostics, bucket: str, title: str) -> None:
        self._client = client
        self._diagnostics = diagnostics
        self._bucket = bucket
        self._title = title
        self._kind = title.lower()
        self.denied = False
        """Whether any log or folder was."""

    def days(self, parent: str, window: TimeWindow) -> Iterator[str]:
        """Day folders within the window: only the years, months and days that can hold its logs are listed.

        Raises what `calls.paginate` raises, as `folders` and `keys` do.
        """
        first = window.start.astimezone(timezone.utc).date()
        last = (window.end.astimezone(timezone.utc) + LATEST_DELIVERY).date()
        bounds = (first.year, first.month, first.day), (last.year, last.month, last.day)
        for year, year_folder in self._numbered(parent, (), bounds):
            for month, month_folder in self._numbered(year_folder, year, bounds):
                for _, day_folder in self._numbered(month_folder, month, bounds):
                    yield day_folder

    def folders(self, parent: str) -> list[str]:
        """The folders right below `parent`, each as its whole prefix."""
        pages = paginate(self._client, "ListObjectsV2", Bucket=self._bucket, Prefix=parent, Delimiter="/")
        return [str(folder["Prefix"]) for page in pages for folder in page.get("CommonPrefixes", ())]

    def keys(self, folder: str) -> list[str]:
        """The keys of all objects below `folder`, in order."""
        pages = paginate(self._client, "ListObjectsV2", Bucket=self._bucket, Prefix=folder)
        return [str(item["Key"]) for page in pages for item in page.get("Contents", ())]

    def read(self, key: str, parse: Callable[[gzip.GzipFile], Iterable[_Record]]) -> Iterator[_Record]:
        """What `parse` makes of one log. Damage ends that log alone: what it gave before counts. Raises FatalError."""
        self._diagnostics.seen(f"{self._kind}s")
        try:
            body = call(self._client, "GetObject", Bucket=self._bucket, Key=key)["Body"]
            with body:
                yield from parse(gzip.GzipFile(fileobj=body))
        except (gzip.BadGzipFile, zlib.error, EOFError) as e:
            self._diagnostics.skipped("malformed", self._kind, f"{key}: {e}")
        except AccessDeniedError as e:
            self.report_denial(key, e)
        except (SkippableError, RetriableError, boto.BotoCoreError) as e:
            self._diagnostics.failure(f"{self._title} cannot be read", f"{key}: {e}")

    def report_denial(self, path: str, error: AccessDeniedError) -> None:
        """Counts what is denied, a log or a folder of logs; says so once."""
        self._diagnostics.skipped("denied", self._kind, f"{path}: {error.permission}")
        if not self.denied:
            self._diagnostics.warning(f"{self._title}s are denied", f"{error.permission}: {error}")
        self.denied = True

    def _numbered(self, parent: str, above: _Date, bounds: tuple[_Date, _Date]) -> list[tuple[_Date, str]]:
        """The numbered folders of `parent` (itself the year and month `above`) within `bounds`, in order."""
        named = [(name_of(folder), folder) for folder in self.folders(parent)]
        dates = [((*above, int(name)), folder) for name, folder in named if name.isdecimal()]
        depth = len(above) + 1
        return sorted(entry for entry in dates if bounds[0][:depth] <= entry[0] <= bounds[1][:depth])


def name_of(path: str) -> str:
    """The last part of a key or of a folder's prefix.

    >>> name_of("AWSLogs/111122223333/")
    '111122223333'
    """
    return path.rstrip("/").rpartition("/")[2]


def split_prefix(prefix: str) -> tuple[str, list[str]]:
    """Splits a log's key prefix, or a path further down, into the folder `AWSLogs/` and the parts below it.

    >>> split_prefix("audit")
    ('audit/AWSLogs/', [])
    >>> split_prefix("/AWSLogs/111122223333/redshift/")
    ('AWSLogs/', ['111122223333', 'redshift'])
    """
    before, _, after = f"/{prefix.strip('/')}/".partition("/AWSLogs/")
    own = before.strip("/")
    return f"{own}/AWSLogs/" if own else "AWSLogs/", [part for part in after.split("/") if part]


def open_first(client: S3Client, bucket: str, folder: str, *, hint: str) -> None:
    """Opens the first object below `folder`. Raises what `calls.call` raises, and NotFoundError where there is none."""
    contents = call(client, "ListObjectsV2", Bucket=bucket, Prefix=folder, MaxKeys=1).get("Contents")
    if not contents:
        raise NotFoundError(f"s3://{bucket}/{folder} is empty: {hint}")
    call(client, "GetObject", Bucket=bucket, Key=contents[0]["Key"])["Body"].close()
