"""A word to a person whose task may still be in the queue."""

from __future__ import annotations

import asyncio
from typing import Protocol

from crankshaft_core.cli.terminal import say
from crankshaft_core.events import Event, TaskStarted, TaskSubmitted

__all__ = ["Patience", "Queued"]

_SECONDS = 3.0
"""A task that starts sooner has not been waited for."""


class Queued(Protocol):
    """A task that may wait: a TaskHandle."""

    @property
    def reason(self) -> str: ...  # noqa: D102
    def done(self) -> bool: ...  # noqa: D102


class Patience:
    """Says once under which job id a task is to be found that nobody has seen running yet, and why. A subscriber.

    It may run all the same: most systems are not asked about a job before its record is late.
    """

    def __init__(self, task: Queued) -> None:
        self._task = task
        self._timer: asyncio.TimerHandle | None = None

    def __call__(self, event: Event) -> None:
        """Wait from the submit on; a start ends the waiting."""
        if isinstance(event, TaskSubmitted) and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_SECONDS, self._say, event)
        elif isinstance(event, TaskStarted) and self._timer is not None:
            self._timer.cancel()

    def _say(self, event: TaskSubmitted) -> None:
        if not self._task.done():
            why = f", which waits: {self._task.reason}" if self._task.reason else ""
            say(f"{event.name}: {event.backend} job {event.job_id}{why}")
