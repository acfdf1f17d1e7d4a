"""Ends that only a real scheduler or container engine can give a job, as states of task runs."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from prefect import task
from prefect.cache_policies import INPUTS
from prefect.client.schemas.objects import State
from prefect.futures import PrefectFuture

from prefect_crankshaft import CrankshaftTaskRunner, crankshaft_options
from tests.services.running import ContainerEngine, Slurm

QUICK = "poll_interval = 0.2\nsweep_interval = 0.5\ngrace = '2s'\nkill_after = '2s'\nsubmit_rate = 1000\n"


@task
def hungry(mib: int) -> int:
    return len(bytearray(b"x") * (mib << 20))


@task
def stay(ready: str) -> None:
    import time

    Path(ready).write_text(os.environ["SLURM_JOB_ID"])
    time.sleep(300)


@pytest.fixture
def on_slurm(slurm: Slurm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[CrankshaftTaskRunner]:
    for name, value in slurm.env.items():
        monkeypatch.setenv(name, value)
    config = tmp_path / "slurm.toml"
    config.write_text(f"[[backends]]\nname = 'hpc'\npreset = 'slurm'\nwork_dir = '{tmp_path}/work'\n{QUICK}")
    with CrankshaftTaskRunner("hpc", config=config, attributes={"queue": "normal"}) as runner:
        yield runner


def staying(
    runner: CrankshaftTaskRunner, ready: Path, *, tested: Any = stay, **options: Any
) -> tuple[PrefectFuture[Any], str]:
    """A task run that sleeps, and the id of its job."""
    with crankshaft_options(**options):
        future = runner.submit(tested, {"ready": str(ready)})
    until(lambda: ready.exists() and bool(ready.read_text()))
    return future, ready.read_text()


def final(future: PrefectFuture[Any]) -> State[Any]:
    future.wait(60)
    return future.state


def slurms(*command: str) -> str:
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=60).stdout


def until(condition: Callable[[], bool], *, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.1)


def test_out_of_memory_is_crashed_and_says_what_was_asked_for(on_slurm: CrankshaftTaskRunner) -> None:
    with crankshaft_options(ram="100MiB"):
        state = final(on_slurm.submit(hungry, {"mib": 400}))
    assert state.name == "Crashed"
    assert "(asked ram 0.09766 GiB). Raise `ram` of this task" in str(state.message)


def test_a_retry_may_ask_for_more_memory(on_slurm: CrankshaftTaskRunner) -> None:
    with crankshaft_options(ram=lambda attempt: 0.1 if attempt == 1 else 2):
        assert on_slurm.submit(hungry.with_options(retries=1), {"mib": 400}).result() == 400 << 20


def test_a_job_that_somebody_cancels_is_cancelled(on_slurm: CrankshaftTaskRunner, tmp_path: Path) -> None:
    future, job = staying(on_slurm, tmp_path / "ready")
    slurms("scancel", job)
    state = final(future)
    assert state.name == "Cancelled"
    assert f"hpc {job}" in str(state.message)


def test_what_somebody_cancelled_is_no_result_to_be_found_later(on_slurm: CrankshaftTaskRunner, tmp_path: Path) -> None:
    @task(cache_policy=INPUTS, persist_result=True)
    def stay_at_first(ready: str) -> str:
        if not Path(ready).exists():
            stay.fn(ready)
        return "done"

    ready = tmp_path / "ready"
    future, job = staying(on_slurm, ready, tested=stay_at_first)
    slurms("scancel", job)
    assert final(future).name == "Cancelled"
    assert on_slurm.submit(stay_at_first, {"ready": str(ready)}).result() == "done"


def test_a_job_over_its_time_is_timed_out(on_slurm: CrankshaftTaskRunner, tmp_path: Path) -> None:
    future, _ = staying(on_slurm, tmp_path / "ready", time="2s")
    state = final(future)
    assert state.name == "TimedOut"
    assert "asked time 2 s" in str(state.message)


def test_a_preempted_job_is_crashed_and_says_so(on_slurm: CrankshaftTaskRunner, tmp_path: Path) -> None:
    future, _ = staying(on_slurm, tmp_path / "ready", cpu=16)
    with crankshaft_options(cpu=16, attributes={"queue": "prio"}):
        assert on_slurm.submit(hungry, {"mib": 1}).result() == 1 << 20
    state = final(future)
    assert state.name == "Crashed"
    assert "preempted" in str(state.message)


def test_a_job_whose_node_fails_is_crashed_and_names_the_node(on_slurm: CrankshaftTaskRunner, tmp_path: Path) -> None:
    node = os.uname().nodename.split(".")[0]
    future, _ = staying(on_slurm, tmp_path / "ready")
    slurms("scontrol", "update", f"nodename={node}", "state=down", "reason=test")
    try:
        state = final(future)
    finally:
        until(lambda: is_back(node))
    assert state.name == "Crashed"
    assert "NODE_FAIL" in str(state.message)


def is_back(node: str) -> bool:
    subprocess.run(["scontrol", "update", f"nodename={node}", "state=resume"], capture_output=True, check=False)
    return slurms("sinfo", "-h", "-o", "%t", "-n", node, "-p", "normal").strip() in {"idle", "mix"}


def test_an_image_without_python_is_named(docker_engine: ContainerEngine, tmp_path: Path) -> None:
    config = tmp_path / "docker.toml"
    config.write_text(f"[[backends]]\nname = 'box'\nkind = 'Docker'\nhost = '{docker_engine.url}'\n")
    with CrankshaftTaskRunner("box", config=config, image="busybox:local") as runner:
        state = final(runner.submit(hungry, {"mib": 1}))
    assert state.name == "Crashed"
    needed = "Python {}.{}".format(*sys.version_info)
    assert str(state.message).endswith(f"image 'busybox:local' has no python3; this flow needs {needed} in the image.")


def test_a_container_out_of_memory_says_its_limit(docker_engine: ContainerEngine, tmp_path: Path) -> None:
    mounts = ["/usr:/usr:ro", *(f"{place}:{place}:ro" for place in ("/lib", "/lib64") if Path(place).exists())]
    config = tmp_path / "docker.toml"
    config.write_text(f"[[backends]]\nname = 'box'\nkind = 'Docker'\nhost = '{docker_engine.url}'\nmounts = {mounts}\n")
    with (
        CrankshaftTaskRunner("box", config=config, image="busybox:local", python="/usr/bin/python3.11") as runner,
        crankshaft_options(ram_limit="64MiB"),
    ):
        state = final(runner.submit(hungry, {"mib": 400}))
    assert state.name == "Crashed"
    assert "out of memory, limit" in str(state.message)
