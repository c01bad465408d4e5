"""Records what a live session asks and is answered.

Works on the events of botocore that replay answers: the parameters as the caller gave them, and the final answer (after
retries) as it came over the wire. Request headers, and so signatures and tokens, are never looked at.
"""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Any, Literal, NoReturn

import boto3
from botocore.awsrequest import AWSResponse
from botocore.model import OperationModel, StructureShape
from botocore.response import StreamingBody
from botocore.session import Session

from datahub_aws_lineage.errors import SnapshotError
from datahub_aws_lineage.model.queries import TimeWindow
from datahub_aws_lineage.snapshot.chains import reachable
from datahub_aws_lineage.snapshot.exchange import Exchange, GivenBody, ObjectFile, build_exchange
from datahub_aws_lineage.snapshot.reads import is_kept_header, is_read, says_something
from datahub_aws_lineage.snapshot.recording import (
    About,
    Operation,
    journal_path,
    operations_of,
    read_journal,
    read_operation,
    remove_unused_objects,
    replace_file,
    write_operation,
)
from datahub_aws_lineage.snapshot.requests import (
    JSON_PROTOCOLS,
    XML_PROTOCOLS,
    Call,
    operation_of,
    protocol_of,
)

_CONTEXT_KEY = "aws_lineage_recorded_call"
"""Where a Call travels in botocore's request context, from the call's first event to its last."""


def attach_recorder(
    session: boto3.Session | Session, folder: str | Path, *, window: TimeWindow | None = None
) -> Recorder:
    """Records from now on what new clients of the session read; clients made before are not seen.

    Use as a context manager, or call `close`. A folder that holds a recording of the same region is carried on: what is
    asked again is answered anew, the rest stays. Raises SnapshotError where the folder is something else.
    """
    region = session.region_name if isinstance(session, boto3.Session) else session.get_config_variable("region")
    if not region:
        raise SnapshotError("A recording is of one region, and the session has none: set aws_region, or AWS_REGION")
    recorder = Recorder(Path(folder), str(region), window)
    events = session.events if isinstance(session, boto3.Session) else session.get_component("event_emitter")
    events.register_first("provide-client-params", recorder.on_params)
    events.register_last("after-call", recorder.on_answer)
    return recorder


class Recorder:
    """Writes each answer as it comes, so that an interrupted recording can be read, and carried on.

    `recorded` and `unrecorded` count the calls by operation. Safe to use from several threads.
    """

    def __init__(self, folder: Path, region: str, window: TimeWindow | None = None) -> None:
        self.recorded: Counter[Operation] = Counter()
        self.unrecorded: Counter[Operation] = Counter()
        self._folder = folder
        self._latest: dict[tuple[Operation, str], bytes] = {}
        self._lock = Lock()
        self._closed = False
        self._about = _open_folder(folder, region, window)

    def on_params(self, *, params: Mapping[str, Any], model: OperationModel, context: dict[str, Any], **_: Any) -> None:
        if is_read(*operation_of(model)):
            context[_CONTEXT_KEY] = Call.of(model, params)

    def on_answer(
        self,
        *,
        http_response: AWSResponse,
        parsed: dict[str, Any],
        model: OperationModel,
        context: Mapping[str, Any],
        **_: Any,
    ) -> None:
        """Keeps one final answer. Raises SnapshotError where it cannot be written."""
        if self._closed:
            return
        call: Call | None = context.get(_CONTEXT_KEY)
        code = parsed.get("Error", {}).get("Code")
        known = protocol_of(model) in JSON_PROTOCOLS | XML_PROTOCOLS
        if call is None or not known or not says_something(http_response.status_code, code):
            with self._lock:
                self.unrecorded[operation_of(model)] += 1
            return
        self._keep(call, http_response, _read_content(http_response, parsed, model))
        if call.operation == ("sts", "GetCallerIdentity") and "Account" in parsed:
            self._learn_account(str(parsed["Account"]))

    def close(self) -> None:
        """Ends the recording: what later clients do is not seen, and journals are settled. Safe to call twice."""
        with self._lock:
            if not self._closed:
                self._closed = True
                _settle(self._folder)

    def __enter__(self) -> Recorder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> Literal[False]:
        self.close()
        return False

    def _keep(self, call: Call, http: AWSResponse, content: bytes) -> None:
        body = _as_body(call.model, content)
        headers = _kept_headers(http, call.model)
        exchange, kept = build_exchange(self._folder, call.request, body, status=http.status_code, headers=headers)
        with self._lock:
            if not self._closed:
                self._append(call.operation, exchange, kept)

    def _append(self, operation: Operation, exchange: Exchange, content: bytes) -> None:
        line = exchange.line()
        self.recorded[operation] += 1
        if self._latest.get((operation, exchange.key)) == line:
            return  # a poll that found nothing new
        try:
            if isinstance(exchange.body, ObjectFile):
                replace_file(self._folder / exchange.body.name, content)
            path = journal_path(self._folder, operation)
            path.parent.mkdir(exist_ok=True)
            with path.open("ab") as journal:
                journal.write(line + b"\n")
        except OSError as e:
            raise SnapshotError(f"{self._folder}: the recording cannot be written: {e}") from e
        self._latest[operation, exchange.key] = line

    def _learn_account(self, account_id: str) -> None:
        with self._lock:
            known = self._about.account_id
            if known is not None and known != account_id:
                raise SnapshotError(
                    f"{self._folder} is a recording of account {known}, and this session is of {account_id}"
                )
            if known is None and not self._closed:
                self._about = replace(self._about, account_id=account_id)
                self._about.write(self._folder)


def _open_folder(folder: Path, region: str, window: TimeWindow | None) -> About:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        about = About(region, window=window)
        if any(folder.iterdir()):
            earlier = About.read(folder)
            if earlier.region != region:
                raise SnapshotError(f"{folder} is a recording of {earlier.region}, and this session is of {region}")
            about = About(region, earlier.account_id, window or earlier.window)
            _settle(folder)
        about.write(folder)
    except OSError as e:
        raise SnapshotError(f"{folder}: a recording cannot be written there: {e}") from e
    return about


def _settle(folder: Path) -> None:
    """Takes the journals into the files that they belong to; nothing is lost where this is interrupted.

    What the journals renewed may have been the only way to older pages: these go.
    """
    operations = operations_of(folder)
    settled = {operation: read_operation(folder, operation) for operation in operations}
    fresh = {(operation, exchange.key) for operation in operations for exchange in read_journal(folder, operation)}
    kept = reachable(settled, fresh=fresh)
    for operation, exchanges in kept.items():
        if exchanges != settled[operation] or journal_path(folder, operation).exists():
            write_operation(folder, operation, exchanges)
            journal_path(folder, operation).unlink(missing_ok=True)
    bodies = (exchange.body for exchanges in kept.values() for exchange in exchanges)
    remove_unused_objects(folder, [body.name for body in bodies if isinstance(body, ObjectFile)])


def _read_content(http: AWSResponse, parsed: dict[str, Any], model: OperationModel) -> bytes:
    """The body's bytes; where the caller is to stream them, it is given a stream of the same bytes."""
    payload = model.output_shape.serialization.get("payload") if model.output_shape else None
    stream = parsed.get(payload) if payload and model.has_streaming_output else None
    if payload is None or not isinstance(stream, StreamingBody):
        return http.content
    content = stream.read()
    stream.close()
    parsed[payload] = StreamingBody(io.BytesIO(content), len(content))
    return content


def _as_body(model: OperationModel, content: bytes) -> GivenBody:
    if model.has_streaming_output:
        return content
    try:
        text = content.decode("utf-8")
        if protocol_of(model) in JSON_PROTOCOLS:
            value = json.loads(text, parse_constant=_refuse_constant)
            return value if isinstance(value, (dict, list)) else text
    except UnicodeDecodeError:
        return content
    except ValueError:
        return text  # a proxy's page in place of JSON, say: botocore makes of it what it will, now and in replay
    return text


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _kept_headers(http: AWSResponse, model: OperationModel) -> dict[str, str]:
    shape = model.output_shape
    members = shape.members.values() if isinstance(shape, StructureShape) else ()
    bound = (
        member.serialization for member in members if member.serialization.get("location") in {"header", "headers"}
    )
    modelled = frozenset(str(serialization.get("name", "")).lower() for serialization in bound)
    return {name.lower(): str(value) for name, value in http.headers.items() if is_kept_header(name.lower(), modelled)}
