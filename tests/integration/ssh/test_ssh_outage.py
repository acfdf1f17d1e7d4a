"""A login node that goes away while jobs run there."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from pathlib import Path

from crankshaft_core.config import Config
from crankshaft_core.engine import Engine
from crankshaft_core.notices import Notices
from crankshaft_core.task import Execution, Task
from tests.integration.ssh.conftest import StartServer

CONFIG = """
[[backends]]
name = "hpc"
kind = "Generic"
submit = "~{{command}}"
poll_interval = 0.2
work_dir = "{work_dir}"
locale = {{ kind = "SSH", host = "login", ssh_config = "{ssh_config}", client = "{client}" }}
"""


async def test_a_lost_connection_is_one_line_with_the_time_and_the_jobs_that_go_on(
    start_server: StartServer, tmp_path: Path, client: str
) -> None:
    server, stop, lines = start_server(), tmp_path / "stop", list[str]()
    config = CONFIG.format(work_dir=tmp_path / "work", ssh_config=server.ssh_config, client=client)
    command = f"while [ ! -e '{stop}' ]; do sleep 0.1; done"
    async with Engine(Config.parse(config)) as engine:
        engine.subscribe(Notices(lines.append))
        handles = [engine.spawn("hpc", Task(executions=(Execution(command=command),))) for _ in range(2)]
        await until(lambda: all(handle.job_id for handle in handles))
        server.go_away()
        await until(lambda: bool(lines))
        server.restart()
        stop.touch()
        assert all([(await handle).ok for handle in handles])
    lost = r"hpc: .*connection lost.* \d\d:\d\d.*; 2 jobs unaffected; retrying in \d+ s\."
    assert re.fullmatch(lost, lines[0]), lines
    assert lines[1:] == ["hpc: answers again"]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.05)
