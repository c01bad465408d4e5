"""The examples in docstrings are true."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import datahub_aws_lineage

MODULES = sorted(one.name for one in pkgutil.walk_packages(datahub_aws_lineage.__path__, "datahub_aws_lineage."))


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0
