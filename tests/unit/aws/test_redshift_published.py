"""System tables published to S3 Tables: what is asked of Athena, and what becomes of a refusal.

What the queries give is tested against DuckDB, in `test_replayed_warehouse`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import sqlglot
from botocore.stub import Stubber
from redshift_samples import Notes, test_session, utc
from sqlglot import exp

from datahub_aws_lineage.aws.athena_queries import AthenaQueries
from datahub_aws_lineage.aws.clients import Clients
from datahub_aws_lineage.aws.own_statements import OWN_STATEMENT_MARK
from datahub_aws_lineage.aws.redshift_published import (
    PERMISSIONS,
    PublishedHistoryReader,
    history_text,
    probe,
    rolled_back_text,
)
from datahub_aws_lineage.errors import AccessDeniedError
from datahub_aws_lineage.model.queries import QueryRecord, TimeWindow

WINDOW = TimeWindow(utc(2026, 3, 1), utc(2026, 3, 2))


@pytest.mark.parametrize(
    ("text", "table"),
    [
        (history_text('a"b', WINDOW, limit=1), '"s3tablescatalog/aws-redshift"."a""b"."sys_query_history"'),
        (rolled_back_text('a"b', WINDOW), '"s3tablescatalog/aws-redshift"."a""b"."sys_transaction_history"'),
    ],
)
def test_what_is_asked_is_one_query_of_ours_in_athenas_dialect(text: str, table: str) -> None:
    (statement,) = sqlglot.parse(text, dialect="trino")
    assert isinstance(statement, exp.Select)
    assert text.startswith(OWN_STATEMENT_MARK)
    found = statement.find(exp.Table)
    assert found is not None
    assert ".".join(part.sql("trino") for part in found.parts) == table


@pytest.fixture
def clients() -> Clients:
    return Clients(test_session())


@pytest.fixture
def athena(clients: Clients) -> Iterator[Stubber]:
    with Stubber(clients.client("athena")) as athena:
        yield athena
        athena.assert_no_pending_responses()


def finds(athena: Stubber, *rows: list[str | None]) -> None:
    athena.add_response("start_query_execution", {"QueryExecutionId": "q"})
    athena.add_response("get_query_execution", {"QueryExecution": {"Status": {"State": "SUCCEEDED"}}})
    data: list[Any] = [{"Data": [{} if value is None else {"VarCharValue": value} for value in row]} for row in rows]
    athena.add_response("get_query_results", {"ResultSet": {"Rows": data}})


def fails(athena: Stubber, reason: str) -> None:
    athena.add_response("start_query_execution", {"QueryExecutionId": "q"})
    status = {"State": "FAILED", "StateChangeReason": reason}
    athena.add_response("get_query_execution", {"QueryExecution": {"Status": status}})


def read(clients: Clients, notes: Notes) -> list[QueryRecord]:
    queries = AthenaQueries(clients, "primary", sleep=lambda _: None)
    return list(PublishedHistoryReader(queries, notes, WINDOW, ("dev",), "lab").read_queries())


HEADER: list[str | None] = [
    *("query_id", "session_id", "transaction_id", "user_id", "database_name", "query_type", "status"),
    *("start_time", "end_time", "sequence", "text"),
]
ROW: list[str | None] = [
    *("7", "71", "9", "100", "dev", "INSERT", "success"),
    *("2026-03-01 01:00:00.000000", "2026-03-01 01:00:02.500000", "0", "insert into t select a from s"),
]


def test_a_row_becomes_a_record(clients: Clients, athena: Stubber) -> None:
    finds(athena, ["transaction_id"])
    finds(athena, HEADER, ROW)
    notes = Notes()
    (record,) = read(clients, notes)
    assert (record.query_id, record.text, record.source) == ("7", ROW[-1], "redshift-s3-tables")
    assert (record.actor, record.succeeded, record.milliseconds) == (None, True, 2500)
    assert notes.untroubled


def test_without_the_transactions_the_statements_are_read_all_the_same(clients: Clients, athena: Stubber) -> None:
    fails(athena, "TABLE_NOT_FOUND")
    finds(athena, HEADER, ROW)
    notes = Notes()
    assert len(read(clients, notes)) == 1
    ((title, detail),) = notes.warnings
    assert title == "Redshift's published transactions cannot be read"
    assert "TABLE_NOT_FOUND" in detail


def test_a_refusal_says_what_is_missing(clients: Clients, athena: Stubber) -> None:
    for _ in range(2):
        athena.add_client_error("start_query_execution", "AccessDeniedException", http_status_code=400)
    notes = Notes()
    assert read(clients, notes) == []
    assert notes.warnings[-1][0] == "Redshift's published history is denied"
    assert notes.warnings[-1][1].startswith("needs athena:StartQueryExecution")


def test_a_query_that_fails_is_a_failure(clients: Clients, athena: Stubber) -> None:
    finds(athena, ["transaction_id"])
    fails(athena, "SCHEMA_NOT_FOUND")
    notes = Notes()
    assert read(clients, notes) == []
    ((title, _),) = notes.failures
    assert title == "Redshift's published history cannot be read to its end"


def test_the_probe_asks_for_one_row(clients: Clients, athena: Stubber) -> None:
    finds(athena, HEADER)
    probe(AthenaQueries(clients, "primary"), "lab", WINDOW)
    athena.add_client_error("start_query_execution", "AccessDeniedException", http_status_code=400)
    with pytest.raises(AccessDeniedError) as refused:
        probe(AthenaQueries(clients, "primary"), "lab", WINDOW)
    assert refused.value.permission in PERMISSIONS
