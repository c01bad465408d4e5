"""PostgreSQL knows which base columns a view uses, and writes them to `pg_depend`: ours are those and no others.

A column that a subquery gives and nothing reads is a dependency of the view for PostgreSQL, and no lineage. So ours are
a subset in general, and all of them where every inner column is used.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from generated_queries import BASE_TABLES, Features, query, text_of
from oracle_lineage import BaseColumn, read_by, read_of
from postgres_server import NoPostgresError, PostgresServer, postgres_server

from datahub_aws_lineage.sql import analyze
from datahub_aws_lineage.sql.contract import GivenSchemas, context_of

QUERIES = int(os.environ.get("ORACLE_QUERIES", "500"))
CASES = Path(__file__).parent.parent / "cases"

_DEPENDENCIES = """
SELECT n.nspname, v.relname, t.relname, a.attname
FROM pg_class v
JOIN pg_namespace n ON n.oid = v.relnamespace
JOIN pg_rewrite r ON r.ev_class = v.oid
LEFT JOIN pg_depend d ON d.objid = r.oid AND d.classid = 'pg_rewrite'::regclass AND d.refobjsubid > 0
    AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> v.oid
LEFT JOIN pg_class t ON t.oid = d.refobjid
LEFT JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
WHERE v.relkind = 'v' AND n.nspname NOT LIKE 'pg_%' AND n.nspname <> 'information_schema';
"""


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    try:
        # pytest clears its own folders away when other sessions begin: this one has a server in it
        with TemporaryDirectory() as folder, postgres_server(Path(folder)) as running:
            yield running
    except NoPostgresError as e:
        pytest.skip(str(e))


def used_columns(server: PostgresServer, script: str) -> dict[tuple[str, str], set[BaseColumn]]:
    """What every view that the server has accepted uses, by the view's schema and name."""
    used: dict[tuple[str, str], set[BaseColumn]] = {}
    for schema, view, table, column in server.rows(script + _DEPENDENCIES):
        columns = used.setdefault((schema, view), set())
        if table:
            columns.add((table, column))
    return used


def tables(columns: Mapping[str, Mapping[str, str]]) -> str:
    return "".join(
        f"CREATE TABLE {name} ({', '.join(f'{column} {kind}' for column, kind in row.items())});\n"
        for name, row in columns.items()
    )


@pytest.mark.parametrize("every_column", [False, True], ids=["some columns", "every column"])
def test_generated_views(server: PostgresServer, every_column: bool) -> None:
    texts = {f"v{seed}": text_of(query(Random(seed), Features(every_column=every_column))) for seed in range(QUERIES)}
    schema = "every_column" if every_column else "some_columns"
    head = f"CREATE SCHEMA {schema};\nSET search_path = {schema};\n{tables(BASE_TABLES)}"
    used = used_columns(server, head + "".join(f"CREATE VIEW {view} AS {text};\n" for view, text in texts.items()))
    assert {view for its, view in used if its == schema} == set(texts), "a view that the server refuses"
    for view, text in texts.items():
        wanted, found = used[schema, view], read_by(text, "redshift").all()
        assert found <= wanted, f"{found - wanted} is not used by\n{text}"
        if every_column:
            assert wanted <= found, f"{wanted - found} is missing from\n{text}"


# ---- the cases of this suite ----------------------------------------------------------------------------------------

_HEAD = (
    r"(?:create\s+(?:or\s+replace\s+)?(?:temp\s+)?(?:table|view)\s+\S+\s+as|insert\s+into\s+\S+(?:\s*\([\w, ]*\))?)\s+"
)
_QUERY = re.compile(rf"(?is)^\s*(?:{_HEAD})?(?P<query>(?:select|with|\(select)\b[^;]*);?\s*$")
_KINDS = {"string": "text", "super": "jsonb", "tinyint": "smallint", "double": "double precision"}


def written_cases() -> Iterator[tuple[dict[str, Any], str]]:
    """Cases whose query stands at their end, over tables of one schema whose columns are known."""
    shared = json.loads((CASES / "redshift_tables.json").read_text(encoding="utf-8"))
    for line in (CASES / "redshift.jsonl").read_text(encoding="utf-8").splitlines():
        case = json.loads(line)
        case["tables"] = {**shared, **case.get("tables", {})}
        match = _QUERY.match(case["sql"])
        if match is not None and "/*" not in case["sql"]:  # one comment that is never closed would hide the rest
            yield case, match["query"].rstrip().rstrip(";")


def script_of(number: int, case: dict[str, Any], text: str) -> str:
    schema = f"case_{number}"
    columns = {
        name.rsplit(".", 1)[-1]: {f'"{column}"': _kind(kind) for column, kind in row}
        for name, row in case["tables"].items()
    }
    return f"CREATE SCHEMA {schema};\nSET search_path = {schema};\n{tables(columns)}CREATE VIEW v AS {text};\n"


def _kind(kind: str) -> str:
    return "jsonb" if "<" in kind else _KINDS.get(kind, kind)


def test_written_views(server: PostgresServer) -> None:
    """The server refuses what only Redshift has; of what it takes, ours is a part."""
    cases = dict(enumerate(written_cases()))
    used = used_columns(server, "".join(script_of(number, *case) for number, case in cases.items()))
    compared = 0
    for number, (case, text) in cases.items():
        wanted = used.get((f"case_{number}", "v"))
        if wanted is None:
            continue
        compared += 1
        (statement,) = analyze(text, context_of(case), GivenSchemas(case["tables"]))
        # of its own system tables the server keeps no record
        found = {(t, column.split(".")[0]) for t, column in read_of(statement).all() if not t.startswith("pg_")}
        assert found <= wanted, f"{case['id']}: {found - wanted} is not used by\n{text}"
    assert compared > 60, compared
