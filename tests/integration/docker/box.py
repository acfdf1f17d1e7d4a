"""A container engine under test, and what tests need of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import docker

from crankshaft_core.config import Config
from crankshaft_core.engine import Engine, TaskHandle
from crankshaft_core.journal import Journal
from crankshaft_core.task import Execution, Task
from tests.services.running import ContainerEngine

LABEL = {"label": "crankshaft.run"}


@dataclass(frozen=True)
class Box:
    """`client` looks at the engine from outside, as a person with the docker command does."""

    engine: ContainerEngine
    client: docker.DockerClient
    directory: Path

    @property
    def work_dir(self) -> Path:
        return self.directory / "work"

    def text(self, more: str = "") -> str:
        return f"""
[[backends]]
name = "box"
kind = "Docker"
host = "{self.engine.url}"
image = "busybox:local"
work_dir = "{self.work_dir}"
max_tasks = 300
poll_interval = 0.2
grace = "0.5s"
kill_after = "1s"
{more}
"""

    def run(self, more: str = "") -> Engine:
        """An engine with one backend, "box"; `more` are more of its fields."""
        return Engine(Config.parse(self.text(more)), journal=Journal.open(self.directory / "journal.db"))

    def left(self) -> list[str]:
        """What crankshaft has left on the engine: names of containers, services and volumes."""
        containers = [str(item["Names"][0]) for item in self.client.api.containers(all=True, filters=LABEL)]
        volumes = [item.name for item in self.client.volumes.list(filters=LABEL)]
        manager = self.client.info()["Swarm"].get("ControlAvailable")
        return [
            *containers,
            *volumes,
            *(item.name for item in (self.client.services.list(filters=LABEL) if manager else ())),
        ]

    async def soon_empty(self) -> None:
        """The Swarm removes the containers of a removed service a moment later."""
        await until(lambda: not self.left())

    async def running(self, handle: TaskHandle, number: int = 0) -> str:
        """The name of a task's container, once it runs."""
        await until(lambda: handle.job_id is not None)
        name = f"{handle.job_id}-{number}"
        await until(lambda: self.state(name) == "running")
        return name

    def state(self, name: str) -> str | None:
        found = self.client.api.containers(all=True, filters={"name": f"^/?{name}"})
        return str(found[0]["State"]) if found else None


def sh(*commands: str, **fields: object) -> Task:
    return Task.model_validate(
        {"name": "t", "executions": [Execution(command=command) for command in commands], **fields}
    )


async def until(true: Callable[[], object], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        await asyncio.sleep(0.05)


def reconnect(box: Box) -> Box:
    """After its engine was restarted."""
    with closing(box.client):
        return Box(box.engine, docker.DockerClient(box.engine.url), box.directory)
