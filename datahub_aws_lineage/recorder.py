"""Recording the account that a recipe reads, by the code that a run of the recipe reads it with."""

from __future__ import annotations

from pathlib import Path

from datahub_aws_lineage.aws.clients import Clients
from datahub_aws_lineage.aws.sessions import Session, open_session
from datahub_aws_lineage.checks import try_one
from datahub_aws_lineage.config import AwsLineageConfig
from datahub_aws_lineage.config.recipes import load_recipe
from datahub_aws_lineage.connection_test import capability_checks, identity_check
from datahub_aws_lineage.errors import AwsLineageError, ConfigurationError
from datahub_aws_lineage.model.ports import Diagnostics
from datahub_aws_lineage.readers import Labelled, Readers
from datahub_aws_lineage.report import AwsLineageReport
from datahub_aws_lineage.sites import HUB, open_sites
from datahub_aws_lineage.snapshot.record import attach_recorder


def record_account(recipe: Path, folder: Path) -> str:
    """Records to `folder`, and says what was recorded and what could not be read.

    Raises ConfigurationError for a recipe that cannot be read or replays a recording itself, and FatalError from the
    readers; what was recorded until then stays.
    """
    config = load_recipe(recipe)
    if config.snapshot is not None:
        raise ConfigurationError(f"{recipe}: snapshot replays a recording; remove it to record the account itself")
    report = AwsLineageReport()
    if config.has_several_sites:
        answers = _record_sites(config, folder, report)
    else:
        session = open_session(config.aws_config.get_session, config.credentials_expiry)
        answers = _record(config, session, folder, report.diagnostics)
    return "\n".join([f"{answers:,} answers of AWS recorded to {folder}", *_complaints(report)]) + "\n"


def _record_sites(config: AwsLineageConfig, folder: Path, report: AwsLineageReport) -> int:
    """Each site to a folder of its own; one that cannot be read is a failure, and the others go on."""
    hub = open_session(config.aws_config.get_session, config.credentials_expiry)
    with attach_recorder(hub, folder / HUB, window=config.window) as recorder:
        try_one(identity_check(Clients(hub, **config.client_options())))
        sites = open_sites(config, report.diagnostics, hub)
    answers = sum(recorder.recorded.values())
    may_share = sum(one.reads_catalog for one in config.warehouses) > 1
    for site in sites:
        name = str(site.name)
        try:
            session, notes = site.open_session(), Labelled(report.diagnostics, name)
            answers += _record(site.config, session, folder / name, notes, may_share=may_share)
        except AwsLineageError as e:
            report.diagnostics.failure("A part of the account could not be read", f"{name}: {e}")
    return answers


def _record(
    config: AwsLineageConfig,
    session: Session,
    folder: Path,
    diagnostics: Diagnostics,
    *,
    may_share: bool | None = None,
) -> int:
    with attach_recorder(session, folder, window=config.window) as recorder:
        clients = Clients(session, **config.client_options())
        clients.account_id()
        Readers(config, clients, diagnostics, config.window, may_share=may_share).read_all()
        for check in capability_checks(config, clients):
            try_one(check)  # so that a test of the connection can be replayed, too
    return sum(recorder.recorded.values())


def _complaints(report: AwsLineageReport) -> list[str]:
    return [
        f"{kind}: {entry.message}: {'; '.join(entry.context)}"
        for kind, entries in (("failure", report.failures), ("warning", report.warnings))
        for entry in entries
    ]
