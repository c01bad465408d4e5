"""The command: its answers, its exit codes, and that nothing in its input ends it."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from readme import README, check_block, fenced

from datahub_aws_lineage import cli
from datahub_aws_lineage.version import __version__

COMMAND = [sys.executable, "-m", "datahub_aws_lineage.cli"]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]) -> Any:
    """Runs the command in this process; gives its exit code, standard output and standard error."""

    def run(*arguments: str, stdin: bytes | str = b"") -> tuple[int, str, str]:
        content = stdin.encode() if isinstance(stdin, str) else stdin
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
        code = cli.main(arguments)
        captured = capfdbinary.readouterr()
        return code, captured.out.decode(), captured.err.decode()

    return run


def answers(output: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines()]


def test_each_line_gets_an_answer_in_order(run: Any) -> None:
    lines = [
        {"id": "a", "dialect": "athena", "default_database": "sales", "sql": "CREATE TABLE t AS SELECT o.id FROM o"},
        {"id": "b", "dialect": "redshift", "sql": "SELEKT"},
        {"id": "c", "dialect": "redshift", "sql": "DELETE FROM t"},
    ]
    code, out, err = run("explain", "--jsonl", stdin="\n".join(map(json.dumps, lines)) + "\n\n")
    assert (code, err) == (0, "")
    first, second, third = answers(out)
    assert [first["id"], second["id"], third["id"]] == ["a", "b", "c"]
    assert first["statements"][0]["columns"][0]["upstreams"][0] == {
        "table": "awsdatacatalog.sales.o",
        "column": "id",
        "type": "DIRECT",
        "subtype": "IDENTITY",
    }
    assert second["statements"][0]["outcome"] == "unresolved"
    assert third["statements"][0]["kind"] == "delete"


@pytest.mark.parametrize(
    "line",
    [
        b"{",
        b"[]",
        b'"x"',
        b"\xff\xfe",
        b'{"sql": "SELECT 1"}',
        b'{"dialect": "oracle", "sql": "x"}',
        b'{"dialect": "athena"}',
        b'{"dialect": "athena", "sql": 1}',
        b'{"dialect": "athena", "sql": "SELECT 1", "tables": 3}',
    ],
)
def test_a_bad_line_is_answered_and_the_others_go_on(run: Any, line: bytes) -> None:
    good = b'{"id": 1, "dialect": "athena", "sql": "SELECT 1"}'
    code, out, _ = run("explain", "--jsonl", stdin=line + b"\n" + good)
    bad, other = answers(out)
    assert code == 0
    assert bad["error"]
    assert bad["statements"] == []
    assert other["id"] == 1


def test_a_byte_order_mark_and_windows_line_ends(run: Any) -> None:
    line = b'\xef\xbb\xbf{"id": 1, "dialect": "athena", "sql": "SELECT 1"}\r\n'
    _, out, _ = run("explain", "--jsonl", stdin=line)
    assert "error" not in answers(out)[0]


def test_half_characters_survive_the_output(run: Any) -> None:
    line = '{"id": "\\ud800", "dialect": "athena", "sql": "SELECT \'\\ud83d\\ude80 ü\'"}'
    _, out, _ = run("explain", "--jsonl", stdin=line)
    assert answers(out)[0]["id"] == "\ud800"


def test_tables_are_known_to_every_line(run: Any, tmp_path: Path) -> None:
    tables = tmp_path / "tables.json"
    tables.write_text('{"awsdatacatalog.sales.o": [["id", "bigint"], ["net", "double"]]}')
    line = {"dialect": "athena", "default_database": "sales", "sql": "CREATE VIEW v AS SELECT * FROM o"}
    _, out, _ = run("explain", "--jsonl", "--tables", str(tables), stdin=json.dumps(line))
    columns = answers(out)[0]["statements"][0]["columns"]
    assert [(column["column"], column["confidence"]) for column in columns] == [("id", 1.0), ("net", 1.0)]


@pytest.mark.parametrize("content", ["[]", "{", None])
def test_tables_that_cannot_be_read_end_it(run: Any, tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "tables.json"
    if content is not None:
        path.write_text(content)
    code, out, err = run("explain", "--tables", str(path), stdin="SELECT 1")
    assert (code, out) == (1, "")
    assert err.startswith("datahub-aws-lineage: ")
    assert "tables.json" in err


def test_explain_for_people(run: Any, tmp_path: Path) -> None:
    path = tmp_path / "x.sql"
    path.write_text(
        "INSERT INTO t (total) SELECT sum(o.amount)\n FROM orders o WHERE o.status = 1;\nSELECT FROM WHERE (;\nBEGIN"
    )
    code, out, err = run("explain", str(path), "--dialect", "redshift", "--database", "shop", "--schema", "mart")
    assert (code, err) == (0, "")
    assert "1/3 insert -> shop.mart.t\n  reads\n    shop.mart.orders\n" in out
    assert "    total = sum(o.amount)" in out
    assert "      <- shop.mart.orders  amount  (aggregation)" in out
    assert "  rows depend on\n    shop.mart.orders  status  (filter)" in out
    assert "not understood: syntax" in out
    assert "3/3 transaction: reads nothing" in out


def test_the_readme_shows_an_answer(run: Any) -> None:
    (sql,) = re.findall(r'^\$ echo "(.*?)" \\$', README.read_text(encoding="utf-8"), re.MULTILINE)
    _, out, _ = run("explain", "--database", "sales", stdin=sql)
    check_block("answer of explain", "end of the answer", fenced("text", out))


def test_explain_says_what_could_not_be_placed(run: Any) -> None:
    _, out, _ = run("explain", stdin="CREATE VIEW v AS SELECT * FROM unknown_table")
    assert "  not placed\n    star: " in out


def test_explain_shows_what_a_procedure_would_do(run: Any) -> None:
    sql = "CREATE PROCEDURE p() AS $$ BEGIN INSERT INTO t SELECT a FROM s; END; $$ LANGUAGE plpgsql"
    _, out, _ = run("explain", "--dialect", "redshift", stdin=sql)
    assert "create_procedure" in out
    assert "    insert -> dev.public.t" in out


def test_a_missing_file(run: Any) -> None:
    code, _, err = run("explain", "nowhere.sql")
    assert code == 1
    assert err == "datahub-aws-lineage: nowhere.sql: No such file or directory\n"


def test_report(run: Any, tmp_path: Path) -> None:
    output, report = tmp_path / "out.json", tmp_path / "run.json"
    output.write_text("[]")
    report.write_text('{"coverage": {"statements": {"athena": {"lineage": 2}}}}')
    code, out, err = run("report", str(output), "--run", str(report))
    assert (code, err) == (0, "")
    assert "2 statements, 100 % understood" in out


def test_report_of_another_file(run: Any, tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text("{}")
    code, out, err = run("report", str(path))
    assert (code, out) == (1, "")
    assert "x.json: not a list" in err


@pytest.mark.parametrize("arguments", [[], ["explain", "--dialect", "oracle"], ["record", "folder"], ["dance"]])
def test_wrong_use(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        cli.main(arguments)
    assert stopped.value.code == 2


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        cli.main(["--version"])
    assert stopped.value.code == 0
    assert capsys.readouterr().out.strip() == __version__


# ---- as a process: pipes and signals --------------------------------------------------------------------------------

LINE = b'{"id": 1, "dialect": "athena", "sql": "SELECT 1"}\n'


def start() -> subprocess.Popen[bytes]:
    """It hears interrupts also where these tests, run in a shell's background, do not."""
    pipe = subprocess.PIPE
    interruptible = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    return subprocess.Popen(
        [*COMMAND, "explain", "--jsonl"], stdin=pipe, stdout=pipe, stderr=pipe, preexec_fn=interruptible
    )


def test_each_answer_is_flushed_before_the_next_line_comes() -> None:
    with start() as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for _ in range(2):
            process.stdin.write(LINE)
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["id"] == 1


def test_a_reader_that_goes_away_is_no_error() -> None:
    with start() as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.write(LINE)
        process.stdin.flush()
        process.stdout.readline()
        process.stdout.close()
        process.stdin.write(LINE * 10)
        process.stdin.close()
        assert process.stderr.read() == b""
        assert process.wait() == 0


def test_an_interrupt_is_quiet() -> None:
    with start() as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.write(LINE)
        process.stdin.flush()
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == cli.INTERRUPTED
        assert process.stderr.read() == b""


def test_a_terminal_that_cannot_show_the_sql() -> None:
    sql = "CREATE TABLE t AS SELECT a AS größe FROM s".encode()
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    shown = subprocess.run([*COMMAND, "explain"], input=sql, capture_output=True, env=environment, check=True)
    assert b"gr\\xf6\\xdfe" in shown.stdout


def test_explain_starts_without_aws_and_datahub() -> None:
    """What takes seconds to import is imported where it is needed: the engine needs sqlglot alone."""
    script = (
        "import sys; from datahub_aws_lineage.cli import main; main(['explain', '--jsonl']); "
        "slow = {'boto3', 'botocore', 'datahub', 'pydantic', 'sqlalchemy'}; "
        "print(sorted(slow & sys.modules.keys()), file=sys.stderr)"
    )
    line = '{"id": 1, "dialect": "athena", "sql": "SELECT a FROM t"}'
    done = subprocess.run([sys.executable, "-c", script], input=line, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["statements"][0]["kind"] == "select"
    assert done.stderr.strip() == "[]"
