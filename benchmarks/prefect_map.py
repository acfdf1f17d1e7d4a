"""`map` of trivial tasks on this machine against the runners of Prefect, and Dask's where it is installed.

    python benchmarks/prefect_map.py                  # 100 tasks with each runner
    python benchmarks/prefect_map.py --tasks 2000 --runners threads crankshaft-batch

Each runner runs in a process of its own, over one Prefect server on loopback, which has time to take in what it was
told before the next is measured. A line tells the wall time of the first use, start of the runner included, and of the
second in the same process; the CPU time a task, of the flow's process alone and with its children; and the peak memory
of the flow's process. The last lines are ratios against the peers. Prefect's heartbeat is off: a flow waits at its end
for a thread that sleeps in seconds, so that every flow would take a whole number of them (Prefect 3.8.8).
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import httpx

CONFIG = """
[[backends]]
name = "local"
kind = "Generic"
preset = "local"
max_tasks = {cores}
"""
RUNNERS = ("threads", "processes", "dask", "crankshaft", "crankshaft-batch")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=100)
    parser.add_argument("--runners", nargs="+", choices=RUNNERS, default=RUNNERS)
    parser.add_argument("--one", choices=RUNNERS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measure(arguments.one, arguments.tasks)))
    else:
        compare(arguments.runners, arguments.tasks)


def compare(runners: list[str], tasks: int) -> None:
    from prefect.settings import PREFECT_API_URL
    from prefect.testing.utilities import prefect_test_harness

    results: dict[str, dict[str, float]] = {}
    with prefect_test_harness(server_startup_timeout=180), tempfile.TemporaryDirectory() as home:
        quiet = {
            "PREFECT_LOGGING_LEVEL": "ERROR",
            "PREFECT_API_URL": str(PREFECT_API_URL.value()),
            "PREFECT_HOME": home,
        }
        for runner in runners:
            command = [sys.executable, __file__, "--one", runner, "--tasks", str(tasks)]
            run = subprocess.run(command, env={**os.environ, **quiet}, capture_output=True, text=True, check=False)
            if run.returncode:
                print(f"{runner:18} cannot be had: {run.stderr.strip().rsplit(chr(10), 1)[-1]}")
                continue
            results[runner] = json.loads(run.stdout.strip().rsplit("\n", 1)[-1])
            print(
                f"{runner:18}", ", ".join(f"{name} {value:.3f}" for name, value in results[runner].items()), flush=True
            )
    for ours in [name for name in results if name.startswith("crankshaft")]:
        for peer in [name for name in results if not name.startswith("crankshaft")]:
            first, again = (results[ours][name] / results[peer][name] for name in ("first_s", "again_s"))
            print(f"{ours} / {peer}: first use {first:.2f}, again {again:.2f}")


def measure(runner: str, tasks: int) -> dict[str, float]:
    from prefect import flow, task
    from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

    @task
    def double(number: int) -> int:
        return 2 * number

    @flow
    def mapped() -> list[int]:
        return double.map(range(tasks)).result()

    @flow
    def warm_up() -> None: ...

    with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
        return measured(mapped.with_options(task_runner=runner_called(runner)), warm_up, tasks)


def measured(mapped: Callable[[], list[int]], warm_up: Callable[[], None], tasks: int) -> dict[str, float]:
    warm_up()
    times: list[float] = []
    known = task_runs()
    own, others = resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN
    before, others_before = cpu_s(own), cpu_s(others)
    for run in (1, 2):
        start = time.perf_counter()
        assert mapped() == [2 * number for number in range(tasks)]
        times.append(time.perf_counter() - start)
        settle(known + run * tasks)
    return {
        "first_s": times[0],
        "again_s": times[1],
        "own_cpu_s_a_task": (cpu_s(own) - before) / tasks / 2,
        "cpu_s_a_task": (cpu_s(own) - before + cpu_s(others) - others_before) / tasks / 2,
        "peak_mib": peak_mib(),
    }


def settle(ended: int) -> None:
    """Wait until the server knows that so many task runs have ended: what it still has to do slows down the next."""
    patience_s = 60 + 0.2 * ended
    deadline = time.monotonic() + patience_s
    while task_runs() < ended and time.monotonic() < deadline:
        time.sleep(0.5)


def task_runs() -> int:
    """How many the server knows to have ended."""
    from prefect.settings import PREFECT_API_URL

    ended = {"task_runs": {"state": {"type": {"any_": ["COMPLETED"]}}}}
    return int(httpx.post(f"{PREFECT_API_URL.value()}/task_runs/count", json=ended, timeout=60).json())


def runner_called(name: str) -> object:
    if name == "threads":
        from prefect.task_runners import ThreadPoolTaskRunner

        return ThreadPoolTaskRunner()
    if name == "processes":
        from prefect.task_runners import ProcessPoolTaskRunner

        return ProcessPoolTaskRunner()
    if name == "dask":
        from prefect_dask import DaskTaskRunner

        return DaskTaskRunner(cluster_kwargs={"dashboard_address": None})
    from crankshaft_core.config import Config
    from prefect_crankshaft import CrankshaftTaskRunner

    config = Config.parse(CONFIG.format(cores=os.cpu_count()))
    return CrankshaftTaskRunner("local", config=config, batch=10 if name == "crankshaft-batch" else 1)


def cpu_s(who: int) -> float:
    """Of this process, or of its children that have ended and were waited for."""
    usage = resource.getrusage(who)
    return usage.ru_utime + usage.ru_stime


def peak_mib() -> float:
    """Of this process alone; getrusage tells a parent's too (getrusage(2), execve)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return float("nan")


if __name__ == "__main__":
    main()
