"""Outcomes of attempts: into results and errors for the caller, into and out of the journal."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from crankshaft_core.backends.base import Outcome
from crankshaft_core.engine.live import LiveTask
from crankshaft_core.engine.stuck import never
from crankshaft_core.errors import (
    BackendError,
    CancelledElsewhereError,
    LostTaskError,
    NodeFailureError,
    OutOfMemoryError,
    PreemptedError,
    StuckError,
    SubmitError,
    TimeLimitError,
)
from crankshaft_core.not_found import NOT_FOUND, what_was_not_found
from crankshaft_core.task import TaskResult, Verdict

__all__ = ["error_of", "from_journal", "reason_of", "result_of", "to_journal"]

_ERRORS: Mapping[Verdict, type[BackendError]] = {
    Verdict.OUT_OF_MEMORY: OutOfMemoryError,
    Verdict.TIME_LIMIT: TimeLimitError,
    Verdict.CANCELLED: CancelledElsewhereError,
    Verdict.PREEMPTED: PreemptedError,
    Verdict.NODE_FAILURE: NodeFailureError,
    Verdict.STUCK: StuckError,
    Verdict.REJECTED: SubmitError,
    Verdict.LOST: LostTaskError,
}

_dumps = json.JSONEncoder(separators=(",", ":")).encode
_TAIL_BYTES = 4096
_KEPT = tuple(field.name for field in dataclasses.fields(Outcome) if not field.name.endswith("_tail"))


def reason_of(error: Exception, *, backend: str) -> str:
    """The error's words for an event, which names the backend, and when it is tried again, by itself."""
    words = str(error).removeprefix(f"{backend}: ")
    return re.sub(r" in the middle of a call, which may have taken effect|; retrying in \d+ s\b", "", words)


def result_of(live: LiveTask, outcome: Outcome, outputs: Mapping[str, str]) -> TaskResult:
    """What the caller is told of a task that ended with `outcome`."""
    return TaskResult(
        name=live.name,
        backend=live.backend,
        attempt=live.attempt_id,
        verdict=outcome.verdict,
        exit_codes=outcome.exit_codes,
        job_id=live.job.id if live.job else None,
        detail=outcome.detail or _not_found(outcome),
        stdout=outcome.stdout,
        stderr=outcome.stderr,
        stdout_tail=outcome.stdout_tail,
        stderr_tail=outcome.stderr_tail,
        outputs=outputs,
        node=outcome.node,
        queued=outcome.queued,
        started=outcome.started,
        ended=outcome.ended,
        peak_ram=outcome.peak_ram,
        cpu_time=outcome.cpu_time,
    )


def _not_found(outcome: Outcome) -> str:
    """Which command it was that is not there, where the backend has no better words for it."""
    if outcome.verdict is not Verdict.FAILED or outcome.exit_codes[-1:] != (NOT_FOUND,):
        return ""
    words = what_was_not_found(outcome.stderr_tail)
    there = f" on {outcome.node}" if outcome.node else ""
    return f"{words}{there} (exit {NOT_FOUND})" if words else ""


def error_of(live: LiveTask, result: TaskResult) -> BackendError | None:
    """The error for a task the system ended; None where its commands came to their own end."""
    kind = _ERRORS.get(result.verdict)
    if kind is StuckError:
        where = f"{result.backend} {result.job_id or ''}".strip()
        return StuckError(f"{live.name} ({where}): can never start: {never(result.detail, live.task)}", result=result)
    return None if kind is None else kind(result.failure_message() + _asked(live, result.verdict), result=result)


def _asked(live: LiveTask, verdict: Verdict) -> str:
    """What the task had asked for, where that is what to change."""
    wanted = live.task.resources if live.task else None
    if wanted and verdict is Verdict.OUT_OF_MEMORY and wanted.ram is not None:
        return f" (asked ram {wanted.ram:.4g} GiB)"
    if wanted and verdict is Verdict.TIME_LIMIT and wanted.time is not None:
        return f" (asked time {wanted.time:.0f} s)"
    return ""


def to_journal(outcome: Outcome, outputs: Mapping[str, str]) -> str:
    """JSON without the tails, which are the task's own content."""
    known = {name: value for name in _KEPT if (value := getattr(outcome, name)) not in (None, "", ())}
    if outputs:
        known["outputs"] = dict(outputs)
    return _dumps(known)


def from_journal(text: str) -> tuple[Outcome, Mapping[str, str]]:
    """The outcome that `to_journal` wrote, its tails read again where the files are still here."""
    known: dict[str, Any] = json.loads(text)
    outputs: dict[str, str] = known.pop("outputs", {})
    known["verdict"], known["exit_codes"] = Verdict(known["verdict"]), tuple(known.get("exit_codes", ()))
    outcome = Outcome(**known)
    return dataclasses.replace(outcome, stdout_tail=_tail(outcome.stdout), stderr_tail=_tail(outcome.stderr)), outputs


def _tail(path: str | None) -> str:
    try:
        return Path(path).read_bytes()[-_TAIL_BYTES:].decode(errors="replace") if path else ""
    except OSError:  # it was pruned, or is not on this machine: the tail is a convenience
        return ""
