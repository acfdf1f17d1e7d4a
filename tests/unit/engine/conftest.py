"""Engines over an in-memory system, with cadences of milliseconds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from crankshaft_core.backends.base import Cadence
from crankshaft_core.backends.memory import MemoryBackend, System
from crankshaft_core.config import Config
from crankshaft_core.engine import Engine
from crankshaft_core.journal import Journal
from crankshaft_core.task import Execution, Resources, Task

QUICK = Cadence(
    poll=0.005, slowest_poll=0.02, sweep=0.02, grace=0.05, kill_after=0.05, cancel_timeout=0.4, in_doubt=0.08
)

StartEngine = Callable[..., AbstractAsyncContextManager[Engine]]


def task(name: str = "t", **resources: object) -> Task:
    return Task(name=name, executions=(Execution(program="true"),), resources=Resources(**resources))


def config(*, max_tasks: int = 100, more: str = "") -> Config:
    return Config.parse(
        f'[[backends]]\nname = "m"\nkind = "Generic"\nsubmit = "~{{command}}"\nmax_tasks = {max_tasks}\n{more}'
    )


@pytest.fixture
def system() -> System:
    return System()


@pytest.fixture
def start(system: System, tmp_path: Path) -> StartEngine:
    def start(
        conf: Config | None = None, *, journal: str | None = None, cadence: Cadence = QUICK, of: System = system
    ) -> Engine:
        opened = Journal.open(tmp_path / (journal or "journal.db"))
        return Engine(
            conf or config(), journal=opened, open_backend=lambda _, run_id: MemoryBackend(of, cadence=cadence)
        )

    return start


async def until(condition: Callable[[], object], *, seconds: float = 5.0) -> None:
    """Let the loop go on until the condition holds; fail if it never does."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.002)
