"""Stored procedures are the entities that DataHub's own SQL sources would make of them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from datahub.ingestion.api.workunit import MetadataWorkUnit
from datahub.ingestion.source.common.subtypes import FlowContainerSubTypes
from datahub.ingestion.source.sql.stored_procedures.base import (
    generate_procedure_container_workunits,
    generate_procedure_workunits,
)
from datahub.ingestion.source.sql.stored_procedures.models import BaseProcedure
from emit_samples import Notes, masked

from datahub_aws_lineage.emit.procedures import ProcedureJobs
from datahub_aws_lineage.emit.schema_index import SchemaIndex
from datahub_aws_lineage.emit.upstreams import UpstreamBuilder
from datahub_aws_lineage.emit.urns import database_key, schema_key
from datahub_aws_lineage.model.lineage import DatasetLineage, ProcedureLineage, StoredProcedure
from datahub_aws_lineage.model.names import Dataset

LOAD = StoredProcedure("dev", "mart", "load")
READ, WRITTEN = (Dataset("redshift", f"dev.public.{name}") for name in ("landing", "report"))


def ours(instance: str | None, *, has_containers: bool = True) -> dict[tuple[str, str], Any]:
    upstreams = UpstreamBuilder(env="PROD", schemas=SchemaIndex(Notes()), query_text="full", mask=masked)
    jobs = ProcedureJobs(upstreams, env="PROD")
    lineage = ProcedureLineage(LOAD, "w", (READ,), (DatasetLineage(WRITTEN, (), ()),))
    made = list(jobs.proposals(lineage, instance, has_containers=has_containers))
    again = list(jobs.proposals(lineage, instance, has_containers=has_containers))
    assert {str(one.entityType) for one in again} == {"dataJob"}
    return {(str(one.entityUrn), str(one.aspectName)): one.aspect.to_obj() for one in made if one.aspect is not None}


def theirs(instance: str | None) -> dict[tuple[str, str], Any]:
    database, schema = (
        database_key("redshift", "dev", instance, "PROD"),
        schema_key("dev", "mart", instance, "PROD"),
    )
    procedure = BaseProcedure(
        name="load",
        procedure_definition=None,
        created=None,
        last_altered=None,
        comment=None,
        argument_signature=None,
        return_type=None,
        language="SQL",
        extra_properties=None,
    )
    kind = FlowContainerSubTypes.PROCEDURE_CONTAINER
    work_units: list[MetadataWorkUnit] = [
        *generate_procedure_container_workunits(database, schema, kind),
        *generate_procedure_workunits(procedure, database, schema, schema_resolver=None),
    ]
    made = (one.metadata for one in work_units)
    return {(one.entityUrn, one.aspectName): one.aspect.to_obj() for one in made}  # type: ignore[union-attr, misc]


@pytest.mark.parametrize("instance", [None, "eu"])
def test_they_are_datahubs_own(instance: str | None) -> None:
    found = ours(instance)
    (work,) = [aspect for (_, name), aspect in found.items() if name == "dataJobInputOutput"]
    assert {key: json.dumps(one, sort_keys=True) for key, one in found.items() if key[1] != "dataJobInputOutput"} == {
        key: json.dumps(one, sort_keys=True) for key, one in theirs(instance).items()
    }
    assert work["inputDatasets"] == ["urn:li:dataset:(urn:li:dataPlatform:redshift,dev.public.landing,PROD)"]
    assert work["outputDatasets"] == ["urn:li:dataset:(urn:li:dataPlatform:redshift,dev.public.report,PROD)"]


def test_no_container_is_named_that_nobody_describes() -> None:
    assert not [name for _, name in ours(None, has_containers=False) if name == "container"]
