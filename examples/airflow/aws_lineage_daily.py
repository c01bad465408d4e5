"""Each day, what ran on the day before: one task."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from airflow.timetables.interval import CronDataIntervalTimetable
from aws_lineage_ingestion import AwsLineageOperator

try:
    from airflow.sdk import DAG
except ImportError:  # Airflow 2
    from airflow import DAG

with DAG(
    dag_id="aws_lineage_daily",
    # Not "@daily": to Airflow 3 that is a moment, whose data interval is empty.
    schedule=CronDataIntervalTimetable("0 0 * * *", timezone="UTC"),
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    max_active_runs=1,  # runs of one pipeline name share its state
    default_args={"retries": 2, "retry_delay": timedelta(minutes=10)},
) as dag:
    AwsLineageOperator(
        task_id="ingest",
        # The window is the run's, not the clock's: a retry, or a run that is cleared, reads the same statements again.
        changes={
            "source.config.start_time": "{{ data_interval_start | ts }}",
            "source.config.end_time": "{{ data_interval_end | ts }}",
        },
    )
