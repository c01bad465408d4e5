"""The tool that wrote a statement, from the comment that it leaves at the statement's beginning or end.

dbt writes a JSON comment (docs.getdbt.com, "query-comment"), which its Athena adapter puts behind `--`. Mode, Looker
and Hex are told as DataHub's `ToolMetaExtractor` tells them. Redash writes `key: value` pairs, Metabase a line, and
QuickSight its name.

>>> origin_of('/* {"app": "dbt", "node_id": "model.shop.daily"} */ SELECT 1').details
{'dbt_node_id': 'model.shop.daily'}
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from datahub_aws_lineage.model.origins import QueryOrigin

_LONGEST = 8192
"""Characters looked at on either side of a text."""

_HEAD = re.compile(r"\s*(?:--(?P<line>[^\n]*)|/\*(?P<block>(?:[^*]|\*(?!/))*)\*/)")
_TAIL_BLOCK = re.compile(r"/\*((?:[^*']|\*(?!/))*)\*/[\s;]*\Z")
_PAIR = re.compile(r"([A-Za-z_ ]+):\s*([^,]*?)\s*(?:,|\Z)")
_REDASH = re.compile(r"\s*Username: .*\bquery_id: ", re.IGNORECASE)
_METABASE = re.compile(r"\s*Metabase(?:::|:)?(?P<pairs>.*)", re.DOTALL)
_METABASE_USER = re.compile(r"userID: (\d+)")
_DBT_DETAILS = ("node_id", "dbt_version", "profile_name", "target_name", "invocation_id")


def origin_of(text: str) -> QueryOrigin | None:
    """None for a statement that names no tool, or not in a way that is known. Never raises."""
    if "--" not in text and "/*" not in text:
        return None
    return next(filter(None, map(_origin, _comments(text))), None)


def _comments(text: str) -> Iterator[str]:
    """The comments in front of the statement, then the last one behind it."""
    head, at = text[:_LONGEST], 0
    while match := _HEAD.match(head, at):
        yield next(group for group in match.groups() if group is not None)
        at = match.end()
    tail = text[-_LONGEST:].rstrip("; \t\r\n")
    block = _TAIL_BLOCK.search(tail)
    if block is not None:
        yield block[1]
    last = tail.rpartition("\n")[2].strip()
    if last.startswith("--") and "\n" in tail:
        yield last[2:]


def _origin(comment: str) -> QueryOrigin | None:
    found = _json(comment)
    if found.get("app") == "dbt":
        return QueryOrigin("dbt", None, _dbt_details(found))
    url = str(found.get("url", ""))
    if url.startswith(("https://modeanalytics.com", "https://app.mode.com")):
        return QueryOrigin("mode", _text(found.get("email")), {"mode_report_url": url})
    if "Looker Query Context" in comment:
        return QueryOrigin("looker", None, {f"looker_{key}": str(value) for key, value in found.items()})
    if comment.strip().startswith("Hex query metadata:"):
        return QueryOrigin("hex", _text(found.get("user_email")), {})
    if comment.strip().startswith("QuickSight"):
        return QueryOrigin("quicksight")
    if _REDASH.match(comment):
        pairs = {key.strip().lower().replace(" ", "_"): value for key, value in _PAIR.findall(comment)}
        user = pairs.get("username")
        return QueryOrigin("redash", user if user and "@" in user else None, {"redash_query_id": pairs["query_id"]})
    metabase = _METABASE.match(comment)
    if metabase is not None:
        user_id = _METABASE_USER.search(metabase["pairs"])
        return QueryOrigin("metabase", None, {"metabase_user_id": user_id[1]} if user_id else {})
    return None


def _dbt_details(found: Mapping[str, Any]) -> dict[str, str]:
    return {f"dbt_{name.removeprefix('dbt_')}": str(found[name]) for name in _DBT_DETAILS if found.get(name)}


def _json(comment: str) -> Mapping[str, Any]:
    """The object that a comment holds, from its first brace to its last."""
    start, end = comment.find("{"), comment.rfind("}")
    if start < 0 or end < start:
        return {}
    try:
        found = json.loads(comment[start : end + 1])
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
