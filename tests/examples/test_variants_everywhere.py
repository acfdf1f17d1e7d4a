"""One Crankshaft.toml and one workflow: it runs on each backend by changing one name, and the answer is the same."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import had
from tests.integration.ssh.server import serving
from tests.services.docker_image import make_snakemake_image
from tests.services.running import ContainerEngine, GridEngine, Slurm

EXAMPLE = Path(__file__).parents[2] / "examples" / "variants"
CONFIGURATION = """
[[backends]]
  name = "local"
  kind = "Generic"
  preset = "local"

[[backends]]
  name = "slurm"
  kind = "Generic"
  preset = "slurm"

[[backends]]
  name = "slurm-ssh"
  extends = "slurm"
  work_dir = "{directory}/there"
  [backends.locale]
    kind = "SSH"
    host = "login"
    ssh_config = "{ssh_config}"

[[backends]]
  name = "slurm-openssh"
  extends = "slurm-ssh"
  [backends.locale]
    client = "openssh"

[[backends]]
  name = "sge"
  kind = "Generic"
  preset = "sge"

[[backends]]
  name = "docker"
  kind = "Docker"
  image = "snakemake:local"
"""
RESULTS = ("planted.tsv", "table.tsv", "verified.txt", "mutations.svg")
VERIFIED = "verified.txt"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@dataclass(frozen=True)
class Workplace:
    """A directory with the configuration, and one copy of the example below it for each run."""

    directory: Path
    env: Mapping[str, str]

    def run(self, backend: str, **env: str) -> Path:
        """The results of the example on a backend."""
        example = self.directory / backend
        ignored = shutil.ignore_patterns(".snakemake", ".crankshaft", "results", "logs", "__pycache__", "*.toml")
        shutil.copytree(EXAMPLE, example, ignore=ignored)
        words = ["--executor", "crankshaft", "--crankshaft-backend", backend, "--jobs", "4"]
        done = subprocess.run(
            [sys.executable, "-m", "snakemake", *words, "--config", "samples=[amber,beryl]"],
            cwd=example,
            env={**self.env, **env},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return example / "results"


@pytest.fixture(scope="module")
def workplace(slurm: Slurm, sge: GridEngine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workplace]:
    """The login is as whoever runs the tests, since the jobs must see this Python and these files."""
    directory = tmp_path_factory.mktemp("everywhere")
    variables = " ".join(f"{name}={value}" for name, value in slurm.env.items())
    with ExitStack() as stack:
        server = had(lambda: stack.enter_context(serving(directory / "sshd", SetEnv=variables)))
        text = CONFIGURATION.format(directory=directory, ssh_config=server.ssh_config)
        (directory / "Crankshaft.toml").write_text(text)
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        env = {**os.environ, "HOME": str(server.home), "PATH": path, **slurm.env, **sge.env}
        yield Workplace(directory, env)


@pytest.fixture(scope="module")
def expected(workplace: Workplace) -> Path:
    """What comes out on this machine."""
    return workplace.run("local")


def test_the_calls_are_what_was_planted_on_this_machine(expected: Path) -> None:
    assert (expected / VERIFIED).is_file()


@pytest.mark.parametrize("backend", ["slurm", "slurm-ssh", "slurm-openssh", "sge"])
def test_the_answer_is_the_same_elsewhere(backend: str, workplace: Workplace, expected: Path) -> None:
    assert contents(workplace.run(backend)) == contents(expected)


def test_the_answer_is_the_same_in_containers(
    workplace: Workplace, docker_engine: ContainerEngine, expected: Path
) -> None:
    """Of an image that has Snakemake and the tools, and neither this environment nor Crankshaft."""
    make_snakemake_image(docker_engine.url)
    assert contents(workplace.run("docker", **docker_engine.env)) == contents(expected)


def contents(results: Path) -> dict[str, bytes]:
    return {name: (results / name).read_bytes() for name in RESULTS}
