"""SQL on a Redshift warehouse through the Data API: no driver, no network path, no password.

Source: Amazon Redshift Management Guide, "Using the Amazon Redshift Data API" (data-api), and botocore's service model.
Limits: a result of 500 MB and 64 KB a row, a statement of 100 KB, results kept for 24 hours.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from typing_extensions import assert_never

from datahub_aws_lineage.aws import redshift_sql
from datahub_aws_lineage.aws.calls import call, paginate
from datahub_aws_lineage.aws.clients import Clients
from datahub_aws_lineage.errors import AccessDeniedError, MalformedError, RetriableError, SkippableError

if TYPE_CHECKING:
    from mypy_boto3_redshift_data import RedshiftDataAPIServiceClient

PERMISSIONS: tuple[str, ...] = (
    "redshift-data:CancelStatement",
    "redshift-data:DescribeStatement",
    "redshift-data:ExecuteStatement",
    "redshift-data:GetStatementResult",
)
"""What every use of the Data API needs; `login_permission` names the one more that the way of login needs."""

Value: TypeAlias = str | int | float | bool | None

_DENIED = re.compile(
    r"permission denied(?: for (?:[a-z]+ )+(?P<object>[^\s;]+))?|must be (?:a )?superuser|insufficient privilege"
    r"|not authorized",
    re.IGNORECASE,
)
_TOO_LARGE = re.compile(r"exceed\w*\b.*\bsize|size\b.*\bexceed|too large", re.IGNORECASE | re.DOTALL)
_MESSAGE_LIMIT = 500
"""Characters of the warehouse's message that are kept."""


class StatementFailedError(SkippableError):
    """The warehouse refused, aborted or did not finish a statement of ours; the message is the warehouse's."""


class ResultTooLargeError(StatementFailedError):
    """The result is above what the Data API can hold: ask for less at a time."""


@dataclass(frozen=True, slots=True)
class WorkGroup:
    """A serverless work group, by name or ARN. Without a secret the IAM identity is the database user."""

    name: str
    secret_arn: str | None = None


@dataclass(frozen=True, slots=True)
class Cluster:
    """A provisioned cluster. Login by secret, else as `database_user`, else as the IAM identity."""

    identifier: str
    database_user: str | None = None
    secret_arn: str | None = None


Target: TypeAlias = WorkGroup | Cluster


def login_permission(target: Target) -> str:
    """The IAM action by which the Data API logs in to `target` (Management Guide, "Choosing authentication")."""
    if target.secret_arn:
        return "secretsmanager:GetSecretValue"
    match target:
        case WorkGroup():
            return "redshift-serverless:GetCredentials"
        case Cluster(database_user=None):
            return "redshift:GetClusterCredentialsWithIAM"
        case Cluster():
            return "redshift:GetClusterCredentials"
        case _:
            assert_never(target)


class RedshiftDataApi:
    """Runs one statement at a time and waits for it.

    Seconds: the first wait between two looks is `poll_seconds`, each next one twice as long up to
    `longest_poll_seconds`; after `timeout_seconds` of waiting the statement is cancelled. `sleep` is how to wait.
    """

    def __init__(
        self,
        clients: Clients,
        target: Target,
        *,
        poll_seconds: float = 0.25,
        longest_poll_seconds: float = 5.0,
        timeout_seconds: float = 900.0,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._clients = clients
        self._target = target
        self._poll_seconds = poll_seconds
        self._longest_poll_seconds = longest_poll_seconds
        self._timeout_seconds = timeout_seconds
        self._sleep = sleep

    @property
    def _client(self) -> RedshiftDataAPIServiceClient:
        return self._clients.client("redshift-data")

    @property
    def target(self) -> Target:
        return self._target

    def query(self, sql: str, database: str, parameters: Mapping[str, str] | None = None) -> Iterator[dict[str, Value]]:
        """Runs `sql` in `database`, waits, and gives an iterator that reads the rows page by page, keyed by lower-case
        column name. `parameters` fill `:name` in the text, as strings that the warehouse casts.

        Raises AccessDeniedError (IAM, or a privilege within the database), ResultTooLargeError, StatementFailedError,
        and what `calls.call` raises; once the iterator runs, only what `calls.paginate` raises and MalformedError.
        """
        request: dict[str, Any] = {"Sql": sql, "Database": database, **_login(self._target)}
        if parameters:
            request["Parameters"] = [{"name": name, "value": value} for name, value in sorted(parameters.items())]
        statement_id = str(call(self._client, "ExecuteStatement", **request)["Id"])
        has_rows = self._wait(statement_id)
        return self._rows(statement_id) if has_rows else iter(())

    def _wait(self, statement_id: str) -> bool:
        waited, pause = 0.0, self._poll_seconds
        while True:
            description = call(self._client, "DescribeStatement", Id=statement_id)
            match description["Status"]:
                case "FINISHED":
                    return bool(description.get("HasResultSet"))
                case "FAILED" | "ABORTED" as status:
                    raise _failure(status, str(description.get("Error") or "no message"))
                case _ if waited >= self._timeout_seconds:
                    self._cancel(statement_id)
                    raise StatementFailedError(f"no end after {self._timeout_seconds:g} s of waiting; cancelled")
                case _:
                    self._sleep(pause)
                    waited += pause
                    pause = min(pause * 2, self._longest_poll_seconds)

    def _cancel(self, statement_id: str) -> None:
        try:
            call(self._client, "CancelStatement", Id=statement_id)
        except (SkippableError, RetriableError):
            # It may have just ended, or cancelling is not allowed; that it timed out is what the caller has to know.
            return

    def _rows(self, statement_id: str) -> Iterator[dict[str, Value]]:
        names: list[str] = []
        for page in paginate(self._client, "GetStatementResult", Id=statement_id):
            names = names or [_column_name(column) for column in page.get("ColumnMetadata", ())]
            for record in page["Records"]:
                if len(record) != len(names):
                    raise MalformedError(f"redshift-data: a row of {len(record)} values under {len(names)} columns")
                yield dict(zip(names, map(_value, record), strict=True))


def _login(target: Target) -> dict[str, str]:
    secret = {"SecretArn": target.secret_arn} if target.secret_arn else {}
    match target:
        case WorkGroup(name=name):
            return {"WorkgroupName": name, **secret}
        case Cluster(identifier=identifier, database_user=user):
            login = {"DbUser": user} if user and not secret else {}
            return {"ClusterIdentifier": identifier, **login, **secret}
        case _:
            assert_never(target)


def _failure(status: str, message: str) -> SkippableError:
    text = f"Redshift: {status}: {message[:_MESSAGE_LIMIT]}"
    denied = _DENIED.search(message)
    if denied:
        name = denied["object"]
        return AccessDeniedError(text, f"SELECT ON {name}" if name else "SELECT")
    if _TOO_LARGE.search(message):
        return ResultTooLargeError(text)
    return StatementFailedError(text)


def _column_name(column: Mapping[str, Any]) -> str:
    return str(column.get("label") or column.get("name") or "").lower()


def _value(field: Mapping[str, Any]) -> Value:
    """A field is a union of one member (`{"longValue": 7}`); `isNull` stands for NULL. VARBYTE is read as UTF-8."""
    if field.get("isNull"):
        return None
    value: Value | bytes = next(iter(field.values()), None)
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def probe(api: RedshiftDataApi, database: str) -> str:
    """Logs in and gives the database user. Raises what `RedshiftDataApi.query` raises, and MalformedError."""
    row = next(api.query(redshift_sql.PROBE, database), None)
    if row is None:
        raise MalformedError("Redshift: SELECT current_user gave no row")
    return str(row["user_name"])
