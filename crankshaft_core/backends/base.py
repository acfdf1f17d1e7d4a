"""The one seam a new kind of backend implements.

The engine owns time: limits, cadence, back-off, grace, retry, cancellation, staging and the journal. A backend owns
translation: what this system calls submit, state, exit code and kill. It makes short calls, waits for no job, and
keeps nothing that a killed client would miss: everything it needs to find a job again derives from a `Job`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Literal, Protocol

from crankshaft_core.backends.leavings import Cleaning, Leftover
from crankshaft_core.staging import Reach, StagedInput
from crankshaft_core.task import Output, Task, Verdict

__all__ = [
    "Attempt",
    "Backend",
    "Cadence",
    "Cleaning",
    "Health",
    "Job",
    "JobState",
    "Leftover",
    "Outcome",
    "Phase",
    "Reach",
    "Shown",
    "StagedInput",
]


class Phase(Enum):
    """Where a job is. MISSING: a *successful* query did not list it, which is neither success nor failure."""

    QUEUED = "queued"
    RUNNING = "running"
    ENDED = "ended"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try at a task. Directory, lock, record, container name and tags all derive from `id`.

    `id` matches `[a-z][a-z0-9-]{0,14}`, is unique among all runs of a user, and is a legal name for a job, a
    container, a label and a file. Every retry is a new attempt.
    """

    id: str
    run: str
    """The run's id; the first part of `id`."""
    number: int
    """1 for the first try."""
    task: Task
    """With the backend's defaults and attributes under its own."""
    inputs: tuple[StagedInput, ...] = ()
    scratch: Path | None = None
    """A directory of this attempt's own on this machine; None if nothing was staged."""
    again: bool = False
    """True when an earlier submit of this very attempt was left in doubt: look before making a second one."""

    def repeated(self) -> Attempt:
        """The same attempt, marked as submitted before."""
        return self if self.again else dataclasses.replace(self, again=True)


@dataclass(frozen=True, slots=True)
class Job:
    """What finds an attempt again on its system, also in another process. `id` is None while a submit is in doubt."""

    attempt: str
    run: str
    id: str | None = None


@dataclass(frozen=True, slots=True)
class JobState:
    """What one poll tells of one job. `id` is given when the poll learned the job's id, or that it changed."""

    phase: Phase
    reason: str = ""
    """Why it waits, in the system's words."""
    id: str | None = None
    node: str | None = None
    started: float | None = None
    """Seconds since the epoch, where the poll tells."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A job that the system itself tells of, whether or not there is a journal that does."""

    job: Job
    state: JobState | None
    """None: whether it lives cannot be told."""
    name: str = ""
    """The task's name, where the system keeps it."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a job ended, as the system tells it. Times are seconds since the epoch, sizes GiB."""

    verdict: Verdict
    exit_codes: tuple[int, ...] = ()
    detail: str = ""
    stdout: str | None = None
    stderr: str | None = None
    stdout_tail: str = ""
    stderr_tail: str = ""
    node: str | None = None
    queued: float | None = None
    started: float | None = None
    ended: float | None = None
    peak_ram: float | None = None
    cpu_time: float | None = None


@dataclass(frozen=True, slots=True)
class Cadence:
    """How often the engine may ask, and how long it waits. All in seconds."""

    poll: float = 1.0
    """Between two polls while jobs end."""
    slowest_poll: float = 15.0
    """Between two polls when nothing has ended for long."""
    sweep: float = 30.0
    """Between two polls with `sweep=True`."""
    grace: float = 30.0
    """MISSING for so long before `diagnose` is asked; three looks, one grace apart, before a job is lost."""
    kill_after: float = 10.0
    """From the first `cancel` to `cancel(force=True)`."""
    cancel_timeout: float = 60.0
    """From the first `cancel` to CancelUnconfirmed."""
    in_doubt: float = 30.0
    """From a submit left in doubt to its repetition with `attempt.again`."""


@dataclass(frozen=True, slots=True)
class Health:
    """What `check` found: one line for a person, what else is worth knowing, and what may go wrong soon."""

    ok: bool
    summary: str
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


class Backend(Protocol):
    """A place where tasks run. Called on one event loop; raises only errors of `crankshaft_core.errors`."""

    @property
    def cadence(self) -> Cadence:
        """How often it may be asked."""
        ...

    @property
    def reach(self) -> Reach:
        """What it can be brought and what it sees."""
        ...

    @property
    def enforces_time(self) -> bool:
        """The system itself ends a task that runs longer than `resources.time`. Where False the engine does."""
        ...

    def listen(self, wake: Callable[[], None]) -> None:
        """Keep `wake`, and call it on the loop when a job is known to have changed. Never calling it is right too."""
        ...

    def script(self, attempt: Attempt) -> str:
        """What `submit` would run, for a dry run: readable, without secrets. Raises as `submit` would refuse."""
        ...

    async def submit(self, attempt: Attempt) -> str:
        """Hand the attempt over and return the system's own job id, at once: it never waits for the work.

        Idempotent per `attempt.id`: called twice, the work runs once. Waiting calls may travel together.
        Raises SubmitError (refused), SubmitDeferred or TransportError (not accepted, may be repeated later),
        SubmitInDoubt (no telling), StagingError.
        """
        ...

    async def poll(self, jobs: Collection[Job], *, sweep: bool) -> Mapping[str, JobState]:
        """Ask once, for all of `jobs`; the answer is keyed by attempt id.

        A job absent from the answer is no information. One that has ended is reported ENDED each time it is among
        `jobs`, until it is released. A job without an id is looked for by its attempt. With `sweep`, also ask what
        costs the system something. Raises TransportError when nothing could be learned; that fails no task.
        """
        ...

    async def result(self, job: Job) -> Outcome:
        """How a job that `poll` called ENDED came out. Raises TransportError if it cannot be asked now."""
        ...

    async def diagnose(self, jobs: Collection[Job]) -> Mapping[str, Outcome]:
        """Why these are MISSING, keyed by attempt id, in one batch. A job absent from the answer: nothing is known."""
        ...

    async def cancel(self, jobs: Collection[Job], *, force: bool) -> None:
        """Ask for the jobs to be ended; idempotent. `force` ends what ignored the first asking.

        A job without an id is in doubt: see to it that it does not run, should the system have it or get it late.

        The engine polls on until each is ENDED or MISSING.
        """
        ...

    async def collect(self, job: Job, outputs: Sequence[Output], scratch: Path) -> Mapping[str, Path | None]:
        """Make the outputs readable here: `Output.path` to a file or directory on this machine.

        A path with wildcards maps to the directory its matches are in. None: the worker has written `Output.url`
        itself. `outputs` are the task's, or some of them. Raises StagingError naming every output that is not there.
        """
        ...

    async def read(self, job: Job, stream: Literal["stdout", "stderr"], offset: int) -> bytes:
        """What the job has written to `stream` so far, from byte `offset` on; at most 1 MiB a call.

        Empty when there is nothing more for now, and always where the system shows output only at the end.
        """
        ...

    async def release(self, ended: Mapping[Job, Verdict]) -> None:
        """These outcomes are journalled and their outputs collected: what was kept of them may go."""
        ...

    async def shown(self) -> Sequence[Shown]:
        """The caller's jobs of every run that have not ended, as far as the system knows them. Changes nothing.

        Raises TransportError. A job that is in it can be polled and cancelled by its `Job`.
        """
        ...

    async def clean(self, cleaning: Cleaning) -> Sequence[Leftover]:
        """Remove what runs have left that are the caller's, have nothing alive, and that `cleaning` does not spare.

        Tells of everything it found, also of what it left and why. Raises TransportError.
        """
        ...

    async def check(self) -> Health:
        """Is it reachable and usable? Harmless. Raises nothing for a place that is down: it says so."""
        ...

    async def aclose(self) -> None:
        """Let go of connections. Jobs are not touched."""
        ...
