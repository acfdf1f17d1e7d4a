"""What happens to tasks and backends, in the words of the command and of both adapters."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from crankshaft_core.events import (
    BackendRecovered,
    BackendUnreachable,
    Event,
    LoginRefused,
    TaskCancelled,
    TaskEnded,
    TaskEvent,
    TaskFailed,
    TaskHeld,
    TaskQueued,
    TaskRetried,
    TasksRefused,
    TaskStarted,
    TaskSubmitted,
)
from crankshaft_core.task import TaskResult, Verdict

__all__ = ["WAITING_LONGER", "Notices", "line_of"]

WAITING_LONGER: tuple[type[Event], ...] = (
    TaskHeld,
    TaskRetried,
    BackendUnreachable,
    BackendRecovered,
    LoginRefused,
    TasksRefused,
)
"""What a person who waits should hear of: it will take longer than they think, or come to less."""


class Notices:
    """A subscriber that says events of these kinds, each line once until another is said: a thousand tasks may be
    held for one reason."""

    def __init__(self, say: Callable[[str], object], *, of: tuple[type[Event], ...] = WAITING_LONGER) -> None:
        self._say = say
        self._kinds = of
        self._last = ""
        self._shut_out: set[str] = set()

    def __call__(self, event: Event) -> None:
        """Say it, if it is of these kinds and news."""
        if isinstance(event, self._kinds) and not self._is_known(event) and (line := line_of(event)) != self._last:
            self._say(line)
            self._last = line

    def _is_known(self, event: Event) -> bool:
        """That a task waits for a new login was said when the login was refused."""
        if isinstance(event, LoginRefused):
            self._shut_out.add(event.backend)
        elif isinstance(event, BackendRecovered):
            self._shut_out.discard(event.backend)
        return isinstance(event, TaskHeld) and event.backend in self._shut_out


def line_of(event: Event) -> str:
    """One line that names the task, its job and its backend, as far as the event is about them."""
    if not isinstance(event, TaskEvent):
        return f"{event.backend}: {_of_backend(event)}"
    match event:
        case TaskHeld():
            return f"{event.backend} takes no more jobs for now: {event.reason}"
        case TaskFailed():
            return str(event.error)  # which names the task
        case _:
            return f"{event.name}: {_of_task(event)}"


def _of_backend(event: BackendUnreachable | BackendRecovered | LoginRefused | TasksRefused) -> str:
    match event:
        case BackendUnreachable():
            since = f"{_dated(event.reason, event.at)}; {_counted(event.live, 'job')} unaffected"
            return f"{since}; retrying in {max(1, round(event.retry_in))} s."
        case BackendRecovered():
            return "answers again"
        case LoginRefused():
            jobs = f"{_counted(event.live, 'job')} continue{'s' if event.live == 1 else ''}, submits wait."
            return " ".join(filter(None, (_sentence(event.reason), jobs, _sentence(event.advice))))
        case TasksRefused():
            return f"{_sentence(event.reason)} {_counted(event.count, 'task')} not submitted."


def _dated(reason: str, at: float) -> str:
    """With the time at which it began, unless it tells that by itself."""
    said = reason.rstrip(".")
    return said if re.search(r"\b\d\d:\d\d\b", said) else f"{said} {time.strftime('%H:%M', time.localtime(at))}"


def _counted(count: int, noun: str) -> str:
    return f"1 {noun}" if count == 1 else f"{count} {noun}s"


def _sentence(text: str) -> str:
    return text if not text or text.endswith((".", "!", "?")) else f"{text}."


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
