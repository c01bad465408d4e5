"""Athena's started queries from the log files that a CloudTrail trail writes to S3, for as long as they are kept.

Source: AWS CloudTrail User Guide, "CloudTrail log file examples" and "Finding your CloudTrail log files": keys are
`[prefix/]AWSLogs/[<organisation>/]<account>/CloudTrail/<region>/<year>/<month>/<day>/
<account>_CloudTrail_<region>_<time of delivery>_<random>.json.gz`, with the organisation's id in the keys of
organisation trails. Each file is `{"Records": [...]}`, in no order; a record may, rarely, come twice. A trail with a
key of its own needs `kms:Decrypt` for it too.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from datahub_aws_lineage.aws.clients import Clients
from datahub_aws_lineage.aws.cloudtrail_events import EVENT_NAME, StartedQueries, StartedQuery
from datahub_aws_lineage.aws.dated_folders import DatedLogs, name_of, open_first, split_prefix
from datahub_aws_lineage.errors import AccessDeniedError, RetriableError, SkippableError
from datahub_aws_lineage.model.ports import Diagnostics
from datahub_aws_lineage.model.queries import TimeWindow

PERMISSIONS: tuple[str, ...] = ("s3:GetObject", "s3:ListBucket")

_FILE_NAME = re.compile(r"\d+_CloudTrail_[a-z0-9-]+_\d{8}T\d{4}Z_?\w+\.json\.gz")
_ORGANISATION = re.compile(r"o-[a-z0-9]+")
_ACCOUNT = re.compile(r"\d{12}")

# Not beside it: `CloudTrail-Digest` and `CloudTrail-Insight` hold no records of calls.
_SERVICE = "CloudTrail"


class TrailReader:
    """Reads the queries that were started within `window`, day by day, of the given account and region, or of all."""

    def __init__(
        self,
        clients: Clients,
        diagnostics: Diagnostics,
        window: TimeWindow,
        bucket: str,
        prefix: str = "",
        *,
        account_id: str | None = None,
        region: str | None = None,
    ) -> None:
        self._diagnostics = diagnostics
        self._window = window
        self._bucket = bucket
        self._place = trail_place(prefix)
        self._account_id = account_id
        self._region = region
        self._files = DatedLogs(clients.client("s3"), diagnostics, bucket, "CloudTrail file")
        self._queries = StartedQueries(diagnostics, window)

    def read_started(self) -> Iterator[StartedQuery]:
        """Yields the queries of one file after another. What cannot be read is reported; only FatalError is raised."""
        found = False
        try:
            for key in self._keys():
                found = True
                yield from self._read(key)
        except AccessDeniedError as e:
            self._diagnostics.warning("CloudTrail trail is denied", f"{e.permission}: {e}")
        except (SkippableError, RetriableError) as e:
            self._diagnostics.failure("CloudTrail trail cannot be listed", str(e))
        else:
            if not found and not self._files.denied:
                self._diagnostics.warning("No CloudTrail file", f"{self._searched()} holds none for the time window")

    def _keys(self) -> Iterator[str]:
        for account in self._accounts():
            yield from self._keys_of(account)

    def _keys_of(self, account: str) -> Iterator[str]:
        try:
            for region in self._choose(f"{account}{_SERVICE}/", self._place.region, self._region):
                for day in self._files.days(region, self._window):
                    yield from (key for key in self._files.keys(day) if _FILE_NAME.fullmatch(name_of(key)))
        except AccessDeniedError as e:
            self._files.report_denial(account, e)

    def _accounts(self) -> Iterator[str]:
        """Account folders: right below the root, below an organisation there, or both where a trail was changed."""
        for parent in self._account_parents():
            for folder in self._choose(parent, self._place.account, self._account_id):
                if _ACCOUNT.fullmatch(name_of(folder)):
                    yield folder

    def _account_parents(self) -> Iterator[str]:
        root, organisation = self._place.root, self._place.organisation
        yield f"{root}{organisation}/" if organisation else root
        if not organisation and not self._place.account:
            # After the root has been read: who may list one account alone loses nothing of it.
            yield from (folder for folder in self._files.folders(root) if _ORGANISATION.fullmatch(name_of(folder)))

    def _choose(self, parent: str, placed: str | None, asked: str | None) -> list[str]:
        """The folders of `parent` that the prefix and the caller both allow; listed only where neither names one."""
        if placed and asked and placed != asked:
            return []
        only = placed or asked
        return [f"{parent}{only}/"] if only else self._files.folders(parent)

    def _read(self, key: str) -> Iterator[StartedQuery]:
        for event in self._files.read(key, lambda file: self._records(file, key)):
            started = self._queries.take(event, key)
            if started is not None and self._is_wanted(started):
                self._diagnostics.seen("athena queries in cloudtrail")
                yield started

    def _records(self, file: gzip.GzipFile, key: str) -> list[object]:
        """All records of one file; none where it holds nothing of ours, or is damaged."""
        body = file.read()
        # Most files hold no query. To parse them would take longer than to fetch them.
        if EVENT_NAME.encode() not in body and body.rstrip().endswith(b"]}"):
            return []
        try:
            records = json.loads(body)["Records"]
            if isinstance(records, list):
                return records
            problem = "Records is no list"
        except (ValueError, KeyError, TypeError) as e:
            problem = f"{type(e).__name__}: {e}"
        self._diagnostics.skipped("malformed", "cloudtrail file", f"{key}: {problem}")
        return []

    def _is_wanted(self, started: StartedQuery) -> bool:
        wanted = self._account_id in (None, started.account_id) and self._region in (None, started.region)
        if not wanted:
            detail = f"{started.query_id}: {started.account_id} {started.region}"
            self._diagnostics.skipped("filtered", "cloudtrail event", detail)
        return wanted

    def _searched(self) -> str:
        limits = " ".join(filter(None, (self._account_id, self._region)))
        return f"s3://{self._bucket}/{self._place.folder}" + (f" ({limits})" if limits else "")


@dataclass(frozen=True, slots=True)
class TrailPlace:
    """Where files lie. `root` is the folder `AWSLogs/`; an organisation, account or region narrows the search."""

    root: str
    organisation: str | None = None
    account: str | None = None
    region: str | None = None

    @property
    def folder(self) -> str:
        """The deepest folder that is known to hold every file."""
        service = _SERVICE if self.account else None
        return self.root + "".join(
            f"{part}/" for part in (self.organisation, self.account, service, self.region) if part
        )


def trail_place(prefix: str) -> TrailPlace:
    """Reads `prefix`: the trail's prefix, or a path down to `AWSLogs`, an organisation, an account or a region.

    >>> trail_place("trails").folder
    'trails/AWSLogs/'
    >>> trail_place("AWSLogs/o-exampleorgid/111122223333/CloudTrail/eu-west-1/2024/05/").folder
    'AWSLogs/o-exampleorgid/111122223333/CloudTrail/eu-west-1/'
    """
    root, below = split_prefix(prefix)
    organisation = below.pop(0) if below and _ORGANISATION.fullmatch(below[0]) else None
    return TrailPlace(
        root=root,
        organisation=organisation,
        account=below[0] if below else None,
        region=below[2] if len(below) > 2 else None,
    )


def probe(clients: Clients, bucket: str, prefix: str = "") -> None:
    """Opens the trail's first object. Raises what `calls.call` raises, and NotFoundError where there is none at all."""
    folder = trail_place(prefix).folder
    open_first(clients.client("s3"), bucket, folder, hint="does the trail log to this bucket, and is this its prefix?")
