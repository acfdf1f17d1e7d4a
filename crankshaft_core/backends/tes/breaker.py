"""Keeps a dead or overloaded server from being asked once per task: it is asked once per back-off."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

__all__ = ["Breaker", "backoff"]

_FIRST_DELAY = 0.5
_LONGEST_DELAY = 30.0


def backoff(failures: int) -> float:
    """Seconds to wait after so many failures in a row: exponential with full jitter, 0.5 to 30 s at most."""
    return random.uniform(0, min(_LONGEST_DELAY, _FIRST_DELAY * 2 ** min(failures, 10)))  # noqa: S311 - jitter


class Breaker:
    """Closed while the server answers. Opens when it is gone, or after `threshold` failures in a row.

    Open, it lets nothing through until a back-off is over, and then one request, whose fate decides. Not thread-safe:
    it belongs to one event loop.
    """

    def __init__(
        self,
        *,
        threshold: int = 5,
        delay: Callable[[int], float] = backoff,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._threshold = threshold
        self._delay = delay
        self._clock = clock
        self._failures = 0
        self._openings = 0
        self._open_until: float | None = None
        self._paused_until = 0.0
        self._probing = False

    def admit(self) -> float:
        """0 if a request may go now, and then its fate must be told; else in how many seconds to come again."""
        now = self._clock()
        if now < self._paused_until:
            return self._paused_until - now
        if self._open_until is None:
            return 0.0
        if now < self._open_until:
            return self._open_until - now
        if self._probing:
            return _FIRST_DELAY
        self._probing = True
        return 0.0

    def answered(self) -> None:
        """The server answered like one that works."""
        self._failures = self._openings = 0
        self._open_until = None
        self._probing = False

    def failed(self, *, gone: bool) -> None:
        """No answer, or one of a server in trouble. `gone`: nothing even listens there."""
        self._failures += 1
        if gone or self._probing or self._failures >= self._threshold:
            self._openings += 1
            # at least half of the longest, so that full jitter cannot make a dead server's back-off vanish
            floor = min(_LONGEST_DELAY, _FIRST_DELAY * 2 ** min(self._openings - 1, 10)) / 2
            self._open_until = self._clock() + max(floor, self._delay(self._openings))
        self._probing = False

    @property
    def paused(self) -> bool:
        """It holds requests back because the server asked for that, and not because it seems dead."""
        return self._clock() < self._paused_until

    def abandoned(self) -> None:
        """The request was given up by the caller: its fate tells nothing."""
        self._probing = False

    def pause(self, seconds: float) -> None:
        """The server asked everybody to wait (429)."""
        self._probing = False
        self._paused_until = max(self._paused_until, self._clock() + seconds)
