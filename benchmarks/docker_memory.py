"""What a task leaves in memory when it is done: one process runs few tasks through Crankshaft on Docker, then many.

    python benchmarks/docker_memory.py [FEW] [MANY] [PARALLEL]        (default: 100 2000 8)

PARALLEL tasks run at once, and none of their results is kept. After FEW and after MANY in all it is measured how large
the process ever was (VmHWM), and what Python has allocated since the first twenty and still holds (tracemalloc). The
ratio is that of the peaks; 1 means that tasks leave nothing. The engine is DOCKER_HOST's, else the tests' own.
"""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
import tempfile
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

from crankshaft_core.config import Config
from crankshaft_core.engine import Engine
from crankshaft_core.journal import Journal
from crankshaft_core.task import Execution, Task

TASK = Task(name="bench", executions=(Execution(program="true"),))
SERVICE = Path(__file__).parents[1] / "tests" / "services" / "docker"
FIRST = 20
IDLE = 3.0
"""Seconds in which what the last tasks left on the engine is removed, so that nothing is under way."""
MIB = 2**20


async def measured(host: str, counts: tuple[int, int], parallel: int) -> list[tuple[int, int]]:
    """After each of the `counts` of tasks: the peak of the process, and what is held; both in bytes."""
    found: list[tuple[int, int]] = []
    with tempfile.TemporaryDirectory() as directory:
        config = Config.parse(
            f"""[[backends]]
            name = "box"
            kind = "Docker"
            host = "{host}"
            image = "busybox:local"
            max_tasks = {parallel}
            work_dir = "{directory}/work"
            """
        )
        async with Engine(config, journal=Journal.open(Path(directory) / "journal.db")) as engine:
            await run(engine, FIRST, parallel)
            tracemalloc.start()
            done = 0
            for count in counts:
                await run(engine, count - done, parallel)
                done = count
                await asyncio.sleep(IDLE)
                found.append((peak(), held()))
                print(
                    f"{count} tasks: peak {found[-1][0] / MIB:.1f} MiB, {found[-1][1] / 1024:.0f} KiB held", flush=True
                )
    return found


async def run(engine: Engine, count: int, parallel: int) -> None:
    numbers = iter(range(count))
    await asyncio.gather(*(one_after_the_other(engine, numbers) for _ in range(parallel)))


async def one_after_the_other(engine: Engine, numbers: Iterator[int]) -> None:
    for _ in numbers:
        assert (await engine.run("box", TASK)).ok


def held() -> int:
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


def peak() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def main() -> None:
    few, many, parallel = (int(text) for text in [*sys.argv[1:], *["100", "2000", "8"][len(sys.argv) - 1 :]])
    host = os.environ.get("DOCKER_HOST") or own_engine()
    (first_peak, first_held), (last_peak, last_held) = asyncio.run(measured(host, (few, many), parallel))
    each = (last_held - first_held) / (many - few)
    print(f"ratio of the peaks {last_peak / first_peak:.3f}; each task more leaves {each:.0f} bytes")


def own_engine() -> str:
    subprocess.run([SERVICE, "up"], check=True)
    lines = subprocess.run([SERVICE, "env"], check=True, capture_output=True, text=True).stdout.splitlines()
    return dict(line.split("=", 1) for line in lines)["DOCKER_HOST"]


if __name__ == "__main__":
    main()
