"""A log read day by day, with a memory of edges, gives the lineage of the same log read at once."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from metadata_server import MetadataService, metadata_service
from test_edge_memory import REPORT, Days

TABLES = ("a", "b", "c")
DAYS = 3


def statements(chance: random.Random) -> list[str]:
    """What happens to a table at a time. None is gone for good: what read it would be seen through at once only."""
    table = chance.choice(TABLES)
    source = chance.choice([one for one in (*TABLES, "x", "y") if one != table])
    filled = f"SELECT q.id FROM public.{source} q"
    kind = chance.random()
    if kind < 0.6:
        return [f"INSERT INTO public.{table} (id) {filled}"]
    if kind < 0.8:
        return [f"{chance.choice(('TRUNCATE', 'DELETE FROM'))} public.{table}"]
    return [f"DROP TABLE public.{table}", f"CREATE TABLE public.{table} AS {filled}"]


def upstreams(service: MetadataService) -> dict[str, set[str]]:
    found = {}
    for table in TABLES:
        urn = REPORT.replace("report", table)
        lineage = service.entity(urn)["aspects"].get("upstreamLineage", {}).get("value", {})
        sources = {one["dataset"].partition("dev.public.")[2].partition(",")[0] for one in lineage.get("upstreams", ())}
        found[table] = sources - {table}
    return found


@pytest.mark.parametrize(("seed", "incremental"), [(0, True), (1, False), (2, True), (3, False)])
def test_day_by_day_is_as_all_at_once(tmp_path: Path, seed: int, incremental: bool) -> None:
    chance = random.Random(seed)
    days = [[text for _ in range(chance.randint(1, 4)) for text in statements(chance)] for _ in range(DAYS)]
    with metadata_service() as by_day, metadata_service() as at_once:
        memory = {"path": str(tmp_path / "edges.gz")}
        runs = Days(by_day, tmp_path, memory, incremental_lineage=incremental)
        for day, texts in enumerate(days):
            runs.run(day, *texts).raise_from_status()
        Days(at_once, tmp_path, None).run(0, *(text for texts in days for text in texts)).raise_from_status()
        assert upstreams(by_day) == upstreams(at_once), days
