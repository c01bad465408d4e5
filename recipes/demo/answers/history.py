"""Histories as they are written down: SQL files whose lines `--=` and `--@` say who ran what, and when.

```
--= user=loader session=1073805313 until=2026-03-07     begins a session; what it says holds for all its statements
--@ 2026-03-01T05:30:02Z took=3s                         begins a statement; `until` repeats it each day
DELETE FROM staging.load WHERE day = '${date}'           `${date}` is the day before the run
```
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

SESSION = "--="
STATEMENT = "--@"


@dataclass(frozen=True, slots=True)
class Execution:
    """`repetition` counts the days from the first run."""

    started_at: datetime
    text: str
    options: Mapping[str, str]
    repetition: int

    @property
    def seconds(self) -> int:
        return int(self.options.get("took", "1s").removesuffix("s"))

    @property
    def ended_at(self) -> datetime:
        return self.started_at + timedelta(seconds=self.seconds)


def read_history(path: Path) -> list[Execution]:
    """All executions of one file, in time order; those of one moment stay in the order of the file."""
    executions = [execution for entry in _entries(path) for execution in _repeat(*entry)]
    return sorted(executions, key=lambda execution: execution.started_at)


def _entries(path: Path) -> Iterator[tuple[datetime, str, dict[str, str]]]:
    session: dict[str, str] = {}
    head, lines = "", list[str]()
    for line in [*path.read_text(encoding="utf-8").splitlines(), SESSION]:
        if line.startswith((SESSION, STATEMENT)):
            if head:
                moment, *words = shlex.split(head)
                yield _parse_time(moment), "\n".join(lines).strip("\n"), session | _options(words)
            head, lines = line.removeprefix(STATEMENT).strip() if line.startswith(STATEMENT) else "", []
            session = session if head else _options(shlex.split(line.removeprefix(SESSION)))
        else:
            lines.append(line)


def _options(words: list[str]) -> dict[str, str]:
    return dict(word.split("=", 1) for word in words)


def _repeat(first: datetime, text: str, options: dict[str, str]) -> Iterator[Execution]:
    last = date.fromisoformat(options["until"]) if "until" in options else first.date()
    for repetition in range((last - first.date()).days + 1):
        moment = first + timedelta(days=repetition)
        day_before = (moment - timedelta(days=1)).date()
        yield Execution(moment, text.replace("${date}", day_before.isoformat()), options, repetition)


def _parse_time(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))
