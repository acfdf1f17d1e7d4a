"""One poll: the state of many jobs in as few requests as the server allows."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping

from crankshaft_core.backends.base import Job, JobState, Phase
from crankshaft_core.backends.tes.doubt import Doubts
from crankshaft_core.backends.tes.outcome import is_terminal, job_state
from crankshaft_core.backends.tes.sweep import Filter, Listing, Sweep

__all__ = ["Watcher"]

_SECONDS_A_PAGE = 1.0
"""A listing of many pages is not made more often than this; a small run is listed at every poll."""
_MOST_QUESTIONS = 200
"""Requests for single tasks that one poll makes; the rest have their turn in the next one."""

_States = Mapping[str, str | None]
"""TES states by task id; None for a task that the server does not know."""


class Watcher:
    """Remembers how jobs ended, so that none is asked about again."""

    def __init__(self, sweep: Sweep, doubts: Doubts, *, in_doubt: float) -> None:
        self._sweep = sweep
        self._doubts = doubts
        self._in_doubt = in_doubt
        """Seconds after which a create in doubt is repeated; it is looked for a few times before."""
        self._listed = self._searched = float("-inf")
        """When the last listing began, and the last one of everything."""
        self._ended: dict[str, str] = {}
        """Attempt to its terminal state."""
        self._asked: dict[str, float] = {}
        """Task id to when it was last asked about alone, where all are."""

    def ended_as(self, attempt: str) -> str | None:
        """The terminal state that a poll has seen."""
        return self._ended.get(attempt)

    def forget(self, job: Job) -> None:
        """It is not polled any more."""
        self._ended.pop(job.attempt, None)
        self._asked.pop(job.id or "", None)

    async def poll(self, jobs: Collection[Job], *, sweep: bool) -> dict[str, JobState]:
        """What is known of the jobs by now, keyed by attempt. Raises TransportError when nothing could be learned.

        With `sweep`, tasks that lost answers may have left are looked for as well.
        """
        for job in jobs:
            self._doubts.adopt(job.attempt, job.id)
        asking = [job for job in jobs if job.attempt not in self._ended]
        ids = [found for job in asking if (found := self._id(job)) is not None]
        states: _States = {}
        if asking:
            states = await self._ask(ids, in_doubt=len(ids) < len(asking), sweep=sweep)
        for job in asking:
            state = states.get(self._id(job) or "")
            if state and is_terminal(state):
                self._ended[job.attempt] = state
        known = ((job, self._known(job, states)) for job in jobs)
        return {job.attempt: state for job, state in known if state is not None}

    def _id(self, job: Job) -> str | None:
        return job.id or self._doubts.known(job.attempt)

    def _known(self, job: Job, states: _States) -> JobState | None:
        """None: nothing. The id is told to whoever does not have it."""
        task_id = self._id(job)
        news = task_id if job.id is None else None
        state = self._ended.get(job.attempt) or states.get(task_id or "", "")
        if state is None or self._doubts.is_absent(job.attempt):
            return JobState(Phase.MISSING, id=news)
        return job_state(state, id=news) if state else None

    async def _ask(self, ids: Collection[str], *, in_doubt: bool, sweep: bool) -> _States:
        if ids:
            await self._sweep.find_filter()
        now = time.monotonic()
        pause = _SECONDS_A_PAGE * (self._sweep.pages - 1)
        due = in_doubt and now - self._searched >= max(pause, self._in_doubt / 3)
        whole = due or (sweep and self._doubts.watchful)
        if not whole and not self._sweep.is_listing_cheaper(len(ids)):
            return await self._ask_each(ids)
        if not sweep and not due and now - self._listed < pause:
            return {}
        listing = await self._list(None if whole else ids)
        if self._sweep.filter is Filter.NONE:
            return {**listing.states, **await self._ask_each(ids)}
        unlisted = await self._confirm(ids, listing)
        return {**listing.states, **unlisted} if unlisted else listing.states

    async def _list(self, wanted: Collection[str] | None) -> Listing:
        self._listed = began = time.monotonic()
        if wanted is None:
            self._searched = began
        listing = await self._sweep.listing(wanted)
        await self._doubts.settle(listing, began=began)
        return listing

    async def _ask_each(self, ids: Collection[str]) -> _States:
        """Those that have waited longest for an answer."""
        turn = sorted(ids, key=lambda task_id: self._asked.get(task_id, 0.0))[:_MOST_QUESTIONS]
        states = await self._sweep.states(turn)
        self._asked.update((task_id, time.monotonic()) for task_id in turn)
        return states

    async def _confirm(self, ids: Collection[str], listing: Listing) -> _States:
        """Ask for those that a complete listing left out: Poiesis skips a task at each page's end, and tasks
        created meanwhile move the pages of a server that counts offsets.
        """
        if not listing.complete:
            return {}
        unlisted = [task_id for task_id in ids if task_id not in listing.states]
        states = await self._sweep.states(unlisted[:_MOST_QUESTIONS])
        if unlisted and len(unlisted) == len(ids) and any(state is not None for state in states.values()):
            self._sweep.distrust()
        return states
