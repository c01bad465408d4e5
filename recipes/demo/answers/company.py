"""The company as it is written down: YAML and SQL files in, plain values out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, TypeAlias

import yaml

Source: TypeAlias = Mapping[str, Any]
COMMENT = " -- "
FOUNDED = datetime(2024, 2, 12, tzinfo=timezone.utc)
"""When there is nothing older, and nobody cares."""


@dataclass(frozen=True, slots=True)
class Column:
    """`type` is written as the table's own engine writes it: a Hive type, or a Redshift type."""

    name: str
    type: str
    comment: str | None = None


@dataclass(frozen=True, slots=True)
class Table:
    name: str
    columns: tuple[Column, ...]
    partition_keys: tuple[Column, ...] = ()
    format: str = ""
    location: str = ""
    description: str = ""
    view: str = ""
    link: Source | None = None
    late_binding: bool = False
    materialized: bool = False
    parameters: Mapping[str, str] = field(default_factory=dict)
    created: datetime | None = None


@dataclass(frozen=True, slots=True)
class Database:
    """A Glue database, or a schema of the warehouse."""

    name: str
    owner: str
    description: str
    tables: tuple[Table, ...]
    location: str = ""
    link: Source | None = None
    created: datetime = FOUNDED


@dataclass(frozen=True, slots=True)
class Account:
    folder: Path
    source: Source

    @classmethod
    def read(cls, folder: Path) -> Account:
        return cls(folder, read_yaml(folder / "account.yml"))

    @property
    def id(self) -> str:
        return str(self.source["account_id"])

    @property
    def region(self) -> str:
        return str(self.source["region"])

    @property
    def now(self) -> datetime:
        now: datetime = self.source["now"]
        return now


def read_yaml(path: Path) -> Source:
    source: Source = yaml.safe_load(path.read_text(encoding="utf-8"))
    return source


def read_catalog(folder: Path) -> tuple[Database, ...]:
    """The Glue databases, by name; SQL of views comes from `views/`."""
    sources = [read_yaml(path) for path in sorted(folder.glob("catalog/*.yml"))]
    return tuple(_build_database(source["database"], source, folder / "views") for source in sources)


def read_schemas(warehouse: Source, views: Path) -> tuple[Database, ...]:
    return tuple(_build_database(name, source, views) for name, source in sorted(warehouse["schemas"].items()))


def parse_columns(source: Mapping[str, str]) -> tuple[Column, ...]:
    """`name: type -- comment`, in order.

    >>> parse_columns({"lat": "double -- degrees"})
    (Column(name='lat', type='double', comment='degrees'),)
    """
    parted = ((name, *text.partition(COMMENT)) for name, text in source.items())
    return tuple(Column(name, kind.strip(), comment.strip() or None) for name, kind, _, comment in parted)


def _build_database(name: str, source: Source, views: Path) -> Database:
    return Database(
        name=name,
        owner=source["owner"],
        description=source.get("description", ""),
        tables=tuple(_build_table(key, table, views) for key, table in sorted(source["tables"].items())),
        location=source.get("location", ""),
        link=source.get("link"),
        created=source.get("created", FOUNDED),
    )


def _build_table(name: str, source: Source, views: Path) -> Table:
    return Table(
        name=name,
        columns=parse_columns(source.get("columns", {})),
        partition_keys=parse_columns(source.get("partition_keys", {})),
        format=source.get("format", ""),
        location=source.get("location", ""),
        description=source.get("description", ""),
        view=(views / source["view"]).read_text(encoding="utf-8").rstrip("\n") if "view" in source else "",
        link=source.get("link"),
        late_binding=source.get("late_binding", False),
        materialized=source.get("materialized", False),
        parameters=source.get("parameters", {}),
        created=source.get("created"),
    )
