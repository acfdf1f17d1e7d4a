"""Executions in their image on a Generic backend, by the real engines: as processes here, and as jobs."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import docker
import pytest

from crankshaft_core.backends.base import Attempt, Phase
from crankshaft_core.config import GenericConfig
from crankshaft_core.errors import SubmitError
from crankshaft_core.staging import StagedInput
from crankshaft_core.task import Execution, Input, Output, Task, Verdict
from tests.integration.running import attempt, batch, config, opened, outcome, submitted, true, until
from tests.services.engines import remove_all
from tests.services.running import ContainerEngine

IMAGE = "busybox:local"
PROCESSES = "submit = '~{command}'\n"


@pytest.fixture(params=["podman", "docker"])
def runtime(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A runtime whose engine is a real one of the tests; nothing is left on it."""
    name = str(request.param)
    engine: ContainerEngine = request.getfixturevalue("podman" if name == "podman" else "docker_engine")
    monkeypatch.setenv("CONTAINER_HOST" if name == "podman" else "DOCKER_HOST", engine.url)
    monkeypatch.setenv("ENGINE", engine.url)
    yield name
    left = _names(engine.url)
    remove_all(engine.url)
    assert left == []


def _names(url: str) -> list[str]:
    with closing(docker.DockerClient(url)) as engine:
        return [container["Names"][0] for container in engine.api.containers(all=True)]


def boxed(root: Path, runtime: str, text: str = PROCESSES) -> GenericConfig:
    return config(root, f"container = '{runtime}'\nenv = ['CONTAINER_HOST', 'DOCKER_HOST']\n{text}")


def in_image(command: str, **fields: object) -> Execution:
    return Execution.model_validate({"image": IMAGE, "command": command, **fields})


async def test_a_command_runs_in_the_image_as_the_caller_and_in_its_directory(tmp_path: Path, runtime: str) -> None:
    text = 'id -u; pwd; echo "$TOKEN"; ls /bin/busybox; echo told >&2; exit 3'
    work = tmp_path / "here"
    work.mkdir()
    one = attempt(in_image(text, work_dir=str(work), env={"TOKEN": "two\nlines"}))
    async with opened(boxed(tmp_path, runtime)) as backend:
        ended = await outcome(backend, one)
    assert (ended.exit_codes, ended.stderr_tail) == ((3,), "told\n")
    assert ended.stdout_tail.splitlines() == [str(os.getuid()), str(work), "two", "lines", "/bin/busybox"]
