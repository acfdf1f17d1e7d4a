"""How jobs end on a real Slurm, each way really provoked, and what is said of it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from crankshaft_core.config import Config
from crankshaft_core.engine import Engine
from crankshaft_core.errors import (
    CancelledElsewhereError,
    OutOfMemoryError,
    PreemptedError,
    StuckError,
    SubmitError,
    TimeLimitError,
)
from crankshaft_core.task import Verdict
from tests.integration.slurm.jobs import running, said, state, submitted, task

ASLEEP = "sleep 1000"
HUNGRY = f"{sys.executable} -c 'b = bytearray(400 << 20); import time; time.sleep(30)'"


async def test_a_task_that_succeeds_knows_its_job_and_its_node(config: Config) -> None:
    async with Engine(config) as engine:
        result = await engine.run("slurm", task("echo $SLURM_JOB_ID; hostname"))
    assert result.stdout_tail.split() == [result.job_id, result.node]


async def test_a_failure_is_a_result_with_its_exit_code(config: Config) -> None:
    async with Engine(config) as engine:
        result = await engine.run("slurm", task("echo why >&2; exit 7"))
    assert (result.verdict, result.exit_code, result.stderr_tail) == (Verdict.FAILED, 7, "why\n")


async def test_more_memory_than_asked_for_is_out_of_memory(config: Config) -> None:
    async with Engine(config) as engine:
        with pytest.raises(OutOfMemoryError, match=r"out of memory.*asked ram 0\.09766 GiB"):
            await engine.run("slurm", task(HUNGRY, ram="100MiB"))


@pytest.mark.slow
async def test_a_job_that_slurm_ends_at_its_limit_is_over_time(config: Config, tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    async with Engine(config) as engine:
        handle = engine.spawn("slurm", task(f"touch '{ready}'; {ASLEEP}"))
        job = await running(handle, ready)
        said("scontrol", "update", f"jobid={job}", "EndTime=now+2")  # a TimeLimit is whole minutes
        with pytest.raises(TimeLimitError, match="TIMEOUT"):
            await handle


async def test_a_task_longer_than_its_time_is_over_time(config: Config) -> None:
    async with Engine(config) as engine:
        with pytest.raises(TimeLimitError, match=r"asked time 2 s"):
            await engine.run("slurm", task(ASLEEP, time="2s"))


async def test_scancel_of_a_running_job_is_cancelled_elsewhere(config: Config, tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    async with Engine(config) as engine:
        handle = engine.spawn("slurm", task(f"touch '{ready}'; {ASLEEP}"))
        said("scancel", await running(handle, ready))
        with pytest.raises(CancelledElsewhereError, match="CANCELLED"):
            await handle


async def test_scancel_of_a_pending_job_is_cancelled_elsewhere(configured: Callable[[str], Config]) -> None:
    async with Engine(configured("extra_args = '--begin=now+1hour'")) as engine:
        handle = engine.spawn("slurm", task("true"))
        said("scancel", await submitted(handle))
        with pytest.raises(CancelledElsewhereError, match="CANCELLED"):
            await handle


async def test_a_pending_job_is_cancelled_when_we_ask(configured: Callable[[str], Config]) -> None:
    async with Engine(configured("extra_args = '--begin=now+1hour'")) as engine:
        handle = engine.spawn("slurm", task("true"))
        job = await submitted(handle)
        handle.cancel()
        with pytest.raises(asyncio.CancelledError):
            await handle
    assert state(job) == "CANCELLED"


async def test_a_job_that_ignores_term_is_cancelled_all_the_same(config: Config, tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    async with Engine(config) as engine:
        handle = engine.spawn("slurm", task(f"trap '' TERM INT; touch '{ready}'; while :; do sleep 0.1; done"))
        job = await running(handle, ready)
        handle.cancel()
        with pytest.raises(asyncio.CancelledError):
            await handle
    assert state(job) in {"CANCELLED", "COMPLETING"}


async def test_a_job_preempted_by_a_better_partition_says_so(config: Config, tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    async with Engine(config) as engine:
        handle = engine.spawn("slurm", task(f"touch '{ready}'; {ASLEEP}", cpu=16, attributes={"queue": "normal"}))
        await running(handle, ready)
        better = engine.spawn("slurm", task("true", cpu=16, attributes={"queue": "prio"}))
        with pytest.raises(PreemptedError):
            await handle
        assert (await better).ok


async def test_a_requeued_job_is_preempted_and_leaves_the_queue(
    configured: Callable[[str], Config], tmp_path: Path
) -> None:
    marks = tmp_path / "marks"
    async with Engine(configured("extra_args = '--requeue'")) as engine:
        handle = engine.spawn("slurm", task(f"echo ran >>'{marks}'; {ASLEEP}"))
        job = await running(handle, marks)
        said("scontrol", "requeue", job)
        with pytest.raises(PreemptedError):
            await handle
    assert state(job) == "CANCELLED"
    assert marks.read_text() == "ran\n"


async def test_a_requeued_attempt_is_repeated_where_retry_says_so(
    configured: Callable[[str], Config], tmp_path: Path
) -> None:
    marks = tmp_path / "marks"
    wait_at_first = f"echo ran >>'{marks}'; [ $(wc -l <'{marks}') = 2 ] || {ASLEEP}"
    more = "extra_args = '--requeue'\nretry = { attempts = 2, on = ['preempted'] }"
    async with Engine(configured(more)) as engine:
        handle = engine.spawn("slurm", task(wait_at_first))
        job = await running(handle, marks)
        said("scontrol", "requeue", job)
        result = await handle
    assert result.ok
    assert result.job_id != job
    assert marks.read_text() == "ran\nran\n"


async def test_more_cores_than_any_node_has_are_said_to_be_never_had(config: Config) -> None:
    async with Engine(config) as engine:
        with pytest.raises(
            StuckError, match=r"can never start: PartitionConfig \(asked cpu 500\)\. Cancelled; lower cpu"
        ):
            await engine.run("slurm", task("true", cpu=500))


async def test_more_memory_than_any_node_has_is_refused_in_slurms_words(config: Config) -> None:
    async with Engine(config) as engine:
        with pytest.raises(SubmitError, match="Memory specification can not be satisfied"):
            await engine.run("slurm", task("true", ram="1000GiB"))


async def test_an_unknown_partition_is_refused_in_slurms_words(config: Config) -> None:
    async with Engine(config) as engine:
        with pytest.raises(SubmitError, match="invalid partition"):
            await engine.run("slurm", task("true", attributes={"queue": "shrot"}))


async def test_a_job_over_the_partitions_limit_is_stuck_and_taken_away(config: Config) -> None:
    async with Engine(config) as engine:
        with pytest.raises(
            StuckError,
            match=r"can never start: PartitionTimeLimit \(asked time 3 h\)\. Cancelled; lower time or change queue",
        ) as raised:
            await engine.run("slurm", task("true", time="3h"))
    assert raised.value.result is not None
    assert state(str(raised.value.result.job_id)) == "CANCELLED"


async def test_a_job_whose_dependency_failed_is_stuck(configured: Callable[[str], Config]) -> None:
    failed = said("sbatch", "--parsable", "-o", "/dev/null", "--begin=now+1hour", "--wrap=true").strip()
    said("scancel", failed)
    async with Engine(configured(f"extra_args = '--dependency=afterok:{failed}'")) as engine:
        with pytest.raises(StuckError, match="can never start: DependencyNeverSatisfied"):
            await engine.run("slurm", task("true"))


async def test_a_work_dir_that_cannot_be_made_is_refused_before_anything_is_submitted(
    config: Config, tmp_path: Path
) -> None:
    (tmp_path / "work").write_text("a file is in the way")
    async with Engine(config) as engine:
        handle = engine.spawn("slurm", task("true"))
        with pytest.raises(SubmitError, match=r"cannot make .*work on this machine"):
            await handle
    assert handle.job_id is None
