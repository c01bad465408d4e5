"""A boto3 session whose calls are answered by written services instead of AWS."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from threading import local
from typing import Any, Protocol, TypeAlias

import boto3
from botocore.awsrequest import AWSPreparedRequest, AWSRequest, AWSResponse
from botocore.model import OperationModel
from botocore.session import Session

Body: TypeAlias = "Mapping[str, Any] | str | bytes"
_CALL = "answered_call"


class Service(Protocol):
    """One service of the account. `params` are those of the caller; the answer is what goes over the wire."""

    def answer(self, operation: str, params: Mapping[str, Any]) -> Body: ...


class AnsweringSession:
    """Answers at botocore's `before-send`, so that clients, paginators and parsers run whole."""

    def __init__(self, services: Mapping[str, Service]) -> None:
        self._services = services
        self._thread = local()

    def open(self, region: str) -> boto3.Session:
        session = Session()
        session.set_credentials("demo", "demo")
        events = session.get_component("event_emitter")
        events.register_first("provide-client-params", self._on_params)
        events.register_last("request-created", self._on_request)
        events.register_first("before-send", self._on_send)
        return boto3.Session(botocore_session=session, region_name=region)

    def _on_params(
        self, *, params: Mapping[str, Any], model: OperationModel, context: dict[str, Any], **_: Any
    ) -> None:
        asked = {name: value for name, value in params.items() if name not in model.idempotent_members}
        context[_CALL] = (model.service_model.service_name, model.name, asked)

    def _on_request(self, *, request: AWSRequest, **_: Any) -> None:
        self._thread.call = request.context[_CALL]

    def _on_send(self, *, request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        call: tuple[str, str, Mapping[str, Any]] | None = getattr(self._thread, "call", None)
        if call is None:
            raise LookupError(f"{request.url}: not called by a client")
        service, operation, params = call
        content = _content(self._services[service].answer(operation, params))
        headers: Any = {"content-length": str(len(content))}
        return AWSResponse(request.url, 200, headers, _Stream(content))


class _Stream(io.BytesIO):
    """A body in the form that botocore reads."""

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.read()


def _content(body: Body) -> bytes:
    match body:
        case bytes():
            return body
        case str():
            return body.encode()
        case _:
            return json.dumps(body).encode()


def page_of(items: Sequence[Any], size: int, token: str | None) -> tuple[list[Any], dict[str, str]]:
    """One page, and the member that leads to the next, if any. Tokens mean nothing to a caller, as those of AWS."""
    start = int(base64.b64decode(token)) if token else 0
    following = start + size
    next_token = base64.b64encode(b"%d" % following).decode()
    return list(items[start:following]), {"NextToken": next_token} if following < len(items) else {}
