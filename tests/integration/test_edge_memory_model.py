"""A log read day by day, with a memory of edges, gives the lineage of the same log read at once."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from metadata_server import MetadataService, metadata_service
from test_edge_memory import REPORT, Days

TABLES = ("a", "b", "c")
DAYS = 3


def statement(chance: random.Random) -> str:
    table, source, kind = chance.choice(TABLES), chance.choice((*TABLES, "x", "y")), chance.random()
    if kind < 0.5:
        return f"INSERT INTO public.{table} (id) SELECT q.id FROM public.{source} q"
    if kind < 0.6:
        return f"TRUNCATE public.{table}"
    if kind < 0.7:
        return f"DELETE FROM public.{table}"
    if kind < 0.85:
        return f"CREATE TABLE public.{table} AS SELECT q.id FROM public.{source} q"
    return f"DROP TABLE public.{table}"


def upstreams(service: MetadataService) -> dict[str, set[str]]:
    found = {}
    for table in TABLES:
        urn = REPORT.replace("report", table)
        lineage = service.entity(urn)["aspects"].get("upstreamLineage", {}).get("value", {})
        sources = {one["dataset"].partition("dev.public.")[2].partition(",")[0] for one in lineage.get("upstreams", ())}
        found[table] = sources - {table}
    return found


@pytest.mark.parametrize("incremental", [True, False])
@pytest.mark.parametrize("seed", [5, 7, 16, 19])
def test_day_by_day_is_as_all_at_once(tmp_path: Path, seed: int, incremental: bool) -> None:
    chance = random.Random(seed)
    days = [[statement(chance) for _ in range(chance.randint(1, 4))] for _ in range(DAYS)]
    with metadata_service() as by_day, metadata_service() as at_once:
        memory = {"path": str(tmp_path / "edges.gz")}
        runs = Days(by_day, tmp_path, memory, incremental_lineage=incremental)
        for day, statements in enumerate(days):
            runs.run(day, *statements).raise_from_status()
        Days(at_once, tmp_path, None).run(0, *(text for statements in days for text in statements)).raise_from_status()
        assert upstreams(by_day) == upstreams(at_once), days
