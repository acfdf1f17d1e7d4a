"""How containers, services and volumes are named and labelled, so that any client of a run finds them again."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from crankshaft_core.backends.base import Attempt

__all__ = [
    "ATTEMPT",
    "DIRECTORY",
    "EXECUTION",
    "EXECUTIONS",
    "RUN",
    "STDERR",
    "STDOUT",
    "TASK",
    "attempt_labels",
    "container_name",
    "execution_labels",
    "volume_name",
]

RUN = "crankshaft.run"
ATTEMPT = "crankshaft.attempt"
TASK = "crankshaft.task"
EXECUTION = "crankshaft.execution"
"""The number of the execution, from 0."""
EXECUTIONS = "crankshaft.executions"
"""How many the task has."""
DIRECTORY = "crankshaft.directory"
"""The attempt's directory on the machine that submitted it."""
STDOUT = "crankshaft.stdout"
"""The file in the container that the execution's stdout goes to, where it asks for one."""
STDERR = "crankshaft.stderr"


def container_name(attempt: str, execution: int) -> str:
    """`<attempt>-<i>`, also of a service."""
    return f"{attempt}-{execution}"


def volume_name(attempt: str, number: int) -> str:
    """`<attempt>-v<i>`: a directory that the executions share where nothing can be mounted from here."""
    return f"{attempt}-v{number}"


def attempt_labels(attempt: Attempt) -> dict[str, str]:
    """What everything made for the attempt carries."""
    return {RUN: attempt.run, ATTEMPT: attempt.id}


def execution_labels(attempt: Attempt, execution: int, directory: Path, streams: Mapping[str, str]) -> dict[str, str]:
    """What the container or service of one execution carries. `streams`: STDOUT and STDERR to their files."""
    return {
        **attempt_labels(attempt),
        TASK: attempt.task.name,
        EXECUTION: str(execution),
        EXECUTIONS: str(len(attempt.task.executions)),
        DIRECTORY: str(directory),
        **streams,
    }
