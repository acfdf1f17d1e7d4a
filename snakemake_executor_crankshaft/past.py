"""Jobs of an earlier Snakemake that it was not told of: which of them are taken up again, and which are not."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from crankshaft_core.config import Config
from crankshaft_core.engine.results import from_journal
from crankshaft_core.errors import BackendError, CancelUnconfirmed
from crankshaft_core.journal import Entry, Journal, Stage
from crankshaft_core.task import Execution, Task, Verdict
from snakemake_executor_crankshaft.books import Book, Shelf
from snakemake_executor_crankshaft.identity import Identity, identity_of, makes
from snakemake_executor_crankshaft.interface import Job, members_of

__all__ = ["Fate", "Past", "fate_of", "forgettable"]

_LIVE = (Stage.INTENDED, Stage.SUBMITTED)
_UNASKED_FOR = 30 * 86400.0
"""Seconds after which nobody will ask for the outcome of a job any more."""
_NOT_MADE_BY_JOBS = ("touch", "pipe", "service")


class Fate(Enum):
    """What becomes of an earlier run's job."""

    TAKEN_UP = "taken up"
    ENDED = "ended"
    """It runs, and is not what is wanted now."""
    FORGOTTEN = "forgotten"


@dataclass(frozen=True, slots=True)
class _Left:
    """A key in the journal of an earlier run."""

    book: Book
    key: str

    @property
    def entry(self) -> Entry | None:
        return self.book.journal.latest(self.key)


class Past:
    """What the journals hold at the start."""

    def __init__(
        self, books: Iterable[Book], shelf: Shelf, *, say: Callable[[str], object], fetched: bool = False
    ) -> None:
        """`fetched`: what jobs make is brought here after they have ended."""
        self._say = say
        self._fetched = fetched
        self._in_use = shelf.in_use
        self._by_output: dict[str, dict[str, _Left]] = {}
        self._done: list[_Left] = []
        for book in books:
            for key in _keys(book.journal):
                for name in Identity.of_key(key).makes:
                    self._by_output.setdefault(name, {})[key] = _Left(book, key)

    def forget_done(self, jobs: Iterable[Job]) -> None:
        """Forget what made the files of these jobs, which Snakemake takes for done."""
        for job in jobs if self._by_output else ():
            self._done += self._left(makes(job))
        self.forget_ended()

    def forget_ended(self) -> None:
        """Forget, of what made done files, all that has ended by now."""
        for left in self._done:
            entry = left.entry
            if entry is not None and entry.stage not in _LIVE:
                left.book.journal.forget([left.key])

    def problems(self, jobs: Iterable[Job], config: Config) -> Iterator[str]:
        """Why some of these jobs cannot be run now, a line each."""
        wanted = [makes(job) for job in jobs] if self._by_output or self._in_use else []
        for who, entries in self._in_use.items():
            theirs = frozenset(name for entry in entries if entry.key for name in Identity.of_key(entry.key).makes)
            if any(not names.isdisjoint(theirs) for names in wanted):
                yield f"{who}. It is about to make the same files"
        unknown = {left.key: left for names in wanted for left in self._left(names) if _is_lost(left.entry, config)}
        yield from (_lost(left) for left in unknown.values())

    def take_up(self, job: Job, *, forced: bool) -> tuple[Identity, Book | None]:
        """The job's identity, and the book that has it: it runs, or has ended and nobody was told.

        What else makes one of the same files is ended first: this may take a while. Raises BackendError if it cannot
        be.
        """
        identity = identity_of(job)
        taken: Book | None = None
        for left in self._left(identity.makes):
            entry = left.entry
            if entry is None:
                continue
            same = left.key == identity.key and taken is None and not forced
            is_to_come = self._fetched and entry.stage is Stage.ENDED
            fate = fate_of(entry, same=same, complete=is_to_come or _are_there(job))
            if fate is Fate.TAKEN_UP:
                taken = left.book
                continue
            if fate is Fate.ENDED:
                self._end(left, entry)
            left.book.journal.forget([left.key])
        return identity, taken

    def _left(self, names: Iterable[str]) -> list[_Left]:
        found = {left.key: left for name in names for left in self._by_output.get(name, {}).values()}
        return list(found.values())

    def _end(self, left: _Left, entry: Entry) -> None:
        """Wait until nothing of it runs any more."""
        self._say(f"{entry.name}: job {entry.job} of an earlier run is not what is wanted now; ending it")
        nothing = Task(name=entry.name, executions=(Execution(command="false"),))
        future = left.book.engine.spawn(entry.backend, nothing, key=left.key)
        future.cancel()
        try:
            future.result()
        except CancelUnconfirmed:
            raise
        except (CancelledError, BackendError):
            return  # it has ended, however


def fate_of(entry: Entry, *, same: bool, complete: bool) -> Fate:
    """What becomes of a job in the journal. `same`: its identity is that of the job that is wanted; `complete`: all
    files that the job makes are there."""
    if entry.stage in _LIVE:
        return Fate.TAKEN_UP if same else Fate.ENDED
    if not same:
        return Fate.FORGOTTEN
    if _ended_well(entry):
        return Fate.TAKEN_UP if complete else Fate.FORGOTTEN
    # ended while nobody was there to be told; what is FINISHED has been told, or was cancelled
    return Fate.TAKEN_UP if entry.stage is Stage.ENDED else Fate.FORGOTTEN


def forgettable(entry: Entry | None) -> bool:
    """A later run has no use for it: it came to an end that is not good, and would be run anew in any case."""
    return entry is not None and entry.stage is Stage.FINISHED and not _ended_well(entry)


def _keys(journal: Journal) -> list[str]:
    """Those that matter; the others are forgotten."""
    entries = {entry.key: entry for entry in journal.entries() if entry.key is not None}
    old = [
        key
        for key, entry in entries.items()
        if forgettable(entry) or (entry.stage not in _LIVE and entry.written < time.time() - _UNASKED_FOR)
    ]
    journal.forget(old)
    return [key for key in entries if key not in old]


def _ended_well(entry: Entry) -> bool:
    return entry.outcome is not None and from_journal(entry.outcome)[0].verdict is Verdict.OK


def _are_there(job: Job) -> bool:
    return all(Path(file).exists() for member in members_of(job) for file in member.output if _is_made(file))


def _is_made(file: Any) -> bool:
    flags = getattr(file, "flags", {})
    return not getattr(file, "is_storage", False) and not any(name in flags for name in _NOT_MADE_BY_JOBS)


def _is_lost(entry: Entry | None, config: Config) -> bool:
    return entry is not None and entry.stage in _LIVE and entry.backend not in config.backends


def _lost(left: _Left) -> str:
    entry = left.entry
    assert entry is not None
    return (
        f"{entry.name}: job {entry.job} may still run on backend {entry.backend!r}, which is no longer configured. "
        f"Put it back until the job has ended, or end it by hand and remove {left.book.journal.path}"
    )
