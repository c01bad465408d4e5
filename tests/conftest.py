"""Shared by all tests: DataHub's golden-file option `--update-golden-files`, and no network."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from datahub.testing.pytest_hooks import load_golden_flags, pytest_addoption

__all__ = ["load_golden_flags", "pytest_addoption"]


@pytest.fixture(scope="session", autouse=True)
def no_version_check(request: pytest.FixtureRequest) -> Iterator[None]:
    """DataHub's pipeline asks the network for newer versions of itself. Only these tests run pipelines."""
    with pytest.MonkeyPatch.context() as patch:
        if any({"integration", "airflow", "executor"} & set(item.path.parts) for item in request.session.items):
            patch.setattr("datahub.ingestion.run.pipeline.retrieve_version_stats", lambda **_: None)
        yield
