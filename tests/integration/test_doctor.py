"""`doctor` and `schema`: what a recipe cannot read, and what may stand in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from small_account import WINDOW, SmallAccount

from datahub_aws_lineage import cli
from datahub_aws_lineage.aws import athena, redshift_audit_log

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def account(tmp_path: Path) -> SmallAccount:
    return SmallAccount(tmp_path / "account")


def doctor(path: Path, config: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    path.write_text(yaml.safe_dump({"source": {"type": "aws-lineage", "config": {**config, **WINDOW}}}))
    code = cli.main(["doctor", "-c", str(path)])
    captured = capsys.readouterr()
    assert captured.err == ""
    return code, captured.out


def test_what_is_denied_what_it_costs_and_the_policy(
    account: SmallAccount, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    account.denied = {"athena:ListWorkGroups"}
    config = {"snapshot": str(account.record()), "glue": {"enabled": False}}
    code, text = doctor(tmp_path / "recipe.yml", config, capsys)
    assert code == 1
    assert "ok       AWS identity" in text
    assert "missing  Athena work groups\n         athena:ListWorkGroups: AccessDenied" in text
    assert "what ran on Athena" in text
    policy = json.loads(text.partition("This policy allows what is missing:")[2])
    assert policy["Statement"][0]["Action"] == sorted(athena.PERMISSIONS)


def test_a_whole_account(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert cli.main(["doctor", "-c", "recipes/demo.yml"]) == 0
    text = capsys.readouterr().out
    assert "missing" not in text
    assert "policy" not in text
    assert redshift_audit_log.PERMISSIONS[0] not in text


def test_an_account_of_several_that_is_not_there(
    account: SmallAccount, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    account.folder = tmp_path / "all" / "here" / "eu-central-1"
    account.record()
    accounts = [{"name": name, "regions": ["eu-central-1"]} for name in ("here", "gone")]
    config = {"snapshot": str(tmp_path / "all"), "accounts": accounts, "platform_instance": "{account_name}"}
    code, text = doctor(tmp_path / "recipe.yml", config, capsys)
    assert code == 1
    assert "ok       here/eu-central-1: AWS identity" in text
    assert "missing  A part of the account could not be read: gone/eu-central-1: " in text


@pytest.mark.parametrize("content", ["source: {type: aws-lineage, config: {user_map: {a: '${NOT_SET_4711}'}}}", "["])
def test_a_recipe_that_cannot_be_read(content: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "recipe.yml"
    path.write_text(content)
    assert cli.main(["doctor", "-c", str(path)]) == 1
    captured = capsys.readouterr()
    assert captured.err.startswith(f"datahub-aws-lineage: {path}: ")
    assert "Traceback" not in captured.err


def test_the_schema_takes_every_recipe_and_refuses_a_wrong_key(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["schema"]) == 0
    schema = json.loads(capsys.readouterr().out)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    recipes = sorted((ROOT / "recipes").glob("*.yml"))
    assert len(recipes) > 5
    for path in recipes:
        assert list(validator.iter_errors(yaml.safe_load(path.read_text()))) == [], path.name
    wrong = {"source": {"type": "aws-lineage", "config": {"glue": {"enabeld": True}}}}
    (error,) = validator.iter_errors(wrong)
    assert "enabeld" in error.message
