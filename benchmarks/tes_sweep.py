"""Many live tasks on a TES server that fails now and then: requests, memory, duplicates, beside py-tes in the same run.

    python benchmarks/tes_sweep.py [TASKS] [PEER_TASKS] [SECONDS]        (default: 20000 200 60)

Our TES server runs on loopback and pretends to run tasks. 5 % of all requests get 503 before anything is done, 2 % of
all answers get lost after everything was done. Three clients, each with a server of its own:

- crankshaft: TASKS tasks through the engine, held by the server until all of them are live, ending within SECONDS then,
  each followed to its result. Requests are counted by the server, memory is the client process's peak (ru_maxrss). One
  sweep of all tasks is counted by itself, without faults.
- py-tes: PEER_TASKS tasks of SECONDS each, created and waited for with `HTTPClient.wait` (a request per task every
  0.5 s, its own default), in a thread each. No faults, since it bears none.
- naive retry: as many creates as TASKS / 10 with py-tes, each repeated until it is answered, with the faults.
"""

from __future__ import annotations

import asyncio
import json
import logging
import resource
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ERROR_RATE, DROP_RATE = 0.05, 0.02
IMAGE = "busybox"


@contextmanager
def serving(
    seconds: float, *, faults: bool, hold: bool = False
) -> Generator[tuple[str, dict[str, Any], subprocess.Popen[str]], None, None]:
    """A server in a process of its own: its URL, afterwards what it counted, and the process."""
    command = [sys.executable, "-m", "tests.services.tes_server", "--pretend", str(seconds), "--workers", "1000000"]
    command += ["--no-validation", *(["--hold"] if hold else [])]
    if faults:
        command += ["--error-rate", str(ERROR_RATE), "--drop-rate", str(DROP_RATE)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[1])
    assert server.stdout is not None
    counted: dict[str, Any] = {}
    try:
        yield server.stdout.readline().strip(), counted, server
        server.send_signal(signal.SIGTERM)
        counted.update(json.loads(server.stdout.readline()))
    finally:
        server.kill()
        server.wait()


async def crankshaft(url: str, count: int) -> dict[str, Any]:
    from crankshaft_core.config import Config
    from crankshaft_core.engine import Engine
    from crankshaft_core.task import Execution, Task

    logging.basicConfig(level=logging.ERROR)
    text = f"name = 'tes'\nkind = 'TES'\nurl = '{url}'\nmax_tasks = {count}\npoll_interval = 5\ngrace = '20s'"
    config = Config.parse(f"[[backends]]\n{text}")
    task = Task(name="bench", executions=(Execution(image=IMAGE, command="true"),))
    begun = time.perf_counter()
    async with Engine(config) as engine:
        handles = deque(engine.spawn("tes", task) for _ in range(count))
        while not all(handle.job_id for handle in handles):
            await asyncio.sleep(0.1)
        submitted = time.perf_counter() - begun
        print("all live", flush=True)
        ok = 0
        while handles:
            ok += (await handles.popleft()).ok
    return {
        "ok": ok,
        "submit_seconds": round(submitted, 1),
        "seconds": round(time.perf_counter() - begun, 1),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
    }


async def sweep(url: str, count: int) -> dict[str, Any]:
    """The first poll, which finds out what the server filters by, and the second one."""
    from crankshaft_core.backends.base import Attempt, Job
    from crankshaft_core.backends.tes import TESBackend
    from crankshaft_core.config.tes import TESConfig
    from crankshaft_core.task import Execution, Task

    backend = TESBackend(TESConfig(name="tes", url=url), run_id="kbench0")
    task = Task(name="bench", executions=(Execution(image=IMAGE, command="true"),))

    async def submit(number: int) -> Job:
        name = f"kbench0-{number}-1"
        return Job(name, "kbench0", await backend.submit(Attempt(name, "kbench0", 1, task)))

    jobs = await asyncio.gather(*(submit(number) for number in range(count)))
    requests: list[int] = []
    begun = time.perf_counter()
    for _ in range(2):
        before = backend.requests_sent
        states = await backend.poll(jobs, sweep=True)
        assert len(states) == count
        requests.append(backend.requests_sent - before)
    seconds = (time.perf_counter() - begun) / 2
    await backend.aclose()
    return {"first": requests[0], "second": requests[1], "seconds": round(seconds, 2)}


def py_tes(url: str, count: int) -> None:
    import tes  # type: ignore[import-untyped]

    def work(_: int) -> None:
        client = tes.HTTPClient(url, timeout=60)
        task = tes.Task(executors=[tes.Executor(image=IMAGE, command=["true"])])
        client.wait(client.create_task(task))

    with ThreadPoolExecutor(count) as pool:
        list(pool.map(work, range(count)))


def naive(url: str, count: int) -> None:
    import requests
    import tes

    def work(number: int) -> None:
        client = tes.HTTPClient(url, timeout=60)
        task = tes.Task(name=f"naive-{number}", executors=[tes.Executor(image=IMAGE, command=["true"])])
        while True:
            try:
                client.create_task(task)
            except requests.exceptions.RequestException:
                continue
            return

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(count)))


def alone(part: str, url: str, count: int, server: subprocess.Popen[str]) -> dict[str, Any]:
    """One of the asynchronous parts in a process of its own, so that its memory is its own."""
    command = [sys.executable, __file__, "--part", part, url, str(count)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as client:
        assert client.stdout is not None
        line = client.stdout.readline()
        if line.strip() == "all live":
            server.send_signal(signal.SIGUSR1)
            line = client.stdout.readline()
    result: dict[str, Any] = json.loads(line)
    return result


def main(count: int, peers: int, seconds: float) -> None:
    with serving(seconds, faults=True, hold=True) as (url, counted, server):
        ours = alone("crankshaft", url, count, server)
    per_task = sum(counted["requests"].values()) / count
    lost, duplicates = count - ours["ok"], counted["tasks"] - counted["cancelled"] - counted["names"]
    print(f"crankshaft   {count} tasks, {ours['ok']} ok, {lost} lost, {duplicates} duplicates")
    print(f"             {per_task:.3f} requests a task {counted['requests']}, {counted['cancelled']} cancelled")
    print(f"             submitted in {ours['submit_seconds']} s, done in {ours['seconds']} s, {ours['peak_mb']} MB")
    with serving(3600, faults=False) as (url, counted, server):
        listed = alone("sweep", url, count, server)
    print(f"sweep        {listed['first']} requests at first, then {listed['second']}, {listed['seconds']} s")
    with serving(seconds, faults=False) as (url, counted, _):
        py_tes(url, peers)
    theirs = sum(counted["requests"].values()) / peers
    print(f"py-tes       {peers} tasks, {theirs:.1f} requests a task: {theirs / per_task:.0f} times as many")
    with serving(0.0, faults=True) as (url, counted, _):
        naive(url, count // 10)
    print(f"naive retry  {count // 10} tasks, {counted['tasks'] - counted['names']} duplicates")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--part"]:
        part = crankshaft if sys.argv[2] == "crankshaft" else sweep
        print(json.dumps(asyncio.run(part(sys.argv[3], int(sys.argv[4])))))
    else:
        given = sys.argv[1:]
        main(
            int(given[0]) if given else 20_000,
            int(given[1]) if len(given) > 1 else 200,
            float(given[2]) if len(given) > 2 else 60.0,
        )
