"""Attempts on a Generic backend, submitted and followed to their end."""

from __future__ import annotations

import asyncio
import itertools
import shlex
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from crankshaft_core.backends.base import Attempt, Job, JobState, Outcome, Phase
from crankshaft_core.backends.generic import GenericBackend
from crankshaft_core.config import Config, GenericConfig
from crankshaft_core.drivers.base import Driver
from crankshaft_core.staging import StagedInput
from crankshaft_core.task import Execution, Resources, Task

RUN = "krun"
PATIENCE = 30.0
_serial = itertools.count(1)
_FAKE_BATCH = Path(__file__).parents[1] / "services" / "fake_batch.py"


def config(root: Path, text: str) -> GenericConfig:
    made = Config.parse(f"[[backends]]\nname = 'here'\nkind = 'Generic'\nwork_dir = '{root}/work'\n{text}")
    backend = made.backends["here"]
    assert isinstance(backend, GenericConfig)
    return backend


def batch(root: Path, *, submit: str = "~{script}") -> str:
    """A batch system in one file."""
    system = f"{shlex.join([sys.executable, '-I', str(_FAKE_BATCH)])} {shlex.quote(str(root / 'spool'))}"
    return f"""
submit = '{system} submit {submit}'
monitor_all = '{system} list'
kill = '{system} kill ~{{job_ids}}'
job_id_regex = '^job (\\d+)$'
"""


@asynccontextmanager
async def opened(made: GenericConfig, *, driver: Driver | None = None) -> AsyncIterator[GenericBackend]:
    backend = GenericBackend(made, run_id=RUN, driver=driver)
    try:
        yield backend
    finally:
        await backend.aclose()


def attempt(*commands: str | Execution, inputs: tuple[StagedInput, ...] = (), **resources: object) -> Attempt:
    executions = tuple(item if isinstance(item, Execution) else Execution(command=item) for item in commands)
    task = Task(name="t", executions=executions, resources=Resources.model_validate(resources))
    return Attempt(f"{RUN}-{next(_serial)}", RUN, 1, task, inputs=inputs)


async def submitted(backend: GenericBackend, one: Attempt) -> Job:
    return Job(one.id, one.run, await backend.submit(one))


async def until(backend: GenericBackend, job: Job, *phases: Phase, sweep: bool = True) -> JobState:
    async with asyncio.timeout(PATIENCE):
        while True:
            state = (await backend.poll([job], sweep=sweep)).get(job.attempt)
            if state is not None and state.phase in phases:
                return state
            await asyncio.sleep(0.01)


async def outcome(backend: GenericBackend, one: Attempt) -> Outcome:
    job = await submitted(backend, one)
    await until(backend, job, Phase.ENDED, sweep=False)
    return await backend.result(job)


async def true(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.01)
