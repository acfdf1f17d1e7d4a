"""What differs between a scheduler's jobs and processes on another machine: pure text in, pure text out."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from crankshaft_core.backends.base import Job, JobState
from crankshaft_core.backends.generic.frames import Script
from crankshaft_core.task import Verdict

__all__ = ["Finding", "Launcher", "Submission", "Sweep"]


@dataclass(frozen=True, slots=True)
class Submission:
    """An attempt, and the filled `submit` that hands it over."""

    attempt: str
    command: str


@dataclass(frozen=True, slots=True)
class Finding:
    """How a job ended, as the system tells it, and in which words."""

    verdict: Verdict
    words: str


@dataclass(frozen=True, slots=True)
class Sweep:
    """What a sweep tells of the jobs, by attempt. One that is in neither: no information."""

    states: Mapping[str, JobState] = field(default_factory=dict[str, JobState])
    stuck: Mapping[str, str] = field(default_factory=dict[str, str])
    """Those that can never start, and why."""


class Launcher(Protocol):
    """Adds to a script what starts, lists, ends or explains jobs, and reads what that printed."""

    @property
    def explains(self) -> bool:
        """It can be asked who ended a command."""
        ...

    @property
    def lags(self) -> bool:
        """What it cannot say now it may know in a second or two."""
        ...

    @property
    def user_jobs(self) -> int | None:
        """Jobs of the user that the last listing showed, from whatever source, and those submitted since."""
        ...

    def is_job(self, owner: str) -> bool:
        """The owner of a start lock is a job's id, by which it can be followed."""
        ...

    def add_submit(self, script: Script, submissions: Sequence[Submission], *, at_once: int) -> None:
        """Start them, so many side by side. Their files are there; the script is in the run's directory."""
        ...

    def submitted(self, pieces: Mapping[str, bytes], attempt: str) -> str:
        """The job's id. Raises what `Backend.submit` raises."""
        ...

    def add_sweep(self, script: Script, jobs: Collection[Job]) -> None:
        """Ask what has become of jobs that left no exit record."""
        ...

    def swept(self, pieces: Mapping[str, bytes], jobs: Collection[Job]) -> Sweep:
        """What the sweep found."""
        ...

    def trouble(self, pieces: Mapping[str, bytes]) -> str | None:
        """What the system said instead of an answer to the sweep; None: it answered."""
        ...

    def add_cancel(self, script: Script, jobs: Collection[Job], *, force: bool) -> None:
        """Ask for jobs to be ended."""
        ...

    def add_diagnose(self, script: Script, jobs: Collection[Job]) -> None:
        """Ask how jobs ended."""
        ...

    def diagnosed(
        self, pieces: Mapping[str, bytes], jobs: Collection[Job], *, recorded: bool
    ) -> Mapping[str, Finding | None]:
        """How they ended; None for one that the system still lists as live. A job absent: nothing is known.

        `recorded`: they have left exit records, so one that waits in the queue waits for a second time.
        """
        ...
