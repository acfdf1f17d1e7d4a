"""What happens to tasks and backends, in the words of the command and of both adapters."""

from __future__ import annotations

from collections.abc import Callable

from crankshaft_core.events import (
    BackendRecovered,
    BackendUnreachable,
    Event,
    TaskCancelled,
    TaskEnded,
    TaskEvent,
    TaskFailed,
    TaskHeld,
    TaskQueued,
    TaskRetried,
    TaskStarted,
    TaskSubmitted,
)
from crankshaft_core.task import TaskResult, Verdict

__all__ = ["WAITING_LONGER", "Notices", "line_of"]

WAITING_LONGER: tuple[type[Event], ...] = (TaskHeld, TaskRetried, BackendUnreachable, BackendRecovered)
"""What a person who waits should hear of: it will take longer than they think."""


class Notices:
    """A subscriber that says events of these kinds, each line once until another is said: a thousand tasks may be
    held for one reason."""

    def __init__(self, say: Callable[[str], object], *, of: tuple[type[Event], ...] = WAITING_LONGER) -> None:
        self._say = say
        self._kinds = of
        self._last = ""

    def __call__(self, event: Event) -> None:
        """Say it, if it is of these kinds and news."""
        if isinstance(event, self._kinds) and (line := line_of(event)) != self._last:
            self._say(line)
            self._last = line


def line_of(event: Event) -> str:
    """One line that names the task, its job and its backend, as far as the event is about them."""
    match event:
        case BackendUnreachable():
            jobs = "1 job" if event.live == 1 else f"{event.live} jobs"
            return f"{event.backend}: {event.reason}; {jobs} unaffected; retrying in {event.retry_in:.0f} s"
        case BackendRecovered():
            return f"{event.backend}: answers again"
        case TaskHeld():
            return f"{event.backend} takes no more jobs for now: {event.reason}"
        case TaskFailed():
            return str(event.error)  # which names the task
        case _:
            return f"{event.name}: {_of_task(event)}"


def _of_task(event: TaskEvent) -> str:
    match event:
        case TaskQueued():
            return f"waiting for a place on {event.backend}"
        case TaskSubmitted():
            return f"job {event.job_id} on {event.backend}{', taken up again' if event.attached else ''}"
        case TaskStarted():
            return f"job {event.job_id} runs on {event.backend}"
        case TaskRetried():
            why = f" ({event.reason})" if event.reason else ""
            return f"{_words(event.verdict)} on {event.backend}{why}; trying again"
        case TaskEnded():
            return _ended(event.result)
        case TaskCancelled():
            return f"cancelled on {event.backend}"
        case _:
            raise AssertionError(f"no words for {type(event).__name__}")


def _ended(result: TaskResult) -> str:
    how = _words(result.verdict) if result.exit_code is None else f"exit code {result.exit_code}"
    place = f" at {result.node}" if result.node else ""
    return f"job {result.job_id} on {result.backend} ended{place}: {how}"


def _words(verdict: Verdict) -> str:
    return verdict.replace("_", " ")
