"""Where an attempt stands, from the states of its containers: which one is to be started next, if any. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from crankshaft_core.backends.base import Phase
from crankshaft_core.backends.docker.answers import Json, part, texts
from crankshaft_core.backends.docker.labels import ATTEMPT, EXECUTION, EXECUTIONS

__all__ = ["Listed", "Standing", "grouped", "read_listed", "standing"]

_ENDED = frozenset({"exited", "dead", "stopped"})
"""States that are final; "stopped" is Podman's, before it has cleaned up."""


@dataclass(frozen=True, slots=True)
class Listed:
    """One container in the answer to "list containers"."""

    name: str
    attempt: str
    execution: int
    executions: int
    state: str
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Standing:
    """Where an attempt stands. `undecided` or `next`: the container whose exit code, or whose start, it waits for."""

    phase: Phase
    reason: str = ""
    undecided: Listed | None = None
    next: Listed | None = None


def read_listed(entry: Json) -> Listed | None:
    """From one entry of the list; None for one that is none of ours."""
    labels: Mapping[str, str] = part(entry, "Labels")
    names = texts(entry, "Names")
    if not names or not {ATTEMPT, EXECUTION, EXECUTIONS} <= labels.keys():
        return None
    return Listed(
        name=names[0].lstrip("/"),
        attempt=labels[ATTEMPT],
        execution=int(labels[EXECUTION]),
        executions=int(labels[EXECUTIONS]),
        state=str(entry.get("State", "")),
        labels=labels,
    )


def grouped(entries: Sequence[Json]) -> dict[str, dict[int, Listed]]:
    """Attempt id to its containers by number."""
    attempts: dict[str, dict[int, Listed]] = {}
    for entry in entries:
        listed = read_listed(entry)
        if listed is not None:
            attempts.setdefault(listed.attempt, {})[listed.execution] = listed
    return attempts


def standing(containers: Mapping[int, Listed], codes: Mapping[str, int], refused: str | None) -> Standing:
    """Walk the executions in order, past those that exited with 0.

    `codes` holds the exit codes known so far by container name; only those of executions with a successor are asked
    for. `refused` is the container that the engine would not start.
    """
    count = next(iter(containers.values())).executions if containers else 1
    for number in range(count - 1):
        listed = containers.get(number)
        if listed is None or listed.state not in _ENDED or codes.get(listed.name) != 0:
            return _at(listed, codes, refused)
    return _at(containers.get(count - 1), codes, refused)


def _at(listed: Listed | None, codes: Mapping[str, int], refused: str | None) -> Standing:
    """With `listed` as the execution whose turn it is."""
    if listed is None or listed.state == "removing":
        return Standing(Phase.MISSING)
    if listed.name == refused:
        return Standing(Phase.ENDED)
    if listed.state == "created":
        return Standing(Phase.RUNNING if listed.execution else Phase.QUEUED, next=listed)
    if listed.state not in _ENDED:
        return Standing(Phase.RUNNING, reason="paused" if listed.state == "paused" else "")
    if listed.execution < listed.executions - 1 and listed.name not in codes:
        return Standing(Phase.RUNNING, undecided=listed)
    return Standing(Phase.ENDED)
