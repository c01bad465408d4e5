"""Shared by all tests: DataHub's golden-file option `--update-golden-files`."""

from datahub.testing.pytest_hooks import load_golden_flags, pytest_addoption

__all__ = ["load_golden_flags", "pytest_addoption"]
