"""Athena end to end: one history, told by API, system table, CloudTrail and files, through DataHub's pipeline."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from athena_service import ACCOUNT, BUCKET, DBT, REGION, AthenaService, Ran
from datahub.ingestion.run.pipeline import Pipeline
from datahub.ingestion.sink.file import FileSink
from small_account import DAILY, ORDERS, Ingested, table
from strict_schema import assert_valid_file

from datahub_aws_lineage.aws.athena import LISTING_LAG
from datahub_aws_lineage.report import AwsLineageReport

NOW = datetime.now(timezone.utc).replace(microsecond=0)
TODAY = (NOW - LISTING_LAG).replace(hour=0, minute=0, second=0)
"""The day that a checkpoint of now lies in."""
STATEMENTS = [
    "INSERT INTO daily SELECT day, sum(amount) FROM orders GROUP BY day",
    "CREATE TABLE sales.copy AS SELECT * FROM sales.daily",
    "DROP TABLE sales.copy",
    "CREATE TABLE sales.copy AS SELECT day FROM sales.orders",
    "MERGE INTO daily d USING orders o ON d.day = o.day WHEN MATCHED THEN UPDATE SET total = o.amount",
    "UNLOAD (SELECT day, total FROM daily) TO 's3://exchange/daily/' WITH (format = 'PARQUET')",
    "SELECT total FROM daily WHERE day > date '2026-01-01'",
]
WAYS: dict[str, list[dict[str, Any]]] = {
    "api": [{"type": "api"}],
    "system_table": [{"type": "system_table", "output_location": "s3://results/own/"}],
    "cloudtrail_events": [{"type": "cloudtrail_events"}],
    "cloudtrail_trail": [{"type": "cloudtrail_trail", "bucket": BUCKET}],
    "file": [{"type": "file", "path": "{saved}"}],
}


def history() -> list[Ran]:
    began = TODAY - timedelta(days=2)
    ran = [Ran(number, text, began + timedelta(hours=number)) for number, text in enumerate(STATEMENTS)]
    failed = "INSERT INTO daily SELECT day, 1 FROM mistake"
    more = [
        Ran(50, failed, began + timedelta(hours=3, minutes=1), state="FAILED"),
        Ran(51, failed, began + timedelta(hours=3, minutes=2), state="CANCELLED", work_group="etl"),
        Ran(52, STATEMENTS[0], began + timedelta(hours=30), work_group="etl", principal=DBT),
    ]
    return [*ran, *more]


@pytest.fixture
def service() -> AthenaService:
    copy = table("copy", {"day": "date"})
    return AthenaService(ran=history(), tables=[ORDERS, DAILY, copy])


@pytest.fixture
def url(service: AthenaService, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with service.serving() as served:
        yield served


class Account:
    """Runs recipes against the service."""

    def __init__(self, service: AthenaService, url: str, folder: Path) -> None:
        self.service, self._url, self._folder = service, url, folder

    def pipeline(self, *, logs: list[dict[str, Any]] | None = None, athena: Any = None, **recipe: Any) -> Ingested:
        saved = self._folder / "saved.json"
        saved.write_text(self.service.saved(), encoding="utf-8")
        logs = json.loads(json.dumps(logs or WAYS["api"]).replace("{saved}", str(saved)))
        output = self._folder / "output.json"
        config = {
            "aws_config": {"aws_region": REGION, "aws_endpoint_url": self._url, "aws_retry_num": 1},
            "start_time": "-5 days",
            "incremental_lineage": False,
            "athena": {"query_logs": logs, **(athena or {})},
            **recipe,
        }
        self.service.calls.clear()
        pipeline = Pipeline.create(
            {
                "pipeline_name": "athena",
                "source": {"type": "aws-lineage", "config": config},
                "sink": {"type": "file", "config": {"filename": str(output)}},
            },
            report_to=None,
        )
        pipeline.run()
        pipeline.process_commits()
        assert_valid_file(output)
        report = pipeline.source.get_report()
        assert isinstance(report, AwsLineageReport)
        return Ingested(json.loads(output.read_text(encoding="utf-8")), report)


@pytest.fixture
def account(service: AthenaService, url: str, tmp_path: Path) -> Account:
    return Account(service, url, tmp_path)


def lineage(ingested: Ingested) -> Any:
    """All lineage, without who ran it."""
    aspects = ingested.aspects("upstreamLineage")
    for aspect in aspects.values():
        for upstream in aspect["upstreams"]:
            upstream["auditStamp"].pop("actor")
    return aspects


def actors(ingested: Ingested) -> dict[str, str]:
    """Of each query that is a SELECT or UNLOAD: who ran it last."""
    return {
        aspect["statement"]["value"][:6]: aspect["lastModified"]["actor"].removeprefix("urn:li:corpuser:")
        for aspect in ingested.aspects("queryProperties").values()
    }


@pytest.mark.parametrize("way", WAYS)
def test_the_same_history_gives_the_same_lineage(account: Account, way: str) -> None:
    ingested = account.pipeline(logs=WAYS[way])
    assert not ingested.report.failures
    assert not ingested.report.warnings
    assert ingested.upstreams() == {
        "glue sales.orders": {"s3 lake/orders"},
        "glue sales.daily": {"s3 lake/daily", "glue sales.orders"},
        "glue sales.copy": {"s3 lake/copy", "glue sales.orders"},
        "s3 exchange/daily": {"glue sales.daily"},
    }
    assert lineage(ingested) == lineage(account.pipeline(logs=WAYS["api"]))
    assert ingested.report.skipped.counts["athena query: failed_statement"] == 2


@pytest.mark.parametrize("way", ["system_table", "cloudtrail_events", "cloudtrail_trail"])
def test_who_ran_it(account: Account, way: str) -> None:
    assert actors(account.pipeline(logs=WAYS[way])) == {
        "UNLOAD": "alice@example.com",
        "INSERT": "dbt",
        "MERGE ": "alice@example.com",
        "CREATE": "alice@example.com",
        "SELECT": "alice@example.com",
    }


def test_the_api_does_not_say_who(account: Account) -> None:
    assert set(actors(account.pipeline()).values()) == {"_ingestion"}


def test_ways_together_tell_all_that_each_knows(account: Account) -> None:
    logs = [*WAYS["api"], *WAYS["cloudtrail_events"], *WAYS["file"]]
    ingested = account.pipeline(logs=logs)
    assert lineage(ingested) == lineage(account.pipeline())
    assert actors(ingested)["INSERT"] == "dbt"
    properties = ingested.aspects("queryProperties").values()
    assert {
        one["customProperties"]["runs"] for one in properties if one["statement"]["value"].startswith("INSERT")
    } == {"2"}, "each run counts once, however many logs tell of it"


def test_what_the_api_no_longer_keeps_is_hidden_in_cloudtrail_and_counted(account: Account) -> None:
    account.service.kept = lambda ran: ran.number != 5
    ingested = account.pipeline(logs=WAYS["cloudtrail_events"])
    assert "s3 exchange/daily" not in ingested.upstreams()
    assert ingested.report.skipped.counts["athena query: hidden"] == 1


def test_cloudtrail_alone_where_athena_is_refused(account: Account) -> None:
    account.service.refused = {
        "athena:BatchGetQueryExecution": "AccessDeniedException",
        "athena:GetQueryExecution": "AccessDeniedException",
    }
    report = account.pipeline(logs=WAYS["cloudtrail_events"]).report
    assert report.skipped.counts["athena query: hidden"] == 10
    (warning,) = report.warnings
    assert "athena:BatchGetQueryExecution" in str(warning.context)


def test_users_by_the_recipes_map(account: Account) -> None:
    ingested = account.pipeline(
        logs=WAYS["cloudtrail_events"],
        user_map={r"arn:aws:sts::\d+:assumed-role/AWSReservedSSO_(\w+)_\w+/.*": r"team-\1", ".*:user/dbt": "dbt-prod"},
    )
    assert set(actors(ingested).values()) == {"team-Analyst", "dbt-prod"}


def test_users_pattern_holds_for_arns(account: Account) -> None:
    ingested = account.pipeline(logs=WAYS["system_table"], user_pattern={"deny": [".*:user/dbt"]})
    assert ingested.report.skipped.counts["athena query: filtered"] == 1


# ---- usage and operations -------------------------------------------------------------------------------------------


def test_usage_of_tables_and_queries_by_day(account: Account) -> None:
    ingested = account.pipeline(logs=WAYS["cloudtrail_events"])
    found = [one for one in ingested.proposals if one["aspectName"] == "datasetUsageStatistics"]
    usage = {
        (one["entityUrn"].split(",")[1], one["aspect"]["json"]["timestampMillis"]): one["aspect"]["json"]
        for one in found
    }
    first, second = (round((TODAY - timedelta(days=days)).timestamp() * 1000) for days in (2, 1))
    assert set(usage) == {("sales.orders", first), ("sales.orders", second), ("sales.daily", first)}
    daily = usage["sales.daily", first]
    assert daily["totalSqlQueries"] == 3
    assert daily["uniqueUserCount"] == 1
    assert {one["fieldPath"]: one["count"] for one in daily["fieldCounts"]} == {"total": 3, "day": 4 - 1}
    assert "SELECT total FROM daily WHERE day > date '2026-01-01'" in daily["topSqlQueries"]
    assert usage["sales.orders", second]["userCounts"] == [{"count": 1, "user": "urn:li:corpuser:dbt"}]
    assert usage["sales.orders", first]["userCounts"][0]["userEmail"] == "alice@example.com"
    queries = [one["aspect"]["json"] for one in ingested.proposals if one["aspectName"] == "queryUsageStatistics"]
    assert sum(one["queryCount"] for one in queries) == 7


def test_operations(account: Account) -> None:
    ingested = account.pipeline(logs=WAYS["cloudtrail_events"])
    operations = {
        (one["entityUrn"].split(",")[1], one["aspect"]["json"]["customProperties"]["statement"]): one["aspect"]["json"]
        for one in ingested.proposals
        if one["aspectName"] == "operation"
    }
    assert {(name, one["operationType"]) for (name, _), one in operations.items()} == {
        ("sales.daily", "INSERT"),
        ("sales.daily", "UPDATE"),
        ("sales.copy", "CREATE"),
        ("sales.copy", "DROP"),
    }
    insert = operations["sales.daily", "insert"]
    assert insert["actor"] == "urn:li:corpuser:dbt"
    ended = TODAY - timedelta(days=2) + timedelta(hours=30, seconds=9)
    assert insert["lastUpdatedTimestamp"] == round(ended.timestamp() * 1000)


def test_usage_is_counted_where_no_text_is_told(account: Account) -> None:
    ingested = account.pipeline(query_text="none")
    daily = next(one for urn, one in ingested.aspects("datasetUsageStatistics").items() if "sales.daily" in urn)
    assert daily["totalSqlQueries"] == 3
    assert "topSqlQueries" not in daily
    assert not any("urn:li:query:" in str(one) for one in ingested.proposals)


def test_a_definition_reads_nothing(account: Account) -> None:
    account.service.ran = [Ran(1, "CREATE VIEW v AS SELECT total FROM daily", NOW - _HOUR)]
    assert not account.pipeline().aspects("datasetUsageStatistics")


def test_no_usage_where_the_recipe_wants_none(account: Account) -> None:
    ingested = account.pipeline(athena={"include_usage_statistics": False, "include_operational_stats": False})
    names = {one["aspectName"] for one in ingested.proposals}
    assert names.isdisjoint({"datasetUsageStatistics", "queryUsageStatistics", "operation"})


def test_what_a_query_cost(account: Account) -> None:
    queries = account.pipeline().aspects("queryProperties").values()
    (insert,) = (one for one in queries if one["statement"]["value"].startswith("INSERT"))
    assert insert["customProperties"] == {
        "runs": "2",
        "data_scanned_in_bytes": "2000",
        "execution_time_in_millis": "18000",
        "work_group": "etl",
    }


def test_the_tool_that_wrote_a_query_and_the_person_that_it_names(account: Account) -> None:
    dbt = '/* {"app": "dbt", "node_id": "model.shop.daily"} */'
    mode = '-- {"user":"@jo","email":"jo@example.com","url":"https://modeanalytics.com/x/reports/1"}'
    account.service.ran = [
        Ran(1, f"-- {dbt}\n{STATEMENTS[0]}", NOW - _HOUR),
        Ran(2, f"{STATEMENTS[6]}\n{mode}", NOW - _HOUR),
    ]
    ingested = account.pipeline(logs=WAYS["cloudtrail_events"])
    found = {one["origin"].rpartition(":")[2]: one for one in ingested.aspects("queryProperties").values()}
    assert found["dbt"]["customProperties"]["tool"] == "dbt"
    assert found["dbt"]["customProperties"]["dbt_node_id"] == "model.shop.daily"
    assert found["dbt"]["lastModified"]["actor"] == "urn:li:corpuser:alice@example.com"
    assert found["mode"]["lastModified"]["actor"] == "urn:li:corpuser:jo@example.com"


# ---- results and saved statements -----------------------------------------------------------------------------------


def test_the_result_of_a_select_on_request(account: Account) -> None:
    assert "s3 results/primary" not in account.pipeline().upstreams()
    upstreams = account.pipeline(athena={"include_result_locations": True}).upstreams()
    assert upstreams["s3 results/primary"] == {"glue sales.daily"}


def test_what_a_ctas_wrote_to_s3_is_linked_with_what_lies_there(account: Account) -> None:
    account.service.ran = [
        Ran(
            1, "CREATE TABLE x WITH (external_location = 's3://lake/x/') AS SELECT day, amount FROM orders", NOW - _HOUR
        ),
        Ran(2, "DROP TABLE x", NOW - _HOUR / 2),
    ]
    assert "s3 lake/x" not in account.pipeline().upstreams(), "nobody reads it"
    account.service.tables = [ORDERS, table("crawled", {"day": "date", "amount": "double"})]
    account.service.tables[-1]["StorageDescriptor"]["Location"] = "s3://lake/x/"
    ingested = account.pipeline()
    assert ingested.upstreams()["glue sales.crawled"] == {"s3 lake/x"}
    assert ingested.upstreams()["s3 lake/x"] == {"glue sales.orders"}
    location = next(urn for urn in ingested.aspects("upstreamLineage") if "s3,lake/x" in urn)
    assert len(ingested.aspects("upstreamLineage")[location]["fineGrainedLineages"]) == 2


_HOUR = timedelta(hours=1)


def test_execute_of_a_statement_that_was_prepared_before_the_window(account: Account) -> None:
    fill = "INSERT INTO daily SELECT day, amount FROM orders WHERE status = ?"
    account.service.ran = [
        Ran(1, "EXECUTE Fill USING 'paid'", NOW - _HOUR, work_group="etl"),
        Ran(2, "EXECUTE changed_since", NOW - _HOUR, work_group="etl"),
    ]
    account.service.prepared = {
        "etl": {"fill": (fill, NOW - 90 * 24 * _HOUR), "changed_since": ("DROP TABLE daily", NOW - _HOUR / 2)}
    }
    ingested = account.pipeline()
    assert "glue sales.orders" in ingested.upstreams()["glue sales.daily"]
    assert ingested.report.unresolved.counts == {"source": 1}
    account.service.ran = history()
    account.pipeline()
    assert account.service.calls["ListPreparedStatements"] == 0, "nothing is executed: nothing is asked"


def test_named_queries_on_request(account: Account) -> None:
    account.service.named = [
        {
            "NamedQueryId": "n1",
            "Name": "Revenue",
            "Description": "by day",
            "Database": "sales",
            "QueryString": "SELECT day, total FROM daily",
            "WorkGroup": "primary",
        }
    ]
    assert account.service.calls["ListNamedQueries"] == 0
    ingested = account.pipeline(athena={"include_named_queries": True})
    urn = "urn:li:query:athena-named-query-n1"
    properties = ingested.aspects("queryProperties")[urn]
    assert (properties["name"], properties["description"], properties["source"]) == ("Revenue", "by day", "MANUAL")
    (subject,) = ingested.aspects("querySubjects")[urn]["subjects"]
    assert "sales.daily" in subject["entity"]


def test_names_in_other_catalogs(account: Account) -> None:
    account.service.catalogs = [
        {"Name": "Partner", "Type": "GLUE", "Parameters": {"catalog-id": "999988887777"}},
        {"Name": "Buckets", "Type": "GLUE", "Parameters": {"catalog-id": f"{ACCOUNT}:s3tablescatalog/lake"}},
        {"Name": "orders_db", "Type": "LAMBDA", "Parameters": {"function": "arn:aws:lambda:x"}},
    ]
    account.service.ran = [
        Ran(1, "INSERT INTO daily SELECT day, total FROM partner.shop.a", NOW - _HOUR),
        Ran(2, "INSERT INTO daily SELECT day, total FROM buckets.ns.b", NOW - _HOUR),
        Ran(3, "INSERT INTO daily SELECT day, total FROM orders_db.public.c", NOW - _HOUR),
        Ran(4, 'INSERT INTO daily SELECT day, total FROM "s3tablescatalog/raw".ns.d', NOW - _HOUR),
        Ran(5, "INSERT INTO daily SELECT day, total FROM crm.public.e", NOW - _HOUR),
    ]
    crm = {"platform": "postgres", "platform_instance": "crm", "database": "app"}
    ingested = account.pipeline(
        athena={"catalogs": {"crm": crm}}, glue={"platform_instance_map": {"999988887777": "p"}}
    )
    assert ingested.upstreams()["glue sales.daily"] == {
        "s3 lake/daily",
        "glue p.shop.a",
        "iceberg s3tablescatalog/lake.ns.b",
        "athena orders_db.public.c",
        "iceberg s3tablescatalog/raw.ns.d",
        "postgres crm.app.public.e",
    }
    assert account.service.calls["ListDataCatalogs"] == 1
    assert "athena data catalog: unsupported" in ingested.report.skipped.counts


# ---- what goes wrong ------------------------------------------------------------------------------------------------


def test_a_half_denied_and_throttled_account_gives_what_it_can(account: Account) -> None:
    account.service.ran += [
        Ran(60, "INSERT INTO copy SELECT day FROM daily", NOW - _HOUR, work_group="closed"),
        Ran(61, "INSERT INTO copy SELECT day FROM daily", NOW - _HOUR, work_group="busy"),
    ]
    account.service.refused = {
        "athena:ListQueryExecutions/closed": "AccessDeniedException",
        "athena:ListQueryExecutions/busy": "ThrottlingException",
    }
    ingested = account.pipeline()
    assert "glue sales.orders" in ingested.upstreams()["glue sales.daily"]
    (warning,) = ingested.report.warnings
    assert "closed: needs athena:ListQueryExecutions" in str(warning.context)
    (failure,) = ingested.report.failures
    assert "busy: " in str(failure.context)
    assert not any("removed" in str(one) for one in ingested.aspects("status").values() if one.get("removed"))


@pytest.mark.parametrize(
    ("way", "refused"),
    [
        ("system_table", "athena:StartQueryExecution"),
        ("cloudtrail_events", "cloudtrail:LookupEvents"),
        ("api", "athena:ListWorkGroups"),
    ],
)
def test_a_refused_way_is_a_warning(account: Account, way: str, refused: str) -> None:
    account.service.refused = {refused: "AccessDeniedException"}
    report = account.pipeline(logs=WAYS[way]).report
    assert not report.failures
    (warning,) = report.warnings
    assert refused in str(warning.context)


def test_the_own_query_is_no_lineage(account: Account) -> None:
    account.pipeline(logs=WAYS["system_table"])
    account.service.ran.append(Ran(70, account.service.system_query, NOW - _HOUR))
    ingested = account.pipeline()
    assert not any("query_executions" in str(one) for one in ingested.proposals)


# ---- a scheduled run ------------------------------------------------------------------------------------------------


class Scheduled:
    """Runs the same recipe again and again, with DataHub's state in a file."""

    def __init__(self, account: Account, state: Path, **athena: Any) -> None:
        self._account, self._state, self._athena = account, state, athena

    def __call__(self, **recipe: Any) -> Ingested:
        provider = {"type": "file", "config": {"filename": str(self._state)}}
        stateful = {"enabled": True, "state_provider": provider, "fail_safe_threshold": 100.0}
        return self._account.pipeline(
            athena={"include_usage_statistics": False, **self._athena},
            **{"incremental_lineage": True, "stateful_ingestion": stateful, **recipe},
        )

    @property
    def pages(self) -> int:
        return self._account.service.calls["ListQueryExecutions"]


def test_a_second_run_reads_only_what_is_new(account: Account, tmp_path: Path) -> None:
    account.service.ran = [
        Ran(number, STATEMENTS[0], NOW - timedelta(minutes=10 * number + 10)) for number in range(1, 400)
    ]
    run = Scheduled(account, tmp_path / "state.json")
    first = run()
    assert run.pages == 8
    assert first.report.seen["athena queries"] == 399
    account.service.ran.append(Ran(1000, STATEMENTS[5], NOW - timedelta(seconds=30)))
    second = run()
    assert run.pages == 2
    assert second.report.seen["athena queries"] < 5
    assert "s3 exchange/daily" in map(_name, second.aspects("upstreamLineage"))


def test_cloudtrail_hides_nothing_that_an_earlier_run_has_read(account: Account, tmp_path: Path) -> None:
    run = Scheduled(account, tmp_path / "state.json", query_logs=[*WAYS["api"], *WAYS["cloudtrail_events"]])
    run()
    again = run().report.skipped.counts
    assert "athena query: hidden" not in again
    assert again["athena query: outside_window"] >= len(account.service.ran) - 2


def test_usage_needs_whole_days(account: Account, tmp_path: Path) -> None:
    account.service.ran = [Ran(number, STATEMENTS[6], NOW - timedelta(seconds=number)) for number in range(1, 120)]
    account.service.ran += [
        Ran(1000 + number, STATEMENTS[6], TODAY - timedelta(hours=1, minutes=number)) for number in range(500)
    ]
    run = Scheduled(account, tmp_path / "state.json", include_usage_statistics=True)
    run()
    assert run.pages == 13
    second = run()
    today = sum(one.at >= TODAY for one in account.service.ran)
    assert second.report.seen["athena queries"] == today
    assert run.pages < 6


def test_what_was_still_running_is_read_when_it_has_ended(account: Account, tmp_path: Path) -> None:
    long_ago = NOW - timedelta(hours=3)
    account.service.ran = [Ran(1, STATEMENTS[5], long_ago, state="RUNNING")]
    account.service.ran += [Ran(2 + number, "SELECT 1", NOW - timedelta(minutes=number + 6)) for number in range(120)]
    run = Scheduled(account, tmp_path / "state.json")
    assert "s3 exchange/daily" not in map(_name, run().aspects("upstreamLineage"))
    account.service.ran[0] = Ran(1, STATEMENTS[5], long_ago)
    assert "s3 exchange/daily" in map(_name, run().aspects("upstreamLineage"))
    run()
    assert run.pages == 1


def test_what_the_sink_did_not_write_is_read_again(
    account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ours: the failure. Real: DataHub's sink report and commit policy."""
    run = Scheduled(account, tmp_path / "state.json")
    with monkeypatch.context() as patched:
        write = FileSink.write_record_async

        def failing(sink: FileSink, envelope: Any, callback: Any) -> None:
            sink.report.failures.append({"error": "the server refused it"})
            write(sink, envelope, callback)

        patched.setattr(FileSink, "write_record_async", failing)
        everything = run().report.seen["athena queries"]
    assert run().report.seen["athena queries"] == everything
    assert not run().report.seen.get("athena queries")


def test_a_work_group_that_failed_is_read_again(account: Account, tmp_path: Path) -> None:
    run = Scheduled(account, tmp_path / "state.json")
    account.service.refused = {"athena:ListQueryExecutions/etl": "ThrottlingException"}
    assert run().report.failures
    account.service.refused = {}
    assert run().report.skipped.counts["athena query: failed_statement"] == 2
    run()
    assert not run().report.seen.get("athena queries")


@pytest.mark.parametrize("change", [{"env": "DEV"}, {"query_text": "masked"}, {"start_time": "-9 days"}])
def test_another_recipe_reads_all_again(account: Account, tmp_path: Path, change: dict[str, Any]) -> None:
    run = Scheduled(account, tmp_path / "state.json")
    everything = run().report.seen["athena queries"]
    assert run(**change).report.seen["athena queries"] == everything


def test_replaced_lineage_needs_all_statements(account: Account, tmp_path: Path) -> None:
    run = Scheduled(account, tmp_path / "state.json")
    everything = run(incremental_lineage=False).report.seen["athena queries"]
    assert run(incremental_lineage=False).report.seen["athena queries"] == everything


def _name(urn: str) -> str:
    return urn.removeprefix("urn:li:dataset:(urn:li:dataPlatform:").rpartition(",")[0].replace(",", " ")
