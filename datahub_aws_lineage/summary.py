"""A run for people: what a file sink wrote, and what the run's report says was not understood, as plain text."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from datahub_aws_lineage.errors import MalformedError

Json = Mapping[str, Any]

_DATASET = re.compile(r"^urn:li:dataset:\(urn:li:dataPlatform:([^,]+),(.*),[A-Z_]+\)$")
_FIELD = re.compile(r"^urn:li:schemaField:\((urn:li:dataset:\(.*\)),(.*)\)$")
_TYPE_TOKEN = re.compile(r"\[[^\]]*\]\.?")
_PLATFORM_NAMES = {"glue": "Glue", "redshift": "Redshift", "s3": "S3", "athena": "Athena"}
_LABEL_WIDTH = 13
_EXAMPLES = 3
_LONGEST_PATH = 40


@dataclass(frozen=True, slots=True, order=True)
class Field:
    """A column of a dataset: the dataset's URN, and the column's path without type tokens."""

    dataset: str
    path: str

    def __str__(self) -> str:
        return f"{dataset_name(self.dataset)}  {self.path}"


@dataclass(slots=True)
class Emitted:
    """What a file of proposals holds. `columns`: downstream column -> upstream column -> (operation, confidence)."""

    proposals: int = 0
    tables: Counter[str] = field(default_factory=Counter)
    views: Counter[str] = field(default_factory=Counter)
    containers: int = 0
    queries: int = 0
    upstreams: dict[str, set[str]] = field(default_factory=dict)
    columns: dict[Field, dict[Field, tuple[str, float]]] = field(default_factory=dict)

    @property
    def column_edges(self) -> int:
        return sum(len(upstreams) for upstreams in self.columns.values())


def dataset_name(urn: str) -> str:
    """`sales.orders`, or `s3://bucket/prefix` for a location."""
    match = _DATASET.match(urn)
    if match is None:
        return urn
    platform, name = match.groups()
    return f"s3://{name}" if platform == "s3" else name


def platform_of(urn: str) -> str:
    match = _DATASET.match(urn)
    return match.group(1) if match else ""


def parse_field(urn: str) -> Field | None:
    match = _FIELD.match(urn)
    return Field(match.group(1), _TYPE_TOKEN.sub("", match.group(2))) if match else None


def read_json(path: Path) -> Any:
    """Raises MalformedError when the file cannot be read as JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as e:
        raise MalformedError(f"{path}: {e.strerror}") from e
    except ValueError as e:
        raise MalformedError(f"{path}: not JSON: {e}") from e


def read_emitted(path: Path) -> Emitted:
    """Reads what DataHub's `file` sink wrote. Raises MalformedError when it is something else."""
    proposals = read_json(path)
    if not isinstance(proposals, list) or not all(isinstance(one, dict) for one in proposals):
        raise MalformedError(f"{path}: not a list of metadata change proposals")
    return collect(proposals)


def collect(proposals: Iterable[Json]) -> Emitted:
    emitted = Emitted()
    containers, queries = set(), set()
    for proposal in proposals:
        emitted.proposals += 1
        urn, aspect = str(proposal.get("entityUrn", "")), proposal.get("aspectName")
        body: Any = (proposal.get("aspect") or {}).get("json")
        match proposal.get("entityType"), aspect:
            case "dataset", "subTypes":
                is_view = any("View" in name for name in body["typeNames"])
                (emitted.views if is_view else emitted.tables)[platform_of(urn)] += 1
            case "dataset", "upstreamLineage":
                _collect_lineage(emitted, urn, body)
            case "container", _:
                containers.add(urn)
            case "query", _:
                queries.add(urn)
    emitted.containers, emitted.queries = len(containers), len(queries)
    return emitted


def _collect_lineage(emitted: Emitted, urn: str, body: Any) -> None:
    edges = _patched_edges(body) if isinstance(body, list) else _stated_edges(body)
    for upstream, downstream, operation, confidence in edges:
        target, source = parse_field(downstream), parse_field(upstream)
        if target is None or source is None:
            emitted.upstreams.setdefault(urn, set()).add(upstream)
        else:
            emitted.columns.setdefault(target, {})[source] = (operation, confidence)


def _stated_edges(aspect: Json) -> Iterator[tuple[str, str, str, float]]:
    """Upstream, downstream (empty between datasets), operation and confidence of a whole `upstreamLineage`."""
    for upstream in aspect.get("upstreams") or []:
        yield upstream["dataset"], "", "", 1.0
    for edge in aspect.get("fineGrainedLineages") or []:
        for target in edge.get("downstreams") or []:
            for source in edge.get("upstreams") or []:
                yield source, target, edge.get("transformOperation") or "", edge.get("confidenceScore", 1.0)


def _patched_edges(operations: Iterable[Json]) -> Iterator[tuple[str, str, str, float]]:
    """The same of a JSON patch, whose paths carry the edge."""
    for operation in operations:
        if operation.get("op") != "add":
            continue
        kind, *keys = (part.replace("~1", "/").replace("~0", "~") for part in operation["path"].split("/")[1:])
        if kind == "upstreams" and len(keys) == 1:
            yield keys[0], "", "", 1.0
        elif kind == "fineGrainedLineages" and len(keys) == 4:
            transform, downstream, _query, upstream = keys
            yield upstream, downstream, transform, (operation.get("value") or {}).get("confidenceScore", 1.0)


def longest_path(columns: Mapping[Field, Mapping[Field, tuple[str, float]]]) -> list[Field]:
    """A longest chain of columns from its origin to its end; equal ones are settled by name. Cycles are cut."""
    best: dict[Field, list[Field]] = {}

    def trace(column: Field, above: frozenset[Field]) -> list[Field]:
        if column in best:
            return best[column]
        chains = [
            trace(source, above | {column})
            for source in sorted(columns.get(column, {}))
            if source not in above and source != column and len(above) < _LONGEST_PATH
        ]
        best[column] = [*max(chains, key=len, default=[]), column]
        return best[column]

    return max((trace(column, frozenset()) for column in sorted(columns)), key=len, default=[])


def render(emitted: Emitted, output: Path, run: Json | None = None) -> str:
    """The summary. `run` is the source's report."""
    sections = [
        _catalog_lines(emitted),
        _statement_lines(run) if run else [],
        _lineage_lines(emitted, run),
        _path_lines(emitted),
        _trouble_lines(run) if run else [],
        _entry("Output", [f"{output}  ({_many(emitted.proposals, 'proposal')})"]),
    ]
    return "\n\n".join("\n".join(lines) for lines in sections if lines) + "\n"


def source_report(report: Any, origin: Path) -> Json:
    """The source's report, alone (`report_file`) or within DataHub's (`--report-to`). Raises MalformedError else."""
    whole = isinstance(report, dict) and isinstance(report.get("source"), dict)
    own = report["source"].get("report") if whole else report
    if not isinstance(own, dict) or "coverage" not in own:
        raise MalformedError(f"{origin}: not the report of an aws-lineage run")
    return own


def _entry(label: str, lines: Iterable[str]) -> list[str]:
    """Lines under a label that stands before the first."""
    return [f"  {label if first else '':<{_LABEL_WIDTH}}{line}" for first, line in _flag_first(lines)]


def _flag_first(lines: Iterable[str]) -> Iterator[tuple[bool, str]]:
    for index, line in enumerate(lines):
        yield index == 0, line


def _many(count: int, noun: str) -> str:
    plural = noun[:-1] + "ies" if noun.endswith("y") else noun + "s"
    return f"{count:,} {noun if count == 1 else plural}"


def _catalog_lines(emitted: Emitted) -> list[str]:
    platforms = sorted(set(emitted.tables) | set(emitted.views))
    lines = [
        f"{_PLATFORM_NAMES.get(platform, platform):<10}"
        f"{_many(emitted.tables[platform], 'table')}, {_many(emitted.views[platform], 'view')}"
        for platform in platforms
    ]
    return _entry("Catalog", lines or ["no tables"])


def _statement_lines(run: Json) -> list[str]:
    coverage = run["coverage"]
    lines = []
    for dialect, outcomes in sorted(coverage["statements"].items()):
        total = sum(outcomes.values())
        understood = total - outcomes.get("unresolved", 0)
        name = _PLATFORM_NAMES.get(dialect, dialect)
        lines.append(f"{name:<10}{_many(total, 'statement')}, {_percent(understood, total)} understood")
    return _entry("SQL", lines or ["no statements"])


def _percent(part: int, whole: int) -> str:
    # Rounded down, so that 100 % is said of nothing less.
    return f"{int(1000 * part / whole) / 10:g} %" if whole else "0 %"


def _lineage_lines(emitted: Emitted, run: Json | None) -> list[str]:
    targets = _many(len(emitted.upstreams), "dataset")
    by_column = len({column.dataset for column in emitted.columns})
    table_edges = sum(len(upstreams) for upstreams in emitted.upstreams.values())
    lines = [
        f"{_many(table_edges, 'table edge')} into {targets}, {by_column:,} of them by column",
        f"{_many(emitted.column_edges, 'column edge')}{_bands(emitted)}",
    ]
    if emitted.queries:
        lines.append(f"{_many(emitted.queries, 'distinct query')} kept as evidence")
    return _entry("Lineage", lines)


def _bands(emitted: Emitted) -> str:
    confidences = [confidence for upstreams in emitted.columns.values() for _, confidence in upstreams.values()]
    certain = sum(confidence >= 1.0 for confidence in confidences)
    return f", {_percent(certain, len(confidences))} of them certain" if confidences else ""


def _path_lines(emitted: Emitted) -> list[str]:
    """The longest way that a value goes; conditions and sort keys, which only steer it, are no part of the way."""
    direct = {
        target: {source: edge for source, edge in upstreams.items() if not edge[0].startswith("INDIRECT")}
        for target, upstreams in emitted.columns.items()
    }
    chain = longest_path(direct)
    if len(chain) < 3:
        return []
    width = max(len(str(column)) for column in chain)
    lines = [f"   {chain[0]}"]
    for source, target in pairwise(chain):
        lines.append(f"-> {target!s:<{width}}  {_operation(direct[target][source][0])}".rstrip())
    return _entry("One value", lines)


def _operation(text: str) -> str:
    """`DIRECT:AGGREGATION: SUM(x)` as `aggregation: SUM(x)`; passing on as it is needs no word."""
    _, _, rest = text.partition(":")
    kind, _, expression = rest.partition(":")
    if kind == "IDENTITY":
        return ""
    return _shorten(f"{kind.lower()}: {expression.strip()}" if expression else kind.lower(), 44)


def _trouble_lines(run: Json) -> list[str]:
    lines = [
        *_reasons("Unresolved", run.get("unresolved") or {}, without_place=True),
        *_reasons("Skipped", run.get("skipped") or {}),
        *_reasons("Cut short", run.get("truncated") or {}),
        *_logged("Warnings", run.get("warnings") or []),
        *_logged("Failures", run.get("failures") or []),
    ]
    return lines or _entry("Unresolved", ["nothing: every statement was understood"])


def _reasons(label: str, reasons: Json, *, without_place: bool = False) -> list[str]:
    """Counts with an example each; `without_place` leaves out where it was, which stands before the first colon."""
    ordered = sorted(reasons.items(), key=lambda item: (-item[1]["count"], item[0]))
    width = max((len(reason) for reason, _ in ordered), default=0)
    lines = []
    for reason, found in ordered:
        example = str(next(iter(found["samples"]), ""))
        if without_place:
            example = example.partition(": ")[2] or example
        lines.append(f"{found['count']:>5,}  {reason:<{width}}  {_shorten(example, 70)}".rstrip())
    return _entry(label, lines)


def _logged(label: str, entries: Iterable[Any]) -> list[str]:
    lines = []
    for entry in entries:
        if isinstance(entry, dict):
            context = "; ".join(str(one) for one in list(entry.get("context") or [])[:_EXAMPLES])
            lines.append(_shorten(f"{entry.get('title') or entry.get('message')}: {context}", 100))
    return _entry(label, lines)


def _shorten(text: str, width: int) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= width else flat[: width - 1] + "…"
