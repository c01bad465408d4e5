"""Stored procedures as DataJobs, as DataHub's own SQL sources make them: a DataFlow a schema, a DataJob a procedure.

Their inputs and outputs are what the runs did, by dataset and by column. The aspects are those of DataHub's
`generate_procedure_workunits`, which cannot be called here: it needs packages of its SQL sources.
"""

from __future__ import annotations

from collections.abc import Iterator

from datahub.emitter.mce_builder import make_data_flow_urn, make_data_job_urn_with_flow
from datahub.emitter.mcp import MetadataChangeProposalWrapper
from datahub.ingestion.source.common.subtypes import FlowContainerSubTypes, JobContainerSubTypes
from datahub.metadata.schema_classes import (
    ContainerClass,
    DataFlowInfoClass,
    DataJobInfoClass,
    DataJobInputOutputClass,
    DataPlatformInstanceClass,
    SubTypesClass,
    _Aspect,
)

from datahub_aws_lineage.emit.upstreams import UpstreamBuilder
from datahub_aws_lineage.emit.urns import (
    database_key,
    dataset_urn,
    platform_instance_urn,
    platform_urn,
    schema_key,
)
from datahub_aws_lineage.model.lineage import ProcedureLineage


class ProcedureJobs:
    """Builds the entities of procedures in the order they come; the flow of a schema before its first job."""

    def __init__(self, upstreams: UpstreamBuilder, *, env: str) -> None:
        self._upstreams = upstreams
        self._env = env
        self._flows: set[str] = set()

    def proposals(
        self, lineage: ProcedureLineage, instance: str | None, *, has_containers: bool
    ) -> Iterator[MetadataChangeProposalWrapper]:
        """`instance` is the platform instance of the warehouse, `has_containers` whether its schemas are in DataHub."""
        named = lineage.procedure
        name = f"{named.database}.{named.schema}.stored_procedures"
        flow = make_data_flow_urn("redshift", name, self._env, instance)
        aspects: list[_Aspect]
        if flow not in self._flows:
            self._flows.add(flow)
            aspects = [DataFlowInfoClass(name), SubTypesClass([FlowContainerSubTypes.PROCEDURE_CONTAINER])]
            if has_containers:
                key = database_key("redshift", named.database, instance, self._env)
                aspects.append(ContainerClass(key.as_urn()))
            yield from self._of(flow, aspects, instance)
        kind = JobContainerSubTypes.STORED_PROCEDURE
        aspects = [DataJobInfoClass(named.name, kind), SubTypesClass([kind]), self._inputs_and_outputs(lineage)]
        if has_containers:
            aspects.append(ContainerClass(schema_key(named.database, named.schema, instance, self._env).as_urn()))
        yield from self._of(make_data_job_urn_with_flow(flow, named.name), aspects, instance)

    def _of(self, urn: str, aspects: list[_Aspect], instance: str | None) -> Iterator[MetadataChangeProposalWrapper]:
        if instance is not None:
            of_platform = DataPlatformInstanceClass(
                platform_urn("redshift"), platform_instance_urn("redshift", instance)
            )
            aspects = [*aspects, of_platform]
        yield from MetadataChangeProposalWrapper.construct_many(urn, aspects)

    def _inputs_and_outputs(self, lineage: ProcedureLineage) -> DataJobInputOutputClass:
        columns = [column for written in lineage.writes for column in self._upstreams.fine_grained(written)]
        return DataJobInputOutputClass(
            inputDatasets=[dataset_urn(dataset, self._env) for dataset in lineage.reads],
            outputDatasets=[dataset_urn(written.downstream, self._env) for written in lineage.writes],
            fineGrainedLineages=columns or None,
        )
