"""Containers a second through Crankshaft, beside a bare create/start/wait/remove loop on the same engine, in one run.

    python benchmarks/docker_rate.py [TASKS] [PARALLEL] [PAIRS]        (default: 60 4 3)

The peer uses the same SDK with as many threads as Crankshaft has places; it keeps no output, tells nobody's exit code
and journals nothing. Each pair is run in turn, so that a loaded machine slows both. The ratio of each pair and the
median are printed; 1 means that Crankshaft costs nothing. The engine is DOCKER_HOST's, else the tests' own.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import docker

from crankshaft_core.config import Config
from crankshaft_core.engine import Engine
from crankshaft_core.journal import Journal
from crankshaft_core.task import Execution, Task

IMAGE = "busybox:local"
TASK = Task(name="bench", executions=(Execution(program="true"),))
SERVICE = Path(__file__).parents[1] / "tests" / "services" / "docker"


def bare(host: str, count: int, parallel: int) -> float:
    with (
        closing(docker.APIClient(host, version="auto", max_pool_size=parallel)) as api,
        ThreadPoolExecutor(parallel) as pool,
    ):

        def one(number: int) -> int:
            name = f"bench-{os.getpid()}-{number}"
            api.create_container_from_config({"Image": IMAGE, "Entrypoint": ["true"]}, name)
            api.start(name)
            code: int = api.wait(name)["StatusCode"]
            api.remove_container(name)
            return code

        begun = time.monotonic()
        assert not any(pool.map(one, range(count)))
        return count / (time.monotonic() - begun)


async def crankshaft(host: str, count: int, parallel: int) -> float:
    with tempfile.TemporaryDirectory() as directory:
        config = Config.parse(
            f"""[[backends]]
            name = "box"
            kind = "Docker"
            host = "{host}"
            image = "{IMAGE}"
            max_tasks = {parallel}
            work_dir = "{directory}/work"
            """
        )
        begun = time.monotonic()
        async with Engine(config, journal=Journal.open(Path(directory) / "journal.db")) as engine:
            results = await asyncio.gather(*(engine.run("box", TASK) for _ in range(count)))
            assert all(result.ok for result in results)
        return count / (time.monotonic() - begun)  # everything is removed by now


def main() -> None:
    count, parallel, pairs = (int(text) for text in [*sys.argv[1:], *["60", "4", "3"][len(sys.argv) - 1 :]])
    host = os.environ.get("DOCKER_HOST") or own_engine()
    bare(host, parallel, parallel)  # so that neither pays for what the engine does once
    ratios: list[float] = []
    for pair in range(pairs):
        peer = bare(host, count, parallel)
        ours = asyncio.run(crankshaft(host, count, parallel))
        ratios.append(ours / peer)
        print(f"pair {pair + 1}: bare {peer:.2f}/s, crankshaft {ours:.2f}/s, ratio {ratios[-1]:.3f}", flush=True)
    print(f"{count} containers, {parallel} at once: median ratio {statistics.median(ratios):.3f}")


def own_engine() -> str:
    subprocess.run([SERVICE, "up"], check=True)
    lines = subprocess.run([SERVICE, "env"], check=True, capture_output=True, text=True).stdout.splitlines()
    return dict(line.split("=", 1) for line in lines)["DOCKER_HOST"]


if __name__ == "__main__":
    main()
