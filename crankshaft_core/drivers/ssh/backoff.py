"""When to try a broken connection again: later each time, and not all at once."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Backoff", "Timing"]


@dataclass(frozen=True, slots=True)
class Timing:
    """The clocks and the dice, so that tests can hold them."""

    monotonic: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    """Seconds since the epoch."""
    uniform: Callable[[float, float], float] = random.uniform


class Backoff:
    """Full jitter: after the n-th failure in a row, anything from 0 to 2**n seconds, but never more than `longest`."""

    def __init__(self, timing: Timing, *, longest: float = 60.0) -> None:
        self._timing = timing
        self._longest = longest
        self._failures = 0
        self._not_before = 0.0

    @property
    def remaining(self) -> float:
        """Seconds until the next try; 0 if it may be now."""
        return max(0.0, self._not_before - self._timing.monotonic())

    def failed(self) -> None:
        """Another failure."""
        self._failures += 1
        window = min(self._longest, 2.0 ** min(self._failures, 16))
        self._not_before = self._timing.monotonic() + self._timing.uniform(0.0, window)

    def succeeded(self) -> None:
        """All is well: the next try after a failure may be at once."""
        self._failures = 0
        self._not_before = 0.0
