"""Things of one kind, gathered until they are enough or have waited long enough."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Sequence
from typing import Generic, TypeVar

__all__ = ["Batches"]

LINGER = 0.05
"""Seconds that a batch waits to become full: as long as it takes to submit the items of a `map`."""

Kind = TypeVar("Kind", bound=Hashable)
Item = TypeVar("Item")


class Batches(Generic[Kind, Item]):
    """Calls `start(kind, items)` on the running loop for each batch."""

    def __init__(self, start: Callable[[Kind, Sequence[Item]], None]) -> None:
        self._start = start
        self._waiting: dict[Kind, list[Item]] = {}
        self._timers: dict[Kind, asyncio.TimerHandle] = {}

    def add(self, kind: Kind, item: Item, *, most: int) -> None:
        """Put the item into the kind's batch, which starts when it holds `most`, or after `LINGER`."""
        batch = self._waiting.setdefault(kind, [])
        batch.append(item)
        if len(batch) >= most:
            self._flush(kind)
            return
        if (timer := self._timers.pop(kind, None)) is not None:
            timer.cancel()
        self._timers[kind] = asyncio.get_running_loop().call_later(LINGER, self._flush, kind)

    def _flush(self, kind: Kind) -> None:
        if (timer := self._timers.pop(kind, None)) is not None:
            timer.cancel()
        self._start(kind, self._waiting.pop(kind))
