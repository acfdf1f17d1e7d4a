"""Jobs of a real Slurm in containers of a real engine, which only the backend's `env` leads to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import docker
import pytest

from crankshaft_core.config import Config
from crankshaft_core.engine import Engine
from crankshaft_core.errors import CancelledElsewhereError
from crankshaft_core.task import Execution, Resources, Task
from tests.integration.slurm.jobs import running, said, task, until
from tests.services.engines import remove_all
from tests.services.running import ContainerEngine

IMAGE = "busybox:local"


@pytest.fixture
def boxed(
    configured: Callable[[str], Config], docker_engine: ContainerEngine, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Config]:
    for name, value in docker_engine.env.items():
        monkeypatch.setenv(name, value)
    yield configured("container = 'docker'\nenv = ['DOCKER_HOST']\n")
    remove_all(docker_engine.url)


def containers(engine: ContainerEngine) -> list[str]:
    with closing(docker.DockerClient(engine.url)) as client:
        return [str(container.name) for container in client.containers.list(all=True, ignore_removed=True)]


def in_image(command: str, **fields: object) -> Task:
    execution = Execution.model_validate({"image": IMAGE, "command": command, **fields})
    return Task(executions=(execution,), resources=Resources())


async def test_a_job_runs_in_its_image_and_knows_its_number(boxed: Config, tmp_path: Path) -> None:
    wanted = in_image('ls /bin/busybox; pwd; echo "$SLURM_JOB_ID" "$TOKEN"', work_dir=str(tmp_path), env={"TOKEN": "t"})
    async with Engine(boxed) as engine:
        result = await engine.run("slurm", wanted)
    assert result.stdout_tail == f"/bin/busybox\n{tmp_path}\n{result.job_id} t\n"


async def test_nothing_is_left_of_the_container_of_a_job_that_slurm_cancels(
    boxed: Config, tmp_path: Path, docker_engine: ContainerEngine
) -> None:
    ready = tmp_path / "ready"
    async with Engine(boxed) as engine:
        handle = engine.spawn("slurm", in_image(f"touch {ready}; sleep 1000", work_dir=str(tmp_path)))
        job = await running(handle, ready)
        assert len(containers(docker_engine)) == 1
        said("scancel", job)
        await until(lambda: not containers(docker_engine))
        with pytest.raises(CancelledElsewhereError):
            await handle


async def test_a_command_that_is_not_there_is_named_with_what_was_active_here(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)
    monkeypatch.setenv("CONDA_PREFIX", "/opt/conda/envs/ngs")
    async with Engine(config) as engine:
        result = await engine.run("slurm", task("samtools-nowhere view"))
    assert result.detail == (
        f"samtools-nowhere: command not found on {result.node} (exit 127). Conda env 'ngs' was active here, not passed "
        "there; see env, prologue"
    )
