"""Which base columns each output column of an analysed Spark plan is made from.

A plan comes as JSON: a tree as the list of its nodes in depth-first order, each with its number of children
(`TreeNode.toJSON`); expressions and the plans of subqueries are such lists in turn. Every column has an id, which
the operators above refer to.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from oracle_lineage import BaseColumn

Flat: TypeAlias = list[dict[str, Any]]
Found: TypeAlias = frozenset[BaseColumn]
Columns: TypeAlias = dict[int, Found]
"""The columns that an operator gives, in order, by id."""


class UnknownOperatorError(Exception):
    """A plan holds an operator whose columns this walk cannot tell: the test fails rather than pass by."""


@dataclass
class Node:
    kind: str
    fields: Mapping[str, Any]
    children: list[Node]


def tree(flat: Flat) -> Node:
    nodes = iter(flat)

    def next_tree() -> Node:
        fields = next(nodes)
        children = [next_tree() for _ in range(fields["num-children"])]
        return Node(fields["class"].rsplit(".", 1)[-1], fields, children)

    return next_tree()


class Plan:
    """The walk over one plan. Raises UnknownOperatorError."""

    def __init__(self) -> None:
        self._ctes: dict[int, Columns] = {}

    def columns(self, node: Node, outer: Columns | None = None) -> Columns:
        around = outer or {}
        given = (
            [] if node.kind in ("WithCTE", "LateralJoin") else [self.columns(child, around) for child in node.children]
        )
        match node.kind:
            case "LogicalRelation":
                table = node.fields["catalogTable"]["identifier"]["table"]
                attributes = map(tree, node.fields["output"])
                return {_id(one): frozenset({(table, one.fields["name"])}) for one in attributes}
            case "OneRowRelation":
                return {}
            case "Project" | "Aggregate" | "Window":
                listed = {"Project": "projectList", "Aggregate": "aggregateExpressions", "Window": "windowExpressions"}
                made = self._named(node.fields[listed[node.kind]], {**around, **given[0]})
                return {**given[0], **made} if node.kind == "Window" else made
            case "Filter" | "Sort" | "GlobalLimit" | "LocalLimit" | "SubqueryAlias" | "Distinct" | "CTERelationDef":
                if node.kind == "CTERelationDef":
                    self._ctes[node.fields["id"]] = given[0]
                return given[0]
            case "Join":
                return {**given[0], **given[1]}
            case "LateralJoin":
                left = self.columns(node.children[0], around)
                inner = tree(node.fields["right"])
                return {**left, **self.columns(tree(inner.fields["plan"]), {**around, **left})}
            case "Union" | "Intersect":
                return dict(zip(given[0], map(_union, zip(*(one.values() for one in given), strict=True)), strict=True))
            case "Except":
                return given[0]
            case "WithCTE":
                return [self.columns(child, around) for child in node.children][-1]
            case "CTERelationRef":
                ids = [_id(tree(item)) for item in node.fields["output"]]
                return dict(zip(ids, self._ctes[node.fields["cteId"]].values(), strict=True))
        raise UnknownOperatorError(node.kind)

    def _named(self, items: list[Flat], seen: Columns) -> Columns:
        return {_id(item): self._used(item, seen) for item in map(tree, items)}

    def _used(self, node: Node, seen: Columns) -> Found:
        match node.kind:
            case "AttributeReference":
                return seen[_id(node)]
            case "OuterReference":
                return self._used(tree(node.fields["e"]), seen)
            case "ScalarSubquery" | "ListQuery":
                return next(iter(self.columns(tree(node.fields["plan"]), seen).values()))
            case "Exists":
                return frozenset()
        return _union(self._used(child, seen) for child in node.children)


def _id(node: Node) -> int:
    found: int = node.fields["exprId"]["id"]
    return found


def _union(parts: Any) -> Found:
    return frozenset().union(*parts)
