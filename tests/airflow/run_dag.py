"""Runs one of the example DAGs by Airflow's own `dag.test()`: `run_dag.py DAG LOGICAL_DATE [CONF]`.

It runs in Airflow's environment, of either version, and prints the state of the run, and of each task its id, map
index, state and number of tries.
"""

from __future__ import annotations

import importlib
import json
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

EXAMPLES = Path(__file__).parents[2] / "examples" / "airflow"


def main(name: str, date: str, conf: str = "{}") -> None:
    sys.path.insert(0, str(EXAMPLES))
    dag: Any = importlib.import_module(name).dag
    moment = datetime.fromisoformat(date).replace(tzinfo=timezone.utc)
    parameters = json.loads(conf)
    for task in dag.tasks:
        task.retry_delay = timedelta(seconds=1)
    try:
        run = dag.test(logical_date=moment, run_conf=parameters)
    except TypeError:  # Airflow 2
        importlib.import_module("airflow.providers.fab.auth_manager.models")  # a run that is there has notes of users
        run = dag.test(execution_date=moment, run_conf=parameters)
    tasks = [(one.task_id, one.map_index, str(one.state), one.try_number) for one in run.get_task_instances()]
    print("RESULT", json.dumps({"state": str(run.state), "tasks": sorted(tasks)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
