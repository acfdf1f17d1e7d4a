"""Jobs that are reached by scripts: a scheduler's, here or elsewhere, and processes elsewhere."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from crankshaft_core.backends.base import Attempt, Job, JobState, Outcome, Phase
from crankshaft_core.backends.generic import jobscript
from crankshaft_core.backends.generic.frames import Script
from crankshaft_core.backends.generic.gather import Allowance, Gather
from crankshaft_core.backends.generic.layout import RunPaths
from crankshaft_core.backends.generic.launcher import Finding, Launcher, Submission
from crankshaft_core.backends.generic.records import Record
from crankshaft_core.backends.generic.rendering import Renderer
from crankshaft_core.backends.generic.site import Site, archive
from crankshaft_core.backends.generic.site_files import SiteFiles
from crankshaft_core.errors import AnswerLostError, BackendError, SubmitInDoubt, TransportError
from crankshaft_core.task import Output, Verdict

__all__ = ["ScriptedJobs"]

_log = logging.getLogger(__name__)

_A_TRIP = 50
"""Submits in one round trip."""

_LOOKS = 3
_LOOK_DELAY = 1.5
"""How often, and how many seconds apart, the system is asked who ended a command: accounting lags by 1 to 3 s."""

_CANCELLED = "cancelled"
"""The owner of the start lock of an attempt that must not run any more."""


@dataclass(frozen=True, slots=True)
class _Ready:
    """An attempt on its way out."""

    job: jobscript.Job
    command: str


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
    ) -> None:
        self._site = site
        self._launcher = launcher
        self._files = SiteFiles(site)
        self._renderer = renderer
        self._keep = keep
        self._submit = Gather(self._send, most=_A_TRIP, allowance=allowance)
        self._explain = Gather(self._ask_why, most=_A_TRIP * 4)
        self._ids: dict[str, str] = {}
        self._records: dict[str, Record] = {}
        self._stuck: dict[str, str] = {}
        self._known: set[str] = set()
        """Attempts that `seen/` need not be searched for: submitted or looked for by us."""
        self._acknowledged: dict[str, bool] = {}
        """Attempts whose records the journal holds, and whether their directories may go."""

    async def submit(self, attempt: Attempt) -> str:
        """Hand over an attempt, together with whoever else is waiting to. Raises as `Backend.submit`."""
        if attempt.id in self._ids:
            return self._ids[attempt.id]
        renderer = self._renderer(await self._site.paths())
        job = renderer.job(attempt)
        ready = _Ready(job, renderer.submit_command(attempt, job) if renderer.batch else "")
        if attempt.again and (found := await self._locate(attempt)):
            return found
        self._files.remember(job)
        await self._files.bring(attempt, job.steps[0].cwd)
        self._ids[attempt.id] = await self._submit(ready)
        return self._ids[attempt.id]

    async def poll(self, jobs: Collection[Job], *, sweep: bool) -> Mapping[str, JobState]:
        """One round trip: the records, and with `sweep` what the launcher says of jobs that left none."""
        script = Script()
        open_jobs = [job for job in jobs if job.attempt not in self._records and job.attempt not in self._stuck]
        if sweep:
            self._launcher.add_sweep(script, open_jobs)
        acknowledged = self._add_records(script, open_jobs)
        doubtful = [job for job in open_jobs if job.id is None]
        self._add_traces(script, doubtful)
        pieces = await self._call(script)
        for attempt in acknowledged:
            self._acknowledged.pop(attempt, None)
            self._records.pop(attempt, None)
        self._take_records(pieces)
        swept = self._launcher.swept(pieces, open_jobs) if sweep else None
        states = dict(swept.states) if swept else {}
        states |= self._traced(pieces, doubtful)
        if swept and swept.stuck:
            await self._end_stuck([job for job in open_jobs if job.attempt in swept.stuck], swept.stuck)
        await self._follow([job for job in open_jobs if _is_missing(states.get(job.attempt))], states)
        return states | {job.attempt: self._ended(job) for job in jobs if self._has_ended(job)}

    async def result(self, job: Job) -> Outcome:
        """From the record, and where a signal ended the command, from who is said to have sent it."""
        record = self._records.get(job.attempt)
        if record is None and job.attempt in self._stuck:
            reason = self._stuck[job.attempt]
            return Outcome(Verdict.STUCK, detail=f"{job.id} can never start: {reason}. Cancelled")
        if record is None:
            await self.poll([job], sweep=False)
            record = self._records.get(job.attempt)
        if record is None:
            raise TransportError(f"{self._site.name}: {job.attempt} has left no exit record")
        outcome = record.outcome()
        if record.provisional:
            outcome = _explained(outcome, await self._finding(job))
        return await self._files.with_streams(job.attempt, outcome)

    async def diagnose(self, jobs: Collection[Job]) -> Mapping[str, Outcome]:
        """Why they are MISSING, in one round trip. Those that the system still lists as live are left out."""
        findings = await self._findings(list(jobs))
        root = (await self._site.paths()).root
        found = {attempt: _unrecorded(finding, root) for attempt, finding in findings.items() if finding is not None}
        outcomes = await asyncio.gather(*(self._files.with_streams(*item) for item in found.items()))
        return dict(zip(found, outcomes, strict=True))

    async def cancel(self, jobs: Collection[Job], *, force: bool) -> None:
        """Ask for the jobs to be ended. One in doubt loses the start lock, so that it cannot begin any more."""
        jobs = list(jobs)
        doubtful = [job for job in jobs if job.id is None]
        if doubtful:
            jobs = [job for job in jobs if job.id is not None] + await self._claim(doubtful)
        script = Script()
        self._launcher.add_cancel(script, jobs, force=force)
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
            self._acknowledged[job.attempt] = verdict is Verdict.OK and not self._keep
            self._stuck.pop(job.attempt, None)
            self._ids.pop(job.attempt, None)
            self._known.discard(job.attempt)
            self._files.forget(job.attempt)

    async def aclose(self) -> None:
        """Let what is under way end, and pass on what was released last."""
        await self._submit.aclose()
        await self._explain.aclose()
        if self._acknowledged:
            with contextlib.suppress(BackendError):  # it stays in done/, where it does no harm
                script = Script()
                self._add_records(script, [])
                await self._site.call(script, timeout=20.0)
        self._site.close()

    async def _send(self, batch: Sequence[_Ready]) -> Sequence[str | BackendError]:
        root = f"{(await self._site.paths()).root}/"
        directories = [path for item in batch for path in item.job.directories()]
        contents = {path: content for item in batch for path, content in item.job.files().items()}
        script = Script()
        self._launcher.add_submit(script, [Submission(item.job.attempt.id, item.command) for item in batch])
        packed = archive(
            [path.removeprefix(root) for path in directories],
            {path.removeprefix(root): content for path, content in contents.items()},
        )
        try:
            pieces = await self._site.call(script, files=packed, timeout=120.0 + 5.0 * len(batch))
        except AnswerLostError as error:
            raise SubmitInDoubt(f"{self._site.name}: {error}") from error
        self._known |= {item.job.attempt.id for item in batch}
        return [self._submitted(pieces, item.job.attempt.id) for item in batch]

    def _submitted(self, pieces: Mapping[str, bytes], attempt: str) -> str | BackendError:
        try:
            return self._launcher.submitted(pieces, attempt)
        except BackendError as error:
            return error

    async def _call(self, script: Script) -> Mapping[str, bytes]:
        pieces = await self._site.call(script)
        if "end" not in pieces:
            raise TransportError(f"{self._site.name}: the answer from {self._site.driver.where} was cut off")
        return pieces

    def _add_records(self, script: Script, jobs: Collection[Job]) -> Sequence[str]:
        """The records in `done/`; before, those go to `seen/` that were delivered, and are in the journal."""
        acknowledged = list(self._acknowledged)
        script.add(_RECORDS)
        for start in range(0, len(acknowledged), 200):
            script.add(f"ck_acknowledge {' '.join(acknowledged[start : start + 200])}")
        for attempt in acknowledged:
            if self._acknowledged[attempt]:
                script.add(f"ck_prune {attempt}")
        script.add("ck_piece done; ck_records done/*")
        new = [job.attempt for job in jobs if job.attempt not in self._known]
        for attempt in new:
            script.add(f"ck_records seen/{attempt}")
        self._known |= set(new)
        return acknowledged

    def _take_records(self, pieces: Mapping[str, bytes]) -> None:
        for line in pieces.get("done", b"").decode("utf-8", "replace").splitlines():
            attempt, _, text = line.partition(" ")
            record = Record.parse(text)
            if record is not None:
                self._records[attempt] = record

    def _add_traces(self, script: Script, jobs: Collection[Job]) -> None:
        """What submits of unknown fate have left: the start lock, and what `submit` printed."""
        script.add(_TRACES)
        for job in jobs:
            script.add(f"ck_trace {job.attempt}")

    def _traced(self, pieces: Mapping[str, bytes], jobs: Collection[Job]) -> Mapping[str, JobState]:
        states: dict[str, JobState] = {}
        for job in jobs:
            owner = self._owner(pieces, job.attempt)
            printed = None if job.attempt not in pieces else self._submitted(pieces, job.attempt)
            if owner is not None:
                states[job.attempt] = JobState(Phase.RUNNING, id=owner)
            elif isinstance(printed, str):
                states[job.attempt] = JobState(Phase.QUEUED, id=printed)
        return states

    def _owner(self, pieces: Mapping[str, bytes], attempt: str) -> str | None:
        """The job that has the start lock."""
        owner = pieces.get(f"{attempt} owner", b"").decode("utf-8", "replace").strip()
        return owner if owner != _CANCELLED and owner and self._launcher.is_job(owner) else None

    async def _follow(self, missing: Sequence[Job], states: dict[str, JobState]) -> None:
        """A job that vanished may have been a copy: whoever has the start lock is followed instead."""
        known = [job for job in missing if job.id is not None]
        if not known:
            return
        script = Script()
        self._add_traces(script, known)
        pieces = await self._call(script)
        for job in known:
            owner = self._owner(pieces, job.attempt)
            if owner not in {None, job.id}:
                states[job.attempt] = JobState(Phase.RUNNING, id=owner)

    async def _end_stuck(self, jobs: Sequence[Job], reasons: Mapping[str, str]) -> None:
        """What can never start is cancelled, and only then called ended."""
        script = Script()
        self._launcher.add_cancel(script, jobs, force=False)
        await self._call(script)
        self._stuck |= {job.attempt: reasons[job.attempt] for job in jobs}

    def _has_ended(self, job: Job) -> bool:
        return job.attempt in self._records or job.attempt in self._stuck

    def _ended(self, job: Job) -> JobState:
        record = self._records.get(job.attempt)
        learned = record is not None and job.id is None and self._launcher.is_job(record.job_id)
        return JobState(Phase.ENDED, id=record.job_id if record is not None and learned else None)

    async def _locate(self, attempt: Attempt) -> str | None:
        """The id under which an earlier submit of this attempt arrived, if it did."""
        states = await self.poll([Job(attempt.id, attempt.run)], sweep=True)
        state = states.get(attempt.id)
        if state is None or state.id is None:
            return None
        self._ids[attempt.id] = state.id
        return state.id

    async def _claim(self, jobs: Sequence[Job]) -> list[Job]:
        """Take the start locks; return the jobs that had them first, or whose ids `submit` printed."""
        script = Script()
        script.add(_TRACES)
        for job in jobs:
            script.add(f"ck_claim {job.attempt} {_CANCELLED}")
        self._add_traces(script, jobs)
        traced = self._traced(await self._call(script), jobs)
        return [replace(job, id=traced[job.attempt].id) for job in jobs if job.attempt in traced]

    async def _finding(self, job: Job) -> Finding | None:
        for look in range(_LOOKS):
            if look:
                await asyncio.sleep(_LOOK_DELAY)
            try:
                finding = await self._explain(job)
            except BackendError as error:
                _log.info("%s: cannot ask why %s ended: %s", self._site.name, job.id, error)
                continue
            if finding is not None:
                return finding
        return None

    async def _ask_why(self, jobs: Sequence[Job]) -> Sequence[Finding | None]:
        findings = await self._findings(jobs)
        return [findings.get(job.attempt) for job in jobs]

    async def _findings(self, jobs: Sequence[Job]) -> Mapping[str, Finding | None]:
        script = Script()
        self._launcher.add_diagnose(script, jobs)
        return self._launcher.diagnosed(await self._call(script), jobs)


def _is_missing(state: JobState | None) -> bool:
    return state is not None and state.phase is Phase.MISSING


def _unrecorded(finding: Finding, root: str) -> Outcome:
    """How a job ended that left no record."""
    if finding.verdict not in {Verdict.OK, Verdict.FAILED}:
        return Outcome(finding.verdict, detail=finding.words)
    detail = f"the system says {finding.words}, but no exit record came: do the workers see {root}?"
    return Outcome(Verdict.LOST, detail=detail)


def _explained(outcome: Outcome, finding: Finding | None) -> Outcome:
    """A record that a signal wrote, with the system's word on who sent it."""
    if finding is None:
        return outcome
    if finding.verdict in {Verdict.OK, Verdict.FAILED}:
        return replace(outcome, verdict=Verdict.FAILED) if outcome.exit_codes else outcome
    return replace(outcome, verdict=finding.verdict, detail=finding.words)


_RECORDS = r"""
touch done # an NFS client then reads the directory anew
ck_records() { # files
  local file line
  for file; do
    [ ! -e "$file" ] || { IFS= read -r line <"$file" && printf '%s %s\n' "${file##*/}" "$line"; }
  done
}
ck_acknowledge() { # attempts
  local attempt
  for attempt; do
    [ ! -e "done/$attempt" ] || set -- "$@" "done/$attempt"
    shift
  done
  [ $# = 0 ] || mv -f -- "$@" seen/
}
ck_prune() { # attempt: what is ours goes; what the user's command has written stays
  local file
  rm -f -- "tasks/$1"/{job,env,start,wrapper.log,sched.log,submit.out,submit.err,submit.status} "tasks/$1"/cmd.*
  for file in "tasks/$1"/{stdout,stderr}; do [ -s "$file" ] || rm -f -- "$file"; done
  rmdir -- "tasks/$1/work" "tasks/$1" 2>/dev/null
}
""".strip()

_TRACES = r"""
ck_trace() { # attempt
  [ ! -L "tasks/$1/start" ] || { ck_piece "$1 owner"; readlink "tasks/$1/start"; }
  ck_submitted "$1"
}
ck_claim() { # attempt, owner
  (umask 077; mkdir -p "tasks/$1"; ln -s "$2" "tasks/$1/start" 2>/dev/null)
}
""".strip()
