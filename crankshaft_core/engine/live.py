"""One task under way, as the engine holds it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from crankshaft_core.backends.base import Attempt, Job, Outcome
from crankshaft_core.journal import Entry
from crankshaft_core.task import Task, TaskResult, Verdict

__all__ = ["LiveTask", "Withdrawn"]


class Withdrawn(Exception):
    """The caller cancelled the task, and nothing of it runs."""


class LiveTask:
    """A task between `spawn` and its end. `task` is None while a job of an earlier client waits to be claimed."""

    __slots__ = (
        "asked_to_end",
        "attempt",
        "attempt_id",
        "backend",
        "cancelled",
        "done",
        "ended",
        "entry",
        "id",
        "job",
        "kept",
        "key",
        "located",
        "looks",
        "missing_since",
        "name",
        "number",
        "on_cancel",
        "pause",
        "reason",
        "serial",
        "started",
        "stopped_for",
        "task",
        "timer",
    )

    def __init__(self, *, run: str, serial: int, backend: str, name: str, key: str | None, task: Task | None) -> None:
        self.id = f"{run}-{base36(serial)}"
        self.serial = serial
        self.backend = backend
        self.name = name
        self.key = key
        self.task = task
        self.number = 1
        self.attempt_id = f"{self.id}-1"
        """The id of the current attempt: at most 15 characters up to 1.6 million tasks of 35 attempts."""
        self.entry: Entry | None = None
        """How the journal has it, when it was there before this process."""
        self.attempt: Attempt | None = None
        self.job: Job | None = None
        self.done: asyncio.Future[TaskResult] = asyncio.get_running_loop().create_future()
        self.ended: asyncio.Future[Outcome | None] | None = None
        """Of the current attempt: None when the backend can be asked for the result."""
        self.located: asyncio.Future[None] | None = None
        """Of a submit in doubt: resolved when a poll finds the job."""
        self.pause: asyncio.Future[None] | None = None
        """What it waits for outside the system; a cancel resolves it."""
        self.cancelled = False
        self.on_cancel: Callable[[LiveTask], None] | None = None
        self.stopped_for: Verdict | None = None
        self.asked_to_end: float | None = None
        self.missing_since: float | None = None
        self.looks = 0
        self.started = False
        self.reason = ""
        self.timer: asyncio.TimerHandle | None = None
        self.kept: list[Callable[[], None]] | None = None
        """Releases that wait until nobody reads what the jobs wrote; None while nobody does."""

    def cancel(self) -> None:
        """Ask for it to be ended. A second call changes nothing."""
        if self.cancelled or self.done.done():
            return
        self.cancelled = True
        if self.pause is not None and not self.pause.done():
            self.pause.set_result(None)
        if self.on_cancel is not None:
            self.on_cancel(self)

    def locate(self) -> None:
        """A poll has found the job of a submit in doubt."""
        if self.located is not None and not self.located.done():
            self.located.set_result(None)

    def release(self, release: Callable[[], None]) -> None:
        """Release a job of it, now or when what it wrote is no longer kept."""
        if self.kept is None:
            release()
        else:
            self.kept.append(release)

    async def wait(self, future: asyncio.Future[None], *, seconds: float | None = None) -> None:
        """Wait for `future`, at most `seconds`. Raises Withdrawn as soon as the task is cancelled."""
        if self.cancelled:
            raise Withdrawn
        timer = None if seconds is None else future.get_loop().call_later(seconds, _resolve, future)
        self.pause = future
        try:
            await future
        finally:
            self.pause = None
            if timer is not None:
                timer.cancel()
        if self.cancelled:
            raise Withdrawn

    def resume(self, entry: Entry) -> None:
        """Go on with the attempt that the journal holds."""
        self._count(entry.number)
        self.entry = entry

    def new_attempt(self, number: int) -> None:
        """Forget what belongs to the attempt before."""
        self._count(number)
        self.entry = None
        self.attempt = None
        self.job = None
        self.stopped_for = None
        self.started = False

    def _count(self, number: int) -> None:
        self.number = number
        self.attempt_id = f"{self.id}-{base36(number)}"


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def base36(number: int) -> str:
    """`number` >= 0 in digits and lower-case letters."""
    text = ""
    while True:
        number, digit = divmod(number, 36)
        text = _DIGITS[digit] + text
        if not number:
            return text
