"""Flows in processes of their own, which are interrupted, terminated, killed and started again."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun

FLOW = """
import os, sys, time
from pathlib import Path
from uuid import UUID
from prefect import flow, task
from prefect.client.orchestration import get_client
from prefect.flow_engine import run_flow
from prefect.states import Pending
from prefect_crankshaft import CrankshaftTaskRunner

place, config, seconds, flow_run = Path(sys.argv[1]), sys.argv[2], float(sys.argv[3]), sys.argv[4]

@task
def count(number):
    with (place / f"run-{number}").open("a") as file:
        file.write(f"{os.getpid()}\\n")
    time.sleep(seconds)
    return number

@flow(task_runner=CrankshaftTaskRunner("place", config=config))
def counting():
    return sum(count.map([1, 2, 3]).result())

with get_client(sync_client=True) as client:
    if flow_run == "new":
        print(run := client.create_flow_run(counting), run.id, flush=True)
        (place / "flow-run").write_text(str(run.id))
    else:
        client.set_flow_run_state(UUID(flow_run), Pending(), force=True)
        run = client.read_flow_run(UUID(flow_run))
print("sum", run_flow(counting, flow_run=run))
"""

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(tmp_path: Path, config: Path, environment: dict[str, str]) -> Iterator[Start]:
    """Starts the flow; what is left of it at the end of the test is killed."""
    started: list[subprocess.Popen[str]] = []
    (tmp_path / "counting.py").write_text(FLOW)

    def start(seconds: float, flow_run: str = "new") -> subprocess.Popen[str]:
        command = [sys.executable, str(tmp_path / "counting.py"), str(tmp_path), str(config), str(seconds), flow_run]
        process = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def bodies(place: Path) -> list[int]:
    """The processes of all bodies that ever ran."""
    return [int(line) for file in place.glob("run-*") for line in file.read_text().split()]


def until(condition: Callable[[], bool], *, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.05)


def lives(process: int) -> bool:
    state = Path(f"/proc/{process}/stat")
    return state.exists() and state.read_text().rsplit(")", 1)[1].split()[0] != "Z"


def flow_run(place: Path) -> FlowRun:
    with get_client(sync_client=True) as client:
        return client.read_flow_run(UUID((place / "flow-run").read_text()))


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_flow_leaves_nothing_running(sign: signal.Signals, start: Start, tmp_path: Path) -> None:
    process = start(300)
    until(lambda: len(bodies(tmp_path)) == 3)
    process.send_signal(sign)
    process.communicate(timeout=60)
    assert process.returncode != 0
    assert not [body for body in bodies(tmp_path) if lives(body)]
    assert not list((tmp_path / "state" / "crankshaft" / "prefect").glob("*"))


def test_a_killed_and_restarted_flow_run_runs_each_body_once(start: Start, tmp_path: Path) -> None:
    first = start(6)
    until(lambda: len(bodies(tmp_path)) == 3)
    first.kill()
    first.wait()
    second = start(6, (tmp_path / "flow-run").read_text())
    output, _ = second.communicate(timeout=120)
    assert "sum 6" in output
    assert "taken up again" in output
    assert len(bodies(tmp_path)) == 3
    assert flow_run(tmp_path).state_name == "Completed"


def test_another_process_at_the_same_flow_run_is_refused(start: Start, tmp_path: Path) -> None:
    first = start(300)
    until(lambda: len(bodies(tmp_path)) == 3)
    second = start(0, (tmp_path / "flow-run").read_text())
    output, _ = second.communicate(timeout=60)
    first.send_signal(signal.SIGINT)
    first.communicate(timeout=60)
    assert "in use by process" in output
    assert len(bodies(tmp_path)) == 3
    assert str(first.pid) in output
