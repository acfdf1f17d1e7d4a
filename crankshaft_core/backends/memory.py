"""A backend in this process's memory: tasks are not run, but end as told. For tests of what stands on the engine.

It keeps every promise of the protocol, and its `System` outlives the backend, as a real system outlives its clients.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from crankshaft_core.backends.base import (
    Attempt,
    Cadence,
    Cleaning,
    Health,
    Job,
    JobState,
    Leftover,
    Outcome,
    Phase,
    Shown,
)
from crankshaft_core.errors import BackendError
from crankshaft_core.staging import Reach
from crankshaft_core.task import Output, Verdict

__all__ = ["MemoryBackend", "System"]


@dataclass(slots=True)
class _Record:
    attempt: Attempt
    job: str
    phase: Phase = Phase.RUNNING
    outcome: Outcome | None = None


@dataclass(slots=True)
class System:
    """What a scheduler would be: it knows every attempt handed to it, and how often its work was begun."""

    records: dict[str, _Record] = field(default_factory=dict[str, _Record])
    runs: dict[str, int] = field(default_factory=dict[str, int])
    """How often the work of each attempt was begun: never more than once, if all is well."""
    instant: bool = False
    """Every task ends well as soon as it is submitted."""
    calls: dict[str, int] = field(default_factory=dict[str, int])
    """How often each method was called."""
    faults: dict[str, list[BackendError]] = field(default_factory=dict[str, list[BackendError]])
    """What the next calls of a method raise; a fault named "submitted" strikes after the system took the attempt."""
    ignores_cancel: bool = False
    """Jobs end by `cancel(force=True)` only."""
    deaf: bool = False
    """Jobs do not end by cancelling at all."""

    def end(self, attempt: str, verdict: Verdict = Verdict.OK, *, exit_codes: tuple[int, ...] = (0,)) -> None:
        """The job of this attempt ends."""
        record = self.records[attempt]
        record.phase, record.outcome = Phase.ENDED, Outcome(verdict, exit_codes)

    def lose(self, attempt: str, why: Outcome | None = None) -> None:
        """The system no longer lists the job, and knows `why` if asked."""
        record = self.records[attempt]
        record.phase, record.outcome = Phase.MISSING, why

    def note(self, method: str) -> None:
        """Count the call; raise the fault that is due."""
        self.calls[method] = self.calls.get(method, 0) + 1
        due = self.faults.get(method)
        if due:
            raise due.pop(0)


class MemoryBackend:
    """The `Backend` protocol over a `System`."""

    def __init__(self, system: System, *, cadence: Cadence | None = None) -> None:
        self.cadence = cadence or Cadence()
        self.reach = Reach(local_paths=True)
        self.enforces_time = False
        self._system = system
        self._wake: Callable[[], None] = lambda: None

    def listen(self, wake: Callable[[], None]) -> None:
        """See `Backend.listen`."""
        self._wake = wake

    def script(self, attempt: Attempt) -> str:
        """The commands, one a line."""
        return "\n".join(execution.shell_text for execution in attempt.task.executions)

    async def submit(self, attempt: Attempt) -> str:
        """See `Backend.submit`."""
        self._system.note("submit")
        if attempt.id not in self._system.records:
            self._system.records[attempt.id] = _Record(attempt, f"job-{len(self._system.records) + 1}")
            self._system.runs[attempt.id] = self._system.runs.get(attempt.id, 0) + 1
            if self._system.instant:
                self._system.end(attempt.id)
        if self._system.faults.get("submitted"):
            self._system.note("submitted")
        return self._system.records[attempt.id].job

    async def poll(self, jobs: Collection[Job], *, sweep: bool) -> Mapping[str, JobState]:
        """See `Backend.poll`; a job that the system lost is MISSING in a sweep."""
        self._system.note("poll")
        answer: dict[str, JobState] = {}
        for job in jobs:
            record = self._system.records.get(job.attempt)
            if record is None or record.phase is Phase.MISSING:
                if sweep:
                    answer[job.attempt] = _MISSING
            elif record.phase is Phase.ENDED and job.id is not None:
                answer[job.attempt] = _ENDED
            else:
                answer[job.attempt] = JobState(record.phase, id=record.job)
        return answer

    async def result(self, job: Job) -> Outcome:
        """See `Backend.result`."""
        self._system.note("result")
        outcome = self._system.records[job.attempt].outcome
        assert outcome is not None, "asked for the result of a job that has not ended"
        return outcome

    async def diagnose(self, jobs: Collection[Job]) -> Mapping[str, Outcome]:
        """See `Backend.diagnose`."""
        self._system.note("diagnose")
        records = {job.attempt: self._system.records.get(job.attempt) for job in jobs}
        return {name: record.outcome for name, record in records.items() if record and record.outcome}

    async def cancel(self, jobs: Collection[Job], *, force: bool) -> None:
        """See `Backend.cancel`."""
        self._system.note("kill" if force else "cancel")
        for job in jobs:
            record = self._system.records.get(job.attempt)
            obeys = not self._system.deaf and (force or not self._system.ignores_cancel)
            if record is not None and record.phase in (Phase.QUEUED, Phase.RUNNING) and obeys:
                self._system.end(job.attempt, Verdict.CANCELLED, exit_codes=(143,))
        self._wake()

    async def collect(self, job: Job, outputs: Sequence[Output], scratch: Path) -> Mapping[str, Path | None]:
        """The paths as they were declared."""
        del job, scratch
        return {output.path: Path(output.path) for output in outputs}

    async def read(self, job: Job, stream: Literal["stdout", "stderr"], offset: int) -> bytes:
        """Nothing is ever written."""
        del job, stream, offset
        return b""

    async def release(self, ended: Mapping[Job, Verdict]) -> None:
        """See `Backend.release`."""
        self._system.note("release")
        for job in ended:
            self._system.records.pop(job.attempt, None)

    async def shown(self) -> Sequence[Shown]:
        """See `Backend.shown`."""
        self._system.note("shown")
        live = [item for item in self._system.records.values() if item.phase in (Phase.QUEUED, Phase.RUNNING)]
        return [
            Shown(Job(item.attempt.id, item.attempt.run, item.job), JobState(item.phase), item.attempt.task.name)
            for item in live
        ]

    async def clean(self, cleaning: Cleaning) -> Sequence[Leftover]:
        """Forget the runs that have nothing alive. Memory knows no age."""
        self._system.note("clean")
        live = {shown.job.run for shown in await self.shown()}
        runs = {item.attempt.run for item in self._system.records.values() if cleaning.concerns(item.attempt.run)}
        found = [Leftover("records", run, kept=self._kept(run, live, cleaning)) for run in sorted(runs)]
        gone = {item.run for item in found if not item.kept and not cleaning.dry_run}
        for attempt in [name for name, item in self._system.records.items() if item.attempt.run in gone]:
            del self._system.records[attempt]
        return found

    @staticmethod
    def _kept(run: str, live: Collection[str], cleaning: Cleaning) -> str:
        return "has live jobs" if run in live else cleaning.spares(run, float("inf"))

    async def check(self) -> Health:
        """Memory is always there."""
        return Health(ok=True, summary="in memory")

    async def aclose(self) -> None:
        """Nothing to let go of."""


_MISSING = JobState(Phase.MISSING)
_ENDED = JobState(Phase.ENDED)
