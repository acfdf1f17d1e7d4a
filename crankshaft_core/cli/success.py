"""What a person may want to know of a task that succeeded: the job to look up, where others keep a record of it."""

from __future__ import annotations

from crankshaft_core.config import BackendConfig, GenericConfig
from crankshaft_core.task import TaskResult

__all__ = ["is_on_record", "success_line"]


def is_on_record(backend: BackendConfig) -> bool:
    """A scheduler, or another machine, ran it; a process of this machine, or a container, leaves nothing to look up."""
    return isinstance(backend, GenericConfig) and (backend.job_id_regex is not None or backend.locale.kind != "Local")


def success_line(result: TaskResult) -> str:
    """Which job it was, where it ran, and how it ended."""
    facts = [f"{result.backend} job {result.job_id}"]
    if result.node is not None:
        facts.append(f"node {result.node}")
    facts.append(f"exit code {result.exit_code}")
    if result.started is not None and result.ended is not None:
        facts.append(f"{result.ended - result.started:.1f} s")
    return f"{result.name}: {', '.join(facts)}"
