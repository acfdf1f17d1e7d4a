"""What a person needs to know of a task that did not succeed, on one screen."""

from __future__ import annotations

from crankshaft_core.errors import BackendError
from crankshaft_core.task import Task, TaskResult, Verdict

__all__ = ["failure_screen"]

_TAIL_LINES = 15


def failure_screen(end: TaskResult | BackendError, task: Task, *, with_stderr: bool) -> list[str]:
    """Lines: what happened, where, and why. `with_stderr`: the tail of stderr too, as it was not shown before."""
    result = end if isinstance(end, TaskResult) else end.result
    if result is None:
        return str(end).splitlines()
    head = f"{result.name}: {_verdict(result)}" if isinstance(end, TaskResult) else str(end)
    facts = {
        "backend": result.backend,
        "job": result.job_id or "",
        "node": result.node or "",
        "verdict": "" if isinstance(end, TaskResult) else _verdict(result),
        "said": result.detail,
        "ran": _ran(result),
        "hint": _hint(result, task),
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


def _hint(result: TaskResult, task: Task) -> str:
    """What a shell's own codes mean (POSIX, Shell Command Language 2.8.2): no such command, or none it can run."""
    if result.verdict is not Verdict.FAILED or result.exit_code not in (126, 127):
        return ""
    execution = task.executions[len(result.exit_codes) - 1]
    if execution.program is None:
        return ""  # any command in the text may have ended so
    if result.exit_code == 126:
        return f"{execution.program!r} is there, and cannot be executed"
    shell = "; for a shell line use -c 'TEXT'" if " " in execution.program and not execution.args else ""
    return f"there is no program {execution.program!r}{shell}"
