"""A long history, shared by many workers: one mapped task for each few days."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from math import ceil
from typing import Any

from aws_lineage_ingestion import SHARE, AwsLineageOperator

try:
    from airflow.sdk import DAG, Param, task
except ImportError:  # Airflow 2
    from airflow import DAG
    from airflow.decorators import task
    from airflow.models.param import Param


@task
def windows(params: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    """Whole days of UTC: usage is one count a day, and of a day in two windows one half would replace the other."""
    params = params or {}
    first = datetime.fromisoformat(params["first_day"]).replace(tzinfo=timezone.utc)
    end = datetime.fromisoformat(params["last_day"]).replace(tzinfo=timezone.utc) + timedelta(days=1)
    length = timedelta(days=params["days_per_window"])
    starts = [first + number * length for number in range(ceil((end - first) / length))]
    return [
        {
            **SHARE,
            "source.config.start_time": start.isoformat(),
            "source.config.end_time": min(start + length, end).isoformat(),
        }
        for start in starts
    ]


with DAG(
    dag_id="aws_lineage_backfill",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    params={
        "first_day": Param("2026-01-01", type="string", format="date"),
        "last_day": Param("2026-01-31", type="string", format="date"),
        "days_per_window": Param(1, type="integer", minimum=1),
    },
    default_args={"retries": 2, "retry_delay": timedelta(minutes=10)},
) as dag:
    AwsLineageOperator.partial(
        task_id="ingest",
        max_active_tis_per_dagrun=4,  # AWS's quotas are the account's, however many workers ask
        map_index_template="{{ task.changes['source.config.start_time'] }}",
    ).expand(changes=windows())
