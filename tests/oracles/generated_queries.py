"""Random queries within the SQL that Redshift, Trino, PostgreSQL, DuckDB and Spark share, as trees.

A tree can be written in several ways (`Spelling`) that all mean the same. Every choice comes from the `Random` that
is given, so a seed names a query. Queries are accepted by the servers: types are right, names are not ambiguous.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Literal, TypeAlias

Type: TypeAlias = Literal["int", "text"]

BASE_TABLES: dict[str, dict[str, Type]] = {
    "orders": {"id": "int", "customer": "int", "amount": "int", "note": "text", "status": "text"},
    "customers": {"customer": "int", "name": "text", "region": "text", "parent": "int"},
    "lines": {"id": "int", "line": "int", "sku": "text", "amount": "int"},
    "regions": {"region": "text", "title": "text", "manager": "int"},
}
"""The tables that queries read. Several columns share a name, so that qualifying them and joining by USING matter."""


@dataclass(frozen=True)
class Spelling:
    """One way of writing a query. The default is plain; each field changes the text and leaves the meaning."""

    alias: Callable[[int], str] = "s{}".format
    quoted: bool = False
    qualified: bool = False
    stars: bool = True
    swapped: bool = False
    keyword: Callable[[str], str] = str
    blank: str = " "


@dataclass(frozen=True)
class Features:
    """What queries may hold.

    `every_column` has each column of a subquery or CTE used by what reads it. `tied` allows what depends on the order
    of rows that ORDER BY leaves equal: LIMIT, and windows that pick a row.
    """

    every_column: bool = False
    distinct: bool = True
    tied: bool = True
    correlated: bool = True
    lateral: bool = True
    rollup: bool = True
    using: bool = True
    """In Trino the merged columns of USING belong to no side, so that what is written here would mean other columns."""
    stars_of_sides: bool = True
    """`s.*` of a side of USING. Spark has an order of its own for its columns."""
    depth: int = 3


@dataclass(frozen=True)
class Name:
    """An identifier that is written as it is, or quoted."""

    text: str


@dataclass(frozen=True)
class Text:
    """A literal, which no spelling touches."""

    sql: str


@dataclass(eq=False)
class Source:
    """Something in FROM. `body` is a base table's name, a CTE, or a query in parentheses."""

    number: int
    body: str | Cte | Query
    columns: dict[str, Type]
    renamed: tuple[str, ...] = ()
    aliased: bool = True
    lateral: bool = False


@dataclass(eq=False)
class Cte:
    """`shadows` is the base table whose name it takes; within its own query that is still the table."""

    number: int
    query: Query
    shadows: str | None = None


@dataclass(frozen=True)
class Ref:
    """A column of a source. `bare` is written without its source, which `merged` columns of USING have to be."""

    source: Source
    name: str
    bare: bool = False
    merged: bool = False


Part: TypeAlias = "str | Name | Text | Ref | Query"
Expr: TypeAlias = tuple[Part, ...]


@dataclass(frozen=True)
class Star:
    """`*`, or `s.*`; `columns` is what it stands for."""

    source: Source | None
    columns: tuple[tuple[str, Ref], ...]


@dataclass(frozen=True)
class Item:
    expression: Expr
    name: str
    named: bool = True


@dataclass(frozen=True)
class Joined:
    source: Source
    how: str = ""
    on: Expr | None = None
    using: tuple[str, ...] = ()
    natural: bool = False


@dataclass(eq=False)
class Select:
    items: list[Item | Star] = field(default_factory=list)
    ctes: list[Cte] = field(default_factory=list)
    sources: list[Joined] = field(default_factory=list)
    distinct: bool = False
    where: Expr | None = None
    group: list[Expr] = field(default_factory=list)
    rollup: str = ""
    having: Expr | None = None
    windows: list[tuple[Name, Expr]] = field(default_factory=list)
    order: list[Expr] = field(default_factory=list)
    limit: int | None = None
    columns: dict[str, Type] = field(default_factory=dict)


@dataclass(eq=False)
class SetOperation:
    left: Query
    operator: str
    right: Select

    @property
    def columns(self) -> dict[str, Type]:
        return self.left.columns

    @property
    def ctes(self) -> list[Cte]:
        """The WITH in front of the first SELECT belongs to the whole."""
        return self.left.ctes


Query: TypeAlias = Select | SetOperation
Scope: TypeAlias = Sequence[Sequence[Joined]]
"""What can be named, a level each, the innermost first."""


def query(random: Random, features: Features = Features()) -> Query:
    return _Generator(random, features).query(features.depth, ())


def text_of(query: Query, spelling: Spelling = Spelling()) -> str:
    return "".join(_Writer(spelling).query(query)).strip()


class _Generator:
    def __init__(self, random: Random, features: Features) -> None:
        self._random = random
        self._features = features
        self._count = 0
        self._visible: Sequence[Cte] = ()
        """The CTEs that a subquery within an expression sees."""

    # ---- choices ----------------------------------------------------------------------------------------------------

    def _number(self) -> int:
        self._count += 1
        return self._count

    def _chance(self, of_hundred: int) -> bool:
        return self._random.randrange(100) < of_hundred

    def _among(self, *choices: Callable[[], Expr]) -> Expr:
        return self._random.choice(choices)()

    # ---- queries ----------------------------------------------------------------------------------------------------

    def query(self, depth: int, outer: Scope, ctes: Sequence[Cte] = ()) -> Query:
        if depth > 0 and self._chance(20):
            made: Query = self.select(depth - 1, outer, ctes, ordered=False)
            operators = ["UNION ALL", *(["UNION", "INTERSECT", "EXCEPT"] if self._features.distinct else [])]
            for _ in range(self._random.choice([1, 1, 2])):
                types = tuple(made.columns.values())
                right = self.select(depth - 1, outer, (*ctes, *made.ctes), ordered=False, like=types)
                made = SetOperation(made, self._random.choice(operators), right)
            return made
        return self.select(depth, outer, ctes)

    def select(
        self,
        depth: int,
        outer: Scope,
        ctes: Sequence[Cte],
        *,
        ordered: bool = True,
        like: tuple[Type, ...] | None = None,
    ) -> Select:
        """A SELECT; with `like`, one whose columns have these types and no names of their own."""
        made = Select()
        while depth > 0 and not outer and like is None and len(made.ctes) < 2 and self._chance(30):
            made.ctes.append(self._cte(depth - 1, (*ctes, *made.ctes)))
        visible = (*ctes, *made.ctes)
        must = [cte for cte in made.ctes if self._features.every_column or self._chance(80)]
        around, self._visible = self._visible, visible
        plain = like is not None and self._features.every_column
        made.sources = self._sources(0 if plain else depth, outer, visible, must)
        scope = (made.sources, *outer)
        if self._chance(45):
            made.where = self._condition(scope, depth)
        grouped = self._chance(30)
        if grouped:
            self._grouped_items(made, scope, depth, like)
        else:
            self._plain_items(made, scope, depth, like)
        made.distinct = self._features.distinct and not grouped and self._chance(8)
        if ordered and like is None:
            self._order(made)
        self._visible = around
        return made

    def _cte(self, depth: int, ctes: Sequence[Cte]) -> Cte:
        number, query = self._number(), self.query(depth, (), ctes)
        names = set(BASE_TABLES) - {cte.shadows for cte in ctes}
        return Cte(number, query, self._random.choice(sorted(names)) if len(names) > 2 and self._chance(20) else None)

    def _sources(self, depth: int, outer: Scope, ctes: Sequence[Cte], must: Sequence[Cte]) -> list[Joined]:
        sources = [Joined(self._source(depth, ctes, must[0] if must else None))]
        for cte in must[1:]:
            sources.append(self._join(sources, self._source(depth, ctes, cte)))
        while len(sources) < 3 and self._chance(40):
            sources.append(self._join(sources, self._source(depth, ctes, None)))
        if self._features.lateral and depth > 0 and self._chance(8):
            inner, within = self._inner((sources, *outer), 0, ctes)
            kind: Type = self._random.choice(["int", "text"])
            self._add(inner, self._value(within, kind, 1), kind)
            sources.append(Joined(Source(self._number(), inner, dict(inner.columns), lateral=True), "CROSS JOIN"))
        self._without_aliases(sources, outer)
        return sources

    def _without_aliases(self, sources: list[Joined], outer: Scope) -> None:
        """Now and then a table goes by its own name, where no other has it."""
        if self._chance(75):
            return
        around = {one.source.body for level in outer for one in level if not one.source.aliased}
        for one in sources:
            name = one.source.body
            if isinstance(name, str) and name not in around:
                one.source.aliased = False
                around.add(name)

    def _source(self, depth: int, ctes: Sequence[Cte], must: Cte | None) -> Source:
        cte = must or (self._random.choice(ctes) if ctes and depth > 0 and self._chance(40) else None)
        number = self._number()
        if cte is not None:
            return Source(number, cte, dict(cte.query.columns))
        if depth > 0 and self._chance(35):
            inner = self.query(depth - 1, (), ctes)
            columns = dict(inner.columns)
            if self._chance(20):
                columns = {f"d{number}_{at}": kind for at, kind in enumerate(columns.values())}
                return Source(number, inner, columns, tuple(columns))
            return Source(number, inner, columns)
        table = self._random.choice([name for name in BASE_TABLES if name not in {cte.shadows for cte in ctes}])
        return Source(number, table, dict(BASE_TABLES[table]))

    def _join(self, left: list[Joined], right: Source) -> Joined:
        if self._chance(15):
            return Joined(right, self._random.choice(["CROSS JOIN", ","]))
        how = self._random.choice(["JOIN", "JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN", "INNER JOIN"])
        commas = [at for at, one in enumerate(left) if one.how == ","]
        left = left[commas[-1] :] if commas else left  # what stands before a comma is no part of this join
        merged = self._mergeable(left, right)
        if merged and self._features.using and self._chance(40):
            using = tuple(merged) if self._chance(50) else (merged[0],)
            common = {name for one in left for name in one.source.columns} & set(right.columns)
            natural = set(using) == common and self._chance(30)
            return Joined(
                right,
                self._random.choice(["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"]),
                using=using,
                natural=natural,
            )
        scope = ((*left, Joined(right)),)
        kind: Type = self._random.choice(["int", "int", "text"])
        mine = self._column(((Joined(right),),), kind, bare=False)
        if mine is None or how == "FULL JOIN":
            on = (*self._simple(scope, "int"), " = ", *self._simple(scope, "int"))
        else:
            theirs = self._column((left,), kind, bare=False)
            on = (*(theirs or self._simple(scope, kind)), " = ", *mine)
            if self._chance(25):
                on = (*on, " AND ", *self._condition(scope, 0))
        return Joined(right, how, on)

    def _mergeable(self, left: list[Joined], right: Source) -> list[str]:
        """The columns of the same name and type that only one source on the left has."""
        if any(one.using for one in left):
            return []
        return [
            name
            for name, kind in right.columns.items()
            if [one.source.columns[name] for one in left if name in one.source.columns] == [kind]
        ]

    # ---- what a SELECT gives ----------------------------------------------------------------------------------------

    def _plain_items(self, made: Select, scope: Scope, depth: int, like: tuple[Type, ...] | None) -> None:
        if like is not None:
            for wanted in like:
                self._add(made, self._value(scope, wanted, depth), wanted)
            return
        if self._chance(25):
            self._add_star(made)
        if not made.items or self._chance(50):
            for _ in range(self._random.randrange(1, 4)):
                kind: Type = self._random.choice(["int", "text"])
                self._add(made, self._value(scope, kind, depth), kind)
        if self._chance(30):
            self._add(made, self._window(scope, depth), "int")
        for name in made.sources[-1].using[:1]:
            holders = [one.source for one in made.sources if name in one.source.columns]
            if len(holders) == 2 and self._chance(50):
                self._add(made, (Ref(holders[0], name, bare=True, merged=True),), holders[0].columns[name])
        self._use_every_column(made, aggregated=False)

    def _grouped_items(self, made: Select, scope: Scope, depth: int, like: tuple[Type, ...] | None) -> None:
        keys: list[tuple[Expr, Type]] = []
        for _ in range(self._random.randrange(1, 3)):
            kind: Type = self._random.choice(["int", "text"])
            found = self._column(scope[:1], kind, bare=self._chance(50))
            if found is not None:
                keys.append((found if self._chance(70) else self._wrapped(found, kind), kind))
        made.group = [key for key, _ in keys]
        if self._features.rollup and self._chance(15):
            made.rollup = self._random.choice(["ROLLUP (", "CUBE ("])
        if like is not None:
            for kind in like:
                self._add(made, self._aggregate(scope, kind, depth), kind)
        else:
            for at, (key, kind) in enumerate(keys):
                self._add(made, key, kind)
                if not made.rollup and self._chance(25):
                    made.group[at] = (Text(str(at + 1)),)
            for _ in range(self._random.randrange(1, 3)):
                kind = self._random.choice(["int", "int", "text"])
                self._add(made, self._aggregate(scope, kind, depth), kind)
            self._use_every_column(made, aggregated=True)
        if keys and self._chance(30):
            made.having = (*self._aggregate(scope, "int", 0), " > ", Text("1"))

    def _add(self, made: Select, expression: Expr, kind: Type) -> None:
        only = expression[0] if len(expression) == 1 else None
        if isinstance(only, Ref) and only.name not in made.columns and self._chance(60):
            made.items.append(Item(expression, only.name, named=False))
            made.columns[only.name] = kind
            return
        name = f"c{self._number()}"
        made.items.append(Item(expression, name))
        made.columns[name] = kind

    def _add_star(self, made: Select) -> None:
        merged = [name for one in made.sources for name in one.using]
        sources = [one.source for one in made.sources]
        names = [name for one in sources for name in one.columns]
        if merged and not self._features.stars_of_sides:
            return
        if not merged and len(set(names)) == len(names) and self._chance(50):
            star = Star(None, tuple((name, Ref(one, name)) for one in sources for name in one.columns))
        else:
            source = self._random.choice(sources)
            star = Star(source, tuple((name, Ref(source, name)) for name in source.columns))
        for _, ref in star.columns:
            made.columns[ref.name] = ref.source.columns[ref.name]
        made.items.append(star)

    def _use_every_column(self, made: Select, *, aggregated: bool) -> None:
        if not self._features.every_column:
            return
        used = set(_columns_used(made))
        for one in made.sources:
            for name, kind in one.source.columns.items():
                if not isinstance(one.source.body, str) and (one.source.number, name) not in used:
                    ref: Expr = (Ref(one.source, name),)
                    self._add(made, ("max(", *ref, ")") if aggregated else ref, kind)

    def _order(self, made: Select) -> None:
        if not self._chance(25):
            return
        names = list(made.columns)
        for _ in range(self._random.randrange(1, 3)):
            at = self._random.randrange(len(names))
            made.order.append((Text(str(at + 1)),) if self._chance(40) else (Name(names[at]),))
        if self._features.tied and self._chance(50):
            made.limit = self._random.randrange(1, 5)

    # ---- expressions ------------------------------------------------------------------------------------------------

    def _column(self, scope: Scope, kind: Type, *, bare: bool) -> Expr | None:
        """A column of the innermost level, now and then of a level further out."""
        level = 0
        while level + 1 < len(scope) and self._features.correlated and self._chance(35):
            level += 1
        found = [(one, name) for one in scope[level] for name, its in one.source.columns.items() if its == kind]
        if not found:
            return None
        joined, name = self._random.choice(found)
        source = joined.source
        if level == 0 and any(name in one.using for one in scope[0]):
            holders = [one.source for one in scope[0] if name in one.source.columns]
            if bare and len(holders) == 2:
                return (Ref(holders[0], name, bare=True, merged=True),)
            return (Ref(source, name),)
        alone = sum(name in one.source.columns for inner in scope[: level + 1] for one in inner) == 1
        return (Ref(source, name, bare=bare and alone),)

    def _simple(self, scope: Scope, kind: Type) -> Expr:
        found = self._column(scope, kind, bare=False)
        return found if found is not None else self._literal(kind)

    def _literal(self, kind: Type) -> Expr:
        number = self._random.randrange(1, 9)
        return (Text(str(number) if kind == "int" else f"'x{number}'"),)

    def _value(self, scope: Scope, kind: Type, depth: int) -> Expr:
        """An expression of the type. Parentheses are written wherever the order could be read in two ways."""
        if depth <= 0 or self._chance(40):
            found = self._column(scope, kind, bare=self._chance(40))
            return found if found is not None and self._chance(92) else self._literal(kind)
        inner = depth - 1
        if self._chance(12):
            return self._scalar(scope, kind, inner)
        common = (
            lambda: ("coalesce(", *self._value(scope, kind, inner), ", ", *self._value(scope, kind, inner), ")"),
            lambda: ("nullif(", *self._value(scope, kind, inner), ", ", *self._literal(kind), ")"),
            lambda: self._case(scope, kind, inner),
            lambda: self._simple_case(scope, kind, inner),
        )
        if kind == "int":
            return self._among(
                *common,
                lambda: ("(", *self._value(scope, "int", inner), " + ", *self._value(scope, "int", inner), ")"),
                lambda: ("(", *self._value(scope, "int", inner), " - ", *self._value(scope, "int", inner), ")"),
                lambda: ("abs(", *self._value(scope, "int", inner), ")"),
                lambda: ("length(", *self._value(scope, "text", inner), ")"),
                lambda: ("CAST(", *self._value(scope, "int", inner), " AS int)"),
            )
        return self._among(
            *common,
            lambda: ("upper(", *self._value(scope, "text", inner), ")"),
            lambda: ("(", *self._value(scope, "text", inner), " || ", *self._value(scope, "text", inner), ")"),
            lambda: (
                "replace(",
                *self._value(scope, "text", inner),
                ", ",
                *self._literal("text"),
                ", ",
                Text("''"),
                ")",
            ),
            lambda: ("CAST(", *self._value(scope, "int", inner), " AS varchar(20))"),
            lambda: ("substring(", *self._value(scope, "text", inner), ", ", Text("1"), ", ", Text("2"), ")"),
        )

    def _wrapped(self, expression: Expr, kind: Type) -> Expr:
        return ("abs(", *expression, ")") if kind == "int" else ("upper(", *expression, ")")

    def _case(self, scope: Scope, kind: Type, depth: int) -> Expr:
        condition = self._condition(scope, depth)
        value, other = self._value(scope, kind, depth), self._value(scope, kind, depth)
        return ("CASE WHEN ", *condition, " THEN ", *value, " ELSE ", *other, " END")

    def _simple_case(self, scope: Scope, kind: Type, depth: int) -> Expr:
        operand = self._value(scope, "text", depth)
        value, other = self._value(scope, kind, depth), self._value(scope, kind, depth)
        return ("CASE ", *operand, " WHEN ", *self._literal("text"), " THEN ", *value, " ELSE ", *other, " END")

    def _scalar(self, scope: Scope, kind: Type, depth: int) -> Expr:
        inner, within = self._inner(scope, depth)
        expression: Expr = ("max(", *self._simple(within[:1], kind), ")")
        if self._chance(40):
            expression = ("coalesce(", *expression, ", ", *self._simple(scope, kind), ")")
        inner.items.append(Item(expression, f"c{self._number()}"))
        return ("(", inner, ")")

    def _inner(self, scope: Scope, depth: int, ctes: Sequence[Cte] = ()) -> tuple[Select, Scope]:
        """A SELECT without items of its own over one table, which may refer to what is around it."""
        inner = Select(sources=[Joined(self._source(0, (*self._visible, *ctes), None))])
        self._without_aliases(inner.sources, scope)
        within = (inner.sources, *scope)
        if self._chance(70):
            inner.where = self._condition(within, min(depth, 1))
        return inner, within

    def _aggregate(self, scope: Scope, kind: Type, depth: int) -> Expr:
        """Its arguments are of the SELECT itself: an outer column alone would make it the outer query's aggregate."""
        own = scope[:1]
        inner = min(depth, 1)
        if kind == "text":
            return (self._random.choice(["min(", "max("]), *self._value(own, "text", inner), ")")
        return self._among(
            lambda: ("count(*)",),
            lambda: ("sum(", *self._value(own, "int", inner), ")"),
            lambda: ("max(", *self._value(own, "int", inner), ")"),
            lambda: ("count(DISTINCT ", *self._simple(own, self._random.choice(["int", "text"])), ")"),
            lambda: ("sum(", *self._simple(own, "int"), ") FILTER (WHERE ", *self._condition(own, 0), ")"),
            lambda: ("sum(CASE WHEN ", *self._condition(own, 0), " THEN ", *self._value(own, "int", 0), " END)"),
        )

    def _window(self, scope: Scope, depth: int) -> Expr:
        over: Expr = (
            " OVER (PARTITION BY ",
            *self._simple(scope[:1], "text"),
            " ORDER BY ",
            *self._simple(scope[:1], "int"),
            ")",
        )
        inner = min(depth, 1)
        return self._among(
            lambda: ("row_number()", *over),
            lambda: ("sum(", *self._value(scope[:1], "int", inner), ")", *over),
            lambda: ("lag(" if self._features.tied else "min(", *self._value(scope[:1], "int", inner), ")", *over),
            lambda: ("max(", *self._value(scope[:1], "int", inner), ")", *over),
        )

    def _condition(self, scope: Scope, depth: int) -> Expr:
        if depth > 0 and self._chance(20):
            return self._subquery_condition(scope, depth - 1)
        if depth > 0 and self._chance(25):
            word = self._random.choice([" AND ", " OR "])
            return ("(", *self._condition(scope, depth - 1), word, *self._condition(scope, depth - 1), ")")
        kind: Type = self._random.choice(["int", "text"])
        value = self._value(scope, kind, min(depth, 1))
        return self._among(
            lambda: (*value, " = ", *self._simple(scope, kind)),
            lambda: (*value, " <> ", *self._literal(kind)),
            lambda: (*value, " > ", *self._literal(kind)),
            lambda: (*value, " IS NOT NULL"),
            lambda: (*value, " IN (", *self._literal(kind), ", ", *self._literal(kind), ")"),
            lambda: (*value, " BETWEEN ", *self._literal(kind), " AND ", *self._simple(scope, kind)),
            lambda: ("NOT (", *value, " = ", *self._literal(kind), ")"),
        )

    def _subquery_condition(self, scope: Scope, depth: int) -> Expr:
        inner, within = self._inner(scope, depth)
        if self._chance(50):
            inner.items.append(Item((Text("1"),), "one", named=False))
            return (self._random.choice(["EXISTS (", "NOT EXISTS ("]), inner, ")")
        kind: Type = self._random.choice(["int", "text"])
        inner.items.append(Item(self._simple(within[:1], kind), "one", named=False))
        return (*self._simple(scope, kind), " IN (", inner, ")")


def _columns_used(select: Select) -> Iterator[tuple[int, str]]:
    """Number of the source and name of every column that a SELECT names, at whatever depth."""
    for item in select.items:
        yield from _columns_within(item.expression if isinstance(item, Item) else tuple(ref for _, ref in item.columns))
    for at, one in enumerate(select.sources):
        merging = {name for later in select.sources[at:] for name in later.using}
        yield from ((one.source.number, name) for name in merging & set(one.source.columns))
        yield from _columns_within(one.on or ())
        yield from () if isinstance(one.source.body, str | Cte) else _columns_within((one.source.body,))
    for expression in (select.where, *select.group, select.having):
        yield from _columns_within(expression or ())


def _columns_within(expression: Expr) -> Iterator[tuple[int, str]]:
    for part in expression:
        if isinstance(part, Ref):
            yield part.source.number, part.name
        elif isinstance(part, SetOperation):
            yield from _columns_within((part.left, part.right))
        elif isinstance(part, Select):
            yield from _columns_used(part)


class _Writer:
    """Keywords are the capital words of a part; everything else is written as it stands."""

    def __init__(self, spelling: Spelling) -> None:
        self._spelling = spelling

    def query(self, query: Query) -> Iterator[str]:
        if isinstance(query, SetOperation):
            nested = isinstance(query.left, SetOperation) and not query.ctes
            yield "(" if nested else ""
            yield from self.query(query.left)
            yield ")" if nested else ""
            yield self._words(f" {query.operator} ")
            yield from self.query(query.right)
            return
        yield from self._ctes(query)
        yield self._words("SELECT DISTINCT " if query.distinct else "SELECT ")
        yield from self._listed(self._items(query))
        yield from self._from(query)
        if query.where is not None:
            yield self._words(" WHERE ")
            yield from self._expression(query.where)
        if query.group:
            yield self._words(f" GROUP BY {query.rollup}")
            yield from self._listed(self._expression(key) for key in query.group)
            yield ")" if query.rollup else ""
        if query.having is not None:
            yield self._words(" HAVING ")
            yield from self._expression(query.having)
        if query.order:
            yield self._words(" ORDER BY ")
            yield from self._listed(self._expression(key) for key in query.order)
        if query.limit is not None:
            yield self._words(f" LIMIT {query.limit}")

    def _ctes(self, query: Select) -> Iterator[str]:
        for at, cte in enumerate(query.ctes):
            yield self._words(", " if at else "WITH ")
            yield self._cte_name(cte)
            yield self._words(" AS (")
            yield from self.query(cte.query)
            yield ") " if at + 1 == len(query.ctes) else ")"

    def _items(self, query: Select) -> Iterator[Iterator[str]]:
        for item in query.items:
            if isinstance(item, Item):
                yield self._item(item)
            elif self._spelling.stars:
                yield iter(["*" if item.source is None else f"{self._source_name(item.source)}.*"])
            else:
                for name, ref in item.columns:
                    yield self._item(Item((ref,), name))

    def _item(self, item: Item) -> Iterator[str]:
        yield from self._expression(item.expression)
        if item.named:
            yield self._words(" AS ")
            yield self._name(item.name)

    def _from(self, query: Select) -> Iterator[str]:
        yield self._words(" FROM ")
        sources = query.sources
        last = sources[-1]
        inner = last.how in ("JOIN", "INNER JOIN", "CROSS JOIN", ",") and not last.using and not last.source.lateral
        if self._spelling.swapped and len(sources) == 2 and inner:
            sources = [Joined(last.source), replace(last, source=sources[0].source)]
        for joined in sources:
            if joined.how == ",":
                yield ", "
            elif joined.how:
                yield self._words(f" NATURAL {joined.how} " if joined.natural else f" {joined.how} ")
            yield from self._source(joined.source)
            if joined.on is not None:
                yield self._words(" ON ")
                yield from self._expression(joined.on)
            elif joined.using and not joined.natural:
                yield self._words(" USING (")
                yield ", ".join(self._name(name) for name in joined.using)
                yield ")"

    def _source(self, source: Source) -> Iterator[str]:
        match source.body:
            case str():
                yield self._name(source.body)
            case Cte():
                yield self._cte_name(source.body)
            case _:
                yield self._words("LATERAL (" if source.lateral else "(")
                yield from self.query(source.body)
                yield ")"
        if not source.aliased:
            return
        yield self._words(" AS ")
        yield self._source_name(source)
        if source.renamed:
            yield " (" + ", ".join(self._name(name) for name in source.renamed) + ")"

    def _expression(self, expression: Expr) -> Iterator[str]:
        for part in expression:
            match part:
                case str():
                    yield self._words(part)
                case Name():
                    yield self._name(part.text)
                case Text():
                    yield part.sql
                case Ref():
                    yield self._ref(part)
                case _:
                    yield from self.query(part)

    def _ref(self, ref: Ref) -> str:
        if ref.merged or (ref.bare and not self._spelling.qualified):
            return self._name(ref.name)
        return f"{self._source_name(ref.source)}.{self._name(ref.name)}"

    def _source_name(self, source: Source) -> str:
        if not source.aliased and isinstance(source.body, str):
            return self._name(source.body)
        return self._name(self._spelling.alias(source.number))

    def _cte_name(self, cte: Cte) -> str:
        return self._name(cte.shadows or self._spelling.alias(cte.number))

    def _name(self, name: str) -> str:
        return f'"{name}"' if self._spelling.quoted else name

    def _words(self, text: str) -> str:
        return self._spelling.keyword(text).replace(" ", self._spelling.blank)

    def _listed(self, entries: Iterator[Iterator[str]]) -> Iterator[str]:
        for at, entry in enumerate(entries):
            if at:
                yield "," + self._spelling.blank
            yield from entry
