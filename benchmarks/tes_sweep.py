"""Many live tasks on a TES server that fails now and then: requests, memory, duplicates, beside py-tes in the same run.

    python benchmarks/tes_sweep.py [TASKS] [PEER_TASKS] [SECONDS]        (default: 20000 100 60)

Our TES server runs on loopback and pretends to run tasks. 5 % of all requests get 503 before anything is done, 2 % of
all answers get lost after everything was done. Each client has a server of its own, which counts its requests:

- crankshaft: TASKS tasks through the engine, held by the server until all of them are live, ending within SECONDS then,
  each followed to its result. Memory is the client process's peak (VmHWM), and what it was before the first task. One
  sweep of all tasks is counted by itself, without faults.
- py-tes: PEER_TASKS tasks of SECONDS each, created and waited for with `HTTPClient.wait` (a request per task every
  0.5 s, its own default), in a thread each. No faults, since it bears none.
- naive retry: the same with the faults, every call repeated until it is answered; and TASKS / 10 creates in that way,
  whose duplicates are counted.

Every number stands beside what it should be.
"""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Generator
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
    async with Engine(config) as engine:
        before = peak_mb()
        begun = time.perf_counter()
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
        "peak_mb": peak_mb(),
        "grown_mb": peak_mb() - before,
    }


def peak_mb() -> float:
    """The most memory that this process has had (VmHWM)."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024


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


def naive(url: str, count: int, *, wait: bool) -> None:
    import requests
    import tes

    def until_answered(call: Callable[[], Any]) -> Any:
        while True:
            try:
                return call()
            except requests.exceptions.RequestException:
                continue

    def work(number: int) -> None:
        client = tes.HTTPClient(url, timeout=60)
        task = tes.Task(name=f"naive-{number}", executors=[tes.Executor(image=IMAGE, command=["true"])])
        task_id = until_answered(lambda: client.create_task(task))
        while wait and until_answered(lambda: client.get_task(task_id)).state != "COMPLETE":
            time.sleep(0.5)

    with ThreadPoolExecutor(count if wait else 8) as pool:
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


def say(who: str, what: str, *, aim: str = "", met: bool = True) -> None:
    """One line; `aim` is what the number should be."""
    verdict = f"   (aim {aim}: {'met' if met else 'MISSED'})" if aim else ""
    print(f"{who:<13}{what}{verdict}", flush=True)


def main(count: int, peers: int, seconds: float) -> None:
    per_task = our_requests(count, seconds)
    our_sweep(count)
    with ThreadPoolExecutor(2) as pool:  # side by side: both mostly wait
        plain = pool.submit(peer_requests, peers, seconds, faults=False)
        repeating = pool.submit(peer_requests, peers, seconds, faults=True)
    for who, theirs in (("py-tes", plain.result()), ("naive retry", repeating.result())):
        times = theirs / per_task
        say(who, f"{theirs:.1f} requests a task: {times:.0f} times as many", aim=">= 20", met=times >= 20)
    with serving(0.0, faults=True) as (url, counted, _):
        naive(url, count // 10, wait=False)
    say("naive retry", f"{counted['tasks'] - counted['names']} duplicates of {count // 10} tasks")


def our_requests(count: int, seconds: float) -> float:
    """Requests a task."""
    with serving(seconds, faults=True, hold=True) as (url, counted, server):
        ours = alone("crankshaft", url, count, server)
    per_task: float = sum(counted["requests"].values()) / count
    lost, duplicates = count - ours["ok"], counted["tasks"] - counted["cancelled"] - counted["names"]
    say(
        "crankshaft",
        f"{count} tasks live at once, submitted in {ours['submit_seconds']} s, done in {ours['seconds']} s",
    )
    say("", f"{lost} lost", aim="0", met=lost == 0)
    say("", f"{duplicates} duplicates ({counted['cancelled']} cancelled)", aim="0", met=duplicates == 0)
    say("", f"{per_task:.3f} requests a task {counted['requests']}", aim="<= 2.2", met=per_task <= 2.2)
    memory = f"{ours['grown_mb']:.1f} MB more than before the first task ({ours['peak_mb']:.1f} MB in all)"
    say("", memory, aim="< 150", met=ours["grown_mb"] < 150)
    return per_task


def our_sweep(count: int) -> None:
    with serving(3600, faults=False) as (url, _, server):
        listed = alone("sweep", url, count, server)
    most = max(listed["first"], listed["second"])
    text = f"{listed['first']} requests for all {count} at first, then {listed['second']}, {listed['seconds']} s each"
    say("one sweep", text, aim="<= 12", met=most <= 12)


def peer_requests(count: int, seconds: float, *, faults: bool) -> float:
    """Requests a task."""
    with serving(seconds, faults=faults) as (url, counted, _):
        if faults:
            naive(url, count, wait=True)
        else:
            py_tes(url, count)
    requests: float = sum(counted["requests"].values()) / count
    return requests


if __name__ == "__main__":
    if sys.argv[1:2] == ["--part"]:
        part = crankshaft if sys.argv[2] == "crankshaft" else sweep
        print(json.dumps(asyncio.run(part(sys.argv[3], int(sys.argv[4])))))
    else:
        given = sys.argv[1:]
        main(
            int(given[0]) if given else 20_000,
            int(given[1]) if len(given) > 1 else 100,
            float(given[2]) if len(given) > 2 else 60.0,
        )
