"""DataHub's own sources and ours in turn, into one store that merges aspects as DataHub's server does.

In every order: nothing that DataHub's source said is lost, nor an edge of ours, and no dataset of ours is one that
nobody describes. Ours: the store (`metadata_server`). Real: the sources, and our `datahub-rest` sink.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from athena_service import REGION
from datahub.emitter.mcp import MetadataChangeProposalWrapper
from datahub.emitter.mcp_builder import mcps_from_mce
from datahub.emitter.serialization_helper import pre_json_transform
from datahub.ingestion.run.pipeline import Pipeline
from datahub.ingestion.source.file import read_metadata_file
from datahub.metadata.schema_classes import MetadataChangeEventClass
from datahub.metadata.urns import SchemaFieldUrn
from datahub.utilities.urns.field_paths import get_simple_field_path_from_v2_field_path as simple_path
from metadata_server import TOKEN, MetadataService, metadata_service
from native_account import WINDOW, NativeAccount, serving
from native_sources import ATHENA, REDSHIFT, S3, WAREHOUSE, emit

pytestmark = pytest.mark.filterwarnings("ignore")  # of DataHub's sources and their drivers

State: TypeAlias = dict[str, dict[str, Any]]
"""Aspects by entity, as they stand."""

TIMESERIES = {"operation", "datasetUsageStatistics", "queryUsageStatistics", "datasetProfile"}

GLUE = {"aws_region": REGION, "extract_transforms": False, "include_view_lineage": False}
S3_FOLDERS = {"path_specs": [{"include": "s3://lake/{table}/*.csv"}, {"include": "s3://lake/v1.2/{table}/*.csv"}]}
BESIDE = {"include_catalog_metadata": False}

Sources: TypeAlias = dict[str, dict[str, Any]]

RECIPES: dict[str, tuple[str, Sources, dict[str, Any]]] = {
    "glue": ("boto3", {"glue": GLUE}, BESIDE),
    "athena": (
        "pyathena",
        {"athena": {**ATHENA, "incremental_lineage": True}},
        {**BESIDE, "glue": {"platform": "athena"}},
    ),
    "redshift": (
        "redshift_connector",
        {"redshift": {**REDSHIFT, "incremental_lineage": True}, "glue": GLUE},
        {**BESIDE, "redshift": [WAREHOUSE]},
    ),
    "s3": ("pyarrow", {"s3": {**S3, **S3_FOLDERS}}, {}),
}
"""The package that DataHub's source needs, DataHub's recipes, and ours, as recipes/coexist.yml has them."""


class Shop:
    """The account and the store, with the two sources as `native` and `ours`."""

    def __init__(self, kind: str, folder: Path, account: NativeAccount, service: MetadataService) -> None:
        needs, self._native, self._ours = RECIPES[kind]
        pytest.importorskip(needs, reason=f"acryl-datahub[{kind}] is not installed: make test-natives")
        self._folder, self.account, self.service = folder, account, service

    def configure(self, source: str, config: dict[str, Any]) -> None:
        self._native = {**self._native, source: {**self._native[source], **config}}

    def native(self) -> None:
        for kind, config in self._native.items():
            output = self._folder / "native.json"
            emit(output, kind, config)
            self._take(output)

    def _take(self, output: Path) -> None:
        for written in read_metadata_file(output):
            parts = list(mcps_from_mce(written)) if isinstance(written, MetadataChangeEventClass) else [written]
            for part in parts:
                raw = part.make_mcp() if isinstance(part, MetadataChangeProposalWrapper) else part
                assert self.service.take(pre_json_transform(raw.to_obj())) == []

    def ours(self, **config: Any) -> None:
        base = {"aws_config": {"aws_region": REGION}, **WINDOW}
        pipeline = Pipeline.create(
            {
                "pipeline_name": "coexistence",
                "source": {"type": "aws-lineage", "config": {**base, **self._ours, **config}},
                "sink": {
                    "type": "datahub-rest",
                    "config": {"server": self.service.url, "token": TOKEN, "mode": "SYNC"},
                },
            },
            report_to=None,
        )
        pipeline.run()
        pipeline.raise_from_status()

    def run(self, *turns: Callable[[], None]) -> State:
        for turn in turns:
            turn()
        assert self.service.refused == []
        urns = {str(one.entityUrn) for one in self.service.proposals}
        return {urn: self._aspects(urn) for urn in urns}

    def _aspects(self, urn: str) -> dict[str, Any]:
        found = self.service.entity(urn)["aspects"]
        return {name: one["value"] for name, one in found.items() if name not in TIMESERIES}


@pytest.fixture(params=sorted(RECIPES))
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def shops(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Shop]]:
    """Makes shops of one account, each with a store of its own."""
    with serving(monkeypatch) as account:
        if kind == "redshift":
            pytest.importorskip(
                "redshift_connector", reason="acryl-datahub[redshift] is not installed: make test-natives"
            )
            monkeypatch.setattr("redshift_connector.connect", account.warehouse.connection)
        with metadata_service() as first, metadata_service() as second, metadata_service() as third:
            stores = iter((first, second, third))
            yield lambda: Shop(kind, tmp_path, account, next(stores))


def edges(state: State) -> set[tuple[str, str]]:
    return {
        (upstream["dataset"], urn)
        for urn, aspects in state.items()
        for upstream in aspects.get("upstreamLineage", {}).get("upstreams", ())
    }


def column_edges(state: State) -> set[tuple[str, str]]:
    return {
        (upstream, edge["downstreams"][0])
        for aspects in state.values()
        for edge in aspects.get("upstreamLineage", {}).get("fineGrainedLineages") or ()
        for upstream in edge["upstreams"]
    }


def lost(before: State, after: State) -> set[tuple[str, str]]:
    """Aspects of `before` that `after` lacks or has otherwise, but for lineage and when a table was last changed."""
    return {
        (urn, name)
        for urn, aspects in before.items()
        for name, value in aspects.items()
        if name != "upstreamLineage" and _without_times(value) != _without_times(after.get(urn, {}).get(name))
    }


def _without_times(value: Any) -> Any:
    return {key: one for key, one in value.items() if key != "lastModified"} if isinstance(value, dict) else value


def ghosts(state: State) -> set[str]:
    """Ends of lineage that DataHub's graph leaves out: nobody says that they exist."""
    ends = {end for edge in edges(state) for end in edge}
    return {urn for urn in ends if state.get(urn, {}).get("status", {"removed": True})["removed"]}


def unseen(state: State) -> set[str]:
    """Ends of column edges that DataHub's graph hides: their dataset has a schema without them."""
    schemas = {
        urn: {simple_path(field["fieldPath"]) for field in aspects["schemaMetadata"]["fields"]}
        for urn, aspects in state.items()
        if "schemaMetadata" in aspects
    }
    ends = {end for edge in column_edges(state) for end in edge}
    named = {end: SchemaFieldUrn.from_string(end) for end in ends}
    return {end for end, urn in named.items() if urn.field_path not in schemas.get(urn.parent, {urn.field_path})}


def test_in_every_order(shops: Callable[[], Shop], kind: str) -> None:
    alone = shops()
    native = alone.run(alone.native)
    after_ours = alone.run(alone.ours)
    after_both = alone.run(alone.native)
    other = shops()
    own = other.run(other.ours)
    ours_first = other.run(other.native)
    and_again = other.run(other.ours)

    for after in (after_ours, after_both, ours_first, and_again):
        assert edges(after) == edges(native) | edges(own)
        assert column_edges(after) == column_edges(native) | column_edges(own)
        assert lost(native, after) == set()
        assert ghosts(after) - ghosts(native) == set()
        assert {end for edge in column_edges(own) for end in edge} & unseen(after) == set()
    assert len(edges(own)) > 3
    assert len(column_edges(own)) > 3


REPLACING: dict[str, tuple[str, dict[str, Any]]] = {
    "athena": ("athena", {"incremental_lineage": False}),
    "glue": ("glue", {"emit_storage_lineage": True}),
    "redshift": ("redshift", {"incremental_lineage": False}),
}
"""Recipes of DataHub's sources that replace lineage, which recipes/coexist.yml warns of."""


@pytest.mark.parametrize("kind", sorted(REPLACING))
def test_a_source_that_does_not_patch_takes_edges_of_ours(shops: Callable[[], Shop], kind: str) -> None:
    """A guard for the guard: the store shows what is lost. The next run of ours says them again."""
    source, config = REPLACING[kind]
    shop = shops()
    shop.configure(source, config)
    own = shop.run(shop.ours)
    after = shop.run(shop.native)
    assert column_edges(own) - column_edges(after)
    assert edges(shop.run(shop.ours)) >= edges(own)


@pytest.mark.parametrize("kind", ["athena", "glue", "redshift"])
def test_tables_described_twice(shops: Callable[[], Shop], kind: str) -> None:
    """With `include_catalog_metadata` on, whoever ran last describes a table. Where it belongs is the same."""
    shop = shops()
    native = shop.run(shop.native)
    after = shop.run(lambda: shop.ours(include_catalog_metadata=True))
    replaced = {"containerProperties", "datasetProperties", "schemaMetadata", "viewProperties"}
    assert {name for _, name in lost(native, after)} <= replaced
    assert edges(native) <= edges(after)
    assert unseen(after) <= {end for edge in column_edges(native) for end in edge}


@pytest.mark.parametrize("kind", ["s3"])
def test_locations_that_the_s3_source_does_not_list(shops: Callable[[], Shop], kind: str) -> None:
    """Nobody describes them with `include_s3_datasets` off. On, it takes nothing from the `s3` source, as above."""
    shop = shops()
    native = shop.run(shop.native)
    after = shop.run(lambda: shop.ours(include_s3_datasets=False))
    assert {urn.partition(":s3,")[2] for urn in ghosts(after)} >= {"lake/ice,PROD)", "lake/warehouse/daily,PROD)"}
    assert ghosts(after) & native.keys() == set()
