"""A statement that runs again under the same circumstances is not taken apart again: what comes out is the same."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from lineage_story import Story, append, copy, create, ctas, delete_all, drop, fingerprint, insert, rename, truncate

from datahub_aws_lineage.model.lineage import Statement

TABLES = ("dev.public.a", "dev.public.b", "dev.public.c", "dev.public.unknown")
SOURCES = ("dev.public.s", "dev.public.gone")
ANY = (*TABLES, *SOURCES)

STATEMENTS: list[Statement] = [
    *(
        insert(target, {"x": [f"{source}:x", f"{other}:y FILTER"]})
        for target, source, other in zip(TABLES, ANY[1:], ANY[2:], strict=False)
    ),
    *(insert(target, {"x": f"{source}:x"}, confidence=0.5) for target in TABLES for source in ANY),
    *(insert(target, {"y": f"{target}:x AGGREGATION"}) for target in TABLES),
    *(ctas(target, {"x": f"{source}:x"}) for target in TABLES for source in SOURCES),
    ctas("stg", {"x": "dev.public.s:x"}),
    insert("stg", {"x": "dev.public.a:x"}),
    insert("dev.public.b", {"x": "stg:x"}),
    copy("dev.public.a", {"x": "s3://lake/in/:x"}),
    append("dev.public.c", "dev.public.b", "x"),
    create("dev.public.c", "x y"),
    *(drop(name) for name in TABLES),
    *(truncate(name) for name in TABLES),
    *(delete_all(name) for name in TABLES),
    *(rename(one, other) for one in TABLES for other in TABLES if one != other),
]
KNOWN = {"dev.public.a": "x y", "dev.public.b": "x y", "dev.public.s": "x y"}


def told(script: list[int], *, again: bool, sessions: bool) -> Story:
    """With a fingerprint on each statement, as those have that are answered from memory, or without."""
    story = Story(known=KNOWN)
    for number in script:
        statement = STATEMENTS[number]
        text = f"statement {number}"
        story.run(
            replace(statement, text=text, fingerprint=fingerprint(text, "redshift") if again else None),
            session="s" if sessions else None,
        )
    return story


@given(
    script=st.lists(st.integers(0, len(STATEMENTS) - 1), max_size=10).flatmap(
        lambda few: st.lists(st.sampled_from(few), max_size=40) if few else st.just([])
    ),
    sessions=st.booleans(),
)
@settings(max_examples=400, deadline=None)
def test_nothing_is_lost_and_nothing_is_added(script: list[int], sessions: bool) -> None:
    one, other = told(script, again=True, sessions=sessions), told(script, again=False, sessions=sessions)
    assert one.lineages == other.lineages
    assert one.queries == other.queries
    assert one.unknown() == other.unknown()


def test_the_time_moves_on() -> None:
    story = Story(known=KNOWN)
    story.run(*[replace(insert("dev.public.a", {"x": "dev.public.s:x"}), fingerprint="one")] * 3)
    [lineage] = story.lineages.values()
    assert {edge.last_seen for edge in lineage.edges} == {story.clock}
    assert [query.runs for query in story.queries] == [3]


def test_a_catalog_that_grows_is_seen() -> None:
    """Where a name leads is asked again when the catalogs have changed."""
    story = Story(known={"dev.public.a": "x"}, complete=False)
    statement = replace(insert("dev.public.a", {"x": "dev.public.s:x"}), fingerprint="one")
    story.run(statement, statement)
    story.knows("dev.public.s", "x")
    story.run(statement)
    assert story.columns == {"redshift:dev.public.a:x": {"redshift:dev.public.s:x"}}
