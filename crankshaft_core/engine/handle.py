"""What a caller holds of a task under way."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Generator
from typing import Literal

from crankshaft_core.backends.base import Backend
from crankshaft_core.engine.live import LiveTask
from crankshaft_core.task import TaskResult

__all__ = ["TaskHandle"]


class TaskHandle:
    """Awaitable: gives the TaskResult, whatever the exit code.

    Awaiting raises a BackendError if the machinery failed, and asyncio.CancelledError if the task was cancelled.
    Giving up waiting does not cancel the task; `cancel` does.
    """

    __slots__ = ("_backend", "_live")

    def __init__(self, live: LiveTask, backend: Backend) -> None:
        self._live = live
        self._backend = backend

    @property
    def id(self) -> str:
        """The task's id within its run; events carry it."""
        return self._live.id

    @property
    def name(self) -> str:
        """The task's name."""
        return self._live.name

    @property
    def backend(self) -> str:
        """The name of the backend it runs on."""
        return self._live.backend

    @property
    def job_id(self) -> str | None:
        """The system's own id of the current attempt, once it has one."""
        return self._live.job.id if self._live.job else None

    @property
    def reason(self) -> str:
        """Why it waits, as far as the system tells."""
        return self._live.reason

    def done(self) -> bool:
        """It has ended, was cancelled, or failed."""
        return self._live.done.done()

    def cancel(self) -> None:
        """Ask for it to be ended; awaiting the handle tells when the system has confirmed that nothing of it runs.

        A task that comes to a good end before the system could stop it gives its result.
        """
        self._live.cancel()

    def outcome(self) -> TaskResult | BaseException:
        """What awaiting the handle would give or raise, now that it is done."""
        done = self._live.done
        if done.cancelled():
            return asyncio.CancelledError()
        return done.exception() or done.result()

    def add_done_callback(self, callback: Callable[[TaskHandle], None]) -> None:
        """Call `callback(handle)` on the engine's loop once it is done."""
        self._live.done.add_done_callback(lambda _: callback(self))

    async def read(self, stream: Literal["stdout", "stderr"], offset: int) -> bytes:
        """What it has written so far, from byte `offset` on; empty when there is nothing more for now.

        Raises BackendError when it cannot be read now.
        """
        return b"" if self._live.job is None else await self._backend.read(self._live.job, stream, offset)

    @contextlib.contextmanager
    def kept(self) -> Generator[None, None, None]:
        """Within this context `read` works also after the task's end. For one reader, entered right after `spawn`."""
        self._live.kept = []
        try:
            yield
        finally:
            kept, self._live.kept = self._live.kept, None
            for release in kept:
                release()

    async def wait(self) -> None:
        """Return when it is done, however it came out."""
        if not self._live.done.done():
            waiter: asyncio.Future[None] = self._live.done.get_loop().create_future()
            self._live.done.add_done_callback(lambda _: _resolve(waiter))
            await waiter

    def __await__(self) -> Generator[object, None, TaskResult]:
        yield from self.wait().__await__()
        return self._live.done.result()

    def __repr__(self) -> str:
        state = "done" if self.done() else "live"
        return f"<TaskHandle {self.name!r} on {self.backend}, {self.job_id or self.id}, {state}>"


def _resolve(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
