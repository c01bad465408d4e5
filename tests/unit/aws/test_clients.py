"""Clients of one session."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.stub import Stubber

from datahub_aws_lineage.aws.clients import Clients
from datahub_aws_lineage.errors import ConfigurationError, CredentialsError


def session(region: str | None = "eu-central-1") -> boto3.Session:
    return boto3.Session(aws_access_key_id="testing", aws_secret_access_key="testing", region_name=region)


def test_one_client_for_each_service() -> None:
    clients = Clients(session())
    assert clients.client("glue") is clients.client("glue")
    assert clients.client("glue").meta.region_name == "eu-central-1"
    assert clients.client("athena").meta.service_model.service_name == "athena"


def config_of(config: Config | None) -> Any:
    return Clients(session(), config=config).client("glue").meta.config


def test_patient_retries_unless_the_caller_says_otherwise() -> None:
    assert config_of(None).retries == {"mode": "adaptive", "total_max_attempts": 10}
    impatient = Config(retries={"mode": "standard", "total_max_attempts": 2})
    assert config_of(impatient).retries == {"mode": "standard", "total_max_attempts": 2}


def test_a_config_is_merged_with_the_defaults() -> None:
    merged = config_of(Config(read_timeout=7))
    assert merged.read_timeout == 7
    assert merged.retries["mode"] == "adaptive"
    assert "datahub-aws-lineage/" in merged.user_agent


def test_endpoint() -> None:
    clients = Clients(session(), endpoint_url="http://127.0.0.1:5000")
    assert clients.client("glue").meta.endpoint_url == "http://127.0.0.1:5000"


def test_no_region(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    clients = Clients(session(None))
    with pytest.raises(ConfigurationError, match=r"aws_config\.aws_region"):
        clients.client("glue")


def test_a_service_that_does_not_exist() -> None:
    with pytest.raises(ConfigurationError, match="gluten"):
        Clients(session()).client("gluten")


def test_account_is_asked_for_once() -> None:
    clients = Clients(session())
    with Stubber(clients.client("sts")) as stubber:
        stubber.add_response("get_caller_identity", {"Account": "111122223333", "Arn": "arn:aws:iam::x:user/u"})
        assert clients.account_id() == "111122223333"
        assert clients.account_id() == "111122223333"


def test_account_of_an_expired_identity() -> None:
    clients = Clients(session())
    with Stubber(clients.client("sts")) as stubber:
        stubber.add_client_error("get_caller_identity", "ExpiredToken")
        with pytest.raises(CredentialsError):
            clients.account_id()
