"""Backends asked about jobs without an engine: a client that is gone, or another one, may have submitted them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from crankshaft_core.backends.base import Backend, JobState, Shown
from crankshaft_core.backends.opening import open_backend
from crankshaft_core.cli.tasks_noted import Noted
from crankshaft_core.cli.terminal import say
from crankshaft_core.config import Config
from crankshaft_core.errors import BackendError, ConfigError

__all__ = ["NO_RUN", "each_place", "opened", "shown_by", "states"]

NO_RUN = "anyrun0"
"""The run of a backend that is asked about every run."""

PATIENCE = 30.0
"""Seconds within which a backend is to answer."""

T = TypeVar("T")


async def states(config: Config, tasks: Iterable[Noted]) -> Mapping[str, JobState]:
    """By attempt, what the backends say now. Of what cannot be asked nothing is said, but why."""

    async def ask(backend: Backend, here: Sequence[Noted]) -> Mapping[str, JobState]:
        async with asyncio.timeout(PATIENCE):
            return await backend.poll([task.job for task in here], sweep=True)

    answers = await each_place(config, tasks, ask)
    return {attempt: state for answer in answers for attempt, state in answer.items()}


async def shown_by(config: Config, name: str) -> Sequence[Shown]:
    """What the backend itself shows of every run. Raises ConfigError for one that is not configured, BackendError."""
    async with opened(config, config.choose(name).name, NO_RUN) as backend:
        return await backend.shown()


async def each_place(
    config: Config, tasks: Iterable[Noted], work: Callable[[Backend, Sequence[Noted]], Awaitable[T]]
) -> list[T]:
    """`work` for the tasks of each run on each backend, all at once; why one of them fails is said."""

    async def one(place: tuple[str, str], here: Sequence[Noted]) -> T | None:
        try:
            async with opened(config, *place) as backend:
                return await work(backend, here)
        except (BackendError, ConfigError, TimeoutError) as error:
            why = str(error).removeprefix(f"{place[0]}: ") or f"no answer within {PATIENCE:.0f} s"
            say(f"{place[0]}: {why}")
            return None

    answers = await asyncio.gather(*(one(place, here) for place, here in _by_place(tasks).items()))
    return [answer for answer in answers if answer is not None]


@contextlib.asynccontextmanager
async def opened(config: Config, name: str, run: str) -> AsyncGenerator[Backend]:
    """The backend of that name, for jobs of that run. Raises ConfigError where the configuration has it no more."""
    if name not in config.backends:
        raise ConfigError(f"is not configured here; known: {', '.join(sorted(config.backends))}")
    backend = open_backend(config.backends[name], run_id=run)
    try:
        yield backend
    finally:
        await backend.aclose()


def _by_place(tasks: Iterable[Noted]) -> Mapping[tuple[str, str], list[Noted]]:
    """The tasks by backend and run."""
    places: dict[tuple[str, str], list[Noted]] = {}
    for task in tasks:
        places.setdefault((task.entry.backend, task.run), []).append(task)
    return places
