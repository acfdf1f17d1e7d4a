"""What the engine itself costs a task: CPU time and memory, beside bare asyncio tasks in the same run.

    python benchmarks/engine_cost.py [TASKS...]        (default: 1000 20000)

Tasks live on the in-memory backend. All are held live at once, then all end; the CPU time is this process's, from the
first spawn to the last result, the journal's thread included. The memory is what the process grew by (VmRSS) while
all were live. The peer does the same with bare asyncio tasks that wait for a future each.
"""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from crankshaft_core.backends.base import Cadence
from crankshaft_core.backends.memory import MemoryBackend, System
from crankshaft_core.config import Config
from crankshaft_core.engine import Engine
from crankshaft_core.journal import Journal
from crankshaft_core.task import Execution, Task

CONFIG = '[[backends]]\nname = "m"\nkind = "Generic"\nsubmit = "~{command}"\nmax_tasks = 1000000'


async def crankshaft(count: int) -> tuple[float, float]:
    system = System()
    config = Config.parse(CONFIG)
    task = Task(name="bench", executions=(Execution(program="true"),))
    with tempfile.TemporaryDirectory() as directory:
        journal = Journal.open(Path(directory) / "journal.db")
        cadence = Cadence(poll=0.5, slowest_poll=0.5)
        async with Engine(
            config, journal=journal, open_backend=lambda _, **_run: MemoryBackend(system, cadence=cadence)
        ) as engine:
            before, begun = resident(), time.process_time()
            handles = [engine.spawn("m", task, key=f"k{number}") for number in range(count)]
            while len(system.records) < count or handles[-1].job_id is None:
                await asyncio.sleep(0.01)
            held = resident() - before
            paused = time.process_time()
            for name in system.records:
                system.end(name)
            begun += time.process_time() - paused
            for handle in handles:
                await handle
            return time.process_time() - begun, held


async def bare(count: int) -> tuple[float, float]:
    loop = asyncio.get_running_loop()

    async def wait(future: asyncio.Future[int]) -> int:
        return await future

    before, begun = resident(), time.process_time()
    futures = [loop.create_future() for _ in range(count)]
    tasks = [asyncio.create_task(wait(future)) for future in futures]
    await asyncio.sleep(0)
    held = resident() - before
    for future in futures:
        future.set_result(0)
    for task in tasks:
        await task
    return time.process_time() - begun, held


def resident() -> float:
    """MB of this process in memory now."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def measured(kind: str, count: int) -> tuple[float, float]:
    """In a process of its own, so that one does not warm the other's memory."""
    out = subprocess.run([sys.executable, __file__, kind, str(count)], capture_output=True, check=True, text=True)
    cpu, held = out.stdout.split()
    return float(cpu), float(held)


def main(counts: list[int]) -> None:
    print(f"{'tasks':>7} {'crankshaft':>24} {'bare asyncio':>24} {'ratio':>7}")
    for count in counts:
        ours, theirs = measured("crankshaft", count), measured("bare", count)
        print(
            f"{count:>7} {ours[0] / count * 1e6:>9.1f} us/task {ours[1]:>6.1f} MB"
            f" {theirs[0] / count * 1e6:>9.1f} us/task {theirs[1]:>6.1f} MB {ours[0] / theirs[0]:>7.1f}"
        )


if __name__ == "__main__":
    if sys.argv[1:2] in (["crankshaft"], ["bare"]):
        print(*asyncio.run({"crankshaft": crankshaft, "bare": bare}[sys.argv[1]](int(sys.argv[2]))))
    else:
        main([int(argument) for argument in sys.argv[1:]] or [1000, 20000])
