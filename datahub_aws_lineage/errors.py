"""One tree of errors, grouped by what the caller does next."""

from __future__ import annotations


class AwsLineageError(Exception):
    """Base of all errors this package raises on purpose."""


class FatalError(AwsLineageError):
    """Nothing sensible can follow: stop the run and say what to change."""


class ConfigurationError(FatalError):
    """The recipe asks for something that cannot be; the message names the key, the value and the way out."""


class CredentialsError(FatalError):
    """AWS refuses the identity itself: none found, expired, or invalid."""


class SnapshotError(FatalError):
    """A recording cannot be read, or holds no answer for a call that was made."""


class RetriableError(AwsLineageError):
    """The same call may succeed later (throttling, a network fault); retries within this run are used up."""


class SkippableError(AwsLineageError):
    """One part is lost; the others go on."""


class AccessDeniedError(SkippableError):
    """IAM or Lake Formation denies one call. `permission` is the IAM action, such as `athena:ListWorkGroups`."""

    def __init__(self, message: str, permission: str) -> None:
        super().__init__(message)
        self.permission = permission


class NotFoundError(SkippableError):
    """The thing asked for is not there (any more)."""


class MalformedError(SkippableError):
    """What a service or a file gave is not in the documented form."""
