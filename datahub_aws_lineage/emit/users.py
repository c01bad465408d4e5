"""Who ran a statement, as a DataHub user: by the recipe's map, else from the name or ARN that a log gives."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from datahub_aws_lineage.emit.urns import INGESTION_ACTOR, user_urn

_SESSION = re.compile(r"arn:[^:]*:sts::\d*:assumed-role/(?P<role>.+)/(?P<session>[^/]+)")
_MADE_BY_A_MACHINE = re.compile(
    r"""
      i-[0-9a-f]{8,17}                          # an EC2 instance
    | [0-9a-f-]{16,}                            # a UUID, or digits
    | \d{8,}
    | (?:botocore|boto3|aws[-_]sdk|aws[-_]go[-_]sdk|aws[-_]cli|AWSCLI|eks|gh|ecs)[-\w]*[-_]\d{6,}[-\w]*
    | [-\w]*[Ss]ession[-_]?\d*                  # GlueJobRunnerSession
    """,
    re.VERBOSE,
)
_MOST = 10_000


class Users:
    """URNs of users. `user_map` has regular expressions over the whole name or ARN, and what the user is called.

    Of a role's session, the session's name counts, which is the person's where people log in; where a machine made it
    up (an instance id, a number), the role's.

    >>> users = Users({r"arn:aws:iam::\\d+:user/svc-(.*)": r"\\1-bot"})
    >>> users.urn("arn:aws:iam::111122223333:user/svc-dbt")
    'urn:li:corpuser:dbt-bot'
    >>> users.urn("arn:aws:sts::111122223333:assumed-role/AWSReservedSSO_Analyst_0a1b/alice@example.com")
    'urn:li:corpuser:alice@example.com'
    >>> users.urn("arn:aws:sts::111122223333:assumed-role/GlueRole/GlueJobRunnerSession")
    'urn:li:corpuser:GlueRole'
    """

    def __init__(self, user_map: Mapping[str, str] | None = None) -> None:
        self._rules = [(re.compile(expression), user) for expression, user in (user_map or {}).items()]
        self.urn = lru_cache(_MOST)(self._urn)

    def _urn(self, actor: str | None) -> str:
        name = (actor or "").strip()
        for rule, user in self._rules:
            match = rule.fullmatch(name)
            if match is not None:
                mapped = match.expand(user)
                return mapped if mapped.startswith(("urn:li:corpuser:", "urn:li:corpGroup:")) else user_urn(mapped)
        session = _SESSION.fullmatch(name)
        if session is not None and _MADE_BY_A_MACHINE.fullmatch(session["session"]):
            return user_urn(session["role"])
        return user_urn(actor)

    def known_urn(self, actor: str | None) -> str | None:
        """None where the log does not say who it was."""
        urn = self.urn(actor)
        return None if urn == INGESTION_ACTOR else urn
