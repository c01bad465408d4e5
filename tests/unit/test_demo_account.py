"""The recorded account of the demo: sound, made from the company as it is written, and replayed whole."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from datahub_aws_lineage.athena_readers import may_execute
from datahub_aws_lineage.aws.clients import Clients
from datahub_aws_lineage.checks import try_one
from datahub_aws_lineage.config import AwsLineageConfig
from datahub_aws_lineage.config.recipes import load_recipe
from datahub_aws_lineage.connection_test import capability_checks
from datahub_aws_lineage.model.catalog import Table
from datahub_aws_lineage.model.lineage import StatementLineage
from datahub_aws_lineage.model.names import S3Location, StatementTable
from datahub_aws_lineage.model.queries import QueryRecord
from datahub_aws_lineage.readers import Readers
from datahub_aws_lineage.report import AwsLineageReport
from datahub_aws_lineage.snapshot.record import attach_recorder
from datahub_aws_lineage.snapshot.recording import Recording
from datahub_aws_lineage.snapshot.replay import replaying_session
from datahub_aws_lineage.snapshot.validate import validate
from datahub_aws_lineage.sql import analyze

RECIPES = Path(__file__).parents[2] / "recipes"
COMPANY = RECIPES / "demo" / "company"
ACCOUNT = RECIPES / "demo" / "account"


class Account:
    """What the readers of the recipe read from the recording."""

    def __init__(self, config: AwsLineageConfig, clients: Clients) -> None:
        self.report = AwsLineageReport()
        readers = Readers(config, clients, self.report.diagnostics, config.window)
        readers.athena.in_turn = True
        glue, warehouse = readers.glue(), readers.redshift(config.redshift[0])
        assert glue is not None
        assert warehouse is not None
        self.databases = list(glue.read_databases())
        self.schemas = list(warehouse.read_databases())
        self.mounts = list(warehouse.read_external_schemas())
        self.tables: dict[str, Table] = {
            str(table.name): table for table in itertools.chain(glue.read_tables(), warehouse.read_tables())
        }
        self.records: dict[str, list[QueryRecord]] = {
            history.label: list(history.open().read_queries()) for history in readers.histories()
        }

        self.data_catalogs = list(readers.athena.data_catalogs())
        executing = {str(record.work_group) for record in self.texts() if may_execute(record)}
        self.prepared = list(readers.athena.prepared_statements(sorted(executing)))

    def texts(self) -> Iterator[QueryRecord]:
        return itertools.chain.from_iterable(self.records.values())


@pytest.fixture(scope="module")
def config() -> AwsLineageConfig:
    return load_recipe(RECIPES / "demo.yml")


@pytest.fixture(scope="module")
def account(config: AwsLineageConfig) -> Account:
    return Account(config, Clients(replaying_session(ACCOUNT)))


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_it_is_what_the_company_gives(tmp_path: Path) -> None:
    built = tmp_path / "account"
    subprocess.run([sys.executable, str(RECIPES / "demo" / "build_account.py"), str(built)], check=True)
    assert files_of(built) == files_of(ACCOUNT)


def test_nothing_but_a_recording_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    command = [sys.executable, str(RECIPES / "demo" / "build_account.py"), str(tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode != 0
    assert "is not a recording" in result.stderr
    assert (tmp_path / "thesis.txt").exists()


def test_it_is_sound() -> None:
    assert validate(ACCOUNT) == []


def test_a_recorded_replay_is_the_recording(config: AwsLineageConfig, tmp_path: Path) -> None:
    """So every recorded answer is asked for, and none is missing."""
    session = replaying_session(ACCOUNT)
    with attach_recorder(session, tmp_path / "again", window=config.window):
        clients = Clients(session)
        clients.account_id()
        Account(config, clients)
        for check in capability_checks(config, clients):
            if check.name.startswith("Redshift"):
                check.attempt()
    again, recorded = files_of(tmp_path / "again"), files_of(ACCOUNT)
    assert sorted(again) == sorted(recorded)
    for name, content in recorded.items():  # the order in which parts are read is the caller's own
        assert sorted(again[name].splitlines()) == sorted(content.splitlines())


def test_the_readers_complain_of_nothing(account: Account) -> None:
    assert not account.report.failures
    assert not account.report.warnings


def test_its_connection_can_be_tested(config: AwsLineageConfig) -> None:
    clients = Clients(replaying_session(ACCOUNT))
    reasons = {check.name: try_one(check).reason for check in capability_checks(config, clients)}
    assert set(reasons.values()) == {None}
    assert "Redshift ledger: audit log s3://ringelrad-audit-logs/ledger" in reasons


@pytest.mark.parametrize(
    ("operation", "pages"),
    [
        (("glue", "GetDatabases"), 2),
        (("glue", "GetTables"), 8),
        (("athena", "ListQueryExecutions"), 6),
        (("redshift-data", "GetStatementResult"), 15),
    ],
)
def test_answers_come_in_pages(operation: tuple[str, str], pages: int) -> None:
    assert len(Recording.load(ACCOUNT).exchanges[operation]) >= pages


def test_the_catalog_holds_every_kind_of_table(account: Account) -> None:
    assert {database.name for database in account.databases if database.link} == {"city_open_data"}
    assert {table.format for table in account.tables.values()} == {"hive", "iceberg", "delta", "hudi", "redshift"}
    link = account.tables["awsdatacatalog.marketing.trips"].link
    assert link is not None
    assert (link.database, link.table) == ("rides_curated", "trips")
    maintenance = account.tables["awsdatacatalog.rides_curated.maintenance"]
    assert maintenance.columns is not None
    assert [column.type for column in maintenance.columns][-2:] == ["decimal(9,2)", "date"]
    events = account.tables["awsdatacatalog.rides_raw.trip_events"]
    assert events.columns is not None
    assert [column.name for column in events.columns if column.partition_key] == ["dt", "city"]


def test_views_come_out_as_they_are_written(account: Account) -> None:
    views = {name: table.view for name, table in account.tables.items() if table.view}
    for path in (COMPANY / "views").glob("*.sql"):
        view = views.pop(f"awsdatacatalog.{path.stem}")
        assert (view.sql, view.dialect) == (path.read_text().rstrip("\n"), "athena")
    for path in (COMPANY / "redshift" / "views").glob("*.sql"):
        view = views.pop(f"ringelrad.{path.stem}")
        assert (view.sql, view.dialect) == (path.read_text().rstrip("\n"), "redshift")
        assert view.materialized == (path.stem == "marts.mv_station_week")
    assert not views


def test_the_warehouse_mounts_the_catalog_and_another_database(account: Account) -> None:
    mounts = {mount.schema: (mount.kind, mount.source_database) for mount in account.mounts}
    assert mounts == {
        "lake": ("data_catalog", "rides_curated"),
        "lake_raw": ("data_catalog", "rides_raw"),
        "crm": ("postgres", "crm"),
    }
    assert account.tables["ringelrad.lake.trips"].location == "s3://ringelrad-curated/trips"


def test_histories_are_long_and_of_many_hands(account: Account) -> None:
    lengths = {label: len(records) for label, records in account.records.items()}
    assert lengths["Athena query history"] > 150
    assert lengths["Redshift analytics: query history"] > 250
    assert lengths["Redshift ledger: audit log s3://ringelrad-audit-logs/ledger"] > 12
    assert {record.work_group for record in account.records["Athena query history"]} == {"elt", "dbt", "analysts"}
    actors = {record.actor for record in account.texts()}
    assert {"loader", "dbt_prod", "mkeller", "finance_batch", "bookkeeper", "auditor"} <= actors


def test_what_failed_or_came_to_nothing_is_left_out(account: Account) -> None:
    skipped = {reason: found["count"] for reason, found in account.report.as_obj()["skipped"].items()}
    assert skipped["athena query: failed_statement"] == 6
    assert skipped["redshift query: failed_statement"] == 3
    assert skipped["redshift query: rolled_back"] == 4
    assert skipped["athena query: outside_window"] > 0
    assert not any("ROLLBACK" in record.text for record in account.texts())


def test_a_text_of_several_rows_comes_out_as_it_is_written(account: Account) -> None:
    (found,) = [record for record in account.texts() if record.text.startswith("-- rider_features")]
    assert len(found.text) > 4000
    assert found.text in (COMPANY / "redshift" / "history" / "data_science.sql").read_text()


def test_a_record_of_several_lines_comes_out_as_it_is_written(account: Account) -> None:
    written = "".join(path.read_text() for path in (COMPANY / "redshift" / "ledger_log").glob("*.log"))
    for record in account.records["Redshift ledger: audit log s3://ringelrad-audit-logs/ledger"]:
        assert f"LOG: {record.text}\n" in written


def test_repetitions_differ_in_their_day_alone(account: Account) -> None:
    days = {
        record.started_at.date().isoformat(): record.text
        for record in account.records["Athena query history"]
        if "TO 's3://ringelrad-exchange/to_redshift/trips/dt=" in record.text
    }
    assert sorted(days) == [f"2026-03-0{day}" for day in range(1, 8)]
    assert days["2026-03-02"].replace("2026-03-01", "2026-03-06") == days["2026-03-07"]


class NothingKnown:
    """Schemas of no table: enough to see where a statement reads and writes."""

    def columns(self, table: StatementTable) -> None:
        return None


def s3_names(record: QueryRecord) -> Iterator[tuple[str, str]]:
    """`("writes" | "reads", location)` for each location of S3 in the record's statements."""
    for statement in analyze(record.text, record.context, NothingKnown()):
        if isinstance(statement.output, S3Location):
            yield "writes", statement.output.uri
        if isinstance(statement.outcome, StatementLineage):
            yield from (("reads", found.uri) for found in statement.outcome.inputs if isinstance(found, S3Location))


def test_what_one_engine_unloads_another_reads(account: Account) -> None:
    """Athena to Redshift, Redshift to the other warehouse, and both back to tables of the Glue catalog."""
    sides: dict[str, set[str]] = {"writes": set(), "reads": set()}
    for record in account.texts():
        for side, uri in s3_names(record):
            sides[side].add("/".join(uri.split("/")[2:5]))
    for exchange in ("to_redshift/trips", "to_redshift/payments", "to_redshift/riders", "finance/revenue_daily"):
        assert f"ringelrad-exchange/{exchange}" in sides["writes"] & sides["reads"]
    locations = {"/".join((table.location or "").split("/")[2:]).rstrip("/") for table in account.tables.values()}
    assert "ringelrad-raw/workshop/tickets" in locations & sides["reads"]
    assert {"ringelrad-exchange/from_redshift/rider_value", "ringelrad-exchange/ledger/daily_close"} <= (
        locations & sides["writes"]
    )
