"""What the executor uses of Snakemake's jobs and log, as types."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol, cast

__all__ = ["GroupJob", "Job", "Logger", "Rule", "SingleJob", "Target", "members_of"]


class Target(Protocol):
    """A rule, and the wildcards of one of its jobs."""

    rulename: str
    wildcards_dict: Mapping[str, str]


class Rule(Protocol):
    """A rule as parsed; its resources are not evaluated yet."""

    name: str
    resources: Mapping[str, Any]
    workflow: Any


class Job(Protocol):
    """A job of one rule, or a group of jobs that run as one."""

    rules: Iterable[str]
    resources: Mapping[str, Any]
    threads: int
    attempt: int
    jobid: int | str
    is_local: bool

    def is_group(self) -> bool:
        """True for a GroupJob."""
        ...

    def get_target_spec(self) -> Sequence[Target]:
        """One for each job in it."""
        ...


class SingleJob(Job, Protocol):
    """A job of one rule."""

    rule: Rule
    input: Any
    output: Any
    log: Any
    params: Any
    shellcmd: str | None


class GroupJob(Job, Protocol):
    """Several jobs that run as one."""

    groupid: str
    jobs: Iterable[SingleJob]


class Logger(Protocol):
    """Snakemake's log."""

    def info(self, msg: str) -> object:
        """Say it."""
        ...


def members_of(job: Job) -> list[SingleJob]:
    """The jobs of a group, or the job itself."""
    return list(cast("GroupJob", job).jobs) if job.is_group() else [cast("SingleJob", job)]
