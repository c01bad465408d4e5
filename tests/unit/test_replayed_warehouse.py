"""One day of one warehouse, told by each of its logs in turn: the lineage is the same whichever is read.

What the audit log cannot tell is named here too: a statement that failed shows as one that may have run.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from freezegun import freeze_time
from moto import mock_aws
from redshift_samples import Answerer, Notes, test_session, utc
from redshift_samples import Warehouse as DataApi
from warehouse_story import Warehouse

from datahub_aws_lineage.aws import redshift_sql
from datahub_aws_lineage.aws.athena_queries import AthenaQueries, Row
from datahub_aws_lineage.aws.clients import Clients
from datahub_aws_lineage.aws.redshift_audit_log import AuditLogHistoryReader
from datahub_aws_lineage.aws.redshift_file import FileHistoryReader
from datahub_aws_lineage.aws.redshift_history import SystemViewHistoryReader
from datahub_aws_lineage.aws.redshift_log_group import LogGroupHistoryReader
from datahub_aws_lineage.aws.redshift_published import CATALOG, PublishedHistoryReader
from datahub_aws_lineage.model.queries import QueryRecord, TimeWindow

DAY = utc(2026, 3, 1)
WINDOW = TimeWindow(DAY, DAY + timedelta(days=1))
BUCKET, GROUP, STREAM = "audit-logs", "/aws/redshift/cluster/main/useractivitylog", "main"
SYS_WIDTH = 4000


@dataclass(frozen=True)
class Ran:
    """One statement of the day."""

    number: int
    session: int
    transaction: int
    text: str
    succeeded: bool = True

    @property
    def started_at(self) -> datetime:
        return DAY + timedelta(hours=1, seconds=self.number)

    @property
    def audit_line(self) -> str:
        head = f"db=dev user=etl pid={self.session} userid=100 xid={self.transaction}"
        return f"'{self.started_at:%Y-%m-%dT%H:%M:%SZ} UTC [ {head} ]' LOG: {self.text}\n"


PADDING = "\n".join(f"       -- note {number} on what the amount stands for" for number in range(200))
TABLES = {
    "dev.public.landing": "id amount noted_at",
    "dev.public.orders": "id amount",
    "dev.public.daily": "id total",
    "dev.mart.report": "id total",
    "dev.mart.kept": "id total",
}


def day() -> list[Ran]:
    """Temporary tables of one name in two sessions at once, a swap, a search path, a roll-back, 9,000 characters."""
    statements: list[tuple[int, int, str]] = [
        (71, 1, "CREATE TEMP TABLE stage AS SELECT id, amount FROM public.landing"),
        (72, 2, "CREATE TEMP TABLE stage AS SELECT id, total FROM daily"),
        (71, 3, f"INSERT INTO public.orders\nSELECT id,\n{PADDING}\n       amount\nFROM stage"),
        (72, 4, "SET search_path TO mart, public"),
        (72, 5, "INSERT INTO report SELECT id, total FROM stage"),
        (71, 6, "BEGIN"),
        (71, 6, "INSERT INTO public.daily SELECT amount, id FROM public.orders"),
        (71, 6, "ROLLBACK"),
        (71, 7, "CREATE TABLE public.daily_new AS SELECT id, SUM(amount) AS total FROM public.orders GROUP BY id"),
        (71, 8, "BEGIN"),
        (71, 8, "ALTER TABLE public.daily RENAME TO daily_old"),
        (71, 8, "ALTER TABLE public.daily_new RENAME TO daily"),
        (71, 8, "COMMIT"),
        (71, 9, "DROP TABLE public.daily_old"),
        (72, 10, "PREPARE fill (int) AS INSERT INTO kept SELECT id, total FROM public.daily WHERE id > $1"),
        (72, 11, "EXECUTE fill (5)"),
    ]
    return [Ran(number, *statement) for number, statement in enumerate(statements, 1)]


FAILED = Ran(90, 71, 90, "INSERT INTO mart.report SELECT amount, id FROM public.orders", succeeded=False)


def rows_of(ran: Ran) -> Iterator[dict[str, Any]]:
    stored = ran.text.replace("\n", "\\n")
    pieces = [stored[at : at + SYS_WIDTH].rstrip(" ") for at in range(0, len(stored), SYS_WIDTH)]
    for sequence, piece in enumerate(pieces if ran.succeeded else [None]):
        yield {
            "query_id": ran.number,
            "session_id": ran.session,
            "transaction_id": ran.transaction,
            "user_id": 100,
            "database_name": "dev",
            "query_type": "UNKNOWN",
            "status": "success" if ran.succeeded else "failed",
            "start_time": f"{ran.started_at:%Y-%m-%d %H:%M:%S.%f}",
            "end_time": f"{ran.started_at + timedelta(milliseconds=500):%Y-%m-%d %H:%M:%S.%f}",
            "sequence": sequence if piece is not None else None,
            "text": piece,
        }


class DuckDbQueries(AthenaQueries):
    """The published tables in DuckDB, which runs what Athena would; it gives text, as Athena does."""

    def __init__(self, namespace: str, rows: list[dict[str, Any]]) -> None:
        self._db = duckdb.connect()
        self._db.execute(f"ATTACH ':memory:' AS \"{CATALOG}\"")
        self._db.execute(f'CREATE SCHEMA "{CATALOG}"."{namespace}"')
        self._db.execute(f'USE "{CATALOG}"."{namespace}"')
        self._db.execute(
            "CREATE TABLE sys_query_history (query_id bigint, session_id integer, transaction_id bigint,"
            " user_id integer, database_name varchar, query_type varchar, status varchar,"
            " start_time timestamp, end_time timestamp)"
        )
        self._db.execute("CREATE TABLE sys_query_text (query_id bigint, sequence integer, text varchar)")
        self._db.execute(
            "CREATE TABLE sys_transaction_history"
            " (transaction_id bigint, status varchar, transaction_start_time timestamp)"
        )
        for row in rows:
            head = {name: value for name, value in row.items() if name not in ("sequence", "text")}
            if not row["sequence"]:
                self._insert("sys_query_history", head)
            if row["text"] is not None:
                self._insert("sys_query_text", {name: row[name] for name in ("query_id", "sequence", "text")})

    def undo(self, transaction: int) -> DuckDbQueries:
        began = {"transaction_start_time": f"{DAY:%Y-%m-%d %H:%M:%S}"}
        self._insert("sys_transaction_history", {"transaction_id": transaction, "status": "rolledback", **began})
        return self

    def rows(self, text: str) -> Iterator[Row]:
        found = self._db.execute(text)
        names = [column[0] for column in found.description or ()]
        for values in found.fetchall():
            yield dict(zip(names, (None if value is None else str(value) for value in values), strict=True))

    def _insert(self, table: str, row: dict[str, Any]) -> None:
        marks = ", ".join("?" for _ in row)
        self._db.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", list(row.values()))


class Logs:
    """Each way to the same day. `read` gives the records of one."""

    def __init__(self, folder: Path, ran: list[Ran]) -> None:
        self._folder = folder
        self._ran = ran
        self.notes = Notes()

    def read(self, log: str) -> Iterable[QueryRecord]:
        reader: Iterable[QueryRecord] = getattr(self, f"_{log}")()
        return reader

    def _system_views(self) -> list[QueryRecord]:
        rows = [row for ran in self._ran for row in rows_of(ran)]
        answers: dict[str, Answerer] = {
            redshift_sql.VISIBILITY: [{"user_name": "reader", "superuser": False, "syslog_access": "UNRESTRICTED"}],
            redshift_sql.USERS: [{"user_id": 100, "user_name": "etl"}],
            redshift_sql.HISTORY: rows,
        }
        api = DataApi(answers, rows_a_page=7).api()
        return list(SystemViewHistoryReader(api, self.notes, WINDOW, ("dev",)).read_queries())

    def _audit_log(self) -> list[QueryRecord]:
        folder = f"AWSLogs/111122223333/redshift/eu-central-1/{DAY:%Y/%m/%d}"
        name = "111122223333_redshift_eu-central-1_main_useractivitylog_2026-03-01T01:00.gz"
        with mock_aws():
            clients = Clients(test_session())
            s3 = clients.client("s3")
            s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
            s3.put_object(Bucket=BUCKET, Key=f"{folder}/{name}", Body=gzip.compress(self._audit_text().encode()))
            return list(AuditLogHistoryReader(clients, self.notes, WINDOW, BUCKET).read_queries())

    def _cloudwatch_logs(self) -> list[QueryRecord]:
        events = [{"timestamp": int(r.started_at.timestamp() * 1000), "message": r.audit_line} for r in self._ran]
        with freeze_time(DAY + timedelta(days=2)), mock_aws():
            clients = Clients(test_session())
            logs = clients.client("logs")
            logs.create_log_group(logGroupName=GROUP)
            logs.create_log_stream(logGroupName=GROUP, logStreamName=STREAM)
            logs.put_log_events(logGroupName=GROUP, logStreamName=STREAM, logEvents=events)
            reader = LogGroupHistoryReader(clients, self.notes, WINDOW, GROUP, pause=lambda: None)
            return list(reader.read_queries())

    def _exported_audit_log(self) -> list[QueryRecord]:
        path = self._folder / "useractivitylog.txt"
        path.write_text(self._audit_text())
        return list(FileHistoryReader(path, self.notes, WINDOW, database="dev").read_queries())

    def _exported_csv(self) -> list[QueryRecord]:
        path = self._folder / "history.csv"
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(next(rows_of(self._ran[0]))))
            writer.writeheader()
            writer.writerows(row for ran in self._ran for row in rows_of(ran))
        return list(FileHistoryReader(path, self.notes, WINDOW, database="dev").read_queries())

    def _published(self) -> list[QueryRecord]:
        queries = DuckDbQueries("lab", [row for ran in self._ran for row in rows_of(ran)])
        return list(PublishedHistoryReader(queries, self.notes, WINDOW, ("dev",), "lab").read_queries())

    def _audit_text(self) -> str:
        return "".join(ran.audit_line for ran in self._ran)


TELL_SUCCESS = ("system_views", "exported_csv", "published")
TELL_THAT_IT_RAN = ("audit_log", "cloudwatch_logs", "exported_audit_log")


def lineage(logs: Logs, log: str) -> Warehouse:
    warehouse = Warehouse(TABLES)
    for record in sorted(logs.read(log), key=lambda one: one.started_at):
        warehouse.apply(record)
    return warehouse


EXPECTED = {
    "public.landing:id -> public.orders:id",
    "public.landing:amount -> public.orders:amount",
    "public.daily:id -> mart.report:id",
    "public.daily:total -> mart.report:total",
    "public.orders:id -> public.daily:id",
    "public.orders:amount -> public.daily:total",
    "public.daily:id -> mart.kept:id",
    "public.daily:total -> mart.kept:total",
}


@pytest.mark.parametrize("log", TELL_SUCCESS + TELL_THAT_IT_RAN)
def test_the_same_lineage_from_each_log(tmp_path: Path, log: str) -> None:
    logs = Logs(tmp_path, day())

    found = lineage(logs, log)

    assert found.edges == EXPECTED
    assert (logs.notes.warnings, logs.notes.failures, logs.notes.cuts) == ([], [], [])
    through_a_temporary_table = 0.81  # two statements of which the log does not say whether they succeeded
    assert found.confidences == ({1.0} if log in TELL_SUCCESS else {0.9, through_a_temporary_table})


@pytest.mark.parametrize("log", TELL_SUCCESS + TELL_THAT_IT_RAN)
def test_a_failed_statement_shows_where_the_log_cannot_tell(tmp_path: Path, log: str) -> None:
    logs = Logs(tmp_path, [*day(), FAILED])

    found = lineage(logs, log).edges

    uncertain = {"public.orders:amount -> mart.report:id", "public.orders:id -> mart.report:total"}
    assert found == (EXPECTED if log in TELL_SUCCESS else EXPECTED | uncertain)


def test_published_transactions_that_were_rolled_back(tmp_path: Path) -> None:
    logs = Logs(tmp_path, day())
    load = next(ran for ran in day() if ran.text.startswith("INSERT INTO public.orders"))
    queries = DuckDbQueries("lab", [row for ran in day() for row in rows_of(ran)]).undo(load.transaction)
    reader = PublishedHistoryReader(queries, logs.notes, WINDOW, ("dev",), "lab")
    assert load.text not in {record.text for record in reader.read_queries()}
    assert logs.notes.reasons == {"rolled_back": 1}
