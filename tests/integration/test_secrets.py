"""Credentials in SQL and in table parameters reach neither the output nor the report, whatever the recipe says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from datahub.ingestion.api.report import Report
from small_account import ingest

KEY = "AKIAIOSFODNN7EXAMPLE"
SECRET = "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY"
PASSWORD = "correct-horse-battery"

STATEMENTS = (
    "CREATE TABLE public.orders (id int, amount int)",
    f"COPY public.orders FROM 's3://lake/orders/' CREDENTIALS 'aws_access_key_id={KEY};aws_secret_access_key={SECRET}'",
    f"COPY public.orders FROM 's3://lake/more/' ACCESS_KEY_ID '{KEY}' SECRET_ACCESS_KEY '{SECRET}' CSV",
    f"UNLOAD ('select id from public.orders') TO 's3://lake/out/' ACCESS_KEY_ID '{KEY}' SECRET_ACCESS_KEY '{SECRET}'",
    f"CREATE USER someone PASSWORD '{PASSWORD}'",
    f"COPY public.orders FROM 's3://lake/broken/' ACCESS_KEY_ID '{KEY}' SECRET_ACCESS_KEY '{SECRET}' ((",
    f"SELECT id INTO public.broken FROM FROM orders WHERE password = '{PASSWORD}'",
)


@pytest.mark.parametrize("query_text", ["full", "masked", "none"])
def test_no_secret_of_a_log_is_passed_on(tmp_path: Path, query_text: str) -> None:
    log = tmp_path / "log.jsonl"
    rows = [
        {"query_text": text, "database": "dev", "start_time": f"2026-03-01T10:00:0{second}Z", "session_id": "1"}
        for second, text in enumerate(STATEMENTS)
    ]
    log.write_text("".join(json.dumps(row) + "\n" for row in rows))
    output = tmp_path / "out.json"
    ingested = ingest(
        output,
        {
            "aws_config": {"aws_region": "eu-central-1", "aws_access_key_id": "x", "aws_secret_access_key": "y"},
            "glue": {"enabled": False},
            "athena": {"enabled": False},
            "query_text": query_text,
            "redshift": [{"name": "w", "databases": ["dev"], "query_logs": [{"type": "file", "path": str(log)}]}],
        },
    )
    written = output.read_text() + json.dumps(Report.to_pure_python_obj(ingested.report))
    assert "lake/orders" in written  # the edges are there
    for secret in (KEY, SECRET, PASSWORD):
        assert secret not in written
