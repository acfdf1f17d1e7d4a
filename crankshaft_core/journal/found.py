"""The journals of this user on this machine, and what stands in them: also of clients that are gone."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from crankshaft_core.errors import JournalError
from crankshaft_core.journal.journal import Entry, Journal

__all__ = ["Found", "journals_here", "prefect_directory", "read_journals", "runs_directory"]


@dataclass(frozen=True, slots=True)
class Found:
    """One journal: its attempts, and the process that is at work on it (None: the client is gone)."""

    path: Path
    owner: str | None
    entries: Sequence[Entry]
    run: str


def runs_directory() -> Path:
    """Where runs that named no journal keep theirs."""
    return platformdirs.user_state_path("crankshaft") / "runs"


def prefect_directory() -> Path:
    """Where each Prefect flow run has a directory with its journal in it."""
    return platformdirs.user_state_path("crankshaft") / "prefect"


def journals_here(cwd: Path) -> list[Path]:
    """Those of runs without a name, of Prefect flow runs, and of the Snakemake workflow in `cwd`."""
    places = (
        (runs_directory(), "*.db"),
        (prefect_directory(), "*/journal.db"),
        (cwd / ".snakemake" / "auxiliary" / "crankshaft" / str(os.getuid()), "jobs-*.db"),
    )
    return [path for directory, pattern in places for path in sorted(directory.glob(pattern))]


def read_journals(paths: Sequence[Path]) -> Iterator[Found]:
    """What stands in each. One that goes away meanwhile is left out. Raises JournalError for what is no journal."""
    for path in paths:
        owner = _owner(path)
        try:
            entries, run = Journal.peek(path), Journal.run_of(path)
        except JournalError:
            if path.exists():
                raise
        else:
            yield Found(path, owner, entries, run)


def _owner(journal: Path) -> str | None:
    """Who holds the journal's lock."""
    with contextlib.suppress(FileNotFoundError), journal.with_name(journal.name + ".lock").open("rb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return lock.read(200).decode(errors="replace").strip() or "another process"
    return None
