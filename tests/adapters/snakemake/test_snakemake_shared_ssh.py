"""A cluster behind a login node that shares the workflow's directory; and Ctrl-C, which leaves nothing in its queue."""

from __future__ import annotations

import os
import re
import signal
import subprocess

import pytest

from tests.adapters.snakemake.elsewhere import QUICK, of_the_job_user
from tests.adapters.snakemake.workflow import Workflow, until
from tests.services.running import Slurm, Sshd

SNAKEFILE = """
    rule long:
        input: "quick.txt"
        output: "long.txt"
        shell: "touch long.began; sleep 600"
    rule quick:
        output: "quick.txt"
        shell: "pwd > {output}"
"""
CONFIG = """
    [[backends]]
    name = 'hpc'
    preset = 'slurm'
    work_dir = '{place}/.crankshaft'
    locale = {{ kind = 'SSH', host = 'login.slurm.cluster', ssh_config = '{ssh_config}' }}
"""
Ran = tuple[Workflow, str]


@pytest.fixture(scope="module")
def ended(slurm: Slurm, sshd: Sshd, request: pytest.FixtureRequest) -> Ran:
    workflow = Workflow(of_the_job_user(request), umask=0)  # the jobs are somebody else's, if root runs the tests
    config = CONFIG.format(place=workflow.place, ssh_config=sshd.ssh_config)
    workflow.write(SNAKEFILE, f"{config}{QUICK}")
    workflow.dir.chmod(0o777)
    process = workflow.start("--crankshaft-direct", "long.txt")
    until(lambda: workflow.exists("long.began") or process.poll() is not None)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=60)
    return workflow, said


@pytest.mark.slow
def test_jobs_work_in_the_workflows_own_directory(ended: Ran) -> None:
    workflow, said = ended
    assert workflow.exists("quick.txt"), said
    assert workflow.read("quick.txt").strip() == str(workflow.dir)


@pytest.mark.slow
def test_nothing_is_left_in_the_queue(ended: Ran, slurm: Slurm) -> None:
    jobs = dict(re.findall(r"(?m)^(\w+): job (\d+) on hpc$", ended[1]))
    command = ("squeue", "-h", "-t", "all", "-j", ",".join(jobs.values()), "-o", "%i %T")

    def states() -> dict[str, str]:
        said = subprocess.check_output(command, env={**os.environ, **slurm.env}, text=True, timeout=60)
        return dict(line.split() for line in said.splitlines())

    until(lambda: "COMPLETING" not in states().values())
    assert states() == {jobs["quick"]: "COMPLETED", jobs["long"]: "CANCELLED"}
