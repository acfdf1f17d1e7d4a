"""How ended attempts came out: what the engine tells of their executions, of who ended them, and what they wrote."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Collection, Mapping, Sequence

from crankshaft_core.backends.base import Job, Outcome
from crankshaft_core.backends.docker.answers import Json, part
from crankshaft_core.backends.docker.client import DockerClient
from crankshaft_core.backends.docker.directory import TaskDirectory
from crankshaft_core.backends.docker.facts import Facts
from crankshaft_core.backends.docker.outcome import Ending, ending_of, outcome_of
from crankshaft_core.backends.docker.ran import Ran, seconds
from crankshaft_core.backends.docker.refusals import inits_words
from crankshaft_core.backends.docker.streams import last_words, save_streams, tail
from crankshaft_core.errors import StagingError
from crankshaft_core.task import Verdict

__all__ = ["gone", "outcome_with_streams"]

_SLACK = 0.2
"""Seconds after its end in which an event of a container is still written down."""

_NOT_RUN = (1, 126, 127)
"""Exit codes of an init that could not run its command: tini's are those of docker run(1), catatonit's is 1."""


async def outcome_with_streams(
    client: DockerClient, executions: Sequence[Ran], directory: TaskDirectory, facts: Facts
) -> Outcome:
    """The outcome of an attempt of which at least one execution was started. Raises TransportError."""
    outcome = outcome_of(executions, await _ending(client, executions[-1], facts))
    try:
        await save_streams(client, executions, directory, binds=facts.binds)
    except (OSError, StagingError) as error:
        # a full disk here must not hide how the task came out, nor keep anybody waiting for it
        words = f"stdout and stderr are not saved: {error}"
        out, err = await last_words(client, executions[-1])
        detail = ". ".join(filter(None, (outcome.detail, words)))
        return dataclasses.replace(outcome, detail=detail, stdout_tail=out, stderr_tail=err)
    saved, errors = directory.stream("stdout"), directory.stream("stderr")
    written = tail(errors)
    detail = outcome.detail or (inits_words(written) if executions[-1].code in _NOT_RUN else "")
    return dataclasses.replace(
        outcome, detail=detail, stdout=str(saved), stderr=str(errors), stdout_tail=tail(saved), stderr_tail=written
    )


async def gone(client: DockerClient, jobs: Collection[Job]) -> Mapping[str, Outcome]:
    """For those of the jobs whose container or service somebody removed, as far as the engine remembers."""
    info, _ = await client.info()
    now = seconds(info.get("SystemTime")) or time.time()  # the engine's clock, for it waits until a time to come
    removals: Mapping[str, Sequence[str]] = {"event": ["destroy", "remove"], "type": ["container", "service"]}
    events = await client.past_events(removals, since=1, until=now)
    names = [_name(event) for event in events]
    return {job.attempt: outcome for job in jobs if (outcome := _removed(job, names)) is not None}


def _removed(job: Job, names: Sequence[str]) -> Outcome | None:
    mine = next((name for name in names if name.rpartition("-")[0] == job.attempt), None)
    if mine is None:
        return None
    return Outcome(Verdict.CANCELLED, detail=f"{mine} was removed by somebody else (docker rm)")


def _name(event: Json) -> str:
    return str(part(part(event, "Actor"), "Attributes").get("name", ""))


async def _ending(client: DockerClient, ran: Ran, facts: Facts) -> Ending:
    """Who ended an execution that failed."""
    if not ran.code or ran.oom or ran.container is None or ran.started_at is None or ran.ended_at is None:
        return Ending.UNKNOWN
    filters = {"container": [ran.container]}
    events = await client.past_events(filters, since=int(ran.started_at), until=ran.ended_at + _SLACK)
    ending = ending_of(ran, events, await _engine_started(client, facts))
    if ending is Ending.KILLED:
        # an engine that is being stopped kills what it runs; who it was can be told when it is back
        await client.greet()
    return ending


async def _engine_started(client: DockerClient, facts: Facts) -> float | None:
    """Docker makes its default bridge anew whenever it starts; Podman has no daemon whose restart ends containers."""
    bridge = None if facts.podman else await client.network("bridge")
    return None if bridge is None else seconds(bridge.get("Created"))
