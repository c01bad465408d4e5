"""Masks what looks like a credential, in requests and answers, before anything is written.

Known by its name (a member `SecretAccessKey`, a property `PASSWORD`, `aws_secret_access_key=` in the text of a COPY),
or by its form (an access key id, `AKIA…`). Not seen: a secret without either, one split over two rows of a result, and
one inside an object that is compressed in another way than gzip.

Only literals and the values of properties are masked, so that masked SQL keeps its lineage. In doubt the secret goes
first: a quoted identifier that is compared with a column named like a secret is masked, as in a script it would be one.

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

# The first letters stand outside the case-insensitive groups: so the search for a place to begin is ten times faster.
_WORD = (
    r"(?:[pP](?i:ass_?word|asswd|wd|ass_?phrase|rivate_?key)"
    r"|[sS](?i:ecret_?(?:access_?)?key|ession_?token|ecurity_?token|ymmetric_?key)"
    r"|[aA](?i:ccess_?key(?:_?id)?|pi_?key|uth_?token|ccess_?token)"
    r"|[cC](?i:lient_?secret|redential)|[rR](?i:efresh_?token)|[bB](?i:earer_?token))[sS]?"
)
_KEYWORD = (
    r"\b(?:[aA](?i:ccess_key_id)|[sS](?i:ecret_access_key|ession_token)|[mM](?i:aster_symmetric_key)"
    r"|[pP](?i:assword)|[iI](?i:dentified\s+by))"
)
_REST_OF_LITERAL = r"(?=[^']|'')[^']*(?:''[^']*)*"
_PROPERTY = rf"[\w.\-]{{0,40}}?(?:{_WORD}|(?i:token))=)(?!arn:)[^\s&;,'\"\\]+"

_HINT = re.compile(r"pass|pwd|secret|key|token|credential|identified")
"""In lower case; where none of these is, no pattern by name can match."""

_BY_NAME: tuple[tuple[re.Pattern[str], str], ...] = (
    # jdbc:…?user=u&password=…, jdbc:…;password=…, CREDENTIALS 'aws_access_key_id=…;aws_secret_access_key=…;token=…'
    (re.compile(rf"([?&;'\"]\s*{_PROPERTY}"), rf"\1{MASK}"),
    (re.compile(rf"(\A\s*{_PROPERTY}"), rf"\1{MASK}"),
    # ACCESS_KEY_ID '…' SECRET_ACCESS_KEY '…' SESSION_TOKEN '…', PASSWORD '…', IDENTIFIED BY '…'
    (re.compile(rf"({_KEYWORD}\s+'){_REST_OF_LITERAL}('|\Z)"), rf"\1{MASK}\2"),
    # password = '…', password: "…"
    (re.compile(rf"""({_WORD}\s*[=:]\s*(["']))(?!arn:)(?:(?!\2|\\).|\\.|\2\2)+"""), rf"\1{MASK}"),
    # "password": "…", also where the JSON is itself a string of another JSON
    (
        re.compile(rf"""({_WORD}\\{{0,16}}["']\s*:\s*(\\{{0,16}}["']))(?!arn:)(?:(?!(?<!\\)\2).)+"""),
        rf"\1{MASK}",
    ),
    # .option("password", "…")
    (re.compile(rf"""(option\(\s*["'][\w.\-]{{0,40}}?{_WORD}["']\s*,\s*(["']))(?:(?!\2).)+"""), rf"\1{MASK}"),
)
_BY_FORM: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"(-----BEGIN [A-Z ]*PRIVATE KEY-----)(?s:.)+?(-----END|\Z)"), rf"\1{MASK}\2"),
    # scheme://user:password@host
    (re.compile(r"(://[^\s/:@'\"]+:)[^\s/@'\"]+(?=@)"), rf"\1{MASK}"),
    # presigned URLs
    (re.compile(r"([xX]-(?i:amz-(?:signature|security-token|credential))=)[^\s&'\"\\]+"), rf"\1{MASK}"),
    # access key ids
    (re.compile(r"A[KS]IA[A-Z0-9]{16,}"), MASK),
)
_NAME_OF_SECRET = re.compile(rf".*{_WORD}\Z", re.DOTALL)
_LITERAL = re.compile(rf"'{_REST_OF_LITERAL}'")
_ENDS_IN_KEYWORD = re.compile(rf"{_KEYWORD}\Z")
_LONGEST_KEYWORD = 40
_XML_ELEMENT = re.compile(r"<([\w.:\-]+)>([^<]+)(?=</\1>)")


def mask_text(text: str) -> str:
    """The text with every literal that looks like a credential replaced by `MASK`. Masking twice changes nothing."""
    for pattern, replacement in _BY_FORM:
        text = pattern.sub(replacement, text)
    if not _HINT.search(text.lower()):
        return text
    for pattern, replacement in _BY_NAME:
        text = pattern.sub(replacement, text)
    text = _LITERAL.sub(_mask_literal, text)
    return _XML_ELEMENT.sub(_mask_element, text)


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
    return _NAME_OF_SECRET.match(name) is not None


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


def _mask_literal(found: re.Match[str]) -> str:
    """`PASSWORD'…'`, written without a blank; `'password'` is a literal, which only a scan from the start can tell."""
    start = found.start()
    before = found.string[max(0, start - _LONGEST_KEYWORD) : start]
    return f"'{MASK}'" if _ENDS_IN_KEYWORD.search(before) else found.group(0)


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
