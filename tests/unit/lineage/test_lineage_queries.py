"""Query entities: one a distinct statement and set of default names."""

from __future__ import annotations

from datetime import timedelta

from lineage_story import ATHENA, START, Story, ctas, drop, insert, rename, select, statement

from datahub_aws_lineage.lineage import Naming
from datahub_aws_lineage.model.lineage import Query
from datahub_aws_lineage.model.queries import SqlContext

ORDERS, T = "awsdatacatalog.sales.orders", "awsdatacatalog.sales.t"


def subjects(query: Query) -> list[str]:
    return [str(subject) for subject in query.subjects]


def story() -> Story:
    return Story(known={ORDERS: "id amount", T: "x", "dev.public.src": "a", "dev.public.t": "x"})


def test_runs_of_one_statement_are_one_query() -> None:
    told = story()
    for amount in (1, 22):
        one = statement("insert", T, {"x": f"{ORDERS}:id"}, text=f"INSERT INTO t … WHERE amount = {amount}")
        told.athena(one)
    [query] = told.queries
    minute = timedelta(minutes=1)
    assert (query.runs, query.first_seen, query.last_seen) == (2, START + minute, START + 2 * minute)
    assert query.text.endswith("amount = 22"), "the newest text that ran"
    assert subjects(query) == ["glue:sales.orders", "glue:sales.t"]
    assert [(str(dataset), column) for dataset, column in query.column_subjects] == [
        ("glue:sales.orders", "id"),
        ("glue:sales.t", "x"),
    ]


def test_one_text_under_two_default_databases_is_two_queries() -> None:
    told = Story(known={"awsdatacatalog.a.o": "x", "awsdatacatalog.b.o": "x"})
    for database in ("a", "b"):
        one = statement("select", None, {"x": f"awsdatacatalog.{database}.o:x"}, text="SELECT x FROM o")
        told.run(one, session=None, context=SqlContext("athena", "awsdatacatalog", database))
    assert sorted(map(subjects, told.queries)) == [["glue:a.o"], ["glue:b.o"]]


def test_one_text_on_two_warehouses_is_two_queries_where_their_tables_are_two() -> None:
    told = Story(naming=Naming(redshift_instances={"one": "One", "two": "Two"}), complete=False)
    for warehouse in ("one", "two", "two"):
        told.history.apply(told.record(), (select({"x": "dev.public.o:x"}),), warehouse)
    assert sorted((subjects(query), query.runs) for query in told.queries) == [
        (["redshift:One.dev.public.o"], 1),
        (["redshift:Two.dev.public.o"], 2),
    ]


def test_a_select_is_a_query_without_edges() -> None:
    told = story().athena(select({"x": f"{ORDERS}:id"}))
    assert told.edges == {}
    assert [subjects(query) for query in told.queries] == [["glue:sales.orders"]]


def test_a_select_of_nothing_known_is_none() -> None:
    told = story().athena(select({}), select({"x": "awsdatacatalog.sales.gone:id"}))
    assert told.queries == []
    assert told.unknown() == {("table", "glue:sales.gone")}


def test_edges_name_queries_that_are_there() -> None:
    told = story().athena(insert(T, {"x": f"{ORDERS}:id"}))
    [query] = told.queries
    [lineage] = told.lineages.values()
    assert {edge.query for edge in lineage.edges} == {edge.query for edge in lineage.columns} == {query.query_id}


def test_actor_and_time_of_the_newest_run() -> None:
    told = story()
    for actor in ("ann", "ben", None):
        record = told.record(None, context=ATHENA, actor=actor)
        told.history.apply(record, (insert(T, {"x": f"{ORDERS}:id"}),))
    [query] = told.queries
    assert query.actor == "ben", "a run whose actor is not logged hides nobody"


def test_a_table_that_was_renamed_is_a_subject_under_its_new_name() -> None:
    told = story().run(ctas("dev.public.t_tmp", {"x": "dev.public.src:a"}), rename("dev.public.t_tmp", "dev.public.t"))
    [query] = told.queries
    assert subjects(query) == ["redshift:dev.public.src", "redshift:dev.public.t"]


def test_a_table_that_is_gone_is_no_subject() -> None:
    told = story().run(ctas("dev.public.stg", {"x": "dev.public.src:a"}), drop("dev.public.stg"))
    [query] = told.queries
    assert subjects(query) == ["redshift:dev.public.src"]


def test_what_did_not_happen_is_no_query() -> None:
    told = story()
    record = told.record(succeeded=False)
    told.history.apply(record, (insert("dev.public.t", {"x": "dev.public.src:a"}),))
    assert told.queries == []


def test_memory_is_bounded_by_distinct_statements() -> None:
    told = story()
    for amount in range(300):
        told.athena(statement("insert", T, {"x": f"{ORDERS}:id"}, text=f"INSERT INTO t … WHERE amount = {amount}"))
    assert len(told.history._log._entries) == len(told.history._noted) == 1
    assert [query.runs for query in told.queries] == [300]
