"""A work_dir with no room left: each way to fill it comes to a clear end."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from crankshaft_core.errors import StagingError
from crankshaft_core.task import Input, Output
from tests.integration.docker.box import Box, sh

MUCH = 2_000_000

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small file system")


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A directory with room for one megabyte."""
    directory = tmp_path / "small"
    directory.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", directory], check=True)
    yield directory
    subprocess.run(["umount", directory], check=True)


def in_small(directory: Path) -> str:
    return f"[[backends]]\nextends = 'box'\nname = 'small'\nwork_dir = '{directory}'"


async def test_an_input_that_does_not_fit_is_named(box: Box, small: Path) -> None:
    source = box.directory / "large"
    source.write_bytes(bytes(MUCH))
    task = sh("true", inputs=[Input(path="/in/large", url=source.as_uri(), read_only=False)])
    async with box.run(in_small(small)) as engine:
        with pytest.raises(StagingError, match="No space left on device"):
            await engine.run("small", task)
    assert box.left() == []


async def test_a_task_that_fills_it_fails_with_its_own_words(box: Box, small: Path) -> None:
    task = sh("dd if=/dev/zero of=/out/large bs=1M count=2", outputs=[Output(path="/out/large")])
    async with box.run(in_small(small)) as engine:
        result = await engine.run("small", task)
    assert result.exit_code == 1
    assert "No space left on device" in result.stderr_tail


async def test_a_result_stands_whose_stdout_does_not_fit(box: Box, small: Path) -> None:
    async with box.run(in_small(small)) as engine:
        result = await engine.run("small", sh(f"head -c {MUCH} /dev/zero; exit 3"))
    assert result.exit_code == 3
    assert "stdout and stderr are not saved: [Errno 28] No space left on device" in result.detail
    assert box.left() == []
