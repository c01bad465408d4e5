"""One column step after another: what a column of a table means that is itself made from other columns."""

from __future__ import annotations

from datahub_aws_lineage.model.lineage import DIRECT_SUBTYPES, Subtype

_RANK: dict[Subtype, int] = {"IDENTITY": 0, "TRANSFORMATION": 1, "AGGREGATION": 2}


def compose_subtypes(inner: Subtype, outer: Subtype) -> Subtype:
    """`inner` made the column of the table in between, `outer` used it.

    Direct steps: the one that changes more. An indirect step makes the whole indirect, and the outermost one names it.

    >>> compose_subtypes("AGGREGATION", "TRANSFORMATION")
    'AGGREGATION'
    >>> compose_subtypes("WINDOW", "IDENTITY")
    'WINDOW'
    """
    if outer not in DIRECT_SUBTYPES:
        return outer
    if inner not in DIRECT_SUBTYPES:
        return inner
    return max(inner, outer, key=_RANK.__getitem__)


def compose_confidence(inner: float, outer: float) -> float:
    """The product: both steps have to be right."""
    return round(inner * outer, 6)


def compose_path(upstream: str, subtype: Subtype, field: str) -> str:
    """Where `field` (a dotted path, or "") of a column lies, when the column is made from `upstream`.

    A copy keeps its fields; anything else depends on the whole.

    >>> compose_path("user", "IDENTITY", "address.city")
    'user.address.city'
    """
    return f"{upstream}.{field}" if field and subtype == "IDENTITY" else upstream
