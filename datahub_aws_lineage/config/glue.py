"""The recipe's part on the Glue Data Catalog."""

from __future__ import annotations

from typing import Literal

from datahub.configuration.common import ConfigModel
from pydantic import Field, model_validator
from typing_extensions import Self

from datahub_aws_lineage.config.patterns import reject_unused


class GlueConfig(ConfigModel):
    """The Glue Data Catalog: databases, tables and views."""

    enabled: bool = Field(
        default=True,
        description="Read the Glue Data Catalog. Its schemas let `*` and bare columns be resolved.",
    )
    platform: Literal["glue", "athena"] = Field(
        default="glue",
        description="DataHub platform of the catalog's tables: `athena` where DataHub's `athena` source, or its `glue` "
        "source with that platform, describes them.",
    )
    catalog_id: str | None = Field(
        default=None, description="Account id of the catalog to read. Default: the account of the credentials."
    )
    platform_instance_map: dict[str, str] = Field(
        default_factory=dict,
        description="Platform instance of other accounts' catalogs, by account id: resource links lead there.",
    )
    include_storage_lineage: bool = Field(
        default=True, description="Link each table to its S3 location, column by column."
    )
    include_siblings: bool = Field(
        default=False,
        description="Say that each table's dataset on `platform` and the one on the other of `glue` and `athena` are "
        "siblings: where DataHub's `glue` and `athena` sources both run, with one platform instance.",
    )
    include_views: bool = Field(default=True, description="Parse the SQL of views into lineage.")
    extract_lakeformation_tags: bool = Field(
        default=False,
        description="Read the tags that are assigned to databases, tables and columns in Lake Formation, by one call "
        "for each database and table. `pii=true` is DataHub's tag `pii:true`. Inherited tags are not emitted.",
    )

    @model_validator(mode="after")
    def _no_idle_settings(self) -> Self:
        if not self.enabled:
            lineage = ("include_storage_lineage", "include_views")
            unused = ("catalog_id", "extract_lakeformation_tags", "include_siblings", *lineage)
            reject_unused(self, unused, "glue.enabled is false")
        return self
