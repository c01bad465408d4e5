"""What is masked, and what must not be touched."""

from __future__ import annotations

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datahub_aws_lineage.model.secrets import MASK, Json, is_secret_name, mask_bytes, mask_json, mask_text

SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
ACCESS_KEY = "AKIA" + "IOSFODNN7EXAMPLE"

LEAKS = [
    f"COPY t FROM 's3://b/p' CREDENTIALS 'aws_access_key_id={ACCESS_KEY};aws_secret_access_key={SECRET}'",
    f"copy t from 's3://b' credentials 'aws_access_key_id=x;\n aws_secret_access_key={SECRET};token={SECRET}' csv",
    f"UNLOAD ('select 1') TO 's3://b' CREDENTIALS 'aws_secret_access_key={SECRET}'",
    f"COPY t FROM 's3://b' ACCESS_KEY_ID 'x' SECRET_ACCESS_KEY '{SECRET}' SESSION_TOKEN '{SECRET}'",
    f"UNLOAD ('q') TO 's3://b' MASTER_SYMMETRIC_KEY '{SECRET}' ENCRYPTED",
    f"CREATE USER joe PASSWORD '{SECRET}'",
    f"alter user joe password 'it''s {SECRET}'",
    f"alter user joe PASSWORD'{SECRET}' valid until '2030-01-01'",
    f"CREATE SUBSCRIPTION s IDENTIFIED BY '{SECRET}'",
    f"COPY t FROM 's3://b' SECRET_ACCESS_KEY '{SECRET}",
    f"jdbc:redshift://h:5439/dev?user=joe&password={SECRET}&ssl=true",
    f"jdbc:sqlserver://h:1433;user=joe;password={SECRET};encrypt=true",
    f"mysql://joe:{SECRET.replace('/', '_')}@host/db",
    f'spark.read.option("password", "{SECRET}")',
    f"connect(user='joe', password='{SECRET}')",
    f'{{"userName": "joe", "password": "{SECRET}"}}',
    f'{{"secretAccessKey":"{SECRET}","sessionToken":"{SECRET}"}}',
    f'{{"event": "{{\\"sessionToken\\": \\"{SECRET}\\"}}"}}',
    f'{{"password": "a\\"{SECRET}"}}',
    f"https://b.s3.amazonaws.com/k?X-Amz-Credential=x&X-Amz-Signature={SECRET}&X-Amz-Security-Token={SECRET}",
    f"<Credentials><SecretAccessKey>{SECRET}</SecretAccessKey><SessionToken>{SECRET}</SessionToken></Credentials>",
    f"-----BEGIN RSA PRIVATE KEY-----\n{SECRET}\n{SECRET}\n-----END RSA PRIVATE KEY-----",
    f"the key {ACCESS_KEY}, the temporary key {ACCESS_KEY.replace('AKIA', 'ASIA')}.",
]

HARMLESS = [
    'SELECT password, "password", t.access_key FROM users t WHERE password = t.old_password',
    "UPDATE users SET login = 'x', password = other.password FROM other",
    "UPDATE users SET login=1,password=md5(other.password) FROM other",
    "COPY t FROM 's3://b/p' CREDENTIALS 'aws_iam_role=arn:aws:iam::123456789012:role/load'",
    "COPY t FROM 's3://b/p' IAM_ROLE 'arn:aws:iam::123456789012:role/load' FORMAT PARQUET",
    "CREATE EXTERNAL SCHEMA s FROM POSTGRES URI 'h' SECRET_ARN 'arn:aws:secretsmanager:eu-central-1:1:secret:x'",
    "struct<user:string,password:string,keys:array<string>>",
    "s3://bucket/prefix/password=1/part-0.gz",
    "SELECT token, 'password' AS kind, 'secret_access_key' AS other FROM t",
    "SELECT 'the password', 'the password' FROM t",
]


@pytest.mark.parametrize("text", LEAKS)
def test_leaks_are_closed(text: str) -> None:
    masked = mask_text(text)
    assert SECRET not in masked
    assert SECRET.replace("/", "_") not in masked
    assert "FODNN7EXAMPLE" not in masked
    assert MASK in masked
    assert mask_text(masked) == masked


@pytest.mark.parametrize("text", HARMLESS)
def test_what_is_no_secret_stays(text: str) -> None:
    assert mask_text(text) == text


def test_masked_sql_is_the_same_but_for_its_literals() -> None:
    text = f"COPY sales.t FROM 's3://b/p' CREDENTIALS 'aws_access_key_id=x;aws_secret_access_key={SECRET}' CSV GZIP"
    masked = (
        f"COPY sales.t FROM 's3://b/p' CREDENTIALS 'aws_access_key_id={MASK};aws_secret_access_key={MASK}' CSV GZIP"
    )
    assert mask_text(text) == masked
    assert mask_text("SELECT a FROM t WHERE password = 'it''s' AND b = 1") == (
        f"SELECT a FROM t WHERE password = '{MASK}' AND b = 1"
    )


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("SecretAccessKey", True),
        ("SessionToken", True),
        ("PASSWORD", True),
        ("ENCRYPTED_PASSWORD", True),
        ("dbPassword", True),
        ("AccessKeyId", True),
        ("privateKey", True),
        ("NextToken", False),
        ("ClientRequestToken", False),
        ("SecretArn", False),
        ("MasterPasswordSecretArn", False),
        ("Key", False),
        ("TagKey", False),
        ("KmsKeyId", False),
        ("PartitionKeys", False),
    ],
)
def test_names_of_secrets(name: str, *, secret: bool) -> None:
    assert is_secret_name(name) is secret


def test_members_are_masked_by_name_at_any_depth() -> None:
    value: Json = {
        "ConnectionProperties": {"USERNAME": "joe", "PASSWORD": SECRET, "JDBC_ENFORCE_SSL": "true"},
        "Credentials": {"AccessKeyId": "x", "SecretAccessKey": SECRET, "Expiration": 1.5},
        "Parameters": [{"name": "password", "value": SECRET}, {"name": "day", "value": "2024-01-01"}],
        "Columns": [{"Name": "password", "Type": "string"}],
        "Passwords": [SECRET],
        "MasterPassword": "arn:aws:secretsmanager:x",
        "NextToken": SECRET,
    }
    assert mask_json(value) == {
        "ConnectionProperties": {"USERNAME": "joe", "PASSWORD": MASK, "JDBC_ENFORCE_SSL": "true"},
        "Credentials": {"AccessKeyId": MASK, "SecretAccessKey": MASK, "Expiration": 1.5},
        "Parameters": [{"name": "password", "value": MASK}, {"name": "day", "value": "2024-01-01"}],
        "Columns": [{"Name": "password", "Type": "string"}],
        "Passwords": [MASK],
        "MasterPassword": "arn:aws:secretsmanager:x",
        "NextToken": SECRET,
    }


class TestObjects:
    LINE = f"'2024-01-01T00:00:00Z UTC [ db=dev ]' LOG: CREATE USER joe PASSWORD '{SECRET}'\n".encode()

    def test_gzip_is_opened(self) -> None:
        masked = gzip.decompress(mask_bytes(gzip.compress(self.LINE) + gzip.compress(b"second member\n")))
        assert masked == self.LINE.replace(SECRET.encode(), MASK.encode()) + b"second member\n"

    def test_what_holds_no_secret_is_kept_byte_for_byte(self) -> None:
        content = gzip.compress(b"SELECT 1\n" * 100, compresslevel=1)
        assert mask_bytes(content) == content

    def test_a_cut_archive_is_masked_and_stays_cut(self) -> None:
        whole = gzip.compress(self.LINE + bytes(range(256)) * 50, compresslevel=0)
        masked = mask_bytes(whole[:-2000])
        assert SECRET.encode() not in zlib.decompressobj(wbits=31).decompress(masked)
        with pytest.raises(EOFError):
            gzip.decompress(masked)

    def test_bytes_that_are_no_text_are_kept(self) -> None:
        content = bytes(range(256)) * 3
        assert mask_bytes(content) == content

    @given(st.binary())
    def test_any_bytes_come_back(self, content: bytes) -> None:
        assert mask_bytes(b"\x00" + content) == b"\x00" + content or MASK.encode() in mask_bytes(b"\x00" + content)


@given(
    st.lists(
        st.sampled_from(
            ["password", "=", "'", '"', ":", " ", ";", "x", "\\", "token", "?", "://", "@", "<password>", "</password>"]
        )
    ).map("".join)
)
def test_masking_twice_changes_nothing(text: str) -> None:
    masked = mask_text(text)
    assert mask_text(masked) == masked
