"""What a waiting person should hear of: a subscriber that says the events which mean waiting longer."""

from __future__ import annotations

from crankshaft_core.cli.terminal import say
from crankshaft_core.events import BackendRecovered, BackendUnreachable, Event, TaskHeld, TaskRetried

__all__ = ["Notices"]


class Notices:
    """Says each thing once until another one is said: a queue that refuses a thousand tasks does so for one reason."""

    def __init__(self) -> None:
        self._last = ""

    def __call__(self, event: Event) -> None:
        """Say it, if it is worth saying."""
        text = _text(event)
        if text and text != self._last:
            say(text)
            self._last = text


def _text(event: Event) -> str:
    match event:
        case BackendUnreachable():
            tasks = "1 task goes" if event.live == 1 else f"{event.live} tasks go"
            return f"{event.backend}: {event.reason}; {tasks} on, trying again in {event.retry_in:.0f} s"
        case BackendRecovered():
            return f"{event.backend}: answers again"
        case TaskHeld():
            return f"{event.backend}: waiting to submit: {event.reason}"
        case TaskRetried():
            why = f" ({event.reason})" if event.reason else ""
            return f"{event.name}: {event.verdict.replace('_', ' ')}{why}; trying again"
        case _:
            return ""
