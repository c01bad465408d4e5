"""The recipe's part on several accounts and regions: a list of them, or an organisation's."""

from __future__ import annotations

import re
from typing import Annotated

from datahub.configuration.common import ConfigModel
from pydantic import Field, StringConstraints, field_validator, model_validator
from typing_extensions import Self

from datahub_aws_lineage.config.patterns import ALL, Pattern
from datahub_aws_lineage.config.redshift import RedshiftConfig

Region = Annotated[str, StringConstraints(pattern=r"^[a-z]{2}(-[a-z]+)+-\d$")]

INSTANCE_FIELDS = ("account_id", "account_name", "region")
"""What a platform instance of several accounts may be made of."""

_INSTANCE = (
    "May hold `{account_id}`, `{account_name}` and `{region}`. Default: the recipe's own `platform_instance`, which "
    "may hold them too."
)


def reject_unknown_fields(template: str | None) -> str | None:
    """Raises ValueError where a platform instance asks for something that an account does not have."""
    for name in re.findall(r"\{([^}]*)\}", template or ""):
        if name not in INSTANCE_FIELDS:
            known = ", ".join(f"{{{one}}}" for one in INSTANCE_FIELDS)
            raise ValueError(f"{{{name}}} is not known; use {known}")
    return template


class AccountConfig(ConfigModel):
    """One account, in one region or several."""

    name: str = Field(
        pattern=r"^[\w.-]+$", description="What reports call this account; unique within the recipe, once a region."
    )
    aws_role: str | None = Field(
        default=None,
        pattern=r"^arn:[\w-]+:iam::\d{12}:role/.+$",
        description="ARN of the role to assume there. Default: the identity of `aws_config` itself.",
    )
    external_id: str | None = Field(default=None, description="External ID that the role's trust policy asks for.")
    account_id: str | None = Field(
        default=None, pattern=r"^\d{12}$", description="Its account id. Default: told by aws_role, or by Glue."
    )
    regions: list[Region] = Field(default_factory=list, description="Regions to read. Default: that of `aws_config`.")
    platform_instance: str | None = Field(default=None, description=f"Platform instance of its datasets. {_INSTANCE}")
    redshift: list[RedshiftConfig] = Field(default_factory=list, description="Its warehouses, as `redshift` above.")

    _instance_is_known = field_validator("platform_instance", mode="after")(reject_unknown_fields)

    @property
    def known_account_id(self) -> str | None:
        return self.account_id or (self.aws_role.split(":")[4] if self.aws_role else None)

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if self.external_id is not None and self.aws_role is None:
            raise ValueError(f"{self.name}: external_id has no effect without aws_role")
        if self.aws_role is not None and self.account_id not in (None, self.aws_role.split(":")[4]):
            raise ValueError(f"{self.name}: account_id {self.account_id} is not the account of aws_role")
        if self.redshift and len(self.regions) > 1:
            raise ValueError(
                f"{self.name}: redshift with several regions; give the warehouses' region an entry of its own"
            )
        return self


class OrganizationConfig(ConfigModel):
    """All accounts of an AWS organisation, by a role that each of them has."""

    role_name: str = Field(
        pattern=r"^[\w+=,.@/-]+$", description="Role to assume in each account, with its path if it has one."
    )
    external_id: str | None = Field(default=None, description="External ID that the roles' trust policies ask for.")
    account_pattern: Pattern = Field(default_factory=ALL, description="Accounts to read, by id or name.")
    regions: list[Region] = Field(default_factory=list, description="Regions to read. Default: that of `aws_config`.")
    platform_instance: str | None = Field(default=None, description=f"Platform instance of their datasets. {_INSTANCE}")

    _instance_is_known = field_validator("platform_instance", mode="after")(reject_unknown_fields)
