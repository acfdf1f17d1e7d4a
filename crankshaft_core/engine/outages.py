"""What goes wrong with one backend: told once, and a reason to ask it less often until it answers again."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Literal

from crankshaft_core.backends.base import Cadence
from crankshaft_core.engine.results import reason_of
from crankshaft_core.errors import AuthenticationError
from crankshaft_core.events import BackendRecovered, BackendUnreachable, Event, LoginRefused

__all__ = ["LOCKED_OUT", "Outages"]

LOCKED_OUT = 300.0
"""Seconds between two tries at a system that does not let us in: accounts get locked by trying."""
_LONGEST_DELAY = 60.0
"""Seconds between two polls while none comes through."""
_LONGEST_SWEEP_DELAY = 600.0
"""Seconds between two sweeps while the system does not answer them. Records of jobs are read all the same."""
_DOUBLINGS = 16


class Outages:
    """Failures in a row, of polls and of sweeps. `live` tells how many jobs go on all the same."""

    def __init__(
        self, name: str, cadence: Cadence, *, publish: Callable[[Event], None], live: Callable[[], int]
    ) -> None:
        self._name = name
        self._cadence = cadence
        self._publish = publish
        self._live = live
        self._polls = 0
        self._sweeps = 0
        self._told = False
        self.polls_let_in: Callable[[], None] = _nobody
        """Called when polls are let in again: a new login may serve submits as well."""
        self._shut_out: set[str] = set()
        """What was refused for want of a login since it last passed: polls, submits."""

    @property
    def slowdown(self) -> float:
        """By how much polls are to be rarer while sweeps are not answered: a system in trouble is not pressed."""
        return 2.0 if self._sweeps else 1.0

    @property
    def silent(self) -> bool:
        """The last sweep was not answered."""
        return self._sweeps > 0

    @property
    def unreachable(self) -> bool:
        """The last poll failed."""
        return self._polls > 0

    def failed(self, error: Exception) -> float:
        """A poll failed. Returns the seconds until the next: jittered, doubling up to a minute."""
        self._polls += 1
        if isinstance(error, AuthenticationError):
            self.locked_out(error, by="poll")
            delay = LOCKED_OUT
        else:
            delay = min(_LONGEST_DELAY, self._cadence.poll * 2.0 ** min(self._polls, _DOUBLINGS))
        delay = random.uniform(delay / 2, delay)  # noqa: S311 - jitter
        self._tell(reason_of(error, backend=self._name), delay)
        return delay

    def answered(self) -> None:
        """A poll came through."""
        self._polls = 0
        self.let_in(by="poll")

    def unanswered(self, reason: str, *, usual: float) -> float:
        """A sweep was not answered. Returns the seconds until the next, after twice as long as before."""
        self._sweeps += 1
        delay = min(max(usual, _LONGEST_SWEEP_DELAY), usual * 2.0 ** min(self._sweeps, _DOUBLINGS))
        self._tell(reason, delay)
        return delay

    def swept(self) -> None:
        """A sweep was answered."""
        self._sweeps = 0
        self._recover()

    def locked_out(self, error: AuthenticationError, *, by: Literal["poll", "submit"]) -> None:
        """The system does not let us in any more: told once, with what to do, until it does again."""
        if not self._shut_out:
            self._told = True
            reason = error.message.removeprefix(f"{self._name}: ")
            self._publish(LoginRefused(self._name, reason, self._live(), error.advice))
        self._shut_out.add(by)

    def let_in(self, *, by: Literal["poll", "submit"]) -> None:
        """It let us in."""
        news = by in self._shut_out
        self._shut_out.discard(by)
        self._recover()
        if news and by == "poll":
            self.polls_let_in()

    def _tell(self, reason: str, retry_in: float) -> None:
        if not self._told:
            self._told = True
            self._publish(BackendUnreachable(self._name, reason, self._live(), retry_in))

    def _recover(self) -> None:
        if self._told and not (self._polls or self._sweeps or self._shut_out):
            self._told = False
            self._publish(BackendRecovered(self._name))


def _nobody() -> None:
    """Nobody waits for a login."""
