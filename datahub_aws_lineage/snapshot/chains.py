"""Which exchanges replay can still reach.

Page tokens and statement ids are made by the service and repeated by the caller. A second run gets new ones, and what
the first run asked with its own is left without a way to it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from xml.sax.saxutils import unescape

from datahub_aws_lineage.model.secrets import Json
from datahub_aws_lineage.snapshot.exchange import Exchange
from datahub_aws_lineage.snapshot.recording import Operation

_TOKENS = frozenset({"nexttoken", "continuationtoken", "marker"})
_IDS = {"redshift-data": frozenset({"id"}), "athena": frozenset({"queryexecutionid"})}
"""Request members that hold what an earlier answer of the same service gave, in lower case."""

_XML_TEXT = re.compile(r">([^<]+)<")


def reachable(
    exchanges: Mapping[Operation, Iterable[Exchange]], *, fresh: Collection[tuple[Operation, str]] = ()
) -> dict[Operation, tuple[Exchange, ...]]:
    """The exchanges without those that repeat a token or id which no reachable answer gives.

    `fresh` names, by operation and request key, what is reachable in any case.
    """
    all_of = {operation: tuple(of_operation) for operation, of_operation in exchanges.items()}
    waiting = [(operation, exchange) for operation, of_operation in all_of.items() for exchange in of_operation]
    given: dict[str, set[str]] = {service: set() for service, _ in all_of}
    while True:
        still: list[tuple[Operation, Exchange]] = []
        for operation, exchange in waiting:
            if (operation, exchange.key) in fresh or _repeated(operation[0], exchange) <= given[operation[0]]:
                given[operation[0]].update(_texts(exchange))
            else:
                still.append((operation, exchange))
        if len(still) == len(waiting):
            break
        waiting = still
    lost = {(operation, exchange.key) for operation, exchange in waiting}
    return {o: tuple(e for e in of_operation if (o, e.key) not in lost) for o, of_operation in all_of.items()}


def _repeated(service: str, exchange: Exchange) -> set[str]:
    names = _TOKENS | _IDS.get(service, frozenset())
    return {v for name, v in exchange.request.items() if name.lower() in names and isinstance(v, str)}


def _texts(exchange: Exchange) -> Iterator[str]:
    match exchange.body:
        case str():
            yield from (unescape(text) for text in _XML_TEXT.findall(exchange.body))
        case Mapping() | list():
            yield from _leaves(exchange.body)


def _leaves(value: Json) -> Iterator[str]:
    match value:
        case str():
            yield value
        case Mapping():
            for member in value.values():
                yield from _leaves(member)
        case list():
            for item in value:
                yield from _leaves(item)
