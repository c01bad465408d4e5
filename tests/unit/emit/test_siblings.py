"""Siblings, applied as DataHub's server applies patches."""

from __future__ import annotations

import json
from typing import Any

import jsonpatch
from datahub.metadata.schema_classes import MetadataChangeProposalClass

from datahub_aws_lineage.emit.siblings import sibling_units
from datahub_aws_lineage.model.names import Dataset

GLUE = "urn:li:dataset:(urn:li:dataPlatform:glue,lake.sales.orders,PROD)"
ATHENA = "urn:li:dataset:(urn:li:dataPlatform:athena,lake.sales.orders,PROD)"


def patches(dataset: Dataset) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for unit in sibling_units(dataset, "PROD"):
        assert isinstance(unit.metadata, MetadataChangeProposalClass)
        assert (unit.metadata.aspectName, unit.metadata.changeType) == ("siblings", "PATCH")
        assert not unit.is_primary_source
        assert unit.metadata.aspect is not None
        found[str(unit.metadata.entityUrn)] = json.loads(unit.metadata.aspect.value)
    return found


def test_both_datasets_of_a_table_name_each_other() -> None:
    found = patches(Dataset("glue", "sales.orders", "lake"))
    of_glue = jsonpatch.apply_patch({"siblings": {"urn:li:dataset:x": "urn:li:dataset:x"}}, found[GLUE])
    assert of_glue == {"siblings": {"urn:li:dataset:x": "urn:li:dataset:x", ATHENA: ATHENA}, "primary": True}
    assert jsonpatch.apply_patch({"siblings": {}, "primary": False}, found[ATHENA]) == {
        "siblings": {GLUE: GLUE},
        "primary": False,
    }


def test_the_one_with_the_lineage_is_the_primary_one() -> None:
    found = patches(Dataset("athena", "sales.orders", "lake"))
    assert any(operation["path"] == "/primary" for operation in found[ATHENA])
    assert not any(operation["path"] == "/primary" for operation in found[GLUE])


def test_tables_of_other_platforms_have_none() -> None:
    assert patches(Dataset("iceberg", "ns.t", "s3tablescatalog/b")) == {}
