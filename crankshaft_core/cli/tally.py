"""How many tasks came to what end, and what is said of them at the last."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from crankshaft_core.cli.terminal import say
from crankshaft_core.errors import BackendError, LostTaskError, SubmitError
from crankshaft_core.events import Event, TaskCancelled, TaskEnded, TaskFailed, TaskSubmitted
from crankshaft_core.task import TaskResult

__all__ = ["Tally"]

_FAILURES_SAID = 20
_SLOWEST = 3


class Tally:
    """Counts the ends of tasks, and unless `quiet` says the first failures as they come. A subscriber of an engine."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self.ok = 0
        self.submitted = 0
        self.failures: Counter[str] = Counter()
        """By how they ended."""
        self._slowest: list[tuple[float, str]] = []
        self._said: set[str] = set()
        """A refusal in the same words is said once; `TasksRefused` tells how many there are."""

    @property
    def ended(self) -> int:
        """How many came to whatever end."""
        return self.ok + self.failures.total()

    def __call__(self, event: Event) -> None:
        """Take in what happened."""
        match event:
            case TaskSubmitted():
                self.submitted += 1
            case TaskEnded():
                self._take_result(event.result)
            case TaskFailed():
                self._take_error(event.error)
            case TaskCancelled():
                self.failures["cancelled"] += 1
            case _:
                pass

    def summary(self, seconds: float) -> list[str]:
        """Lines: how many, by how they ended, and which took longest."""
        ends = {"ok": self.ok, **dict(self.failures.most_common())}
        counts = ", ".join(f"{count} {how}" for how, count in ends.items())
        tasks = "1 task" if self.ended == 1 else f"{self.ended} tasks"
        slowest = ", ".join(f"{name} {took:.1f} s" for took, name in self._slowest)
        return [f"{tasks} in {seconds:.1f} s: {counts}", *([f"slowest: {slowest}"] if slowest else [])]

    def _take_result(self, result: TaskResult) -> None:
        self._time(result)
        if result.ok:
            self.ok += 1
        else:
            self._fail(result.verdict, result.failure_message())

    def _take_error(self, error: BaseException) -> None:
        result = error.result if isinstance(error, BackendError) else None
        if result is not None:
            self._time(result)
        self._fail(result.verdict if result is not None else _word_for(error), str(error))

    def _fail(self, how: str, message: str) -> None:
        self.failures[how.replace("_", " ")] += 1
        if self._quiet or message in self._said or len(self._said) >= _FAILURES_SAID:
            return
        self._said.add(message)
        say(message)
        if len(self._said) == _FAILURES_SAID:
            say("further failures are only counted")

    def _time(self, result: TaskResult) -> None:
        if result.started is not None and result.ended is not None:
            self._slowest = _longest([*self._slowest, (result.ended - result.started, result.name)])


def _word_for(error: BaseException) -> str:
    if isinstance(error, LostTaskError):
        return "lost"
    return "rejected" if isinstance(error, SubmitError) else "error"


def _longest(times: Iterable[tuple[float, str]]) -> list[tuple[float, str]]:
    return sorted(times, key=lambda pair: -pair[0])[:_SLOWEST]
