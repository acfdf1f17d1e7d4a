"""Snakemake is a Slurm job itself, submits its jobs to the same Slurm, and goes on in the next allocation."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.adapters.snakemake.elsewhere import QUICK
from tests.adapters.snakemake.workflow import Workflow, until
from tests.services.running import Slurm

SNAKEFILE = """
    rule all:
        input: "one.txt", "two.txt", "three.txt"
    rule one:
        output: "one.txt"
        threads: 2
        resources: mem_mb=300
        shell:
            "echo {rule} >> count; env > one.env; touch one.began; until test -e go.1; do sleep 0.1; done; "
            "touch {output} one.ended"
    rule two:
        output: "two.txt"
        shell: "echo {rule} >> count; touch two.began; until test -e go.2; do sleep 0.1; done; touch {output}"
    rule three:
        output: "three.txt"
        priority: -1
        shell: "echo {rule} >> count; touch {output}"
"""
CONFIG = f"[[backends]]\nname = 'slurm'\npreset = 'slurm'\nmax_tasks = 2\n{QUICK}"
SNAKEMAKE = shlex.join([sys.executable, "-m", "snakemake"])
RUN = f"{SNAKEMAKE} --executor crankshaft --crankshaft-direct --jobs 10 --rerun-incomplete"
LEAKS = {"SBATCH_PARTITION": "nowhere", "SBATCH_TIMELIMIT": "0:01", "SBATCH_MEM_PER_NODE": "1"}
"""What would make every job of an inner sbatch impossible."""


class Outer:
    """A batch job in which Snakemake runs, and runs again whenever Slurm has taken the job back into the queue."""

    def __init__(self, workflow: Workflow) -> None:
        self.log = workflow.dir / "outer.log"
        self._workflow = workflow
        options = ("--requeue", "--open-mode=append", "--cpus-per-task=3", "--mem=1200", f"--output={self.log}")
        leaks = "".join(f"export {name}={value}; " for name, value in LEAKS.items())
        script = f'{leaks}[ -z "$SLURM_RESTART_COUNT" ] || {SNAKEMAKE} --unlock; exec {RUN}'
        self._job = self._said("sbatch", "--parsable", *options, f"--wrap={script}")

    def requeue(self) -> None:
        """As when it is preempted: SIGTERM, and soon SIGKILL; then it waits for minutes."""
        self._said("scontrol", "requeue", self._job)
        until(lambda: self.state() == "PENDING")

    def start_again(self) -> None:
        self._said("scontrol", "update", f"jobid={self._job}", "StartTime=now")

    def state(self) -> str:
        return self._said("squeue", "-h", "-t", "all", "-j", self._job, "-o", "%T")

    def _said(self, *command: str) -> str:
        env = self._workflow.environment()
        return subprocess.check_output(command, cwd=self._workflow.dir, env=env, text=True, timeout=60).strip()


@pytest.fixture(scope="module")
def ran(slurm: Slurm, shared_workflow: Callable[[str], Workflow]) -> Workflow:
    """Ended with one job that ends meanwhile, one that runs on, and one for which there is no place yet."""
    workflow = shared_workflow("allocation").write(SNAKEFILE, CONFIG)
    workflow.env = slurm.env
    outer = Outer(workflow)
    until(lambda: workflow.exists("one.began") and workflow.exists("two.began"))
    outer.requeue()
    (workflow.dir / "go.1").touch()
    until(lambda: workflow.exists("one.ended"))
    outer.start_again()
    until(lambda: "taken up again" in outer.log.read_text())
    (workflow.dir / "go.2").touch()
    until(lambda: outer.state() not in ("PENDING", "RUNNING", "COMPLETING"))
    assert outer.state() == "COMPLETED", outer.log.read_text()
    return workflow


@pytest.mark.slow
def test_jobs_outlive_the_allocation_and_every_one_runs_exactly_once(ran: Workflow) -> None:
    assert sorted(ran.read("count").split()) == ["one", "three", "two"]


@pytest.mark.slow
def test_jobs_get_what_they_ask_for_and_not_what_the_allocation_has(ran: Workflow) -> None:
    env = dict(line.partition("=")[::2] for line in ran.read("one.env").splitlines())
    asked = {name: env.get(name) for name in ("SLURM_CPUS_PER_TASK", "SLURM_MEM_PER_NODE", "SLURM_JOB_PARTITION")}
    assert asked == {"SLURM_CPUS_PER_TASK": "2", "SLURM_MEM_PER_NODE": "300", "SLURM_JOB_PARTITION": "normal"}
    assert LEAKS.keys().isdisjoint(env)
