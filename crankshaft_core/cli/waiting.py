"""A word to a person whose task is still in the queue."""

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
    """Says once that a task was submitted and has not started, under which job id and why. A subscriber."""

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
            why = f": {self._task.reason}" if self._task.reason else ""
            say(f"{event.name}: waits on {event.backend} as job {event.job_id}{why}")
