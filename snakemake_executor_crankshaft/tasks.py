"""A Snakemake job as a task."""

from __future__ import annotations

from typing import cast

from crankshaft_core.task import Execution, Task
from snakemake_executor_crankshaft.interface import GroupJob, Job, Target
from snakemake_executor_crankshaft.resources import Request

__all__ = ["task_of", "title"]


def task_of(job: Job, execution: Execution, request: Request, *, run: str) -> Task:
    """The task that does the job's work by `execution`. `run` is the run's id, which the description names."""
    return Task(
        name=title(job),
        description=f"{run}: {_description(job)}",
        executions=(execution,),
        resources=request.resources,
        attributes=request.attributes,
    )


def title(job: Job) -> str:
    """What people call the job: `align[sample=s3]`, or a group's name with its rules."""
    if job.is_group():
        return f"{cast('GroupJob', job).groupid}[{', '.join(sorted(set(job.rules)))}]"
    target = job.get_target_spec()[0]
    return f"{target.rulename}[{_wildcards(target)}]" if target.wildcards_dict else target.rulename


def _description(job: Job) -> str:
    targets = job.get_target_spec()
    if job.is_group():
        return f"group of {len(targets)} jobs, rules {', '.join(sorted(set(job.rules)))}"
    wildcards = _wildcards(targets[0])
    return f"rule {targets[0].rulename}{', ' + wildcards if wildcards else ''}, job {job.jobid}"


def _wildcards(target: Target) -> str:
    return ",".join(f"{name}={value}" for name, value in target.wildcards_dict.items())
