"""The SQL of a view as the Glue catalog stores it: by Athena, by Hive and Spark, or in several dialects."""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from datahub_aws_lineage.aws.trino_types import hive_type
from datahub_aws_lineage.model.catalog import Column, ViewDefinition, ViewDialect
from datahub_aws_lineage.model.lineage import Unresolved
from datahub_aws_lineage.model.names import DATA_CATALOG

if TYPE_CHECKING:
    from mypy_boto3_glue.type_defs import TableTypeDef, ViewRepresentationTypeDef

_MARKER = re.compile(
    r"/\*\s*(?:Presto|Trino)\s+(?P<materialized>Materialized\s+)?View\s*:(?P<payload>[^*]*)(?P<end>\*/)?", re.IGNORECASE
)
_COMMENTS = re.compile(r"/\*.*?\*/|--[^\n]*", re.DOTALL)

_DIALECTS: dict[str, ViewDialect] = {"ATHENA": "athena", "SPARK": "hive", "REDSHIFT": "redshift"}
"""The dialects of a multi-dialect view, the best understood first."""

_SPARK_DATABASE = "view.catalogAndNamespace.part.1"
"""Table parameter in which Spark keeps the database that was current when the view was made."""


@dataclass(frozen=True, slots=True)
class StoredView:
    """`columns` is what the stored definition itself says, None where it says nothing."""

    definition: ViewDefinition
    columns: tuple[Column, ...] | None = None


def is_view(table: TableTypeDef) -> bool:
    """Tells a view from a table: Athena, Hive and Spark set the type; multi-dialect and materialized views a flag."""
    return bool(
        table.get("TableType") == "VIRTUAL_VIEW"
        or table.get("IsMultiDialectView")
        or table.get("IsMaterializedView")
        or _MARKER.search(table.get("ViewOriginalText") or "")
    )


def parse_view(table: TableTypeDef, catalog: str, database: str) -> StoredView | Unresolved:
    """Finds the view's SQL and the names it was written under; `catalog` and `database` are where the view lives.

    Of several dialects the one that is current and best understood is taken (Athena, Spark, Redshift).
    """
    materialized = bool(table.get("IsMaterializedView"))
    outcomes = [
        _parse_texts(
            representation.get("ViewOriginalText"),
            representation.get("ViewExpandedText"),
            ViewDefinition("", _DIALECTS[representation.get("Dialect", "")], catalog, database, materialized),
        )
        for representation in _by_preference(table)
    ]
    current = (table.get("Parameters") or {}).get(_SPARK_DATABASE) or database
    own = ViewDefinition("", "hive", catalog, current.lower(), materialized)
    outcomes.append(_parse_texts(table.get("ViewOriginalText"), table.get("ViewExpandedText"), own))
    return next((outcome for outcome in outcomes if isinstance(outcome, StoredView)), outcomes[0])


def _by_preference(table: TableTypeDef) -> list[ViewRepresentationTypeDef]:
    rank = list(_DIALECTS)
    known = [r for r in table.get("ViewDefinition", {}).get("Representations", []) if r.get("Dialect") in _DIALECTS]
    return sorted(known, key=lambda r: (bool(r.get("IsStale")), rank.index(r.get("Dialect", ""))))


def _parse_texts(original: str | None, expanded: str | None, plain: ViewDefinition) -> StoredView | Unresolved:
    """Reads Athena's marker from either text; without it `plain` says what the SQL is."""
    for text in (original, expanded):
        marker = _MARKER.search(text or "")
        if marker:
            return _parse_marker(marker, plain)
    # Hive and Spark expand names and stars there; Athena and Redshift leave a bare `/* Presto View */` or nothing.
    texts = (expanded, original) if plain.dialect == "hive" else (original, expanded)
    for text in texts:
        if text and _COMMENTS.sub("", text).strip():
            return StoredView(replace(plain, sql=text, original=original if original != text else None))
    return Unresolved("empty", "the catalog holds no SQL for the view")


def _parse_marker(marker: re.Match[str], plain: ViewDefinition) -> StoredView | Unresolved:
    if marker["end"] is None:
        return Unresolved("truncated", "the encoded view definition has no end")
    try:
        stored = _decode(marker["payload"])
    except (binascii.Error, ValueError, RecursionError) as e:
        return Unresolved("syntax", f"the encoded view definition cannot be decoded: {type(e).__name__}")
    sql = stored.get("originalSql") if isinstance(stored, dict) else None
    if not isinstance(sql, str) or not sql.strip():
        return Unresolved("empty", "the encoded view definition holds no originalSql")
    definition = ViewDefinition(
        sql=sql,
        dialect="athena",
        default_catalog=_default_catalog(stored.get("catalog"), plain.default_catalog),
        default_database=str(stored.get("schema") or plain.default_database).lower(),
        materialized=plain.materialized or bool(marker["materialized"]),
    )
    return StoredView(definition, _columns(stored.get("columns")))


def _decode(payload: str) -> Any:
    compact = "".join(payload.split()).rstrip("=").replace("-", "+").replace("_", "/")
    return json.loads(base64.b64decode(compact + "=" * (-len(compact) % 4), validate=True))


def _default_catalog(stored: object, own: str) -> str:
    """`hive` is what Trino on EMR calls the Glue catalog that it stores its views in."""
    name = str(stored or own).lower()
    return DATA_CATALOG if name == "hive" else name


def _columns(stored: object) -> tuple[Column, ...] | None:
    if not isinstance(stored, list) or not stored:
        return None
    named = [column for column in stored if isinstance(column, dict) and column.get("name")]
    if len(named) != len(stored):
        return None
    return tuple(
        Column(str(column["name"]), hive_type(str(column.get("type") or "unknown")), column.get("comment") or None)
        for column in named
    )
