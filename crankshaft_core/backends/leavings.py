"""What runs leave on a system, and what `crankshaft clean` may take of it. Values only."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["Cleaning", "Leftover", "is_run", "run_of"]

_RUN = re.compile(r"[a-z][a-z0-9]{6}")
_ATTEMPT = re.compile(r"([a-z][a-z0-9]{6})-\d+-\d+")
_ELSEWHERE = 86400.0
"""Seconds of silence after which a run of which no journal is here can have no client elsewhere any more."""


def is_run(name: str) -> bool:
    """It may be the id of a run."""
    return _RUN.fullmatch(name) is not None


def run_of(attempt: str) -> str | None:
    """The run of an attempt's id; None for a name that is no attempt's."""
    match = _ATTEMPT.fullmatch(attempt)
    return match[1] if match else None


@dataclass(frozen=True, slots=True)
class Leftover:
    """Something that a finished run left: removed, or left where it is for the reason `kept`."""

    what: str
    run: str
    size: float | None = None
    """GiB, where it is known."""
    kept: str = ""
    """Why it was not removed; empty: it was, or would be in a dry run."""
    young: bool = False
    """It was not removed because it is not old enough; there are many such, and nothing is wrong with them."""


@dataclass(frozen=True, slots=True)
class Cleaning:
    """What may go. Backends ask `spares` of each run; that nothing of it lives they know themselves."""

    older_than: float
    """Seconds since anything of the run has changed."""
    held: Mapping[str, str] = field(default_factory=dict[str, str])
    """Runs that are not to be touched, and why."""
    journalled: frozenset[str] = frozenset()
    """Runs of which a journal is here that nobody holds."""
    only: str | None = None
    """Only this run, which is thereby said to be the caller's own; None: every run."""
    dry_run: bool = False
    """Remove nothing, and tell what would be removed."""

    def concerns(self, run: str) -> bool:
        """It is asked for."""
        return self.only in (None, run)

    def claims(self, run: str) -> bool:
        """The caller's own, also where the system does not tell whose it is."""
        return run == self.only or run in self.journalled

    def spares(self, run: str, idle: float) -> str:
        """Why a run that has not changed for `idle` seconds is to be left; empty if it may go."""
        if run in self.held:
            return self.held[run]
        if idle < self.older_than:
            return f"changed {_ago(idle)}"
        if idle < _ELSEWHERE and not self.claims(run):
            return (
                f"changed {_ago(idle)}, and has no journal here: a client elsewhere may be at work on it. "
                f"If it is yours and done: --run {run}"
            )
        return ""

    def is_young(self, run: str, idle: float) -> bool:
        """Its age is the only thing that spares it."""
        return run not in self.held and idle < self.older_than


def _ago(seconds: float) -> str:
    for unit, length in (("d", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= length:
            return f"{seconds / length:.0f} {unit} ago"
    return "just now"
