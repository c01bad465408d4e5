"""The views that AWS's `cid-cmd` ships for its cost dashboards, deployed by cid-cmd's own code into a Glue catalog.

Nothing of the package is copied: its resources, its parameters, its order of deployment and its SQL are read from the
installed package when the tests run. Three installations stand side by side in one catalog:

- `cid_cur`: over a Cost and Usage Report 2.0 (map columns), with the accounts of an organization and chosen tags;
- `cid_legacy`: over a report of the first version (flat columns), seen through the proxy view that cid-cmd writes;
- `cid_trial`: the account map that cid-cmd falls back to over a 2.0 report.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Any
from unittest import mock

import boto3
from cid.base import CidBase
from cid.common import Cid
from cid.helpers.cur import CUR
from cid.helpers.cur_proxy import cur1to2_mapping, default_columns
from cid.logger import add_logging_level
from cid.utils import IsolatedParameters, set_parameters
from cid_athena import CatalogAthena, DeployedView

DATA = Path(str(resources.files("cid.builtin.core"))) / "data"

REPORT_2 = ("cid_data_export", "cur2")
REPORT_1 = ("cid_legacy", "cur")
ACCOUNTS = ("organization_data", "organization_data")

_MAP_TYPES = {"discount": "map<string,double>"}
_MAP_KEYS = {
    "resource_tags": ["user_team", "user_stage"],
    "cost_category": ["unit"],
    "tags": ["accountTag/environment"],
}
_TAGS = "tag_team,cost_category_unit,account_tag_environment"
_TRACE = 5


def shipped_queries() -> tuple[Path, ...]:
    """The SQL files of the installed package."""
    return tuple(sorted((DATA / "queries").rglob("*.sql")))


def deploy_everything(session: boto3.Session) -> tuple[DeployedView, ...]:
    """Creates databases, tables and views in the Glue catalog that `session` reaches; gives the views."""
    add_logging_level("TRACE", _TRACE)
    glue = session.client("glue")
    for database in ("cid_data_export", "organization_data", "cid_cur", "cid_legacy", "cid_trial"):
        glue.create_database(DatabaseInput={"Name": database})
    _create_accounts(glue)
    with _installation(session, "cid_cur", {"resource-tags": _TAGS}) as over_2:
        _create_report_2(glue, over_2.resources["views"])
        _use_report(*REPORT_2)
        _deploy(over_2, _view_names(over_2))
    with _installation(session, "cid_legacy", {"account-map-source": "dummy", "resource-tags": ""}) as over_1:
        over_1.resources["views"]["cur"].pop("crawler")  # the table alone
        over_1.create_or_update_view("cur")
        _use_report(*REPORT_1)
        over_1.cur2.ensure_columns(_listed_columns(over_1.resources["views"]))  # the whole proxy before views on it
        _deploy(over_1, [name for name in _view_names(over_1) if "compute_optimizer" not in name])
    with _installation(session, "cid_trial", {"account-map-source": "dummy"}) as trial:
        _use_report(*REPORT_2)
        _deploy(trial, ["account_map"])
    return tuple(view for installed in (over_2, over_1, trial) for view in installed.athena.created)


@contextmanager
def _installation(session: boto3.Session, database: str, parameters: Mapping[str, str]) -> Iterator[Any]:
    """cid-cmd over one Athena database, with all that it would otherwise ask a person."""
    with IsolatedParameters(), mock.patch("cid.helpers.account_map.Athena", CatalogAthena):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # cid-cmd's use of importlib.metadata
            installed = Cid()
        installed.base = CidBase(session)
        installed.athena = CatalogAthena(session, database, installed.resources, _MAP_KEYS)
        views = installed.resources["views"]
        # The package registers this view under another name than its SQL gives it, and with a path that is not there.
        views["customer_all_unlimited"] = {
            **views.pop("customer_all"),
            "File": "queries/shared/customer_all_unlimited.sql",
        }
        for view, definition in views.items():
            for name, parameter in definition.get("parameters", {}).items():
                default = parameter["default"].replace("{account_id}", "123456789012")
                set_parameters({f"view-{view}-{name}": default})
        set_parameters(dict(parameters))
        yield installed


def _use_report(database: str, table: str) -> None:
    set_parameters({"cur-database": database, "cur-table-name": table})


def _view_names(installed: Any) -> list[str]:
    """Views whose SQL the package holds; one that it only names (`ta_org_view`) and plain tables are left out."""
    return [
        name
        for name, definition in installed.resources["views"].items()
        if definition.get("type") != "Glue_Table" and ("data" in definition or (DATA / definition["File"]).is_file())
    ]


def _deploy(installed: Any, names: Iterable[str]) -> None:
    for name in names:
        installed.create_or_update_view(name)


def _listed_columns(views: Mapping[str, Any]) -> list[str]:
    """The columns of a 2.0 report that the views say they need."""
    listed = (definition.get("dependsOn", {}).get("cur2") for definition in views.values())
    return sorted({column for columns in listed if isinstance(columns, list) for column in columns})


def _create_report_2(glue: Any, views: Mapping[str, Any]) -> None:
    """A CUR 2.0 table with every column that cid-cmd knows or that one of its views asks for."""
    maps = ["resource_tags", "cost_category", "discount", "tags"]
    wanted = [*default_columns["2"], *cur1to2_mapping.values(), *maps, *_listed_columns(views)]
    names = sorted(
        {name.split("[")[0] for name in wanted if re.fullmatch(r"\w+(\['\w+'\])?", name)} - {"billing_period"}
    )
    _create_table(glue, REPORT_2, {name: _report_type(name) for name in names}, {"billing_period": "string"})


def _report_type(column: str) -> str:
    hive_type = str(CUR(None, None).get_type_of_column(column, "2")).lower()
    return _MAP_TYPES.get(column, "map<string,string>") if hive_type == "map" else hive_type


def _create_accounts(glue: Any) -> None:
    """The accounts of an organization, with the columns that cid-cmd looks for."""
    _create_table(
        glue, ACCOUNTS, dict.fromkeys(["id", "arn", "email", "name", "status", "managementaccountid"], "string")
    )


def _create_table(
    glue: Any, name: tuple[str, str], columns: Mapping[str, str], partitions: Mapping[str, str] | None = None
) -> None:
    database, table = name
    glue.create_table(
        DatabaseName=database,
        TableInput={
            "Name": table,
            "TableType": "EXTERNAL_TABLE",
            "Parameters": {"classification": "parquet"},
            "StorageDescriptor": {
                "Columns": [{"Name": column, "Type": hive_type} for column, hive_type in columns.items()],
                "Location": f"s3://cid-123456789012-data/{database}/{table}/",
            },
            "PartitionKeys": [{"Name": key, "Type": hive_type} for key, hive_type in (partitions or {}).items()],
        },
    )
