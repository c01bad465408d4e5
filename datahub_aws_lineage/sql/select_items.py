"""How the items of a SELECT were written, without writing SQL again."""

from __future__ import annotations

from sqlglot import Token, TokenType, exp

from datahub_aws_lineage.sql.cursor import source_text
from datahub_aws_lineage.sql.token_edits import split_commas

_END_OF_ITEMS = frozenset(
    {
        TokenType.FROM,
        TokenType.WHERE,
        TokenType.GROUP_BY,
        TokenType.HAVING,
        TokenType.ORDER_BY,
        TokenType.QUALIFY,
        TokenType.UNION,
        TokenType.EXCEPT,
        TokenType.INTERSECT,
        TokenType.LIMIT,
        TokenType.INTO,
        TokenType.WINDOW,
        TokenType.FETCH,
    }
)
_OPEN = frozenset({TokenType.L_PAREN, TokenType.L_BRACKET, TokenType.L_BRACE})
_CLOSE = frozenset({TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.R_BRACE})


def item_texts(tree: exp.Expr, tokens: list[Token], text: str) -> dict[int, str]:
    """The text of each item of the first outermost SELECT, by the identity of the item's node, without its alias.

    Empty where text and tree cannot be matched item by item.
    """
    select = _first_select(tree)
    if select is None:
        return {}
    items = split_commas(_item_tokens(tokens))
    if len(items) != len(select.expressions):
        return {}
    return {
        id(node): source_text(_without_alias(node, item), text)
        for node, item in zip(select.expressions, items, strict=True)
    }


def _first_select(tree: exp.Expr) -> exp.Expr | None:
    while isinstance(tree, exp.SetOperation | exp.Subquery):
        tree = tree.this
    return tree if isinstance(tree, exp.Select) else None


def _item_tokens(tokens: list[Token]) -> list[Token]:
    """From behind the first SELECT that is in no other parentheses than those around the whole query."""
    tokens = _unwrapped(tokens)
    depth, start = 0, None
    for position, token in enumerate(tokens):
        kind = token.token_type
        if kind in _OPEN:
            depth += 1
        elif kind in _CLOSE:
            depth -= 1
        elif depth == 0 and start is None and kind is TokenType.SELECT:
            start = position + 1
        elif depth == 0 and start is not None and kind in _END_OF_ITEMS:
            return _without_quantifier(tokens[start:position])
    return _without_quantifier(tokens[start:]) if start is not None else []


def _unwrapped(tokens: list[Token]) -> list[Token]:
    start = 0
    while start < len(tokens) and tokens[start].token_type is TokenType.L_PAREN:
        start += 1
    if not start:
        return tokens
    depth = 0
    for position in range(start, len(tokens)):
        kind = tokens[position].token_type
        depth += (kind is TokenType.L_PAREN) - (kind is TokenType.R_PAREN)
        if depth < 0:
            return tokens[start:position]
    return tokens[start:]


def _without_quantifier(tokens: list[Token]) -> list[Token]:
    if tokens and tokens[0].text.upper() in ("DISTINCT", "ALL"):
        return tokens[1:]
    if len(tokens) > 2 and tokens[0].text.upper() == "TOP" and tokens[1].token_type is TokenType.NUMBER:
        return tokens[2:]
    return tokens


def _without_alias(node: exp.Expr, tokens: list[Token]) -> list[Token]:
    if not isinstance(node, exp.Alias) or len(tokens) < 2:
        return tokens
    tokens = tokens[:-1]
    return tokens[:-1] if tokens[-1].token_type is TokenType.ALIAS and len(tokens) > 1 else tokens
