"""Makes the recorded account of the demo from the company beside it: `python recipes/demo/build_account.py [FOLDER]`.

The readers of the recipe run as they would run against AWS; written services answer them, and the recorder that
records real accounts records this one. So the recording holds exactly the calls that the readers make.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from answers.athena import Athena
from answers.cloudtrail import CloudTrail
from answers.company import Account
from answers.glue import Glue
from answers.objects import S3, Sts
from answers.redshift import RedshiftData
from answers.wire import AnsweringSession, Service

from datahub_aws_lineage.aws.clients import Clients
from datahub_aws_lineage.config import AwsLineageConfig
from datahub_aws_lineage.config.recipes import load_recipe
from datahub_aws_lineage.connection_test import capability_checks
from datahub_aws_lineage.readers import Readers
from datahub_aws_lineage.report import AwsLineageReport
from datahub_aws_lineage.snapshot.record import attach_recorder
from datahub_aws_lineage.snapshot.recording import ABOUT

HERE = Path(__file__).resolve().parent
RECIPE = HERE.parent / "demo.yml"


def main(arguments: list[str]) -> None:
    target = Path(arguments[0]) if arguments else HERE / "account"
    with tempfile.TemporaryDirectory() as folder:
        record(Path(folder) / "account")
        replace_recording(target, Path(folder) / "account")


def record(folder: Path) -> None:
    """Records everything that the recipe reads, and what testing its connection asks. Raises what a check raises."""
    account = Account.read(HERE / "company")
    athena = Athena(account)
    services: dict[str, Service] = {
        "athena": athena,
        "cloudtrail": CloudTrail(account, athena),
        "glue": Glue(account),
        "redshift-data": RedshiftData(account),
        "s3": S3(account),
        "sts": Sts(account),
    }
    session = AnsweringSession(services).open(account.region)
    config = load_recipe(RECIPE)
    with attach_recorder(session, folder, window=config.window):
        clients = Clients(session)
        clients.account_id()
        read_all(config, clients)
        for check in capability_checks(config, clients):
            # The others ask for the beginning of what is read above, which replay finds there.
            if check.name.startswith("Redshift"):
                check.attempt()


def read_all(config: AwsLineageConfig, clients: Clients) -> None:
    """Reads the account to its end. Raises ValueError where the readers complain of it."""
    report = AwsLineageReport()
    Readers(config, clients, report.diagnostics, config.window).read_all()
    if report.failures or report.warnings:
        raise ValueError(report.as_string())


def replace_recording(target: Path, recording: Path) -> None:
    """Raises FileExistsError where the target is something else than a recording."""
    if target.exists():
        if not (target / ABOUT).exists():
            raise FileExistsError(f"{target} is not a recording")
        shutil.rmtree(target)
    shutil.copytree(recording, target)


if __name__ == "__main__":
    main(sys.argv[1:])
