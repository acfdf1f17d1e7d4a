"""`crankshaft run` against a real Slurm, as a person sees it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.services.running import Slurm

CRANKSHAFT = str(Path(sys.executable).with_name("crankshaft"))
SCREEN = 24  # lines

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(slurm: Slurm, tmp_path: Path) -> Run:
    """`crankshaft run --backend hpc …` in a directory whose file says little more than `preset`."""
    quick = "poll_interval = 0.2\nsweep_interval = 1\ngrace = '2s'\n"
    (tmp_path / "Crankshaft.toml").write_text(f"[[backends]]\nname = 'hpc'\npreset = 'slurm'\n{quick}")

    def call(*arguments: str, before: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*before, CRANKSHAFT, "run", "--backend", "hpc", *arguments],
            cwd=tmp_path,
            env={**os.environ, **slurm.env},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return call


def test_a_success_is_its_output_and_exit_code_0(run: Run) -> None:
    done = run("-c", 'echo "job $SLURM_JOB_ID on $(uname -n)"')
    assert done.returncode == 0, done.stderr
    said = done.stdout.split()
    assert said[1].isdigit()
    assert said[3] == os.uname().nodename


def test_a_failure_is_told_in_one_screen_with_job_node_exit_code_and_stderr(run: Run) -> None:
    done = run("-c", "echo out; echo no such sample >&2; exit 3")
    assert (done.returncode, done.stdout) == (3, "out\n")
    said = [" ".join(line.split()) for line in done.stderr.splitlines()]
    assert len(said) <= SCREEN
    assert "no such sample" in said
    assert f"node {os.uname().nodename}" in said
    assert any(line.startswith("job ") and line.removeprefix("job ").isdigit() for line in said)
    assert any("exit code 3" in line for line in said)


def test_slurms_verdict_is_told(run: Run) -> None:
    done = run("--ram", "100MiB", "--", sys.executable, "-c", "bytearray(400 << 20)")
    assert done.returncode == 125
    assert "out of memory" in done.stderr
    assert "OUT_OF_MEMORY" in done.stderr
    assert len(done.stderr.splitlines()) <= SCREEN


def test_a_refusal_is_told_in_slurms_words(run: Run) -> None:
    done = run("--attribute", "queue=shrot", "--", "true")
    assert done.returncode == 125
    assert "invalid partition specified: shrot" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="a file system that the node does not see is mounted by root")
def test_a_work_dir_that_the_node_does_not_see_is_named(run: Run, tmp_path: Path) -> None:
    (tmp_path / ".crankshaft").mkdir()
    done = run(
        "--", "true", before=("unshare", "--mount", "sh", "-c", 'mount -t tmpfs none .crankshaft; exec "$0" "$@"')
    )
    assert done.returncode == 125
    assert f"no exit record came: do the workers see {tmp_path}/.crankshaft/" in done.stderr
