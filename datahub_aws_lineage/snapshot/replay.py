"""A boto3 session whose clients answer from a recording.

Everything but the socket is botocore's own: validation and serialisation of the request, paginators, waiters, retries,
parsing of the answer and of errors. The recorded answer stands in at the `before-send` event, where botocore lets a
handler answer in place of the network; nothing is ever sent.
"""

from __future__ import annotations

import difflib
import io
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from threading import Lock, local
from typing import Any
from xml.sax.saxutils import escape

import boto3
from botocore.awsrequest import AWSPreparedRequest, AWSRequest, AWSResponse
from botocore.model import OperationModel
from botocore.session import Session

from datahub_aws_lineage.errors import SnapshotError
from datahub_aws_lineage.model.secrets import Json
from datahub_aws_lineage.snapshot.exchange import Exchange, ObjectFile
from datahub_aws_lineage.snapshot.recording import Operation, Recording
from datahub_aws_lineage.snapshot.requests import (
    JSON_PROTOCOLS,
    Call,
    canonical_request,
    protocol_of,
    without_page_size,
)

_LONGEST_VALUE = 120
_LONGEST_REQUEST = 600
"""Characters of a value and of a request that a message quotes."""

_MOST_COMPARED = 50
_LONGEST_COMPARED = 2_000
"""Requests, and characters of each, that are compared to find the nearest: comparing is quadratic."""


_CONTEXT_KEY = "aws_lineage_replayed_call"
"""Where a Call travels in botocore's request context, from the call's first event to its last."""


def replaying_session(folder: str | Path) -> boto3.Session:
    """A session of the recording's region, without credentials, configuration files, environment or network.

    Clients of one session share the order of answers; each session starts anew. Raises SnapshotError where the folder
    is not a recording. A call that it holds no answer for raises SnapshotError from the client.
    """
    recording = Recording.load(folder)
    session = _isolated_session()
    session.set_credentials("replay", "replay")  # botocore signs what is never sent
    replay = Replay(recording, partition=session.get_partition_for_region(recording.region))
    events = session.get_component("event_emitter")
    events.register_first("provide-client-params", replay.on_params)
    events.register_last("request-created", replay.on_request)
    events.register_first("before-send", replay.on_send)
    return boto3.Session(botocore_session=session, region_name=recording.region)


class Replay:
    """The answers of one recording, in the state of one session. Safe to use from several threads."""

    def __init__(self, recording: Recording, *, partition: str = "aws") -> None:
        self._recording = recording
        self._partition = partition
        self._answers: dict[Operation, _Answers] = {}
        self._lock = Lock()
        self._thread = local()

    def on_params(self, *, params: Mapping[str, Any], model: OperationModel, context: dict[str, Any], **_: Any) -> None:
        context[_CONTEXT_KEY] = Call.of(model, params)

    def on_request(self, *, request: AWSRequest, **_: Any) -> None:
        # The prepared request of `before-send`, which follows at once in this thread, has no context of its own.
        context: Mapping[str, Any] = getattr(request, "context", {})
        self._thread.call = context.get(_CONTEXT_KEY)

    def on_send(self, *, request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        call: Call | None = self._thread.call
        if call is None:
            raise SnapshotError(f"{self._recording.folder}: a request that no client made cannot be replayed")
        return _build_response(request, call, self.answer(call))

    def answer(self, call: Call) -> Exchange:
        """The next answer to the call; the last one is given again and again. Raises SnapshotError without one."""
        with self._lock:
            answers = self._answers.get(call.operation)
            if answers is None:
                recorded = self._recording.exchanges.get(call.operation, ())
                answers = self._answers[call.operation] = _Answers(call.model, recorded)
            found = answers.next(call)
        if found is None and call.operation == ("sts", "GetCallerIdentity"):
            found = self._caller_identity()
        if found is None:
            raise SnapshotError(_explain_absence(self._recording, call, answers.requests()))
        return found

    def _caller_identity(self) -> Exchange | None:
        account = self._recording.account_id
        if account is None:
            return None
        arn = f"arn:{self._partition}:iam::{account}:root"
        members = {"Arn": arn, "UserId": account, "Account": account}
        result = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in members.items())
        body = (
            '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
            f"<GetCallerIdentityResult>{result}</GetCallerIdentityResult></GetCallerIdentityResponse>"
        )
        return Exchange(request={}, status=200, headers={"content-type": "text/xml"}, body=body)


class _Answers:
    """The answers of one operation by request, and how far each has been played."""

    def __init__(self, model: OperationModel, exchanges: tuple[Exchange, ...]) -> None:
        self._by_request: dict[str, list[Exchange]] = {}
        self._played: dict[str, int] = {}
        self._any_page_size: dict[str, set[str]] = {}
        for exchange in exchanges:
            request = canonical_request(model, exchange.request)
            key = _key(request)
            self._by_request.setdefault(key, []).append(exchange)
            self._any_page_size.setdefault(_key(without_page_size(model, request)), set()).add(key)

    def next(self, call: Call) -> Exchange | None:
        key = _key(call.request)
        if key not in self._by_request:
            alike = self._any_page_size.get(_key(without_page_size(call.model, call.request)), set())
            if len(alike) != 1:
                return None
            (key,) = alike
        answers, played = self._by_request[key], self._played.get(key, 0)
        self._played[key] = played + 1
        return answers[min(played, len(answers) - 1)]

    def requests(self) -> list[str]:
        return list(self._by_request)


class _Stream(io.BytesIO):
    """A body in the form that botocore reads from urllib3."""

    def stream(self, amt: int = 65536, **_: Any) -> Iterator[bytes]:
        while chunk := self.read(amt):
            yield chunk


def _build_response(request: AWSPreparedRequest, call: Call, exchange: Exchange) -> AWSResponse:
    protocol = protocol_of(call.model)
    if protocol not in JSON_PROTOCOLS and not isinstance(exchange.body, (str, ObjectFile)):
        raise SnapshotError(
            f"{' '.join(call.operation)} is recorded as JSON, and this botocore speaks {protocol} with the service"
        )
    content = exchange.content()
    headers: Any = dict(exchange.headers)
    if request.method != "HEAD":  # there, the length is that of a body that was not sent
        headers["content-length"] = str(len(content))
    return AWSResponse(request.url, exchange.status, headers, _Stream(content))


def _explain_absence(recording: Recording, call: Call, recorded: list[str]) -> str:
    service, operation = call.operation
    message = f"{recording.folder} holds no answer to {service} {operation} {_shown(call.request)}"
    if not recorded:
        others = ", ".join(name for owner, name in sorted(recording.exchanges) if owner == service)
        return f"{message}: of {service} it has recorded {others or 'nothing'}"
    nearest = _nearest(call.request, recorded)
    names = sorted(name for name in {*nearest, *call.request} if nearest.get(name) != call.request.get(name))
    return f"{message}: the nearest recorded request is {_shown(nearest)}, which differs in {', '.join(names)}"


def _nearest(request: Mapping[str, Json], recorded: list[str]) -> dict[str, Json]:
    """The recorded request with the most members in common; of several, the one whose text is most alike."""

    def common(other: dict[str, Json]) -> int:
        return sum(1 for name, value in other.items() if request.get(name) == value)

    others: list[dict[str, Json]] = [json.loads(key) for key in recorded]
    most = max(common(other) for other in others)
    best = [other for other in others if common(other) == most][:_MOST_COMPARED]
    asked = _cut(_key(request), _LONGEST_COMPARED)
    return max(best, key=lambda o: difflib.SequenceMatcher(None, asked, _cut(_key(o), _LONGEST_COMPARED)).ratio())


def _shown(request: Mapping[str, Json]) -> str:
    """The request in short; it is masked already."""
    short = {name: _cut(value, _LONGEST_VALUE) if isinstance(value, str) else value for name, value in request.items()}
    return _cut(_key(short), _LONGEST_REQUEST)


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def _key(request: Mapping[str, Json]) -> str:
    return json.dumps(request, sort_keys=True)


def _isolated_session() -> Session:
    """A botocore session that reads neither environment nor configuration files: a profile there cannot spoil it."""
    defaults = {name: (None, None, spec[2], spec[3]) for name, spec in Session.SESSION_VARIABLES.items()}
    nowhere = dict.fromkeys(("config_file", "credentials_file"), (None, None, os.devnull, None))
    endpoints = {"ignore_configured_endpoint_urls": (None, None, True, None)}
    return Session(session_vars={**defaults, **nowhere, **endpoints})
