"""The further data catalogs that Athena knows: other accounts' Glue catalogs, connectors, Hive metastores."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

from datahub_aws_lineage.aws.calls import call, paginate
from datahub_aws_lineage.aws.clients import Clients
from datahub_aws_lineage.errors import AccessDeniedError, NotFoundError, RetriableError, SkippableError
from datahub_aws_lineage.model.catalog import DataCatalog, DataCatalogKind
from datahub_aws_lineage.model.names import DATA_CATALOG
from datahub_aws_lineage.model.ports import Diagnostics

if TYPE_CHECKING:
    from mypy_boto3_athena.type_defs import DataCatalogSummaryTypeDef

PERMISSIONS: tuple[str, ...] = ("athena:ListDataCatalogs", "athena:GetDataCatalog")

_PAGE = 50
_KINDS: dict[str, DataCatalogKind] = {"GLUE": "glue", "LAMBDA": "lambda", "HIVE": "hive", "FEDERATED": "federated"}


class DataCatalogReader:
    """Reads the account's data catalogs, but for its own Glue catalog. S3 Tables catalogs are not listed by Athena.

    A Glue catalog that is registered under a name of its own says in its parameters whose it is (Amazon Athena API
    Reference, "DataCatalog": `catalog-id`). Without permission, which is a warning, names in it are taken for those of
    an unknown connector.
    """

    def __init__(self, clients: Clients, diagnostics: Diagnostics) -> None:
        self._client = clients.client("athena")
        self._diagnostics = diagnostics

    def read_data_catalogs(self) -> Iterator[DataCatalog]:
        """Yields them in the order of the list. Raises FatalError alone."""
        try:
            for page in paginate(self._client, "ListDataCatalogs", MaxResults=_PAGE):
                for summary in page.get("DataCatalogsSummary", []):
                    catalog = self._catalog(summary)
                    if catalog is not None:
                        self._diagnostics.seen("athena data catalogs")
                        yield catalog
        except AccessDeniedError as e:
            self._diagnostics.warning("Athena's data catalogs are refused", f"needs {e.permission}: {e}")
        except (SkippableError, RetriableError) as e:
            self._diagnostics.failure("Athena's data catalogs could not be listed", str(e))

    def _catalog(self, summary: DataCatalogSummaryTypeDef) -> DataCatalog | None:
        name, kind = summary.get("CatalogName"), _KINDS.get(summary.get("Type", ""))
        if name and name.lower() == DATA_CATALOG:
            return None
        if not name or kind is None:
            self._diagnostics.skipped("malformed", "athena data catalog", f"{name}: {summary.get('Type')}")
            return None
        catalog_id = self._catalog_id(name) if kind == "glue" else None
        return DataCatalog(name.lower(), kind, catalog_id, summary.get("ConnectionType"))

    def _catalog_id(self, name: str) -> str | None:
        try:
            found = call(self._client, "GetDataCatalog", Name=name)["DataCatalog"]
        except NotFoundError:
            return None
        except AccessDeniedError as e:
            self._diagnostics.warning("An Athena data catalog is refused", f"{name}: needs {e.permission}: {e}")
            return None
        except (SkippableError, RetriableError) as e:
            self._diagnostics.failure("An Athena data catalog could not be read", f"{name}: {e}")
            return None
        return cast("dict[str, str]", found.get("Parameters", {})).get("catalog-id")


def probe(clients: Clients) -> None:
    """Asks for one data catalog. Raises what `call` raises."""
    call(clients.client("athena"), "ListDataCatalogs", MaxResults=2)
