"""Which recorded request a call is: the parameters as the caller gave them, in one form, without what varies by run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from botocore.model import ListShape, MapShape, OperationModel, Shape, StructureShape
from botocore.utils import parse_to_aware_datetime

from datahub_aws_lineage.errors import SnapshotError
from datahub_aws_lineage.model.secrets import Json, mask_json
from datahub_aws_lineage.snapshot.exchange import to_json
from datahub_aws_lineage.snapshot.recording import Operation

JSON_PROTOCOLS = frozenset({"json", "rest-json"})
XML_PROTOCOLS = frozenset({"query", "ec2", "rest-xml"})

_PAGE_SIZES = frozenset({"limit", "maxitems", "maxkeys", "maxrecords", "maxresults", "pagesize"})


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a client: its operation, and its parameters before botocore adds any of its own."""

    operation: Operation
    request: Mapping[str, Json]
    model: OperationModel

    @classmethod
    def of(cls, model: OperationModel, params: Mapping[str, Any]) -> Call:
        return cls(operation_of(model), canonical_request(model, params), model)


def operation_of(model: OperationModel) -> Operation:
    return model.service_model.service_name, model.name


def protocol_of(model: OperationModel) -> str:
    """The wire protocol that botocore speaks for the operation's service."""
    service = model.service_model
    # Services gained a list of protocols in botocore 1.35; before, they had one.
    return str(getattr(service, "resolved_protocol", None) or service.metadata["protocol"])


def canonical_request(model: OperationModel, params: Mapping[str, Any]) -> dict[str, Json]:
    """The parameters that say what is asked, as JSON, masked.

    Idempotency tokens (`ClientToken`) are left out: callers or botocore draw them anew for each call. Times are ISO
    text in UTC, blobs base64, whichever form the caller chose. Raises SnapshotError for parameters without a JSON form.
    """
    asked = {name: value for name, value in params.items() if name not in model.idempotent_members}
    masked = mask_json(to_json(_with_times(model.input_shape, asked), epoch=False))
    if not isinstance(masked, dict):
        raise SnapshotError(f"{model.name}: parameters are a mapping")
    return masked


def without_page_size(model: OperationModel, request: Mapping[str, Json]) -> dict[str, Json]:
    """The request with its wish for a page size left out; a service is free to give fewer anyway."""
    return {name: value for name, value in request.items() if not _is_page_size(model, name)}


def _is_page_size(model: OperationModel, name: str) -> bool:
    shape = model.input_shape.members.get(name) if model.input_shape else None
    return name.lower() in _PAGE_SIZES and shape is not None and shape.type_name == "integer"


def _with_times(shape: Shape | None, value: Any) -> Any:
    match shape, value:
        case StructureShape(), Mapping():
            return {name: _with_times(shape.members.get(name), member) for name, member in value.items()}
        case MapShape(), Mapping():
            return {name: _with_times(shape.value, member) for name, member in value.items()}
        case ListShape(), list() | tuple():
            return [_with_times(shape.member, item) for item in value]
        case Shape(type_name="timestamp"), _:
            try:
                return parse_to_aware_datetime(value)
            except (ValueError, TypeError):
                return value  # botocore's own validation says what is wrong with it
        case _:
            return value
