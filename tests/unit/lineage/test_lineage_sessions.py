"""Sessions: temporary tables, transactions, search paths."""

from __future__ import annotations

import pytest
from lineage_story import (
    BEGIN,
    COMMIT,
    ROLLBACK,
    Story,
    copy,
    create,
    ctas,
    delete_all,
    drop,
    insert,
    redshift_context,
    rename,
    search_path,
    statement,
    table,
    truncate,
    use,
)

from datahub_aws_lineage.lineage import history as history_module
from datahub_aws_lineage.model.catalog import Database, ExternalSchema
from datahub_aws_lineage.model.lineage import CreateExternalSchema
from datahub_aws_lineage.model.queries import SqlContext

SRC, SRC2, T, T2 = "dev.public.src", "dev.public.src2", "dev.public.t", "dev.public.t2"


@pytest.fixture
def story() -> Story:
    return Story(known={SRC: "a b c", SRC2: "a b", T: "a b x", T2: "x"})


class TestTemporaryTables:
    def test_they_are_no_datasets(self, story: Story) -> None:
        story.run(ctas("stg", {"k": f"{SRC}:a AGGREGATION"}, confidence=0.8))
        story.run(insert(T, {"x": ["stg:k", "stg:k FILTER"]}, confidence=0.5))
        assert story.edges == {"redshift:dev.public.t": {"redshift:dev.public.src"}}
        assert story.columns == {
            "redshift:dev.public.t:x": {"redshift:dev.public.src:a AGGREGATION", "redshift:dev.public.src:a FILTER"}
        }
        assert {edge.confidence for edge in story.lineages["redshift:dev.public.t"].columns} == {0.4}

    def test_the_edge_belongs_to_the_statement_that_wrote_the_real_table(self, story: Story) -> None:
        story.run(ctas("stg", {"k": f"{SRC}:a"}), insert(T, {"x": "stg:k TRANSFORMATION"}))
        [edge] = story.lineages["redshift:dev.public.t"].columns
        last = max(story.queries, key=lambda query: query.last_seen)
        assert (edge.query, edge.expression) == (last.query_id, "expr of x")
        assert {str(subject) for subject in last.subjects} == {"redshift:dev.public.src", "redshift:dev.public.t"}

    def test_a_plain_copy_shows_the_expression_behind_it(self, story: Story) -> None:
        story.run(ctas("stg", {"k": f"{SRC}:a AGGREGATION"}), insert(T, {"x": "stg:k"}))
        assert [edge.expression for edge in story.lineages["redshift:dev.public.t"].columns] == ["expr of k"]

    def test_a_chain(self, story: Story) -> None:
        story.run(ctas("#one", {"k": f"{SRC}:a"}), ctas("#two", {"k": "#one:k WINDOW", "j": f"{SRC2}:b"}))
        story.run(insert(T, {"x": "#two:k AGGREGATION"}))
        assert story.edges == {"redshift:dev.public.t": {"redshift:dev.public.src", "redshift:dev.public.src2"}}
        assert story.columns == {"redshift:dev.public.t:x": {"redshift:dev.public.src:a WINDOW"}}

    def test_create_then_copy_then_insert(self, story: Story) -> None:
        story.run(create("stg", "a b"), copy("stg", {"a": "s3://lake/in/:a", "b": "s3://lake/in/:b"}))
        story.run(insert(T, {"a": "stg:a"}))
        assert story.columns == {"redshift:dev.public.t:a": {"s3:lake/in:a"}}

    def test_a_nested_field_keeps_its_path_through_a_copy_only(self, story: Story) -> None:
        story.run(ctas("stg", {"u": f"{SRC}:b.user", "v": f"{SRC}:c TRANSFORMATION"}))
        story.run(insert(T, {"a": "stg:u.address.city", "b": "stg:v.address"}))
        assert story.columns == {
            "redshift:dev.public.t:a": {"redshift:dev.public.src:b.user.address.city"},
            "redshift:dev.public.t:b": {"redshift:dev.public.src:c TRANSFORMATION"},
        }

    def test_a_name_used_again_starts_anew(self, story: Story) -> None:
        story.run(ctas("stg", {"k": f"{SRC}:a"}), insert(T, {"x": "stg:k"}), drop("stg"))
        story.run(ctas("stg", {"k": f"{SRC2}:a"}), insert(T2, {"x": "stg:k"}))
        assert story.edges == {
            "redshift:dev.public.t": {"redshift:dev.public.src"},
            "redshift:dev.public.t2": {"redshift:dev.public.src2"},
        }

    def test_each_session_has_its_own(self, story: Story) -> None:
        story.run(ctas("stg", {"k": f"{SRC}:a"}), session="one").run(ctas("stg", {"k": f"{SRC2}:a"}), session="two")
        story.run(insert(T, {"x": "stg:k"}), session="one").run(insert(T2, {"x": "stg:k"}), session="two")
        assert story.edges == {
            "redshift:dev.public.t": {"redshift:dev.public.src"},
            "redshift:dev.public.t2": {"redshift:dev.public.src2"},
        }

    def test_truncate_and_fill_again(self, story: Story) -> None:
        story.run(ctas("stg", {"k": f"{SRC}:a"}), truncate("stg"), insert("stg", {"k": f"{SRC2}:a"}))
        assert story.run(insert(T, {"x": "stg:k"})).edges == {"redshift:dev.public.t": {"redshift:dev.public.src2"}}

    def test_renamed(self, story: Story) -> None:
        story.run(ctas("stg", {"k": f"{SRC}:a"}), rename("stg", "stg2"), insert(T, {"x": "stg2:k"}))
        assert story.edges == {"redshift:dev.public.t": {"redshift:dev.public.src"}}

    def test_a_table_that_passes_through_one_is_still_fed_by_what_fed_it(self, story: Story) -> None:
        story.run(insert(T, {"x": f"{SRC}:a"}), ctas("keep", {"k": f"{T}:x"}), truncate(T))
        story.run(insert(T, {"x": "keep:k"}))
        assert story.edges == {"redshift:dev.public.t": {"redshift:dev.public.src"}}

    def test_its_columns_outlive_what_is_put_into_it(self, story: Story) -> None:
        story.run(create("stg", "k"), insert("stg", {"k": f"{SRC}:a"}))
        found = story.history.session(story.record()).columns(table("stg"))
        assert [column.name for column in found or ()] == ["k"]

    def test_the_sql_stage_sees_them(self, story: Story) -> None:
        story.run(ctas("stg", {"k": f"{SRC}:a"}), copy("#raw", {"a": "s3://lake/in/:a"}))
        session = story.history.session(story.record())
        assert [column.name for column in session.columns(table("stg")) or ()] == ["k"]
        assert session.columns(table("#raw")) == (), "there, of unknown columns"
        assert session.columns(table("other")) is None
        assert story.history.session(story.record("elsewhere")).columns(table("stg")) is None

    def test_one_that_nothing_used_is_told(self, story: Story) -> None:
        story.run(ctas("stg", {"k": f"{SRC}:a"}), ctas("used", {"k": f"{SRC}:a"}), insert(T, {"x": "used:k"}))
        assert story.edges == {"redshift:dev.public.t": {"redshift:dev.public.src"}}
        assert story.notes.skips == [("no_target", "temporary table", "stg")]

    def test_one_that_is_dropped_unused_is_told_too(self, story: Story) -> None:
        story.run(ctas("stg", {"k": f"{SRC}:a"}), drop("stg"), create("empty", "k"), drop("empty"))
        assert story.notes.skips == [("no_target", "temporary table", "stg")]

    def test_a_create_without_a_drop_that_was_seen_starts_anew(self, story: Story) -> None:
        story.run(ctas("stg", {"k": f"{SRC}:a"}), ctas("stg", {"k": f"{SRC2}:a"}), insert(T, {"x": "stg:k"}))
        assert story.edges == {"redshift:dev.public.t": {"redshift:dev.public.src2"}}

    def test_create_if_not_exists_of_one_that_is_there_does_nothing(self, story: Story) -> None:
        again = create("stg", "k", text="CREATE TEMP TABLE IF NOT EXISTS stg (k int)")
        story.run(again, insert("stg", {"k": f"{SRC}:a"}), again, insert(T, {"x": "stg:k"}))
        assert story.edges == {"redshift:dev.public.t": {"redshift:dev.public.src"}}

    def test_one_from_before_the_history_is_told(self, story: Story) -> None:
        assert story.run(insert(T, {"x": "stg:k"})).edges == {}
        assert story.unknown() == {("temporary table", "stg")}

    def test_a_record_without_a_session_leaves_none_behind(self, story: Story) -> None:
        story.run(ctas("stg", {"k": f"{SRC}:a"}), insert(T, {"x": "stg:k"}), session=None)
        assert story.edges == {}
        assert story.notes.skips[0] == ("no_target", "temporary table", "stg")
        both = (ctas("stg", {"k": f"{SRC}:a"}), insert(T, {"x": "stg:k"}))
        story.history.apply(story.record(None), both)
        assert story.edges == {"redshift:dev.public.t": {"redshift:dev.public.src"}}


class TestTransactions:
    def test_rolled_back_is_undone(self, story: Story) -> None:
        story.run(insert(T, {"x": f"{SRC}:a"}), BEGIN, delete_all(T), insert(T, {"x": f"{SRC2}:a"}), ROLLBACK)
        assert story.edges == {"redshift:dev.public.t": {"redshift:dev.public.src"}}
        assert [reason for reason, _, _ in story.notes.skips] == ["rolled_back", "rolled_back"]
        assert len(story.queries) == 1

    def test_committed_counts(self, story: Story) -> None:
        story.run(BEGIN, insert(T, {"x": f"{SRC}:a"}), COMMIT, ROLLBACK)
        assert story.edges == {"redshift:dev.public.t": {"redshift:dev.public.src"}}

    def test_others_see_it_from_the_commit_on(self, story: Story) -> None:
        """Statements take effect in the order of their commits."""
        story.run(BEGIN, delete_all(T), insert(T, {"x": f"{SRC}:a"}), session="one")
        story.run(insert(T, {"x": f"{SRC2}:a"}), session="two").run(COMMIT, session="one")
        assert story.edges == {"redshift:dev.public.t": {"redshift:dev.public.src"}}

    def test_temporary_tables_of_a_rolled_back_transaction_were_never_there(self, story: Story) -> None:
        story.run(ctas("stg", {"k": f"{SRC}:a"}), BEGIN, drop("stg"), ctas("stg", {"j": f"{SRC2}:a"}))
        inside = story.history.session(story.record()).columns(table("stg"))
        assert [column.name for column in inside or ()] == ["j"]
        story.run(ROLLBACK)
        after = story.history.session(story.record()).columns(table("stg"))
        assert [column.name for column in after or ()] == ["k"]
        assert story.run(insert(T, {"x": "stg:k"})).edges == {"redshift:dev.public.t": {"redshift:dev.public.src"}}

    def test_a_new_table_is_seen_within_its_transaction_only_until_it_commits(self, story: Story) -> None:
        story.run(BEGIN, ctas("dev.public.new", {"k": f"{SRC}:a"}), rename("dev.public.new", "dev.public.newer"))
        mine = story.history.session(story.record()).columns(table("dev.public.newer"))
        assert [column.name for column in mine or ()] == ["k"]
        assert story.history.session(story.record("other")).columns(table("dev.public.newer")) is None
        story.run(COMMIT)
        theirs = story.history.session(story.record("other")).columns(table("dev.public.newer"))
        assert [column.name for column in theirs or ()] == ["k"]

    def test_a_failed_statement_spoils_its_transaction(self, story: Story) -> None:
        story.run(BEGIN, insert(T, {"x": f"{SRC}:a"}))
        story.history.apply(story.record(succeeded=False), (insert(T2, {"x": f"{SRC}:a"}),))
        assert story.run(COMMIT).edges == {}

    def test_a_failed_statement_alone_did_nothing(self, story: Story) -> None:
        story.history.apply(story.record(succeeded=False), (insert(T, {"x": f"{SRC}:a"}),))
        assert story.edges == {}
        assert story.notes.skips == []  # its reader has reported it

    def test_a_session_that_ends_without_a_commit_is_kept_and_counted(self, story: Story) -> None:
        assert story.run(BEGIN, insert(T, {"x": f"{SRC}:a"})).edges == {
            "redshift:dev.public.t": {"redshift:dev.public.src"}
        }
        assert story.notes.counts["transactions whose end was not seen, taken as committed"] == 1

    def test_the_next_transaction_ends_the_one_before(self, story: Story) -> None:
        story.history.apply(story.record(transaction="1"), (BEGIN, insert(T, {"x": f"{SRC}:a"})))
        story.history.apply(story.record(transaction="2"), (BEGIN, insert(T2, {"x": f"{SRC}:a"}), ROLLBACK))
        assert story.edges == {"redshift:dev.public.t": {"redshift:dev.public.src"}}

    def test_begin_may_have_an_id_of_its_own(self, story: Story) -> None:
        story.history.apply(story.record(transaction="1"), (BEGIN,))
        story.history.apply(story.record(transaction="2"), (insert(T, {"x": f"{SRC}:a"}),))
        story.history.apply(story.record(transaction="2"), (ROLLBACK,))
        assert story.edges == {}

    def test_truncate_commits(self, story: Story) -> None:
        story.run(BEGIN, insert(T2, {"x": f"{SRC}:a"}), truncate(T), ROLLBACK)
        assert story.edges == {"redshift:dev.public.t2": {"redshift:dev.public.src"}}

    def test_dbt_in_one_transaction(self, story: Story) -> None:
        story.run(BEGIN, ctas(f"{T}__dbt_tmp", {"x": f"{SRC}:a"}), rename(T, f"{T}__dbt_backup"))
        story.run(rename(f"{T}__dbt_tmp", T), COMMIT, BEGIN, drop(f"{T}__dbt_backup"), COMMIT)
        assert story.edges == {"redshift:dev.public.t": {"redshift:dev.public.src"}}

    def test_one_that_is_too_long_is_taken_as_committed(self, story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(history_module, "MOST_PENDING_STATEMENTS", 2)
        story.run(BEGIN, insert(T, {"x": f"{SRC}:a"}), insert(T, {"x": f"{SRC}:b"}), ROLLBACK)
        assert story.edges == {"redshift:dev.public.t": {"redshift:dev.public.src"}}


class TestSearchPath:
    @pytest.fixture
    def story(self) -> Story:
        story = Story(known={SRC: "a", "dev.staging.orders": "k", "dev.public.items": "i"})
        story.index.add_database(Database("redshift", "dev", "alice"))
        return story

    def context(self, story: Story, actor: str | None = None) -> SqlContext:
        return story.history.session(story.record(actor=actor)).context

    def test_a_user_without_a_schema_starts_in_public(self, story: Story) -> None:
        context = self.context(story, actor="bob")
        assert (context.default_database, context.search_path) == ("public", ("public",))

    def test_a_user_with_a_schema_starts_there(self, story: Story) -> None:
        context = self.context(story, actor="Alice")
        assert (context.default_database, context.search_path) == ("alice", ("alice", "public"))

    def test_set_search_path_holds_for_the_session(self, story: Story) -> None:
        story.run(search_path('"Staging"', "public"))
        context = self.context(story)
        assert (context.default_database, context.search_path) == ("staging", ("staging", "public"))
        assert story.history.session(story.record("other")).context.default_database == "public"

    def test_default_goes_back(self, story: Story) -> None:
        story.run(search_path("staging"), search_path("DEFAULT"))
        assert self.context(story).search_path == ("public",)

    def test_a_roll_back_takes_it_back(self, story: Story) -> None:
        story.run(search_path("staging"), BEGIN, search_path("other"), ROLLBACK)
        assert self.context(story).search_path == ("staging",)

    def test_use_names_the_database_until_it_is_reset(self, story: Story) -> None:
        story.run(use("other"), BEGIN, use("third"), ROLLBACK)
        assert self.context(story).default_catalog == "other"
        assert story.history.session(story.record("other session")).context.default_catalog == "dev"
        story.run(use(None))
        assert self.context(story).default_catalog == "dev"

    def test_the_sql_stage_finds_the_schema_that_has_the_table(self, story: Story) -> None:
        """It asks for the columns of the name in each schema of the path; None sends it on to the next."""
        session = story.history.session(story.record())
        asked = [session.columns(table(f"dev.{schema}.orders")) for schema in ("public", "staging")]
        assert asked[0] is None
        assert asked[1] is not None

    def test_athena_keeps_its_own_context(self, story: Story) -> None:
        context = SqlContext("athena", "awsdatacatalog", "sales")
        assert story.history.session(story.record(None, context=context)).context == context


class TestBounds:
    def test_silent_sessions_are_closed_first(self, story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(history_module, "MOST_SESSIONS", 2)
        for session in ("one", "two", "one", "three"):
            story.run(ctas(session, {"k": f"{SRC}:a"}), session=session)
        assert story.notes.skips == [("no_target", "temporary table", "two")]
        assert story.history.session(story.record("one")).columns(table("one")) is not None
        assert story.history.session(story.record("three")).columns(table("three")) is not None

    def test_a_session_that_leaves_nothing_is_not_remembered(self, story: Story) -> None:
        for number in range(50):
            story.run(ctas("stg", {"k": f"{SRC}:a"}), insert(T, {"x": "stg:k"}), drop("stg"), session=str(number))
        assert len(story.history._sessions) == 0


class TestExternalSchemas:
    def test_a_schema_made_in_the_history_is_known_from_then_on(self, story: Story) -> None:
        story.knows("awsdatacatalog.sales.orders", "id")
        effect = CreateExternalSchema("dev", "spec", "data_catalog", "sales")
        story.run(statement("create_external_schema", effects=(effect,)))
        found = story.history.session(story.record()).columns(table("dev.spec.orders"))
        assert [column.name for column in found or ()] == ["id"]
        story.run(insert(T, {"x": "dev.spec.orders:id"}))
        assert story.columns == {
            "redshift:dev.public.t:x": {"redshift:dev.spec.orders:id"},
            "redshift:dev.spec.orders:id": {"glue:sales.orders:id"},
        }

    def test_what_the_catalog_says_of_a_schema_stays(self, story: Story) -> None:
        story.history.add_external_schema(ExternalSchema("dev", "spec", "data_catalog", "sales"))
        effect = CreateExternalSchema("dev", "spec", "data_catalog", "older")
        story.run(statement("create_external_schema", effects=(effect,)))
        story.knows("awsdatacatalog.sales.orders", "id")
        assert story.history.session(story.record()).columns(table("dev.spec.orders")) is not None


def test_warehouses_are_apart() -> None:
    story = Story()
    record = story.record(context=redshift_context())
    story.history.apply(record, (ctas("stg", {"k": f"{SRC}:a"}),), "one")
    assert story.history.session(record, "one").columns(table("stg")) is not None
    assert story.history.session(record, "two").columns(table("stg")) is None
