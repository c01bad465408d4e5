"""Which tool wrote a statement."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class QueryOrigin:
    """`tool` is a DataHub data platform (`dbt`), `user` the person that the tool names, `details` what else it says."""

    tool: str
    user: str | None = None
    details: Mapping[str, str] = field(default_factory=dict)
