"""Each row of the table of names: what SQL calls a table, and the dataset that it is."""

from __future__ import annotations

import pytest

from datahub_aws_lineage.lineage import CatalogIndex, Naming, Resolved, Resolver, Unknown
from datahub_aws_lineage.model.catalog import (
    Column,
    Database,
    Datashare,
    ExternalSchema,
    ExternalSchemaKind,
    LinkTarget,
    Table,
)
from datahub_aws_lineage.model.names import Dataset, Dialect, S3Location, TableName, TemporaryTable

ID = (Column("id", "int"),)
OWN, OTHER = "111111111111", "222222222222"


def glue(name: str, *, link: LinkTarget | None = None, location: str | None = None, owner: str | None = OWN) -> Table:
    catalog, database, table = name.split(".")
    columns = None if link else ID
    return Table("glue", TableName(catalog, database, table), columns, link=link, location=location, catalog_id=owner)


def redshift(name: str) -> Table:
    database, schema, table = name.split(".")
    return Table("redshift", TableName(database, schema, table), ID)


def external(
    schema: str | None, kind: ExternalSchemaKind, source: str | None, source_schema: str | None = None, **options: str
) -> ExternalSchema:
    return ExternalSchema("dev", schema, kind, source, source_schema, options)


def resolved(resolver: Resolver, name: str, dialect: Dialect = "athena", warehouse: str | None = None) -> Resolved:
    catalog, database, table = name.split(".", 2)
    found = resolver.resolve(TableName(catalog, database, table), dialect, warehouse)
    assert isinstance(found, Resolved), found
    return found


@pytest.fixture
def index() -> CatalogIndex:
    index = CatalogIndex()
    index.add_table(glue("awsdatacatalog.sales.orders", location="s3://lake/orders/"))
    index.add_table(glue("s3tablescatalog/bucket.ns.t"))
    index.add_table(redshift("dev.public.orders"), "wg")
    return index


class TestAthena:
    def test_the_data_catalog_is_glue(self, index: CatalogIndex) -> None:
        found = resolved(Resolver(index), "awsdatacatalog.sales.orders")
        location = Dataset("s3", "lake/orders")
        assert found == Resolved(Dataset("glue", "sales.orders"), known=True, columns=ID, storage=location)

    def test_any_case_is_the_same_table(self, index: CatalogIndex) -> None:
        assert resolved(Resolver(index), "AwsDataCatalog.Sales.ORDERS").dataset == Dataset("glue", "sales.orders")

    def test_a_platform_instance_is_kept_as_given(self, index: CatalogIndex) -> None:
        naming = Naming(glue_instance="Prod-EU", redshift_instances={"wg": "Analytics"})
        resolver = Resolver(index, naming)
        assert resolved(resolver, "awsdatacatalog.sales.orders").dataset.instance == "Prod-EU"
        assert resolved(resolver, "dev.public.orders", "redshift", "wg").dataset.instance == "Analytics"

    def test_a_connector_without_an_entry_is_athena(self, index: CatalogIndex) -> None:
        found = resolved(Resolver(index), "lambda_catalog.db.t")
        assert (found.dataset, found.known, found.complete) == (Dataset("athena", "lambda_catalog.db.t"), False, False)

    def test_a_connector_with_an_entry_is_its_platform(self, index: CatalogIndex) -> None:
        naming = Naming(athena_catalogs={"Lambda_Catalog": ("mysql", "Shop", None)})
        assert resolved(Resolver(index, naming), "lambda_catalog.db.t").dataset == Dataset("mysql", "db.t", "Shop")

    def test_s3_tables(self, index: CatalogIndex) -> None:
        found = resolved(Resolver(index), "s3tablescatalog/bucket.ns.t")
        assert found.dataset == Dataset("iceberg", "ns.t", "s3tablescatalog/bucket")
        assert found.known
        as_glue = resolved(Resolver(index, Naming(s3_tables_platform="glue")), "s3tablescatalog/bucket.ns.t")
        assert as_glue.dataset == Dataset("glue", "ns.t", "s3tablescatalog/bucket")

    @pytest.mark.parametrize("suffix", ["snapshots", "partitions", "history", "files", "manifests", "refs"])
    def test_a_metadata_table_is_its_table(self, index: CatalogIndex, suffix: str) -> None:
        name = f"awsdatacatalog.sales.orders${suffix}"
        assert resolved(Resolver(index), name).dataset == Dataset("glue", "sales.orders")
        assert index.columns(TableName("awsdatacatalog", "sales", f"orders${suffix}"), "athena") is None

    def test_a_table_may_have_a_dollar_in_its_name(self, index: CatalogIndex) -> None:
        index.add_table(glue("awsdatacatalog.sales.a$files"))
        assert resolved(Resolver(index), "awsdatacatalog.sales.a$files").dataset.name == "sales.a$files"
        assert resolved(Resolver(index), "awsdatacatalog.sales.a$b").dataset.name == "sales.a$b"

    def test_the_information_schema_is_no_dataset(self, index: CatalogIndex) -> None:
        name = TableName("awsdatacatalog", "information_schema", "tables")
        assert Resolver(index).resolve(name, "athena") == Unknown("system", str(name))


class TestResourceLinks:
    def test_a_link_is_its_target(self, index: CatalogIndex) -> None:
        index.add_table(glue("awsdatacatalog.linked.o", link=LinkTarget(OWN, "sales", "orders")))
        found = resolved(Resolver(index), "awsdatacatalog.linked.o")
        assert (found.dataset, found.known, found.columns) == (Dataset("glue", "sales.orders"), True, ID)

    def test_another_account_has_its_own_instance_and_is_known_by_the_link(self, index: CatalogIndex) -> None:
        index.add_table(glue("awsdatacatalog.linked.o", link=LinkTarget(OTHER, "sales", "orders")))
        naming = Naming(glue_instance="here", glue_instances={OTHER: "there"})
        found = resolved(Resolver(index, naming), "awsdatacatalog.linked.o")
        assert (found.dataset, found.known) == (Dataset("glue", "sales.orders", "there"), True)

    def test_a_database_link(self, index: CatalogIndex) -> None:
        link = Database("glue", "awsdatacatalog", "linked", link=LinkTarget(OWN, "sales"))
        index.add_database(link)
        assert resolved(Resolver(index), "awsdatacatalog.linked.orders").dataset == Dataset("glue", "sales.orders")

    def test_links_in_a_circle_end(self, index: CatalogIndex) -> None:
        index.add_table(glue("awsdatacatalog.x.a", link=LinkTarget(OWN, "x", "b")))
        index.add_table(glue("awsdatacatalog.x.b", link=LinkTarget(OWN, "x", "a")))
        assert resolved(Resolver(index), "awsdatacatalog.x.a").dataset.platform == "glue"

    def test_two_accounts_with_one_name_do_not_mix(self, index: CatalogIndex) -> None:
        there = Table("glue", TableName("awsdatacatalog", "sales", "orders"), (), catalog_id=OTHER)
        index.add_table(there)
        assert index.columns(TableName("awsdatacatalog", "sales", "orders"), "athena") == ID
        index.add_table(glue("awsdatacatalog.linked.o", link=LinkTarget(OTHER, "sales", "orders")))
        assert resolved(Resolver(index), "awsdatacatalog.linked.o").columns == ()


class TestRedshift:
    def test_a_table_of_the_warehouse(self, index: CatalogIndex) -> None:
        found = resolved(Resolver(index), "dev.public.orders", "redshift", "wg")
        assert found == Resolved(Dataset("redshift", "dev.public.orders"), known=True, columns=ID)

    def test_each_warehouse_has_its_own_tables(self, index: CatalogIndex) -> None:
        assert not resolved(Resolver(index), "dev.public.orders", "redshift", "other").known

    def test_the_mounted_data_catalog(self, index: CatalogIndex) -> None:
        found = resolved(Resolver(index), "awsdatacatalog.sales.orders", "redshift", "wg")
        assert (found.dataset, found.columns) == (Dataset("glue", "sales.orders"), ID)

    def test_s3_tables(self, index: CatalogIndex) -> None:
        found = resolved(Resolver(index), "bucket@s3tablescatalog.ns.t", "redshift", "wg")
        assert (found.dataset, found.known) == (Dataset("iceberg", "ns.t", "s3tablescatalog/bucket"), True)

    def test_an_external_schema_has_two_ends(self, index: CatalogIndex) -> None:
        index.add_external_schema(external("spec", "data_catalog", "sales"), "wg")
        found = resolved(Resolver(index), "dev.spec.orders", "redshift", "wg")
        assert found.dataset == Dataset("redshift", "dev.spec.orders")
        assert found.source is not None
        assert found.source.dataset == Dataset("glue", "sales.orders")
        assert found.known
        assert index.columns(TableName("dev", "spec", "orders"), "redshift", "wg") == ID

    def test_an_external_schema_of_another_account(self, index: CatalogIndex) -> None:
        index.add_external_schema(external("spec", "data_catalog", "sales", CATALOG_ID=OTHER), "wg")
        resolver = Resolver(index, Naming(glue_instances={OTHER: "there"}))
        source = resolved(resolver, "dev.spec.orders", "redshift", "wg").source
        assert source is not None
        assert source.dataset == Dataset("glue", "sales.orders", "there")

    def test_an_external_schema_over_s3_tables(self, index: CatalogIndex) -> None:
        options = {"catalog_id": f"{OWN}:s3tablescatalog/bucket"}
        index.add_external_schema(external("lake", "data_catalog", "ns", **options), "wg")
        source = resolved(Resolver(index), "dev.lake.t", "redshift", "wg").source
        assert source is not None
        assert source.dataset == Dataset("iceberg", "ns.t", "s3tablescatalog/bucket")

    @pytest.mark.parametrize(
        ("kind", "source_schema", "expected"),
        [
            ("postgres", "shop", Dataset("postgres", "crm.shop.t", "Crm-1")),
            ("postgres", None, Dataset("postgres", "crm.public.t", "Crm-1")),
            ("mysql", None, Dataset("mysql", "crm.t", "Crm-1")),
            ("hive", None, Dataset("hive", "crm.t", "Crm-1")),
        ],
    )
    def test_a_federated_schema_is_the_other_system(
        self, index: CatalogIndex, kind: ExternalSchemaKind, source_schema: str | None, expected: Dataset
    ) -> None:
        index.add_external_schema(external("fed", kind, "crm", source_schema), "wg")
        resolver = Resolver(index, Naming(external_instances={"dev.fed": "Crm-1"}))
        assert resolved(resolver, "dev.fed.t", "redshift", "wg").dataset == expected

    @pytest.mark.parametrize("kind", ["kinesis", "kafka"])
    def test_a_stream_is_that_of_its_platform(self, index: CatalogIndex, kind: ExternalSchemaKind) -> None:
        index.add_external_schema(external("stream", kind, None), "wg")
        resolver = Resolver(index, Naming(external_instances={"dev.stream": "msk-1"}))
        assert resolved(resolver, "dev.stream.clicks", "redshift", "wg").dataset == Dataset(kind, "clicks", "msk-1")

    def test_a_schema_of_another_kind_has_no_dataset(self, index: CatalogIndex) -> None:
        index.add_external_schema(external("stream", "other", None), "wg")
        found = Resolver(index).resolve(TableName("dev", "stream", "t"), "redshift", "wg")
        assert found == Unknown("external_schema", "dev.stream.t")

    def test_a_local_database_behind_a_schema(self, index: CatalogIndex) -> None:
        index.add_external_schema(external("near", "redshift", "sales_db", "marts"), "wg")
        found = resolved(Resolver(index), "dev.near.t", "redshift", "wg")
        assert found.dataset == Dataset("redshift", "sales_db.marts.t")

    def test_schemas_in_a_circle_end(self, index: CatalogIndex) -> None:
        index.add_external_schema(external("here", "redshift", "dev", "there"), "wg")
        index.add_external_schema(external("there", "redshift", "dev", "here"), "wg")
        assert resolved(Resolver(index), "dev.here.t", "redshift", "wg").dataset.platform == "redshift"

    def test_an_external_schema_without_its_database_is_the_warehouses(self, index: CatalogIndex) -> None:
        index.add_external_schema(external("spec", "data_catalog", None), "wg")
        found = resolved(Resolver(index), "dev.spec.t", "redshift", "wg")
        assert (found.dataset, found.source) == (Dataset("redshift", "dev.spec.t"), None)

    def test_a_federated_schema_without_its_database_has_no_dataset(self, index: CatalogIndex) -> None:
        index.add_external_schema(external("fed", "postgres", None), "wg")
        found = Resolver(index).resolve(TableName("dev", "fed", "t"), "redshift", "wg")
        assert found == Unknown("external_schema", "dev.fed.t")

    def test_a_datashare_is_the_producers_table(self, index: CatalogIndex) -> None:
        share = ExternalSchema("shared", None, "datashare", "prod", options={"datashare_producer_namespace": "ns-1"})
        index.add_external_schema(share, "wg")
        index.add_table(redshift("prod.public.t"), "producer")
        naming = Naming(redshift_instances={"producer": "P", "wg": "C"}, namespace_instances={"ns-1": "Elsewhere"})
        far = resolved(Resolver(index, naming), "shared.public.t", "redshift", "wg")
        assert (far.dataset, far.known) == (Dataset("redshift", "prod.public.t", "Elsewhere"), False)
        index.add_share(Datashare("ns-1", "another", "elsewhere"), "producer")
        near = resolved(Resolver(index, naming), "shared.public.t", "redshift", "wg")
        assert (near.dataset, near.known) == (Dataset("redshift", "prod.public.t", "P"), True)

    @pytest.mark.parametrize("schema", ["pg_catalog", "information_schema"])
    def test_system_tables_are_no_datasets(self, index: CatalogIndex, schema: str) -> None:
        name = TableName("dev", schema, "stl_query")
        assert Resolver(index).resolve(name, "redshift", "wg") == Unknown("system", str(name))

    def test_a_temporary_table_is_no_dataset(self, index: CatalogIndex) -> None:
        assert Resolver(index).resolve(TemporaryTable("#stg"), "redshift") == Unknown("temporary", "#stg")


class TestS3:
    @pytest.mark.parametrize(
        ("uri", "name"),
        [
            ("s3://lake/orders/", "lake/orders"),
            ("s3a://lake/orders/dt=2024-01-01/part-0000.parquet", "lake/orders"),
            ("s3://lake/orders/backfill/x.csv", "lake/orders"),  # within a table's location
            ("s3://lake/orders_old/", "lake/orders_old"),
        ],
    )
    def test_a_location_is_that_of_the_table_around_it(self, index: CatalogIndex, uri: str, name: str) -> None:
        found = Resolver(index).resolve(S3Location(uri), "redshift")
        assert found == Resolved(Dataset("s3", name), known=True)

    def test_reading_a_folder_reads_the_one_table_below_it(self, index: CatalogIndex) -> None:
        assert Resolver(index).resolve(S3Location("s3://lake/"), "redshift") == Resolved(
            Dataset("s3", "lake/orders"), known=True
        )

    def test_writing_to_a_folder_writes_to_no_table_below_it(self, index: CatalogIndex) -> None:
        written = Resolver(index).resolve(S3Location("s3://lake/"), "redshift", written=True)
        assert written == Resolved(Dataset("s3", "lake"), known=True)

    def test_a_view_has_no_location(self, index: CatalogIndex) -> None:
        view = Table(
            "glue", TableName("awsdatacatalog", "sales", "v"), ID, location="s3://views/v", table_type="VIRTUAL_VIEW"
        )
        index.add_table(view)
        assert index.locations.longest_prefix("s3://views/v/x") is None

    def test_other_stores_are_not_named(self, index: CatalogIndex) -> None:
        assert Resolver(index).resolve(S3Location("dynamodb://t"), "redshift") == Unknown("location", "dynamodb://t")


class TestCompleteness:
    def test_a_catalog_that_was_read_to_its_end_says_so_of_what_it_lacks(self, index: CatalogIndex) -> None:
        assert not resolved(Resolver(index), "awsdatacatalog.sales.gone").complete
        index.mark_complete()
        found = resolved(Resolver(index), "awsdatacatalog.sales.gone")
        assert (found.known, found.complete) == (False, True)

    def test_of_what_the_recipe_filters_out_nothing_is_known(self, index: CatalogIndex) -> None:
        index.mark_complete(covers=lambda name: name.database == "sales")
        assert resolved(Resolver(index), "awsdatacatalog.sales.gone").complete
        assert not resolved(Resolver(index), "awsdatacatalog.hidden.t").complete

    def test_each_database_of_each_warehouse_stands_alone(self, index: CatalogIndex) -> None:
        index.mark_complete("dev", warehouse="wg")
        resolver = Resolver(index)
        assert resolved(resolver, "dev.public.gone", "redshift", "wg").complete
        assert not resolved(resolver, "other.public.gone", "redshift", "wg").complete
        assert not resolved(resolver, "dev.public.gone", "redshift", "wg2").complete
