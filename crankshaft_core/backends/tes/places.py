"""Where things are: paths inside the worker, and keys under the storage. Pure."""

from __future__ import annotations

import posixpath
import secrets
from dataclasses import dataclass

from crankshaft_core.task import Execution, Output, Task

__all__ = ["TASK_DIR", "Copy", "absolute", "is_pattern", "log_path", "pattern_root", "work_dir"]

TASK_DIR = "/crankshaft/task"
"""Where relative paths of a task resolve whose execution names no `work_dir`."""
_LOG_DIR = "/crankshaft/log"


@dataclass(frozen=True, slots=True)
class Copy:
    """One create request of one attempt. Should the server run two of them, their outputs cannot mix."""

    run: str
    attempt: str
    nonce: str

    @classmethod
    def new(cls, run: str, attempt: str) -> Copy:
        """A copy nobody has used before."""
        return cls(run, attempt, secrets.token_hex(4))

    def output_key(self, number: int, output: Output) -> str:
        """Where output `number` of the task goes, under the storage. With wildcards it is a directory."""
        name = posixpath.basename(output.path.rstrip("/"))
        tail = "" if is_pattern(output.path) else f"/{name}"
        return f"{self.outputs_key}/{number}{tail}"

    @property
    def outputs_key(self) -> str:
        """What holds the outputs of this copy, and may go once they are collected."""
        return f"{self.run}/{self.attempt}/out-{self.nonce}"

    def log_key(self, number: int, stream: str) -> str:
        """Where `stream` of execution `number` goes. It stays: the task's result points to it."""
        return f"{self.run}/{self.attempt}/log-{self.nonce}/{number}.{stream}"


def work_dir(execution: Execution) -> str:
    """The directory that relative paths of this execution resolve against."""
    return posixpath.normpath(posixpath.join(TASK_DIR, execution.work_dir or ""))


def absolute(path: str, task: Task) -> str:
    """A path of the task's own (an input, an output) as TES wants it: absolute, inside the container."""
    return posixpath.normpath(posixpath.join(work_dir(task.executions[0]), path))


def log_path(number: int, stream: str) -> str:
    """Where the worker keeps `stream` of execution `number` that the task itself does not name."""
    return f"{_LOG_DIR}/{number}.{stream}"


def is_pattern(path: str) -> bool:
    """It holds wildcards (POSIX, as TES 1.1 has them)."""
    return any(sign in path for sign in "*?[")


def pattern_root(path: str) -> str:
    """The directory above the first wildcard: what TES calls `path_prefix`."""
    parts = path.split("/")
    first = next(number for number, part in enumerate(parts) if is_pattern(part))
    return "/".join(parts[:first]) or "/"
