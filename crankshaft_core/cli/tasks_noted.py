"""The tasks that journals of this user tell of, and how the command line chooses among them."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from crankshaft_core.backends.base import Job, Shown
from crankshaft_core.errors import ConfigError
from crankshaft_core.journal import Entry, Found, Stage, journals_here, read_journals

__all__ = ["Noted", "chosen", "noted", "stray"]


@dataclass(frozen=True, slots=True)
class Noted:
    """The last attempt of a task, as a journal has it, or as its backend shows it where no journal here has it."""

    entry: Entry
    journal: Path | None
    owner: str | None
    """The process that is at work on the journal; None: nobody looks after the task any more."""

    @property
    def run(self) -> str:
        """The run's id, with which that of every attempt begins."""
        return self.entry.attempt.split("-", 1)[0]

    @property
    def task(self) -> str:
        """The task's id: that of the attempt without the number of the attempt."""
        return self.entry.attempt.rsplit("-", 1)[0]

    @property
    def done(self) -> bool:
        """Nothing of it is left to do."""
        return self.entry.stage is Stage.FINISHED

    @property
    def job(self) -> Job:
        """What finds it again on its backend."""
        return Job(self.entry.attempt, self.run, self.entry.job)

    def answers_to(self, name: str) -> bool:
        """It is called so: by the id of its attempt, task or job, or by its name."""
        return name in (self.entry.attempt, self.task, self.entry.job, self.entry.name)


def noted(options: argparse.Namespace) -> list[Noted]:
    """Every task of the journals here, or of the one that `--journal` names. Raises JournalError."""
    paths = [Path(options.journal)] if options.journal else journals_here(Path.cwd())
    if options.journal and not paths[0].exists():
        raise ConfigError(f"--journal {options.journal}: there is no such file")
    return [task for found in read_journals(paths) for task in _last_attempts(found)]


def stray(shown: Shown, backend: str) -> Noted:
    """A job that its backend shows."""
    run, task, number = shown.job.attempt.split("-")
    del run
    entry = Entry(shown.job.attempt, int(task), int(number), None, backend, shown.name, shown.job.id, Stage.SUBMITTED)
    return Noted(entry, None, None)


def chosen(tasks: Iterable[Noted], names: Sequence[str]) -> list[Noted]:
    """Those that the names mean. Raises ConfigError for one that means none, or several."""
    tasks = list(tasks)
    problems: list[str] = []
    found: dict[str, Noted] = {}
    for name in names:
        fitting = [task for task in tasks if task.answers_to(name)]
        if len(fitting) == 1:
            found[fitting[0].entry.attempt] = fitting[0]
        else:
            problems.append(_not_one(name, fitting))
    if problems:
        raise ConfigError(problems)
    return list(found.values())


def _not_one(name: str, fitting: Sequence[Noted]) -> str:
    if not fitting:
        return f"no task {name!r} in any journal here; `crankshaft jobs --all` lists what there is"
    ids = ", ".join(task.entry.attempt for task in fitting)
    return f"{len(fitting)} tasks are called {name!r}; say which: {ids}"


def _last_attempts(found: Found) -> Iterator[Noted]:
    last: dict[int, Entry] = {}
    for entry in sorted(found.entries, key=lambda entry: (entry.task, entry.number)):
        last[entry.task] = entry
    return (Noted(entry, found.path, found.owner) for entry in last.values())
