"""Amazon S3 as far as the audit log needs it, and AWS STS. Both answer in XML."""

from __future__ import annotations

import gzip
import hashlib
import io
from collections.abc import Mapping
from typing import Any
from xml.sax.saxutils import escape

from answers.company import Account

_OTHER_LOGS = ("connectionlog", "userlog")
"""What a cluster writes beside its user-activity log."""


class S3:
    """One bucket: the audit log of the second warehouse, a compressed object for each file that is written down."""

    def __init__(self, account: Account) -> None:
        log = account.source["audit_log"]
        self._bucket = log["bucket"]
        self._objects: dict[str, bytes] = {}
        for path in sorted((account.folder / log["logs"]).glob("*.log")):
            day, hour = path.stem.split("T")
            folder = f"{log['prefix']}/AWSLogs/{account.id}/redshift/{account.region}/{day.replace('-', '/')}"
            stem = f"{folder}/{account.id}_redshift_{account.region}_{log['cluster']}"
            time = f"{day}T{hour[:2]}:{hour[2:]}"
            self._objects[f"{stem}_useractivitylog_{time}.gz"] = _compress(path.read_bytes())
            self._objects |= {f"{stem}_{kind}_{time}.gz": _compress(b"") for kind in _OTHER_LOGS}

    def answer(self, operation: str, params: Mapping[str, Any]) -> str | bytes:
        if params["Bucket"] != self._bucket:
            raise LookupError(f"There is no bucket {params['Bucket']}")
        match operation:
            case "ListObjectsV2":
                return self._list(params.get("Prefix", ""), params.get("Delimiter", ""), params.get("MaxKeys", 1000))
            case "GetObject":
                return self._objects[params["Key"]]
            case _:
                raise LookupError(f"{operation} is not among the calls of the readers")

    def _list(self, prefix: str, delimiter: str, most: int) -> str:
        keys = sorted(key for key in self._objects if key.startswith(prefix))
        folders = {key: _folder(key, prefix, delimiter) for key in keys}
        contents = [self._entry(key) for key in keys if not folders[key]]
        prefixes = [
            f"<CommonPrefixes><Prefix>{escape(folder)}</Prefix></CommonPrefixes>"
            for folder in dict.fromkeys(folders.values())
            if folder
        ]
        listed = [*contents, *prefixes][:most]
        return (
            '<?xml version="1.0" encoding="UTF-8"?>'
            '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
            f"<Name>{self._bucket}</Name><Prefix>{escape(prefix)}</Prefix><Delimiter>{delimiter}</Delimiter>"
            f"<KeyCount>{len(listed)}</KeyCount><MaxKeys>{most}</MaxKeys><IsTruncated>false</IsTruncated>"
            f"{''.join(listed)}</ListBucketResult>"
        )

    def _entry(self, key: str) -> str:
        content = self._objects[key]
        time = key.removesuffix(".gz").rpartition("_")[2]
        return (
            f"<Contents><Key>{escape(key)}</Key><LastModified>{time}:30.000Z</LastModified>"
            f"<ETag>&quot;{hashlib.md5(content, usedforsecurity=False).hexdigest()}&quot;</ETag>"
            f"<Size>{len(content)}</Size><StorageClass>STANDARD</StorageClass></Contents>"
        )


class Sts:
    def __init__(self, account: Account) -> None:
        self._account_id = account.id
        self._identity = account.source["identity"]

    def answer(self, operation: str, params: Mapping[str, Any]) -> str:
        if operation != "GetCallerIdentity" or params:
            raise LookupError(f"{operation} is not among the calls of the readers")
        return (
            '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>'
            f"<Arn>{escape(self._identity)}</Arn><UserId>AROAEXAMPLE:demo</UserId><Account>{self._account_id}</Account>"
            "</GetCallerIdentityResult></GetCallerIdentityResponse>"
        )


def _folder(key: str, prefix: str, delimiter: str) -> str:
    """The folder below `prefix` that holds the key; empty where the key itself is listed."""
    name, found, _ = key[len(prefix) :].partition(delimiter) if delimiter else (key, "", "")
    return f"{prefix}{name}{found}" if found else ""


def _compress(content: bytes) -> bytes:
    # Without a time, at a fixed level, and with the header of every version of Python: the same file each time.
    buffer = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=buffer, mtime=0) as file:
        file.write(content)
    return buffer.getvalue()
