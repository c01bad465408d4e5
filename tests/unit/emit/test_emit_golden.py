"""The whole emission of the sample catalog against golden files, and through DataHub's own reader and checker.

After a wanted change: `pytest tests/unit/emit/test_emit_golden.py --update-golden-files`, and read the difference.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from datahub.configuration.common import ConfigModel
from datahub.emitter.mcp import MetadataChangeProposalWrapper
from datahub.ingestion.api.common import PipelineContext
from datahub.ingestion.api.source import SourceReport
from datahub.ingestion.api.workunit import MetadataWorkUnit
from datahub.ingestion.api.workunit_processor import WorkunitProcessorContext
from datahub.ingestion.sink.file import write_metadata_file
from datahub.ingestion.source.file import read_metadata_file
from datahub.ingestion.workunit_processors.auto_incremental_lineage import AutoIncrementalLineageProcessor
from datahub.testing.compare_metadata_json import assert_metadata_files_equal
from emit_samples import (
    DATASETS,
    LINEAGES,
    ORDERS,
    PUBLIC,
    QUERY,
    REGION,
    REPORT_SET,
    S3_SET,
    SALES,
    TABLES,
    Notes,
    masked,
)
from strict_schema import assert_valid_file

from datahub_aws_lineage.emit.containers import Containers
from datahub_aws_lineage.emit.datasets import open_proposals, table_proposals
from datahub_aws_lineage.emit.queries import QueryBuilder
from datahub_aws_lineage.emit.schema_index import SchemaIndex
from datahub_aws_lineage.emit.stored import StoredDataset
from datahub_aws_lineage.emit.upstreams import UpstreamBuilder

GOLDEN = Path(__file__).parent / "golden"


class Config(ConfigModel):
    incremental_lineage: bool = True


def emitted() -> Iterator[MetadataChangeProposalWrapper]:
    notes = Notes()
    schemas = SchemaIndex(notes)
    containers = Containers(env="PROD", region=REGION)
    yield from containers.proposals(SALES, None)
    yield from containers.proposals(PUBLIC, REPORT_SET.instance)
    for table in TABLES:
        schemas.add(DATASETS[table.name], table, S3_SET if table is ORDERS else None)
        yield from table_proposals(table, DATASETS[table.name], env="PROD", region=REGION, diagnostics=notes)
    schemas.learn(LINEAGES)
    yield from open_proposals(S3_SET, schemas.open_fields(S3_SET), StoredDataset(), env="PROD")
    upstreams = UpstreamBuilder(env="PROD", schemas=schemas, query_text="full", mask=masked)
    for lineage in LINEAGES:
        proposal = upstreams.proposal(lineage)
        assert proposal is not None
        yield proposal
    queries = QueryBuilder(env="PROD", schemas=schemas, diagnostics=notes, query_text="full", mask=masked)
    yield from queries.proposals(QUERY)
    assert notes.entries == []


def in_patches(proposals: Iterator[MetadataChangeProposalWrapper]) -> Iterator[MetadataWorkUnit]:
    context = WorkunitProcessorContext(
        source_report=SourceReport(),
        pipeline_context=PipelineContext(run_id="golden"),
        source_config=Config(),
        platform="aws-lineage",
    )
    processor = AutoIncrementalLineageProcessor.create(context)
    yield from processor.process(proposal.as_workunit() for proposal in proposals)


@pytest.fixture(params=["whole", "incremental"])
def written(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / f"{request.param}.json"
    if request.param == "whole":
        write_metadata_file(path, list(emitted()))
    else:
        write_metadata_file(path, [unit.metadata for unit in in_patches(emitted())])
    return path


def test_golden(written: Path) -> None:
    assert_metadata_files_equal(output_path=written, golden_path=GOLDEN / written.name)


def test_the_strict_check_and_datahub_read_the_same(written: Path) -> None:
    assert_valid_file(written)
    assert len(list(read_metadata_file(written))) == len(list(emitted()))


def test_datahub_check_metadata_file(written: Path) -> None:
    command = [sys.executable, "-m", "datahub", "check", "metadata-file", str(written)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
