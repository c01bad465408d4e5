"""Origins: which tool issued a statement, from the comment that the tool puts before or behind it.

>>> origin_of('/* {"app": "dbt", "node_id": "model.shop.orders"} */ CREATE TABLE t AS SELECT 1 AS a').details
{'dbt_node_id': 'model.shop.orders'}
>>> origin_of("SELECT '/* QuickSight */'") is None
True

Only comments outside the statement count: those before its first token and those behind its last. The last comment of
the text is asked first, as DataHub's `ToolMetaExtractor` does: so a query that was pasted from one tool into another is
taken for one of the tool that wrote its mark at the end. A comment of no known form is passed over.

Sources, by tool:
- dbt: dbt-adapters, `DEFAULT_QUERY_COMMENT` and `_QueryComment.add`; dbt-athena, `_AthenaQueryComment.add`
- Hex, Looker, Mode: DataHub, `ToolMetaExtractor` and its tests; the Hex connector's `HexQueryFetcher`
- Lightdash: `AthenaWarehouseClient.streamQuery`, `PostgresClient.getSQLWithMetadata`, `RunQueryTags`
- Metabase: `default-query->remark`, and `query->remark :redshift`, which adds an object for the partner
- QuickSight: aws-sdk-pandas, `athena` template of its QuickSight module; Athena's query history
- Redash: `QueryExecutor._annotate_query`, `BaseQueryRunner.annotate_query`, `annotate_query_with_single_line_comment`
- Sigma: query histories, `-- Sigma Σ {…}`
- SQLMesh: `CorrelationId`, `EngineAdapter._attach_correlation_id` (not on Athena)
- frameworks: sqlcommenter, `generate_sql_comment`
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from itertools import chain, islice
from urllib.parse import unquote, urlsplit

from datahub_aws_lineage.model.origins import QueryOrigin
from datahub_aws_lineage.model.secrets import mask_text

_MOST_COMMENTS = 20
"""So many are looked at before the statement, and so many behind it."""
_MOST_MEMBERS = 40
_LONGEST_FACT = 1000

# A block that holds another is none of these, as the engines differ on where it ends.
_COMMENT = r"(?:--[^\r\n]*|/\*[^*/]*(?:(?:\*(?!/)|/(?!\*))[^*/]*)*\*/)"
_COMMENTS = re.compile(rf"[\s;]*(?:{_COMMENT}[\s;]*)*")
_ONE_COMMENT = re.compile(_COMMENT)


def _tokens(literal: str) -> re.Pattern[str]:
    """All up to the next comment, or to a quote that is left open."""
    return re.compile(
        rf"""
        (?: [^-/'"`$]+ | -(?!-) | /(?!\*)
          | {literal} | "[^"]*" | `[^`]*`
          | (?<=[\w$])\$ | \$(?!(?:[^\W\d]\w*)?\$) | \$(?P<tag>(?:[^\W\d]\w*)?)\$(?s:.*?)\$(?P=tag)\$
        )*
        """,
        re.VERBOSE,
    )


_TOKENS = _tokens(r"'[^']*'")
_ESCAPING_TOKENS = _tokens(r"'[^'\\]*(?:\\(?s:.)[^'\\]*)*'")
"""As Redshift reads a literal, where a backslash keeps a quote from closing it."""


def origin_of(text: str) -> QueryOrigin | None:
    """The tool that marked this statement as its own; None where no known mark stands before or behind it."""
    if "--" not in text and "/*" not in text:
        return None
    for comment in chain(_tail_comments(text), _head_comments(text)):
        for read in _READERS:
            origin = read(comment)
            if origin is not None:
                return origin
    return None


def _head_comments(text: str) -> Iterator[str]:
    """What the comments before the first token say, first one first."""
    end = _end(_COMMENTS, text, 0)
    found = islice(_ONE_COMMENT.finditer(text, 0, end), _MOST_COMMENTS)
    return (_bare(comment[0]) for comment in found)


def _tail_comments(text: str) -> Iterator[str]:
    """What the comments behind the last token say, last one first; nothing where their begin is unsure."""
    if not _may_end_in_comment(text):
        return iter(())
    start = _tail(text, _TOKENS)
    if "\\'" in text and _tail(text, _ESCAPING_TOKENS) != start:
        return iter(())
    found: list[str] = _ONE_COMMENT.findall(text, start)
    return (_bare(comment) for comment in reversed(found[-_MOST_COMMENTS:]))


def _may_end_in_comment(text: str) -> bool:
    """Whether the last line has a line comment or the text ends with a block; rules out most texts without a scan."""
    end = len(text.rstrip("; \t\r\n\f\v"))
    line = max(text.rfind("\n", 0, end), text.rfind("\r", 0, end)) + 1
    return text.endswith("*/", 0, end) or text.find("--", line, end) >= 0


def _tail(text: str, tokens: re.Pattern[str]) -> int:
    """Where the comments begin that end the text; its very end where there are none."""
    place = 0
    while True:
        start = _end(tokens, text, place)
        place = _end(_COMMENTS, text, start)
        if place == len(text):
            return start
        if place == start:
            return len(text)


def _end(pattern: re.Pattern[str], text: str, place: int) -> int:
    """The end of a match of a pattern that can match nothing at all, so matches everywhere."""
    found = pattern.match(text, place)
    return place if found is None else found.end()


def _bare(comment: str) -> str:
    """What a comment says, without its marks; dbt writes a block into a line comment.

    >>> _bare("/* QuickSight */"), _bare('-- /* {"app": "dbt"} */;')
    ('QuickSight', '{"app": "dbt"}')
    """
    comment = comment.removeprefix("--").strip()
    ended = comment.rstrip("; \t")
    return ended[2:-2].strip() if ended.startswith("/*") and ended.endswith("*/") else comment


def _read_dbt(comment: str) -> QueryOrigin | None:
    members = _object(comment)
    if members.get("app") != "dbt":
        return None
    names = (
        "dbt_version profile_name target_name node_id connection_name project_name invocation_id"
        " dbt_cloud_project_id dbt_cloud_job_id dbt_cloud_run_id"
    )
    return _origin("dbt", members, names)


_MODE_HOSTS = ("modeanalytics.com", "app.mode.com")


def _read_mode(comment: str) -> QueryOrigin | None:
    members = _object(comment)
    url = members.get("url")
    if not isinstance(url, str) or _host(url) not in _MODE_HOSTS or "email" not in members:
        return None
    person = members["email"] or members.get("user")
    return _origin("mode", {**members, "report_url": url}, "report_url user scheduled", person)


_LOOKER_CONTEXT = re.compile(r"Looker Query Context[ :]*(?=['{])")
_LOOKER_BUILDING = re.compile(
    r"Building (?:\w+ derived table )?(?P<derived_table>\w+::\w+) (?:.{0,60} )?on instance (?P<instance_slug>\w+)\Z"
)


def _read_looker(comment: str) -> QueryOrigin | None:
    context = _LOOKER_CONTEXT.match(comment)
    if context is not None:
        members = _object(comment[context.end() :].strip("' "))
        return _origin("looker", members, "user_id history_slug instance_slug")
    building = _LOOKER_BUILDING.match(comment)
    return None if building is None else _origin("looker", building.groupdict(), "derived_table instance_slug")


_HEX_PREFIX = "Hex query metadata:"


def _read_hex(comment: str) -> QueryOrigin | None:
    if not comment.startswith(_HEX_PREFIX):
        return None
    members = _object(comment[len(_HEX_PREFIX) :].strip())
    names = "project_id project_name project_url connection context cell_type status trace_id"
    return _origin("hex", members, names, members.get("user_email"))


_SIGMA = re.compile(r"Sigma Σ\s*(?={)")


def _read_sigma(comment: str) -> QueryOrigin | None:
    mark = _SIGMA.match(comment)
    if mark is None:
        return None
    members = _object(comment[mark.end() :])
    named = {**members, "source_url": members.get("sourceUrl")}
    return _origin("sigma", named, "source_url kind request-id user-id", members.get("email"))


def _read_lightdash(comment: str) -> QueryOrigin | None:
    members = _object(comment)
    if "organization_uuid" not in members or not ("project_uuid" in members or "query_context" in members):
        return None
    names = (
        "organization_uuid project_uuid user_uuid chart_uuid dashboard_uuid saved_sql_uuid scheduler_uuid"
        " explore_name query_context"
    )
    return _origin("lightdash", members, names)


_METABASE = re.compile(
    r"Metabase(?::: userID: (?P<user_id>\S+) queryType: (?P<query_type>\S+) queryHash: (?P<query_hash>[0-9a-f]+))?\Z"
)
_METABASE_PARTNER = '/* partner: "metabase", '


def _read_metabase(comment: str) -> QueryOrigin | None:
    """Redshift's mark has an object too: of its members, the values of filters are data and stay out."""
    partner: Mapping[str, object] = {}
    if comment.startswith(_METABASE_PARTNER):
        content, _, comment = comment[len(_METABASE_PARTNER) :].rpartition("*/")
        partner = _object(content)
    mark = _METABASE.match(comment.strip())
    if mark is None:
        return None
    members = {"card_id": partner.get("chart_id"), "dashboard_id": partner.get("dashboard_id"), **mark.groupdict()}
    return _origin("metabase", members, "user_id query_type query_hash card_id dashboard_id")


def _read_redash(comment: str) -> QueryOrigin | None:
    """`Username: …, query_id: …, Queue: …`; with an API key in place of a person, the name is `<ApiKey: …>`."""
    pairs = (pair.partition(": ") for pair in comment.removesuffix("--").split(", ", _MOST_MEMBERS))
    members = {key.strip().lower().replace(" ", "_"): value.strip() for key, _, value in pairs}
    if "query_hash" not in members or not ("job_id" in members or "task_id" in members):
        return None
    user = members.get("username", "")
    names = "query_id queue job_id task_id query_hash scheduled"
    return _origin("redash", members, names, None if user.startswith("<") else user)


_QUICKSIGHT = re.compile(r"QuickSight(?: (?P<id>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}))?\Z")


def _read_quicksight(comment: str) -> QueryOrigin | None:
    mark = _QUICKSIGHT.match(comment)
    return None if mark is None else _origin("quicksight", mark.groupdict(), "id")


_SQLMESH = re.compile(r"SQLMESH_(?:PLAN: (?P<plan_id>\S+)|RUN: (?P<run_id>\S+))\Z")


def _read_sqlmesh(comment: str) -> QueryOrigin | None:
    mark = _SQLMESH.match(comment)
    return None if mark is None else _origin("sqlmesh", mark.groupdict(), "plan_id run_id")


_SQLCOMMENTER_PAIR = re.compile(r"\s*(?P<key>[\w.%-]+)='(?P<value>(?:[^'\\]|\\.)*)'\s*(?:,|\Z)")
_FRAMEWORK = re.compile(r"[a-z][a-z0-9-]*")


def _read_sqlcommenter(comment: str) -> QueryOrigin | None:
    """`action='index',framework='django%3A4.2'`: the framework is the tool, and its version is a detail."""
    members: dict[str, object] = {}
    place = 0
    for _ in range(_MOST_MEMBERS):
        pair = _SQLCOMMENTER_PAIR.match(comment, place)
        if pair is None:
            return None
        members[_decoded(pair["key"])] = _decoded(pair["value"])
        place = pair.end()
        if place == len(comment):
            break
    framework = _FRAMEWORK.match(str(members.get("framework", "")).lower())
    if framework is None:
        return None
    names = "framework application controller action route job dag_id task_id run_id db_driver"
    return _origin(framework[0], members, names)


_READERS: tuple[Callable[[str], QueryOrigin | None], ...] = (
    _read_mode,
    _read_looker,
    _read_hex,
    _read_dbt,
    _read_lightdash,
    _read_sigma,
    _read_metabase,
    _read_redash,
    _read_quicksight,
    _read_sqlmesh,
    _read_sqlcommenter,
)


def _origin(tool: str, members: Mapping[str, object], names: str, person: object = None) -> QueryOrigin:
    """The tool with those of its members that are facts, each under the tool's name.

    >>> _origin("sigma", {"request-id": "g01", "kind": None}, "request-id kind", "ann@x.io")
    QueryOrigin(tool='sigma', user='ann@x.io', details={'sigma_request_id': 'g01'})
    """
    details: dict[str, str] = {}
    for name in names.split():
        fact = _fact(members.get(name))
        if fact is not None:
            details[f"{tool}_{name.removeprefix(f'{tool}_').replace('-', '_')}"] = fact
    user = _fact(person) if isinstance(person, str) and not person.isdigit() else None
    return QueryOrigin(tool, user, details)


def _object(content: str) -> Mapping[str, object]:
    """The members of a JSON object; none where this is no such object, or not all of one."""
    if not content.startswith("{"):
        return {}
    try:
        members: Mapping[str, object] = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return members


def _fact(value: object) -> str | None:
    """A value as one line of text, with no secret in it; None for what is empty, structured or too long.

    >>> _fact(False), _fact(7), _fact([7]), _fact("https://x.io/?token=abc")
    ('false', '7', None, 'https://x.io/?token=********')
    """
    if not isinstance(value, str | int | float):
        return None
    text = str(value).lower() if isinstance(value, bool) else str(value).strip()
    return mask_text(text) if 0 < len(text) <= _LONGEST_FACT and text.isprintable() else None


def _decoded(quoted: str) -> str:
    """A key or value of sqlcommenter; its Python library doubles `%` for the driver, and not every driver undoes it."""
    return unquote(quoted.replace("\\'", "'").replace("%%", "%"))


def _host(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None
