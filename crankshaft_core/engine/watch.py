"""The poller of one backend: one call for all of its live jobs, slower when nothing happens, patient with outages."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping

from crankshaft_core.backends.base import Backend, Job, JobState, Outcome, Phase
from crankshaft_core.backends.unanswered import Unanswered
from crankshaft_core.engine.live import LiveTask
from crankshaft_core.engine.outages import Outages
from crankshaft_core.errors import BackendError
from crankshaft_core.events import Event, TaskStarted
from crankshaft_core.task import Verdict

__all__ = ["Watch"]

_log = logging.getLogger(__name__)
_LOOKS = 3
"""How often `diagnose` is asked about a job that no query lists, before it is given up."""
_GROWTH = 1.25
_LAST_TRIES = (0.2, 1.0)
"""Seconds between the tries to release what is left when the engine closes."""
_NAMED = 10
"""How many jobs are named in a warning."""


class Watch:
    """Resolves `live.ended` of every job it is given: None when the backend has its result, or an outcome it learned.

    Only a job that a *successful* query called MISSING for the whole grace is looked into; a failed poll fails nobody.
    """

    def __init__(
        self,
        name: str,
        backend: Backend,
        *,
        publish: Callable[[Event], None],
        found: Callable[[LiveTask], None],
        started: Callable[[LiveTask], None],
    ) -> None:
        self._name = name
        self._backend = backend
        self._cadence = backend.cadence
        self._publish = publish
        self._found = found
        self._started = started
        self._lives: dict[str, LiveTask] = {}
        self._stirred = asyncio.Event()
        self._poll_now = False
        self._since = 0.0
        self._delay = self._cadence.poll
        self._next_sweep = _now() + self._cadence.sweep
        self._hasty = False
        self._hasty_pause = self._cadence.poll
        self._next_hasty_sweep = 0.0
        self._to_release: dict[Job, Verdict] = {}
        self.outages = Outages(name, self._cadence, publish=publish, live=lambda: len(self._lives))

    def add(self, live: LiveTask) -> None:
        """Watch it from now on, until its `ended` is resolved or `discard`."""
        if not self._lives:
            self._since = _now()
            self._next_sweep = max(self._next_sweep, self._since + self._cadence.sweep)
        self._lives[live.attempt_id] = live
        live.missing_since, live.looks = None, 0
        if not self.outages.unreachable:
            self._delay = self._cadence.poll
        self._stirred.set()

    def discard(self, live: LiveTask) -> None:
        """Watch it no longer."""
        self._lives.pop(live.attempt_id, None)

    def release(self, job: Job, verdict: Verdict) -> None:
        """Tell the backend, with the next poll, that it need not keep anything of the job."""
        self._to_release[job] = verdict
        if not self._lives:
            self._stirred.set()

    def wake(self) -> None:
        """Poll now: something is known to have changed."""
        self._poll_now = True
        self._stirred.set()

    @property
    def hasty(self) -> bool:
        """Something is being cancelled: polls come quickly, and are sweeps, which become rarer while nothing ends."""
        return self._hasty

    @hasty.setter
    def hasty(self, hasty: bool) -> None:
        self._hasty = hasty
        self._hasty_pause = self._cadence.poll
        if not self.outages.silent:
            self._next_hasty_sweep = 0.0

    @property
    def live(self) -> int:
        """How many jobs are watched."""
        return len(self._lives)

    async def run(self) -> None:
        """Poll for as long as the engine lives."""
        while True:
            await self._pause()
            await (self._look() if self._lives else self.flush())

    async def flush(self) -> None:
        """Release what can be released; a failure, or being stopped half-way, leaves it for the next time."""
        if not self._to_release:
            return
        releasing, self._to_release = self._to_release, {}
        released = False
        try:
            await self._backend.release(releasing)
            released = True
        except BackendError as error:
            _log.debug("%s: not released yet: %s", self._name, error)
        finally:
            if not released:
                self._to_release = {**releasing, **self._to_release}

    async def last_flush(self) -> None:
        """Release everything, or say that something of it is left behind."""
        for pause in (*_LAST_TRIES, None):
            await self.flush()
            if not self._to_release or pause is None:
                break
            await asyncio.sleep(pause)
        if self._to_release:
            left = ", ".join(sorted(job.id or job.attempt for job in self._to_release)[:_NAMED])
            _log.warning("%s: could not tidy up after %d jobs: %s", self._name, len(self._to_release), left)

    async def _look(self) -> None:
        now = _now()
        sweep = now >= self._next_sweep or (self.hasty and now >= self._next_hasty_sweep)
        await self.flush()
        jobs = [live.job for live in self._lives.values() if live.job is not None]
        try:
            states = await self._backend.poll(jobs, sweep=sweep)
        except BackendError as error:
            self._unreachable(error, swept=sweep)
            return
        except Exception as error:  # noqa: BLE001 - the loop must survive a backend's mistake: every other job depends on it
            _log.exception("%s: poll failed in an unforeseen way", self._name)
            self._unreachable(error, swept=sweep)
            return
        self.outages.answered()
        due = self._take_in(states, now)
        if sweep:
            self._plan_sweeps(now, states.reason if isinstance(states, Unanswered) else None)
        if due:
            await self._diagnose(due)

    def _plan_sweeps(self, now: float, trouble: str | None) -> None:
        """When to sweep next: twice as long as before after each sweep that was not answered, also while hasty."""
        if trouble is not None:
            pause = self.outages.unanswered(trouble, usual=self._cadence.sweep)
            self._next_sweep = now + pause
            hasty = pause * self._cadence.poll / self._cadence.sweep
            self._next_hasty_sweep = now + min(self._cadence.sweep, hasty)
            return
        self.outages.swept()
        self._next_sweep = now + min(self._cadence.sweep, self._cadence.grace if self._anything_missing() else 1e9)
        self._next_hasty_sweep = now + self._hasty_pause
        self._hasty_pause = min(self._cadence.sweep, self._hasty_pause * _GROWTH)

    def _take_in(self, states: Mapping[str, JobState], asked: float) -> list[LiveTask]:
        """Apply the answer; return those that are MISSING for so long that it is time to ask why."""
        due: list[LiveTask] = []
        ended = False
        for attempt, state in states.items():
            live = self._lives.get(attempt)
            if live is None or live.job is None:
                continue
            if state.id is not None and state.id != live.job.id:
                live.job = Job(live.job.attempt, live.job.run, state.id)
                self._found(live)
            if state.phase is Phase.MISSING:
                self._missing(live, asked, due)
                continue
            live.missing_since, live.looks, live.reason = None, 0, state.reason
            if state.phase is Phase.RUNNING and not live.started:
                self._note_start(live)
            elif state.phase is Phase.ENDED:
                ended = True
                self._hasty_pause = self._cadence.poll
                self._end(live, None)
        self._delay = (
            self._cadence.poll
            if ended or self.hasty
            else min(self._delay * _GROWTH, max(self._cadence.slowest_poll, self._cadence.poll))
        )
        return due

    def _missing(self, live: LiveTask, asked: float, due: list[LiveTask]) -> None:
        if live.asked_to_end is not None:
            if asked >= live.asked_to_end:
                self._end(live, Outcome(Verdict.CANCELLED, detail="no longer listed after it was cancelled"))
        elif live.missing_since is None:
            live.missing_since = asked
        elif asked - live.missing_since >= self._cadence.grace * (live.looks + 1):
            due.append(live)

    async def _diagnose(self, due: list[LiveTask]) -> None:
        jobs = {live.attempt_id: live.job for live in due if live.job is not None}
        try:
            outcomes = await self._backend.diagnose(jobs.values())
        except BackendError as error:
            self._unreachable(error, swept=False)
            return
        for live in due:
            outcome = outcomes.get(live.attempt_id)
            live.looks += 1
            if outcome is not None:
                self._end(live, outcome)
            elif live.looks >= _LOOKS:
                self._lose(live)

    def _lose(self, live: LiveTask) -> None:
        waited = _now() - (live.missing_since or _now())
        detail = f"no query has listed it for {waited:.0f} s, it left no exit record, and the system cannot say why"
        self._end(live, Outcome(Verdict.LOST, detail=detail))

    def _end(self, live: LiveTask, outcome: Outcome | None) -> None:
        self.discard(live)
        if live.ended is not None and not live.ended.done():
            live.ended.set_result(outcome)

    def _note_start(self, live: LiveTask) -> None:
        live.started = True
        job = live.job.id if live.job else None
        self._publish(TaskStarted(live.id, live.name, live.backend, live.attempt_id, job))
        self._started(live)

    def _anything_missing(self) -> bool:
        return any(live.missing_since is not None for live in self._lives.values())

    def _unreachable(self, error: Exception, *, swept: bool) -> None:
        """If it was the sweep that hung, the next polls come through without one."""
        self._delay = self.outages.failed(error)
        if swept:
            self._next_sweep = _now() + self._cadence.sweep
            self._next_hasty_sweep = _now() + min(self._cadence.sweep, 2 * self._delay)

    async def _pause(self) -> None:
        """Until woken or the delay is over; for ever while there is nothing to do."""
        self._since = _now()
        while not self._poll_now:
            self._stirred.clear()
            busy = self._lives or self._to_release
            left = self._since + self._delay * self.outages.slowdown - _now() if busy else None
            if left is not None and left <= 0:
                break
            try:
                async with asyncio.timeout(left):
                    await self._stirred.wait()
            except TimeoutError:
                break
        self._poll_now = False


def _now() -> float:
    return asyncio.get_running_loop().time()
