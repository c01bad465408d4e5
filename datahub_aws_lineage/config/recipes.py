"""Whole recipes: read as `datahub ingest` reads them, and described for editors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from datahub.configuration.common import MetaError
from datahub.configuration.config_loader import load_config_file
from expandvars import ExpandvarsException
from pydantic import ValidationError
from yaml import YAMLError

from datahub_aws_lineage.config import SOURCE_TYPE, AwsLineageConfig
from datahub_aws_lineage.errors import ConfigurationError


def recipe_schema() -> dict[str, Any]:
    """The JSON schema of a recipe of this source; of other parts of a recipe it says nothing."""
    config = AwsLineageConfig.model_json_schema(ref_template="#/$defs/{model}")
    definitions = config.pop("$defs", {})
    source = {
        "type": "object",
        "properties": {"type": {"const": SOURCE_TYPE}, "config": config},
        "required": ["type"],
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Recipe of aws-lineage",
        "type": "object",
        "properties": {"source": source},
        "required": ["source"],
        "$defs": definitions,
    }


def parse_recipe(recipe: Any, origin: str) -> AwsLineageConfig:
    """The configuration of this source within a whole recipe.

    Raises ConfigurationError when the recipe is of another source; pydantic's ValidationError when it is not valid.
    """
    source = recipe.get("source") if isinstance(recipe, dict) else None
    kind = source.get("type") if isinstance(source, dict) else None
    if not isinstance(source, dict) or kind != SOURCE_TYPE:
        raise ConfigurationError(f"{origin}: source.type is {kind!r}; expected {SOURCE_TYPE!r}")
    return AwsLineageConfig.model_validate(source.get("config") or {})


def load_recipe(path: Path) -> AwsLineageConfig:
    """Reads a recipe as `datahub ingest` does, with `${VARIABLE}` filled in from the environment.

    Raises ConfigurationError where it cannot be read or is not valid.
    """
    try:
        return parse_recipe(load_config_file(path, allow_remote=False), str(path))
    except ValidationError as e:
        problems = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in e.errors(include_input=False))
        raise ConfigurationError(f"{path}: {problems}") from None
    except (MetaError, YAMLError, ExpandvarsException) as e:
        raise ConfigurationError(f"{path}: {e}") from e
