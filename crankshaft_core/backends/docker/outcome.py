"""From what the engine tells of the executions to an Outcome. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from crankshaft_core.backends.base import Outcome
from crankshaft_core.backends.docker.answers import Json, part
from crankshaft_core.backends.docker.ran import Ran
from crankshaft_core.task import Verdict

__all__ = ["Ending", "ending_of", "outcome_of"]

_GIB = 2**30
_FATAL = frozenset({"2", "3", "9", "15"})
"""Signals that things are ended with: INT, QUIT, KILL, TERM. HUP and USR1 mostly mean something else."""


class Ending(Enum):
    """What the engine remembers of who ended a container that exited with a code other than 0."""

    ITSELF = "itself"
    KILLED = "killed"
    RESTART = "restart"
    UNKNOWN = "unknown"


def ending_of(ran: Ran, events: Sequence[Json], engine_started: float | None) -> Ending:
    """From the engine's memory of the container's events, and when the engine itself was started, where it tells.

    An engine forgets events when it is restarted, and ends the containers of its predecessor with signals of its own.
    """
    if engine_started is not None and ran.ended_at is not None and ran.ended_at <= engine_started:
        return Ending.RESTART if _by_signal(ran) else Ending.UNKNOWN
    actions = [(str(event.get("Action")), _signal(event)) for event in events]
    if any(action == "kill" and signal in _FATAL for action, signal in actions):
        return Ending.KILLED
    return Ending.ITSELF if any(action == "die" for action, _ in actions) else Ending.UNKNOWN


def outcome_of(executions: Sequence[Ran], ending: Ending) -> Outcome:
    """How an attempt ended, of whose executions at least one was started. Streams are added by the caller."""
    last = executions[-1]
    verdict, detail = _verdict(last, ending)
    return Outcome(
        verdict=verdict,
        exit_codes=tuple(ran.code for ran in executions if ran.code is not None),
        detail=detail,
        node=last.node,
        queued=executions[0].created_at,
        started=executions[0].started_at,
        # an engine may note the end of a short one before its start
        ended=None if last.ended_at is None else max(last.ended_at, last.started_at or 0),
    )


def _verdict(last: Ran, ending: Ending) -> tuple[Verdict, str]:
    if last.stuck:
        return Verdict.STUCK, last.words
    if last.oom:
        return Verdict.OUT_OF_MEMORY, f"out of memory{_limit(last)}"
    if last.rejected:
        return Verdict.REJECTED, last.words
    return (Verdict.OK, "") if last.code == 0 else _failure(last, ending)


def _failure(last: Ran, ending: Ending) -> tuple[Verdict, str]:
    code = f"exit code {last.code}"
    if ending is Ending.KILLED:
        return Verdict.CANCELLED, f"{last.name} was ended from outside (docker kill, docker stop), {code}"
    if ending is Ending.RESTART:
        return Verdict.NODE_FAILURE, f"{last.name} ended when its engine was stopped, {code}"
    if last.code is None:
        return Verdict.NODE_FAILURE, last.words or f"{last.name} ended without an exit code"
    return Verdict.FAILED, last.words or _guess(last)


def _guess(last: Ran) -> str:
    """Code 137 is SIGKILL, and where nobody sent it through the engine the kernel did, most often for memory."""
    if last.code != 137:
        return ""
    return f"killed by SIGKILL, which nobody sent through the engine; perhaps out of memory{_limit(last)}"


def _limit(last: Ran) -> str:
    return f", limit {last.limit / _GIB:.3g} GiB" if last.limit else ""


def _by_signal(ran: Ran) -> bool:
    """128 + n for signal n; 255 where the runtime could not tell (containerd)."""
    return ran.code is not None and ran.code > 128


def _signal(event: Json) -> str:
    """Podman does not tell the signal; what people send by far the most is the one that ends."""
    return str(part(part(event, "Actor"), "Attributes").get("signal", "9"))
