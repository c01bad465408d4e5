"""What of a recipe does not work, what that costs, and the IAM policy that would mend it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from datahub_aws_lineage.aws import organizations, sessions
from datahub_aws_lineage.checks import Check, Finding, try_one
from datahub_aws_lineage.config.recipes import load_recipe
from datahub_aws_lineage.connection_test import capability_checks, identity_check
from datahub_aws_lineage.report import AwsLineageReport
from datahub_aws_lineage.sites import open_sites


def examine(recipe: Path) -> tuple[str, bool]:
    """A text on each part that a run of the recipe would read, and whether all of them can be read.

    Raises ConfigurationError for a recipe that cannot be read, and SnapshotError where its recording cannot.
    """
    config, report = load_recipe(recipe), AwsLineageReport()
    lines: list[str] = []
    missing: dict[str, None] = {}
    sites = open_sites(config, report.diagnostics)
    for entry in report.failures:
        lines.append(f"missing  {entry.message}: {'; '.join(entry.context)}")
        if any(action in str(entry.context) for action in organizations.PERMISSIONS):
            missing.update(dict.fromkeys(organizations.PERMISSIONS))
    for site in sites:
        for check in (identity_check(site.clients), *capability_checks(site.config, site.clients)):
            finding = try_one(check)
            lines += _lines(check, finding, f"{site.name}: " if site.name else "")
            missing.update(dict.fromkeys(_actions(check, finding)))
    whole = not any(line.startswith("missing") for line in lines)
    if missing:
        lines += ["", "This policy allows what is missing:", _policy(sorted(missing))]
    return "\n".join(lines) + "\n", whole


def _lines(check: Check, finding: Finding, site: str) -> Iterator[str]:
    if finding.reason is None:
        yield f"ok       {site}{check.name}"
        return
    yield f"missing  {site}{check.name}"
    yield f"         {finding.reason}"
    if check.gives:
        yield f"         It gives {check.gives}."
    if finding.remedy:
        yield f"         {finding.remedy}."


def _actions(check: Check, finding: Finding) -> Iterator[str]:
    """All that the part needs, for what is denied next is not known yet."""
    if finding.denied is not None:
        yield finding.denied
        yield from check.needs
    elif finding.reason is not None and "AssumeRole" in finding.reason:
        yield from sessions.PERMISSIONS


def _policy(actions: list[str]) -> str:
    statement: dict[str, Any] = {"Effect": "Allow", "Action": actions, "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]}, indent=2)
