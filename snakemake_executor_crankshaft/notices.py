"""What happens to tasks and backends, as lines of Snakemake's log."""

from __future__ import annotations

from collections.abc import Callable

from crankshaft_core.events import BackendRecovered, BackendUnreachable, Event, TaskHeld, TaskRetried, TaskSubmitted

__all__ = ["Notices"]


class Notices:
    """Says each thing once until another one is said: a thousand tasks are held for one reason."""

    def __init__(self, say: Callable[[str], object]) -> None:
        self._say = say
        self._last = ""

    def __call__(self, event: Event) -> None:
        """Say it, if a person waiting for the workflow should hear of it."""
        text = _text(event)
        if text and text != self._last:
            self._say(text)
            self._last = text


def _text(event: Event) -> str:
    match event:
        case TaskSubmitted():
            again = ", taken up again" if event.attached else ""
            return f"{event.name}: job {event.job_id} on {event.backend}{again}"
        case TaskHeld():
            return f"{event.backend} takes no more jobs for now: {event.reason}"
        case TaskRetried():
            return f"{event.name}: {event.verdict.replace('_', ' ')} on {event.backend}, once more. {event.reason}"
        case BackendUnreachable():
            return f"{event.backend}: {event.reason}; {event.live} jobs unaffected; retrying in {event.retry_in:.0f} s"
        case BackendRecovered():
            return f"{event.backend}: reached again"
        case _:
            return ""
