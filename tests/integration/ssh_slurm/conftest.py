"""The configuration that people copy, pointed at the real login node by nothing but its ssh_config."""

from __future__ import annotations

import pwd
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from crankshaft_core.config import Config
from crankshaft_core.engine import Engine
from tests.services.running import Slurm, Sshd
from tests.services.shared import shared_directory

SEED = r"""
[[backends]]
  name = "hpc_cluster_slurm"
  kind = "Generic"
  max_tasks = 100
  defaults = { cpu = 2.0, ram = 8.0 }
  submit = "sbatch --cpus-per-task=~{cpu} --mem=~{ram_mb}M --output=~{cwd}/slurm-%j.out --wrap='~{command}'"
  monitor = "squeue -h -j ~{job_id} -o %T" # Exit 0 if running/pending
  kill = "scancel ~{job_id}"
  job_id_regex = "Submitted batch job (\\d+)"
  [backends.locale]
    kind = "SSH"
    host = "login.slurm.cluster"
"""
INTERVALS = """
  poll_interval = 0.1
  sweep_interval = 0.5
  grace = "1s"
"""


@pytest.fixture(params=["paramiko", "openssh"])
def client(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def shared(sshd: Sshd) -> Iterator[Path]:
    """Where jobs leave marks for the tests."""
    with shared_directory(sshd.user) as directory:
        yield directory


@pytest.fixture
def seed(slurm: Slurm, sshd: Sshd, client: str) -> str:
    """The seed configuration as written, with its default work_dir."""
    text = SEED.replace("  [backends.locale]", f"{INTERVALS}  [backends.locale]")
    return f"{text}    ssh_config = '{sshd.ssh_config}'\n    client = '{client}'\n"


@pytest.fixture
async def engine(seed: str, sshd: Sshd) -> AsyncIterator[Engine]:
    """An engine of the seed configuration. What its run leaves in the user's home goes."""
    async with Engine(Config.parse(seed)) as engine:
        run = Path(pwd.getpwnam(sshd.user).pw_dir, ".crankshaft", engine.run_id)
        yield engine
    shutil.rmtree(run)
