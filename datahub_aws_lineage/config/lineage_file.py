"""Hand-written lineage, in the format of DataHub's own source `lineage-file`.

Source: DataHub's documentation, "File Based Lineage".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from datahub.configuration.common import ConfigurationError as DataHubConfigurationError
from datahub.emitter.mce_builder import make_dataset_urn_with_platform_instance
from datahub.errors import SdkUsageError
from datahub.ingestion.source.metadata.lineage import (
    EntityConfig,
    EntityNodeConfig,
    FineGrainedLineageConfig,
    LineageConfig,
    LineageFileSource,
)
from datahub.metadata.urns import DatasetUrn, SchemaFieldUrn
from datahub.utilities.urns.error import InvalidUrnError
from expandvars import ExpandvarsException
from pydantic import ValidationError
from yaml import YAMLError

from datahub_aws_lineage.errors import ConfigurationError
from datahub_aws_lineage.model.lineage import ColumnEdge, DatasetEdge, DatasetLineage, Subtype
from datahub_aws_lineage.model.names import Dataset


@dataclass(frozen=True, slots=True)
class Complaint:
    """A part of the file that is left out, and why."""

    text: str


def read_lineage_file(path: str, env: str) -> Iterator[DatasetLineage | Complaint]:
    """What the file says feeds each of its datasets. Only datasets of `env` are this source's.

    Raises ConfigurationError where the file cannot be read or is not in the format.
    """
    for node in _load(path).lineage:
        if node.upstream:
            yield from _lineage(node, env)


def _load(path: str) -> LineageConfig:
    try:
        return LineageFileSource.load_lineage_config(path)
    except ValidationError as e:
        problems = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in e.errors(include_input=False))
        raise ConfigurationError(f"lineage_file {path}: {problems}") from None
    except (DataHubConfigurationError, ExpandvarsException, YAMLError, OSError, UnicodeDecodeError) as e:
        raise ConfigurationError(f"lineage_file {path}: {e}") from e


def _lineage(node: EntityNodeConfig, env: str) -> Iterator[DatasetLineage | Complaint]:
    named = [node.entity, *(upstream.entity for upstream in node.upstream or [])]
    strange = [entity for entity in named if entity.env != env]
    if strange:
        yield Complaint(f"{strange[0].name}: its env is {strange[0].env}, that of the recipe is {env}")
        return
    datasets = {_urn(entity): _dataset(entity) for entity in named}
    downstream = datasets[_urn(node.entity)]
    columns: list[ColumnEdge] = []
    for fine_grained in node.fineGrainedLineages or []:
        found = _columns(fine_grained, datasets, downstream)
        if isinstance(found, Complaint):
            yield found
        else:
            columns.extend(found)
    upstreams = dict.fromkeys([*(_dataset(one.entity) for one in node.upstream or []), *(c.upstream for c in columns)])
    edges = tuple(DatasetEdge(upstream, "manual") for upstream in upstreams)
    yield DatasetLineage(downstream, edges, tuple(columns))


def _columns(
    fine_grained: FineGrainedLineageConfig, datasets: dict[str, Dataset], downstream: Dataset
) -> list[ColumnEdge] | Complaint:
    if fine_grained.upstreamType != "FIELD_SET":
        return Complaint(f"{downstream}: upstreamType {fine_grained.upstreamType}: only FIELD_SET is drawn")
    try:
        targets = [SchemaFieldUrn.from_string(urn) for urn in fine_grained.downstreams or []]
        sources = [SchemaFieldUrn.from_string(urn) for urn in fine_grained.upstreams or []]
        ends = [(_known(one, datasets), one.field_path) for one in sources]
        strange = [target for target in targets if _known(target, datasets) != downstream]
    except (InvalidUrnError, SdkUsageError) as e:
        return Complaint(f"{downstream}: fineGrainedLineages: {e}")
    if strange:
        return Complaint(f"{downstream}: fineGrainedLineages: {strange[0]} is a column of another dataset")
    operation = fine_grained.transformOperation
    confidence = 1.0 if fine_grained.confidenceScore is None else fine_grained.confidenceScore
    subtype: Subtype = "TRANSFORMATION" if operation else "IDENTITY"
    return [
        ColumnEdge(upstream, column, target.field_path, subtype, operation, confidence)
        for target in targets
        for upstream, column in ends
    ]


def _known(field: SchemaFieldUrn, datasets: dict[str, Dataset]) -> Dataset:
    if field.parent in datasets:
        return datasets[field.parent]
    urn = DatasetUrn.from_string(field.parent)
    return Dataset(urn.get_data_platform_urn().platform_name, urn.name)


def _urn(entity: EntityConfig) -> str:
    return make_dataset_urn_with_platform_instance(entity.platform, entity.name, entity.platform_instance, entity.env)


def _dataset(entity: EntityConfig) -> Dataset:
    return Dataset(entity.platform, entity.name, entity.platform_instance)
