"""Origins: which tool a statement's comments name."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from typing import Any

import pytest
from datahub.metadata.urns import CorpGroupUrn, CorpUserUrn, Urn
from datahub.sql_parsing.tool_meta_extractor import ToolMetaExtractor, ToolMetaExtractorReport

from datahub_aws_lineage.model.origins import QueryOrigin
from datahub_aws_lineage.sql.origins import origin_of

CREATE = "CREATE TABLE t AS SELECT a FROM s WHERE b = 'x'"
QUERY = "SELECT a FROM s\nWHERE b = 'x -- y'\nLIMIT 100"

DBT_NODE = (
    '{"app": "dbt", "dbt_version": "1.9.4", "profile_name": "shop", "target_name": "prod",'
    ' "node_id": "model.shop.orders"}'
)
DBT_CONNECTION = (
    '{"app": "dbt", "dbt_version": "1.9.4", "profile_name": "shop", "target_name": "prod",'
    ' "connection_name": "list_awsdatacatalog_shop"}'
)
DBT_FACTS = {"dbt_version": "1.9.4", "dbt_profile_name": "shop", "dbt_target_name": "prod"}
DBT_OF_NODE = QueryOrigin("dbt", None, {**DBT_FACTS, "dbt_node_id": "model.shop.orders"})
DBT_OF_CONNECTION = QueryOrigin("dbt", None, {**DBT_FACTS, "dbt_connection_name": "list_awsdatacatalog_shop"})

MODE_URL = "https://modeanalytics.com/acryltest/reports/6234ff78bc7d/runs/662b21949629/queries/f0aad24d5b37"
MODE = f'-- {{"user":"@foo","email":"foo@acryl.io","url":"{MODE_URL}","scheduled":false}}'
MODE_ORIGIN = QueryOrigin(
    "mode", "foo@acryl.io", {"mode_report_url": MODE_URL, "mode_user": "@foo", "mode_scheduled": "false"}
)

LOOKER = (
    '-- Looker Query Context \'{"user_id":7,"history_slug":"264797031bc403cf382cbefbe3700849",'
    '"instance_slug":"32654f2ffadf10b1949d4009e52fc6a4"}\''
)
LOOKER_ORIGIN = QueryOrigin(
    "looker",
    None,
    {
        "looker_user_id": "7",
        "looker_history_slug": "264797031bc403cf382cbefbe3700849",
        "looker_instance_slug": "32654f2ffadf10b1949d4009e52fc6a4",
    },
)

HEX = (
    '-- Hex query metadata: {"categories": ["Scratchpad"], "cell_type": "SQL", "connection": "Long Tail Companions",'
    ' "context": "SCHEDULED_RUN", "project_id": "d73da67d-c87b-4dd8-9e7f-b79cb7f822cf",'
    ' "project_name": "PlayNotebook", "project_url": "https://app.hex.tech/some/hex/d73da67d/draft/logic?selectedCellId=6",'
    ' "status": "In development", "trace_id": "f316f99947454a7e8aff2947f848f73d", "user_email": "alice@mail.com"}'
)
HEX_ORIGIN = QueryOrigin(
    "hex",
    "alice@mail.com",
    {
        "hex_project_id": "d73da67d-c87b-4dd8-9e7f-b79cb7f822cf",
        "hex_project_name": "PlayNotebook",
        "hex_project_url": "https://app.hex.tech/some/hex/d73da67d/draft/logic?selectedCellId=6",
        "hex_connection": "Long Tail Companions",
        "hex_context": "SCHEDULED_RUN",
        "hex_cell_type": "SQL",
        "hex_status": "In development",
        "hex_trace_id": "f316f99947454a7e8aff2947f848f73d",
    },
)

SIGMA = (
    '-- Sigma Σ {"sourceUrl":"https://app.sigmacomputing.com/acme/workbook/My-WB-527Ld?:displayNodeId=fk0Q",'
    '"kind":"adhoc","request-id":"g019d73ee","user-id":"8Uom","email":"user@example.com"}'
)
SIGMA_ORIGIN = QueryOrigin(
    "sigma",
    "user@example.com",
    {
        "sigma_source_url": "https://app.sigmacomputing.com/acme/workbook/My-WB-527Ld?:displayNodeId=fk0Q",
        "sigma_kind": "adhoc",
        "sigma_request_id": "g019d73ee",
        "sigma_user_id": "8Uom",
    },
)

METABASE = "-- Metabase:: userID: 1000 queryType: MBQL queryHash: cb83d4f6eedc"
METABASE_FACTS = {
    "metabase_user_id": "1000",
    "metabase_query_type": "MBQL",
    "metabase_query_hash": "cb83d4f6eedc",
}
METABASE_OF_REDSHIFT = (
    '-- /* partner: "metabase", {"dashboard_id":5678,"chart_id":1234,"optional_user_id":1000,'
    '"optional_account_id":"f0aad24d","filter_values":{"name":["*/ it\'s"]}} */'
    " Metabase:: userID: 1000 queryType: MBQL queryHash: cb83d4f6eedc"
)

REDASH = (
    "Username: ann@x.io, query_id: 42, Queue: queries, Job ID: 0c2cd2f1-5d3a, Query Hash: 9f86d081, Scheduled: False"
)
REDASH_FACTS = {
    "redash_query_id": "42",
    "redash_queue": "queries",
    "redash_job_id": "0c2cd2f1-5d3a",
    "redash_query_hash": "9f86d081",
    "redash_scheduled": "False",
}


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        pytest.param(f"/* {DBT_NODE} */\n\n  {CREATE}", DBT_OF_NODE, id="dbt-redshift"),
        pytest.param(f"{CREATE}\n/* {DBT_NODE} */;", DBT_OF_NODE, id="dbt-redshift-appended"),
        pytest.param(f"/* {DBT_CONNECTION} */ {QUERY}", DBT_OF_CONNECTION, id="dbt-without-node"),
        pytest.param(f"-- /* {DBT_NODE} */\n{CREATE}", DBT_OF_NODE, id="dbt-athena"),
        pytest.param(f"{CREATE}\n-- /* {DBT_NODE} */;", DBT_OF_NODE, id="dbt-athena-appended"),
        pytest.param(f"-- /* {DBT_CONNECTION} */\ncreate schema s", DBT_OF_CONNECTION, id="dbt-athena-without-node"),
        pytest.param(f"{QUERY}\n{MODE}\n", MODE_ORIGIN, id="mode"),
        pytest.param(
            f"{QUERY}\n{MODE.replace('modeanalytics.com', 'app.mode.com')}",
            QueryOrigin(
                "mode",
                "foo@acryl.io",
                {**MODE_ORIGIN.details, "mode_report_url": MODE_URL.replace("modeanalytics.com", "app.mode.com")},
            ),
            id="mode-newer-host",
        ),
        pytest.param(f"{QUERY}\n{LOOKER}\n", LOOKER_ORIGIN, id="looker"),
        pytest.param(f"{LOOKER} \n{QUERY}", LOOKER_ORIGIN, id="looker-first"),
        pytest.param(
            '-- Looker Query Context \'{"user_id":null,"history_slug":null,"instance_slug":"7e3f"}\'\nSELECT 1',
            QueryOrigin("looker", None, {"looker_instance_slug": "7e3f"}),
            id="looker-without-user",
        ),
        pytest.param(
            "-- generate derived table select_one\n-- Building persistent derived table test::select_one in dev mode on"
            " instance d4a546a52566484226c5db189db88551\nCREATE TABLE scratch.LR$ZK_select_one AS (\nSELECT '1' )\n"
            "-- finished select_one => scratch.LR$ZK_select_one",
            QueryOrigin(
                "looker",
                None,
                {
                    "looker_derived_table": "test::select_one",
                    "looker_instance_slug": "d4a546a52566484226c5db189db88551",
                },
            ),
            id="looker-derived-table",
        ),
        pytest.param(f"{QUERY}\n{HEX}\n        ", HEX_ORIGIN, id="hex"),
        pytest.param(f"{HEX}\nSELECT 1", HEX_ORIGIN, id="hex-first"),
        pytest.param(f"{QUERY}\n\n{SIGMA}\n", SIGMA_ORIGIN, id="sigma"),
        pytest.param(
            f'{QUERY}\n-- {{"organization_uuid":"o-1","project_uuid":"p-1","user_uuid":"u-1","explore_name":"orders",'
            '"query_context":"exploreView"}',
            QueryOrigin(
                "lightdash",
                None,
                {
                    "lightdash_organization_uuid": "o-1",
                    "lightdash_project_uuid": "p-1",
                    "lightdash_user_uuid": "u-1",
                    "lightdash_explore_name": "orders",
                    "lightdash_query_context": "exploreView",
                },
            ),
            id="lightdash",
        ),
        pytest.param(f"{METABASE}\n{QUERY}", QueryOrigin("metabase", None, METABASE_FACTS), id="metabase-athena"),
        pytest.param(f"-- Metabase\n{QUERY}", QueryOrigin("metabase", None, {}), id="metabase-itself"),
        pytest.param(
            f"{METABASE_OF_REDSHIFT}\n{QUERY}",
            QueryOrigin(
                "metabase", None, {**METABASE_FACTS, "metabase_card_id": "1234", "metabase_dashboard_id": "5678"}
            ),
            id="metabase-redshift",
        ),
        pytest.param(f"/* {REDASH} */ {QUERY}", QueryOrigin("redash", "ann@x.io", REDASH_FACTS), id="redash"),
        pytest.param(
            f"-- {REDASH} -- \n {QUERY}", QueryOrigin("redash", "ann@x.io", REDASH_FACTS), id="redash-old-athena"
        ),
        pytest.param(
            f"/* {REDASH.replace('ann@x.io', '<ApiKey: 3>')} */ {QUERY}",
            QueryOrigin("redash", None, REDASH_FACTS),
            id="redash-of-a-key",
        ),
        pytest.param(
            "/* Username: ann@x.io, Query ID: 42, Task ID: 7-1, Query Hash: 9f86, Queue: queries */ SELECT 1",
            QueryOrigin(
                "redash",
                "ann@x.io",
                {
                    "redash_query_id": "42",
                    "redash_queue": "queries",
                    "redash_task_id": "7-1",
                    "redash_query_hash": "9f86",
                },
            ),
            id="redash-older",
        ),
        pytest.param(
            "/* QuickSight */\nSELECT ds.* FROM ( SELECT 1 ) ds LIMIT 0",
            QueryOrigin("quicksight", None, {}),
            id="quicksight",
        ),
        pytest.param(
            '/* QuickSight 4da449cf-a6c6-11e9-a9d6-06b8ebd2b4d5 */ SELECT "a" FROM "s"."t"',
            QueryOrigin("quicksight", None, {"quicksight_id": "4da449cf-a6c6-11e9-a9d6-06b8ebd2b4d5"}),
            id="quicksight-with-id",
        ),
        pytest.param(
            '/* SQLMESH_PLAN: 5a1d4c7e */ CREATE TABLE "s"."t" AS SELECT 1',
            QueryOrigin("sqlmesh", None, {"sqlmesh_plan_id": "5a1d4c7e"}),
            id="sqlmesh",
        ),
        pytest.param(
            "/* SQLMESH_RUN: 5a1d4c7e */ INSERT INTO t SELECT 1",
            QueryOrigin("sqlmesh", None, {"sqlmesh_run_id": "5a1d4c7e"}),
            id="sqlmesh-run",
        ),
        pytest.param(
            "SELECT \"a\" FROM t /*controller='index',framework='django%3A2.2.1',route='%5Epolls/%24',"
            "traceparent='00-5bd66ef5095369c7b0d1f8f4bd33716a-c532cb4098ac3dd2-01'*/;",
            QueryOrigin(
                "django",
                None,
                {"django_framework": "django:2.2.1", "django_controller": "index", "django_route": "^polls/$"},
            ),
            id="sqlcommenter",
        ),
        pytest.param(
            "SELECT 1 /*dag_id='it%%27s',framework='airflow%%3A2.9',task_id='a\\'b'*/",
            QueryOrigin(
                "airflow",
                None,
                {"airflow_framework": "airflow:2.9", "airflow_dag_id": "it's", "airflow_task_id": "a'b"},
            ),
            id="sqlcommenter-with-doubled-percents",
        ),
    ],
)
def test_a_tool_is_known_by_its_comment(text: str, origin: QueryOrigin) -> None:
    assert origin_of(text) == origin


@pytest.mark.parametrize("before", ["", " \n\t", ";;\n", "-- a note\n", "/* a note */ ", "/**/--\n"])
@pytest.mark.parametrize("after", ["", " \n\t", ";", " ; \n;", "\n-- a note", " /* a note */;", "\r\n--\r\n"])
@pytest.mark.parametrize("comments", [(f"/* {DBT_NODE} */\n", ""), ("", f"\n-- /* {DBT_NODE} */\n")])
def test_blanks_semicolons_and_other_comments_around_it_do_not_matter(
    before: str, after: str, comments: tuple[str, str]
) -> None:
    head, tail = comments
    assert origin_of(f"{before}{head}{QUERY}{tail}{after}") == DBT_OF_NODE


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT 'it''s', \"it's\" FROM t",
        "SELECT a - 1, a / 2 FROM `it's`",
        'CREATE FUNCTION f() RETURNS int AS $$ return "it\'s" -- $x$ $$ LANGUAGE plpythonu',
        "CREATE FUNCTION f() RETURNS int AS $body$ return $$it's $body$ LANGUAGE plpythonu",
        "SELECT 1 -- it's\n, 2 /* it's */ , 3",
        "SELECT '\\n', 'a''b\\\\'",
        "SELECT a$b$c, $1 FROM t$$",
    ],
)
def test_a_comment_behind_quotes_is_found(statement: str) -> None:
    assert origin_of(f"{statement}\n{MODE}") == MODE_ORIGIN


@pytest.mark.parametrize(
    "text",
    [
        "",
        "SELECT 1",
        "SELECT a FROM t -- the orders of dbt, looker and mode",
        "/* dbt run of orders */ SELECT 1",
        "-- Looker Query Context is broken here\nSELECT 1",
        "-- Sigma Σ of all values\nSELECT 1",
        "-- Metabase:: userID: 1\nSELECT 1",
        "-- Metabase card 12\nSELECT 1",
        "/* QuickSight dashboard of Ann */ SELECT 1",
        "/* SQLMESH_PLAN */ SELECT 1",
        "/* Username: ann, see Query Hash: 1 */ SELECT 1",
        "SELECT 1 /*db_driver='psycopg2'*/",
        "SELECT 1 /*framework='django' and more*/",
        "SELECT 1 /*framework='django*/",
        "SELECT 1 /*framework='%00'*/",
        '/* {"app": "other", "node_id": "model.shop.orders"} */ SELECT 1',
        '/* {"app": ["dbt"]} */ SELECT 1',
        '/* ["app", "dbt"] */ SELECT 1',
        '-- {"user":"@foo","email":"foo@acryl.io","url":"https://example.com/modeanalytics.com"}\nSELECT 1',
        '-- {"email":"foo@acryl.io","url":"https://[modeanalytics.com"}\nSELECT 1',
        '-- {"email":"foo@acryl.io","url":7}\nSELECT 1',
        f'-- {{"url":"{MODE_URL}"}}\nSELECT 1',
        "/* Query Hash: 9f86, Queue: queries */ SELECT 1",
        '-- {"project_uuid":"p-1"}\nSELECT 1',
    ],
)
def test_other_comments_name_no_tool(text: str) -> None:
    assert origin_of(text) is None


@pytest.mark.parametrize(
    "text",
    [
        """SELECT '/* {"app": "dbt"} */'""",
        """SELECT '\n-- {"app": "dbt"}\n'""",
        """SELECT 'it''s -- {"app": "dbt"}'""",
        """'-- ' /* x */ SELECT '\n/* {"app": "dbt"} */""",
        """SELECT "\n/* QuickSight */" """,
        "SELECT 1 AS `\n-- QuickSight`",
        "SELECT $$\n-- QuickSight\n$$",
        "SELECT $q$ $$\n-- QuickSight\n$q$",
        r"""SELECT 'a\' -- Hex query metadata: ', 'b""",
        r"""SELECT 'a\'b', '-- Hex query metadata: '""",
        r"""SELECT 'a\', 'b -- Hex query metadata: {}""",
        "SELECT 1 /* QuickSight */ FROM t",
        "SELECT 1 -- QuickSight\nFROM t -- a note",
        "SELECT 1 FROM t /* QuickSight */ -- a note\n)",
    ],
)
def test_a_mark_within_the_statement_names_no_tool(text: str) -> None:
    assert origin_of(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "/* QuickSight",
        "/* QuickSight *",
        "/*/",
        "/* QuickSight */ SELECT 1 /* open"[3:],
        "/* a /* b */ QuickSight */ SELECT 1",
        "SELECT 1 /* /* */ */ /* QuickSight */",
        "SELECT 'open /* QuickSight */",
        'SELECT "open /* QuickSight */',
        "SELECT $$open /* QuickSight */",
        "SELECT 1 /* open -- QuickSight",
    ],
)
def test_what_is_left_open_or_nested_is_not_guessed_at(text: str) -> None:
    assert origin_of(text) is None


def test_an_open_end_does_not_hide_the_head() -> None:
    assert origin_of(f"/* {DBT_NODE} */ SELECT 'open /* QuickSight */") == DBT_OF_NODE


@pytest.mark.parametrize(
    "content",
    [
        '{"app": "dbt"',
        "{'app': 'dbt'}",
        '{"app": "dbt"} {',
        '{"app": "dbt", "a": ' + "9" * 5000 + "}",
        '{"app": "dbt", "a": ' + "[" * 50_000 + "]" * 50_000 + "}",
        '{"app": ' * 50_000,
        "{" * 100_000,
    ],
    ids=["cut", "quotes", "more", "number", "nested", "members", "braces"],
)
def test_malformed_json_names_no_tool(content: str) -> None:
    assert origin_of(f"-- {content}\nSELECT 1") is None
    assert origin_of(f"SELECT 1 -- {content}") is None


@pytest.mark.parametrize(
    ("comment", "tool"),
    [
        ('Hex query metadata: {"project_id": ', "hex"),
        ('Looker Query Context \'{"user_id":', "looker"),
        ('Sigma Σ {"sourceUrl":"https', "sigma"),
        ('/* partner: "metabase", {"chart_id": 1 */ Metabase', "metabase"),
    ],
)
def test_of_a_mark_with_malformed_json_the_tool_is_certain(comment: str, tool: str) -> None:
    assert origin_of(f"SELECT 1\n-- {comment}") == QueryOrigin(tool, None, {})


def test_the_last_comment_wins_over_what_was_pasted_above_it() -> None:
    assert origin_of(f"{METABASE}\n{QUERY}\n{MODE}") == MODE_ORIGIN
    assert origin_of(f"{QUERY}\n{LOOKER}\n{HEX}") == HEX_ORIGIN


@pytest.mark.parametrize("user", ["7", "", "  ", "a\\nb", "\\ud800", "x" * 1001])
def test_a_user_without_a_name_is_none(user: str) -> None:
    assert origin_of(f'SELECT 1 -- Hex query metadata: {{"user_email": "{user}"}}') == QueryOrigin("hex", None, {})


def test_the_handle_stands_in_for_an_e_mail_that_mode_leaves_empty() -> None:
    origin = origin_of(f"SELECT 1\n{MODE.replace('foo@acryl.io', '')}")
    assert origin is not None
    assert origin.user == "@foo"


def test_facts_hold_no_secrets_no_structures_and_no_data() -> None:
    dbt = origin_of('/* {"app": "dbt", "node_id": ["a"], "target_name": {"a": 1}, "password": "p"} */ SELECT 1')
    assert dbt == QueryOrigin("dbt", None, {})
    hexed = origin_of(
        'SELECT 1 -- Hex query metadata: {"project_url": "https://app.hex.tech/a?token=abc&b=AKIA0123456789ABCDEF"}'
    )
    assert hexed == QueryOrigin("hex", None, {"hex_project_url": "https://app.hex.tech/a?token=********&b=********"})
    metabase = origin_of(f"{METABASE_OF_REDSHIFT}\nSELECT 1")
    assert metabase is not None
    assert not any("it's" in value for value in metabase.details.values())


SIZE = 250_000


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 'a-b/c' " * (SIZE // 15),
        f"/* {DBT_NODE} */ SELECT a FROM t WHERE b IN (" + ", ".join(["'abcdef'"] * (SIZE // 10)) + ") -- a note",
        "'" * SIZE + " -- x",
        "'" * (SIZE + 1) + " -- x",
        "'a',\"b\"," * (SIZE // 8) + " -- x",
        "\\'" * (SIZE // 2) + " -- x",
        "a-b/c " * (SIZE // 6) + " -- x",
        "-- x\n" * (SIZE // 5),
        "/**/" * (SIZE // 4),
        "/*" * (SIZE // 2),
        "$a$ " * (SIZE // 4) + "-- x",
        "$" * SIZE + " -- x",
        "SELECT 1 --" + " " * SIZE,
        ";" * SIZE + "--",
        "SELECT 1 " + " /* */" + " " * SIZE + "/* */",
        "SELECT 1 -- {" + '"a":{' * (SIZE // 5),
        'SELECT 1 -- {"a":"' + "x" * SIZE + '"}',
        "SELECT 1 /*" + "a='b'," * (SIZE // 6) + "*/",
        "SELECT 1 /*a='" + "\\'" * (SIZE // 2) + "*/",
        "SELECT 1 -- Metabase:: userID: " + "1" * SIZE,
        "SELECT 1 -- " + "Query Hash: 1, " * (SIZE // 15),
    ],
    ids=lambda text: text[:12],
)
def test_a_large_text_takes_linear_time(text: str) -> None:
    """Some milliseconds on an idle machine; a step back for each character would take minutes."""
    assert _seconds(text) < 1


@pytest.mark.parametrize("comment", ["", "/* a note */"])
def test_a_large_text_without_a_comment_at_its_end_is_not_scanned(comment: str) -> None:
    text = comment + "'a'-1/2," * (SIZE // 8)
    assert _seconds(text) < _seconds(text + " -- a note") / 2


def test_it_never_raises() -> None:
    chance = random.Random(7)
    marks = [DBT_NODE, MODE, LOOKER, HEX, SIGMA, METABASE_OF_REDSHIFT, REDASH, "a='b',framework='c'"]
    parts = [*marks, "--", "/*", "*/", "'", '"', "`", "$$", "$a$", "\\", "\n", "\r", ";", " ", "-", "/", "\0", "\ud800"]
    for _ in range(3000):
        text = "".join(chance.choice(parts) for _ in range(chance.randrange(12)))
        cut = chance.randrange(len(text) + 1)
        assert origin_of(text) is None or origin_of(text)
        origin_of(text[:cut])
        origin_of(text[cut:])


@dataclass
class Entry:
    """A query as DataHub's extractor takes it and writes its findings into."""

    query_text: str
    user: CorpUserUrn | CorpGroupUrn | None = None
    extra_info: dict[str, Any] | None = None
    origin: Urn | None = None


@pytest.mark.parametrize(
    "text",
    [
        f"{QUERY}\n{MODE}",
        f"{QUERY}\n{MODE}\n\n",
        f"{METABASE}\n{QUERY}\n{MODE}",
        f"{QUERY}\n{LOOKER}",
        f"{QUERY}\n{HEX}",
        f"{HEX}\n{QUERY}",
        f"{QUERY}\n-- Hex query metadata: {{",
        QUERY,
    ],
)
def test_datahub_names_the_same_tool_and_user(text: str) -> None:
    extractor = ToolMetaExtractor(ToolMetaExtractorReport(), looker_user_mapping={"7": "looker@x.io"})
    entry = Entry(text)
    extractor.extract_bi_metadata(entry)
    origin = origin_of(text)
    assert (origin and f"urn:li:dataPlatform:{origin.tool}") == (entry.origin and str(entry.origin))
    if origin is not None and origin.tool == "mode":
        assert origin.user is not None
        assert str(entry.user) == f"urn:li:corpuser:{origin.user.partition('@')[0]}"


def _seconds(text: str) -> float:
    """The shortest of a few runs, as the machine may be busy with others."""
    runs = []
    for _ in range(5):
        start = time.perf_counter()
        origin_of(text)
        runs.append(time.perf_counter() - start)
    return min(runs)
