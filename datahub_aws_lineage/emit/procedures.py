"""Stored procedures as DataJobs, as DataHub's own SQL sources make them: a DataFlow a schema, a DataJob a procedure.

Their inputs and outputs are what the runs did, by dataset and by column.
"""

from __future__ import annotations

from datahub.emitter.mcp import MetadataChangeProposalWrapper
from datahub.ingestion.source.common.subtypes import FlowContainerSubTypes
from datahub.ingestion.source.sql.stored_procedures.base import (
    generate_procedure_container_workunits,
    generate_procedure_workunits,
)
from datahub.ingestion.source.sql.stored_procedures.models import BaseProcedure
from datahub.metadata.schema_classes import ContainerClass, DataJobInputOutputClass

from datahub_aws_lineage.emit.upstreams import UpstreamBuilder
from datahub_aws_lineage.emit.urns import database_key, dataset_urn, schema_key
from datahub_aws_lineage.emit.work_units import WorkUnits
from datahub_aws_lineage.model.lineage import ProcedureLineage


class ProcedureJobs:
    """Builds the entities of procedures in the order they come; the flow of a schema before its first job."""

    def __init__(self, upstreams: UpstreamBuilder, *, env: str) -> None:
        self._upstreams = upstreams
        self._env = env
        self._flows: set[str] = set()

    def work_units(self, lineage: ProcedureLineage, instance: str | None, *, has_containers: bool) -> WorkUnits:
        """`instance` is the platform instance of the warehouse, `has_containers` whether its schemas are in DataHub.

        What no log of the window calls may be there all the same: no later run removes it.
        """
        for work_unit in self._entities(lineage, instance):
            if has_containers or work_unit.get_aspect_of_type(ContainerClass) is None:
                work_unit.is_primary_source = False
                yield work_unit

    def _entities(self, lineage: ProcedureLineage, instance: str | None) -> WorkUnits:
        named = lineage.procedure
        database = database_key("redshift", named.database, instance, self._env)
        schema = schema_key(named.database, named.schema, instance, self._env)
        if schema.guid() not in self._flows:
            self._flows.add(schema.guid())
            yield from generate_procedure_container_workunits(
                database, schema, FlowContainerSubTypes.PROCEDURE_CONTAINER
            )
        procedure = BaseProcedure(
            name=named.name,
            procedure_definition=None,
            created=None,
            last_altered=None,
            comment=None,
            argument_signature=None,
            return_type=None,
            language="SQL",
            extra_properties=None,
        )
        yield from generate_procedure_workunits(procedure, database, schema, schema_resolver=None)
        urn = procedure.to_urn(database, schema)
        yield MetadataChangeProposalWrapper(entityUrn=urn, aspect=self._inputs_and_outputs(lineage)).as_workunit()

    def _inputs_and_outputs(self, lineage: ProcedureLineage) -> DataJobInputOutputClass:
        columns = [column for written in lineage.writes for column in self._upstreams.fine_grained(written)]
        return DataJobInputOutputClass(
            inputDatasets=[dataset_urn(dataset, self._env) for dataset in lineage.reads],
            outputDatasets=[dataset_urn(written.downstream, self._env) for written in lineage.writes],
            fineGrainedLineages=columns or None,
        )
