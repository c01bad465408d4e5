"""A PostgreSQL server of its own: made in a folder, reached by a socket in it, gone afterwards."""

from __future__ import annotations

import csv
import io
import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


class NoPostgresError(Exception):
    """No server is installed here. The message says how to get one."""


@dataclass(frozen=True)
class PostgresServer:
    """Runs SQL through `psql`, as the superuser `postgres`."""

    programs: Path
    folder: Path
    user: str | None

    def run(self, script: str) -> str:
        """The output of a script, in CSV without headings. A statement that fails leaves the others alone."""
        psql = [self.programs / "psql", "-X", "-q", "-A", "-t", "--csv", "-h", self.folder, "-U", "postgres", "-f", "-"]
        done = subprocess.run(
            list(map(str, psql)),
            user=self.user,
            cwd=self.folder,
            input=script,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout

    def rows(self, script: str) -> list[list[str]]:
        return list(csv.reader(io.StringIO(self.run(script))))


@contextmanager
def postgres_server(folder: Path) -> Iterator[PostgresServer]:
    """Raises NoPostgresError where no server is installed. PostgreSQL refuses to run as root: another user does."""
    programs = _programs()
    user = _unprivileged() if os.geteuid() == 0 else None
    if user is not None:
        shutil.chown(folder, user)
    data = folder / "data"
    settings = {
        "listen_addresses": "''",
        "fsync": "off",
        "full_page_writes": "off",
        "max_locks_per_transaction": "1024",
    }
    options = " ".join([f"-k {folder}", *(f"-c {name}={value}" for name, value in settings.items())])
    control: list[str | Path] = [programs / "pg_ctl", "-D", data, "-w"]
    _run([programs / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync"], user, folder)
    _run([*control, "-l", folder / "log", "-o", options, "start"], user, folder)
    try:
        yield PostgresServer(programs, folder, user)
    finally:
        _run([*control, "-m", "immediate", "stop"], user, folder)


def _programs() -> Path:
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    found = shutil.which("initdb") or (installed[-1] if installed else None)
    if found is None:
        raise NoPostgresError("no PostgreSQL server is installed; `apt-get install postgresql` brings one")
    return Path(found).resolve().parent


def _unprivileged() -> str:
    names = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in ("postgres", "nobody") if name in names)


def _run(command: list[str | Path], user: str | None, folder: Path) -> None:
    """The server must not hold the pipes of whoever starts it."""
    nowhere = subprocess.DEVNULL
    subprocess.run(
        list(map(str, command)), user=user, cwd=folder, check=True, stdin=nowhere, stdout=nowhere, stderr=nowhere
    )
