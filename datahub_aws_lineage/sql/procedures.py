"""The SQL within a procedure's body: what it can do, not what ran (Redshift, PL/pgSQL)."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import Token, TokenType

from datahub_aws_lineage.sql.cursor import STRINGS, Cursor, into_position, split_statements, string_value
from datahub_aws_lineage.sql.dialects import tokenize
from datahub_aws_lineage.sql.statements import Analysis
from datahub_aws_lineage.sql.token_edits import split_commas

_PL_WORDS = frozenset(
    "BEGIN END DECLARE IF ELSIF ELSE ELSEIF LOOP FOR WHILE EXIT CONTINUE RETURN RAISE EXCEPTION WHEN THEN "
    "PERFORM OPEN CLOSE FETCH GET NULL CASE EXECUTE".split()
)
_BEFORE_SQL = frozenset({"BEGIN", "THEN", "ELSE", "LOOP", "IN", "FOR"})
"""Words of PL/pgSQL that a statement or query may follow."""
_SPECIAL_VARIABLES = frozenset({"found", "sqlerrm", "sqlstate"})
_SQL_VERBS = frozenset(
    "INSERT UPDATE DELETE MERGE CREATE DROP TRUNCATE COPY UNLOAD ALTER SELECT WITH CALL SET GRANT ANALYZE "
    "REFRESH".split()
)


def procedure_body(analysis: Analysis) -> str:
    """The text of the body, in dollar quotes or in a string; '' where there is none."""
    strings = (string_value(token, analysis.text) for token in analysis.tokens if token.token_type in STRINGS)
    return max(strings, key=len, default="")


def procedure_statements(body: str, analysis: Analysis) -> Iterator[tuple[list[Token], frozenset[str]]]:
    """The SQL statements of a body as tokens, each with the names that are no columns: variables and parameters.

    PL/pgSQL is split at semicolons; control words before a SQL verb are stepped over, other lines left out.
    SELECT … INTO fills variables there, and makes no table.
    """
    lines = list(split_statements(tokenize(body, analysis.dialect)))
    variables = _SPECIAL_VARIABLES.union(_declared(lines), _parameters(analysis))
    for line in lines:
        for tokens in _pl_statements(line):
            yield _without_into(tokens), variables.union(_cursor_parameters(line))


def _without_into(tokens: list[Token]) -> list[Token]:
    """Without `INTO a, b.c`, which may stand before or behind the items."""
    into = into_position(tokens) if tokens[0].text.upper() in ("SELECT", "WITH") else None
    if into is None:
        return tokens
    end = into + 2
    while end < len(tokens) and tokens[end].token_type in (TokenType.COMMA, TokenType.DOT):
        end += 2
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


def _cursor_parameters(line: list[Token]) -> Iterator[str]:
    """The parameters of `many CURSOR (k int) FOR SELECT …`, known in its own query."""
    at = 2 if line[0].text.upper() == "DECLARE" else 1
    if [token.text.upper() for token in line[at : at + 2]] == ["CURSOR", "("]:
        yield from (item[0].text.lower() for item in split_commas(Cursor(line[at + 1 :], "").parenthesised()))


def _pl_statements(line: list[Token]) -> Iterator[list[Token]]:
    """The SQL within one line: its own verb, the query of `FOR r IN SELECT … LOOP`, what stands behind THEN or LOOP."""
    words = [token.text.upper() if token.token_type not in STRINGS else "" for token in line]
    if words[0] not in _PL_WORDS and words[0] not in _SQL_VERBS and words[1:2] != ["CURSOR"]:
        return
    starts = [i for i, word in enumerate(words) if word in _SQL_VERBS and (i == 0 or words[i - 1] in _BEFORE_SQL)]
    merge = next((number for number, start in enumerate(starts) if words[start] == "MERGE"), len(starts))
    del starts[merge + 1 :]  # its own THEN UPDATE and THEN INSERT
    for number, start in enumerate(starts):
        end = starts[number + 1] if number + 1 < len(starts) else len(line)
        if start > 0 and words[start - 1] == "IN" and "LOOP" in words[start:end]:
            end = words.index("LOOP", start)
        yield line[start:end]
