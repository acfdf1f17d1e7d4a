"""Two rules, one after the other; an executor that polls would wait ten minutes before it reports the first."""

from collections.abc import Callable

import pytest

from tests.adapters.snakemake.workflow import Workflow

SNAKEFILE = """
    rule all:
        input: "b.txt"
    rule a:
        output: "a.txt"
        shell: "echo hello > {output}"
    rule b:
        input: "a.txt"
        output: "b.txt"
        threads: 2
        run:
            open(output[0], "w").write(open(input[0]).read() + f"threads {threads}\\n")
"""


@pytest.fixture(scope="module")
def ran(shared_workflow: Callable[[str], Workflow]) -> Workflow:
    workflow = shared_workflow("chain").write(SNAKEFILE)
    said = workflow.run("--seconds-between-status-checks", "600", timeout=100)
    (workflow.dir / "said").write_text(said)
    return workflow


def test_both_rules_ran_with_the_threads_they_asked_for(ran: Workflow) -> None:
    assert ran.read("b.txt") == "hello\nthreads 2\n"


def test_the_log_names_the_jobs_of_the_backend(ran: Workflow) -> None:
    assert "\na: job " in ran.read("said")
    assert " on local\n" in ran.read("said")


def test_the_limit_is_said_once(ran: Workflow) -> None:
    assert ran.read("said").count("jobs at once") == 1


def test_nothing_is_left_running(ran: Workflow) -> None:
    assert ran.processes() == []


def test_nothing_is_left_in_the_working_directory_but_what_the_rules_made(ran: Workflow) -> None:
    names = sorted(path.name for path in ran.dir.iterdir() if not path.name.startswith("."))
    assert names == ["Snakefile", "a.txt", "b.txt", "said"]
