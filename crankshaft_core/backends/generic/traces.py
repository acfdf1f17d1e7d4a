"""What a submit of unknown fate has left in its directory: the start lock, and what `submit` printed."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from crankshaft_core.backends.base import Job, JobState, Phase
from crankshaft_core.backends.generic.frames import Script
from crankshaft_core.backends.generic.launcher import Launcher
from crankshaft_core.errors import BackendError

__all__ = ["CANCELLED", "Traces"]

CANCELLED = "cancelled"
"""The owner of the start lock of an attempt that must not run any more."""


class Traces:
    """Adds to a script what looks for traces, and reads what it found."""

    def __init__(self, launcher: Launcher) -> None:
        self._launcher = launcher

    def add(self, script: Script, jobs: Collection[Job], *, claim: bool = False) -> None:
        """Look for the traces of these. With `claim`, take the start locks that are free, so that nobody else can."""
        script.add(_TRACES)
        for job in jobs:
            if claim:
                script.add(f"ck_claim {job.attempt} {CANCELLED}")
            script.add(f"ck_trace {job.attempt}")

    def found(self, pieces: Mapping[str, bytes], jobs: Collection[Job]) -> Mapping[str, JobState]:
        """Those that arrived, each with its job's id."""
        states = {job.attempt: self._state(pieces, job.attempt) for job in jobs}
        return {attempt: state for attempt, state in states.items() if state is not None}

    def _state(self, pieces: Mapping[str, bytes], attempt: str) -> JobState | None:
        owner = pieces.get(f"{attempt} owner", b"").decode("utf-8", "replace").strip()
        if owner and owner != CANCELLED and self._launcher.is_job(owner):
            return JobState(Phase.RUNNING, id=owner)
        if attempt not in pieces:
            return None
        try:
            return JobState(Phase.QUEUED, id=self._launcher.submitted(pieces, attempt))
        except BackendError:  # it was refused, or is in doubt still
            return None


_TRACES = r"""
ck_trace() { # attempt
  [ ! -L "tasks/$1/start" ] || { ck_piece "$1 owner"; readlink "tasks/$1/start"; }
  ck_submitted "$1"
}
ck_claim() { # attempt, owner
  (umask 077; mkdir -p "tasks/$1"; ln -s "$2" "tasks/$1/start" 2>/dev/null)
}
""".strip()
