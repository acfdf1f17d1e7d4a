"""Ctrl-C and its kin while tasks run: the first asks for everything to be cancelled, the second leaves at once."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Coroutine, Iterable
from typing import Protocol, Self

from crankshaft_core.cli import exit_codes
from crankshaft_core.cli.terminal import say, say_block
from crankshaft_core.errors import BackendError

__all__ = ["Cancellable", "Interrupts", "Live"]

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_LAST_WORDS = 2.0
"""Seconds for showing the rest of a cancelled task's output."""


class Cancellable(Protocol):
    """What is to be cancelled: the engine."""

    async def cancel(self) -> None:
        """Cancel every live task, and wait until that is confirmed. Raises CancelUnconfirmed."""
        ...


class Live(Protocol):
    """A task that may be running: a TaskHandle."""

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def backend(self) -> str: ...  # noqa: D102
    @property
    def job_id(self) -> str | None: ...  # noqa: D102
    def done(self) -> bool: ...  # noqa: D102


class Interrupts:
    """Takes SIGINT, SIGTERM and SIGHUP over from their defaults, as a context manager on the running loop.

    One that is ignored stays so: that is how nohup(1) and a shell's `&` ask for it.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._first: asyncio.Future[int] = self._loop.create_future()
        self._tasks: Callable[[], Iterable[Live]] = tuple[Live, ...]
        self._leaving: Callable[[], None] = lambda: None
        self._taken: list[signal.Signals] = []

    def __enter__(self) -> Self:
        for number in _SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._loop.add_signal_handler(number, self._received, number)
                self._taken.append(number)
        return self

    def __exit__(self, *_: object) -> None:
        for number in self._taken:
            self._loop.remove_signal_handler(number)
        self._first.cancel()

    async def guard(
        self,
        work: Coroutine[None, None, int],
        engine: Cancellable,
        *,
        tasks: Callable[[], Iterable[Live]],
        leaving: Callable[[], None] = lambda: None,
    ) -> int:
        """The exit code of `work`; or, when a signal comes first, that of the signal, with every task cancelled.

        `tasks` tells what may be running, and `leaving` is called before a second signal leaves. If the reader of
        our output goes away, everything is cancelled too.
        """
        self._tasks, self._leaving = tasks, leaving
        running = asyncio.ensure_future(work)
        await asyncio.wait({running, self._first}, return_when=asyncio.FIRST_COMPLETED)
        if not self._first.done():
            return await self._unless_pipe_breaks(running, engine)
        await self._cancel(engine)
        # What was written before the end is still shown, but a reader that pauses is not waited for.
        await asyncio.wait({running}, timeout=_LAST_WORDS)
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError, BackendError, BrokenPipeError):
            await running
        return exit_codes.of_signal(self._first.result())

    async def _unless_pipe_breaks(self, running: asyncio.Future[int], engine: Cancellable) -> int:
        try:
            return await running
        except BrokenPipeError:
            await self._cancel(engine)
            raise

    async def _cancel(self, engine: Cancellable) -> None:
        live = self._live()
        try:
            await engine.cancel()
        except BackendError as error:
            say(str(error))
        else:
            if live:
                say(f"cancelled {_tasks(len(live))}; nothing is left running")

    def _received(self, number: signal.Signals) -> None:
        if self._first.done():
            self._leave(number)
        self._first.set_result(number)
        live = self._live()
        what = f"cancelling {_tasks(len(live))}" if live else "leaving"
        say(f"{_cause(number)}: {what} (once more leaves at once)")

    def _leave(self, number: signal.Signals) -> None:
        self._leaving()
        live = self._live()
        jobs = [f"  {task.name}: {task.backend} {task.job_id}" for task in live if task.job_id is not None]
        head = f"{_cause(number)} again: leaving at once"
        say_block([f"{head}; this may still be running:" if jobs else head, *jobs])
        if len(live) > len(jobs):
            say(f"{_tasks(len(live) - len(jobs))} had no job id yet: not submitted, or in the middle of it")
        # No clean-up: the person has said twice not to wait, and every clean-up left is a wait for a backend.
        # The journal is as durable against this as against kill -9.
        os._exit(exit_codes.of_signal(number))

    def _live(self) -> list[Live]:
        return [task for task in self._tasks() if not task.done()]


def _cause(number: signal.Signals) -> str:
    return "Ctrl-C" if number is signal.SIGINT else number.name


def _tasks(count: int) -> str:
    return "1 task" if count == 1 else f"{count} tasks"
