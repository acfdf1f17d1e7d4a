"""`crankshaft run` on a cluster behind SSH: what a person sees of one command."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.services.running import Slurm, Sshd

CRANKSHAFT = Path(sys.executable).with_name("crankshaft")
SCREEN = 24
"""Lines of a terminal."""
NODE = re.escape(platform.node().split(".")[0])

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(slurm: Slurm, sshd: Sshd, client: str, shared: Path, tmp_path: Path) -> Run:
    """`run("--", "hostname")`, with a Crankshaft.toml that knows `hpc`."""
    del slurm
    (tmp_path / "Crankshaft.toml").write_text(f"""
[[backends]]
name = "hpc"
kind = "Generic"
preset = "slurm"
defaults = {{ ram = 0.1 }}
poll_interval = 0.1
work_dir = "{shared}/work"
locale = {{ kind = "SSH", host = "login.slurm.cluster", ssh_config = "{sshd.ssh_config}", client = "{client}" }}
""")
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / "config")}

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [CRANKSHAFT, "run", "--backend", "hpc", *words],
            cwd=tmp_path,
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )

    return run


def test_a_success_shows_stdout_exit_code_job_and_node(run: Run) -> None:
    done = run("--", "sh", "-c", "echo $SLURM_JOB_ID; hostname")
    job, node = done.stdout.split()
    assert done.returncode == 0
    assert re.search(rf"sh: hpc job {job}, node {node}, exit code 0, \d+\.\d s$", done.stderr.strip())


def test_quietly_there_is_nothing_but_what_the_command_says(run: Run) -> None:
    done = run("-q", "--", "hostname", "-s")
    assert re.fullmatch(NODE, done.stdout.strip())
    assert done.stderr == ""


def test_a_failure_shows_verdict_job_node_and_stderr_on_one_screen(run: Run) -> None:
    done = run("--", "sh", "-c", "echo what came of it; echo 'no such reference' >&2; exit 3")
    assert (done.stdout, done.returncode) == ("what came of it\n", 3)
    words = r"no such reference\n(.*\n)*crankshaft: sh: failed, exit code 3\n.* hpc\n.*job +\d+\n.*node +" + NODE
    assert re.search(words, done.stderr)
    assert len(done.stderr.splitlines()) < SCREEN


@pytest.mark.parametrize("client", ["paramiko"], indirect=True)
def test_the_schedulers_verdict_is_told(run: Run, slurm: Slurm) -> None:
    if not slurm.cgroups:
        pytest.skip("this Slurm holds no job to its memory: no cgroups of version 1 here")
    done = run("-c", "head -c 400000000 /dev/zero | tail")  # which holds the last line in memory
    assert done.returncode == 125
    assert re.search(r"out of memory.*\n(.*\n)*.*job +\d+\n", done.stderr)
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) < SCREEN
