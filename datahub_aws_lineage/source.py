"""The source `aws-lineage`, as DataHub finds, configures and runs it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from datahub.ingestion.api.common import PipelineContext
from datahub.ingestion.api.decorators import SupportStatus, capability, config_class, platform_name, support_status
from datahub.ingestion.api.source import CapabilityReport, SourceCapability, TestableSource, TestConnectionReport
from datahub.ingestion.api.workunit_processor import WorkunitProcessor
from datahub.ingestion.source.state.stateful_ingestion_base import StatefulIngestionSourceBase
from datahub.ingestion.workunit_processors import AutoBrowsePathV2Processor

from datahub_aws_lineage.checkpoints import WorkGroupCheckpoints
from datahub_aws_lineage.checks import Finding, try_one
from datahub_aws_lineage.config import SOURCE_TYPE, AwsLineageConfig
from datahub_aws_lineage.connection_test import capability_checks, identity_check
from datahub_aws_lineage.edge_memories import EdgeMemories
from datahub_aws_lineage.emit.stored import stored_in
from datahub_aws_lineage.emit.work_units import WorkUnits, browse_paths
from datahub_aws_lineage.errors import AwsLineageError
from datahub_aws_lineage.readers import open_clients
from datahub_aws_lineage.report import AwsLineageReport
from datahub_aws_lineage.run import Run
from datahub_aws_lineage.sites import hub_clients, open_sites


@platform_name("AWS Lineage", id=SOURCE_TYPE)
@config_class(AwsLineageConfig)
@support_status(SupportStatus.BETA)
@capability(SourceCapability.LINEAGE_COARSE, "From views, query histories, S3 locations and resource links")
@capability(SourceCapability.LINEAGE_FINE, "Each edge with its transformation, confidence and query")
@capability(SourceCapability.SCHEMA_METADATA, "Of Glue and Redshift tables, nested types included")
@capability(SourceCapability.CONTAINERS, "Glue databases, Redshift databases and schemas")
@capability(SourceCapability.DESCRIPTIONS, "Comments of databases, tables and columns")
@capability(SourceCapability.TAGS, "Those of Lake Formation, on request")
@capability(SourceCapability.PLATFORM_INSTANCE, "One for the Data Catalog, one for each warehouse")
@capability(SourceCapability.DELETION_DETECTION, "Through stateful ingestion")
@capability(SourceCapability.TEST_CONNECTION, "Answers for each part of the recipe")
class AwsLineageSource(StatefulIngestionSourceBase, TestableSource):
    """Column-level lineage of AWS Glue, Athena and Redshift."""

    platform = SOURCE_TYPE

    def __init__(self, config: AwsLineageConfig, ctx: PipelineContext) -> None:
        super().__init__(config, ctx)  # type: ignore[arg-type]  # DataHub's own type variable is invariant
        self.config = config
        self.report: AwsLineageReport = AwsLineageReport()
        self.checkpoints = WorkGroupCheckpoints(self.state_provider, config, ctx)
        self.memories = EdgeMemories(self.state_provider, config, ctx)

    def get_report(self) -> AwsLineageReport:
        return self.report

    def close(self) -> None:
        if self.config.report_file is not None:
            self.report.write(Path(self.config.report_file))
        super().close()

    def get_excluded_workunit_processors(self) -> list[str | type[WorkunitProcessor[Any]]]:
        # It knows one platform and one platform instance a source; `browse_paths` applies it to each catalog.
        return [AutoBrowsePathV2Processor]

    def get_workunits_internal(self) -> WorkUnits:
        try:
            run = Run(
                self.config,
                self.report,
                open_sites(self.config, self.report.diagnostics),
                browse_paths(self.report, self.ctx),
                stored_in(self.ctx.graph),
                self.checkpoints,
                self.memories,
            )
        except AwsLineageError as e:
            self.report.diagnostics.failure("The account cannot be opened", str(e))
            return
        yield from run.work_units()

    @staticmethod
    def test_connection(config_dict: dict[str, object]) -> TestConnectionReport:
        try:
            config = AwsLineageConfig.model_validate(config_dict)
            if config.has_several_sites:
                return _test_sites(config)
            clients = open_clients(config)
            identity = try_one(identity_check(clients))
            capabilities: dict[SourceCapability | str, CapabilityReport] = {
                check.name: _capability(try_one(check)) for check in capability_checks(config, clients)
            }
        except Exception as e:  # noqa: BLE001  (a test of the connection reports whatever keeps it from working)
            return TestConnectionReport(internal_failure=True, internal_failure_reason=f"{type(e).__name__}: {e}")
        return TestConnectionReport(basic_connectivity=_capability(identity), capability_report=capabilities)


def _test_sites(config: AwsLineageConfig) -> TestConnectionReport:
    """The identity of `aws_config`, the list of accounts, and each site's identity and parts."""
    report = AwsLineageReport()
    capabilities: dict[SourceCapability | str, CapabilityReport] = {}
    sites = open_sites(config, report.diagnostics)
    replayed = config.snapshot is not None and config.organization is None and sites
    identity = try_one(identity_check(sites[0].clients if replayed else hub_clients(config)))
    for entry in report.failures:
        capabilities[entry.message] = CapabilityReport(capable=False, failure_reason="; ".join(entry.context))
    for site in sites:
        for check in (identity_check(site.clients), *capability_checks(site.config, site.clients)):
            capabilities[f"{site.name}: {check.name}"] = _capability(try_one(check))
    return TestConnectionReport(basic_connectivity=_capability(identity), capability_report=capabilities)


def _capability(finding: Finding) -> CapabilityReport:
    return CapabilityReport(
        capable=finding.reason is None, failure_reason=finding.reason, mitigation_message=finding.remedy
    )
