"""Drives the TES backend directly, as the engine would, against our server on the same loop."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from crankshaft_core.backends.base import Attempt, Job, JobState, Outcome, Phase
from crankshaft_core.backends.tes import TESBackend
from crankshaft_core.config.tes import TESConfig
from crankshaft_core.errors import TransportError
from crankshaft_core.staging import StagedInput, stage_in
from crankshaft_core.task import Execution, Task
from tests.services.tes_server import TesServer

__all__ = ["RUN", "attempt", "client", "ended", "outcome", "seen", "task"]

RUN = "ktes0"
_serial = itertools.count(1)


@asynccontextmanager
async def client(server: TesServer | str, *, run: str = RUN, **fields: Any) -> AsyncGenerator[TESBackend, None]:
    """A backend for the server; `fields` as in Crankshaft.toml."""
    url = server if isinstance(server, str) else server.url
    backend = TESBackend(TESConfig.model_validate({"name": "tes", "url": url, **fields}), run_id=run)
    try:
        yield backend
    finally:
        await backend.aclose()


def task(*commands: str, name: str = "t", **given: Any) -> Task:
    executions = tuple(Execution(image="any", command=command) for command in commands or ("true",))
    return Task.model_validate({"name": name, "executions": executions, **given})


def attempt(work: Task, backend: TESBackend | None = None, *, run: str = RUN, scratch: Any = None) -> Attempt:
    """An attempt with its inputs staged as the engine would."""
    inputs: tuple[StagedInput, ...] = ()
    if work.inputs and backend is not None:
        inputs = stage_in(work.inputs, backend.reach, scratch)
    return Attempt(f"{run}-{next(_serial)}-1", run, 1, work, inputs=inputs)


async def ended(backend: TESBackend, *jobs: Job, patience: float = 10.0) -> Mapping[str, JobState]:
    """Poll until all have ended."""
    return await seen(backend, *jobs, phases={Phase.ENDED}, patience=patience)


async def seen(backend: TESBackend, *jobs: Job, phases: set[Phase], patience: float = 10.0) -> Mapping[str, JobState]:
    """Poll until every job was seen in one of these phases."""
    found: dict[str, JobState] = {}
    deadline = time.monotonic() + patience
    while len(found) < len(jobs):
        assert time.monotonic() < deadline, f"not all of {jobs}: {found}"
        states: Mapping[str, JobState] = {}
        with contextlib.suppress(TransportError):  # which fails no task
            states = await backend.poll(jobs, sweep=True)
        found |= {name: state for name, state in states.items() if state.phase in phases}
        await asyncio.sleep(0.01)
    return found


async def outcome(backend: TESBackend, work: Task) -> Outcome:
    """Submit, wait, result."""
    one = attempt(work, backend)
    job = Job(one.id, one.run, await backend.submit(one))
    await ended(backend, job)
    return await backend.result(job)
