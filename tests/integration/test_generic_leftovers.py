"""What is taken for the directory of a run in a work directory, and whose jobs are asked about."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from crankshaft_core.backends.base import Backend, Cleaning
from crankshaft_core.backends.opening import open_backend
from crankshaft_core.config import Config

RUN = "kabc123"
ALL = Cleaning(0, journalled=frozenset([RUN]))


@pytest.fixture
def work_dir(tmp_path: Path) -> Path:
    return tmp_path / "work"


@pytest.fixture
async def backend(work_dir: Path) -> AsyncIterator[Backend]:
    text = f"[[backends]]\nname = 'here'\nkind = 'Generic'\nsubmit = '~{{command}}'\nwork_dir = '{work_dir}'\n"
    backend = open_backend(Config.parse(text).backends["here"], run_id="kother0")
    yield backend
    await backend.aclose()


@pytest.fixture
def run(work_dir: Path) -> Path:
    """The directory of a run with one attempt that has ended."""
    run = work_dir / RUN
    for name in ("done", "seen", f"tasks/{RUN}-1-1"):
        (run / name).mkdir(parents=True)
    for name in ("wrapper", f"seen/{RUN}-1-1"):
        (run / name).touch()
    (run / f"tasks/{RUN}-1-1/stdout").write_bytes(b"x" * 3_000_000)
    return run


def unfinished(run: Path, *, backend: str, owner: str) -> None:
    task = run / "tasks" / f"{RUN}-2-1"
    task.mkdir()
    (task / "job").write_text(f"#!/bin/bash\n# crankshaft {json.dumps({'name': 'long', 'backend': backend})}\n")
    (task / "start").symlink_to(owner)


async def test_what_a_run_took_is_told_in_gib(backend: Backend, run: Path) -> None:
    (found,) = await backend.clean(ALL)
    assert found.size == pytest.approx(3_000_000 / 1024**3, rel=0.1)


async def test_what_is_removed_is_gone_and_what_lies_beside_it_stays(backend: Backend, run: Path) -> None:
    (run.parent / "images").mkdir()
    await backend.clean(ALL)
    assert [path.name for path in run.parent.iterdir()] == ["images"]


async def test_a_dry_run_removes_nothing(backend: Backend, run: Path) -> None:
    (found,) = await backend.clean(Cleaning(0, only=RUN, dry_run=True))
    assert (found.kept, run.exists()) == ("", True)


async def test_a_directory_that_is_not_made_as_a_runs_is_none_of_ours(backend: Backend, run: Path) -> None:
    (run / "wrapper").unlink()
    assert list(await backend.clean(ALL)) == []
    assert run.exists()


async def test_a_link_to_a_run_is_none_of_ours(backend: Backend, run: Path, tmp_path: Path) -> None:
    run.rename(tmp_path / "elsewhere")
    run.symlink_to(tmp_path / "elsewhere")
    assert list(await backend.clean(ALL)) == []
    assert (tmp_path / "elsewhere" / "tasks").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
async def test_another_users_run_is_none_of_ours(backend: Backend, run: Path) -> None:
    os.chown(run, 1, 1)
    assert list(await backend.clean(ALL)) == []


async def test_containers_of_the_same_run_are_another_backends_business(backend: Backend, run: Path) -> None:
    (run / f"{RUN}-3-1").mkdir()
    await backend.clean(ALL)
    assert [path.name for path in run.iterdir()] == [f"{RUN}-3-1"]


async def test_a_job_of_another_backend_keeps_the_directory(backend: Backend, run: Path) -> None:
    unfinished(run, backend="hpc", owner="4711")
    (found,) = await backend.clean(ALL)
    assert found.kept == "holds jobs without an exit record of backend hpc, which alone can be asked"


async def test_a_process_of_another_machine_keeps_the_directory(backend: Backend, run: Path) -> None:
    unfinished(run, backend="here", owner="far.example:12:34")
    (found,) = await backend.clean(ALL)
    assert found.kept == "whether its jobs live cannot be told: far.example:12:34"


async def test_a_process_that_is_gone_keeps_nothing(backend: Backend, run: Path) -> None:
    unfinished(run, backend="here", owner=f"{os.uname().nodename}:{os.getpid()}:1")
    (found,) = await backend.clean(ALL)
    assert (found.kept, run.exists()) == ("", False)


async def test_a_work_dir_that_is_not_there_has_nothing(backend: Backend) -> None:
    assert list(await backend.clean(ALL)) == []
