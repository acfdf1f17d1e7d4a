"""What a task's state and logs mean. Pure; tolerant of whatever a server leaves out, nulls or invents."""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Mapping
from datetime import UTC, datetime

from crankshaft_core.backends.base import JobState, Outcome, Phase
from crankshaft_core.backends.tes.answer import as_list, as_table, as_text
from crankshaft_core.task import Verdict

__all__ = ["TERMINAL", "is_terminal", "job_state", "logged_text", "outcome_of", "presumed_outcome"]

TERMINAL: Mapping[str, Verdict] = {
    "COMPLETE": Verdict.OK,
    "EXECUTOR_ERROR": Verdict.FAILED,
    "SYSTEM_ERROR": Verdict.NODE_FAILURE,
    "CANCELED": Verdict.CANCELLED,
    "PREEMPTED": Verdict.PREEMPTED,
}
"""The states a task never leaves, and what they mean. Anything unknown counts as running."""

_WAITING = {"QUEUED": "", "INITIALIZING": "initializing"}
_OUT_OF_MEMORY = re.compile(r"\boom.?kill|\bout.of.memory\b|\bmemory limit exceeded\b", re.IGNORECASE)
_NODE_KEYS = ("host", "hostname", "node", "node_name", "nodename", "node_id", "vm", "worker")
_DETAIL_LENGTH = 600
_CHATTER = re.compile(r"level='?(info|debug)\b")
_BOILERPLATE = re.compile(r"\b(level|timestamp|task_attempt|executor_index)='[^']*'|\bmsg=")
_SERVER_TAIL = 10_000
"""Bytes of a log that Funnel keeps by default; a text of that length has most likely lost its beginning."""
_CUT = "[the server kept only the end of this]\n"


def is_terminal(state: str) -> bool:
    """The task has ended."""
    return state in TERMINAL


def job_state(state: str, *, id: str | None = None) -> JobState:  # noqa: A002 - the field's name
    """A TES state as a phase."""
    plain = _plain(state)
    return plain if id is None else dataclasses.replace(plain, id=id)


def outcome_of(task: Mapping[str, object], *, expected: int | None = None) -> Outcome:
    """How a task in a terminal state came out, from its FULL view.

    `expected` is its number of executors, where known: COMPLETE means that each of them exited with 0, whether or not
    the server says so.
    """
    runs = as_list(task.get("logs"))
    last = as_table(runs[-1] if runs else None)  # a task that the server itself retried has several
    executors = [as_table(item) for item in as_list(last.get("logs"))]
    state = _real_state(as_text(task.get("state")), executors)
    codes = _exit_codes(state, executors, expected or len(as_list(task.get("executors"))))
    said = _system_logs(last)
    return Outcome(
        verdict=_verdict(state, said),
        exit_codes=codes,
        detail=_detail(state, "" if any(codes) and not _OUT_OF_MEMORY.search(said) else said),
        stdout_tail=_tail(executors, "stdout"),
        stderr_tail=_tail(executors, "stderr"),
        node=_node(last),
        queued=_time(task.get("creation_time")),
        started=_time(last.get("start_time")) or (_time(executors[0].get("start_time")) if executors else None),
        ended=_time(last.get("end_time")) or (_time(executors[-1].get("end_time")) if executors else None),
    )


def presumed_outcome(state: str, *, executors: int) -> Outcome:
    """What the state alone tells: COMPLETE means that every executor exited with 0."""
    codes = (0,) * executors if state == "COMPLETE" else ()
    return Outcome(TERMINAL[state], exit_codes=codes, detail=_detail(state, ""))


def logged_text(task: Mapping[str, object], stream: str) -> str:
    """What the server's log has of "stdout" or "stderr", of all executions in turn."""
    runs = as_list(task.get("logs"))
    executors = as_list(as_table(runs[-1] if runs else None).get("logs"))
    return "".join(as_text(as_table(item).get(stream)) for item in executors)


@functools.cache
def _plain(state: str) -> JobState:
    """Without an id: one for all jobs in that state."""
    if state in TERMINAL:
        return JobState(Phase.ENDED, reason=state)
    if state in _WAITING:
        return JobState(Phase.QUEUED, reason=_WAITING[state])
    return JobState(Phase.RUNNING)


def _real_state(state: str, executors: list[Mapping[str, object]]) -> str:
    """A command that failed and so left out an output is a SYSTEM_ERROR to Funnel: the upload fails, and that counts.

    A command that a signal ended, of which there are 64, may have lost its machine.
    """
    if state != "SYSTEM_ERROR":
        return state
    by_itself = any(code > 0 and not 128 < code <= 192 for code in _codes(executors))
    return "EXECUTOR_ERROR" if by_itself else state


def _codes(executors: list[Mapping[str, object]]) -> list[int]:
    return [code for item in executors if isinstance(code := item.get("exit_code"), int)]


def _exit_codes(state: str, executors: list[Mapping[str, object]], expected: int) -> tuple[int, ...]:
    codes = _codes(executors)
    if state == "COMPLETE":
        return (*codes, *(0,) * (expected - len(codes)))
    if state == "EXECUTOR_ERROR":
        # some servers list executors that never started, with a code of 0
        bad = next((number for number, code in enumerate(codes) if code != 0), None)
        return tuple(codes if bad is None else codes[: bad + 1])
    return tuple(code for code in codes if code != 0)


def _verdict(state: str, said: str) -> Verdict:
    verdict = TERMINAL[state]
    failed = verdict in (Verdict.FAILED, Verdict.NODE_FAILURE)
    return Verdict.OUT_OF_MEMORY if failed and _OUT_OF_MEMORY.search(said) else verdict


def _detail(state: str, said: str) -> str:
    if state == "COMPLETE":
        return ""
    if state == "EXECUTOR_ERROR":
        return said
    return f"{state}: {said}" if said else state


def _system_logs(log: Mapping[str, object]) -> str:
    """The end of what the server noted, without the chatter that Funnel logs of every task."""
    lines = [as_text(item).strip() for item in as_list(log.get("system_logs"))]
    telling = [line for line in lines if not _CHATTER.match(line)]
    cleaned = [" ".join(_BOILERPLATE.sub("", line).split()) for line in telling]
    text = "; ".join(filter(None, cleaned))
    return text if len(text) <= _DETAIL_LENGTH else "… " + text[-_DETAIL_LENGTH:]


def _tail(executors: list[Mapping[str, object]], stream: str) -> str:
    """Of the last execution that wrote something."""
    texts = [text for item in executors if (text := as_text(item.get(stream)))]
    if not texts:
        return ""
    return _CUT + texts[-1] if len(texts[-1].encode()) >= _SERVER_TAIL else texts[-1]


def _node(log: Mapping[str, object]) -> str | None:
    metadata = {key.lower(): value for key, value in as_table(log.get("metadata")).items()}
    return next((as_text(metadata[key]) for key in _NODE_KEYS if as_text(metadata.get(key))), None)


def _time(value: object) -> float | None:
    """Seconds since the epoch, from RFC 3339 as servers write it; None for Go's zero time and what is no time."""
    try:
        moment = datetime.fromisoformat(as_text(value))
    except ValueError:
        return None
    if moment.year < 1971:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
