"""Any sequence of builds, renames, swaps and drops, against a model that keeps one set of sources a name."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from lineage_story import BEGIN, COMMIT, ROLLBACK, Story, ctas, drop, insert, rename, truncate

from datahub_aws_lineage.model.lineage import Statement

NAMES = ("dev.public.a", "dev.public.b", "dev.public.c")
SOURCES = ("dev.public.s0", "dev.public.s1")
names, sources = st.sampled_from(NAMES), st.sampled_from(SOURCES)
steps = st.one_of(
    st.tuples(st.just("build"), names, sources),
    st.tuples(st.just("insert"), names, sources),
    st.tuples(st.just("rename"), names, names),
    st.tuples(st.just("drop"), names, names),
    st.tuples(st.just("truncate"), names, names),
)
Script = list[tuple[str, str, str]]


def as_statement(step: tuple[str, str, str]) -> Statement:
    what, one, other = step
    match what:
        case "build":
            return ctas(one, {"x": f"{other}:x"})
        case "insert":
            return insert(one, {"x": f"{other}:x"})
        case "rename":
            return rename(one, other)
        case "drop":
            return drop(one)
        case _:
            return truncate(one)


class Model:
    """Sources by name; what an emptied table was filled from stands until something else fills it."""

    def __init__(self) -> None:
        self.filled: dict[str, set[str]] = {}
        self.emptied: set[str] = set()

    def take(self, step: tuple[str, str, str]) -> None:
        what, one, other = step
        if what == "build":
            self.filled[one] = {other}
            self.emptied.discard(one)
        elif what == "insert":
            kept = set() if one in self.emptied else self.filled.get(one, set())
            self.filled[one] = kept | {other}
            self.emptied.discard(one)
        elif what == "rename" and one != other:
            self.filled[other] = self.filled.pop(one, set())
            moved = one in self.emptied
            self.emptied -= {one, other}
            self.emptied |= {other} if moved else set()
        elif what == "drop":
            self.filled.pop(one, None)
            self.emptied.discard(one)
        elif what == "truncate" and one in self.filled:
            self.emptied.add(one)

    def edges(self) -> dict[str, set[str]]:
        return {
            f"redshift:{name}": {f"redshift:{source}" for source in filled}
            for name, filled in self.filled.items()
            if filled
        }


def story() -> Story:
    return Story(known=dict.fromkeys((*NAMES, *SOURCES), "x"))


@given(st.lists(steps, max_size=14))
@settings(max_examples=300, deadline=None)
def test_lineage_moves_with_the_name(script: Script) -> None:
    told, model = story(), Model()
    for step in script:
        told.run(as_statement(step))
        model.take(step)
    assert told.edges == model.edges()


@given(st.lists(steps, max_size=6), st.lists(steps, max_size=6), st.booleans())
@settings(deadline=None)
def test_a_transaction_happens_whole_or_not_at_all(before: Script, inside: Script, committed: bool) -> None:
    """TRUNCATE commits, so that it has no place in this."""
    inside = [step for step in inside if step[0] != "truncate"]
    told, model = story(), Model()
    told.run(*map(as_statement, before), BEGIN, *map(as_statement, inside), COMMIT if committed else ROLLBACK)
    for step in (*before, *inside) if committed else before:
        model.take(step)
    assert told.edges == model.edges()


@given(st.lists(steps, max_size=14))
@settings(deadline=None)
def test_a_table_that_is_gone_leaves_its_sources_behind(script: Script) -> None:
    """What reads `a` at the end, and only then loses it, is fed by what fed `a`."""
    told, model = story(), Model()
    told.knows("dev.public.mart", "x")
    hidden = {name: f"{name}_hidden" for name in NAMES}
    for what, one, other in script:
        told.run(as_statement((what, hidden[one], hidden.get(other, other))))
        model.take((what, one, other))
    told.run(insert("dev.public.mart", {"x": f"{hidden[NAMES[0]]}:x"}), *(drop(name) for name in hidden.values()))
    expected = model.edges().get(f"redshift:{NAMES[0]}")
    assert told.edges == ({"redshift:dev.public.mart": expected} if expected else {})
