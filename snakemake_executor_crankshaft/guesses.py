"""Which of a job's sizes nobody wrote down.

Depending on its version and on `--default-resources`, Snakemake gives every rule a `mem_mb` and a `disk_mb` that it
makes up from the size of the inputs. They look like a request, and are none: a backend's own `defaults` know better.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from snakemake_executor_crankshaft.interface import GroupJob, Job, SingleJob

__all__ = ["guesses"]

_FORMULAS: Mapping[str, Callable[[float], tuple[float, ...]]] = {
    "mem_mb": lambda size: (min(max(2 * size, 1000), 8000),),
    "disk_mb": lambda size: (max(2 * size, 1000), 50_000),
}
"""From MB of input, as in `Resources.DEFAULTS["full"]` of Snakemake 9.27 and `DefaultResources` of 9.4. A job without
input is given 50 GB of disk."""


def guesses(job: Job) -> frozenset[str]:
    """The sizes that Snakemake made up; of a group, those it made up for every job in it."""
    members = list(cast("GroupJob", job).jobs) if job.is_group() else [cast("SingleJob", job)]
    return frozenset(name for name in _FORMULAS if all(_guessed(name, member) for member in members))


def _guessed(name: str, job: SingleJob) -> bool:
    if not _may_be_made_up(job.rule.resources.get(name)):
        return False
    value = job.resources.get(name)
    return isinstance(value, int) and any(abs(value - guess) <= 1 for guess in _FORMULAS[name](job.input.size_mb))


def _may_be_made_up(written: Any) -> bool:
    """What a person wrote is a number, or, since Snakemake has a class for it, keeps its text in `raw`."""
    if hasattr(written, "is_evaluable"):
        return bool(written.is_evaluable()) and written.raw is None
    return callable(written)
