"""Guards for the guard: the metadata service of the tests answers and keeps what is wrong with a call."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests
from metadata_server import TOKEN, Fault, MetadataService, metadata_service
from test_rest_sink import service

__all__ = ["service"]

ORDERS = "urn:li:dataset:(urn:li:dataPlatform:glue,sales.orders,PROD)"
LAKE = "urn:li:dataset:(urn:li:dataPlatform:s3,lake/orders,PROD)"


def proposal(value: Any, aspect: str = "status", change: str = "UPSERT", **changes: Any) -> dict[str, Any]:
    kind = "application/json-patch+json" if change == "PATCH" else "application/json"
    return {
        "entityType": "dataset",
        "entityUrn": ORDERS,
        "changeType": change,
        "aspectName": aspect,
        "aspect": {"contentType": kind, "value": json.dumps(value)},
        **changes,
    }


def patch(aspect: str, path: str, value: Any, op: str = "add") -> dict[str, Any]:
    return proposal([{"op": op, "path": path, "value": value}], aspect, "PATCH")


def send(service: MetadataService, *proposals: dict[str, Any], token: str = TOKEN) -> requests.Response:
    url = f"{service.url}/aspects?action=ingestProposalBatch"
    return requests.post(url, json={"proposals": proposals}, headers={"Authorization": f"Bearer {token}"}, timeout=5)


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (proposal({"removed": "perhaps"}), "cannot be read: AvroTypeException"),
        (proposal({"removed": False, "gone": True}), "unknown field /gone"),
        (proposal({"removed": False}, aspects=[]), "unknown field /aspects"),
        (proposal({"removed": False}, "state"), "cannot be read"),
        (proposal({"removed": False}, entityType="data set"), "does not match the entity type"),
        (proposal({"platform": "urn:li:dataPlatform:s3", "name": "orders", "origin": "PROD"}, "datasetKey"), "the key"),
        (proposal({"removed": False}, aspect_="status"), "unknown field /aspect_"),
        (proposal("{", "status"), "cannot be read"),
        (patch("datasetProperties", "/lastModified", {"time": "noon"}), "the patch does not apply"),
        (patch("datasetProperties", "/description", "", "remove"), "more or less than one edge"),
        (patch("datasetProperties", "/lastModified/time", 1, "replace"), "the patch does not apply"),
    ],
)
def test_what_is_wrong_is_refused_and_kept(service: MetadataService, broken: dict[str, Any], said: str) -> None:
    answer = send(service, proposal({"removed": False}), broken)
    assert answer.status_code == 422
    assert any(said in problem for problem in service.refused), service.refused
    assert service.proposals == [], "a call is taken as a whole or not at all"
    assert service.stored() == {}


def test_patches_are_applied(service: MetadataService) -> None:
    lineage = {"dataset": LAKE, "type": "COPY", "auditStamp": {"time": 0, "actor": "urn:li:corpuser:unknown"}}
    quoted = LAKE.replace("/", "~1")
    sent = (
        patch("datasetProperties", "/customProperties/owner", "sales"),
        patch("datasetProperties", "/lastModified", {"time": 1772409600000}),
        patch("upstreamLineage", f"/upstreams/{quoted}", lineage),
    )
    assert send(service, *sent).status_code == 200
    aspects = service.stored()[ORDERS]
    assert aspects["datasetProperties"]["customProperties"] == {"owner": "sales"}
    assert aspects["datasetProperties"]["lastModified"]["time"] == 1772409600000
    assert [one["dataset"] for one in aspects["upstreamLineage"]["upstreams"]] == [LAKE]


def test_faults_strike_what_they_are_meant_for(service: MetadataService) -> None:
    service.faults = [Fault(503, times=1), Fault(400, "status", times=1, kept=True), Fault(None, "status", times=1)]
    assert send(service, proposal({"removed": False})).status_code == 503
    assert service.proposals == []
    assert send(service, proposal({"removed": False})).json()["exceptionClass"] == "RestLiServiceException"
    assert len(service.proposals) == 1
    with pytest.raises(requests.ConnectionError):
        send(service, proposal({"removed": False}))
    assert send(service, proposal({"removed": True})).status_code == 200
    assert service.stored()[ORDERS]["status"] == {"removed": True}


def test_without_the_token_nothing_is_taken() -> None:
    with metadata_service() as service:
        assert send(service, proposal({"removed": False}), token="another").status_code == 401
        assert service.proposals == []
