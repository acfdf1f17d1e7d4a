"""`kill -9` of Snakemake with jobs queued, running and ended since: started again, every rule has run exactly once."""

from __future__ import annotations

import signal
import textwrap
from collections.abc import Callable

import pytest

from tests.adapters.snakemake.workflow import Workflow, until
from tests.services.running import ContainerEngine, Slurm

# the rules with a `run:` go through an inner Snakemake, the others run directly
SNAKEFILE = """
    def note(rule):
        with open("count", "a") as file:
            file.write(rule + "\\n")

    rule all:
        input: "after.txt", "queued.txt", "still.txt", "inner.txt"
    rule meanwhile:
        output: "meanwhile.txt"
        shell: "echo {rule} >> count; touch {rule}.began; until test -e go.1; do sleep 0.1; done; echo x > {output}"
    rule after:
        input: "meanwhile.txt"
        output: touch("after.txt")
        shell: "echo {rule} >> count"
    rule still:
        output: "still.txt"
        shell: "echo {rule} >> count; echo > {output}; touch {rule}.began; until test -e go.2; do sleep 0.1; done"
    rule inner:
        output: "inner.txt"
        run:
            import time
            from pathlib import Path
            note(rule)
            Path("inner.began").touch()
            while not Path("go.2").exists():
                time.sleep(0.1)
            Path(output[0]).touch()
    rule queued:
        output: "queued.txt"
        priority: -1
        shell: "echo {rule} >> count; touch {output}"
"""
LOCAL = '[[backends]]\nname = "here"\nkind = "Generic"\nmax_tasks = 3\nsubmit = "~{command}"\n'
SLURM = '[[backends]]\nname = "slurm"\npreset = "slurm"\nmax_tasks = 3\n'
DOCKER = '[[backends]]\nname = "box"\nkind = "Docker"\nmax_tasks = 2\n'
RULES = ["after", "inner", "meanwhile", "queued", "still"]
FLAGS = ("--crankshaft-direct", "--jobs", "10")


def kill_and_go_on(workflow: Workflow, config: str, snakefile: str = SNAKEFILE) -> str:
    """What the second Snakemake says."""
    running = [name for name in ("still", "inner") if f"rule {name}:" in snakefile]
    process = workflow.write(snakefile, config).start(*FLAGS)
    until(lambda: all(workflow.exists(f"{name}.began") for name in ("meanwhile", *running)))
    process.send_signal(signal.SIGKILL)
    process.communicate()
    (workflow.dir / "go.1").touch()
    until(lambda: workflow.exists("meanwhile.txt"))
    workflow.run("--unlock")
    process = workflow.start(*FLAGS, "--rerun-incomplete")
    assert process.stdout is not None
    seen = ""
    while not all(f"\n{name}: job " in seen for name in running):
        line = process.stdout.readline()
        assert line, seen
        seen += line
    (workflow.dir / "go.2").touch()
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 0, seen + said
    return seen + said


@pytest.fixture(scope="module")
def here(shared_workflow: Callable[[str], Workflow]) -> Workflow:
    workflow = shared_workflow("resume")
    said = kill_and_go_on(workflow, LOCAL)
    (workflow.dir / "said").write_text(said)
    return workflow


def test_every_rule_ran_exactly_once(here: Workflow) -> None:
    assert sorted(here.read("count").split()) == RULES


def test_what_still_ran_is_said_to_be_taken_up(here: Workflow) -> None:
    lines = here.read("said").splitlines()
    taken_up = {line.partition(":")[0] for line in lines if line.endswith(" on here, taken up again")}
    assert taken_up >= {"still", "inner"}


def test_nothing_is_left_running(here: Workflow) -> None:
    assert here.processes() == []


def test_nothing_of_it_is_left_to_be_taken_up(here: Workflow) -> None:
    journals = here.dir / ".snakemake" / "auxiliary" / "crankshaft"
    assert list(journals.rglob("*.db")) == []


def test_a_forced_run_afterwards_runs_everything_again(here: Workflow) -> None:
    here.run(*FLAGS, "--forceall")
    assert sorted(here.read("count").split()) == sorted(2 * RULES)


@pytest.mark.slow
@pytest.mark.needs("slurm")
def test_every_rule_runs_exactly_once_on_slurm(workflow: Workflow, slurm: Slurm) -> None:
    workflow.env = slurm.env
    kill_and_go_on(workflow, SLURM)
    assert sorted(workflow.read("count").split()) == RULES


@pytest.mark.slow
@pytest.mark.needs("docker")
def test_every_rule_runs_exactly_once_in_its_own_container(workflow: Workflow, docker_engine: ContainerEngine) -> None:
    """The image has no Snakemake, no Python and no bash."""
    workflow.env = docker_engine.env
    boxed = f'    container: "docker://busybox:local"\n{SNAKEFILE}'.replace('"still.txt", "inner.txt"', '"still.txt"')
    begin, end = boxed.index("    rule inner:"), boxed.index("    rule queued:")
    kill_and_go_on(workflow, DOCKER, textwrap.dedent(boxed[:begin] + boxed[end:]))
    assert sorted(workflow.read("count").split()) == [name for name in RULES if name != "inner"]
