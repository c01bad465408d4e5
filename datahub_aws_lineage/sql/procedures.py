"""The SQL within a procedure's body: what it can do, not what ran (Redshift, PL/pgSQL)."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import Token, TokenType

from datahub_aws_lineage.sql.cursor import STRINGS, Cursor, into_position, split_statements
from datahub_aws_lineage.sql.dialects import tokenize
from datahub_aws_lineage.sql.statements import Analysis
from datahub_aws_lineage.sql.token_edits import split_commas

_PL_WORDS = frozenset(
    "BEGIN END DECLARE IF ELSIF ELSE ELSEIF LOOP FOR WHILE EXIT CONTINUE RETURN RAISE EXCEPTION WHEN THEN "
    "PERFORM OPEN CLOSE FETCH GET NULL CASE EXECUTE".split()
)
_BEFORE_SQL = frozenset({"BEGIN", "THEN", "ELSE", "LOOP", "IN", "FOR"})
"""Words of PL/pgSQL that a statement or query may follow."""
_SQL_VERBS = frozenset(
    "INSERT UPDATE DELETE MERGE CREATE DROP TRUNCATE COPY UNLOAD ALTER SELECT WITH CALL SET GRANT ANALYZE "
    "REFRESH".split()
)


def procedure_body(analysis: Analysis) -> str:
    """The text of the body, in dollar quotes or in a string; '' where there is none."""
    strings = (token.text for token in reversed(analysis.tokens) if token.token_type in STRINGS)
    return next((text for text in strings if " " in text), "")


def procedure_statements(body: str, analysis: Analysis) -> tuple[list[list[Token]], frozenset[str]]:
    """The SQL statements of a body as tokens, and the names of variables and parameters, which are no columns.

    PL/pgSQL is split at semicolons; control words before a SQL verb are stepped over, other lines left out.
    SELECT … INTO fills variables there, and makes no table.
    """
    lines = list(split_statements(tokenize(body, analysis.dialect)))
    variables = frozenset(_declared(lines)) | frozenset(_parameters(analysis))
    return [_without_into(tokens) for line in lines for tokens in _pl_statements(line)], variables


def _without_into(tokens: list[Token]) -> list[Token]:
    into = into_position(tokens) if tokens[0].text.upper() in ("SELECT", "WITH") else None
    if into is None:
        return tokens
    end = next((i for i in range(into, len(tokens)) if tokens[i].token_type is TokenType.FROM), len(tokens))
    return tokens[:into] + tokens[end:]


def _parameters(analysis: Analysis) -> Iterator[str]:
    """The parameters' names: `p(IN a int, b INOUT varchar)`."""
    cursor = Cursor(analysis.tokens, analysis.text)
    if not cursor.skip_to("PROCEDURE"):
        return
    cursor.at += 1
    cursor.name()
    if cursor.at_parenthesis:
        for item in split_commas(cursor.parenthesised()):
            words = [token.text.lower() for token in item]
            named = [word for word in words if word not in ("in", "out", "inout")]
            if named:
                yield named[0]


def _declared(lines: list[list[Token]]) -> Iterator[str]:
    """Variables of DECLARE sections, and the loop variables of FOR."""
    declaring = False
    for line in lines:
        words = [token.text.upper() for token in line]
        if words[0] == "DECLARE":
            declaring, words, line = True, words[1:], line[1:]
        if "BEGIN" in words[:1]:
            declaring = False
        if declaring and line:
            yield line[0].text.lower()
        for position, word in enumerate(words[:-1]):
            if word == "FOR" and words[position + 2 : position + 3] == ["IN"]:
                yield line[position + 1].text.lower()


def _pl_statements(line: list[Token]) -> Iterator[list[Token]]:
    """The SQL within one line: its own verb, the query of `FOR r IN SELECT … LOOP`, what stands behind THEN or LOOP."""
    words = [token.text.upper() if token.token_type not in STRINGS else "" for token in line]
    starts = [i for i, word in enumerate(words) if word in _SQL_VERBS and (i == 0 or words[i - 1] in _BEFORE_SQL)]
    if words[0] not in _PL_WORDS and words[0] not in _SQL_VERBS:
        return
    for number, start in enumerate(starts):
        end = starts[number + 1] if number + 1 < len(starts) else len(line)
        while end > start + 1 and words[end - 1] in _PL_WORDS and words[end - 1] != "END":
            end -= 1
        yield line[start:end]
