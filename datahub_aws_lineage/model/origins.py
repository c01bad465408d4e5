"""Which tool issued a statement, as the tool itself says it in a comment of the text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class QueryOrigin:
    """`tool` is named as DataHub names its data platform, where it has one: `dbt`, `looker`, `mode`.

    `user` is the person that the tool names, by e-mail or name; None where it names none, or by a number alone.
    `details` are further facts that the tool wrote down, each under the tool's name: `dbt_node_id`, `mode_report_url`.
    """

    tool: str
    user: str | None
    details: Mapping[str, str]
