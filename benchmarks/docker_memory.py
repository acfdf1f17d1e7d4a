"""What a task leaves in memory when it is done: few and many tasks through Crankshaft on Docker, beside each other.

    python benchmarks/docker_memory.py [FEW] [MANY] [PARALLEL]        (default: 100 2000 8)

Each count runs in a process of its own, PARALLEL tasks at once, none of their results kept. It is measured from the
twentieth task on, when all that is loaded once is loaded: the peak of the process (VmHWM), and what Python has
allocated and still holds at the end (tracemalloc). The ratio is that of the peaks; 1 means that tasks leave nothing.
The engine is DOCKER_HOST's, else the tests' own.
"""

from __future__ import annotations

import asyncio
import gc
import json
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
MIB = 2**20


async def measured(host: str, count: int, parallel: int) -> tuple[int, int]:
    """Peak of the process, and what is held of `count` tasks; both in bytes."""
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
            before = held()
            await run(engine, count, parallel)
            return peak(), held() - before


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


def in_a_process(host: str, count: int, parallel: int) -> tuple[int, int]:
    command = [sys.executable, __file__, "--child", host, str(count), str(parallel)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    most, left = json.loads(done.stdout)
    print(f"{count} tasks: peak {most / MIB:.1f} MiB, {left / 1024:.0f} KiB held at the end", flush=True)
    return most, left


def main() -> None:
    few, many, parallel = (int(text) for text in [*sys.argv[1:], *["100", "2000", "8"][len(sys.argv) - 1 :]])
    host = os.environ.get("DOCKER_HOST") or own_engine()
    peak_of_few, left_of_few = in_a_process(host, few, parallel)
    peak_of_many, left_of_many = in_a_process(host, many, parallel)
    each = (left_of_many - left_of_few) / (many - few)
    print(f"ratio of the peaks {peak_of_many / peak_of_few:.3f}; each task more leaves {each:.0f} bytes")


def own_engine() -> str:
    subprocess.run([SERVICE, "up"], check=True)
    lines = subprocess.run([SERVICE, "env"], check=True, capture_output=True, text=True).stdout.splitlines()
    return dict(line.split("=", 1) for line in lines)["DOCKER_HOST"]


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        print(json.dumps(asyncio.run(measured(sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))))
    else:
        main()
