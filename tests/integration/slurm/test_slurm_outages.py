"""Slurm's daemons fail, hang or say no for a while: nothing is lost, and nothing runs twice."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from crankshaft_core.config import Config
from crankshaft_core.engine import Engine
from crankshaft_core.errors import CancelledElsewhereError, NodeFailureError
from crankshaft_core.events import BackendRecovered, BackendUnreachable, Event, TaskHeld, TaskRetried
from crankshaft_core.task import TaskResult
from tests.integration.slurm.jobs import running, said, submitted, task, until
from tests.services.running import Slurm

HANG = 15.0  # seconds; Slurm's commands give up on the controller after MessageTimeout, 10 s


@asynccontextmanager
async def hung(slurm: Slurm, daemon: str, seconds: float) -> AsyncIterator[None]:
    """The daemon is stopped now, and goes on by itself after so many seconds."""
    pid = slurm.daemons.pid(daemon)
    os.kill(pid, signal.SIGSTOP)
    wake = asyncio.get_running_loop().call_later(seconds, os.kill, pid, signal.SIGCONT)
    try:
        yield
    finally:
        wake.cancel()
        os.kill(pid, signal.SIGCONT)


def marking(marks: Path, number: int, *, seconds: float = 0.0) -> str:
    return f"echo {number} >>'{marks}'; sleep {seconds}; exit {number % 3}"


def numbers(marks: Path) -> list[int]:
    return sorted(int(line) for line in marks.read_text().split())


@pytest.mark.slow
async def test_a_controller_that_hangs_while_jobs_are_submitted_loses_and_doubles_none(
    slurm: Slurm, config: Config, tmp_path: Path
) -> None:
    marks, count = tmp_path / "marks", 24
    async with Engine(config) as engine:
        handles = [engine.spawn("slurm", task(marking(marks, number))) for number in range(count)]
        log = tmp_path / "work" / engine.run_id / "tasks"
        await until(lambda: any(log.glob("*/submit.status")))  # some are handed over, others on the way
        async with hung(slurm, "slurmctld", HANG):
            results = await asyncio.gather(*handles)
    assert [result.exit_code for result in results] == [number % 3 for number in range(count)]
    assert numbers(marks) == list(range(count))
    assert in_doubt(log), "no submit was under way while the controller hung"


@pytest.mark.slow
async def test_a_controller_that_hangs_while_jobs_are_watched_fails_none(
    slurm: Slurm, config: Config, tmp_path: Path
) -> None:
    marks, count = tmp_path / "marks", 12
    async with Engine(config) as engine:
        handles = [engine.spawn("slurm", task(marking(marks, number, seconds=8))) for number in range(count)]
        # all have begun: a start that gets lost in the hang is found by Slurm after BatchStartTimeout, two minutes here
        await until(lambda: marks.exists() and len(numbers(marks)) == count)
        async with hung(slurm, "slurmctld", HANG):
            results = await asyncio.gather(*handles)
    assert [result.exit_code for result in results] == [number % 3 for number in range(count)]
    assert numbers(marks) == list(range(count))


async def test_a_controller_that_is_restarted_fails_no_task(slurm: Slurm, config: Config, tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    async with Engine(config) as engine:
        before = engine.spawn("slurm", task(marking(marks, 0, seconds=3)))
        await running(before, marks)
        await asyncio.to_thread(slurm.daemons.stop, "slurmctld")
        during = engine.spawn("slurm", task(marking(marks, 3)))
        await asyncio.sleep(1)
        await asyncio.to_thread(slurm.daemons.up)
        results = await asyncio.gather(before, during)
    assert all(result.ok for result in results)
    assert numbers(marks) == [0, 3]


async def test_without_the_accounting_daemon_verdicts_still_come_from_the_queue(
    slurm: Slurm, config: Config, tmp_path: Path
) -> None:
    ready = tmp_path / "ready"
    await asyncio.to_thread(slurm.daemons.stop, "slurmdbd")
    try:
        async with Engine(config) as engine:
            ok = await engine.run("slurm", task("true"))
            failed = await engine.run("slurm", task("exit 4"))
            handle = engine.spawn("slurm", task(f"touch '{ready}'; sleep 1000"))
            said("scancel", await running(handle, ready))
            with pytest.raises(CancelledElsewhereError, match="CANCELLED"):
                await handle
    finally:
        await asyncio.to_thread(slurm.daemons.up)
    assert (ok.exit_code, failed.exit_code) == (0, 4)


async def test_a_node_that_goes_down_under_a_job_says_so(slurm: Slurm, config: Config, tmp_path: Path) -> None:
    ready, node = tmp_path / "ready", os.uname().nodename.split(".")[0]
    async with Engine(config) as engine:
        handle = engine.spawn("slurm", task(f"touch '{ready}'; sleep 1000"))
        await running(handle, ready)
        said("scontrol", "update", f"nodename={node}", "state=down", "reason=test")
        try:
            with pytest.raises(NodeFailureError, match="NODE_FAIL"):
                await handle
        finally:
            await until(lambda: is_back(node))


async def test_a_submit_limit_holds_tasks_and_costs_no_attempt(config: Config) -> None:
    events: list[Event] = []
    async with Engine(config) as engine:
        engine.subscribe(events.append)
        tiny = task("sleep 0.5", attributes={"qos": "tiny"})
        results = await asyncio.gather(*(engine.run("slurm", tiny) for _ in range(12)))
    assert all(result.ok for result in results)
    assert {attempt_number(result) for result in results} == {"1"}
    held = [event for event in events if isinstance(event, TaskHeld)]
    assert held
    assert all("QOSMaxSubmitJobPerUserLimit" in event.reason for event in held)
    assert not [event for event in events if isinstance(event, TaskRetried)]


async def test_an_outage_is_told_once_and_its_end_too(
    slurm: Slurm, configured: Callable[[str], Config], tmp_path: Path
) -> None:
    del slurm
    events: list[Event] = []
    moved = tmp_path / "moved"
    async with Engine(configured("")) as engine:
        engine.subscribe(events.append)
        handle = engine.spawn("slurm", task("sleep 3"))
        await submitted(handle)
        (tmp_path / "work").rename(moved)
        await until(lambda: any(isinstance(event, BackendUnreachable) for event in events))
        moved.rename(tmp_path / "work")
        assert (await handle).ok
    outages = [event for event in events if isinstance(event, BackendUnreachable | BackendRecovered)]
    assert [type(event) for event in outages] == [BackendUnreachable, BackendRecovered]


def in_doubt(tasks: Path) -> list[str]:
    """What sbatch said where it did not know whether the job was accepted."""
    said = (path.read_text() for path in tasks.glob("*/submit.err"))
    return [text for text in said if "Socket timed out" in text or "Unable to contact" in text]


def is_back(node: str) -> bool:
    """It may come back by itself first, and then Slurm refuses to resume it."""
    subprocess.run(["scontrol", "update", f"nodename={node}", "state=resume"], capture_output=True, check=False)
    return said("sinfo", "-h", "-o", "%t", "-n", node, "-p", "normal").strip() in {"idle", "mix"}


def attempt_number(result: TaskResult) -> str:
    return result.attempt.rsplit("-", 1)[1]
