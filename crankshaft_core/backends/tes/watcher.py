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
        """Attempt to when it was last asked about alone, where all are."""

    def ended_as(self, attempt: str) -> str | None:
        """The terminal state that a poll has seen."""
        return self._ended.get(attempt)

    def forget(self, attempt: str) -> None:
        """It is not polled any more."""
        self._ended.pop(attempt, None)
        self._asked.pop(attempt, None)

    async def poll(self, jobs: Collection[Job], *, sweep: bool) -> dict[str, JobState]:
        """What is known of the jobs by now, keyed by attempt. Raises TransportError when nothing could be learned.

        With `sweep`, tasks that lost answers may have left are looked for as well.
        """
        for job in jobs:
            self._doubts.adopt(job.attempt, job.id)
        asking = [job for job in jobs if job.attempt not in self._ended]
        ids = {found: job.attempt for job in asking if (found := job.id or self._doubts.known(job.attempt))}
        in_doubt = any(job.id is None and self._doubts.known(job.attempt) is None for job in asking)
        states = await self._ask(ids, in_doubt=in_doubt, sweep=sweep) if asking else {}
        for job in asking:  # the listing may have settled a doubt
            found = self._doubts.known(job.attempt)
            if job.id is None and found is not None:
                ids[found] = job.attempt
        return self._answer(
            jobs, {ids[task_id]: (task_id, state) for task_id, state in states.items() if task_id in ids}
        )

    def _answer(self, jobs: Collection[Job], learned: Mapping[str, tuple[str, str | None]]) -> dict[str, JobState]:
        answer: dict[str, JobState] = {}
        for job in jobs:
            task_id, state = learned.get(job.attempt, (job.id or self._doubts.known(job.attempt), ""))
            state = self._ended.get(job.attempt, state)
            if state is None or self._doubts.is_absent(job.attempt):
                answer[job.attempt] = JobState(Phase.MISSING, id=task_id)
            elif state:
                answer[job.attempt] = job_state(state, id=task_id)
            if state and is_terminal(state):
                self._ended[job.attempt] = state
        return answer

    async def _ask(self, ids: Mapping[str, str], *, in_doubt: bool, sweep: bool) -> dict[str, str | None]:
        if ids:
            await self._sweep.find_filter()
        now = time.monotonic()
        due = in_doubt and now - self._searched >= self._in_doubt / 3
        whole = due or (sweep and self._doubts.watchful)
        if not whole and not self._sweep.is_listing_cheaper(len(ids)):
            return await self._ask_each(ids)
        if not sweep and not due and now - self._listed < _SECONDS_A_PAGE * (self._sweep.pages - 1):
            return {}
        listing = await self._list(None if whole else ids)
        if self._sweep.filter is Filter.NONE:
            return {**listing.states, **await self._ask_each(ids)}
        return {**listing.states, **await self._confirm(ids, listing)}

    async def _list(self, wanted: Mapping[str, str] | None) -> Listing:
        self._listed = began = time.monotonic()
        if wanted is None:
            self._searched = began
        listing = await self._sweep.listing(wanted)
        await self._doubts.settle(listing, began=began)
        return listing

    async def _ask_each(self, ids: Mapping[str, str]) -> dict[str, str | None]:
        """Those that have waited longest for an answer."""
        turn = sorted(ids, key=lambda task_id: self._asked.get(ids[task_id], 0.0))[:_MOST_QUESTIONS]
        states = await self._sweep.states(turn)
        self._asked.update((ids[task_id], time.monotonic()) for task_id in turn)
        return states

    async def _confirm(self, ids: Mapping[str, str], listing: Listing) -> dict[str, str | None]:
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
