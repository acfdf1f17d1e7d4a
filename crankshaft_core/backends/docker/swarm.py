"""From what a Swarm tells of its services and tasks to states and `Ran`. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from crankshaft_core.backends.base import JobState, Phase
from crankshaft_core.backends.docker.answers import Json, part, parts
from crankshaft_core.backends.docker.labels import ATTEMPT, EXECUTION
from crankshaft_core.backends.docker.ran import Ran, seconds
from crankshaft_core.backends.docker.refusals import exit_code_of, plain_words

__all__ = ["by_attempt", "exit_code", "from_task", "is_over", "is_stuck", "phase_of"]

_OVER = frozenset({"complete", "failed", "rejected", "shutdown", "orphaned"})
"""Task states (https://docs.docker.com/engine/swarm/how-swarm-mode-works/swarm-task-states/) that are final."""
_STARTED = _OVER | {"running"}


def by_attempt(tasks: Sequence[Json]) -> dict[str, dict[int, Json]]:
    """Attempt id to the newest task of each execution."""
    attempts: dict[str, dict[int, Json]] = {}
    for task in sorted(tasks, key=lambda task: str(task["CreatedAt"])):
        labels = _labels(task)
        if ATTEMPT in labels and EXECUTION in labels:
            attempts.setdefault(labels[ATTEMPT], {})[int(labels[EXECUTION])] = task
    return attempts


def is_over(task: Json) -> bool:
    """It will not change any more."""
    return str(task["Status"]["State"]) in _OVER


def is_stuck(task: Json) -> bool:
    """No node can ever take it: what it lacks is not resources, which other tasks may give back."""
    words = str(task["Status"].get("Err") or "")
    return (
        task["Status"]["State"] == "pending"
        and words.startswith("no suitable node")
        and "insufficient resources" not in words
    )


def exit_code(task: Json) -> int | None:
    """The exit code of a task that is over; None if it never had a process."""
    status = task["Status"]
    words = str(status.get("Err") or "")
    code = part(status, "ContainerStatus").get("ExitCode")
    if status["State"] == "complete":
        return int(code or 0)
    return int(code) if code else exit_code_of(words)


def phase_of(task: Json, node: str | None) -> JobState:
    """The state of the execution that runs."""
    state = str(task["Status"]["State"])
    if state in _OVER or is_stuck(task):
        return JobState(Phase.ENDED, node=node)
    if state == "running":
        return JobState(Phase.RUNNING, node=node, started=seconds(task["Status"].get("Timestamp")))
    words = str(task["Status"].get("Err") or task["Status"].get("Message") or "")
    return JobState(Phase.QUEUED, reason=words or state, node=node)


def from_task(task: Json, name: str, *, node: str | None, here: bool) -> Ran:
    """What became of the execution. `here`: its container is on the engine we speak to."""
    status, spec = task["Status"], task["Spec"]["ContainerSpec"]
    container = part(status, "ContainerStatus").get("ContainerID") or None
    stuck = is_stuck(task)
    return Ran(
        name=name,
        labels=_labels(task),
        started=str(status["State"]) in _STARTED or stuck,
        ended=is_over(task) or stuck,
        code=exit_code(task) if is_over(task) else None,
        words=_words(task),
        stuck=stuck,
        rejected=status["State"] == "rejected",
        container=container if here else None,
        task=str(task["ID"]),
        node=node,
        work_dir=spec.get("Dir") or "/",
        limit=part(part(task["Spec"], "Resources"), "Limits").get("MemoryBytes"),
        drops_newlines=part(task["Spec"], "LogDriver").get("Name") == "local",
        binds=tuple((str(m["Target"]), str(m["Source"])) for m in parts(spec, "Mounts") if m["Type"] == "bind"),
        created_at=seconds(task["CreatedAt"]),
        ended_at=seconds(status.get("Timestamp")),
    )


def _words(task: Json) -> str:
    """What went wrong, unless it was only that the command failed."""
    words = plain_words(str(task["Status"].get("Err") or ""))
    return "" if words.startswith("task: non-zero exit") else words


def _labels(task: Json) -> Mapping[str, str]:
    return part(task["Spec"]["ContainerSpec"], "Labels")
