"""The places of one backend: `max_tasks` holds for all engines of one configuration in a process."""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections import deque

__all__ = ["Lane", "shared_lane"]


class Lane:
    """At most `places` holders at once, first come, first served, across threads and event loops."""

    def __init__(self, places: int | None) -> None:
        self._free = float("inf") if places is None else places
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._mutex = threading.Lock()

    def enter(self) -> asyncio.Future[None] | None:
        """Take a place at once and return None, or queue up and return a future that resolves with a place.

        Who no longer wants the place calls `leave(future)`, whether or not it has resolved.
        """
        with self._mutex:
            if self._free >= 1 and not self._waiting:
                self._free -= 1
                return None
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(future)
            return future

    def seize(self) -> None:
        """Take a place even if none is free: for a job that runs already, left by an earlier client."""
        with self._mutex:
            self._free -= 1

    def leave(self, waited: asyncio.Future[None] | None = None) -> None:
        """Give the place back; or, with the future of `enter`, stop waiting for it."""
        with self._mutex:
            if waited is not None and waited in self._waiting:
                self._waiting.remove(waited)
            else:
                self._free += 1
            while self._free >= 1 and self._waiting:
                self._free -= 1
                self._hand_over(self._waiting.popleft())

    def _hand_over(self, future: asyncio.Future[None]) -> None:
        try:
            future.get_loop().call_soon_threadsafe(_resolve, future)
        except RuntimeError:  # its loop is closed: nobody is left to take the place
            self._free += 1


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


_LANES: weakref.WeakValueDictionary[tuple[str, str], Lane] = weakref.WeakValueDictionary()
_LANES_MUTEX = threading.Lock()


def shared_lane(fingerprint: str, backend: str, places: int | None) -> Lane:
    """The one lane of this backend in this process; it lives as long as somebody holds it."""
    with _LANES_MUTEX:
        lane = _LANES.get((fingerprint, backend))
        if lane is None:
            lane = _LANES[fingerprint, backend] = Lane(places)
        return lane
