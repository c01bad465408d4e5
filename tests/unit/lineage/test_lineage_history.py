"""Statements of a history, one after another, and the lineage that is left of them."""

from __future__ import annotations

import pytest
from lineage_story import (
    Story,
    append,
    copy,
    create,
    ctas,
    delete_all,
    drop,
    insert,
    rename,
    statement,
    table,
    truncate,
    unload,
)

from datahub_aws_lineage.lineage import Naming
from datahub_aws_lineage.lineage.compose import compose_subtypes
from datahub_aws_lineage.model.lineage import Statement, Subtype

SRC, T, STG, MART = "dev.public.src", "dev.public.t", "dev.public.stg", "dev.public.mart"


@pytest.fixture
def story() -> Story:
    return Story(known={SRC: "a b c", "dev.public.src2": "a b", T: "a b x"})


class TestPlainStatements:
    def test_a_ctas(self, story: Story) -> None:
        story.run(ctas(T, {"x": [f"{SRC}:a AGGREGATION", f"{SRC}:b CONDITIONAL"]}))
        assert story.edges == {"redshift:dev.public.t": {"redshift:dev.public.src"}}
        assert story.columns == {
            "redshift:dev.public.t:x": {
                "redshift:dev.public.src:a AGGREGATION",
                "redshift:dev.public.src:b CONDITIONAL",
            }
        }

    def test_a_table_that_is_read_for_its_condition_alone_is_an_upstream_without_columns(self, story: Story) -> None:
        story.run(insert(T, {"x": f"{SRC}:a"}, reads=["dev.public.src2"]))
        assert story.edges == {"redshift:dev.public.t": {"redshift:dev.public.src", "redshift:dev.public.src2"}}
        assert story.columns == {"redshift:dev.public.t:x": {"redshift:dev.public.src:a"}}

    def test_inserts_add_up(self, story: Story) -> None:
        story.run(insert(T, {"x": f"{SRC}:a"}), insert(T, {"x": "dev.public.src2:a"}))
        assert story.edges == {"redshift:dev.public.t": {"redshift:dev.public.src", "redshift:dev.public.src2"}}

    def test_a_repeated_edge_is_one_with_its_newest_query_and_greatest_confidence(self, story: Story) -> None:
        story.run(insert(T, {"x": f"{SRC}:a"}, confidence=1.0))
        story.run(insert(T, {"x": f"{SRC}:a"}, reads=["dev.public.src2"], confidence=0.5))
        lineage = story.lineages["redshift:dev.public.t"]
        newest = max(story.queries, key=lambda query: query.last_seen)
        assert [(edge.query, edge.confidence) for edge in lineage.columns] == [(newest.query_id, 1.0)]
        assert {edge.last_seen for edge in lineage.edges} == {newest.last_seen}

    def test_a_statement_without_sources_is_no_edge(self, story: Story) -> None:
        assert story.run(insert(T)).edges == {}

    def test_a_table_that_reads_itself_has_no_edge_to_itself(self, story: Story) -> None:
        story.run(insert(T, {"x": [f"{T}:x TRANSFORMATION", f"{SRC}:a"]}))
        assert story.edges == {"redshift:dev.public.t": {"redshift:dev.public.src"}}
        assert story.columns == {"redshift:dev.public.t:x": {"redshift:dev.public.src:a"}}
        assert story.notes.counts["edges from a dataset to itself, left out"] == 1

    def test_an_edge_to_or_from_a_column_that_the_catalog_lacks_is_left_out_and_told(self, story: Story) -> None:
        story.run(insert(T, {"x": [f"{SRC}:a", f"{SRC}:nope"], "nope": f"{SRC}:b"}))
        assert story.columns == {"redshift:dev.public.t:x": {"redshift:dev.public.src:a"}}
        assert sorted(what for what, _ in story.notes.gaps) == ["column", "column"]

    def test_columns_are_spelled_as_the_catalog_spells_them(self, story: Story) -> None:
        story.knows("awsdatacatalog.sales.events", "User ts")
        story.run(insert(T, {"x": "awsdatacatalog.sales.events:user.address.city"}))
        assert story.columns == {"redshift:dev.public.t:x": {"glue:sales.events:User.address.city"}}


class TestReplacing:
    @pytest.mark.parametrize("emptied", [truncate(T), delete_all(T), drop(T)], ids=["truncate", "delete", "drop"])
    def test_truncate_and_load_voids_what_was_before(self, story: Story, emptied: Statement) -> None:
        story.run(insert(T, {"x": f"{SRC}:a"}), emptied, insert(T, {"x": "dev.public.src2:a"}))
        assert story.edges == {"redshift:dev.public.t": {"redshift:dev.public.src2"}}

    def test_each_load_after_a_truncate_counts(self, story: Story) -> None:
        story.run(truncate(T), insert(T, {"x": f"{SRC}:a"}), insert(T, {"x": "dev.public.src2:a"}))
        assert story.edges == {"redshift:dev.public.t": {"redshift:dev.public.src", "redshift:dev.public.src2"}}

    @pytest.mark.parametrize("emptied", [truncate(STG), delete_all(STG)], ids=["truncate", "delete"])
    def test_a_staging_table_that_is_emptied_after_use_is_still_filled_this_way(
        self, story: Story, emptied: Statement
    ) -> None:
        story.knows(STG, "a")
        story.run(copy(STG, {"a": "s3://lake/in/:a"}), insert(T, {"x": f"{STG}:a"}), emptied)
        assert story.edges == {
            "redshift:dev.public.stg": {"s3:lake/in"},
            "redshift:dev.public.t": {"redshift:dev.public.stg"},
        }

    def test_values_after_a_truncate_void_too(self, story: Story) -> None:
        assert story.run(insert(T, {"x": f"{SRC}:a"}), truncate(T), insert(T)).edges == {}

    def test_a_drop_voids_the_edges_of_a_real_table(self, story: Story) -> None:
        assert story.run(insert(T, {"x": f"{SRC}:a"}), drop(T)).edges == {}

    def test_create_anew_voids(self, story: Story) -> None:
        story.run(ctas(T, {"x": f"{SRC}:a"}), ctas(T, {"x": "dev.public.src2:b"}))
        assert story.columns == {"redshift:dev.public.t:x": {"redshift:dev.public.src2:b"}}

    def test_create_if_not_exists_voids_nothing(self, story: Story) -> None:
        again = create(T, "x", text="CREATE TABLE IF NOT EXISTS t (x varchar)")
        story.run(again, insert(T, {"x": f"{SRC}:a"}), again)
        assert story.edges == {"redshift:dev.public.t": {"redshift:dev.public.src"}}

    def test_a_table_replaced_from_itself_keeps_what_fed_it(self, story: Story) -> None:
        story.run(insert(T, {"x": f"{SRC}:a TRANSFORMATION"}))
        story.run(ctas(T, {"x": [f"{T}:x", "dev.public.src2:a"]}))
        assert story.columns == {
            "redshift:dev.public.t:x": {"redshift:dev.public.src:a TRANSFORMATION", "redshift:dev.public.src2:a"}
        }

    def test_append_moves_the_rows(self, story: Story) -> None:
        story.knows(STG, "a b")
        story.run(insert(STG, {"a": f"{SRC}:a"}), append(T, STG, "a b"), insert(STG, {"a": "dev.public.src2:a"}))
        assert story.columns == {
            "redshift:dev.public.t:a": {"redshift:dev.public.stg:a"},
            "redshift:dev.public.t:b": {"redshift:dev.public.stg:b"},
            "redshift:dev.public.stg:a": {"redshift:dev.public.src2:a"},
        }


class TestRenames:
    def test_dbt_builds_beside_and_renames(self, story: Story) -> None:
        """In one transaction: build x__dbt_tmp, x becomes x__dbt_backup, the new one becomes x, the backup goes."""
        story.run(ctas(T, {"x": "dev.public.src2:a"}))
        story.run(ctas(f"{T}__dbt_tmp", {"x": f"{SRC}:a"}))
        story.run(rename(T, f"{T}__dbt_backup"), rename(f"{T}__dbt_tmp", T), drop(f"{T}__dbt_backup"))
        assert story.columns == {"redshift:dev.public.t:x": {"redshift:dev.public.src:a"}}
        assert story.unknown() == set()

    def test_what_was_read_before_the_rename_is_what_it_is_called_now(self, story: Story) -> None:
        story.knows(MART, "x")
        story.run(ctas(f"{T}__dbt_tmp", {"x": f"{SRC}:a"}), insert(MART, {"x": f"{T}__dbt_tmp:x"}))
        story.run(rename(f"{T}__dbt_tmp", T))
        assert story.edges["redshift:dev.public.mart"] == {"redshift:dev.public.t"}

    def test_what_reads_a_rebuilt_table_reads_it_by_its_name(self, story: Story) -> None:
        story.knows(MART, "x")
        for _ in range(2):
            story.run(ctas(f"{T}__dbt_tmp", {"x": f"{SRC}:a"}), rename(T, f"{T}__dbt_backup"))
            story.run(rename(f"{T}__dbt_tmp", T), drop(f"{T}__dbt_backup"), insert(MART, {"x": f"{T}:x"}))
        assert story.edges == {
            "redshift:dev.public.t": {"redshift:dev.public.src"},
            "redshift:dev.public.mart": {"redshift:dev.public.t"},
        }

    def test_a_three_way_swap(self) -> None:
        story = Story(known={SRC: "a", "dev.public.src2": "a", "dev.public.p": "x", "dev.public.q": "x"})
        story.run(ctas("dev.public.p", {"x": f"{SRC}:a"}), ctas("dev.public.q", {"x": "dev.public.src2:a"}))
        story.run(rename("dev.public.p", "dev.public.hold"), rename("dev.public.q", "dev.public.p"))
        story.run(rename("dev.public.hold", "dev.public.q"))
        assert story.edges == {
            "redshift:dev.public.p": {"redshift:dev.public.src2"},
            "redshift:dev.public.q": {"redshift:dev.public.src"},
        }

    def test_a_table_rebuilt_from_itself_under_another_name_keeps_what_fed_it(self, story: Story) -> None:
        story.run(ctas(T, {"x": f"{SRC}:a AGGREGATION"}))
        story.run(ctas(f"{T}_new", {"x": [f"{T}:x", "dev.public.src2:a"]}))
        story.run(drop(T), rename(f"{T}_new", T))
        assert story.columns == {
            "redshift:dev.public.t:x": {"redshift:dev.public.src:a AGGREGATION", "redshift:dev.public.src2:a"}
        }

    def test_a_table_from_before_the_history_can_be_renamed(self, story: Story) -> None:
        story.run(rename("dev.public.older", T), insert(T, {"x": f"{SRC}:a"}))
        assert story.edges == {"redshift:dev.public.t": {"redshift:dev.public.src"}}

    def test_the_columns_of_a_table_that_no_catalog_has_move_with_it(self, story: Story) -> None:
        story.run(ctas(f"{STG}_new", {"k": f"{SRC}:a"}), rename(f"{STG}_new", STG))
        found = story.history.session(story.record()).columns(table(STG))
        assert [column.name for column in found or ()] == ["k"]


class TestTablesThatAreGone:
    """The catalog was read to its end, and lacks them."""

    def test_a_dropped_staging_table_is_seen_through(self, story: Story) -> None:
        story.run(ctas(STG, {"k": f"{SRC}:a AGGREGATION"}, confidence=0.9))
        story.run(insert(T, {"x": f"{STG}:k TRANSFORMATION"}, confidence=0.5), drop(STG))
        assert story.edges == {"redshift:dev.public.t": {"redshift:dev.public.src"}}
        assert story.columns == {"redshift:dev.public.t:x": {"redshift:dev.public.src:a AGGREGATION"}}
        [edge] = story.lineages["redshift:dev.public.t"].columns
        assert edge.confidence == 0.45
        assert story.unknown() == set()

    def test_a_chain_of_them(self, story: Story) -> None:
        story.run(*(ctas(f"{STG}{n}", {"k": f"{STG}{n - 1}:k" if n else f"{SRC}:a"}) for n in range(1200)))
        story.run(insert(T, {"x": f"{STG}1199:k"}), *(drop(f"{STG}{n}") for n in range(1200)))
        assert story.columns == {"redshift:dev.public.t:x": {"redshift:dev.public.src:a"}}

    def test_a_name_that_serves_two_purposes_does_not_mix_them(self, story: Story) -> None:
        story.knows(MART, "x")
        story.run(ctas(STG, {"k": f"{SRC}:a"}), insert(T, {"x": f"{STG}:k"}), drop(STG))
        story.run(ctas(STG, {"k": "dev.public.src2:b"}), insert(MART, {"x": f"{STG}:k"}), drop(STG))
        assert story.edges == {
            "redshift:dev.public.t": {"redshift:dev.public.src"},
            "redshift:dev.public.mart": {"redshift:dev.public.src2"},
        }

    def test_nor_one_step_further_back(self, story: Story) -> None:
        story.run(ctas(STG, {"k": f"{SRC}:a"}), ctas(MART, {"k": f"{STG}:k"}), drop(STG), insert(T, {"x": f"{MART}:k"}))
        story.run(drop(MART), ctas(STG, {"k": "dev.public.src2:b"}), drop(STG))
        assert story.edges == {"redshift:dev.public.t": {"redshift:dev.public.src"}}

    @pytest.mark.parametrize("ends", [(MART,), (MART, STG), (STG, MART)])
    def test_what_was_behind_it_is_what_it_read(self, story: Story, ends: tuple[str, ...]) -> None:
        """Whatever its name was used for since."""
        story.run(ctas(STG, {"k": f"{SRC}:a"}), ctas(MART, {"k": f"{STG}:k"}), drop(STG))
        story.run(ctas(STG, {"k": "dev.public.src2:b"}), insert(T, {"x": f"{MART}:k"}), *map(drop, ends))
        assert story.edges["redshift:dev.public.t"] == {"redshift:dev.public.src"}

    def test_a_name_that_serves_one_table_twice(self, story: Story) -> None:
        story.run(ctas(STG, {"k": f"{SRC}:a"}), insert(T, {"a": f"{STG}:k"}), drop(STG))
        story.run(ctas(STG, {"k": "dev.public.src2:a"}), insert(T, {"b": f"{STG}:k"}), drop(STG))
        assert story.columns == {
            "redshift:dev.public.t:a": {"redshift:dev.public.src:a"},
            "redshift:dev.public.t:b": {"redshift:dev.public.src2:a"},
        }

    def test_truncated_and_filled_again_with_something_else(self, story: Story) -> None:
        story.run(ctas(STG, {"k": f"{SRC}:a"}), insert(T, {"a": f"{STG}:k"}), truncate(STG))
        story.run(insert(STG, {"k": "dev.public.src2:a"}), insert(T, {"b": f"{STG}:k"}), drop(STG))
        assert story.columns == {
            "redshift:dev.public.t:a": {"redshift:dev.public.src:a"},
            "redshift:dev.public.t:b": {"redshift:dev.public.src2:a"},
        }

    def test_one_statement_that_reads_two_lives_through_temporary_tables(self, story: Story) -> None:
        story.run(ctas(STG, {"k": f"{SRC}:a"}), ctas("one", {"k": f"{STG}:k"}), drop(STG))
        story.run(ctas(STG, {"k": "dev.public.src2:a"}), ctas("two", {"k": f"{STG}:k"}))
        story.run(insert(T, {"a": "one:k", "b": "two:k"}), drop(STG))
        assert story.columns == {
            "redshift:dev.public.t:a": {"redshift:dev.public.src:a"},
            "redshift:dev.public.t:b": {"redshift:dev.public.src2:a"},
        }

    def test_what_is_put_in_after_it_was_read_was_not_read(self, story: Story) -> None:
        story.run(ctas(STG, {"k": f"{SRC}:a"}), insert(T, {"x": f"{STG}:k"}))
        story.run(insert(STG, {"k": "dev.public.src2:a"}), drop(STG))
        assert story.edges == {"redshift:dev.public.t": {"redshift:dev.public.src"}}

    def test_what_was_in_it_before_the_history_began_is_taken_for_what_fills_it_later(self, story: Story) -> None:
        story.run(insert(T, {"x": f"{STG}:k"}), insert(STG, {"k": f"{SRC}:a"}), drop(STG))
        assert story.edges == {"redshift:dev.public.t": {"redshift:dev.public.src"}}

    def test_a_view_that_is_gone_showed_what_its_tables_held_when_it_was_read(self, story: Story) -> None:
        story.run(create(STG, "k"), statement("create_view", MART, {"k": f"{STG}:k"}, replaces=True))
        story.run(insert(STG, {"k": f"{SRC}:a"}), insert(T, {"a": f"{MART}:k"}))
        story.run(drop(STG), ctas(STG, {"k": "dev.public.src2:a"}), insert(T, {"b": f"{MART}:k"}))
        assert story.run(drop(MART), drop(STG)).columns == {
            "redshift:dev.public.t:a": {"redshift:dev.public.src:a"},
            "redshift:dev.public.t:b": {"redshift:dev.public.src2:a"},
        }

    def test_a_rename_does_not_bring_a_table_back(self, story: Story) -> None:
        story.run(rename("dev.public.older", "dev.public.newer"), insert(T, {"x": "dev.public.newer:k"}))
        assert story.edges == {}
        assert story.unknown() == {("table", "redshift:dev.public.newer")}

    def test_a_drop_that_came_after_the_window_is_seen_by_the_catalog(self, story: Story) -> None:
        """An INSERT alone does not make a table: it was there, and is gone now."""
        story.run(insert(STG, {"k": f"{SRC}:a"}), insert(T, {"x": f"{STG}:k"}))
        assert story.edges == {"redshift:dev.public.t": {"redshift:dev.public.src"}}
        assert story.unknown() == {("table", "redshift:dev.public.stg")}

    def test_what_the_history_made_and_a_catalog_lacks_was_taken_away_by_other_means(self, story: Story) -> None:
        """dbt drops its `__dbt_tmp` tables through the Glue API."""
        story.run(ctas(STG, {"k": f"{SRC}:a"}), insert(T, {"x": f"{STG}:k"}))
        assert story.edges == {"redshift:dev.public.t": {"redshift:dev.public.src"}}
        assert story.unknown() == {("table", "redshift:dev.public.stg")}

    def test_and_so_were_its_earlier_lives(self, story: Story) -> None:
        story.run(ctas(STG, {"k": f"{SRC}:a"}), insert(T, {"a": f"{STG}:k"}), drop(STG))
        story.run(ctas(STG, {"k": "dev.public.src2:a"}), insert(T, {"b": f"{STG}:k"}))
        assert story.columns == {
            "redshift:dev.public.t:a": {"redshift:dev.public.src:a"},
            "redshift:dev.public.t:b": {"redshift:dev.public.src2:a"},
        }

    def test_where_nothing_reads_it_it_is_kept(self, story: Story) -> None:
        story.run(ctas(STG, {"k": f"{SRC}:a"}))
        assert story.edges == {"redshift:dev.public.stg": {"redshift:dev.public.src"}}
        assert story.unknown() == {("table, kept", "redshift:dev.public.stg")}

    def test_a_catalog_that_may_hide_tables_takes_none_away(self) -> None:
        story = Story(known={"awsdatacatalog.sales.t": "x y", "awsdatacatalog.sales.src": "a"}, complete=False)
        story.index.mark_complete(all_visible=False)
        hidden, made = "awsdatacatalog.sales.hidden", "awsdatacatalog.sales.made"
        story.athena(insert("awsdatacatalog.sales.t", {"x": f"{hidden}:a"}))
        story.athena(
            ctas(made, {"k": "awsdatacatalog.sales.src:a"}), insert("awsdatacatalog.sales.t", {"y": f"{made}:k"})
        )
        assert story.columns == {
            "glue:sales.t:x": {"glue:sales.hidden:a"},
            "glue:sales.t:y": {"glue:sales.src:a"},
        }
        assert story.unknown() == {("table, kept", "glue:sales.hidden"), ("table", "glue:sales.made")}

    def test_no_phantom_upstream(self, story: Story) -> None:
        story.run(insert(T, {"x": "dev.public.nowhere:a"}))
        assert story.edges == {}
        assert story.unknown() == {("table", "redshift:dev.public.nowhere")}

    def test_no_phantom_downstream(self, story: Story) -> None:
        story.run(insert("dev.public.nowhere", {"x": f"{SRC}:a"}))
        assert story.edges == {}
        assert story.unknown() == {("table", "redshift:dev.public.nowhere")}

    @pytest.mark.parametrize("first", [1, 2])
    @pytest.mark.parametrize("made", [True, False], ids=["made", "from-before"])
    def test_tables_that_fill_each_other_hold_the_same(self, story: Story, first: int, made: bool) -> None:
        story.knows(MART, "x")
        one, other = f"{STG}{first}", f"{STG}{3 - first}"
        begin = ctas if made else insert
        story.run(begin(f"{STG}1", {"k": f"{SRC}:a"}), begin(f"{STG}2", {"k": "dev.public.src2:a"}))
        story.run(insert(one, {"k": f"{other}:k"}), insert(other, {"k": f"{one}:k"}))
        story.run(insert(T, {"x": f"{STG}1:k"}), insert(MART, {"x": f"{STG}2:k"}), drop(one), drop(other))
        both = {"redshift:dev.public.src", "redshift:dev.public.src2"}
        assert story.edges == {"redshift:dev.public.t": both, "redshift:dev.public.mart": both}

    def test_a_circle_of_tables_from_before_the_history(self, story: Story) -> None:
        """Each read the other before it was seen to be filled."""
        story.knows(MART, "x")
        story.run(insert(f"{STG}1", {"k": f"{STG}2:k"}), insert(f"{STG}2", {"k": f"{STG}3:k"}))
        story.run(insert(f"{STG}3", {"k": [f"{STG}1:k", f"{SRC}:a"]}), insert(f"{STG}1", {"k": "dev.public.src2:a"}))
        story.run(insert(T, {"x": f"{STG}1:k"}), insert(MART, {"x": f"{STG}3:k"}))
        both = {"redshift:dev.public.src", "redshift:dev.public.src2"}
        assert story.edges["redshift:dev.public.t"] == both
        assert "redshift:dev.public.src" in story.edges["redshift:dev.public.mart"]

    def test_two_tables_that_fill_each_other_night_by_night_leave_no_trail(self, story: Story) -> None:
        story.run(ctas(f"{STG}1", {"k": f"{SRC}:a"}), ctas(f"{STG}2", {"k": "dev.public.src2:a"}))
        for _ in range(365):
            story.run(insert(f"{STG}1", {"k": [f"{STG}2:k", f"{STG}1:k"]}), insert(f"{STG}2", {"k": f"{STG}1:k"}))
            story.run(insert(T, {"x": f"{STG}1:k"}))
        graph = story.history._ledger.graph
        assert sum(len(contents.inputs) + len(contents.columns) for contents in graph.contents()) < 200
        assert story.edges["redshift:dev.public.t"] == {"redshift:dev.public.src", "redshift:dev.public.src2"}

    def test_a_staging_table_made_night_by_night_leaves_no_trail(self, story: Story) -> None:
        for night in range(365):
            story.run(ctas(STG, {"k": f"{SRC}:{'ab'[night % 2]}"}), insert(T, {"x": f"{STG}:k"}), drop(STG))
        graph = story.history._ledger.graph
        assert sum(len(contents.inputs) + len(contents.columns) for contents in graph.contents()) < 20
        assert story.columns == {"redshift:dev.public.t:x": {"redshift:dev.public.src:a", "redshift:dev.public.src:b"}}

    def test_tables_in_a_circle_that_are_all_gone_end(self, story: Story) -> None:
        story.run(insert(f"{STG}1", {"k": f"{STG}2:k"}), insert(f"{STG}2", {"k": [f"{STG}1:k", f"{SRC}:a"]}))
        story.run(insert(T, {"x": f"{STG}1:k"}), drop(f"{STG}1"), drop(f"{STG}2"))
        assert story.edges == {"redshift:dev.public.t": {"redshift:dev.public.src"}}

    def test_a_year_of_nightly_rebuilds_leaves_no_trail(self, story: Story) -> None:
        """Memory is bounded by distinct edges, not by the length of the log."""
        keep = "dev.public.keep"
        for _ in range(365):
            story.run(ctas(STG, {"k": [f"{keep}:k", f"{SRC}:a"]}), ctas(keep, {"k": f"{STG}:k"}), drop(STG))
        story.run(insert(T, {"x": f"{keep}:k"}), drop(keep))
        seen: set[int] = set()
        graph = story.history._ledger.graph
        waiting = [contents for _, contents in graph.items()] + list(graph.last.values())
        while waiting:
            contents = waiting.pop()
            if id(contents) not in seen:
                seen.add(id(contents))
                waiting.extend(version.life for version in contents.lives())
                waiting.extend(read.version.life for read in contents.inputs.values() if read.version)
        assert len(seen) < 10
        assert story.edges == {"redshift:dev.public.t": {"redshift:dev.public.src"}}


class TestRebuiltFromItself:
    """`CREATE copy AS SELECT DISTINCT … FROM t`, then `t` anew from the copy: what filled `t` before still does."""

    @pytest.mark.parametrize("anew", ["ctas", "truncate", "delete"])
    @pytest.mark.parametrize("dropped", ["before", "after", "never"])
    def test_through_a_table_that_is_gone(self, story: Story, anew: str, dropped: str) -> None:
        story.run(insert(T, {"x": f"{SRC}:a"}), ctas(STG, {"k": f"{T}:x"}))
        if anew == "ctas":
            story.run(ctas(T, {"x": f"{STG}:k"}))
        else:
            story.run(truncate(T) if anew == "truncate" else delete_all(T), insert(T, {"x": f"{STG}:k"}))
        if dropped == "before":
            story.run(drop(STG), insert(T, {"x": "dev.public.src2:a"}))
        elif dropped == "after":
            story.run(insert(T, {"x": "dev.public.src2:a"}), drop(STG))
        else:
            story.run(insert(T, {"x": "dev.public.src2:a"}))
        assert story.columns == {"redshift:dev.public.t:x": {"redshift:dev.public.src:a", "redshift:dev.public.src2:a"}}

    def test_through_two_of_them_and_twice(self, story: Story) -> None:
        story.run(insert(T, {"x": f"{SRC}:a"}))
        for _ in range(2):
            story.run(ctas(STG, {"k": f"{T}:x"}), ctas("dev.public.stg2", {"k": f"{STG}:k"}))
            story.run(drop(T), ctas(T, {"x": "dev.public.stg2:k"}), drop(STG), drop("dev.public.stg2"))
        assert story.columns == {"redshift:dev.public.t:x": {"redshift:dev.public.src:a"}}

    def test_night_by_night_leaves_no_trail(self, story: Story) -> None:
        for _ in range(200):
            story.run(ctas(STG, {"k": [f"{T}:x", f"{SRC}:a"]}), ctas(T, {"x": f"{STG}:k"}))
        seen: dict[int, object] = {}
        graph = story.history._ledger.graph
        waiting = [contents for _, contents in graph.items()] + list(graph.last.values())
        while waiting:
            contents = waiting.pop()
            if id(contents) not in seen:
                seen[id(contents)] = contents
                waiting.extend(version.life for version in contents.lives())
                waiting.extend(read.version.life for read in contents.inputs.values() if read.version)
        assert len(seen) < 12
        assert story.columns == {"redshift:dev.public.t:x": {"redshift:dev.public.src:a"}}


class TestUnknownTablesPolicy:
    def test_a_catalog_not_read_to_its_end_keeps_them(self) -> None:
        story = Story(known={T: "x"}, complete=False).run(insert(T, {"x": "dev.public.nowhere:a"}))
        assert story.columns == {"redshift:dev.public.t:x": {"redshift:dev.public.nowhere:a"}}
        assert story.unknown() == {("table, kept", "redshift:dev.public.nowhere")}

    def test_a_rebuilt_table_is_named_by_what_read_it_before(self) -> None:
        story = Story(complete=False)
        for source in (SRC, "dev.public.src2"):
            story.run(ctas(STG, {"k": f"{source}:a"}), insert(T, {"x": f"{STG}:k"}), drop(STG))
        story.run(ctas(STG, {"k": f"{SRC}:a"}))
        assert story.columns["redshift:dev.public.t:x"] == {"redshift:dev.public.stg:k"}

    def test_there_too_a_drop_takes_them_away(self) -> None:
        story = Story(complete=False).run(ctas(STG, {"k": f"{SRC}:a"}), insert(T, {"x": f"{STG}:k"}), drop(STG))
        assert story.edges == {"redshift:dev.public.t": {"redshift:dev.public.src"}}

    def test_keep_keeps_them_anywhere(self) -> None:
        story = Story(known={T: "x"}, unknown_tables="keep").run(insert(T, {"x": "dev.public.nowhere:a"}))
        assert story.edges == {"redshift:dev.public.t": {"redshift:dev.public.nowhere"}}

    def test_leave_out_leaves_them_out_anywhere(self) -> None:
        story = Story(known={T: "x", SRC: "a"}, complete=False, unknown_tables="leave_out")
        story.run(insert(T, {"x": ["dev.public.nowhere:a", f"{SRC}:a"]}), ctas(STG, {"k": f"{SRC}:a"}))
        assert story.edges == {"redshift:dev.public.t": {"redshift:dev.public.src"}}

    def test_other_platforms_are_never_read_to_their_end(self) -> None:
        story = Story(
            known={"awsdatacatalog.sales.t": "x"}, naming=Naming(athena_catalogs={"crm": ("mysql", "Crm", None)})
        )
        story.athena(insert("awsdatacatalog.sales.t", {"x": "crm.db.people:name"}))
        assert story.edges == {"glue:sales.t": {"mysql:Crm.db.people"}}


class TestS3:
    def test_a_load_and_an_unload_meet_in_a_glue_table(self, story: Story) -> None:
        """Redshift unloads to where a Glue table lies, Athena reads that table."""
        story.knows("awsdatacatalog.sales.export", "a", location="s3://lake/export/")
        story.knows("awsdatacatalog.sales.report", "n")
        story.run(copy(SRC, {"a": "s3://lake/landing/2024/orders.csv:a"}))
        story.run(unload("s3://lake/export/run_", {"a": f"{SRC}:a"}))
        story.athena(insert("awsdatacatalog.sales.report", {"n": "awsdatacatalog.sales.export:a AGGREGATION"}))
        assert story.columns == {
            "redshift:dev.public.src:a": {"s3:lake/landing/2024:a"},
            "s3:lake/export:a": {"redshift:dev.public.src:a"},
            "glue:sales.export:a": {"s3:lake/export:a"},
            "glue:sales.report:n": {"glue:sales.export:a AGGREGATION"},
        }
        origins = {(str(lin.downstream), edge.origin) for lin in story.history.lineages() for edge in lin.edges}
        assert ("glue:sales.export", "storage") in origins

    def test_a_ctas_and_its_location_feed_the_table(self, story: Story) -> None:
        story.knows("awsdatacatalog.sales.t1", "a", location="s3://lake/t1/")
        story.athena(ctas("awsdatacatalog.sales.t1", {"a": "crm.db.people:a"}))
        assert story.edges == {"glue:sales.t1": {"athena:crm.db.people", "s3:lake/t1"}}

    def test_storage_and_statement_that_say_the_same_are_one_edge(self, story: Story) -> None:
        story.knows("awsdatacatalog.raw.clicks", "id url", location="s3://lake/clicks/")
        location = statement(
            "create_external_table", "awsdatacatalog.raw.clicks", reads=["s3://lake/clicks/"], replaces=True
        )
        story.athena(location)
        [lineage] = story.lineages.values()
        assert [(str(edge.upstream), edge.origin) for edge in lineage.edges] == [("s3:lake/clicks", "query")]
        assert {edge.upstream_column for edge in lineage.columns} == {"id", "url"}


@pytest.mark.parametrize(
    ("inner", "outer", "expected"),
    [
        ("IDENTITY", "IDENTITY", "IDENTITY"),
        ("IDENTITY", "AGGREGATION", "AGGREGATION"),
        ("AGGREGATION", "IDENTITY", "AGGREGATION"),
        ("AGGREGATION", "TRANSFORMATION", "AGGREGATION"),
        ("CONDITIONAL", "AGGREGATION", "CONDITIONAL"),
        ("AGGREGATION", "WINDOW", "WINDOW"),
        ("CONDITIONAL", "WINDOW", "WINDOW"),
    ],
)
def test_steps_compose(inner: Subtype, outer: Subtype, expected: Subtype) -> None:
    assert compose_subtypes(inner, outer) == expected


def test_the_same_history_gives_the_same_order_whatever_came_first() -> None:
    one = Story(known={SRC: "a", "dev.public.src2": "a", T: "x"})
    two = Story(known={"dev.public.src2": "a", T: "x", SRC: "a"})
    one.run(insert(T, {"x": [f"{SRC}:a", "dev.public.src2:a"]}))
    two.run(insert(T, {"x": ["dev.public.src2:a", f"{SRC}:a"]}))
    [first], [second] = one.history.lineages(), two.history.lineages()
    assert [edge.upstream for edge in first.edges] == [edge.upstream for edge in second.edges]
    assert [edge.upstream for edge in first.columns] == [edge.upstream for edge in second.columns]
