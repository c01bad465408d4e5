"""What the models of the recipe have in common: patterns that compile, and settings that would do nothing."""

from __future__ import annotations

import re
from typing import Annotated

from datahub.configuration.common import AllowDenyPattern, ConfigModel
from pydantic import AfterValidator


def _compiled(pattern: AllowDenyPattern) -> AllowDenyPattern:
    """Raises ValueError for what is no regular expression: it would fail where it is first matched."""
    try:
        for expression in (*pattern.allow, *pattern.deny):
            re.compile(expression)
    except re.error as e:
        raise ValueError(f"{e.pattern!r} is no regular expression: {e}") from e
    return pattern


Pattern = Annotated[AllowDenyPattern, AfterValidator(_compiled)]
ALL = AllowDenyPattern.allow_all


def reject_unused(model: ConfigModel, keys: tuple[str, ...], because: str) -> None:
    """Raises ValueError for each of `keys` that the recipe sets although nothing would read it."""
    unused = [key for key in keys if key in model.model_fields_set]
    if unused:
        raise ValueError(f"{', '.join(unused)}: no effect, because {because}; remove it")
