"""Which jobs run their own command directly: those to which an inner Snakemake has nothing to add."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain
from typing import Any

from snakemake_executor_crankshaft.interface import Job

__all__ = ["Flags", "reason_against"]


@dataclass(frozen=True, slots=True)
class Flags:
    """What the command line says that bears on it."""

    storage: bool = False
    """Files get to jobs and back through a storage provider."""
    conda: bool = False
    apptainer: bool = False
    env_modules: bool = False
    """`--software-deployment-method`."""
    cache: bool = False
    precommand: bool = False


def reason_against(job: Job, flags: Flags) -> str | None:
    """Why the job needs an inner Snakemake; None if it does not. The rule's command is not looked at."""
    if job.is_group():
        return "it is in a group"
    if flags.storage:
        return "files go through a storage provider"
    if flags.precommand:
        return "there is a --precommand"
    single: Any = job
    return next((reason for reason, holds in _REASONS if holds(single, flags)), None)


_Test = Callable[[Any, Flags], Any]
"""Truth, of a job of one rule."""

_REASONS: tuple[tuple[str, _Test], ...] = (
    ("it has a script", lambda job, _: job.is_script),
    ("it has a notebook", lambda job, _: job.is_notebook),
    ("it has a wrapper", lambda job, _: job.is_wrapper),
    ("it has a CWL tool", lambda job, _: job.is_cwl),
    ("it renders a template", lambda job, _: job.is_template_engine),
    ("it runs Python code", lambda job, _: not job.is_shell),
    ("it hands over to another system", lambda job, _: job.rule.is_handover),
    ("it has a shadow directory", lambda job, _: job.is_shadow),
    ("it has a conda environment", lambda job, flags: flags.conda and job.rule.conda_env),
    ("its container is run by --sdm apptainer", lambda job, flags: flags.apptainer and job.container_img_url),
    ("it has environment modules", lambda job, flags: flags.env_modules and job.rule.env_modules),
    ("it has a benchmark", lambda job, _: job.rule.benchmark),
    ("its output is cached between workflows", lambda job, flags: flags.cache and _is_cached(job)),
    ("it has files in a storage", lambda job, _: any(getattr(file, "is_storage", False) for file in _files(job))),
    ("it is connected by a pipe or a service", lambda job, _: _is_flagged(job, "pipe", "service")),
    ("it has files that stay on the node", lambda job, _: _is_flagged(job, "nodelocal")),
)


def _is_cached(job: Any) -> bool:
    return bool(job.rule.cache and job.rule.cache.output)


def _files(job: Any) -> chain[Any]:
    return chain(job.input, job.output, job.log)


def _is_flagged(job: Any, *flags: str) -> bool:
    return any(flag in getattr(file, "flags", {}) for file in _files(job) for flag in flags)
