"""The files that a manifest lists, for COPY … MANIFEST.

Source: Amazon Redshift Database Developer Guide, "Using a manifest to specify data files": a JSON object, `{"entries":
[{"url": "s3://bucket/key", "mandatory": true}, …]}`, as UNLOAD … MANIFEST writes it too.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

from botocore import exceptions as boto

from datahub_aws_lineage.aws.calls import call
from datahub_aws_lineage.aws.clients import Clients
from datahub_aws_lineage.errors import AccessDeniedError, NotFoundError, RetriableError, SkippableError
from datahub_aws_lineage.model.names import S3Location
from datahub_aws_lineage.model.ports import Diagnostics

PERMISSIONS: tuple[str, ...] = ("s3:GetObject", "s3:ListBucket")
"""Without ListBucket, S3 says of an object that is gone that it is denied (S3 API reference, GetObject)."""

MAX_BYTES = 16 * 1024 * 1024
"""A manifest that is longer (some hundred thousand files) is not read."""

_MANY = 10_000
"""Manifests whose entries are kept: most are read by one COPY, once."""


class CopyManifests:
    """Reads each manifest once. What cannot be read is reported, and stands for its own folder."""

    def __init__(self, clients: Clients, diagnostics: Diagnostics) -> None:
        self._clients = clients
        self._diagnostics = diagnostics
        self._entries = lru_cache(_MANY)(self._read)

    def files(self, manifest: S3Location) -> tuple[S3Location, ...]:
        """The folders of the files that `manifest` lists, each once, as far as the list says them; none where the
        manifest cannot be read. Raises FatalError alone."""
        return self._entries(manifest.uri)

    def _read(self, uri: str) -> tuple[S3Location, ...]:
        bucket, _, key = uri.partition("://")[2].partition("/")
        try:
            body = call(self._clients.client("s3"), "GetObject", Bucket=bucket, Key=key)["Body"]
            with body:
                text = body.read(MAX_BYTES + 1)
            if len(text) > MAX_BYTES:
                self._diagnostics.skipped("unsupported", "copy manifest", f"{uri}: longer than {MAX_BYTES:,} bytes")
                return ()
            folders = _folders(json.loads(text))
        except AccessDeniedError as e:
            self._diagnostics.skipped("denied", "copy manifest", f"{uri}: {e.permission}")
        except NotFoundError:
            self._diagnostics.skipped("gone", "copy manifest", uri)
        except (ValueError, TypeError, KeyError) as e:
            self._diagnostics.skipped("malformed", "copy manifest", f"{uri}: {type(e).__name__}: {e}")
        except (SkippableError, RetriableError, boto.BotoCoreError) as e:
            self._diagnostics.warning("A COPY manifest cannot be read", f"{uri}: {e}")
        else:
            self._diagnostics.seen("copy manifests")
            return folders
        return ()


def _folders(manifest: Any) -> tuple[S3Location, ...]:
    """Raises KeyError or TypeError where it is no manifest."""
    urls = [str(entry["url"]) for entry in manifest["entries"]]
    return tuple(S3Location(folder) for folder in dict.fromkeys(f"{url.rpartition('/')[0]}/" for url in urls))
