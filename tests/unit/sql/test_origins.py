"""Tools are known by the comments that they leave, and by nothing else."""

from __future__ import annotations

import time
from types import SimpleNamespace

import pytest
from datahub.sql_parsing.tool_meta_extractor import ToolMetaExtractor, ToolMetaExtractorReport

from datahub_aws_lineage.model.origins import QueryOrigin
from datahub_aws_lineage.sql.origins import origin_of

DBT = '/* {"app": "dbt", "dbt_version": "1.9.1", "profile_name": "p", "target_name": "prod", "node_id": "model.a.b"} */'
DBT_ORIGIN = QueryOrigin(
    "dbt",
    None,
    {"dbt_node_id": "model.a.b", "dbt_version": "1.9.1", "dbt_profile_name": "p", "dbt_target_name": "prod"},
)
MODE = '-- {"user":"@jo","email":"jo@example.com","url":"https://modeanalytics.com/x/reports/1","scheduled":false}'
HEX = '-- Hex query metadata: {"categories": ["Scheduled"], "project_name": "P"}'
REDASH = "/* Username: jo@example.com, query_id: 17, Queue: queries, Job ID: a-b, Query Hash: cd, Scheduled: False */"


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        (f"{DBT}\nSELECT 1", DBT_ORIGIN),
        (f"-- {DBT}\nCREATE TABLE t AS SELECT 1", DBT_ORIGIN),
        (f"SELECT 1\n{DBT} ;\n", DBT_ORIGIN),
        (f"-- nightly\n  {DBT} SELECT 1", DBT_ORIGIN),
        (
            f"SELECT 1\n{MODE}",
            QueryOrigin("mode", "jo@example.com", {"mode_report_url": "https://modeanalytics.com/x/reports/1"}),
        ),
        (f"SELECT 1\n{HEX}", QueryOrigin("hex")),
        (f"{REDASH} SELECT 1", QueryOrigin("redash", "jo@example.com", {"redash_query_id": "17"})),
        (
            "-- Metabase:: userID: 4 queryType: native queryHash: ab\nSELECT 1",
            QueryOrigin("metabase", None, {"metabase_user_id": "4"}),
        ),
        ("/* QuickSight 1b2c */ SELECT 1", QueryOrigin("quicksight")),
        (
            'SELECT 1\n-- Looker Query Context \'{"user_id":7,"history_slug":"s"}\'',
            QueryOrigin("looker", None, {"looker_user_id": "7", "looker_history_slug": "s"}),
        ),
    ],
)
def test_tools(text: str, origin: QueryOrigin) -> None:
    assert origin_of(text) == origin


@pytest.mark.parametrize(
    "text",
    [
        "",
        "SELECT 1",
        "-- a comment\nSELECT 1 /* another */",
        f"SELECT '{DBT}' AS x FROM t",
        f"SELECT '{DBT}'",
        '/* {"app": "dbt" */ SELECT 1',
        "/* open SELECT 1",
        "-- " + "[" * 8000 + "{" * 100 + "}" * 100,
        '/* ["app", "dbt"] */ SELECT 1',
    ],
)
def test_what_names_no_tool(text: str) -> None:
    assert origin_of(text) is None


@pytest.mark.parametrize("text", ["/*" * 130_000, "--\n" * 80_000, "SELECT '" + "*/ /*" * 50_000 + "'", "a" * 250_000])
def test_a_long_text_takes_no_time(text: str) -> None:
    began = time.perf_counter()
    origin_of(text)
    assert time.perf_counter() - began < 0.25


@pytest.mark.parametrize("text", [f"SELECT 1\n{MODE}", f"SELECT 1\n{HEX}", "SELECT 1 -- nothing"])
def test_as_datahub_tells_them(text: str) -> None:
    entry = SimpleNamespace(query_text=text, user=None, extra_info=None, origin=None)
    ToolMetaExtractor(ToolMetaExtractorReport()).extract_bi_metadata(entry)
    ours = origin_of(text)
    assert (f"urn:li:dataPlatform:{ours.tool}" if ours else None) == (str(entry.origin) if entry.origin else None)
