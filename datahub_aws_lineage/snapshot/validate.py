"""Holds a recording against botocore's service models: what no service could have said, and what replay would miss."""

from __future__ import annotations

import io
import itertools
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias
from xml.etree.ElementTree import ParseError, fromstring

from botocore.awsrequest import HeadersDict
from botocore.exceptions import DataNotFoundError, UnknownServiceError
from botocore.loaders import Loader
from botocore.model import OperationModel, OperationNotFoundError, ServiceModel, StructureShape
from botocore.parsers import ResponseParserError, create_parser
from botocore.validate import ParamValidator

from datahub_aws_lineage.errors import SnapshotError
from datahub_aws_lineage.model.secrets import mask_bytes, mask_json
from datahub_aws_lineage.snapshot.chains import reachable
from datahub_aws_lineage.snapshot.exchange import Exchange, ObjectFile
from datahub_aws_lineage.snapshot.recording import Operation, Recording
from datahub_aws_lineage.snapshot.requests import JSON_PROTOCOLS, canonical_request, protocol_of
from datahub_aws_lineage.snapshot.shapes import json_problems, xml_problems

Parsed: TypeAlias = "dict[str, Any]"

_UNREADABLE = (SnapshotError, ResponseParserError, ParseError, ValueError, TypeError, AttributeError, KeyError)
"""What botocore's parsers raise where an answer is not what they expect."""

_FINAL_STATES = {("redshift-data", "DescribeStatement"): ("Status", frozenset({"FINISHED", "FAILED", "ABORTED"}))}
"""Where callers poll: the member they look at, and the values at which they stop."""


def validate(folder: str | Path) -> list[str]:
    """All problems of a recording, each with its place; none where it is sound.

    Of requests: what botocore's validation would refuse. Of answers: unknown operations, members and values, missing
    members, wrong types, errors without a code, missing files, credentials. Of the whole: a next page that is not
    recorded, a page or statement that nothing leads to, a statement that never ends. Raises SnapshotError where the
    folder cannot be read as a recording.
    """
    recording = Recording.load(folder)
    loader = Loader()
    problems: list[str] = []
    for operation, exchanges in sorted(recording.exchanges.items()):
        place = "/".join(operation)
        try:
            model = _operation_model(loader, operation)
        except (UnknownServiceError, DataNotFoundError):
            problems.append(f"{place}: botocore knows no service {operation[0]}")
        except OperationNotFoundError:
            problems.append(f"{place}: {operation[0]} has no operation {operation[1]}")
        else:
            tokens = _page_tokens(loader, model)
            problems.extend(f"{place}, {problem}" for problem in _operation_problems(model, exchanges, tokens))
    return problems + list(_unreachable(recording))


def _unreachable(recording: Recording) -> Iterator[str]:
    reached = reachable(recording.exchanges)
    for operation, exchanges in sorted(recording.exchanges.items()):
        keys = {exchange.key for exchange in reached[operation]}
        for key in dict.fromkeys(exchange.key for exchange in exchanges if exchange.key not in keys):
            yield f"{'/'.join(operation)}: no recorded answer leads to {key}"


def _operation_model(loader: Loader, operation: Operation) -> OperationModel:
    service, name = operation
    model = ServiceModel(loader.load_service_model(service, "service-2"), service_name=service)
    return model.operation_model(name)


def _operation_problems(
    model: OperationModel, exchanges: tuple[Exchange, ...], tokens: tuple[str, str] | None
) -> Iterator[str]:
    answers: list[tuple[Exchange, Parsed]] = []
    for number, exchange in enumerate(exchanges, start=1):
        place = f"exchange {number}"
        for problem in itertools.chain(_request_problems(model, exchange), _secrets(exchange)):
            yield f"{place}: {problem}"
        try:
            for problem in _answer_problems(model, exchange):
                yield f"{place}: {problem}"
            answers.append((exchange, _parse(model, exchange)))
        except _UNREADABLE as e:
            yield f"{place}: the answer cannot be read: {e}"
    if tokens is not None:
        yield from _missing_pages(model, answers, *tokens)
    yield from _endless_polls(model, answers)


def _parse(model: OperationModel, exchange: Exchange) -> Parsed:
    """What botocore makes of the answer. Raises one of `_UNREADABLE`."""
    content = exchange.content()
    streamed = model.has_streaming_output and exchange.status < 300
    response = {
        "status_code": exchange.status,
        "headers": HeadersDict(exchange.headers),
        "body": io.BytesIO(content) if streamed else content,
        "context": {"operation_name": model.name},
    }
    parser: Any = create_parser(protocol_of(model))  # its stub knows no operation without output
    parsed: Parsed = parser.parse(response, model.output_shape)
    return parsed


def _request_problems(model: OperationModel, exchange: Exchange) -> Iterator[str]:
    tokens = dict.fromkeys(model.idempotent_members, "0" * 36)  # which callers leave to botocore
    if model.input_shape is not None:
        report = ParamValidator().validate({**tokens, **exchange.request}, model.input_shape)
        if report.has_errors():
            yield f"request: {report.generate_report()}"


def _answer_problems(model: OperationModel, exchange: Exchange) -> Iterator[str]:
    if not 200 <= exchange.status < 600:
        yield f"status is {exchange.status}"
    elif exchange.status >= 300:
        code = _parse(model, exchange).get("Error", {}).get("Code")
        if not code or (code == str(exchange.status) and exchange.body):
            yield "body: an error without a code"
    elif isinstance(model.output_shape, StructureShape) and not model.has_streaming_output:
        yield from _body_problems(model, model.output_shape, exchange)


def _body_problems(model: OperationModel, output: StructureShape, exchange: Exchange) -> Iterator[str]:
    payload = output.serialization.get("payload")
    shape = output.members[payload] if payload else output
    content = exchange.content()
    if protocol_of(model) in JSON_PROTOCOLS:
        yield from json_problems(shape, json.loads(content or b"{}"))
    elif content:
        root = fromstring(content)  # noqa: S314 - botocore has just read it with the same parser
        wrapper = output.serialization.get("resultWrapper")
        result = root.find(f"{{*}}{wrapper}") if wrapper else root
        if result is None:
            yield f"body has no {wrapper}"
        elif len(result) or not result.text:  # else the text of a lone member, as of GetBucketLocation
            yield from xml_problems(shape, result, wrapper or "body")


def _secrets(exchange: Exchange) -> Iterator[str]:
    if mask_json(exchange.request) != exchange.request:
        yield "request: holds what looks like a credential"
    if mask_json(exchange.headers) != exchange.headers:
        yield "headers: hold what looks like a credential"
    if isinstance(exchange.body, ObjectFile):
        try:
            content = exchange.body.read()
        except SnapshotError as e:
            yield str(e)
            return
        masked = mask_bytes(content) == content
    else:
        masked = mask_json(exchange.body) == exchange.body
    if not masked:
        yield "body: holds what looks like a credential"


def _page_tokens(loader: Loader, model: OperationModel) -> tuple[str, str] | None:
    """The request's and the answer's member that carry an operation on to its next page."""
    service = model.service_model.service_name
    try:
        paginator = loader.load_service_model(service, "paginators-1")["pagination"].get(model.name)
    except DataNotFoundError:
        paginator = None
    if paginator is not None:
        given, got = paginator["input_token"], paginator["output_token"]
        return (given, got) if isinstance(given, str) and isinstance(got, str) and got.isidentifier() else None
    names = set(model.input_shape.members if model.input_shape else ())
    for name in ("NextToken", "nextToken"):
        if name in names:
            return name, name
    return None


def _missing_pages(
    model: OperationModel, answers: list[tuple[Exchange, Parsed]], given: str, got: str
) -> Iterator[str]:
    recorded = {_key(model, exchange.request) for exchange, _ in answers}
    for exchange, parsed in answers:
        token = parsed.get(got)
        if isinstance(token, str) and token and _key(model, {**exchange.request, given: token}) not in recorded:
            yield f"the page after {json.dumps(exchange.request, sort_keys=True)} is not recorded ({given} {token!r})"


def _endless_polls(model: OperationModel, answers: list[tuple[Exchange, Parsed]]) -> Iterator[str]:
    member, final = _FINAL_STATES.get((model.service_model.service_name, model.name), (None, frozenset()))
    if member is None:
        return
    last = {exchange.key: parsed.get(member) for exchange, parsed in answers if exchange.status < 300}
    for key, state in last.items():
        if state not in final:
            yield f"the last answer to {key} is {state}, so that replay polls without end"


def _key(model: OperationModel, request: Mapping[str, Any]) -> str:
    return json.dumps(canonical_request(model, request), sort_keys=True)
