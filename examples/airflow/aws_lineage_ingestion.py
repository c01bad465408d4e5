"""What the example DAGs share: an operator that runs a recipe of `aws-lineage` in a virtualenv of its own.

Runs on Airflow 2 (from 2.10, whose operator takes `env_vars`) and 3. Nothing of DataHub is installed beside Airflow.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

try:
    from airflow.providers.standard.operators.python import PythonVirtualenvOperator
    from airflow.sdk import BaseHook
except ImportError:  # Airflow 2
    from airflow.hooks.base import BaseHook
    from airflow.operators.python import PythonVirtualenvOperator

RECIPE = "{{ var.value.aws_lineage_recipe }}"
"""The recipe, in YAML: an Airflow Variable. It names secrets, such as `${DATAHUB_GMS_TOKEN}`, and holds none."""

REQUIREMENTS = ["{{ var.value.get('aws_lineage_requirement', 'datahub-aws-lineage') }}"]
"""Name a version: a virtualenv is made anew where its requirements have changed."""

VIRTUALENVS = Path(os.environ.get("AIRFLOW_HOME", Path.home() / "airflow")) / "virtualenvs"
"""Kept from run to run. The first task of a worker fills it, which takes a minute; the others wait for that."""

SECRETS = {
    "DATAHUB_GMS_URL": "datahub_rest_default.host",
    "DATAHUB_GMS_TOKEN": "datahub_rest_default.password",
}
"""Environment variables of the run, and where they come from: `connection.field`. What they hold is never an argument
or a template, so Airflow neither keeps nor shows it. AWS's keys may come the same way (`AWS_ACCESS_KEY_ID`:
`aws_default.login`, `AWS_SECRET_ACCESS_KEY`: `aws_default.password`); the worker's own role needs nothing."""

SHARE = {
    "pipeline_name": None,
    "source.config.stateful_ingestion": None,
    "source.config.athena.enable_stateful_time_window": None,
    "source.config.edge_memory": None,
    "source.config.report_file": None,
    "source.config.include_catalog_metadata": False,
    "source.config.incremental_lineage": True,
}
"""Changes for a run that sees a share of the whole, beside others that see the rest.

State, and what is removed by it, belong to a pipeline's name: what one share does not see, it would remove. So shares
have no name (with one, DataHub switches state on by itself), no memory of edges and no file in common. They add
lineage: replacing it would leave the last share's alone. Tables are described by the run that sees all of them.
"""


class AwsLineageOperator(PythonVirtualenvOperator):
    """Runs a recipe. `changes` are made to it first: a value by its dotted path, None to take it out."""

    template_fields: Sequence[str] = (*PythonVirtualenvOperator.template_fields, "recipe", "changes")

    def __init__(
        self,
        *,
        recipe: str = RECIPE,
        changes: Mapping[str, Any] | None = None,
        secrets: Mapping[str, str] | None = None,
        requirements: Sequence[str] = tuple(REQUIREMENTS),
        venv_cache_path: str = str(VIRTUALENVS),
        **kwargs: Any,
    ) -> None:
        super().__init__(
            python_callable=ingest,
            requirements=list(requirements),
            venv_cache_path=venv_cache_path,
            expect_airflow=False,
            **kwargs,
        )
        self.recipe = recipe
        self.changes = changes or {}
        self.secrets = SECRETS if secrets is None else secrets

    def execute(self, context: Any) -> Any:
        self.op_kwargs = {"recipe": self.recipe, "changes": dict(self.changes)}
        self.env_vars = {"DATAHUB_TELEMETRY_ENABLED": "false", **self._secrets()}
        return super().execute(context)

    def _secrets(self) -> dict[str, str]:
        """Raises ValueError for a field that its connection leaves empty."""
        found = {}
        for variable, place in self.secrets.items():
            connection, _, field = place.rpartition(".")
            value = getattr(BaseHook.get_connection(connection), field)
            if not value:
                raise ValueError(f"{variable}: the connection {connection} has no {field}")
            found[variable] = value
        return found


def ingest(recipe: str, changes: dict[str, Any]) -> dict[str, Any]:
    """Runs within the virtualenv, so it imports what it needs. Raises PipelineExecutionError where a part was lost."""
    import os

    import yaml
    from datahub.configuration.config_loader import resolve_env_variables
    from datahub.ingestion.run.pipeline import Pipeline

    written = yaml.safe_load(recipe)
    for path, value in changes.items():
        *parents, key = path.split(".")
        part = written
        for parent in parents:
            part = part.setdefault(parent, {})
        part[key] = value
        if value is None:
            del part[key]
    # DataHub shows the recipe of a run: `raw_config` is the one without secrets.
    pipeline = Pipeline.create(resolve_env_variables(written, os.environ), raw_config=written, no_progress=True)
    pipeline.run()
    pipeline.pretty_print_summary()
    pipeline.raise_from_status()
    return {"run_id": pipeline.config.run_id, "records": pipeline.sink.get_report().total_records_written}
