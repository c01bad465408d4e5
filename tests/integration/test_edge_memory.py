"""Lineage over many runs: what has left the log stays, what is over goes, and what others wrote is never touched."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from datahub.emitter.mcp import MetadataChangeProposalWrapper
from datahub.emitter.serialization_helper import pre_json_transform
from datahub.ingestion.run.pipeline import Pipeline
from datahub.metadata.schema_classes import UpstreamClass, UpstreamLineageClass
from metadata_server import TOKEN, MetadataService, metadata_service

MONDAY = datetime(2026, 3, 2, tzinfo=timezone.utc)
COLUMNS = "query_id,query_text,start_time,database_name,user_name,session_id,status\n"
LOAD = "INSERT INTO public.report (id, total) SELECT l.id, l.amount FROM public.landing l"
LOAD_OTHER = "INSERT INTO public.report (id, total) SELECT o.id, o.price * 2 FROM public.orders o"
REBUILT = [LOAD_OTHER.replace("INSERT INTO public.report (id, total)", "CREATE TABLE public.report AS")]
REPORT = "urn:li:dataset:(urn:li:dataPlatform:redshift,dev.public.report,PROD)"
LANDING, ORDERS, HAND = (REPORT.replace("report", name) for name in ("landing", "orders", "by_hand"))


@pytest.fixture
def service() -> Iterator[MetadataService]:
    with metadata_service() as service:
        yield service


class Days:
    """Runs, each of which reads the log of a day and no more."""

    def __init__(self, service: MetadataService, folder: Path, memory: dict[str, Any] | None, **recipe: Any) -> None:
        self.service = service
        self._folder = folder
        self._recipe = {"edge_memory": memory} | recipe if memory is not None else recipe

    def run(self, day: int, *statements: str, more: tuple[dict[str, Any], ...] = ()) -> Pipeline:
        """`more` are further warehouses."""
        start = MONDAY + timedelta(days=day)
        log = self._folder / f"day{day}.csv"
        rows = (
            f'{number},"{text}",{start:%Y-%m-%d} {number:02}:00:00,dev,etl,{number},success\n'
            for number, text in enumerate(statements, 1)
        )
        log.write_text(COLUMNS + "".join(rows))
        warehouse = {"name": "w", "query_logs": [{"type": "file", "path": str(log)}]}
        recipe = {
            "glue": {"enabled": False},
            "athena": {"enabled": False},
            "start_time": start.isoformat(),
            "end_time": (start + timedelta(days=1)).isoformat(),
            "redshift": [warehouse, *more],
            **self._recipe,
        }
        pipeline = Pipeline.create(
            {
                "pipeline_name": "days",
                "source": {"type": "aws-lineage", "config": recipe},
                "sink": {
                    "type": "datahub-rest",
                    "config": {"server": self.service.url, "token": TOKEN, "mode": "SYNC"},
                },
            },
            report_to=None,
        )
        pipeline.run()
        return pipeline

    def write(self, *upstreams: UpstreamClass) -> None:
        """What another writer adds to the report's lineage."""
        aspect = self.aspect() or UpstreamLineageClass([])
        replaced = {one.dataset for one in upstreams}
        aspect.upstreams = [*(one for one in aspect.upstreams if one.dataset not in replaced), *upstreams]
        written = MetadataChangeProposalWrapper(entityUrn=REPORT, aspect=aspect)
        assert self.service.take(pre_json_transform(written.to_obj())) == []

    def aspect(self) -> UpstreamLineageClass | None:
        value = self.service.entity(REPORT)["aspects"].get("upstreamLineage", {}).get("value")
        return UpstreamLineageClass.from_obj(value) if value is not None else None

    @property
    def upstreams(self) -> set[str]:
        aspect = self.aspect()
        return {upstream.dataset for upstream in aspect.upstreams} if aspect is not None else set()

    @property
    def columns(self) -> set[str]:
        aspect = self.aspect()
        edges = (aspect.fineGrainedLineages or []) if aspect is not None else []
        return {
            f"{upstream.split('dev.public.')[1].replace(',PROD),', ':').rstrip(')')} -> "
            f"{(edge.downstreams or [''])[0].rpartition(',')[2].rstrip(')')}"
            for edge in edges
            for upstream in edge.upstreams or []
        }


LOADED = {"landing:id -> id", "landing:amount -> total"}
LOADED_OTHER = {"orders:id -> id", "orders:price -> total"}
STATEFUL = {"stateful_ingestion": {"enabled": True, "fail_safe_threshold": 100.0}}


@pytest.fixture(params=["file", "datahub"])
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The memory's settings, and the rest of the recipe that they need."""
    if request.param == "file":
        return {"path": str(tmp_path / "edges.gz")}, {}
    return {}, STATEFUL


Kept = tuple[dict[str, Any], dict[str, Any]]


@pytest.fixture
def in_file(tmp_path: Path) -> Kept:
    return {"path": str(tmp_path / "edges.gz")}, {}


@pytest.mark.parametrize("incremental", [True, False])
def test_what_has_left_the_log_stays(service: MetadataService, tmp_path: Path, kept: Kept, incremental: bool) -> None:
    days = Days(service, tmp_path, kept[0], **kept[1], incremental_lineage=incremental)
    days.run(0, LOAD).raise_from_status()
    days.run(1, LOAD_OTHER).raise_from_status()
    days.run(2, "SELECT 1").raise_from_status()
    assert days.upstreams == {LANDING, ORDERS}
    assert days.columns == LOADED | LOADED_OTHER


def test_without_a_memory_a_run_that_replaces_has_its_window_alone(service: MetadataService, tmp_path: Path) -> None:
    days = Days(service, tmp_path, None, incremental_lineage=False)
    days.run(0, LOAD)
    days.run(1, LOAD_OTHER)
    assert days.columns == LOADED_OTHER


@pytest.mark.parametrize(
    ("statements", "incremental"),
    [
        pytest.param(["TRUNCATE public.report", LOAD_OTHER], True, id="emptied"),
        pytest.param(["DELETE FROM public.report", LOAD_OTHER], False, id="emptied by DELETE"),
        pytest.param(["DROP TABLE public.report", *REBUILT], True, id="rebuilt"),
        pytest.param(
            [
                "CREATE TABLE public.n AS SELECT o.id, o.price * 2 AS total FROM public.orders o",
                "DROP TABLE public.report",
                "ALTER TABLE public.n RENAME TO report",
            ],
            False,
            id="swapped",
        ),
    ],
)
def test_a_table_that_is_filled_anew_loses_what_filled_it_before(
    service: MetadataService, tmp_path: Path, in_file: Kept, statements: list[str], incremental: bool
) -> None:
    days = Days(service, tmp_path, in_file[0], **in_file[1], incremental_lineage=incremental)
    days.run(0, LOAD)
    days.run(1, *statements).raise_from_status()
    assert days.upstreams == {ORDERS}
    assert {edge.partition(":")[0] for edge in days.columns} == {"orders"}
    days.run(2, "SELECT 1")
    assert days.upstreams == {ORDERS}


@pytest.mark.parametrize("incremental", [True, False])
def test_a_table_that_is_dropped_has_no_lineage(
    service: MetadataService, tmp_path: Path, kept: Kept, incremental: bool
) -> None:
    days = Days(service, tmp_path, kept[0], **kept[1], incremental_lineage=incremental)
    days.run(0, LOAD)
    days.run(1, "DROP TABLE public.report").raise_from_status()
    assert (days.upstreams, days.columns) == (set(), set())


@pytest.mark.parametrize(
    "statements",
    [
        pytest.param(
            [
                "CREATE TABLE public.n AS SELECT DISTINCT r.id, r.total FROM public.report r",
                "DROP TABLE public.report",
                "ALTER TABLE public.n RENAME TO report",
            ],
            id="in its place",
        ),
        pytest.param(
            [
                "CREATE TABLE public.n AS SELECT DISTINCT r.id, r.total FROM public.report r",
                "TRUNCATE public.report",
                "INSERT INTO public.report SELECT n.id, n.total FROM public.n n",
                "DROP TABLE public.n",
            ],
            id="by another table",
        ),
    ],
)
def test_a_table_that_is_built_from_itself_keeps_what_filled_it(
    service: MetadataService, tmp_path: Path, in_file: Kept, statements: list[str]
) -> None:
    days = Days(service, tmp_path, in_file[0])
    days.run(0, LOAD)
    days.run(1, *statements)
    assert days.columns == LOADED


@pytest.mark.parametrize(
    "statement", ["CREATE TABLE IF NOT EXISTS public.report AS SELECT 1 AS id", "TRUNCATE public.report", LOAD]
)
def test_what_may_have_changed_nothing_takes_nothing_back(
    service: MetadataService, tmp_path: Path, in_file: Kept, statement: str
) -> None:
    days = Days(service, tmp_path, in_file[0], **in_file[1])
    days.run(0, LOAD, LOAD_OTHER)
    days.run(1, statement)
    assert days.columns == LOADED | LOADED_OTHER


@pytest.mark.parametrize("incremental", [True, False])
def test_what_no_run_has_seen_for_long_goes(
    service: MetadataService, tmp_path: Path, kept: Kept, incremental: bool
) -> None:
    memory = {**kept[0], "expire_after_days": 10}
    days = Days(service, tmp_path, memory, **kept[1], incremental_lineage=incremental)
    days.run(0, LOAD, LOAD_OTHER)
    days.run(9, LOAD_OTHER)
    assert days.upstreams == {LANDING, ORDERS}
    days.run(10, "SELECT 1")
    assert (days.upstreams, days.columns) == ({ORDERS}, LOADED_OTHER)
    days.run(40, "SELECT 1")
    assert (days.upstreams, days.columns) == (set(), set())


def test_edges_of_other_writers_stay(service: MetadataService, tmp_path: Path, in_file: Kept) -> None:
    """One that we never wrote, and one that somebody has written over ours."""
    days = Days(service, tmp_path, in_file[0], **in_file[1])
    days.run(0, LOAD)
    days.write(UpstreamClass(HAND, "TRANSFORMED"), UpstreamClass(LANDING, "TRANSFORMED"))
    days.run(1, "DROP TABLE public.report", *REBUILT).raise_from_status()
    assert days.upstreams == {HAND, LANDING, ORDERS}
    assert not any(edge.startswith("landing") for edge in days.columns)


def test_a_second_recipe_does_not_know_the_edges_of_the_first(service: MetadataService, tmp_path: Path) -> None:
    Days(service, tmp_path, {"path": str(tmp_path / "one.gz")}).run(0, LOAD)
    days = Days(service, tmp_path, {"path": str(tmp_path / "two.gz")})
    days.run(1, "TRUNCATE public.report", LOAD_OTHER)
    assert days.upstreams == {LANDING, ORDERS}


def test_a_table_that_was_left_empty_by_one_run_is_filled_anew_by_the_next(
    service: MetadataService, tmp_path: Path, in_file: Kept
) -> None:
    days = Days(service, tmp_path, in_file[0])
    days.run(0, LOAD, "TRUNCATE public.report")
    days.run(1, "SELECT 1")
    assert days.columns == LOADED
    days.run(2, LOAD_OTHER)
    assert days.columns == LOADED_OTHER


def test_the_same_log_twice_says_the_same_twice(service: MetadataService, tmp_path: Path, in_file: Kept) -> None:
    days = Days(service, tmp_path, in_file[0], **in_file[1])
    statements = ("TRUNCATE public.report", LOAD, LOAD_OTHER)
    days.run(0, *statements)
    before, count = days.aspect(), len(service.proposals)
    days.run(0, *statements)
    assert days.aspect() == before
    patches = [one.aspect for one in service.proposals[count:] if one.aspectName == "upstreamLineage"]
    assert patches
    assert not any(b'"remove"' in one.value for one in patches if one is not None)


def test_a_run_that_failed_takes_nothing_back_and_forgets_nothing(
    service: MetadataService, tmp_path: Path, kept: Kept
) -> None:
    days = Days(service, tmp_path, kept[0], **kept[1])
    days.run(0, LOAD)
    lost = {"name": "lost", "query_logs": [{"type": "file", "path": str(tmp_path / "gone.csv")}]}
    failed = days.run(1, "DROP TABLE public.report", *REBUILT, more=(lost,))
    assert failed.source.get_report().failures
    assert days.upstreams == {LANDING, ORDERS}
    days.run(1, "DROP TABLE public.report", *REBUILT).raise_from_status()
    assert days.upstreams == {ORDERS}


def test_where_datahub_cannot_be_asked_only_edges_between_columns_go(service: MetadataService, tmp_path: Path) -> None:
    """They carry our query; an upstream dataset may be another writer's by now."""
    days = Days(service, tmp_path, {"path": str(tmp_path / "edges.gz")})
    days.run(0, LOAD)
    service.silent = True
    report = days.run(1, "TRUNCATE public.report", LOAD_OTHER).source.get_report()
    service.silent = False
    assert len(report.warnings) == 1
    assert days.upstreams == {LANDING, ORDERS}
    assert days.columns == LOADED_OTHER


@pytest.mark.parametrize("content", [b"", b"no memory", b"\x1f\x8b\x08\x00broken"])
def test_a_file_that_is_no_memory_ends_the_run_before_it_begins(
    service: MetadataService, tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "edges.gz"
    path.write_bytes(content)
    report = Days(service, tmp_path, {"path": str(path)}).run(0, LOAD).source.get_report()
    assert "edge_memory.path" in str(report.failures)
    assert path.read_bytes() == content


def test_a_memory_that_cannot_be_written_is_a_failure(service: MetadataService, tmp_path: Path) -> None:
    days = Days(service, tmp_path, {"path": str(tmp_path / "no" / "edges.gz")})
    report = days.run(0, LOAD).source.get_report()
    assert "The memory of edges could not be written" in str(report.failures)
    assert days.columns == LOADED


def test_what_ran_after_the_table_was_made_stays_where_its_own_log_has_forgotten_it(
    service: MetadataService, tmp_path: Path
) -> None:
    """A log that keeps more days shows the CREATE still, another one the INSERT after it no more."""
    days = Days(service, tmp_path, {"path": str(tmp_path / "edges.gz")})
    made = REBUILT[0]
    days.run(0, made, LOAD)
    days.run(0, made)
    assert days.upstreams == {LANDING, ORDERS}
