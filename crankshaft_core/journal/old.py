"""Journals that nobody will open again: held while the rest of their runs is cleaned away, then removed."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Generator, Sequence
from contextlib import ExitStack
from pathlib import Path

from crankshaft_core.errors import JournalInUseError
from crankshaft_core.journal.found import Found, prefect_directory, runs_directory
from crankshaft_core.journal.lock import OwnerLock

__all__ = ["held", "idle", "remove", "size"]

_GIB = 1024.0**3


@contextlib.contextmanager
def held(journals: Sequence[Found]) -> Generator[dict[Path, str]]:
    """Own the journals, so that no client begins to. Yields those that somebody has, and who."""
    taken: dict[Path, str] = {}
    with ExitStack() as stack:
        for found in journals:
            if found.owner is not None:
                taken[found.path] = found.owner
                continue
            try:
                stack.callback(OwnerLock(found.path.with_name(found.path.name + ".lock")).close)
            except JournalInUseError:
                taken[found.path] = "another process"
            except OSError:  # where the disk is full no client can take it either
                continue
        yield taken


def idle(journal: Path) -> float:
    """Seconds since it was last written to."""
    # what merely reads it touches the others, or makes an empty one
    written = [
        file.stat().st_mtime for file in _files(journal) if not file.name.endswith("-shm") and file.stat().st_size
    ]
    return max(0.0, time.time() - max(written, default=0.0))


def size(journal: Path) -> float:
    """GiB of what `remove` removes."""
    return sum(file.stat().st_blocks for file in _files(journal)) * 512 / _GIB


def remove(journal: Path) -> None:
    """Remove it: of a Prefect flow run all that was kept. Call it while it is held. Raises OSError."""
    if journal.parent.parent == prefect_directory():
        shutil.rmtree(journal.parent)
        return
    for file in _files(journal):
        file.unlink()
    if journal.parent == runs_directory():  # elsewhere the name comes again, and its lock may be waited for
        journal.with_name(journal.name + ".lock").unlink(missing_ok=True)


def _files(journal: Path) -> list[Path]:
    """The journal, and what SQLite keeps beside it."""
    names = (journal.name, f"{journal.name}-wal", f"{journal.name}-shm", f"{journal.name}-journal")
    return [file for name in names if (file := journal.with_name(name)).exists()]
