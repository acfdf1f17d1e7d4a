"""Tasks for Slurm, and what its own commands say of their jobs."""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from crankshaft_core.engine import TaskHandle
from crankshaft_core.task import Execution, Resources, Task

PATIENCE = 60.0


def task(command: str, *, attributes: Mapping[str, str] | None = None, **resources: object) -> Task:
    return Task(
        name="probe",
        executions=(Execution(command=command),),
        resources=Resources.model_validate(resources),
        attributes=attributes or {},
    )


def said(*command: str) -> str:
    """What a command prints."""
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=60).stdout


def state(job: str) -> str:
    """As squeue knows it; empty once it forgot."""
    return said("squeue", "-h", "-t", "all", "-j", job, "-o", "%T").strip()


async def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"not so within {PATIENCE} s"
        await asyncio.sleep(0.1)


async def submitted(handle: TaskHandle) -> str:
    await until(lambda: handle.job_id is not None or handle.done())
    assert handle.job_id is not None
    return handle.job_id


async def running(handle: TaskHandle, ready: Path) -> str:
    """Its job's id, once the command has made `ready`."""
    await until(ready.exists)
    return await submitted(handle)
