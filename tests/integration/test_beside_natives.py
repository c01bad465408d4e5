"""One account through DataHub's own `glue`, `athena`, `redshift`, `s3` and `iceberg` sources and through ours.

By the same options the same entities: where ours differ, docs/beside_datahub.md says so, and a test here names it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from native_account import NativeAccount, serving
from native_sources import ATHENA, REDSHIFT, S3, WAREHOUSE, Emitted, emit, glue, ours
from native_warehouse import FEDERATED, FEDERATED_STATEMENTS, MIXED, MIXED_STATEMENTS, NativeWarehouse

# What DataHub's sources and their drivers warn of is theirs; raised, it would change what DataHub's converter does.
pytestmark = pytest.mark.filterwarnings("ignore")

NAMES: list[dict[str, Any]] = [{}, {"platform_instance": "Prod", "env": "DEV"}]
ICEBERG = "urn:li:dataset:(urn:li:dataPlatform:iceberg,sales.ice,PROD)"


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[NativeAccount]:
    with serving(monkeypatch) as account:
        yield account


def redshift(output: Path, account: NativeAccount, monkeypatch: pytest.MonkeyPatch, **config: Any) -> Emitted:
    pytest.importorskip("redshift_connector", reason="acryl-datahub[redshift] is not installed: make test-natives")
    monkeypatch.setattr("redshift_connector.connect", account.warehouse.connection)
    return emit(output, "redshift", {**REDSHIFT, **config})


def athena(output: Path, **config: Any) -> Emitted:
    pytest.importorskip("pyathena", reason="acryl-datahub[athena] is not installed: make test-natives")
    emitted = emit(output, "athena", {**ATHENA, **config})
    assert emitted.warnings == []
    return emitted


def s3(output: Path, *include: str, **config: Any) -> Emitted:
    pytest.importorskip("pyarrow", reason="acryl-datahub[s3-slim] is not installed: make test-natives")
    return emit(output, "s3", {**S3, "path_specs": [{"include": one} for one in include], **config})


def of(platform: str, urns: set[str]) -> set[str]:
    return {urn for urn in urns if f":{platform}," in urn}


def fields_of(platform: str, emitted: Emitted) -> set[tuple[str, str]]:
    return {(urn, path) for urn, path in emitted.fields if f":{platform}," in urn}


def between(upstream: str, downstream: str, edges: set[tuple[str, str]]) -> set[tuple[str, str]]:
    return {edge for edge in edges if f":{upstream}," in edge[0] and f":{downstream}," in edge[1]}


def names(platform: str, edges: set[tuple[str, str]]) -> set[str]:
    """Of the upstreams of that platform."""
    return {urn.split(",")[1] for urn, _ in edges if f":{platform}," in urn}


def assert_same_entities(platform: str, native: Emitted, own: Emitted) -> None:
    assert of(platform, own.datasets) == native.datasets
    assert native.containers <= own.containers
    assert fields_of(platform, own) == native.fields
    assert len(native.fields) > 8


# ---- glue -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("names", NAMES)
@pytest.mark.parametrize("platform", ["glue", "athena"])
def test_glue(account: NativeAccount, tmp_path: Path, platform: str, names: dict[str, Any]) -> None:
    native = glue(tmp_path / "native.json", platform=platform, emit_storage_lineage=True, **names)
    own = ours(tmp_path / "ours.json", glue={"platform": platform}, **names)
    assert_same_entities(platform, native, own)
    assert native.containers == own.containers
    assert between("s3", platform, own.edges) - native.edges == {
        (upstream, downstream) for upstream, downstream in own.edges if "sales.ice" in downstream
    }, "an Iceberg table comes from its location here, from the dataset of DataHub's `iceberg` source there"
    unlike = {upstream for upstream, _ in native.edges - own.edges}
    if platform == "glue":
        assert {urn.replace("Prod.", "").replace("DEV", "PROD") for urn in unlike} == {ICEBERG}
    else:
        assert all("sales.ice" in urn for urn in unlike), "its own platform's dataset: an edge to itself"


# ---- athena ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("names", NAMES)
def test_athena(account: NativeAccount, tmp_path: Path, names: dict[str, Any]) -> None:
    native = athena(tmp_path / "native.json", **names)
    own = ours(tmp_path / "ours.json", glue={"platform": "athena"}, **names)
    assert_same_entities("athena", native, own)
    assert between("athena", "athena", native.edges) <= own.edges
    assert between("athena", "athena", native.column_edges) <= own.column_edges
    assert len(between("athena", "athena", native.column_edges)) == 2
    further = native.edges - own.edges
    assert {upstream for upstream, _ in further} == of("glue", {upstream for upstream, _ in native.edges}), (
        "DataHub's `athena` source has each table come from the `glue` dataset of that name"
    )


def test_athena_beside_glue(account: NativeAccount, tmp_path: Path) -> None:
    """Where both describe the catalog, `glue.platform` stays `glue`: the `athena` datasets hang below those."""
    native = athena(tmp_path / "native.json", glue_platform_instance="Prod", platform_instance="sql")
    own = ours(tmp_path / "ours.json", platform_instance="Prod")
    assert {upstream for upstream, _ in between("glue", "athena", native.edges)} <= own.datasets


# ---- redshift -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("instance", [None, "dwh"])
def test_redshift(
    account: NativeAccount, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, instance: str | None
) -> None:
    catalog = {"platform_instance": "Prod", "env": "DEV"} if instance else {}
    maps = {"platform_instance": instance, "env": "DEV", "platform_instance_map": {"glue": "Prod", "s3": "Lake"}}
    native = redshift(tmp_path / "native.json", account, monkeypatch, **(maps if instance else {}))
    warehouse = {**WAREHOUSE, "platform_instance": instance}
    s3_instance = {"s3_platform_instance": "Lake"} if instance else {}
    own = ours(tmp_path / "ours.json", redshift=[warehouse], **catalog, **s3_instance)
    assert_same_entities("redshift", native, own)
    assert native.edges <= own.edges
    assert {tuple(end.rsplit(",", 1)[1] for end in edge) for edge in native.column_edges - own.column_edges} == {
        ("amount)", "amount)")
    }, "COPY goes by position: the file's second column is `total`"


def test_redshift_with_mixed_case(account: NativeAccount, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables are lower case here, columns as stored: so DataHub's source has them with `convert_urns_to_lowercase`."""
    account.warehouse = NativeWarehouse(MIXED, MIXED_STATEMENTS, {})
    lower = {"convert_urns_to_lowercase": True, "platform_instance": "dwh"}
    native = redshift(tmp_path / "native.json", account, monkeypatch, **lower)
    own = ours(tmp_path / "ours.json", redshift=[{**WAREHOUSE, "platform_instance": "dwh"}])
    assert of("redshift", own.datasets) == native.datasets
    assert fields_of("redshift", own) == native.fields
    described = {f"urn:li:schemaField:({urn},{path})" for urn, path in native.fields}
    ends = {end for edge in between("redshift", "redshift", own.column_edges) for end in edge}
    assert ends == described
    assert native.edges == set(), "DataHub's SQL parser makes no lineage of names in mixed case"
    assert len(native.containers - own.containers) == 1, "the schema, whose container keeps its case there"


def test_postgres_and_partition_folders(
    account: NativeAccount, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    account.warehouse = NativeWarehouse(FEDERATED, FEDERATED_STATEMENTS, federated={"crm": "crmdb"})
    native = redshift(tmp_path / "native.json", account, monkeypatch)
    own = ours(tmp_path / "ours.json", redshift=[WAREHOUSE])
    assert names("postgres", native.edges) == {"crmdb.accounts"}, "without the schema, which DataHub's source has"
    assert names("postgres", own.edges) == {"crmdb.public.accounts"}
    assert names("s3", between("s3", "redshift", native.edges)) == {"exchange/in/dt=1"}
    assert names("s3", between("s3", "redshift", own.edges)) == {"exchange/in"}
    by_table = {"s3_lineage_config": {"path_specs": [{"include": "s3://exchange/{table}/dt=*/*.csv"}]}}
    told = redshift(tmp_path / "native.json", account, monkeypatch, **by_table)
    assert names("s3", between("s3", "redshift", told.edges)) == {"exchange/in"}
    assert {urn for urn in native.datasets - own.datasets if ".crm." not in urn} == set()


def test_an_instance_in_upper_case_is_lowered_with_the_name(
    account: NativeAccount, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By `convert_urns_to_lowercase`: so the instance has to be lower case in both recipes."""
    names = {"convert_urns_to_lowercase": True, "platform_instance": "DWH"}
    native = redshift(tmp_path / "native.json", account, monkeypatch, **names)
    assert all("redshift,dwh.dev." in urn for urn in native.datasets)


# ---- s3 -------------------------------------------------------------------------------------------------------------

TABLE_FOLDERS = (
    "s3://lake/sales/{table}/{partition_key[0]}={partition[0]}/*.csv",
    "s3://lake/v1.2/{table}/*.csv",
    "s3://lake/{table}/*.csv",
)


@pytest.mark.parametrize("instance", [None, "Lake"])
def test_s3(account: NativeAccount, tmp_path: Path, instance: str | None) -> None:
    """A `{table}` at the folder that is the table: partitions belong to it, names keep case, dots and extension."""
    native = s3(tmp_path / "native.json", *TABLE_FOLDERS, platform_instance=instance)
    own = ours(tmp_path / "ours.json", s3_platform_instance=instance)
    prefix = f"{instance}." if instance else ""
    names = {f"{prefix}lake/{name}" for name in ("sales/orders", "v1.2/Events", "daily", "files")}
    assert native.datasets == {f"urn:li:dataset:(urn:li:dataPlatform:s3,{name},PROD)" for name in names}
    assert {urn for urn in native.datasets - own.datasets if "lake/files," not in urn} == set()
    assert {edge[0] for edge in own.edges} & native.datasets


def test_s3_without_a_table_in_the_path(account: NativeAccount, tmp_path: Path) -> None:
    """Then each file is a dataset there; here only where the Data Catalog has the file for a table's location."""
    native = s3(tmp_path / "native.json", "s3://lake/files/*.csv", "s3://lake/daily/*.csv")
    own = ours(tmp_path / "ours.json")
    assert {urn.partition(":s3,")[2] for urn in native.datasets & own.datasets} == {"lake/files/prices.csv,PROD)"}
    assert {urn.partition(":s3,")[2] for urn in native.datasets - own.datasets} == {"lake/daily/000.csv,PROD)"}


def test_s3_in_lower_case(account: NativeAccount, tmp_path: Path) -> None:
    """Keys of S3 have case: `convert_urns_to_lowercase` there parts the `s3` source from `glue`, and from ours."""
    native = s3(tmp_path / "native.json", "s3://lake/v1.2/{table}/*.csv", convert_urns_to_lowercase=True)
    own = ours(tmp_path / "ours.json")
    assert native.datasets == {"urn:li:dataset:(urn:li:dataPlatform:s3,lake/v1.2/events,PROD)"}
    assert native.datasets & own.datasets == set()


@pytest.mark.parametrize(
    ("location", "stays"),
    [
        ("s3://lake/a/b/", True),
        ("s3n://lake/a/x.csv", True),
        ("s3a://lake/V1.2/Events", True),
        ("s3://lake/with space/ünï%20code", True),
        ("s3://lake/(odd),name/", True),
        ("s3://lake/a//b/", True),
        ("s3://lake/a/b//", False),  # all closing slashes go, as in the `s3` source
        ("S3://lake/a", False),  # not taken for S3 there
    ],
)
def test_names_of_catalogued_locations(location: str, stays: bool) -> None:
    from datahub.ingestion.source.aws.s3_util import make_s3_urn, make_s3_urn_for_lineage

    from datahub_aws_lineage.emit.urns import dataset_urn
    from datahub_aws_lineage.lineage.locations import location_name
    from datahub_aws_lineage.model.names import Dataset

    own = dataset_urn(Dataset("s3", location_name(location) or ""), "PROD")
    if location.startswith("s3"):
        assert (make_s3_urn_for_lineage(location, "PROD") == own) is stays
    if location.endswith("x.csv"):
        assert make_s3_urn(location, "PROD") == own.replace("x.csv", "x_csv"), "jobs of Glue, and theirs alone"


# ---- iceberg --------------------------------------------------------------------------------------------------------


def iceberg(output: Path, warehouse: Path, **config: Any) -> Emitted:
    pytest.importorskip("pyiceberg.catalog.sql", reason="pyiceberg[sql-sqlite] is not installed: make test-natives")
    from pyiceberg.catalog import load_catalog
    from pyiceberg.schema import Schema
    from pyiceberg.types import LongType, NestedField

    catalog = {"type": "sql", "uri": f"sqlite:///{warehouse}/catalog.db", "warehouse": f"file://{warehouse}"}
    loaded = load_catalog("local", **catalog)
    if not loaded.namespace_exists("sales"):
        loaded.create_namespace("sales")
        loaded.create_table("sales.ice", Schema(NestedField(1, "id", LongType())))
    return emit(output, "iceberg", {"catalog": {"local": catalog}, **config})


def test_iceberg(account: NativeAccount, tmp_path: Path) -> None:
    """A table of the Data Catalog is a dataset of its own there; DataHub's `glue` source draws the edge between."""
    native = iceberg(tmp_path / "native.json", tmp_path)
    assert native.datasets == {ICEBERG}
    through = glue(tmp_path / "glue.json", emit_storage_lineage=True)
    assert ICEBERG in {upstream for upstream, _ in through.edges}
    assert of("iceberg", ours(tmp_path / "ours.json").datasets) == set()


def test_s3_tables(account: NativeAccount, tmp_path: Path) -> None:
    """Of a bucket of S3 Tables the catalog's name is the instance, as in DataHub's `athena` source."""
    bucket = "s3tablescatalog/analytics"
    native = iceberg(tmp_path / "native.json", tmp_path, platform_instance=bucket)
    account.ran.append(account.statement(f'INSERT INTO sales.daily SELECT id, 1.0 FROM "{bucket}"."sales"."ice"'))
    own = ours(tmp_path / "ours.json")
    assert of("iceberg", {upstream for upstream, _ in own.edges}) == native.datasets
    above = athena(tmp_path / "athena.json", catalog_name=bucket)
    assert native.datasets <= {upstream for upstream, _ in above.edges}
