"""A stand-in for DataHub's metadata service on the loopback interface: it answers the calls of the real `datahub-rest`
sink and of stateful ingestion, keeps what it was sent, and refuses what the strict schema check refuses.

Ours: the answers. Real: the sink, HTTP, the client's serialisation.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any
from urllib.parse import unquote, urlsplit

from aspect_patches import patched
from datahub.emitter.serialization_helper import post_json_transform
from datahub.metadata.schema_classes import (
    DatahubIngestionCheckpointClass,
    MetadataChangeProposalClass,
)
from strict_schema import problems

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


@dataclass
class MetadataService:
    """What was received. `refused` says what is wrong with proposals that were answered with 422.

    `silent`: it knows nothing of what it has been told. `fail_after`: how many proposals it still takes before it
    refuses one, once.
    """

    url: str = ""
    version: str = "v1.2.0"
    silent: bool = False
    fail_after: int | None = None
    proposals: list[MetadataChangeProposalClass] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    unknown_calls: list[str] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock)

    def take(self, written: dict[str, Any]) -> list[str]:
        """Keeps one proposal as it came over the wire; gives what is wrong with it."""
        proposal = MetadataChangeProposalClass.from_obj(post_json_transform(written))
        found = [] if proposal.entityType in RUNS else problems(proposal)
        with self._lock:
            found += self._failure()
            self.refused.extend(found)
            if not found:
                self.proposals.append(proposal)
        return found

    def _failure(self) -> list[str]:
        if self.fail_after is None:
            return []
        self.fail_after = self.fail_after - 1 if self.fail_after else None
        return [] if self.fail_after is not None else ["this one fails"]

    def forget(self) -> None:
        """Forgets all that it has been told."""
        for kept in (self.proposals, self.refused, self.unknown_calls):
            kept.clear()

    def aspects(self, name: str) -> dict[str, Any]:
        """The last `name` aspect of each entity (a patch: its operations)."""
        return {
            str(proposal.entityUrn): json.loads(proposal.aspect.value)
            for proposal in self.proposals
            if proposal.aspectName == name and proposal.aspect is not None
        }

    def entity(self, urn: str) -> dict[str, Any]:
        """An entity in the form of `entitiesV2`: its aspects as they stand, patches applied."""
        aspects: dict[str, Any] = {}
        for proposal in self.proposals:
            if proposal.entityUrn != urn or proposal.aspect is None:
                continue
            name, value = str(proposal.aspectName), json.loads(proposal.aspect.value)
            if proposal.changeType == "CREATE":
                aspects.setdefault(name, value)
            elif proposal.changeType != "PATCH":
                aspects[name] = value
            else:
                aspects[name] = patched(name, aspects.get(name), value)
        return {"urn": urn, "aspects": {name: {"value": value} for name, value in aspects.items()}}

    def last_checkpoint(self, urn: str) -> list[dict[str, Any]]:
        """The stateful-ingestion checkpoint of a job, in the form of `getTimeseriesAspectValues`."""
        name = DatahubIngestionCheckpointClass.ASPECT_NAME
        checkpoint = self.aspects(name).get(urn)
        return [{"aspect": {"value": json.dumps(checkpoint), "contentType": "application/json"}}] if checkpoint else []


@contextmanager
def metadata_service() -> Iterator[MetadataService]:
    service = MetadataService()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(service))
    service.url = f"http://127.0.0.1:{server.server_port}"
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
        return [body["proposal"]]
    if path == "/aspects?action=ingestProposalBatch":
        return list(body["proposals"])
    return list(_from_openapi(path, method, body)) if path.startswith(OPENAPI) else None


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


def _handler_of(service: MetadataService) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # headers and body in one packet: the client's system delays its acknowledgement of halves

        def do_GET(self) -> None:
            found = _read(service, self.path)
            if found is None:
                self._unknown()
            else:
                self._answer(200, found)

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])) or b"{}")
            if self.headers.get("Authorization") != f"Bearer {TOKEN}":
                self._answer(401, {"message": "no token"})
            elif self.path == "/aspects?action=getTimeseriesAspectValues":
                self._answer(200, {"value": {"values": service.last_checkpoint(body["urn"])}})
            else:
                self._take(_proposals(self.path, self.command, body))

        def do_PATCH(self) -> None:
            self.do_POST()

        def _take(self, written: list[dict[str, Any]] | None) -> None:
            if written is None:
                self._unknown()
                return
            found = [problem for one in written for problem in service.take(one)]
            self._answer(422 if found else 200, {"message": found} if found else {"value": written[0]["entityUrn"]})

        def _unknown(self) -> None:
            service.unknown_calls.append(f"{self.command} {self.path}")
            self._answer(404, {"message": "unknown"})

        def _answer(self, status: int, body: dict[str, Any]) -> None:
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    return Handler
