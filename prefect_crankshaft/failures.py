"""Jobs that ended without a result, as errors of the task run."""

from __future__ import annotations

import sys

from crankshaft_core.errors import CrankshaftError, OutOfMemoryError, TimeLimitError
from crankshaft_core.not_found import NOT_FOUND, what_was_not_found
from crankshaft_core.task import TaskResult

__all__ = ["JobCrashed", "JobEnded", "RemoteTraceback", "advised", "crash_message"]


class JobEnded(Exception):
    """The job ended without a result, and the task run may be retried."""


class JobCrashed(BaseException):
    """The job ended without a result and no retry is left: Prefect records the state Crashed."""


class RemoteTraceback(Exception):
    """The worker's traceback, shown as the cause of the function's exception."""

    def __str__(self) -> str:
        return "\n" + str(self.args[0])


def advised(error: CrankshaftError) -> str:
    """What the core says of it, and which option of the task helps."""
    match error:
        case OutOfMemoryError():
            return f"{error}. Raise `ram` of this task"
        case TimeLimitError():
            return f"{error}. Raise `time` of this task"
        case _:
            return str(error)


def crash_message(ended: TaskResult, *, image: str | None, python: str) -> str:
    """One line for a person, with the backend's job id, how it ended and the tail of its stderr."""
    said = what_was_not_found(ended.stderr_tail)
    if ended.exit_code == NOT_FOUND and "shared library" not in said:
        where = f"image {image!r}" if image else f"{ended.backend}{f' ({ended.node})' if ended.node else ''}"
        needed = "Python {}.{}".format(*sys.version_info)
        advice = f"{where} has no {python}; this flow needs {needed} {'in the image' if image else 'there'}."
        return advice if said else f"{advice} {_tail(ended)}".rstrip()
    return (
        f"{ended.failure_message()} (no result was left)" if not ended.ok else f"{ended.name}: its result was cut short"
    )


def _tail(ended: TaskResult) -> str:
    last = ended.stderr_tail.strip().rsplit("\n", 1)[-1]
    return f"stderr: {last}" if last else ""
