"""1,000 tasks of `true` on `local`, beside `xargs -P` running the same wrapper scripts in the same run.

    python benchmarks/local_rate.py [TASKS] [PAIRS]        (default: 1000 3)

Both run as many at once as there are cores. The peer's job scripts are those that the backend writes, made before its
clock starts; it neither journals nor learns of any exit code. The ratio of each pair and the median are printed.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from crankshaft_core.backends.base import Attempt
from crankshaft_core.backends.generic import GenericBackend
from crankshaft_core.config import Config
from crankshaft_core.engine import Engine
from crankshaft_core.task import Execution, Task

CORES = len(os.sched_getaffinity(0))
TASK = Task(name="bench", executions=(Execution(program="true"),))


def config(work_dir: Path) -> Config:
    return Config.parse(
        f"[[backends]]\nname = 'local'\npreset = 'local'\nmax_tasks = {CORES}"
        f"\nwork_dir = '{work_dir}'\nkeep_dirs = true"
    )


async def crankshaft(work_dir: Path, count: int) -> float:
    begun = time.perf_counter()
    async with Engine(config(work_dir)) as engine:
        handles = [engine.spawn("local", TASK) for _ in range(count)]
        results = [await handle for handle in handles]
    assert all(result.ok for result in results)
    return time.perf_counter() - begun


def xargs(work_dir: Path, count: int) -> float:
    backend = GenericBackend(config(work_dir).backends["local"], run_id="kpeer00")
    jobs = [write_job(backend, f"kpeer00-{number}-1") for number in range(count)]
    begun = time.perf_counter()
    peer = ["xargs", "-P", str(CORES), "-n", "1", "bash"]
    subprocess.run(peer, input="\n".join(jobs), text=True, check=True, stderr=subprocess.DEVNULL)
    seconds = time.perf_counter() - begun
    done = len(list((work_dir / "kpeer00" / "done").iterdir()))
    assert done == count, f"{done} of {count} wrappers left a record"
    return seconds


def write_job(backend: GenericBackend, attempt: str) -> str:
    """The files of one attempt, as submitting would write them, and the path of its job script."""
    mode = backend._mode
    job = mode._renderer.job(Attempt(id=attempt, run="kpeer00", number=1, task=TASK))
    mode._run.write(job)
    return str(job.paths.job)


def main(count: int, pairs: int) -> None:
    ratios: list[float] = []
    for pair in range(pairs):
        with tempfile.TemporaryDirectory() as directory:
            ours = asyncio.run(crankshaft(Path(directory) / "ours", count))
            theirs = xargs(Path(directory) / "theirs", count)
        ratios.append(ours / theirs)
        print(
            f"pair {pair + 1}: crankshaft {ours:.2f} s, xargs -P {CORES} {theirs:.2f} s, ratio {ratios[-1]:.2f}",
            flush=True,
        )
    print(f"{count} tasks of true: median ratio {statistics.median(ratios):.2f}")


if __name__ == "__main__":
    given = [int(argument) for argument in sys.argv[1:]]
    main(*given, *[1000, 3][len(given) :])
