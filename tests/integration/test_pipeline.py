"""Whole runs of the real DataHub pipeline over a small recorded account."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from datahub.ingestion.api.source import SourceReport
from datahub.ingestion.run.pipeline import Pipeline
from datahub.ingestion.source.sql.sql_utils import gen_database_key
from datahub.metadata.urns import DatasetUrn, SchemaFieldUrn
from datahub.testing.compare_metadata_json import assert_metadata_files_equal
from small_account import (
    ACCOUNT,
    INSERT_DAILY,
    REDSHIFT_LOG,
    UNLOAD_DAILY,
    WINDOW,
    Ingested,
    SmallAccount,
    account,
    ingest,
    short,
    view,
)
from strict_schema import assert_valid_file

__all__ = ["account"]

GOLDEN = Path(__file__).parent / "golden" / "small_account.json"
"""After a wanted change: `make golden`, and read the difference."""


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "redshift.csv"
    path.write_text(REDSHIFT_LOG)
    return path


def run(account: SmallAccount, **recipe: Any) -> Ingested:
    output = account.folder.with_suffix(".json")
    result = ingest(output, {"snapshot": str(account.record()), **recipe})
    assert_valid_file(output)
    return result


def column_edges(ingested: Ingested) -> set[tuple[str, str, str]]:
    """Downstream field, upstream field, and the transformation's kind."""
    edges = set()
    for aspect in ingested.aspects("upstreamLineage").values():
        for edge in aspect.get("fineGrainedLineages") or []:
            for upstream in edge["upstreams"]:
                kind = ":".join(edge["transformOperation"].split(":")[:2])
                edges.add((field(edge["downstreams"][0]), field(upstream), kind))
    return edges


def field(urn: str) -> str:
    parsed = SchemaFieldUrn.from_string(urn)
    return f"{DatasetUrn.from_string(parsed.parent).name}.{parsed.field_path}"


def messages(report: SourceReport, kind: str) -> list[str]:
    return [f"{entry.message}: {'; '.join(entry.context)}" for entry in getattr(report, kind)]


def test_catalog_views_and_history_become_one_graph(account: SmallAccount) -> None:
    ingested = run(account)
    assert ingested.upstreams() == {
        "glue sales.orders": {"s3 lake/orders"},
        "glue sales.daily": {"s3 lake/daily", "glue sales.orders"},
        "glue sales.v_daily": {"glue sales.daily"},
        "s3 exchange/daily": {"glue sales.daily"},
    }
    assert {
        ("sales.daily.total", "sales.orders.amount", "DIRECT:AGGREGATION"),
        ("sales.daily.day", "sales.orders.day", "DIRECT:IDENTITY"),
        ("sales.v_daily.twice", "sales.daily.total", "DIRECT:TRANSFORMATION"),
        ("exchange/daily.total", "sales.daily.total", "DIRECT:IDENTITY"),
        ("sales.orders.amount", "lake/orders.amount", "DIRECT:IDENTITY"),
    } <= column_edges(ingested)


@pytest.mark.parametrize("odd", ["\ud83d", "\x00", "\x1b", "\ufeff", "\U0001f600"])
def test_texts_of_any_characters_arrive(account: SmallAccount, odd: str) -> None:
    account.statements = [INSERT_DAILY.replace("void", odd)]
    account.tables.append(
        view("odd", f"SELECT '{odd}' AS x, total FROM sales.daily", {"x": "string", "total": "double"})
    )
    ingested = run(account)
    assert not ingested.report.failures
    assert {"glue sales.daily", "glue sales.odd"} <= ingested.upstreams().keys()


def test_golden(account: SmallAccount) -> None:
    run(account)
    assert_metadata_files_equal(output_path=account.folder.with_suffix(".json"), golden_path=GOLDEN)


def test_the_report_counts_what_was_and_was_not_understood(account: SmallAccount) -> None:
    report = run(account).report
    assert report.coverage.statements == {"athena": {"lineage": 3, "unresolved": 1}}
    assert report.unresolved.counts == {"syntax": 1}
    assert report.seen["glue tables"] == 3
    assert report.coverage.datasets_with_column_lineage == 4
    assert not report.failures
    assert not report.warnings


def test_temporary_tables_are_seen_through_within_their_session(account: SmallAccount, log: Path) -> None:
    warehouse = {"name": "exported", "query_logs": [{"type": "file", "path": str(log)}]}
    ingested = run(account, athena={"enabled": False}, redshift=[warehouse])
    report = ingested.upstreams()["redshift dev.public.report"]
    assert report == {"redshift dev.public.landing", "redshift dev.public.mistake"}


def test_a_procedure_that_a_log_shows_is_a_job(account: SmallAccount, log: Path) -> None:
    """Without containers, which nobody describes, and never one for a later run to remove."""
    log.write_text(
        f"{REDSHIFT_LOG.splitlines()[0]},end_time\n"
        "1,CALL mart.load(),2026-03-02 06:00:00,dev,alice,7,success,2026-03-02 06:00:10\n"
        "2,CREATE TEMP TABLE t AS SELECT l.id FROM public.landing l,2026-03-02 06:00:01,dev,alice,7,success,\n"
        "3,INSERT INTO public.report (id) SELECT id FROM t,2026-03-02 06:00:02,dev,alice,7,success,\n"
    )
    logs = [{"type": "file", "path": str(log)}]

    def jobs(**settings: Any) -> dict[str, Any]:
        warehouse = {"name": "exported", "platform_instance": "eu", "query_logs": logs, **settings}
        ingested = run(account, athena={"enabled": False}, redshift=[warehouse])
        assert not any(urn.startswith(("urn:li:dataJob", "urn:li:dataFlow")) for urn in ingested.aspects("container"))
        return ingested.aspects("dataJobInputOutput")

    assert jobs() == {}
    ((urn, work),) = jobs(include_stored_procedures=True).items()
    assert urn == "urn:li:dataJob:(urn:li:dataFlow:(redshift,eu.dev.mart.stored_procedures,PROD),load)"
    assert [DatasetUrn.from_string(one).name for one in work["inputDatasets"]] == ["eu.dev.public.landing"]
    assert [DatasetUrn.from_string(one).name for one in work["outputDatasets"]] == ["eu.dev.public.report"]
    (column,) = work["fineGrainedLineages"]
    assert (column["upstreams"][0], column["downstreams"][0]) == tuple(
        f"urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:redshift,eu.dev.public.{table},PROD),id)"
        for table in ("landing", "report")
    )


@pytest.mark.parametrize(
    ("recipe", "upstreams"),
    [
        ({"user_pattern": {"deny": ["alice"]}}, {"redshift dev.public.landing"}),
        ({"query_pattern": {"deny": [".*mistake"]}}, {"redshift dev.public.landing"}),
        ({"user_pattern": {"allow": ["alice"]}}, {"redshift dev.public.mistake"}),
    ],
)
def test_patterns_of_users_and_queries(
    account: SmallAccount, log: Path, recipe: dict[str, Any], upstreams: set[str]
) -> None:
    warehouse = {"name": "exported", "query_logs": [{"type": "file", "path": str(log)}]}
    ingested = run(account, redshift=[warehouse], **recipe)
    assert ingested.upstreams()["redshift dev.public.report"] == upstreams
    assert "glue sales.orders" in ingested.upstreams()["glue sales.daily"], "Athena's log names no user"
    assert any(reason.endswith("query: filtered") for reason in ingested.report.skipped.counts)


@pytest.mark.parametrize(
    ("recipe", "gone"),
    [
        ({"glue": {"include_views": False}}, {"glue sales.v_daily"}),
        ({"glue": {"include_storage_lineage": False}}, {"glue sales.orders"}),
        ({"athena": {"include_query_history": False}}, {"s3 exchange/daily"}),
        ({"table_pattern": {"deny": [r"sales\.v_"]}}, {"glue sales.v_daily"}),
        ({"athena": {"work_group_pattern": {"deny": ["primary"]}}}, {"s3 exchange/daily"}),
        ({"start_time": "2026-03-03T00:00:00Z"}, {"s3 exchange/daily"}),
    ],
)
def test_options_leave_out_what_they_say(account: SmallAccount, recipe: dict[str, Any], gone: set[str]) -> None:
    everything = {"glue sales.orders", "glue sales.daily", "glue sales.v_daily", "s3 exchange/daily"}
    assert run(account, **recipe).upstreams().keys() == everything - gone


def test_column_lineage_can_be_left_out(account: SmallAccount) -> None:
    assert column_edges(run(account, include_column_lineage=False)) == set()


@pytest.mark.parametrize(("query_text", "literal"), [("full", "'void'"), ("masked", "?")])
def test_query_text(account: SmallAccount, query_text: str, literal: str) -> None:
    ingested = run(account, query_text=query_text)
    statements = [aspect["statement"]["value"] for aspect in ingested.aspects("queryProperties").values()]
    (insert,) = (statement for statement in statements if "INSERT" in statement.upper())
    assert literal in insert
    assert ("void" in str(ingested.proposals)) == (query_text == "full")


def test_the_same_text_in_two_accounts_is_two_queries(account: SmallAccount) -> None:
    """Else the later run would take the Query entity away from the tables of the earlier one."""
    one, other = (set(run(account, platform_instance=name).aspects("querySubjects")) for name in ("one", "other"))
    assert one
    assert one.isdisjoint(other)


def test_without_query_text_no_query_is_mentioned(account: SmallAccount) -> None:
    assert "urn:li:query" not in str(run(account, query_text="none").proposals)


def test_lineage_is_added_as_patches_by_default(account: SmallAccount) -> None:
    ingested = run(account, incremental_lineage=True)
    changes = {one["changeType"] for one in ingested.proposals if one["aspectName"] == "upstreamLineage"}
    assert changes == {"PATCH"}


def test_instances_stand_in_the_browse_paths_of_their_own_catalog(account: SmallAccount) -> None:
    ingested = run(account, platform_instance="prod-eu")
    paths = {short(urn): aspect["path"] for urn, aspect in ingested.aspects("browsePathsV2").items()}
    instance = "urn:li:dataPlatformInstance:(urn:li:dataPlatform:glue,prod-eu)"
    assert paths["glue prod-eu.sales.orders"][0]["id"] == instance
    assert all(path[0]["id"] == instance for path in paths.values())
    assert not any("aws-lineage" in str(path) for path in paths.values())


def test_tables_are_those_of_datahubs_athena_source_where_the_recipe_says_so(account: SmallAccount) -> None:
    ingested = run(account, glue={"platform": "athena"}, platform_instance="prod")
    assert ingested.upstreams() == {
        "athena prod.sales.orders": {"s3 lake/orders"},
        "athena prod.sales.daily": {"s3 lake/daily", "athena prod.sales.orders"},
        "athena prod.sales.v_daily": {"athena prod.sales.daily"},
        "s3 exchange/daily": {"athena prod.sales.daily"},
    }
    database = gen_database_key("sales", "athena", "prod", "PROD").as_urn()
    assert set(ingested.aspects("containerProperties")) == {database}
    assert {aspect["container"] for aspect in ingested.aspects("container").values()} == {database}
    assert "dataPlatform:glue" not in str(ingested.proposals)


def test_a_link_leads_to_the_instance_of_its_owner(account: SmallAccount) -> None:
    target = {"CatalogId": "999999999999", "DatabaseName": "shared", "Name": "fx"}
    link = {"Name": "fx_link", "DatabaseName": "sales", "CatalogId": ACCOUNT, "TargetTable": target}
    account.tables.append(link)
    ingested = run(account, glue={"platform_instance_map": {"999999999999": "treasury"}})
    assert ingested.upstreams()["glue sales.fx_link"] == {"glue treasury.shared.fx"}


def test_a_link_to_a_table_of_the_same_name_says_how_to_tell_them_apart(account: SmallAccount) -> None:
    target = {"CatalogId": "999999999999", "DatabaseName": "sales", "Name": "fx"}
    account.tables.append({"Name": "fx", "DatabaseName": "sales", "CatalogId": ACCOUNT, "TargetTable": target})
    ingested = run(account)
    assert "glue sales.fx" not in ingested.upstreams()
    assert ingested.report.skipped.counts["resource link: unsupported"] == 1
    mapped = run(account, glue={"platform_instance_map": {"999999999999": "treasury"}})
    assert mapped.upstreams()["glue sales.fx"] == {"glue treasury.sales.fx"}


def test_s3_locations_are_nodes_unless_another_source_describes_them(account: SmallAccount) -> None:
    def described(ingested: Ingested) -> set[str]:
        return {short(urn) for urn in ingested.aspects("status") if "dataPlatform:s3," in urn}

    assert described(run(account)) == {"s3 lake/orders", "s3 lake/daily", "s3 exchange/daily"}
    assert described(run(account, include_s3_datasets=False)) == set()


def test_tables_that_only_a_log_names_are_nodes_unless_another_source_describes_them(
    account: SmallAccount, log: Path
) -> None:
    copied = "CREATE TABLE public.copied AS SELECT m.id, m.net * 2 AS twice FROM public.mistake m"
    log.write_text(f'{REDSHIFT_LOG}4,"{copied}",2026-03-02 06:00:00,dev,alice,78,success\n')

    def described(**settings: Any) -> dict[str, list[str]]:
        warehouse = {"name": "exported", "query_logs": [{"type": "file", "path": str(log)}], **settings}
        ingested = run(account, redshift=[warehouse])
        schemas = ingested.aspects("schemaMetadata")
        return {
            short(urn): [field["fieldPath"] for field in schemas.get(urn, {"fields": ()})["fields"]]
            for urn in ingested.aspects("status")
            if "dataPlatform:redshift," in urn
        }

    assert described() == {
        "redshift dev.public.copied": ["id", "twice"],
        "redshift dev.public.landing": [],
        "redshift dev.public.mistake": ["id", "net"],
        "redshift dev.public.report": [],
    }
    assert "redshift exported.dev.public.copied" in described(platform_instance="exported")
    assert described(include_log_tables=False) == {}


def test_a_location_whose_name_is_too_long_for_datahub_costs_its_own_edges_alone(account: SmallAccount) -> None:
    deep = "/".join(["a-folder-within-a-folder"] * 18)
    account.statements.append(UNLOAD_DAILY.replace("exchange/daily", f"exchange/{deep}"))
    ingested = run(account)
    assert len(ingested.upstreams()) == 4
    assert ingested.report.skipped.counts["dataset with a long name: unsupported"] == 1


def test_a_denied_part_does_not_stop_the_others(account: SmallAccount) -> None:
    account.denied = {"athena:ListQueryExecutions"}
    ingested = run(account)
    assert ingested.upstreams().keys() == {"glue sales.orders", "glue sales.daily", "glue sales.v_daily"}
    (warning,) = messages(ingested.report, "warnings")
    assert "athena:ListQueryExecutions" in warning


def test_a_failed_part_is_a_failure_and_does_not_stop_the_others(account: SmallAccount) -> None:
    """The recording holds no answer of a warehouse: as a run, that is a fatal error of this part alone."""
    ingested = run(account, redshift=[{"name": "analytics", "work_group": "wg"}])
    assert "glue sales.daily" in ingested.upstreams()
    assert any("Redshift analytics: catalog" in message for message in messages(ingested.report, "failures"))


def test_a_denied_catalog_still_lets_the_history_be_read(account: SmallAccount) -> None:
    account.denied = {"glue:GetDatabases"}
    ingested = run(account)
    assert ingested.upstreams()["s3 exchange/daily"] == {"glue sales.daily"}
    assert any("glue:GetDatabases" in message for message in messages(ingested.report, "failures"))


def test_a_run_that_is_stopped_keeps_its_report(account: SmallAccount, tmp_path: Path) -> None:
    source = {"type": "aws-lineage", "config": {"snapshot": str(account.record()), **WINDOW}}
    sink = {"type": "file", "config": {"filename": str(tmp_path / "out.json")}}
    pipeline = Pipeline.create({"source": source, "sink": sink}, preview_mode=True, preview_workunits=3, report_to=None)
    pipeline.run()
    shown = pipeline.source.get_report().as_obj()
    assert shown["seen"]["glue databases"] == 1
    assert shown["coverage"]["statements_total"] == 0


def test_the_report_file(account: SmallAccount, tmp_path: Path) -> None:
    path = tmp_path / "new" / "report.json"
    run(account, report_file=str(path))
    assert '"statements_total": 4' in path.read_text()


def test_a_report_file_that_cannot_be_written_is_a_warning(account: SmallAccount, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    ingested = run(account, report_file=str(tmp_path / "file" / "report.json"))
    (warning,) = messages(ingested.report, "warnings")
    assert "report file" in warning


def test_a_folder_that_is_no_recording_fails_the_run(tmp_path: Path) -> None:
    ingested = ingest(tmp_path / "out.json", {"snapshot": str(tmp_path / "nothing")})
    assert ingested.proposals == []
    assert any("is not a recording" in message for message in messages(ingested.report, "failures"))
