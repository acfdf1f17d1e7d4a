"""`locale = { kind = "Auto" }`: here where the submit command is on the PATH, else over SSH."""

from __future__ import annotations

from pathlib import Path

import pytest

from crankshaft_core.config import Config
from crankshaft_core.engine import Engine
from crankshaft_core.task import Execution, Resources, Task, TaskResult
from tests.services.running import Slurm, Sshd

TASK = Task(executions=(Execution(command="echo $SLURM_JOB_ID"),), resources=Resources(ram=0.1))


@pytest.fixture
def config(slurm: Slurm, sshd: Sshd, shared: Path) -> Config:
    return Config.parse(f"""
[[backends]]
name = "hpc"
preset = "slurm"
kind = "Generic"
poll_interval = 0.1
work_dir = "{shared}/work"
locale = {{ kind = "Auto", host = "login.slurm.cluster", ssh_config = "{sshd.ssh_config}" }}
""")


async def ran(config: Config) -> tuple[TaskResult, bool]:
    """The result, and whether the backend sees this machine's files."""
    async with Engine(config) as engine:
        return await engine.run("hpc", TASK), engine.reach("hpc").local_paths


async def test_where_the_command_is_nobody_logs_in(
    config: Config, slurm: Slurm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLURM_CONF", slurm.env["SLURM_CONF"])
    result, here = await ran(config)
    assert (result.stdout_tail.strip(), here) == (result.job_id, True)


async def test_where_it_is_not_it_is_run_at_the_host(
    config: Config, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    result, here = await ran(config)
    assert (result.stdout_tail.strip(), here) == (result.job_id, False)
