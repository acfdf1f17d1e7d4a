"""What a Slurm controller is asked in an hour while jobs wait, beside their submits.

    python benchmarks/slurm_politeness.py [JOBS] [SECONDS]        (default: 1000 90)

The Slurm of tests/services runs on this machine (what it needs: `tests/services/slurm packages`). `sdiag` counts.

- Measured: an engine with the preset's own cadence submits JOBS jobs that may start tomorrow, and watches them for
  SECONDS: the RPCs of a sweep, and that there are none between sweeps.
- Computed: these, times the sweeps of an hour, which passes on a clock that jumps.
- The peer asks `squeue -j` for each job once a minute, measured on 50 of them.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # for the services of the tests

from crankshaft_core.config import Config
from crankshaft_core.engine import Engine
from crankshaft_core.task import Execution, Task
from tests.services.rpcs import rpcs
from tests.services.running import Services
from tests.unit.engine.test_politeness import Counting, watched

LIMIT = 300
PEER = 50
TASK = Task(name="tiny", executions=(Execution(program="true"),))


def config(work_dir: Path, jobs: int) -> Config:
    return Config.parse(
        f"[[backends]]\nname = 'slurm'\npreset = 'slurm'\nwork_dir = '{work_dir}'\nmax_tasks = {jobs}\n"
        f"submit_rate = 1000\nextra_args = '--begin=now+1day'\n"
    )


def asked() -> int:
    """Without submits and kills, which are the user's own, and what the accounting daemon tells by itself."""
    own = ("REQUEST_SUBMIT_BATCH_JOB", "REQUEST_KILL_JOB", "ACCOUNTING_UPDATE_MSG", "REQUEST_PING")
    return sum(count for kind, count in rpcs().items() if kind not in own)


async def watch(work_dir: Path, jobs: int, seconds: float) -> tuple[float, float]:
    """RPCs of a sweep (their number is from the log of commands), and of the peer for one job."""
    async with Engine(config(work_dir, jobs)) as engine:
        handles = [engine.spawn("slurm", TASK) for _ in range(jobs)]
        while not all(handle.job_id for handle in handles):
            await asyncio.sleep(0.1)
        print(f"{jobs} jobs wait", flush=True)
        log = work_dir / engine.run_id / "commands.log"
        before, swept, begun = asked(), log.read_text().count(" list\n"), time.perf_counter()
        await asyncio.sleep(seconds)
        took, calls = time.perf_counter() - begun, asked() - before
        sweeps = log.read_text().count(" list\n") - swept
        each = peer(handles[0].job_id or "")
    print(f"{took:.0f} s: {calls} RPCs, {sweeps} sweeps; squeue for one job: {each:.1f} RPCs")
    return calls / sweeps, each


def peer(job: str) -> float:
    """RPCs of a client that asks for each job by itself, for each."""
    before = asked()
    for _ in range(PEER):
        subprocess.run(["squeue", "-h", "-j", job, "-o", "%T"], stdout=subprocess.DEVNULL, check=True)
    return (asked() - before) / PEER


def main(jobs: int, seconds: int) -> None:
    with (
        closing(Services(Path(__file__).parents[1] / "tests" / "services")) as services,
        tempfile.TemporaryDirectory() as directory,
    ):
        os.environ |= services.slurm().env
        ours, theirs = asyncio.run(watch(Path(directory), jobs, seconds))
    hour = Counting()
    watched(hour, jobs=jobs)
    total, naive = ours * len(hour.sweeps), theirs * jobs * 60
    print(
        f"an hour of {jobs} waiting jobs: {len(hour.sweeps)} sweeps of {ours:.1f} RPCs: "
        f"{total:.0f}, {total / LIMIT:.2f} of the {LIMIT} allowed; squeue for each job once a minute: {naive:.0f}, "
        f"ratio {total / naive:.4f}"
    )
    assert total < LIMIT


if __name__ == "__main__":
    given = [int(argument) for argument in sys.argv[1:]]
    main(*given, *[1000, 90][len(given) :])
