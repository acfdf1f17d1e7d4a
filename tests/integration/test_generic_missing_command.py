"""What is said of a command that is not there, by an engine, on jobs and processes."""

from __future__ import annotations

import platform
from pathlib import Path

import pytest

from crankshaft_core.config import Config
from crankshaft_core.engine import Engine
from crankshaft_core.errors import ExitCodeError
from crankshaft_core.task import Execution, Task
from tests.integration.running import batch

NODE = platform.node()
MISSING = Task(name="sort", executions=(Execution(command="samtools-nowhere view"),))


@pytest.fixture
def _conda(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)
    monkeypatch.setenv("CONDA_PREFIX", "/opt/conda/envs/ngs")
    monkeypatch.setenv("CONDA_DEFAULT_ENV", "ngs")


async def _said(root: Path, text: str) -> str:
    made = Config.parse(f"[[backends]]\nname = 'hpc'\nkind = 'Generic'\nwork_dir = '{root}/work'\n{text}")
    async with Engine(made) as engine:
        result = await engine.run("hpc", MISSING)
    with pytest.raises(ExitCodeError) as raised:
        result.check()
    return str(raised.value)


@pytest.mark.usefixtures("_conda")
async def test_a_job_tells_the_command_the_node_and_the_environment_it_went_without(tmp_path: Path) -> None:
    assert (
        f"samtools-nowhere: command not found on {NODE} (exit 127). Conda env 'ngs' was active here, not passed there; "
        "see env, prologue"
    ) in await _said(tmp_path, batch(tmp_path))


@pytest.mark.usefixtures("_conda")
async def test_a_job_that_was_given_the_path_was_given_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/opt/conda/envs/ngs/bin", prepend=":")
    said = await _said(tmp_path, f"env = ['PATH']\n{batch(tmp_path)}")
    assert "samtools-nowhere: command not found" in said
    assert "Conda" not in said


@pytest.mark.usefixtures("_conda")
async def test_a_process_of_this_machine_has_the_environment(tmp_path: Path) -> None:
    said = await _said(tmp_path, "submit = '~{command}'")
    assert f"samtools-nowhere: command not found on {NODE} (exit 127)" in said
    assert "Conda" not in said
