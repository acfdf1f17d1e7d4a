"""What is said of a job that failed."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass

from crankshaft_core.errors import BackendError, StagingError
from crankshaft_core.task import Resources, TaskResult, Verdict
from snakemake_executor_crankshaft.amounts import duration, size
from snakemake_executor_crankshaft.given import Given
from snakemake_executor_crankshaft.not_found import not_found

__all__ = ["Failure", "failure_of"]

_LINES = 20
"""Of stderr, shown in the message; the file has all of it."""

_SMALL_TALK = re.compile(
    r"Building DAG of jobs\.\.\.|Using shell: .*|Provided .*|Rules claiming more threads .*|WorkflowError:|"
    r"Select jobs to execute\.\.\.|Execute \d+ jobs\.\.\.|Storing output in storage\.|Elapsed time: .*|"
    r"Shutting down, this might take some time\.|Exiting because a job execution failed\..*|"
    r"At least one job did not complete successfully\.|\[[A-Z][a-z]{2} [A-Z][a-z]{2} .*\]"
)
"""Lines of an inner Snakemake that tell nothing of the job."""

_NO_SNAKEMAKE = re.compile(
    r"No module named '?snakemake|\bexec:? \"?python\"?(?: failed)?: |failed to exec pid1: |"
    r"python: (?:command )?not found"
)
"""What is said by Python without Snakemake, and by engines, their inits and shells without Python."""

_NEEDS_SNAKEMAKE = (
    "Every job runs an inner Snakemake, so its image must have Snakemake in it (`python -m snakemake`): choose another "
    "image, or mount the environment that this Snakemake runs from. See docs/snakemake.md."
)

_RAISE = {Verdict.OUT_OF_MEMORY: "mem_mb", Verdict.TIME_LIMIT: "runtime"}
"""What to ask for more of."""


@dataclass(frozen=True, slots=True)
class Failure:
    """One failure, for Snakemake's error message."""

    message: str
    job_id: str | None = None


def failure_of(outcome: TaskResult | BaseException, rules: Iterable[str], given: Given) -> Failure | None:
    """Why the task did not do its work; None if it did. `rules` are those of its job, which had what was `given`."""
    if isinstance(outcome, TaskResult):
        hint = not_found(outcome, given, os.environ)
        said = dataclasses.replace(outcome, detail="") if hint else outcome  # the core's words, and more of them
        return None if outcome.ok else _with_output(_plain(said).failure_message(), outcome, hint)
    if isinstance(outcome, BackendError) and outcome.result is not None:
        result = outcome.result
        summary = _too_little(result, rules, given.resources) if result.verdict in _RAISE else _summary(outcome, result)
        return _with_output(summary, result)
    return Failure("\n".join([str(outcome) or type(outcome).__name__, *_advice(str(outcome))]))


def _too_little(result: TaskResult, rules: Iterable[str], asked: Resources) -> str:
    """What was asked for, and what to ask for more of."""
    amount = size(asked.ram) if result.verdict is Verdict.OUT_OF_MEMORY else duration(asked.time)
    parts = [f"{_whose(result)}: {result.verdict.replace('_', ' ')}", f"asked {amount}" if amount != "-" else ""]
    named = ", ".join(repr(rule) for rule in sorted(set(rules)))
    lines = [f"{', '.join(filter(None, parts))}. Raise {_RAISE[result.verdict]} in rule {named}."]
    return " ".join([*lines, *filter(None, [result.detail])])


def _whose(result: TaskResult) -> str:
    where = ", ".join(filter(None, (f"{result.backend} {result.job_id or ''}".strip(), result.node)))
    return f"{result.name} ({where})"


def _with_output(summary: str, result: TaskResult, hint: str | None = None) -> Failure:
    lines = [summary, *(_advice(f"{summary}\n{result.stderr_tail}") or filter(None, [hint]))]
    said = _plain(result).stderr_tail.splitlines()[-_LINES:]
    if said:
        lines += ["stderr ends with:", *("    " + line for line in said)]
    return Failure("\n".join(lines), result.job_id)


def _summary(error: BackendError, result: TaskResult) -> str:
    """What could not be brought is told by the attempt: say whose it is."""
    if not isinstance(error, StagingError):
        return str(error)
    return f"{_whose(result)}: {error}"


def _advice(words: str) -> list[str]:
    return [_NEEDS_SNAKEMAKE] if _NO_SNAKEMAKE.search(words) else []


def _plain(result: TaskResult) -> TaskResult:
    """The result, its stderr without the inner Snakemake's small talk."""
    lines = (line for line in result.stderr_tail.splitlines() if line.strip() and not _SMALL_TALK.fullmatch(line))
    return dataclasses.replace(result, stderr_tail="\n".join(lines))
