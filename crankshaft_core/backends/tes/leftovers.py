"""Tasks of every run on a server, and what finished runs have left in the storage."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Sequence

from crankshaft_core.backends.base import Cleaning, Job, JobState, Leftover, Phase, Shown
from crankshaft_core.backends.leavings import is_run, run_of
from crankshaft_core.backends.tes.answer import as_text
from crankshaft_core.backends.tes.outcome import job_state
from crankshaft_core.backends.tes.remote import Stored
from crankshaft_core.backends.tes.server import Server
from crankshaft_core.backends.tes.storage import Storage
from crankshaft_core.backends.tes.sweep import Task, attempt_of

__all__ = ["clean", "shown"]

_GIB = 1024.0**3


async def shown(server: Server) -> Sequence[Shown]:
    """As `Backend.shown`: what the server lets this login see. Raises TransportError."""
    found = [_shown(task) for task in await server.sweep.of_every_run()]
    return [item for item in found if item is not None]


async def clean(server: Server, storage: Storage, cleaning: Cleaning) -> Sequence[Leftover]:
    """As `Backend.clean`: directories of runs in the storage. TES cannot delete a task."""
    live = {item.job.run for item in await shown(server)}
    runs = [name for name in await storage.children("") if is_run(name) and cleaning.concerns(name)]
    return [found for run in runs if (found := await _clean_run(storage, run, cleaning, live=run in live)) is not None]


async def _clean_run(storage: Storage, run: str, cleaning: Cleaning, *, live: bool) -> Leftover | None:
    """What became of the run's directory; None for one that is not made as ours are."""
    inside = await storage.children(run)
    if not inside or not all(name == "in" or run_of(name) == run for name in inside):
        return None
    files = await storage.stored(run)
    changed = [file.changed for file in files if file.changed is not None]
    idle = max(0.0, time.time() - max(changed)) if changed else None
    kept = "has live tasks" if live else _kept(run, idle, files, cleaning)
    if not kept and not cleaning.dry_run:
        await storage.remove(run)
    size = sum(file.size for file in files) / _GIB
    return Leftover(
        f"storage {storage.url(run)}", run, size, kept, young=idle is not None and cleaning.is_young(run, idle)
    )


def _kept(run: str, idle: float | None, files: Collection[Stored], cleaning: Cleaning) -> str:
    if idle is None:
        return "its age cannot be told"
    if not cleaning.claims(run) and {file.owner for file in files} != {os.getuid()}:
        return f"may be somebody else's: this storage tells no owner. If it is yours: --run {run}"
    return cleaning.spares(run, idle)


def _shown(task: Task) -> Shown | None:
    """One that is ours and has not ended."""
    attempt = attempt_of(task)
    run = run_of(attempt or "")
    state = job_state(as_text(task.get("state")))
    if attempt is None or run is None or state.phase is Phase.ENDED:
        return None
    task_id = as_text(task.get("id"))
    name = as_text(task.get("name")).split("_", 2)[-1]
    return Shown(Job(attempt, run, task_id), JobState(state.phase, state.reason, task_id), name)
