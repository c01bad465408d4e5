"""The boto3 clients of one session, each made once."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal, overload

from boto3 import Session
from botocore.client import BaseClient
from botocore.config import Config
from botocore.exceptions import BotoCoreError

from datahub_aws_lineage.aws.calls import call
from datahub_aws_lineage.errors import ConfigurationError
from datahub_aws_lineage.version import __version__

if TYPE_CHECKING:
    from mypy_boto3_athena import AthenaClient
    from mypy_boto3_glue import GlueClient
    from mypy_boto3_redshift_data import RedshiftDataAPIServiceClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sts import STSClient

DEFAULT_CONFIG = Config(
    # Athena allows 5 list calls a second for a whole account, so throttling is normal: slow down instead of failing.
    retries={"mode": "adaptive", "total_max_attempts": 10},
    user_agent_extra=f"datahub-aws-lineage/{__version__}",
)


class Clients:
    """Clients of one boto3 session, that is of one identity and region. `config` wins over `DEFAULT_CONFIG`.

    The session may be given as what opens it: that is called when the first client is asked for, and again after it has
    failed, so that what needs no AWS does not wait for it. `region` and `client` then raise CredentialsError too.

    Without `endpoint_url`, botocore's own settings apply (`AWS_ENDPOINT_URL`, the profile's `endpoint_url`).
    """

    def __init__(
        self,
        session: Session | Callable[[], Session],
        *,
        endpoint_url: str | None = None,
        config: Config | None = None,
    ) -> None:
        self._given = session
        self._opened: Session | None = None
        self._endpoint_url = endpoint_url
        self._config = DEFAULT_CONFIG.merge(config) if config else DEFAULT_CONFIG
        self._clients: dict[str, BaseClient] = {}
        self._account_id: str | None = None
        self._lock = Lock()  # making a client from a session is not thread-safe; using it is

    @property
    def _session(self) -> Session:
        if self._opened is None:
            self._opened = self._given() if callable(self._given) else self._given
        return self._opened

    @property
    def region(self) -> str:
        """The session's region. Raises ConfigurationError where none is set."""
        region = self._session.region_name
        if not region:
            raise ConfigurationError("No AWS region is set: set aws_config.aws_region, or AWS_DEFAULT_REGION")
        return str(region)

    @overload
    def client(self, service: Literal["athena"]) -> AthenaClient: ...
    @overload
    def client(self, service: Literal["glue"]) -> GlueClient: ...
    @overload
    def client(self, service: Literal["redshift-data"]) -> RedshiftDataAPIServiceClient: ...
    @overload
    def client(self, service: Literal["s3"]) -> S3Client: ...
    @overload
    def client(self, service: Literal["sts"]) -> STSClient: ...
    @overload
    def client(self, service: str) -> Any: ...
    def client(self, service: str) -> Any:
        """The client of `service`. Raises ConfigurationError where botocore cannot make it."""
        with self._lock:
            made = self._clients.get(service)
            if made is None:
                made = self._clients[service] = self._make(service)
            return made

    def account_id(self) -> str:
        """The account of the identity (STS GetCallerIdentity, which needs no permission). Raises what `call` raises."""
        if self._account_id is None:
            self._account_id = str(call(self.client("sts"), "GetCallerIdentity")["Account"])
        return self._account_id

    def _make(self, service: str) -> BaseClient:
        # A cast to Any: the stubs know only literal service names.
        session: Any = self._session
        try:
            made: BaseClient = session.client(
                service, region_name=self.region, endpoint_url=self._endpoint_url, config=self._config
            )
        except (BotoCoreError, ValueError) as e:
            raise ConfigurationError(f"No client for the AWS service {service!r}: {e}") from e
        return made
