"""Snakemake as a Slurm job itself: why Slurm tells it to end."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping

__all__ = ["end_of_allocation"]

_SECONDS = 10
"""To ask in. Slurm kills what it told to end after KillWait, 30 s by default (slurm.conf(5))."""
_FIELD = re.compile(r"(\w+)=(\S*)")


def end_of_allocation(environ: Mapping[str, str]) -> str | None:
    """Why the allocation that this process runs in ends, if nobody wanted its jobs to: its time, or a requeue.

    None where somebody ended it, where there is no allocation, and where Slurm does not say.
    """
    job = environ.get("SLURM_JOB_ID")
    return _reason(_shown(job), before=environ.get("SLURM_RESTART_COUNT", "0"), job=job) if job else None


def _shown(job: str) -> Mapping[str, str]:
    """What Slurm's controller knows of the job."""
    command = ("scontrol", "--oneliner", "show", "job", job)
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return {}
    return dict(_FIELD.findall(done.stdout))


def _reason(known: Mapping[str, str], *, before: str, job: str) -> str | None:
    """Slurm counts a restart when it takes the job back into the queue."""
    if known.get("Reason") == "TimeLimit":
        return f"The time of Slurm job {job} is up"
    if known.get("Restarts", before) != before:
        return f"Slurm job {job} is requeued"
    return None
