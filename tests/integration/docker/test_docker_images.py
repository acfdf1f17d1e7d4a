"""Images from a registry, which is in the engine's own network."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from crankshaft_core.task import Execution, Task
from tests.integration.docker.box import Box

PORT = 5999
IMAGE = f"127.0.0.1:{PORT}/tool:1"
TASK = Task(executions=(Execution(image=IMAGE, command="true"),))


@pytest.fixture
def requests(box: Box) -> Iterator[Path]:
    """A file with a line for each request that the registry has answered."""
    if os.geteuid() != 0:
        pytest.skip("only root can put a registry into the engine's network")
    image, log = box.directory / "image.tar", box.directory / "requests"
    with image.open("wb") as file:
        for piece in box.client.api.get_image("busybox:local"):
            file.write(piece)
    _forget(box)
    network = f"--net=/proc/{box.engine.daemons.pid('dockerd')}/ns/net"
    script = Path(__file__).with_name("registry.py")
    command = ["nsenter", network, sys.executable, "-I", str(script), str(image), str(PORT)]
    with log.open("wb") as output, subprocess.Popen(command, stdout=output) as registry:
        while not log.read_text():
            assert registry.poll() is None
        yield log
        registry.terminate()
    _forget(box)


def _forget(box: Box) -> None:
    try:
        box.client.api.remove_image(IMAGE, force=True)
    except docker.errors.ImageNotFound:
        return


def pulls(requests: Path) -> int:
    """How often somebody asked what the tag stands for."""
    return requests.read_text().count("/manifests/1\n")


async def run(box: Box, count: int, more: str = "") -> None:
    async with box.run(more) as engine:
        results = await asyncio.gather(*(engine.run("box", TASK) for _ in range(count)))
    assert all(result.ok for result in results)
    (box.directory / "journal.db").unlink()


async def test_an_image_is_pulled_once_for_all_who_wait_for_it(box: Box, requests: Path) -> None:
    await run(box, 1)
    for_one = pulls(requests)
    _forget(box)
    await run(box, 6)
    assert pulls(requests) == 2 * for_one


async def test_an_image_that_is_there_is_not_pulled(box: Box, requests: Path) -> None:
    await run(box, 1)
    before = pulls(requests)
    await run(box, 1)
    assert pulls(requests) == before


async def test_an_image_can_be_pulled_again_in_every_run(box: Box, requests: Path) -> None:
    await run(box, 1)
    before = pulls(requests)
    await run(box, 3, "pull = 'always'")
    assert pulls(requests) == 2 * before


async def test_an_image_that_somebody_removes_meanwhile_is_pulled_again(box: Box, requests: Path) -> None:
    async with box.run() as engine:
        assert (await engine.run("box", TASK)).ok
        box.client.api.remove_image(IMAGE, force=True)
        before = pulls(requests)
        assert (await engine.run("box", TASK)).ok
    assert pulls(requests) > before
