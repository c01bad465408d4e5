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
    "versions": {"acryldata/datahub": {"version": "v1.2.0", "commit": "0"}},
    "datahub": {"serverType": "prod"},
}

TOKEN = "loopback-token"


@dataclass
class MetadataService:
    """What was received. `refused` maps a proposal that was answered with 422 to what is wrong with it."""

    url: str = ""
    proposals: list[MetadataChangeProposalClass] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    unknown_calls: list[str] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock)

    def take(self, written: dict[str, Any]) -> list[str]:
        """Keeps one proposal as it came over the wire; gives what is wrong with it."""
        proposal = MetadataChangeProposalClass.from_obj(post_json_transform(written))
        found = problems(proposal)
        with self._lock:
            self.refused.extend(found)
            if not found:
                self.proposals.append(proposal)
        return found

    def aspects(self, name: str) -> dict[str, Any]:
        """The last `name` aspect of each entity (a patch: its operations)."""
        return {
            str(proposal.entityUrn): json.loads(proposal.aspect.value)
            for proposal in self.proposals
            if proposal.aspectName == name and proposal.aspect is not None
        }

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
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _handler_of(service: MetadataService) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # headers and body in one packet: the client's system delays its acknowledgement of halves

        def do_GET(self) -> None:
            if self.path == "/config":
                self._answer(200, CONFIG)
            else:
                self._unknown()

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])) or b"{}")
            if self.headers.get("Authorization") != f"Bearer {TOKEN}":
                self._answer(401, {"message": "no token"})
            elif self.path == "/aspects?action=ingestProposal":
                self._take([body["proposal"]])
            elif self.path == "/aspects?action=ingestProposalBatch":
                self._take(body["proposals"])
            elif self.path == "/aspects?action=getTimeseriesAspectValues":
                self._answer(200, {"value": {"values": service.last_checkpoint(body["urn"])}})
            else:
                self._unknown()

        def _take(self, written: list[dict[str, Any]]) -> None:
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
