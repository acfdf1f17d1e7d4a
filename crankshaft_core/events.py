"""What happens to tasks and backends, as values, for whoever subscribes to an engine.

Subscribers are called on the engine's loop, in order, and must return at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from crankshaft_core.task import TaskResult, Verdict

__all__ = [
    "BackendRecovered",
    "BackendUnreachable",
    "Event",
    "LoginRefused",
    "Subscriber",
    "TaskCancelled",
    "TaskEnded",
    "TaskEvent",
    "TaskFailed",
    "TaskHeld",
    "TaskQueued",
    "TaskRetried",
    "TaskStarted",
    "TaskSubmitted",
    "TasksRefused",
]


@dataclass(frozen=True, slots=True)
class TaskEvent:
    """Something happened to the task `task` (its id within the engine) called `name`, on `backend`."""

    task: str
    name: str
    backend: str


@dataclass(frozen=True, slots=True)
class TaskQueued(TaskEvent):
    """It waits for a place among the backend's `max_tasks`."""


@dataclass(frozen=True, slots=True)
class TaskHeld(TaskEvent):
    """The system does not take it for now; `reason` says why. It is tried again."""

    reason: str


@dataclass(frozen=True, slots=True)
class TaskSubmitted(TaskEvent):
    """The system took it under `job_id`. `attached`: it had done so before, for an earlier client of this run."""

    attempt: str
    job_id: str
    attached: bool = False


@dataclass(frozen=True, slots=True)
class TaskStarted(TaskEvent):
    """A poll saw it running for the first time. Short tasks may end without it."""

    attempt: str
    job_id: str | None


@dataclass(frozen=True, slots=True)
class TaskRetried(TaskEvent):
    """An attempt ended with `verdict`, and the backend's `retry` gives it another."""

    attempt: str
    verdict: Verdict
    reason: str


@dataclass(frozen=True, slots=True)
class TaskEnded(TaskEvent):
    """Its commands came to their own end, with whatever exit code."""

    result: TaskResult


@dataclass(frozen=True, slots=True)
class TaskFailed(TaskEvent):
    """The machinery failed it; `error` is what the caller gets."""

    error: BaseException


@dataclass(frozen=True, slots=True)
class TaskCancelled(TaskEvent):
    """It was cancelled by the caller, and the system confirmed that nothing of it runs."""


@dataclass(frozen=True, slots=True)
class BackendUnreachable:
    """A call to `backend` failed, or its system does not answer. `live` tasks go on; it is tried again in `retry_in`
    seconds. `at`: seconds since the epoch. Told once, until BackendRecovered."""

    backend: str
    reason: str
    live: int
    retry_in: float
    at: float = field(default_factory=time.time, compare=False)


@dataclass(frozen=True, slots=True)
class BackendRecovered:
    """`backend` answers again."""

    backend: str


@dataclass(frozen=True, slots=True)
class LoginRefused:
    """`backend` does not let us in any more: submits wait, `live` tasks go on. `advice`: what to do. Told once."""

    backend: str
    reason: str
    live: int
    advice: str = ""


@dataclass(frozen=True, slots=True)
class TasksRefused:
    """`backend` refused `count` tasks by now, all for this `reason`; each has its TaskFailed besides.

    Told when two or more were refused: once the refusals come to a rest, and again whenever there are twice as many.
    """

    backend: str
    reason: str
    count: int


Event = TaskEvent | BackendUnreachable | BackendRecovered | LoginRefused | TasksRefused
Subscriber = Callable[[Event], None]
