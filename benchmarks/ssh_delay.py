"""Submits over SSH with a slow line in between, in round trips, beside one call a task in the same run.

    python benchmarks/ssh_delay.py [TASKS] [PEER_TASKS] [MILLISECONDS]        (default: 500 50 30)

A real sshd on loopback; a proxy adds the delay to every byte, MILLISECONDS each way, so a round trip is twice that. The
submit command only prints an id, so that what is measured is the line and not a scheduler. Half a round trip is waited
for each time that the turn goes from one side to the other; what a side sends within a round trip of its last piece has
waited for nobody, and is the same turn. Polls are counted too. The peer runs the same submit command once a task over
the same connection, one after the other.
"""

from __future__ import annotations

import asyncio
import math
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import groupby, pairwise
from pathlib import Path

from crankshaft_core.config import Config, GenericConfig
from crankshaft_core.drivers.ssh import SSHDriver
from crankshaft_core.engine import Engine
from crankshaft_core.task import Execution, Task
from tests.integration.ssh.delay import delaying_proxy
from tests.integration.ssh.server import Server, public, serving

TASK = Task(name="bench", executions=(Execution(program="true"),))
SUBMIT = "echo ~{job_name} | cksum"
GOAL = 15


class Line:
    """What is known of the line: when something was handed to it, and how often somebody had to wait for that."""

    def __init__(self, delay: float) -> None:
        self.delay = delay
        self.trips: list[float] = []
        self._pieces: tuple[list[float], list[float]] = ([], [])

    def taken(self, way: int, at: float) -> None:
        """A piece went there (0) or back (1)."""
        self._pieces[way].append(at)

    @contextmanager
    def watched(self, what: str, count: int) -> Iterator[None]:
        """Say how long it took, and how many round trips of that were waiting."""
        for pieces in self._pieces:
            pieces.clear()
        begun = time.perf_counter()
        yield
        seconds = time.perf_counter() - begun
        trips = self._turns() / 2
        self.trips.append(trips)
        print(f"{what}: {seconds:.2f} s, {trips:.1f} round trips of waiting, {trips / count:.3f} a task", flush=True)

    def _turns(self) -> int:
        starts = sorted((at, way) for way, pieces in enumerate(self._pieces) for at in self._bursts(pieces))
        return sum(1 for _ in groupby(way for _, way in starts))

    def _bursts(self, pieces: list[float]) -> list[float]:
        """When each burst began: a piece within a round trip of the last cannot have waited for an answer to it."""
        return [at for before, at in pairwise([-math.inf, *sorted(pieces)]) if at - before >= 2 * self.delay]


def config(server: Server, port: int, work_dir: Path, count: int) -> Config:
    return Config.parse(f"""
[[backends]]
name = "far"
kind = "Generic"
max_tasks = {count + 1}
submit = "{SUBMIT}"
monitor_all = "true"
kill = "true"
job_id_regex = '^(\\d+)'
submit_rate = 100000
submit_burst = {count + 1}
work_dir = "{work_dir}"
locale = {{ kind = "SSH", host = "login", port = {port}, ssh_config = "{server.ssh_config}" }}
""")


async def measure(settings: Config, line: Line, count: int, peers: int) -> None:
    async with Engine(settings) as engine:
        with line.watched("the first task, from no connection", 1):
            await submitted(engine, 1)
        with line.watched(f"{count} tasks", count):
            await submitted(engine, count)
        with line.watched(f"one call a task, {peers} tasks", peers):
            await one_by_one(settings, peers)
        await engine.cancel()


async def submitted(engine: Engine, count: int) -> None:
    handles = [engine.spawn("far", TASK) for _ in range(count)]
    while not all(handle.job_id for handle in handles):
        await asyncio.sleep(0.002)


async def one_by_one(settings: Config, count: int) -> None:
    """On the connection that is there already."""
    backend = settings.backends["far"]
    assert isinstance(backend, GenericConfig)
    driver = SSHDriver.of(backend.locale)
    for number in range(count):
        done = await driver.run(SUBMIT.replace("~{job_name}", f"peer-{number}"))
        assert done.status == 0
    await driver.aclose()


def main(count: int, peers: int, milliseconds: int) -> None:
    line = Line(milliseconds / 1000)
    with tempfile.TemporaryDirectory() as name, serving(Path(name) / "sshd") as server:
        with delaying_proxy(server.port, seconds=line.delay, taken=line.taken) as port:
            server.known_hosts.write_text(f"[127.0.0.1]:{port} {public(server.host_key)}\n")
            asyncio.run(measure(config(server, port, Path(name) / "work", count), line, count, peers))
    _, ours, peer = line.trips
    ratio = ours / (peer * count / peers)
    print(f"{count} tasks: {ours:.1f} round trips of waiting (goal: < {GOAL}), {ratio:.3f} of the peer's")


if __name__ == "__main__":
    given = [int(argument) for argument in sys.argv[1:]]
    main(*given, *[500, 50, 30][len(given) :])
