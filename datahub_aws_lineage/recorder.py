"""Recording the account that a recipe reads, by the code that a run of the recipe reads it with."""

from __future__ import annotations

from pathlib import Path

from datahub_aws_lineage.aws.clients import Clients
from datahub_aws_lineage.aws.sessions import open_session
from datahub_aws_lineage.checks import try_one
from datahub_aws_lineage.config import AwsLineageConfig, load_recipe
from datahub_aws_lineage.connection_test import capability_checks
from datahub_aws_lineage.errors import ConfigurationError
from datahub_aws_lineage.readers import Readers
from datahub_aws_lineage.report import AwsLineageReport
from datahub_aws_lineage.snapshot.record import attach_recorder


def record_account(recipe: Path, folder: Path) -> str:
    """Records to `folder`, and says what was recorded and what could not be read.

    Raises ConfigurationError for a recipe that cannot be read or replays a recording itself, and FatalError from the
    readers; what was recorded until then stays.
    """
    config = load_recipe(recipe)
    if config.snapshot is not None:
        raise ConfigurationError(f"{recipe}: snapshot replays a recording; remove it to record the account itself")
    session = open_session(config.aws_config.get_session, config.credentials_expiry)
    report = AwsLineageReport()
    with attach_recorder(session, folder, window=config.window) as recorder:
        clients = Clients(session, **config.client_options())
        _read(config, clients, report)
    answers = sum(recorder.recorded.values())
    return "\n".join([f"{answers:,} answers of AWS recorded to {folder}", *_complaints(report)]) + "\n"


def _read(config: AwsLineageConfig, clients: Clients, report: AwsLineageReport) -> None:
    clients.account_id()
    Readers(config, clients, report.diagnostics, config.window).read_all()
    for check in capability_checks(config, clients):
        try_one(check)  # so that a test of the connection can be replayed, too


def _complaints(report: AwsLineageReport) -> list[str]:
    return [
        f"{kind}: {entry.message}: {'; '.join(entry.context)}"
        for kind, entries in (("failure", report.failures), ("warning", report.warnings))
        for entry in entries
    ]
