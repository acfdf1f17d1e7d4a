"""An event loop whose clock jumps to whatever comes next: an hour of waiting in no time, with nothing left out."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

__all__ = ["run_fast"]

_T = TypeVar("_T")


def run_fast(main: Coroutine[Any, Any, _T]) -> _T:
    """Run it on a clock of its own, which must do without threads and processes: they take real time."""
    with asyncio.Runner(loop_factory=_FastLoop) as runner:
        return runner.run(main)


class _FastLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._now = 0.0
        super().__init__(_Impatient(self))

    def time(self) -> float:
        return self._now

    def pass_time(self, seconds: float) -> None:
        self._now += seconds


class _Impatient(selectors.DefaultSelector):
    """What would have waited lets the time pass instead."""

    def __init__(self, loop: _FastLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout:
            self._loop.pass_time(timeout)
        return super().select(0 if timeout is not None else None)
