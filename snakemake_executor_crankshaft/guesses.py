"""Which of a job's sizes nobody wrote down.

With an executor of ours Snakemake gives every rule `mem_mb` and `disk_mb`, made up from the size of its inputs
(`Resources.DEFAULTS["full"]`). They look like a request, and are none: a backend's own `defaults` know better.
"""

from __future__ import annotations

from typing import Any, cast

from snakemake_executor_crankshaft.interface import GroupJob, Job, SingleJob

__all__ = ["guesses"]

_SIZES = ("mem_mb", "disk_mb")


def guesses(job: Job) -> frozenset[str]:
    """The sizes that Snakemake made up; of a group, those it made up for every job in it."""
    members = list(cast("GroupJob", job).jobs) if job.is_group() else [cast("SingleJob", job)]
    return frozenset(name for name in _SIZES if all(_guessed(name, member) for member in members))


def _guessed(name: str, job: SingleJob) -> bool:
    written = job.rule.resources.get(name)
    # what a person wrote is a number, or an expression whose text is kept
    if written is None or not written.is_evaluable() or written.raw is not None:
        return False
    return bool(job.resources.get(name) == _evaluate(name, job))


def _evaluate(name: str, job: SingleJob) -> object:
    from snakemake.resources import Resources

    builtin: Any = Resources.default("full")
    rule: Any = job.rule
    return (
        builtin[name]
        .evaluate(
            job.wildcards,
            input=job.input,
            attempt=job.attempt,
            threads=job.threads,
            rulename=rule.name,
            async_run=rule.workflow.async_run,
        )
        .value
    )
