"""Every service that tests rely on does the one thing it is there for."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import docker
import pytest

from tests.services.running import ContainerEngine, GridEngine, Services, Slurm, Sshd, UnavailableError


def output(command: list[str], env: Mapping[str, str]) -> str:
    done = subprocess.run(command, env={**os.environ, **env}, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_slurm_runs_a_job_and_accounts_for_it(slurm: Slurm) -> None:
    job = output(["sbatch", "--parsable", "--wait", "--chdir=/tmp", "--output=/dev/null", "--wrap=true"], slurm.env)
    states = output(["sacct", "-X", "-n", "-P", "-j", job.strip(), "-o", "state,exitcode"], slurm.env)
    assert states.strip() == "COMPLETED|0:0"


def test_grid_engine_runs_a_job(sge: GridEngine) -> None:
    said = output(
        ["qsub", "-sync", "y", "-b", "y", "-wd", "/tmp", "-o", "/dev/null", "-e", "/dev/null", "true"], sge.env
    )
    assert "exited with exit code 0" in said


def test_sshd_lets_its_key_in_and_the_login_knows_the_schedulers(sshd: Sshd) -> None:
    said = output(["ssh", "-F", str(sshd.ssh_config), "login.slurm.cluster", "id -un; echo $SLURM_CONF $SGE_ROOT"], {})
    user, schedulers = said.splitlines()
    assert user == sshd.user
    assert len(schedulers.split()) == 2


@pytest.mark.parametrize("name", ["docker_engine", "swarm", "podman"])
def test_a_container_runs_and_its_exit_code_arrives(name: str, request: pytest.FixtureRequest) -> None:
    engine: ContainerEngine = request.getfixturevalue(name)
    with closing(docker.DockerClient(engine.url)) as client:
        container = client.containers.run("busybox:local", ["sh", "-c", "exit 5"], detach=True)
        assert container.wait(timeout=30)["StatusCode"] == 5
        container.remove()


def test_the_swarm_engine_is_a_manager_and_the_plain_one_is_not(
    docker_engine: ContainerEngine, swarm: ContainerEngine
) -> None:
    asked = ["docker", "info", "--format", "{{.Swarm.ControlAvailable}}"]
    assert output(asked, docker_engine.env).strip() == "false"
    assert output(asked, swarm.env).strip() == "true"


def test_a_daemon_that_was_stopped_comes_back_with_its_state(slurm: Slurm) -> None:
    before = slurm.daemons.pid("slurmctld")
    job = output(["sbatch", "--parsable", "--hold", "--chdir=/tmp", "--wrap=true"], slurm.env).strip()
    slurm.daemons.stop("slurmctld")
    slurm.daemons.up()
    assert slurm.daemons.pid("slurmctld") != before
    assert output(["squeue", "-h", "-j", job, "-o", "%A"], slurm.env).strip() == job
    output(["scancel", job], slurm.env)


def test_a_service_that_cannot_be_had_says_what_to_install(tmp_path: Path) -> None:
    daemons = Path(__file__).parents[2] / "services/daemons.sh"
    (tmp_path / "nothing").write_text(
        f"#!/bin/sh\nservice=nothing packages=nothing-at-all\n. {daemons}\nneeded no-such-command\n"
    )
    (tmp_path / "nothing").chmod(0o755)
    with (
        closing(Services(tmp_path)) as services,
        pytest.raises(UnavailableError, match="nothing: no no-such-command here; apt-get install nothing-at-all"),
    ):
        services.engine("nothing")


@pytest.mark.slow
def test_two_runs_of_the_tests_have_services_of_their_own(slurm: Slurm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CRANKSHAFT_TEST_SERVICES", raising=False)  # scripts/test has set it
    with closing(Services(slurm.daemons.script.parent)) as others:
        other = others.slurm()
        assert other.daemons.base != slurm.daemons.base
        for one in (slurm, other):
            output(["sbatch", "--wait", "--chdir=/tmp", "--output=/dev/null", "--wrap=true"], one.env)
    assert not other.daemons.base.exists()
    output(["sinfo"], slurm.env)
