"""Holds submits back while a system takes none, and lets them in gradually once it does again."""

from __future__ import annotations

import asyncio
import random
from collections import deque

__all__ = ["Gate"]


class Gate:
    """Open until `defer`; then one submit at a time is tried, twice as many after each success.

    So a limit that refuses 500 waiting submits costs one call per back-off, not 500.
    """

    def __init__(self, *, first_delay: float = 0.5, longest_delay: float = 60.0) -> None:
        self._first_delay = first_delay
        self._longest_delay = longest_delay
        self._refusals = 0
        self._window: float = float("inf")
        self._inside = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def open(self) -> bool:
        """Nothing holds submits back."""
        return self._window == float("inf")

    def enter(self) -> asyncio.Future[None] | None:
        """Pass at once (None), or a future that resolves when this submit may be tried. Then `left` must be called."""
        if self._timer is None and self._inside < self._window:
            self._inside += 1
            return None
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        return future

    def left(self, *, accepted: bool) -> None:
        """A submit that had passed is over. `accepted`: the system took it, or refused it for itself alone."""
        self._inside -= 1
        if accepted and self._timer is None:
            self._refusals = 0
            self._window *= 2
            self._admit()

    def defer(self, retry_after: float | None = None) -> float:
        """The system takes none for now. Close for its wish, or a growing, jittered delay; return it in seconds."""
        if self._timer is not None:  # others of the same burst were refused already
            left = max(0.0, self._timer.when() - asyncio.get_running_loop().time())
            if retry_after is None or retry_after <= left:
                return left
            self._timer.cancel()
        delay = min(self._longest_delay, self._first_delay * 2**self._refusals)
        delay = retry_after if retry_after is not None else random.uniform(delay / 2, delay)  # noqa: S311 - jitter
        self._refusals += 1
        self._window = 1
        self._timer = asyncio.get_running_loop().call_later(delay, self.reopen)
        return delay

    def reopen(self) -> None:
        """Try one now: the delay is over, or a job has ended and may have made room."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._admit()

    def forsake(self, future: asyncio.Future[None]) -> None:
        """Stop waiting for `future`, whether or not it has resolved."""
        if future in self._waiting:
            self._waiting.remove(future)
        else:
            self._inside -= 1
            self._admit()

    def close(self) -> None:
        """Cancel the timer; nobody waits any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _admit(self) -> None:
        while self._waiting and self._timer is None and self._inside < self._window:
            future = self._waiting.popleft()
            if not future.done():
                self._inside += 1
                future.set_result(None)
        if not self._waiting and not self._refusals:
            self._window = float("inf")
