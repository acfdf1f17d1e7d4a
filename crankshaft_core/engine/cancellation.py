"""Ending jobs: ask, poll until the system confirms, escalate, and give up loudly."""

from __future__ import annotations

import asyncio
import logging

from crankshaft_core.backends.base import Backend
from crankshaft_core.engine.live import LiveTask
from crankshaft_core.engine.watch import Watch
from crankshaft_core.errors import BackendError, CancelUnconfirmed

__all__ = ["Cancellation"]

_log = logging.getLogger(__name__)
_STEP = 0.2
"""At most so many seconds between looks at the deadlines; the confirming polls keep the backend's own cadence."""


class Cancellation:
    """The jobs of one backend that are to end. All that are asked for at once travel in one call."""

    def __init__(self, backend: Backend, watch: Watch) -> None:
        self._backend = backend
        self._watch = watch
        self._cadence = backend.cadence
        self._wanted: dict[LiveTask, float] = {}
        """Each with the time at which it was wanted to end."""
        self._next_ask: dict[LiveTask, float] = {}
        self._trouble = ""
        """Why the last asking was not delivered: the same is not told again."""
        self._task: asyncio.Task[None] | None = None

    def add(self, live: LiveTask) -> None:
        """See to it that this submitted job ends; `live.ended` tells, with CancelUnconfirmed if it never does."""
        now = asyncio.get_running_loop().time()
        self._wanted.setdefault(live, now)
        self._next_ask.setdefault(live, now)
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def aclose(self) -> None:
        """Return when nothing is being cancelled any more."""
        while self._task is not None and not self._task.done():
            await self._task

    async def _run(self) -> None:
        self._watch.hasty = True
        await asyncio.sleep(0)  # so that all that are cancelled in this turn are asked for together
        try:
            while self._wanted:
                await self._step(asyncio.get_running_loop().time())
        finally:
            self._watch.hasty = False

    async def _step(self, now: float) -> None:
        due = [live for live, at in self._next_ask.items() if at <= now]
        patient = [live for live in due if live.asked_to_end is None]
        again = [live for live in due if live.asked_to_end is not None]
        await self._ask(patient, force=False)
        await self._ask(again, force=True)
        for live in [live for live, since in self._wanted.items() if now - since >= self._cadence.cancel_timeout]:
            self._give_up(live)
        waiting = [live.ended for live in self._wanted if live.ended is not None and not live.ended.done()]
        if waiting:
            next_ask = min(self._next_ask.values()) - asyncio.get_running_loop().time()
            await asyncio.wait(waiting, timeout=max(0.0, min(_STEP, next_ask)))
        for live in [live for live in self._wanted if live.ended is None or live.ended.done()]:
            del self._wanted[live], self._next_ask[live]

    async def _ask(self, lives: list[LiveTask], *, force: bool) -> None:
        jobs = [live.job for live in lives if live.job is not None]
        if not jobs:
            return
        try:
            await self._backend.cancel(jobs, force=force)
        except BackendError as error:
            self._undelivered(lives[0].backend, str(error))
            pause = min(self._cadence.poll, self._cadence.kill_after)
        else:
            self._trouble = ""
            pause = self._cadence.kill_after
            for live in lives:
                live.asked_to_end = live.asked_to_end or asyncio.get_running_loop().time()
            self._watch.wake()
        for live in lives:
            self._next_ask[live] = asyncio.get_running_loop().time() + pause

    def _undelivered(self, backend: str, error: str) -> None:
        level = logging.DEBUG if error == self._trouble else logging.WARNING
        _log.log(level, "%s: the wish to cancel was not delivered, asking again: %s", backend, error)
        self._trouble = error

    def _give_up(self, live: LiveTask) -> None:
        job = live.job.id if live.job and live.job.id else live.attempt_id
        self._watch.discard(live)
        if live.ended is not None and not live.ended.done():
            live.ended.set_exception(
                CancelUnconfirmed(
                    f"{live.name} ({live.backend} {job}): asked to end, but after "
                    f"{self._cadence.cancel_timeout:.0f} s the system has not confirmed it; it may still be running",
                    job_ids=[job],
                )
            )
