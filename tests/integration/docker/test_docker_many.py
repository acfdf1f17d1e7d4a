"""Many containers at once, and clients that are interrupted."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.integration.docker.box import Box, sh, until

LIVE = int(os.environ.get("CRANKSHAFT_TEST_LIVE_CONTAINERS", "60"))


def sockets() -> int:
    """Open sockets of this process."""
    links = (os.readlink(link) for link in Path("/proc/self/fd").iterdir() if link.is_symlink())
    return sum(link.startswith("socket:") for link in links)


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_many_live_containers_take_no_thread_and_no_connection_each(box: Box) -> None:
    before, threads = sockets(), threading.active_count()
    async with box.run() as engine:
        handles = [engine.spawn("box", sh("sleep 1000")) for _ in range(LIVE)]
        labels = {"label": "crankshaft.run"}
        await until(lambda: len(box.client.api.containers(filters=labels)) == LIVE, seconds=600)
        await until(lambda: all(handle.job_id for handle in handles))
        assert sockets() - before <= 20
        assert threading.active_count() - threads <= 20
        await engine.cancel()
    assert box.left() == []


CLIENT = """
import asyncio, sys
from crankshaft_core.config import Config
from crankshaft_core.engine import Engine
from crankshaft_core.task import Execution, Task

async def main():
    async with Engine(Config.load(sys.argv[1])) as engine:
        task = Task(executions=(Execution(command="sleep 1000"), Execution(command="true")), volumes=("/v",))
        await asyncio.gather(*(engine.run("box", task) for _ in range(3)))

asyncio.run(main())
"""


async def test_ctrl_c_leaves_nothing(box: Box) -> None:
    file = box.directory / "Crankshaft.toml"
    file.write_text(box.text())
    environment = {**os.environ, "XDG_STATE_HOME": str(box.directory)}
    client = subprocess.Popen([sys.executable, "-c", CLIENT, str(file)], env=environment, stderr=subprocess.DEVNULL)
    await until(lambda: len(box.client.api.containers(filters={"label": "crankshaft.run"})) == 3)
    client.send_signal(signal.SIGINT)
    await asyncio.to_thread(client.wait, 60)
    assert box.left() == []
    assert not any(box.work_dir.rglob("files"))


async def test_an_end_is_noticed_without_waiting_for_the_next_poll(box: Box) -> None:
    async with box.run("[[backends]]\nextends = 'box'\nname = 'slow'\npoll_interval = 60") as engine:
        begun = time.monotonic()
        assert (await engine.run("slow", sh("true"))).ok
    assert time.monotonic() - begun < 30
