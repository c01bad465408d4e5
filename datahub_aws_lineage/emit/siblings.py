"""One table of the Data Catalog as two datasets, of DataHub's `glue` and of its `athena` source: siblings."""

from __future__ import annotations

from dataclasses import replace

from datahub.ingestion.api.workunit import MetadataWorkUnit
from datahub.specific.dataset import DatasetPatchBuilder

from datahub_aws_lineage.emit.urns import dataset_urn
from datahub_aws_lineage.emit.work_units import WorkUnits
from datahub_aws_lineage.model.names import Dataset, Platform

_OTHER: dict[Platform, Platform] = {"glue": "athena", "athena": "glue"}


def sibling_units(dataset: Dataset, env: str) -> WorkUnits:
    """Says of a table that its dataset on the other platform shows the same data; `dataset`, which has the lineage, is
    the primary one. As patches, so that other siblings (a dbt model) stay, and without making either ours to remove.

    Source: DataHub's documentation, "Siblings": entities that are siblings are shown as one.
    """
    other = _OTHER.get(dataset.platform)
    if other is None:
        return
    own, others = dataset_urn(dataset, env), dataset_urn(replace(dataset, platform=other), env)
    for urn, sibling, primary in ((own, others, True), (others, own, False)):
        (patch,) = DatasetPatchBuilder(urn).add_sibling(sibling, primary).build()
        yield MetadataWorkUnit(MetadataWorkUnit.generate_workunit_id(patch), mcp_raw=patch, is_primary_source=False)
