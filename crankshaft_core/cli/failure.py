"""What a person needs to know of a task that did not succeed, on one screen."""

from __future__ import annotations

from crankshaft_core.errors import BackendError
from crankshaft_core.task import TaskResult, Verdict

__all__ = ["failure_screen"]

_TAIL_LINES = 15


def failure_screen(end: TaskResult | BackendError, *, with_stderr: bool) -> list[str]:
    """Lines: what happened, where, and why. `with_stderr`: the tail of stderr too, as it was not shown before."""
    result = end if isinstance(end, TaskResult) else end.result
    if result is None:
        return str(end).splitlines()
    head = f"{result.name}: {_verdict(result)}" if isinstance(end, TaskResult) else str(end)
    facts = {
        "backend": result.backend,
        "job": result.job_id or "",
        "node": result.node or "",
        "verdict": _verdict(result),
        "said": result.detail,
        "ran": _ran(result),
        "hint": _hint(result),
    }
    lines = [*head.splitlines(), *(f"  {name:9}{text}" for name, text in facts.items() if text)]
    if with_stderr:
        lines += [f"  | {line}" for line in result.stderr_tail.splitlines()[-_TAIL_LINES:]]
    return lines


def _verdict(result: TaskResult) -> str:
    words = str(result.verdict).replace("_", " ")
    return words if result.exit_code is None else f"{words}, exit code {result.exit_code}"


def _ran(result: TaskResult) -> str:
    if result.started is None or result.ended is None:
        return ""
    peak = "" if result.peak_ram is None else f", at most {result.peak_ram:.3g} GiB of memory"
    return f"{result.ended - result.started:.1f} s{peak}"


def _hint(result: TaskResult) -> str:
    """What a shell's own code means, where the command gave it: 126 and 127 (POSIX, Shell Command Language 2.8.2)."""
    if result.verdict is not Verdict.FAILED:
        return ""
    return {126: "the command was found, and could not be executed", 127: "the command was not found there"}.get(
        result.exit_code or 0, ""
    )
