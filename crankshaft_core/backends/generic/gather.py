"""Calls that travel together: while a round trip is under way the waiting ones gather, the next takes them all."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from crankshaft_core.errors import BackendError

__all__ = ["Allowance", "Gather"]

_Item = TypeVar("_Item")
_Answer = TypeVar("_Answer")


class Allowance:
    """So many a second, in bursts: a bucket that fills at `rate` and holds `burst`."""

    def __init__(self, rate: float, *, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._burst = max(1, burst)
        self._clock = clock
        self._held = float(self._burst)
        self._since = clock()

    def take(self, most: int) -> int:
        """Up to `most` of what there is now; 0 when it is empty."""
        now = self._clock()
        self._held = min(self._burst, self._held + (now - self._since) * self._rate)
        self._since = now
        taken = min(most, int(self._held))
        self._held -= taken
        return taken

    @property
    def wait(self) -> float:
        """Seconds until there is one more."""
        return max(0.0, (1 - self._held) / self._rate)


class Gather(Generic[_Item, _Answer]):
    """Turns single calls into batches of at most `most`, of which at most `trips` are under way at a time.

    `send` answers each item of a batch, in order, with its answer or the error that its caller gets. A caller that is
    cancelled does not stop a batch that has been sent.
    """

    def __init__(
        self,
        send: Callable[[Sequence[_Item]], Awaitable[Sequence[_Answer | BackendError]]],
        *,
        most: int,
        trips: int = 1,
        allowance: Allowance | None = None,
    ) -> None:
        self._send = send
        self._most = most
        self._trips = asyncio.Semaphore(trips)
        self._allowance = allowance
        self._waiting: deque[tuple[_Item, asyncio.Future[_Answer]]] = deque()
        self._worker: asyncio.Task[None] | None = None
        self._under_way: set[asyncio.Task[None]] = set()

    @property
    def waiting(self) -> int:
        """Calls that are in no batch yet."""
        return len(self._waiting)

    async def __call__(self, item: _Item) -> _Answer:
        """The item's answer, from the batch it travels in."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[_Answer] = loop.create_future()
        self._waiting.append((item, future))
        if self._worker is None or self._worker.done():
            self._worker = loop.create_task(self._work())
        return await future

    async def aclose(self) -> None:
        """Let what is under way come to its end."""
        if self._worker is not None:
            await asyncio.wait([self._worker])
        if self._under_way:
            await asyncio.wait(self._under_way)

    async def _work(self) -> None:
        await asyncio.sleep(0)  # whoever calls in this turn of the loop comes along
        while self._waiting:
            await self._trips.acquire()
            batch = await self._batch()
            trip = asyncio.get_running_loop().create_task(self._deliver(batch))
            self._under_way.add(trip)
            trip.add_done_callback(self._arrived)

    def _arrived(self, trip: asyncio.Task[None]) -> None:
        self._under_way.discard(trip)
        self._trips.release()

    async def _batch(self) -> list[tuple[_Item, asyncio.Future[_Answer]]]:
        wanted = min(self._most, len(self._waiting))
        taken = wanted
        if self._allowance is not None:
            await asyncio.sleep(self._allowance.wait)
            taken = max(1, self._allowance.take(wanted))
        batch = [self._waiting.popleft() for _ in range(taken)]
        return [(item, future) for item, future in batch if not future.cancelled()]

    async def _deliver(self, batch: list[tuple[_Item, asyncio.Future[_Answer]]]) -> None:
        answers: Sequence[_Answer | BackendError | Exception]
        try:
            answers = await self._send([item for item, _ in batch]) if batch else []
        except Exception as error:  # noqa: BLE001 - whatever it is, it must reach every caller that waits for it
            answers = [error] * len(batch)
        for (_, future), answer in zip(batch, answers, strict=True):
            if future.done():
                continue
            if isinstance(answer, Exception):
                future.set_exception(answer)
            else:
                future.set_result(answer)
