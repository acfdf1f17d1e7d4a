"""Tasks that a system refuses, one like the other: told once with a count, and not tried any more after ten."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from crankshaft_core.errors import SubmitError
from crankshaft_core.events import Event, TasksRefused
from crankshaft_core.task import Task

__all__ = ["Refusals"]

_ENOUGH = 10
"""Refusals with the same words and no success in between, after which tasks like these are not tried any more."""
_PAUSE = 60.0
"""Seconds after which one is tried again: an administrator may have set it right."""
_TOLD_AFTER = 1.0
"""Seconds from a refusal to its being told, if others come until then."""


@dataclass(slots=True)
class _Refusal:
    """All that were refused in the same words."""

    backend: str
    words: str
    in_a_row: int = 0
    asked: set[str] = field(default_factory=set[str])
    """The requests of those in a row, as far as they differ."""
    last_try: float = 0.0
    count: int = 0
    told: int = 0

    def holds(self, task: Task) -> bool:
        """Trying it is of no use, now that ten were refused: it asks for the same, or those asked for anything."""
        return len(self.asked) >= _ENOUGH or _request(task) in self.asked


class Refusals:
    """The refusals of one backend's submits."""

    def __init__(self, *, publish: Callable[[Event], None]) -> None:
        self._publish = publish
        self._refusals: dict[str, _Refusal] = {}
        self._row: list[_Refusal] = []
        """Those since the last success."""
        self._often: list[_Refusal] = []
        """Those of them that came ten times."""
        self._timer: asyncio.TimerHandle | None = None

    def standing(self, task: Task) -> SubmitError | None:
        """What the system has said often enough of such a task. It counts as refused, and the system is not asked.

        None: try it. Once a minute one of those that are held is tried.
        """
        refusal = next((refusal for refusal in self._often if refusal.holds(task)), None)
        if refusal is None:
            return None
        now = _now()
        if now - refusal.last_try >= _PAUSE:
            refusal.last_try = now
            return None
        self._count(refusal)
        return SubmitError(refusal.words)

    def refused(self, backend: str, task: Task, error: SubmitError) -> None:
        """The system refused this task."""
        refusal = self._refusals.setdefault(str(error), _Refusal(backend, str(error)))
        if not refusal.in_a_row:
            self._row.append(refusal)
        refusal.in_a_row += 1
        if refusal.in_a_row == _ENOUGH:
            self._often.append(refusal)
        if len(refusal.asked) < _ENOUGH:
            refusal.asked.add(_request(task))
        refusal.last_try = _now()
        self._count(refusal)

    def accepted(self) -> None:
        """The system took a task: everything may be tried."""
        for refusal in self._row:
            refusal.in_a_row = 0
            refusal.asked.clear()
        self._row.clear()
        self._often.clear()

    def tell(self) -> None:
        """Tell what has come together, where that is news."""
        for refusal in self._refusals.values():
            if refusal.count >= max(2, 2 * refusal.told):
                self._tell(refusal)

    def close(self) -> None:
        """Tell the last of it. Nobody submits any more."""
        if self._timer is not None:
            self._timer.cancel()
        for refusal in self._refusals.values():
            if refusal.count >= max(2, refusal.told + 1):
                self._tell(refusal)

    def _count(self, refusal: _Refusal) -> None:
        refusal.count += 1
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_TOLD_AFTER, self._tell_in_time)

    def _tell_in_time(self) -> None:
        self._timer = None
        self.tell()

    def _tell(self, refusal: _Refusal) -> None:
        refusal.told = refusal.count
        words = refusal.words.removeprefix(f"{refusal.backend}: ")
        self._publish(TasksRefused(refusal.backend, words, refusal.count))


def _request(task: Task) -> str:
    """What a system judges a task by: rules of a workflow give many tasks one name and one request."""
    images = [execution.image for execution in task.executions]
    return repr((task.name, task.resources, sorted(task.attributes.items()), images))


def _now() -> float:
    return asyncio.get_running_loop().time()
