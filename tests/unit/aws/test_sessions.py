"""Sessions: what cannot be opened is said without secrets, and an assumed role is renewed before it ends."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone

import pytest
from boto3 import Session
from botocore.exceptions import ClientError, ProfileNotFound
from freezegun import freeze_time

from datahub_aws_lineage.aws.sessions import open_session
from datahub_aws_lineage.errors import CredentialsError

NOON = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)


class Role:
    """A role that is assumed for an hour, and anew when less than five minutes are left, as DataHub does it."""

    def __init__(self) -> None:
        self.assumed = 0
        self.end: datetime | None = None

    def connect(self) -> Session:
        if self.end is None or self.end - datetime.now(timezone.utc) < timedelta(minutes=5):
            self.assumed += 1
            self.end = datetime.now(timezone.utc) + timedelta(hours=1)
        return Session(f"key-{self.assumed}", "secret", "token", region_name="eu-central-1")


@pytest.fixture
def role() -> Iterator[Role]:
    with freeze_time(NOON):
        yield Role()


def key_of(session: Session) -> str:
    credentials = session.get_credentials()
    assert credentials is not None
    return str(credentials.get_frozen_credentials().access_key)


def test_credentials_that_renew_themselves_are_left_alone() -> None:
    given = Session("key", "secret", region_name="eu-central-1")
    assert open_session(lambda: given) is given


def test_an_assumed_role_lasts_as_long_as_the_run(role: Role) -> None:
    session = open_session(role.connect, lambda: role.end)
    assert session.region_name == "eu-central-1"
    assert key_of(session) == "key-1"
    with freeze_time(NOON + timedelta(minutes=30)):
        assert key_of(session) == "key-1"
    with freeze_time(NOON + timedelta(minutes=57)):
        assert key_of(session) == "key-2"
    with freeze_time(NOON + timedelta(hours=5)):
        assert key_of(session) == "key-3"
    assert role.assumed == 3


def test_clients_use_the_renewed_credentials(role: Role) -> None:
    client = open_session(role.connect, lambda: role.end).client("sts")
    with freeze_time(NOON + timedelta(minutes=57)):
        assert "key-2" in client.generate_presigned_url("get_caller_identity")


def failing(error: Exception) -> str:
    def connect() -> Session:
        raise error

    with pytest.raises(CredentialsError) as raised:
        open_session(connect)
    return str(raised.value)


def test_a_profile_that_is_not_there() -> None:
    assert "nobody" in failing(ProfileNotFound(profile="nobody"))


def test_no_credentials_to_assume_a_role_with() -> None:
    assert "No credentials" in failing(ValueError("No credentials available for role assumption"))


@pytest.mark.parametrize(("code", "quoted"), [("AccessDenied", True), ("SignatureDoesNotMatch", False)])
def test_the_text_of_a_bad_signature_is_not_repeated(code: str, quoted: bool) -> None:
    message = "x-amz-security-token:abc"
    said = failing(ClientError({"Error": {"Code": code, "Message": message}}, "AssumeRole"))
    assert f"AssumeRole failed: {code}" in said
    assert (message in said) == quoted
