"""Tiny jobs on a real Slurm: what they cost its controller, how fast they are handed over, how soon their end is known.

    python benchmarks/slurm_submit.py [TASKS] [PAIRS]        (default: 500 3)

The Slurm of tests/services runs on this machine (what it needs: `tests/services/slurm packages`).

- RPCs: TASKS tasks of `true` through the engine, with the preset's own cadences, counted by `sdiag`, without those that
  the node sends. The peer asks `squeue -j` for each of up to 100 live jobs, once.
- Rate: TASKS held jobs through the engine (`submit_rate` raised), from `spawn` to the last job id, beside `xargs -P 4`
  running the same sbatch commands over job scripts made before its clock starts. PAIRS times, each first in turn.
- Delay: from the time in a task's exit record to its `TaskEnded`, in units of `poll_interval`.
"""

from __future__ import annotations

import asyncio
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # for the services of the tests

from crankshaft_core.backends.base import Attempt
from crankshaft_core.backends.generic import GenericBackend
from crankshaft_core.config import Config, GenericConfig
from crankshaft_core.engine import Engine
from crankshaft_core.events import Event, TaskEnded
from crankshaft_core.task import Execution, Task
from tests.services.running import Services

POLL = 1.0  # seconds; the preset's own on this machine
AT_ONCE = 4  # as the backend does
OF_THE_NODE = {
    "ACCOUNTING_REGISTER_CTLD",
    "MESSAGE_EPILOG_COMPLETE",
    "MESSAGE_NODE_REGISTRATION_STATUS",
    "REQUEST_COMPLETE_BATCH_SCRIPT",
    "REQUEST_COMPLETE_PROLOG",
    "REQUEST_STATS_INFO",
}
TASK = Task(name="tiny", executions=(Execution(program="true"),))


def config(work_dir: Path, count: int, *, held: bool) -> Config:
    rate = f"submit_rate = 100000\nsubmit_burst = {count}\nmax_tasks = {count}\nkeep_dirs = true"
    hold = "extra_args = '--hold'" if held else ""
    return Config.parse(f"[[backends]]\nname = 'slurm'\npreset = 'slurm'\nwork_dir = '{work_dir}'\n{rate}\n{hold}")


def rpcs() -> dict[str, int]:
    """What clients have asked the controller since `sdiag --reset`, by kind."""
    said = subprocess.run(["sdiag"], stdout=subprocess.PIPE, text=True, check=True).stdout
    counts = re.findall(r"^\s+([A-Z_]+)\s+\(\s*\d+\) count:(\d+)", said, re.MULTILINE)
    return {kind: int(count) for kind, count in counts if kind not in OF_THE_NODE}


def reset() -> None:
    subprocess.run(["sdiag", "--reset"], check=True)


async def run_all(work_dir: Path, count: int) -> None:
    """Every task to its end: RPCs, queries and delays."""
    delays: list[float] = []

    def note(event: Event) -> None:
        if isinstance(event, TaskEnded) and event.result.ended is not None:
            delays.append(time.time() - event.result.ended)

    reset()
    begun = time.perf_counter()
    async with Engine(config(work_dir, count, held=False)) as engine:
        engine.subscribe(note)
        results = await asyncio.gather(*(engine.run("slurm", TASK) for _ in range(count)))
        log = (work_dir / engine.run_id / "commands.log").read_text()
    seconds = time.perf_counter() - begun
    assert all(result.ok for result in results)
    assert len(delays) == count
    counted, sweeps = rpcs(), log.count(" list\n")
    others = sum(counted.values()) - counted.get("REQUEST_SUBMIT_BATCH_JOB", 0)
    print(f"{count} tasks of true, spawn to last result: {seconds:.1f} s; RPCs {counted}")
    print(
        f"  {sum(counted.values()) / count:.3f} RPCs a task; {sweeps} queries of all jobs, {others} RPCs beside submits"
    )
    print(
        f"  end to TaskEnded: median {statistics.median(delays):.2f} s = {statistics.median(delays) / POLL:.2f} polls"
    )


def naive_round(work_dir: Path) -> None:
    """One round of a client that asks squeue for each live job by itself."""
    jobs = [submit_held(work_dir) for _ in range(100)]
    reset()
    begun = time.perf_counter()
    for job in jobs:
        subprocess.run(["squeue", "-h", "-j", job, "-o", "%T"], stdout=subprocess.DEVNULL, check=True)
    seconds, naive = time.perf_counter() - begun, sum(rpcs().values())
    reset()
    begun = time.perf_counter()
    query = ["squeue", "-h", "--me", "-r", "-t", "all", "-o", "%i|%T|%r|%j"]
    subprocess.run(query, stdout=subprocess.DEVNULL, check=True)
    ours, one = time.perf_counter() - begun, sum(rpcs().values())
    subprocess.run(["scancel", *jobs], check=True)
    print(
        f"one round for 100 live jobs: squeue for each {naive} RPCs, {seconds:.2f} s; for all {one} RPCs, {ours:.2f} s"
    )


def submit_held(work_dir: Path) -> str:
    command = ["sbatch", "--parsable", "--hold", f"--output={work_dir}/none", "--wrap=true"]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


async def engine_rate(work_dir: Path, count: int) -> float:
    """Jobs a second, from the first `spawn` to the last job id."""
    async with Engine(config(work_dir, count, held=True)) as engine:
        begun = time.perf_counter()
        handles = [engine.spawn("slurm", TASK) for _ in range(count)]
        while not all(handle.job_id for handle in handles):
            await asyncio.sleep(0.01)
        seconds = time.perf_counter() - begun
        await engine.cancel()
    return count / seconds


def bare_rate(work_dir: Path, count: int) -> float:
    """The same commands over the same scripts, run by xargs."""
    backend_config = config(work_dir, count, held=True).backends["slurm"]
    assert isinstance(backend_config, GenericConfig)
    backend = GenericBackend(backend_config, run_id="kpeer00")
    commands = [write_job(backend, work_dir, number) for number in range(count)]
    begun = time.perf_counter()
    xargs = ["xargs", "-P", str(AT_ONCE), "-d", "\n", "-n", "1", "sh", "-c", "exec $0 >/dev/null"]
    subprocess.run(xargs, input="\n".join(commands), text=True, check=True)
    seconds = time.perf_counter() - begun
    subprocess.run(["scancel", "--user", str(os.getuid()), "--state=PENDING"], check=True)
    return count / seconds


def write_job(backend: GenericBackend, work_dir: Path, number: int) -> str:
    """The job script of one attempt, and the sbatch command for it."""
    shown = backend.script(Attempt(id=f"kpeer00-{number}-1", run="kpeer00", number=1, task=TASK))
    command, _, rest = shown.removeprefix("# submit\n").partition("\n\n# ")
    path, _, script = rest.partition("\n")
    Path(path).parent.mkdir(parents=True)
    Path(path).write_text(script)
    assert path.startswith(str(work_dir))
    return command.replace("'", "").replace("crankshaft kpeer00 tiny", "tiny")


def pair(place: Path, count: int, *, bare_first: bool) -> tuple[float, float]:
    """Jobs a second of both, one after the other: what the first leaves to the controller is the second's burden."""
    if bare_first:
        bare = bare_rate(place / "bare", count)
        return asyncio.run(engine_rate(place / "ours", count)), bare
    return asyncio.run(engine_rate(place / "ours", count)), bare_rate(place / "bare", count)


def main(count: int, pairs: int) -> None:
    with (
        closing(Services(Path(__file__).parents[1] / "tests" / "services")) as services,
        tempfile.TemporaryDirectory() as directory,
    ):
        os.environ |= services.slurm().env
        place = Path(directory)
        asyncio.run(run_all(place / "all", count))
        naive_round(place)
        ratios: list[float] = []
        for number in range(pairs):
            ours, bare = pair(place / f"pair{number}", count, bare_first=number % 2 == 1)
            ratios.append(ours / bare)
            print(
                f"pair {number + 1}: engine {ours:.0f}/s, bare sbatch {bare:.0f}/s, ratio {ratios[-1]:.2f}", flush=True
            )
        print(f"{count} submits: median ratio {statistics.median(ratios):.2f}")


if __name__ == "__main__":
    given = [int(argument) for argument in sys.argv[1:]]
    main(*given, *[500, 3][len(given) :])
