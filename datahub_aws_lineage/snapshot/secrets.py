"""Masks what looks like a credential, in requests and answers, before anything is written.

Known by its name (a member `SecretAccessKey`, a property `PASSWORD`, `aws_secret_access_key=` in the text of a COPY),
or by its form (an access key id, `AKIA…`). Not seen: a secret without either, one split over two rows of a result, and
one inside an object that is compressed in another way than gzip.

Only literals and the values of properties are masked, so that masked SQL keeps its lineage: an identifier only where it
is quoted and compared with a column that is named like a secret, which in a script would be a password.

Sources: Redshift "COPY: authorization parameters"; IAM "Unique identifiers" (key prefixes); S3 "Authenticating
requests: using query parameters".
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Mapping
from typing import TypeAlias

Json: TypeAlias = "Mapping[str, Json] | list[Json] | str | int | float | bool | None"

MASK = "********"

_WORD = (
    r"(?:pass_?word|passwd|pwd|pass_?phrase|secret_?(?:access_?)?key|access_?key_?id|access_?key|session_?token"
    r"|security_?token|private_?key|client_?secret|api_?key|auth_?token|access_?token|refresh_?token|bearer_?token"
    r"|symmetric_?key|credential)s?"
)
_NAME = rf"[\w.\-]{{0,40}}{_WORD}"
_SECRET_NAME = re.compile(rf".*{_WORD}\Z", re.IGNORECASE)
_XML_ELEMENT = re.compile(r"<([\w.:\-]+)>([^<]+)(?=</\1>)")
_QUOTED_NAME_AND_VALUE = rf"""\\*["']{_NAME}\\*["']\s*"""

_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), replacement)
    for pattern, replacement in (
        # jdbc:…?user=u&password=…, jdbc:…;password=…, CREDENTIALS 'aws_access_key_id=…;aws_secret_access_key=…;token=…'
        (rf"((?:^|[?&;'\"])\s*(?:{_NAME}|token)=)(?!arn:)[^\s&;,'\"\\]+", rf"\1{MASK}"),
        # ACCESS_KEY_ID '…' SECRET_ACCESS_KEY '…' SESSION_TOKEN '…', PASSWORD '…', IDENTIFIED BY '…'
        (
            (
                r"(\b(?:access_key_id|secret_access_key|session_token|master_symmetric_key|password|identified\s+by)"
                r"\s*')(?:[^']|'')+('|\Z)"
            ),
            rf"\1{MASK}\2",
        ),
        # password = '…', password: "…"
        (rf"""(\b{_NAME}\s*[=:]\s*(["']))(?!arn:)(?:(?!\2|\\).|\\.|\2\2)+""", rf"\1{MASK}"),
        # "password": "…", also where the JSON is itself a string of another JSON
        (
            rf"""({_QUOTED_NAME_AND_VALUE}[:]\s*(\\*["']))(?!arn:)(?:(?!(?<!\\)\2).)+""",
            rf"\1{MASK}",
        ),
        (r"(-----BEGIN [A-Z ]*PRIVATE KEY-----)(?s:.)+?(-----END|\Z)", rf"\1{MASK}\2"),
        # .option("password", "…")
        (rf"""(option\(\s*{_QUOTED_NAME_AND_VALUE},\s*(["']))(?:(?!\2).)+""", rf"\1{MASK}"),
        # scheme://user:password@host
        (r"(://[^\s/:@'\"]+:)[^\s/@'\"]+(?=@)", rf"\1{MASK}"),
        # presigned URLs
        (r"(X-Amz-(?:Signature|Security-Token|Credential)=)[^\s&'\"\\]+", rf"\1{MASK}"),
    )
)
_ACCESS_KEY = re.compile(r"(?<![A-Z0-9])(?:AKIA|ASIA)[A-Z0-9]{16,}")


def mask_text(text: str) -> str:
    """The text with every literal that looks like a credential replaced by `MASK`. Masking twice changes nothing."""
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    text = _XML_ELEMENT.sub(_mask_element, text)
    return _ACCESS_KEY.sub(MASK, text)


def mask_json(value: Json) -> Json:
    """The value with its secret members masked, and the text of all others."""
    match value:
        case str():
            return mask_text(value)
        case Mapping():
            named = _named_secret(value)
            return {key: MASK if key == named else mask_member(key, member) for key, member in value.items()}
        case list():
            return [mask_json(item) for item in value]
        case _:
            return value


def mask_bytes(content: bytes) -> bytes:
    """An object of S3, masked; gzip is opened and closed again. What holds no secret comes back byte for byte."""
    if not content.startswith(b"\x1f\x8b"):
        return _mask_plain(content)
    plain, whole = _gunzip(content)
    masked = _mask_plain(plain)
    if masked == plain:
        return content
    compressed = gzip.compress(masked, mtime=0)
    return compressed if whole else compressed[:-8]  # what was cut stays cut: without its check sum


def is_secret_name(name: str) -> bool:
    """Whether a member, property or element of this name holds a credential.

    >>> is_secret_name("SecretAccessKey"), is_secret_name("NextToken"), is_secret_name("SecretArn")
    (True, False, False)
    """
    return _SECRET_NAME.match(name) is not None


def mask_member(name: str, value: Json) -> Json:
    """The value of a member, property or header of this name. An ARN names a secret and is none."""
    match value:
        case str() if value and is_secret_name(name) and not value.startswith("arn:"):
            return MASK
        case list():
            return [mask_member(name, item) for item in value]
        case _:
            return mask_json(value)


def _named_secret(pair: Mapping[str, Json]) -> str | None:
    """The member that holds the secret of a `{"Name": "password", "Value": …}`."""
    members = {key.lower(): key for key in pair}
    name = pair.get(members.get("name") or members.get("key") or "")
    return members.get("value") if isinstance(name, str) and is_secret_name(name) else None


def _mask_element(found: re.Match[str]) -> str:
    name = found.group(1)
    return f"<{name}>{MASK}" if is_secret_name(name) else found.group(0)


def _mask_plain(content: bytes) -> bytes:
    return mask_text(content.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")


def _gunzip(content: bytes) -> tuple[bytes, bool]:
    """What can be read, over all members, and whether that was everything."""
    parts: list[bytes] = []
    while content:
        member = zlib.decompressobj(wbits=31)
        try:
            parts.append(member.decompress(content))
        except zlib.error:
            return b"".join(parts), False
        if not member.eof:
            return b"".join(parts), False
        content = member.unused_data
    return b"".join(parts), True
