"""How a scheduler would place a task that asks for the backend's defaults: asked without submitting anything."""

from __future__ import annotations

import re
from collections.abc import Mapping

from crankshaft_core.backends.base import Attempt
from crankshaft_core.backends.generic.frames import Answer
from crankshaft_core.backends.generic.template import Template, Value
from crankshaft_core.backends.generic.values import task_values
from crankshaft_core.config import GenericConfig
from crankshaft_core.task import Execution, Task

__all__ = ["placement", "trial_command"]

_NOWHERE = "/tmp/crankshaft-check"  # noqa: S108 - a path in a question; nothing is written there
_TRIALS: Mapping[str, tuple[str, re.Pattern[str]]] = {
    "sbatch": ("sbatch --test-only", re.compile(r"Job \d+ to start at (?P<words>.+)")),
    "qsub -terse": ("qsub -w v -terse", re.compile(r"verification: (?P<words>found .+)")),
}
"""How `submit` begins: what only asks (sbatch(1) and qsub(1) of Grid Engine, tried on both), and its good answer."""


def trial_command(config: GenericConfig) -> str | None:
    """The command that asks; it reads a job script from standard input. None where the scheduler has no such question.

    Raises SubmitError where the template cannot be filled for a task without attributes of its own.
    """
    if _begin(config) is None:
        return None
    task = Task(name="check", executions=(Execution(command="true"),), resources=config.defaults)
    values: dict[str, Value] = {
        **task_values(Attempt("check", "check", 1, task), config),
        "cwd": "/tmp",  # noqa: S108 - as above
        "task_dir": _NOWHERE,
        "script": "/dev/stdin",
        "command": "true",
    }
    begin = str(_begin(config))
    return Template.parse(_TRIALS[begin][0] + config.submit[len(begin) :], label="submit").fill(values)


def placement(config: GenericConfig, answer: Answer) -> tuple[bool, str]:
    """Whether such a task could start, and when and where, or why not, in the scheduler's words."""
    said = f"{answer.stdout}\n{answer.stderr}"
    match = _TRIALS[str(_begin(config))][1].search(said)
    if match is not None:
        return True, match["words"].strip()
    lines = [line.strip() for line in said.splitlines() if line.strip() and line.strip() != "Exiting."]
    return False, "; ".join(lines[:4])[:400] or f"exit status {answer.status}"


def _begin(config: GenericConfig) -> str | None:
    return next((begin for begin in _TRIALS if config.submit.startswith(f"{begin} ")), None)
