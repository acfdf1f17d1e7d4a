"""Where a task runs when nobody says: in the current directory, wherever the backend sees it."""

from __future__ import annotations

from pathlib import Path

from crankshaft_core.errors import ConfigError
from crankshaft_core.staging import Reach
from crankshaft_core.task import Execution, Task

__all__ = ["placed"]


def placed(task: Task, reach: Reach) -> Task:
    """The task with the working directory that a person at this prompt means.

    Where the backend sees this machine's files, a relative directory is relative to the current one, which is also
    the one where none is given, as with srun(1); a command in a container starts where its image says. Elsewhere
    nothing is changed. Raises ConfigError for a directory that should be here and is not.
    """
    if not reach.local_paths:
        return task
    executions = tuple(_placed(execution) for execution in task.executions)
    return task.model_copy(update={"executions": executions})


def _placed(execution: Execution) -> Execution:
    if execution.image is not None:
        return execution
    directory = Path.cwd() / (execution.work_dir or "")
    if not directory.is_dir():
        raise ConfigError(f"working directory {directory}: no such directory")
    return execution.model_copy(update={"work_dir": str(directory)})
