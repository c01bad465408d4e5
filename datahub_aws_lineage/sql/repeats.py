"""Statements that run again: a schedule writes the same text every day, with another date in it.

A text is cut into its template and its fillings: comments, and the literals that are merely compared with something
(`dt = '2026-01-31'`, `IN (1, 2)`, `BETWEEN`, `LIKE`). What a value is compared with decides which rows are read, never
which columns, so texts of one template have one lineage, with two reservations:

- A filling can be quoted in the answer, as part of an expression's text or of a gap. Such a filling is *pinned*: the
  answer holds for texts with the same one.
- The answer rests on the schemas that were asked for. It holds while each of them is answered as it was then.

Where a literal could mean more (the options of a CREATE or UNLOAD, the column names of a PIVOT, text with backslashes,
several statements in one text), it stays part of the template.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import TypeAlias

from datahub_aws_lineage.model.catalog import Column
from datahub_aws_lineage.model.lineage import NoLineage, Statement, StatementLineage, Unresolved
from datahub_aws_lineage.model.names import Dialect, StatementTable
from datahub_aws_lineage.model.ports import Schemas
from datahub_aws_lineage.model.queries import SqlContext
from datahub_aws_lineage.sql.fingerprints import fingerprint
from datahub_aws_lineage.sql.outlines import Outline, outline
from datahub_aws_lineage.sql.scripts import NOTHING_PREPARED, analyze
from datahub_aws_lineage.sql.statements import MAX_EXPRESSION

MAX_TEMPLATES = 20_000
"""Templates that are kept; the one that was not seen for longest gives way."""

MAX_ANSWERS = 8
"""Answers kept for one template, under other pinned fillings or other schemas; the oldest gives way."""


def _word(words: str) -> str:
    """Whole words in any case. Each begins with a set of letters, by which `re` turns down most places at once."""
    return "|".join(
        rf"[{word[0]}{word[0].lower()}](?<!\w.)" + "".join(f"[{letter}{letter.lower()}]" for letter in word[1:]) + r"\b"
        for word in words.split()
    )


_LITERAL = r"(?:'[^'\n]*'(?!\s*')|(?<![\w.])-?\d+(?:\.\d+)?(?![\w.]))"
_TYPED = rf"\s*(?:(?:{_word('DATE TIMESTAMP')})\s*)?"
_LEXEME = re.compile(
    rf"""
      (?P<comment>--[^\n]*|/\*(?:[^*]|\*(?!/))*(?:\*/|\Z))
    | "[^"]*"
    | `[^`]*`
    | [<>=](?<![=-]>) {_TYPED} (?P<compared>{_LITERAL})
    | (?:{_word("LIKE ILIKE BETWEEN AND")}) {_TYPED} (?P<likened>{_LITERAL})
    | (?:{_word("IN")}) \s*\(\s* (?P<listed>{_LITERAL}(?:\s*,\s*{_LITERAL})*) (?=\s*\))
    | '[^']*'
    | (?P<query>{_word("SELECT UPDATE DELETE MERGE")})
    | (?P<condition>{_word("WHERE ON HAVING QUALIFY WHEN")})
    | (?P<options>(?:{_word("WITH")})\s*\()
    """,
    re.VERBOSE,
)
_LITERALS = re.compile(_LITERAL)
_UNDIVIDED = re.compile(r"\\|\$\$|\b(?:UN)?PIVOT\b|;(?=\s*[^\s;])", re.IGNORECASE)
"""What keeps a text whole: it is its own template. So does a comment that is open or has one in it (Redshift)."""

_EXECUTES = re.compile(r"\b(?:EXECUTE|DEALLOCATE)\b", re.IGNORECASE)

_Place: TypeAlias = tuple[int, int]
_Asked: TypeAlias = tuple[tuple[StatementTable, tuple[Column, ...] | None], ...]


class Repeats:
    """`analyze`, with a memory: the answers are those that `analyze` gives."""

    def __init__(self, max_templates: int = MAX_TEMPLATES) -> None:
        self._max_templates = max_templates
        self._known: OrderedDict[tuple[SqlContext, bytes], _Known] = OrderedDict()
        self._seen: OrderedDict[tuple[SqlContext, bytes], _Seen] = OrderedDict()
        self.answered = 0
        """Texts that were answered from memory."""

    def analyze(
        self, text: str, context: SqlContext, schemas: Schemas, prepared: Mapping[str, str] = NOTHING_PREPARED
    ) -> tuple[Statement, ...]:
        """As `sql.scripts.analyze`; the statement of a text whose outline was seen before has its fingerprint too."""
        if prepared and _EXECUTES.search(text) is not None:
            return analyze(text, context, schemas, prepared)  # what it does may be another thing each time
        outlined = outline(text)
        if outlined is None:
            return self._answer(text, _divided(text), context, schemas)
        key = context, outlined.digest
        seen = self._seen.get(key)
        if seen is not None:
            answer = seen.answer(outlined, schemas)
            if answer is not None:
                self._seen.move_to_end(key)
                self.answered += 1
                return (seen.statement(answer, outlined, context.dialect),)
        divided = _divided(text)
        statements = self._answer(text, divided, context, schemas)
        seen = _seen_as(outlined, divided, self._known.get((context, divided.digest)))
        if seen is not None:
            self._seen[key] = seen
            if len(self._seen) > self._max_templates:
                self._seen.popitem(last=False)
        return statements

    def _answer(self, text: str, divided: _Divided, context: SqlContext, schemas: Schemas) -> tuple[Statement, ...]:
        known = self._recall((context, divided.digest))
        for answer in known.answers:
            if answer.pinned == divided.chosen(known.pinned) and answer.still_holds(schemas):
                self.answered += 1
                return answer.for_text(text, divided)
        witness = _Witness(schemas)
        statements = analyze(text, context, witness)
        if not any(isinstance(one.outcome, Unresolved) for one in _with_bodies(statements)):
            known.add(statements, text, divided, tuple(witness.asked.items()))
        return statements

    def _recall(self, key: tuple[SqlContext, bytes]) -> _Known:
        known = self._known.pop(key, None) or _Known()
        self._known[key] = known
        if len(self._known) > self._max_templates:
            self._known.popitem(last=False)
        return known


# ---- a text as template and fillings --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Divided:
    """`parts` are what stands around the fillings, one more than there are of these."""

    parts: list[str]
    fillings: list[str]

    def spans(self) -> Iterator[tuple[int, int]]:
        """Start and end of each filling."""
        at = 0
        for part, filling in zip(self.parts, self.fillings, strict=False):
            at += len(part)
            yield at, at + len(filling)
            at += len(filling)

    @property
    def digest(self) -> bytes:
        return blake2b("\0".join(self.parts).encode("utf-8", "surrogatepass"), digest_size=16).digest()

    def chosen(self, indexes: tuple[int, ...]) -> tuple[str, ...]:
        return tuple(self.fillings[index] for index in indexes)

    def place(self, offset: int) -> _Place | None:
        """Where in the template an offset of the text is: (part, offset within it). None within a filling."""
        start = 0
        for index, part in enumerate(self.parts):
            if start <= offset <= start + len(part):
                return index, offset - start
            start += len(part) + len("".join(self.fillings[index : index + 1]))
        return None

    def offset(self, place: _Place) -> int:
        part, within = place
        return sum(map(len, self.parts[:part])) + sum(map(len, self.fillings[:part])) + within


def _divided(text: str) -> _Divided:
    spans = [] if _UNDIVIDED.search(text) else list(_spans(text))
    comments = [text[start:end] for start, end in spans if text.startswith("/*", start)]
    if any(len(comment) < 4 or not comment.endswith("*/") or "/*" in comment[2:] for comment in comments):
        spans = []
    starts = [0, *(end for _, end in spans)]
    ends = [*(start for start, _ in spans), len(text)]
    return _Divided(
        [text[start:end] for start, end in zip(starts, ends, strict=True)], [text[start:end] for start, end in spans]
    )


def _spans(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of each filling. Literals are fillings only within the conditions of a query."""
    in_query = in_condition = False
    for match in _LEXEME.finditer(text):
        group = match.lastgroup
        if group == "comment" or (group in ("compared", "likened", "listed") and in_condition):
            yield match.span(group)
        elif group == "query":
            in_query = True
        elif group == "condition":
            in_condition = in_query
        elif group == "options":
            in_condition = False


# ---- what is known of a template ------------------------------------------------------------------------------------


class _Witness:
    """Schemas that remember what they were asked for, and what they said."""

    def __init__(self, known: Schemas) -> None:
        self._known = known
        self.asked: dict[StatementTable, tuple[Column, ...] | None] = {}

    def columns(self, table: StatementTable) -> tuple[Column, ...] | None:
        if table not in self.asked:
            self.asked[table] = self._known.columns(table)
        return self.asked[table]


@dataclass(frozen=True, slots=True)
class _Answer:
    """`begins` and `ends` say where the text of the only statement lies; None where there is another number of them."""

    pinned: tuple[str, ...]
    asked: _Asked
    statements: tuple[Statement, ...]
    extent: tuple[_Place, _Place] | None

    def still_holds(self, schemas: Schemas) -> bool:
        return all(schemas.columns(table) == columns for table, columns in self.asked)

    def for_text(self, text: str, divided: _Divided) -> tuple[Statement, ...]:
        if self.extent is None:
            return self.statements
        begins, ends = map(divided.offset, self.extent)
        return (replace(self.statements[0], text=text[begins:ends]),)


@dataclass(slots=True)
class _Known:
    pinned: tuple[int, ...] = ()
    answers: list[_Answer] = field(default_factory=list)

    def add(self, statements: tuple[Statement, ...], text: str, divided: _Divided, asked: _Asked) -> None:
        extent = _extent(statements, text, divided)
        pinned = _quoted(statements, divided) if extent is not None else range(len(divided.fillings))
        together = tuple(sorted({*self.pinned, *pinned}))
        if together != self.pinned:
            self.pinned = together
            self.answers.clear()  # they do not say what these fillings were
        if extent is not None:
            statements = (replace(statements[0], text=""),)
        self.answers = [*self.answers[1 - MAX_ANSWERS :], _Answer(divided.chosen(together), asked, statements, extent)]


# ---- a text of an outline that was seen -----------------------------------------------------------------------------


@dataclass(slots=True)
class _Seen:
    """How the texts of one outline are divided: the quick way to what is known of their template.

    `fixed` are the literals that belong to the template, with their values. A filling is given as its first and last
    literal and how far it begins in front of the first (the sign of a number).
    """

    known: _Known
    fixed: tuple[tuple[int, str], ...]
    fillings: tuple[tuple[int, int, int], ...]
    extent: tuple[_Place, _Place]
    locations: int
    fingerprint: str | None = None

    def answer(self, outlined: Outline, schemas: Schemas) -> _Answer | None:
        if any(outlined.literal(index) != value for index, value in self.fixed):
            return None
        if _locations(outlined.text) != self.locations:
            return None  # a location among the fillings, of which a fingerprint keeps more than of other literals
        pinned = tuple(self._filling(outlined, index) for index in self.known.pinned)
        for answer in self.known.answers:
            if answer.extent is not None and answer.pinned == pinned and answer.still_holds(schemas):
                return answer
        return None

    def _filling(self, outlined: Outline, index: int) -> str:
        first, last, sign = self.fillings[index]
        return outlined.text[outlined.spans[first][0] - sign : outlined.spans[last][1]]

    def statement(self, answer: _Answer, outlined: Outline, dialect: Dialect) -> Statement:
        begins, ends = (outlined.offset(anchor) for anchor in self.extent)
        text = outlined.text[begins:ends]
        if self.fingerprint is None:
            self.fingerprint = fingerprint(text, dialect)
        return replace(answer.statements[0], text=text, fingerprint=self.fingerprint)


def _seen_as(outlined: Outline, divided: _Divided, known: _Known | None) -> _Seen | None:
    """None where nothing is known of the text's template, or where its fillings are no literals of the outline."""
    extent = known.answers[-1].extent if known is not None and known.answers else None
    if known is None or extent is None:
        return None
    fillings = []
    inside: set[int] = set()
    for start, end in divided.spans():
        literals = [at for at, (first, last) in enumerate(outlined.spans) if first >= start and last <= end]
        if not literals or outlined.spans[literals[-1]][1] != end or _locations(outlined.text[start:end]):
            return None
        fillings.append((literals[0], literals[-1], outlined.spans[literals[0]][0] - start))
        inside.update(literals)
    fixed = tuple((at, literal) for at, literal in enumerate(outlined.literals) if at not in inside)
    begins, ends = (outlined.anchor(divided.offset(place)) for place in extent)
    return _Seen(known, fixed, tuple(fillings), (begins, ends), _locations(outlined.text))


def _locations(text: str) -> int:
    return text.lower().count("s3://")


def _extent(statements: tuple[Statement, ...], text: str, divided: _Divided) -> tuple[_Place, _Place] | None:
    """Where the statement lies, if it is the only one and quotes no statements of its own."""
    if len(statements) != 1 or statements[0].body:
        return None
    start = text.find(statements[0].text)
    begins, ends = divided.place(start), divided.place(start + len(statements[0].text))
    return (begins, ends) if start >= 0 and begins is not None and ends is not None else None


def _quoted(statements: tuple[Statement, ...], divided: _Divided) -> list[int]:
    """The fillings that stand in what is said of the statements, or may have been cut from it."""
    texts = list(_texts(statements))
    if any(len(text) >= MAX_EXPRESSION for text in texts):
        return list(range(len(divided.fillings)))
    said = "\n".join(texts)
    return [index for index, filling in enumerate(divided.fillings) if _occurs(filling, said)]


def _texts(statements: tuple[Statement, ...]) -> Iterator[str]:
    for statement in statements:
        outcome = statement.outcome
        if isinstance(outcome, StatementLineage):
            yield from (column.expression for column in outcome.columns if column.expression is not None)
        if isinstance(outcome, StatementLineage | NoLineage):
            yield from (gap.detail for gap in outcome.gaps)


def _occurs(filling: str, said: str) -> bool:
    if filling.startswith(("--", "/*")):
        return filling.strip("-/* \t\r\n") in said if said else False
    return any(_stands_in(literal, said) for literal in _LITERALS.findall(filling))


def _stands_in(literal: str, said: str) -> bool:
    """Whether the literal occurs as a whole, and not only within a longer number or name."""
    at = said.find(literal)
    while at >= 0:
        end = at + len(literal)
        if not (_is_part(said[at - 1 : at]) or _is_part(said[end : end + 1])):
            return True
        at = said.find(literal, at + 1)
    return False


def _is_part(character: str) -> bool:
    return character.isalnum() or character in ("_", ".")


def _with_bodies(statements: tuple[Statement, ...]) -> Iterator[Statement]:
    for statement in statements:
        yield statement
        yield from _with_bodies(statement.body)
