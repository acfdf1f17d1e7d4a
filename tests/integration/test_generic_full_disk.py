"""A work_dir with no room left: said in one line that names the way out, and no job is started that nobody knows of."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import subprocess
import sys
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path

import pytest

from crankshaft_core.backends.base import Attempt, Backend, Job, Phase
from crankshaft_core.backends.opening import open_backend
from crankshaft_core.config import Config
from crankshaft_core.errors import SubmitError
from crankshaft_core.task import Execution, Task

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small file system")

RUN = "kfull01"
LIVE = (Phase.QUEUED, Phase.RUNNING)


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A directory with room for half a megabyte."""
    directory = tmp_path / "small"
    directory.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", directory], check=True)
    yield directory
    subprocess.run(["umount", "--lazy", directory], check=True)


@pytest.fixture
def batch(small: Path, tmp_path: Path) -> str:
    system = shlex.join([sys.executable, "-I", str(Path(__file__).parents[1] / "services" / "fake_batch.py")])
    spool = shlex.quote(str(tmp_path / "spool"))
    return f"""
[[backends]]
name = 'hpc'
kind = 'Generic'
work_dir = '{small}'
submit = '{system} {spool} submit ~{{script}}'
monitor_all = '{system} {spool} list'
kill = '{system} {spool} kill ~{{job_ids}}'
job_id_regex = '^job (\\d+)$'
"""


@pytest.fixture
def local(small: Path) -> str:
    return f"[[backends]]\nname = 'hpc'\nkind = 'Generic'\nsubmit = '~{{command}}'\nwork_dir = '{small}'\n"


@contextlib.asynccontextmanager
async def opened(text: str) -> AsyncGenerator[Backend]:
    backend = open_backend(Config.parse(text).backends["hpc"], run_id=RUN)
    yield backend
    await backend.aclose()


def attempt(number: int, command: str = "sleep 1000") -> Attempt:
    return Attempt(f"{RUN}-{number}-1", RUN, 1, Task(name="probe", executions=(Execution(command=command),)))


def fill(directory: Path) -> None:
    with contextlib.suppress(OSError), (directory / "much").open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))


async def begun(small: Path, count: int) -> None:
    async with asyncio.timeout(60):
        while sum(os.path.lexists(task / "start") for task in small.glob("*/tasks/*")) < count:
            await asyncio.sleep(0.05)


async def ended(backend: Backend, small: Path, jobs: list[str]) -> None:
    (small / "much").unlink()
    known = [Job(f"{RUN}-{number}-1", RUN, job) for number, job in enumerate(jobs, start=1)]
    await backend.cancel(known, force=True)
    async with asyncio.timeout(60):
        while any(state.phase in LIVE for state in (await backend.poll(known, sweep=True)).values()):
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("kind", ["batch", "local"])
async def test_a_work_dir_that_fills_up_is_named_with_the_way_out_and_what_is_at_stake(
    kind: str, small: Path, request: pytest.FixtureRequest
) -> None:
    async with opened(request.getfixturevalue(kind)) as backend:
        jobs = [await backend.submit(attempt(number)) for number in (1, 2)]
        await begun(small, 2)
        fill(small)
        with pytest.raises(SubmitError) as refused:
            await backend.submit(attempt(3))
        await ended(backend, small, jobs)
    assert str(refused.value) == (
        f"hpc: {small}: no space left on device. Set work_dir to scratch or run 'crankshaft clean'. "
        "2 running jobs may lose their exit record."
    )


async def test_nothing_is_handed_over_that_could_not_tell_its_id(batch: str, small: Path, tmp_path: Path) -> None:
    async with opened(batch) as backend:
        job = await backend.submit(attempt(1))
        await begun(small, 1)
        fill(small)
        with pytest.raises(SubmitError):
            await backend.submit(attempt(2))
        await ended(backend, small, [job])
    assert len(list((tmp_path / "spool").glob("*.pid"))) == 1


async def test_a_work_dir_that_is_full_from_the_start_is_said_likewise(batch: str, small: Path) -> None:
    fill(small)
    async with opened(batch) as backend:
        with pytest.raises(SubmitError) as refused:
            await backend.submit(attempt(1))
    assert str(refused.value) == (
        f"hpc: {small}: no space left on device. Set work_dir to scratch or run 'crankshaft clean'."
    )


async def test_check_finds_it_before_anybody_submits(batch: str, small: Path) -> None:
    fill(small)
    async with opened(batch) as backend:
        health = await backend.check()
    assert not health.ok
    assert f"{small}: no space left on device. Set work_dir to scratch or run 'crankshaft clean'" in health.summary
    assert health.warnings == ("work_dir has 0.00 GiB left",)
