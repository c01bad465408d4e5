"""A stand-in for DataHub's metadata service on the loopback interface: it answers the calls of the real `datahub-rest`
sink and of stateful ingestion, keeps what it was sent (`metadata_store`), and fails as a test asks (`metadata_faults`).

Ours: the answers. Real: the sink, HTTP, the client's serialisation.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import SHUT_RDWR
from threading import Thread
from typing import Any
from urllib.parse import unquote, urlsplit

from metadata_faults import Fault
from metadata_store import MetadataService

__all__ = ["TOKEN", "Fault", "MetadataService", "metadata_service"]

CONFIG = {
    "noCode": "true",
    "statefulIngestionCapable": True,
    "supportsImpactAnalysis": True,
    "patchCapable": True,
    "datahub": {"serverType": "prod"},
}

TOKEN = "loopback-token"
RUNS = {"dataHubIngestionSource", "dataHubExecutionRequest"}
"""Entities by which DataHub's pipeline tells of a run; it calls the platform `unknown`, whatever the source."""

ENTITY = "/entitiesV2/"
OPENAPI = "/openapi/v3/entity/"


@contextmanager
def metadata_service() -> Iterator[MetadataService]:
    service = MetadataService()
    server = _Server(service)
    thread = Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _proposals(path: str, method: str, body: Any) -> list[dict[str, Any]] | None:
    """What one call brings; None where it is no call that brings proposals."""
    if path == "/aspects?action=ingestProposal":
        return [_named(body["proposal"])]
    if path == "/aspects?action=ingestProposalBatch":
        return [_named(proposal) for proposal in body["proposals"]]
    return list(_from_openapi(path, method, body)) if path.startswith(OPENAPI) else None


def _named(proposal: dict[str, Any]) -> dict[str, Any]:
    """A proposal with the URN of its entity, where it has the key alone, as those of the executor have."""
    if "entityUrn" in proposal:
        return proposal
    parts = json.loads(proposal["entityKeyAspect"]["value"]).values()
    return {**proposal, "entityUrn": ":".join(["urn:li", proposal["entityType"], *parts])}


def _from_openapi(path: str, method: str, body: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The proposals of one call, in the form that they have elsewhere: entities, each with its aspects by name."""
    patch = method == "PATCH"
    for entity in body:
        for name in entity.keys() - {"urn"}:
            value = entity[name]["value"]
            yield {
                "entityType": urlsplit(path).path.removeprefix(OPENAPI),
                "entityUrn": entity["urn"],
                "changeType": "PATCH" if patch else "UPSERT",
                "aspectName": name,
                "aspect": {
                    "value": json.dumps(value["patch"] if patch and "arrayPrimaryKeys" not in value else value),
                    "contentType": "application/json-patch+json" if patch else "application/json",
                },
            }


def _read(service: MetadataService, path: str) -> dict[str, Any] | None:
    if path == "/config":
        return {**CONFIG, "versions": {"acryldata/datahub": {"version": service.version, "commit": "0"}}}
    if path.startswith(ENTITY) and not service.silent:
        return service.entity(unquote(urlsplit(path).path.removeprefix(ENTITY)))
    return None


class _Server(ThreadingHTTPServer):
    def __init__(self, service: MetadataService) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.service = service
        service.url = f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, *arguments: Any) -> None:
        """Quiet where a client that has waited long enough closes its connection."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(*arguments)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server
    wbufsize = -1  # headers and body in one packet: the client's system delays its acknowledgement of halves

    def do_GET(self) -> None:
        found = _read(self.server.service, self.path)
        if found is None:
            self._unknown()
        else:
            self._answer(200, found)

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])) or b"{}")
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self._answer(401, {"message": "no token"})
        elif self.path == "/aspects?action=getTimeseriesAspectValues":
            self._answer(200, {"value": {"values": self.server.service.last_checkpoint(body["urn"])}})
        elif self.path == "/api/graphql":
            self._answer_graphql(body["query"], body["variables"])
        else:
            self._take(_proposals(self.path, self.command, body))

    def do_PATCH(self) -> None:
        self.do_POST()

    def _answer_graphql(self, query: str, variables: dict[str, Any]) -> None:
        found = self.server.service.graphql(query, variables)
        if found is None:
            self._unknown()
        else:
            self._answer(200, {"data": found})

    def _take(self, written: list[dict[str, Any]] | None) -> None:
        if written is None:
            self._unknown()
            return
        self.server.service.calls.append(f"{self.command} {self.path}")
        fault = self.server.service.fault_of(written)
        if fault is not None:
            time.sleep(fault.seconds)
        found = self.server.service.take(*written) if fault is None or fault.kept else []
        if fault is not None:
            self._fail(fault)
        else:
            self._answer(422 if found else 200, {"message": found} if found else {"value": written[0]["entityUrn"]})

    def _fail(self, fault: Fault) -> None:
        if fault.status is not None:
            self._answer(fault.status, fault.body, fault.headers)
        else:
            self.close_connection = True
            self.connection.shutdown(SHUT_RDWR)

    def _unknown(self) -> None:
        self.server.service.unknown_calls.append(f"{self.command} {self.path}")
        self._answer(404, {"message": "unknown"})

    def _answer(self, status: int, body: dict[str, Any] | str, headers: dict[str, str] | None = None) -> None:
        content = (body if isinstance(body, str) else json.dumps(body)).encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain" if isinstance(body, str) else "application/json")
        self.send_header("Content-Length", str(len(content)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Quiet."""
