"""Jobs that are reached by scripts: a scheduler's, here or elsewhere, and processes elsewhere."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from crankshaft_core.backends.base import Attempt, Job, JobState, Outcome, Phase
from crankshaft_core.backends.generic.frames import Script
from crankshaft_core.backends.generic.gather import Allowance, Gather
from crankshaft_core.backends.generic.known_queues import KnownQueues
from crankshaft_core.backends.generic.launcher import Finding, Launcher
from crankshaft_core.backends.generic.layout import RunPaths
from crankshaft_core.backends.generic.ledger import Ledger
from crankshaft_core.backends.generic.rendering import Renderer
from crankshaft_core.backends.generic.site import Site
from crankshaft_core.backends.generic.site_files import SiteFiles
from crankshaft_core.backends.generic.submitting import Submitting
from crankshaft_core.backends.generic.traces import Traces
from crankshaft_core.backends.unanswered import Unanswered
from crankshaft_core.errors import BackendError, SubmitDeferred, SubmitError, TransportError
from crankshaft_core.task import Output, Verdict

__all__ = ["ScriptedJobs"]

_log = logging.getLogger(__name__)

_LOOKS = 3
_LOOK_DELAY = 1.5
"""How often, and how many seconds apart, the system is asked who ended a command: accounting lags by 1 to 3 s."""

_COUNT_EVERY = 30.0
_COUNT_AT_LEAST_EVERY = 600.0
"""Seconds between two countings of the user's jobs: as many, and twice as many after each that was not answered."""


class ScriptedJobs:
    """Submits, follows and ends the jobs of one run. Exit records decide; the launcher is asked who has vanished."""

    def __init__(
        self,
        site: Site,
        launcher: Launcher,
        *,
        renderer: Callable[[RunPaths], Renderer],
        allowance: Allowance | None,
        keep: bool,
        queues: KnownQueues,
        most_jobs: int | None = None,
        max_attempts: int = 1,
    ) -> None:
        self._site = site
        self._launcher = launcher
        self._renderer = renderer
        self._keep = keep
        self._queues = queues
        self._most_jobs = most_jobs
        self._max_attempts = max_attempts
        self._refusals: dict[str, int] = {}
        """How often each attempt was refused that is not handed over yet."""
        self._next_count = 0.0
        self._count_pause = _COUNT_EVERY
        self._files = SiteFiles(site)
        self._ledger = Ledger()
        self._traces = Traces(launcher)
        self._submitting = Submitting(site, launcher, allowance=allowance)
        self._explain = Gather(self._ask_why, most=200)
        self._ids: dict[str, str] = {}
        self._stuck: dict[str, str] = {}

    async def submit(self, attempt: Attempt) -> str:
        """Hand over an attempt, together with whoever else is waiting to. Raises as `Backend.submit`."""
        if attempt.id in self._ids:
            return self._ids[attempt.id]
        if self._most_jobs is not None:
            await self._refuse_above(self._most_jobs)
        renderer = self._renderer(await self._site.paths())
        job = renderer.job(attempt)
        command = renderer.submit_command(attempt, job) if renderer.batch else ""
        if attempt.again and (found := await self._locate(attempt)):
            return found
        self._files.remember(job)
        await self._files.bring(job.attempt, job.steps[0].cwd)
        try:
            self._ids[attempt.id] = await self._submitting(job, command)
        except SubmitDeferred:
            raise
        except SubmitError as error:
            self._refusals[attempt.id] = self._refusals.get(attempt.id, 0) + 1
            if self._refusals[attempt.id] < self._max_attempts:
                raise SubmitDeferred(str(error)) from error
            raise await self._queues.named(error) from error
        self._refusals.pop(attempt.id, None)
        self._ledger.expect([attempt.id])
        return self._ids[attempt.id]

    async def poll(self, jobs: Collection[Job], *, sweep: bool) -> Mapping[str, JobState]:
        """One round trip: the records, and with `sweep` what the launcher says of jobs that left none.

        The launcher is asked first, so that a job which ends in between has its record in the answer.
        """
        live = [job for job in jobs if not self._has_ended(job)]
        doubtful = [job for job in live if job.id is None]
        script = Script()
        if sweep:
            self._launcher.add_sweep(script, live)
        released = self._ledger.add(script, live)
        self._traces.add(script, doubtful)
        pieces = await self._call(script)
        self._ledger.take(pieces, released)
        states: dict[str, JobState] = {}
        if sweep:
            states |= await self._swept(pieces, live)
        states |= self._traces.found(pieces, doubtful)
        states |= {job.attempt: self._ended(job) for job in jobs if self._has_ended(job)}
        trouble = self._launcher.trouble(pieces) if sweep else None
        return states if trouble is None else Unanswered(states, reason=trouble)

    async def result(self, job: Job) -> Outcome:
        """From the record, and where a signal ended the command, from who is said to have sent it."""
        if not self._has_ended(job):
            await self.poll([job], sweep=False)
        record = self._ledger.get(job.attempt)
        if record is None and job.attempt in self._stuck:
            return Outcome(Verdict.STUCK, detail=self._stuck[job.attempt])
        if record is None:
            raise TransportError(f"{self._site.name}: {job.attempt} has left no exit record")
        outcome = record.outcome()
        if record.provisional and self._launcher.explains:
            finding = await self._finding(job)
            outcome = _explained(outcome, finding)
            if finding is not None and finding.verdict is Verdict.PREEMPTED:
                await self._drop(job)
        return await self._files.with_streams(job.attempt, outcome)

    async def diagnose(self, jobs: Collection[Job]) -> Mapping[str, Outcome]:
        """Why they are MISSING, in one round trip. Those that the system still lists as live are left out."""
        findings = await self._findings(list(jobs), recorded=False)
        root = (await self._site.paths()).root
        found = {attempt: _unrecorded(finding, root) for attempt, finding in findings.items() if finding is not None}
        outcomes = await asyncio.gather(*(self._files.with_streams(*item) for item in found.items()))
        return dict(zip(found, outcomes, strict=True))

    async def cancel(self, jobs: Collection[Job], *, force: bool) -> None:
        """Ask for the jobs to be ended. One in doubt loses the start lock, so that it cannot begin any more."""
        known = [job for job in jobs if job.id is not None]
        known += await self._claim([job for job in jobs if job.id is None])
        script = Script()
        self._launcher.add_cancel(script, known, force=force)
        await self._call(script)

    async def collect(self, job: Job, outputs: Sequence[Output], scratch: Path) -> Mapping[str, Path | None]:
        """As `Backend.collect`."""
        return dict(await self._files.collect(job.attempt, outputs, scratch))

    async def read(self, job: Job, stream: Literal["stdout", "stderr"], offset: int) -> bytes:
        """As `Backend.read`."""
        return await self._files.read(job.attempt, stream, offset)

    async def release(self, ended: Mapping[Job, Verdict]) -> None:
        """With the next poll, their records are put aside and the directories of successful ones go."""
        for job, verdict in ended.items():
            self._ledger.release(job.attempt, prune=verdict is Verdict.OK and not self._keep)
            self._stuck.pop(job.attempt, None)
            self._ids.pop(job.attempt, None)
            self._files.forget(job.attempt)

    async def aclose(self) -> None:
        """Let what is under way end, and pass on what was released last."""
        await self._submitting.aclose()
        await self._explain.aclose()
        if self._ledger.pending:
            script = Script()
            self._ledger.add(script, [])
            with contextlib.suppress(BackendError):  # the records stay in done/, where they do no harm
                await self._site.call(script, timeout=20.0)
        self._site.close()

    async def _refuse_above(self, most: int) -> None:
        """The user may have no more than so many jobs, from whatever source; counted anew twice a minute."""
        jobs = self._launcher.user_jobs
        if (jobs is None or jobs >= most) and time.monotonic() >= self._next_count:
            self._next_count = time.monotonic() + self._count_pause
            unanswered = isinstance(await self.poll([], sweep=True), Unanswered)
            self._count_pause = min(_COUNT_AT_LEAST_EVERY, 2 * self._count_pause) if unanswered else _COUNT_EVERY
            jobs = self._launcher.user_jobs
        if jobs is not None and jobs >= most:
            raise SubmitDeferred(
                f"{self._site.name}: the user has {jobs} jobs, and max_user_jobs is {most}", retry_after=_COUNT_EVERY
            )

    async def _call(self, script: Script) -> Mapping[str, bytes]:
        pieces = await self._site.call(script)
        if "end" not in pieces:
            raise TransportError(f"{self._site.name}: the answer from {self._site.driver.where} was cut off")
        return pieces

    async def _swept(self, pieces: Mapping[str, bytes], live: Collection[Job]) -> Mapping[str, JobState]:
        found = self._launcher.swept(pieces, live)
        await self._end_stuck([job for job in live if job.attempt in found.stuck], found.stuck)
        missing = [job for job in live if _is_missing(found.states.get(job.attempt)) and not self._has_ended(job)]
        return {**found.states, **await self._followed([job for job in missing if job.id is not None])}

    async def _followed(self, missing: Sequence[Job]) -> Mapping[str, JobState]:
        """A job that vanished may have been a copy: whoever has the start lock is followed instead."""
        if not missing:
            return {}
        script = Script()
        self._traces.add(script, missing)
        found = self._traces.found(await self._call(script), missing)
        others = {job.attempt: found[job.attempt] for job in missing if job.attempt in found}
        return {job.attempt: others[job.attempt] for job in missing if _is_other(others.get(job.attempt), job)}

    async def _end_stuck(self, jobs: Sequence[Job], reasons: Mapping[str, str]) -> None:
        """What can never start is cancelled, and only then called ended."""
        if jobs:
            await self.cancel(jobs, force=False)
            self._stuck |= {job.attempt: reasons[job.attempt] for job in jobs}

    def _has_ended(self, job: Job) -> bool:
        return job.attempt in self._ledger or job.attempt in self._stuck

    def _ended(self, job: Job) -> JobState:
        record = self._ledger.get(job.attempt)
        learned = record is not None and job.id is None and self._launcher.is_job(record.job_id)
        return JobState(Phase.ENDED, id=record.job_id if record is not None and learned else None)

    async def _locate(self, attempt: Attempt) -> str | None:
        """The id under which an earlier submit of this attempt arrived, if it did."""
        states = await self.poll([Job(attempt.id, attempt.run)], sweep=True)
        found = states[attempt.id].id if attempt.id in states else None
        if found is not None:
            self._ids[attempt.id] = found
        return found

    async def _claim(self, jobs: Sequence[Job]) -> list[Job]:
        """Take the start locks; return the jobs that had them first, or whose ids `submit` printed."""
        if not jobs:
            return []
        script = Script()
        self._traces.add(script, jobs, claim=True)
        found = self._traces.found(await self._call(script), jobs)
        return [replace(job, id=found[job.attempt].id) for job in jobs if job.attempt in found]

    async def _drop(self, job: Job) -> None:
        """A job that was requeued would wait for nothing: its attempt is over."""
        try:
            await self.cancel([job], force=False)
        except BackendError as error:
            _log.info("%s: cannot take %s out of the queue: %s", self._site.name, job.id, error)

    async def _finding(self, job: Job) -> Finding | None:
        """The system's word on how a job ended; asked again while it has not made up its mind."""
        for look in range(_LOOKS):
            if look:
                await asyncio.sleep(_LOOK_DELAY)
            try:
                said, finding = await self._explain(job)
            except BackendError as error:
                _log.info("%s: cannot ask why %s ended: %s", self._site.name, job.id, error)
                continue
            if finding is not None or not (said or self._launcher.lags):
                return finding
        return None

    async def _ask_why(self, jobs: Sequence[Job]) -> Sequence[tuple[bool, Finding | None]]:
        """Whether the system says anything of each, and what."""
        findings = await self._findings(jobs, recorded=True)
        return [(job.attempt in findings, findings.get(job.attempt)) for job in jobs]

    async def _findings(self, jobs: Sequence[Job], *, recorded: bool) -> Mapping[str, Finding | None]:
        script = Script()
        self._launcher.add_diagnose(script, jobs)
        return self._launcher.diagnosed(await self._call(script), jobs, recorded=recorded)


def _is_missing(state: JobState | None) -> bool:
    return state is not None and state.phase is Phase.MISSING


def _is_other(state: JobState | None, job: Job) -> bool:
    return state is not None and state.id != job.id


def _unrecorded(finding: Finding, root: str) -> Outcome:
    """How a job ended that left no record."""
    if finding.verdict not in {Verdict.OK, Verdict.FAILED}:
        return Outcome(finding.verdict, detail=finding.words)
    detail = f"the system says {finding.words}, but no exit record came: do the workers see {root}?"
    return Outcome(Verdict.LOST, detail=detail)


def _explained(outcome: Outcome, finding: Finding | None) -> Outcome:
    """A record that a signal wrote, with the system's word on who sent it.

    "Failed" is no such word: it only repeats the exit code that the wrapper has passed on.
    """
    if finding is None or finding.verdict in {Verdict.OK, Verdict.FAILED}:
        return outcome
    return replace(outcome, verdict=finding.verdict, detail=finding.words)
