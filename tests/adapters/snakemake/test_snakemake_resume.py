"""`kill -9` of Snakemake with jobs queued, running and ended since: started again, every rule has run exactly once."""

from __future__ import annotations

import signal
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.adapters.snakemake.elsewhere import QUICK, of_the_job_user, slurm_over_ssh, tes
from tests.adapters.snakemake.workflow import Workflow, until
from tests.services.running import ContainerEngine, GridEngine, Slurm

# the rules with a `run:` go through an inner Snakemake, the others run directly
SNAKEFILE = """
    import os
    HERE = os.getcwd()  # what is noted and waited for is not the workflow's, and nothing carries it

    def note(rule):
        with open(f"{HERE}/count", "a") as file:
            file.write(rule + "\\n")

    rule all:
        input: "done/after.txt", "queued.txt", "still.txt", "inner.txt"
    rule meanwhile:
        output: "meanwhile.txt"
        shell:
            "echo {rule} >> {HERE}/count; touch {HERE}/{rule}.began; until test -e {HERE}/go.1; do sleep 0.1; done; "
            "echo x > {output}; touch {HERE}/{rule}.ended"
    rule after:
        input: "meanwhile.txt"
        output: touch("done/after.txt")
        log: "logs/after.log"
        shell: "test -e {input}; echo {rule} >> {HERE}/count"
    rule still:
        output: "still.txt"
        shell:
            "echo {rule} >> {HERE}/count; echo > {output}; touch {HERE}/{rule}.began; "
            "until test -e {HERE}/go.2; do sleep 0.1; done"
    rule inner:
        output: "inner.txt"
        run:
            import time
            from pathlib import Path
            note(rule)
            Path(HERE, "inner.began").touch()
            while not Path(HERE, "go.2").exists():
                time.sleep(0.1)
            Path(output[0]).touch()
    rule queued:
        output: "queued.txt"
        priority: -1
        shell: "echo {rule} >> {HERE}/count; touch {output}"
"""
LOCAL = '[[backends]]\nname = "here"\nkind = "Generic"\nmax_tasks = 3\nsubmit = "~{command}"\n'
SLURM = '[[backends]]\nname = "slurm"\npreset = "slurm"\nmax_tasks = 3\n'
DOCKER = '[[backends]]\nname = "box"\nkind = "Docker"\nmax_tasks = 2\n'
RULES = ["after", "inner", "meanwhile", "queued", "still"]
FLAGS = ("--crankshaft-direct", "--jobs", "10")
NONE = ("--shared-fs-usage", "none")


def kill_and_go_on(
    workflow: Workflow, config: str, snakefile: str = SNAKEFILE, *flags: str, marks: Path | None = None
) -> str:
    """What the second Snakemake says. Jobs note what they do in `marks`."""
    marks = marks or workflow.dir
    running = [name for name in ("still", "inner") if f"rule {name}:" in snakefile]
    process = workflow.write(snakefile, config).start(*FLAGS, *flags)
    until(lambda: all((marks / f"{name}.began").exists() for name in ("meanwhile", *running)))
    process.send_signal(signal.SIGKILL)
    process.communicate()
    (marks / "go.1").touch()
    until((marks / "meanwhile.ended").exists)
    workflow.run("--unlock")
    process = workflow.start(*FLAGS, *flags, "--rerun-incomplete")
    assert process.stdout is not None
    seen = ""
    while not all(f"\n{name}: job " in seen for name in running):
        line = process.stdout.readline()
        assert line, seen
        seen += line
    (marks / "go.2").touch()
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


def test_a_forced_run_afterwards_runs_again_what_it_is_told_to(here: Workflow) -> None:
    here.run(*FLAGS, "--forcerun", "after", "queued")
    assert sorted(here.read("count").split()) == sorted([*RULES, "after", "queued"])


@pytest.mark.slow
@pytest.mark.needs("slurm")
def test_every_rule_runs_exactly_once_on_slurm(workflow: Workflow, slurm: Slurm) -> None:
    workflow.env = slurm.env
    kill_and_go_on(workflow, SLURM)
    assert sorted(workflow.read("count").split()) == RULES


BOXED_RULES = [name for name in RULES if name != "inner"]


def boxed() -> str:
    """All but the rule that needs Snakemake, in an image that has none, nor Python nor bash."""
    text = f'    container: "docker://busybox:local"\n{SNAKEFILE}'.replace('"still.txt", "inner.txt"', '"still.txt"')
    begin, end = text.index("    rule inner:"), text.index("    rule queued:")
    return textwrap.dedent(text[:begin] + text[end:])


@pytest.mark.slow
@pytest.mark.needs("docker")
def test_every_rule_runs_exactly_once_in_its_own_container(workflow: Workflow, docker_engine: ContainerEngine) -> None:
    workflow.env = docker_engine.env
    kill_and_go_on(workflow, DOCKER, boxed())
    assert sorted(workflow.read("count").split()) == BOXED_RULES


@pytest.mark.slow
def test_every_rule_runs_exactly_once_on_tes_which_shares_no_files(
    workflow: Workflow, request: pytest.FixtureRequest
) -> None:
    config = f"[[backends]]\nname = 'cloud'\nmax_tasks = 3\n{tes(request)}storage = 'file://{workflow.place}/storage'\n"
    kill_and_go_on(workflow, config, SNAKEFILE.replace("os.getcwd()", repr(str(workflow.dir))), *NONE)
    assert sorted(workflow.read("count").split()) == RULES
    assert workflow.exists("done/after.txt")
    assert workflow.exists("logs/after.log")


SHORT_RULES = ["inner", "meanwhile", "queued"]


def short(marks: str = "os.getcwd()") -> str:
    """One job that ends meanwhile, one that runs on through an inner Snakemake, and one that waits for a place."""
    text = SNAKEFILE.replace("os.getcwd()", marks)
    text = text.replace('"done/after.txt", "queued.txt", "still.txt"', '"meanwhile.txt", "queued.txt"')
    begin, end = text.index("    rule after:"), text.index("    rule inner:")
    return text[:begin] + text[end:]


@pytest.mark.slow
def test_every_rule_runs_exactly_once_on_grid_engine(workflow: Workflow, sge: GridEngine) -> None:
    workflow.env = sge.env
    kill_and_go_on(workflow, f"[[backends]]\nname = 'sge'\npreset = 'sge'\nmax_tasks = 2\n{QUICK}", short())
    assert sorted(workflow.read("count").split()) == SHORT_RULES


@pytest.mark.slow
def test_every_rule_runs_exactly_once_on_a_cluster_that_shares_no_files(
    workflow: Workflow, request: pytest.FixtureRequest
) -> None:
    config = f"[[backends]]\nname = 'hpc'\nmax_tasks = 2\n{slurm_over_ssh(request)}"
    marks = of_the_job_user(request)
    kill_and_go_on(workflow, config, short(repr(str(marks))), *NONE, marks=marks)
    assert sorted((marks / "count").read_text().split()) == SHORT_RULES
    assert all(workflow.exists(f"{name}.txt") for name in SHORT_RULES)
