"""Edges that no statement made: views, locations, resource links, external schemas."""

from __future__ import annotations

from lineage_story import Story, columns, ctas, drop, insert, rename, select, statement, table, truncate

from datahub_aws_lineage.lineage import CatalogIndex, History, Resolver
from datahub_aws_lineage.model.catalog import ExternalSchema, LinkTarget, Table, ViewDefinition
from datahub_aws_lineage.model.lineage import Gap, NoLineage, Statement, StatementLineage, Unresolved
from datahub_aws_lineage.model.names import TableName

ORDERS = "awsdatacatalog.sales.orders"


def view(name: str, schema: str) -> Table:
    target = table(name)
    assert isinstance(target, TableName)
    definition = ViewDefinition("SELECT …", "athena", "awsdatacatalog", "sales")
    return Table("glue", target, columns(schema), view=definition, table_type="VIRTUAL_VIEW")


class TestViews:
    def story(self) -> Story:
        story = Story(known={ORDERS: "id amount", "awsdatacatalog.sales.old": "id"})
        for name in ("v", "w"):
            story.history.add_table(view(f"awsdatacatalog.sales.{name}", "total"))
        return story

    def test_a_view_is_made_by_its_definition(self) -> None:
        story = self.story()
        story.history.apply_view(
            view("awsdatacatalog.sales.v", "total"), (select({"total": f"{ORDERS}:amount AGGREGATION"}),)
        )
        assert story.columns == {"glue:sales.v:total": {"glue:sales.orders:amount AGGREGATION"}}
        [lineage] = story.lineages.values()
        assert [(edge.origin, edge.query) for edge in lineage.edges] == [("view", None)]

    def test_the_definition_replaces_what_the_history_saw(self) -> None:
        story = self.story()
        created = statement("create_view", "awsdatacatalog.sales.v", {"total": "awsdatacatalog.sales.old:id"})
        assert story.athena(created).edges == {"glue:sales.v": {"glue:sales.old"}}
        story.history.apply_view(view("awsdatacatalog.sales.v", "total"), (select({"total": f"{ORDERS}:amount"}),))
        assert story.edges == {"glue:sales.v": {"glue:sales.orders"}}

    def test_a_definition_that_is_not_understood_leaves_the_history_in_place(self) -> None:
        story = self.story()
        story.athena(statement("create_view", "awsdatacatalog.sales.v", {"total": f"{ORDERS}:id"}))
        broken = Statement(0, "select", "SELEC", Unresolved("syntax", "near SELEC"))
        story.history.apply_view(view("awsdatacatalog.sales.v", "total"), (broken,))
        assert story.edges == {"glue:sales.v": {"glue:sales.orders"}}
        assert story.notes.gaps == [("syntax", "view awsdatacatalog.sales.v: near SELEC")]

    def test_a_view_on_a_view_is_one_step(self) -> None:
        story = self.story()
        story.history.apply_view(view("awsdatacatalog.sales.v", "total"), (select({"total": f"{ORDERS}:amount"}),))
        on_view = (select({"total": "awsdatacatalog.sales.v:total"}),)
        story.history.apply_view(view("awsdatacatalog.sales.w", "total"), on_view)
        assert story.edges == {"glue:sales.v": {"glue:sales.orders"}, "glue:sales.w": {"glue:sales.v"}}

    def test_a_view_of_a_warehouse(self) -> None:
        story = self.story()
        name = TableName("dev", "public", "v")
        definition = ViewDefinition("SELECT …", "redshift", "dev", "public")
        over_glue = Table("redshift", name, columns("total"), view=definition)
        story.history.add_table(over_glue)
        story.history.apply_view(over_glue, (select({"total": f"{ORDERS}:amount"}),))
        assert story.edges == {"redshift:dev.public.v": {"glue:sales.orders"}}


class TestStorage:
    def test_each_table_comes_from_its_location(self) -> None:
        story = Story()
        story.knows(ORDERS, "id dt", location="s3a://lake/orders/")
        assert story.columns == {
            "glue:sales.orders:id": {"s3:lake/orders:id"},
            "glue:sales.orders:dt": {"s3:lake/orders:dt"},
        }
        assert [edge.origin for edge in story.lineages["glue:sales.orders"].edges] == ["storage"]

    def test_a_view_has_none(self) -> None:
        story = Story()
        name = TableName("awsdatacatalog", "sales", "v")
        story.history.add_table(Table("glue", name, columns("a"), location="s3://x/y", table_type="VIRTUAL_VIEW"))
        assert story.edges == {}

    def test_other_stores_are_not_named(self) -> None:
        story = Story()
        story.knows(ORDERS, "id", location="hdfs://nn/orders")
        assert story.edges == {}

    def test_it_can_be_left_out(self) -> None:
        story = Story()
        history = History(Resolver(CatalogIndex()), story.notes, lambda text, _: text, storage_lineage=False)
        name = TableName("awsdatacatalog", "sales", "t")
        history.add_table(Table("glue", name, columns("a"), location="s3://lake/t"))
        assert list(history.lineages()) == []


class TestLinks:
    def test_a_link_comes_from_its_target_and_a_statement_goes_to_the_target(self) -> None:
        story = Story(known={ORDERS: "id", "dev.public.t": "x"})
        link = LinkTarget("111111111111", "sales", "orders")
        name = TableName("awsdatacatalog", "shared", "o")
        story.history.add_table(Table("glue", name, columns("id"), link=link))
        story.run(insert("dev.public.t", {"x": "awsdatacatalog.shared.o:id"}))
        assert story.columns == {
            "glue:shared.o:id": {"glue:sales.orders:id"},
            "redshift:dev.public.t:x": {"glue:sales.orders:id"},
        }
        assert [edge.origin for edge in story.lineages["glue:shared.o"].edges] == ["link"]


class TestExternalSchemas:
    def story(self, *, complete: bool = True) -> Story:
        story = Story(known={ORDERS: "id amount", "dev.public.t": "x"}, complete=complete)
        story.history.add_external_schema(ExternalSchema("dev", "spec", "data_catalog", "sales"))
        return story

    def test_what_is_read_through_it_has_both_ends(self) -> None:
        story = self.story().run(insert("dev.public.t", {"x": "dev.spec.orders:amount"}))
        assert story.edges == {
            "redshift:dev.public.t": {"redshift:dev.spec.orders"},
            "redshift:dev.spec.orders": {"glue:sales.orders"},
        }
        assert [edge.origin for edge in story.lineages["redshift:dev.spec.orders"].edges] == ["external_schema"]

    def test_what_is_written_through_it_lands_on_both_ends(self) -> None:
        story = self.story().run(insert("dev.spec.orders", {"id": "dev.public.t:x"}))
        assert story.columns == {
            "glue:sales.orders:id": {"redshift:dev.public.t:x"},
            "redshift:dev.spec.orders:id": {"redshift:dev.public.t:x", "glue:sales.orders:id"},
            "redshift:dev.spec.orders:amount": {"glue:sales.orders:amount"},
        }

    def test_a_table_that_reads_itself_through_it_makes_no_circle(self) -> None:
        story = self.story().run(insert("dev.spec.orders", {"id": "dev.spec.orders:id TRANSFORMATION"}))
        assert story.edges == {"redshift:dev.spec.orders": {"glue:sales.orders"}}

    def test_a_table_that_the_warehouse_lists_is_shown_though_no_statement_names_it(self) -> None:
        story = self.story()
        story.knows("dev.spec.orders", "id amount")
        assert story.edges == {"redshift:dev.spec.orders": {"glue:sales.orders"}}

    def test_a_table_made_through_it_stays_until_either_name_is_dropped(self) -> None:
        made = ctas("dev.spec.tmp", {"k": f"{ORDERS}:id"}), insert("dev.public.t", {"x": "dev.spec.tmp:k"})
        assert self.story(complete=False).run(*made).edges["redshift:dev.public.t"] == {"redshift:dev.spec.tmp"}
        for gone in (drop("dev.spec.tmp"), drop("awsdatacatalog.sales.tmp")):
            assert self.story(complete=False).run(*made, gone).edges == {"redshift:dev.public.t": {"glue:sales.orders"}}

    def test_what_is_of_an_unknown_system_is_told_and_no_dataset(self) -> None:
        story = self.story()
        story.history.add_external_schema(ExternalSchema("dev", "stream", "other", None))
        story.run(
            insert("dev.public.t", {"x": "dev.stream.clicks:payload"}), insert("dev.stream.clicks", reads=[ORDERS])
        )
        assert story.edges == {}
        assert story.unknown() == {("table", "dev.stream.clicks")}


def test_what_a_statement_of_another_kind_of_name_does_is_left_alone() -> None:
    """Names without a dataset can be dropped, emptied and renamed all the same."""
    story = Story(known={ORDERS: "id"})
    gone = "dev.pg_catalog.x"
    story.run(
        drop(gone), truncate(gone), rename(gone, "dev.public.y"), drop("stg"), truncate("stg"), rename("stg", "s")
    )
    assert story.edges == {}
    assert story.notes.skips == []


def test_gaps_are_told_once_a_statement() -> None:
    story = Story(known={ORDERS: "id", "awsdatacatalog.sales.t": "x"})
    starred = Statement(
        0,
        "insert",
        "INSERT INTO t SELECT *",
        StatementLineage((table(ORDERS),), (), gaps=(Gap("star", "orders"),)),
        output=table("awsdatacatalog.sales.t"),
    )
    understood = Statement(0, "utility", "SHOW x", NoLineage(gaps=(Gap("source", "x"),)))
    story.athena(starred, starred, understood)
    assert [what for what, _ in story.notes.gaps] == ["star", "source"]
    assert story.edges == {"glue:sales.t": {"glue:sales.orders"}}
