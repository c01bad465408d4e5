"""Each day, an account with many work groups of Athena, shared by many workers: a mapped task for each few of them."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import Any

from airflow.timetables.interval import CronDataIntervalTimetable
from aws_lineage_ingestion import SHARE, AwsLineageOperator

try:
    from airflow.sdk import DAG, Variable, task
except ImportError:  # Airflow 2
    from airflow import DAG
    from airflow.decorators import task
    from airflow.models import Variable


@task
def work_groups(
    data_interval_start: datetime | None = None, data_interval_end: datetime | None = None
) -> list[dict[str, Any]]:
    """The Airflow Variable `aws_lineage_work_groups`: a list of lists of names, in JSON, one list a task."""
    shares: list[list[str]] = Variable.get("aws_lineage_work_groups", deserialize_json=True)
    return [
        {
            **SHARE,
            "source.config.start_time": str(data_interval_start),
            "source.config.end_time": str(data_interval_end),
            "source.config.athena.work_group_pattern": {"allow": [f"{re.escape(name)}$" for name in names]},
            # Usage is one count for a table and a day: each share would put its own in place of the others'.
            "source.config.athena.include_usage_statistics": False,
            "source.config.redshift": None,
        }
        for names in shares
    ]


with DAG(
    dag_id="aws_lineage_work_groups",
    schedule=CronDataIntervalTimetable("0 0 * * *", timezone="UTC"),
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    default_args={"retries": 2, "retry_delay": timedelta(minutes=10)},
) as dag:
    AwsLineageOperator.partial(task_id="ingest", max_active_tis_per_dagrun=4).expand(changes=work_groups())
