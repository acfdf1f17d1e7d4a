"""Submits that travel together: the files of many attempts, and what hands them over, in one round trip."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from crankshaft_core.backends.generic.archive import archive
from crankshaft_core.backends.generic.frames import Script
from crankshaft_core.backends.generic.gather import Allowance, Gather
from crankshaft_core.backends.generic.jobscript import Job
from crankshaft_core.backends.generic.launcher import Launcher, Submission
from crankshaft_core.backends.generic.site import Site
from crankshaft_core.errors import AnswerLostError, BackendError, SubmitInDoubt

__all__ = ["Submitting"]

_A_TRIP = 50
"""Submits in one round trip."""

_AT_ONCE = 4
"""Submit commands running side by side: sbatch goes from 110 to 300 a second with four, and gains nothing with more."""


@dataclass(frozen=True, slots=True)
class _Ready:
    job: Job
    command: str
    files: Mapping[str, bytes]


class Submitting:
    """Hands jobs over, as many in one script as are waiting.

    On this machine two scripts share the four commands at once, so that the scheduler is not left alone while we read
    the answers to one batch and write the files of the next.
    """

    def __init__(self, site: Site, launcher: Launcher, *, allowance: Allowance | None) -> None:
        self._site = site
        self._launcher = launcher
        trips = 2 if site.driver.local else 1
        self._hands = asyncio.Semaphore(_AT_ONCE)
        self._share = _AT_ONCE // trips
        self._gather = Gather(self._send, most=_A_TRIP, trips=trips, allowance=allowance)

    async def __call__(self, job: Job, command: str) -> str:
        """The job's id. Raises as `Backend.submit`."""
        return await self._gather(_Ready(job, command, job.files()))

    async def aclose(self) -> None:
        """Let what is under way come to its end."""
        await self._gather.aclose()

    async def _send(self, batch: Sequence[_Ready]) -> Sequence[str | BackendError]:
        files = _packed(batch)
        submissions = [Submission(item.job.attempt.id, item.command) for item in batch]
        script = Script()
        try:
            async with self._some_hands(len(batch)) as hands:
                self._launcher.add_submit(script, submissions, at_once=hands)
                pieces = await self._site.call(script, files=files, timeout=120.0 + 5.0 * len(batch))
        except AnswerLostError as error:
            raise SubmitInDoubt(f"{self._site.name}: {error}") from error
        return [self._submitted(pieces, item.job.attempt.id) for item in batch]

    @asynccontextmanager
    async def _some_hands(self, wanted: int) -> AsyncGenerator[int]:
        """How many commands may run side by side: a fair share, and more if nobody else is about to travel."""
        taken = 0
        try:
            while taken < min(wanted, self._share) or (taken < wanted and self._is_one_left_over()):
                await self._hands.acquire()
                taken += 1
            yield taken
        finally:
            for _ in range(taken):
                self._hands.release()

    def _is_one_left_over(self) -> bool:
        return not self._gather.waiting and not self._hands.locked()

    def _submitted(self, pieces: Mapping[str, bytes], attempt: str) -> str | BackendError:
        try:
            return self._launcher.submitted(pieces, attempt)
        except BackendError as error:
            return error


def _packed(batch: Sequence[_Ready]) -> bytes:
    """The files of all the jobs, by their paths below the run's directory."""
    root = f"{batch[0].job.run.root}/"
    directories = [path.removeprefix(root) for item in batch for path in item.job.directories()]
    files = {path.removeprefix(root): content for item in batch for path, content in item.files.items()}
    return archive(directories, files)
