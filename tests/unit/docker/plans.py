"""Plans of small attempts, without any engine."""

from __future__ import annotations

from pathlib import Path

from crankshaft_core.backends.base import Attempt
from crankshaft_core.backends.docker.client import DockerClient
from crankshaft_core.backends.docker.facts import Facts
from crankshaft_core.backends.docker.images import Images
from crankshaft_core.backends.docker.plan import Plan
from crankshaft_core.backends.docker.planner import Planner
from crankshaft_core.config.docker import DockerConfig
from crankshaft_core.staging import StagedInput
from crankshaft_core.task import Execution, Task

WORK = Path("/srv/dir")
DOCKER = Facts(name="box", binds=True, init=True)


def config(**fields: object) -> DockerConfig:
    return DockerConfig.model_validate({"name": "box", "kind": "Docker", "image": "busybox", **fields})


def task(*commands: str, **fields: object) -> Task:
    executions = tuple(Execution(command=command) for command in commands or ("true",))
    return Task.model_validate({"name": "t", "executions": executions, **fields})


def attempt(wanted: Task) -> Attempt:
    inputs = tuple(
        StagedInput(item, content=item.content.encode())
        if isinstance(item.content, str)
        else StagedInput(item, file=Path(str(item.url)))
        for item in wanted.inputs
    )
    return Attempt(id="kaaa-1-1", run="kaaa", number=1, task=wanted, inputs=inputs)


def plan(wanted: Task, facts: Facts = DOCKER, **fields: object) -> Plan:
    """As if the images had nothing at the paths the task writes to."""
    settings = config(**fields)
    client = DockerClient("unix:///nowhere")
    planner = Planner(settings, client, Images(client, pull="never", platform=None), WORK)
    return planner.sketch(attempt(wanted), facts)
