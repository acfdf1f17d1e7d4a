"""How jobs end on a real Grid Engine, and what is said of it."""

from __future__ import annotations

import asyncio
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from crankshaft_core.config import Config
from crankshaft_core.engine import Engine, TaskHandle
from crankshaft_core.errors import CancelledElsewhereError, StuckError, SubmitError, TimeLimitError
from crankshaft_core.task import Execution, Resources, Task

PATIENCE = 60.0


def task(command: str, **resources: object) -> Task:
    return Task(name="probe", executions=(Execution(command=command),), resources=Resources.model_validate(resources))


async def started(path: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} never came"
        await asyncio.sleep(0.05)


async def submitted(handle: TaskHandle) -> str:
    while handle.job_id is None:
        await asyncio.sleep(0.02)
    return handle.job_id


def run(*command: str) -> str:
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=30).stdout


async def test_a_job_that_ignores_every_request_is_cancelled_long_before_grid_engine_kills_it(
    config: Config, tmp_path: Path
) -> None:
    ready = tmp_path / "ready"
    stubborn = f"trap '' TERM INT USR1 USR2; touch '{ready}'; while :; do sleep 0.1; done"
    async with Engine(config) as engine:
        handle = engine.spawn("sge", task(stubborn))
        await started(ready)
        begun = time.monotonic()
        handle.cancel()
        with pytest.raises(asyncio.CancelledError):
            await handle
    assert time.monotonic() - begun < 30  # `notify` of the queue is 60 s


async def test_a_job_that_somebody_deletes_while_it_runs_says_so(config: Config, tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    async with Engine(config) as engine:
        handle = engine.spawn("sge", task(f"touch '{ready}'; sleep 1000"))
        await started(ready)
        run("qdel", await submitted(handle))
        with pytest.raises(CancelledElsewhereError) as raised:
            await handle
    assert raised.value.result is not None
    assert raised.value.result.node == os.uname().nodename


async def test_a_job_longer_than_its_time_says_so(config: Config) -> None:
    async with Engine(config) as engine:
        with pytest.raises(TimeLimitError, match=r"probe .* \(asked time 2 s\)"):
            await engine.run("sge", task("sleep 1000", time="2s"))


async def test_a_job_in_error_state_is_stuck_and_taken_away(configured: Callable[[str], Config]) -> None:
    async with Engine(configured("extra_args = '-i /no/such/file'")) as engine:
        handle = engine.spawn("sge", task("true"))
        job = await submitted(handle)
        with pytest.raises(StuckError, match=r"can never start: Eqw"):
            await handle
    assert job not in run("qstat").split()


async def test_a_parallel_environment_carries_more_than_one_core(config: Config) -> None:
    async with Engine(config) as engine:
        result = await engine.run("sge", task("echo $NSLOTS", cpu=3))
    assert result.stdout_tail == "3\n"


async def test_a_task_that_succeeds_knows_its_node_and_its_job(config: Config) -> None:
    async with Engine(config) as engine:
        result = await engine.run("sge", task("echo $JOB_ID"))
    assert result.stdout_tail.strip() == result.job_id
    assert result.node == os.uname().nodename


async def test_grid_engines_own_variables_do_not_reach_a_nested_submit(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOB_ID", "999")
    async with Engine(config) as engine:
        result = await engine.run("sge", task("echo $JOB_ID"))
    assert result.stdout_tail.strip() == result.job_id


async def test_a_request_that_no_queue_can_serve_is_refused_with_qsubs_words(config: Config) -> None:
    asked = task("true").model_copy(update={"attributes": {"queue": "nowhere.q"}})
    async with Engine(config) as engine:
        with pytest.raises(SubmitError, match=r"nowhere\.q.*Known: all\.q"):
            await engine.run("sge", asked)
