"""S3 locations: what is cut off, and the longest catalogued prefix against a search of every location."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datahub_aws_lineage.lineage.locations import LocationIndex, folder_segments, location_name, s3_segments


@pytest.mark.parametrize(
    ("uri", "folder"),
    [
        ("s3://lake/orders/", "lake/orders"),
        ("s3://lake/orders", "lake/orders"),
        ("s3a://lake/orders", "lake/orders"),
        ("s3n://lake/orders//", "lake/orders"),
        ("S3://Lake/Orders/", "Lake/Orders"),
        ("s3://lake", "lake"),
        ("s3://lake/orders/dt=2024-05-01/hour=3/", "lake/orders"),
        ("s3://lake/orders/dt=2024-05-01/part-00000.snappy.parquet", "lake/orders"),
        ("s3://lake/in/orders.csv", "lake/in"),
        ("s3://lake/in/orders.csv.gz", "lake/in"),
        ("s3://lake/in/*.csv", "lake/in"),
        ("s3://lake/in/2024*/x", "lake/in"),
        ("s3://lake/in/${dt}/", "lake/in"),
        ("s3://lake/in/part", "lake/in"),
        ("s3://lake/in/part-0000", "lake/in"),
        ("s3://lake/in/part_17", "lake/in"),
        ("s3://lake/out/venue_", "lake/out"),
        ("s3://lake/out/0003_part_00", "lake/out"),
        ("s3://lake/in/manifest", "lake/in"),
        # a folder's name may look like a file's: the closing slash says what it is
        ("s3://lake/orders.parquet/", "lake/orders.parquet"),
        ("s3://lake/api/v1.2", "lake/api/v1.2"),
        ("s3://lake/parties", "lake/parties"),
        ("s3://lake/partners/", "lake/partners"),
    ],
)
def test_the_folder_is_the_dataset(uri: str, folder: str) -> None:
    assert folder_segments(uri) == tuple(folder.split("/"))


@pytest.mark.parametrize("uri", ["", "s3://", "dynamodb://orders", "hdfs://x/y", "/local/path", "emr://j-1/x"])
def test_what_is_not_on_s3_is_no_location(uri: str) -> None:
    assert folder_segments(uri) is None
    assert location_name(uri) is None


def test_a_catalogued_location_keeps_its_partition_folder() -> None:
    """DataHub's glue source names it so."""
    assert location_name("s3://lake/orders/year=2024/") == "lake/orders/year=2024"


def index_of(*uris: str) -> LocationIndex:
    index = LocationIndex()
    for uri in uris:
        index.add(uri)
    return index


def test_the_deepest_location_wins() -> None:
    index = index_of("s3://lake/", "s3://lake/a/", "s3://lake/a/b/")
    assert index.longest_prefix("s3://lake/a/b/c/d.csv") == "lake/a/b"
    assert index.longest_prefix("s3://lake/a/x") == "lake/a"
    assert index.longest_prefix("s3://lake/z") == "lake"


def test_whole_folder_names_count() -> None:
    assert index_of("s3://lake/orders").longest_prefix("s3://lake/orders_old/x") is None


def test_one_location_in_two_spellings_is_one() -> None:
    index = index_of("s3a://lake/a/b", "s3://lake/a/b/")
    assert index.longest_prefix("s3n://lake/a/b/c") == "lake/a/b"
    assert index.only_one_below("s3://lake/a/") == "lake/a/b"


def test_the_spelling_does_not_hang_on_what_came_first() -> None:
    one, two = "s3://lake//a", "s3://lake/a"
    assert index_of(one, two).longest_prefix("s3://lake/a/x") == index_of(two, one).longest_prefix("s3://lake/a/x")


def test_two_locations_below_are_not_one() -> None:
    index = index_of("s3://lake/a/b", "s3://lake/a/c")
    assert index.only_one_below("s3://lake/a/") is None
    assert index.only_one_below("s3://lake/other/") is None


folders = st.lists(st.sampled_from(["a", "b", "ab", "k=1", "x.y"]), max_size=4)
paths = st.tuples(st.sampled_from(["lake", "pond"]), folders).map(lambda path: "/".join([path[0], *path[1]]))
schemes = st.sampled_from(["s3://", "s3a://", "s3n://"])
uris = st.tuples(schemes, paths, st.sampled_from(["", "/"])).map("".join)


@given(st.lists(uris, max_size=8), uris)
@settings(deadline=None)
def test_longest_prefix_finds_what_a_search_of_all_finds(catalogued: list[str], asked: str) -> None:
    wanted = s3_segments(asked) or ()
    all_segments = [s3_segments(uri) or () for uri in catalogued]
    holding = [segments for segments in all_segments if wanted[: len(segments)] == segments]
    longest = max(holding, key=len, default=())
    expected = "/".join(longest) or None
    assert index_of(*catalogued).longest_prefix(asked) == expected


@given(st.lists(uris, max_size=8), uris)
@settings(deadline=None)
def test_only_one_below_finds_what_a_search_of_all_finds(catalogued: list[str], asked: str) -> None:
    wanted = folder_segments(asked) or ()
    below = {
        found
        for uri in catalogued
        if (found := s3_segments(uri) or ())[: len(wanted)] == wanted and len(found) > len(wanted)
    }
    expected = "/".join(next(iter(below))) if len(below) == 1 else None
    assert index_of(*catalogued).only_one_below(asked) == expected


def test_a_look_up_does_not_walk_the_catalog() -> None:
    """20,000 look-ups in 100,000 locations would take minutes with a scan."""
    index = index_of(*(f"s3://lake/db{number % 100}/table{number}/" for number in range(100_000)))
    began = time.perf_counter()
    for number in range(20_000):
        assert index.longest_prefix(f"s3://lake/db{number % 100}/table{number}/dt=1/x.parquet") is not None
    assert time.perf_counter() - began < 5
