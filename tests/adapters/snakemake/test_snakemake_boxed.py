"""Direct mode on a Generic backend with `container`: each rule's own command in its own image, by a real engine."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.adapters.snakemake.workflow import Workflow
from tests.services.running import ContainerEngine

SNAKEFILE = """
    rule all:
        input: "counted.txt", "plain.txt"
    rule given:
        output: "given.txt"
        log: "logs/given.log"
        container: "docker://busybox:local"
        shell: "ls /bin/busybox > {output}; echo said > {log}; ls /usr >> {output} || true"
    rule counted:
        input: "given.txt"
        output: "deep/er/words.txt", "counted.txt"
        container: "docker://busybox:local"
        threads: 2
        shell: "wc -w < {input[0]} > {output[1]}; echo $OMP_NUM_THREADS > {output[0]}"
    rule plain:
        output: "plain.txt"
        shell: "test -d /usr && echo no image > {output}"
"""


@pytest.fixture(scope="module")
def ran(shared_workflow: Callable[[str], Workflow], docker_engine: ContainerEngine) -> Workflow:
    workflow = shared_workflow("boxed")
    config = "[[backends]]\nname = 'here'\nkind = 'Generic'\nsubmit = '~{command}'\ncontainer = 'docker'\n"
    workflow.env = docker_engine.env
    workflow.write(SNAKEFILE, config)
    (workflow.dir / "said").write_text(workflow.run("--crankshaft-direct"))
    return workflow


def test_a_rule_runs_in_its_container(ran: Workflow) -> None:
    assert ran.read("given.txt") == "/bin/busybox\n"


def test_the_next_rule_finds_its_files_and_its_threads(ran: Workflow) -> None:
    assert (ran.read("counted.txt"), ran.read("deep/er/words.txt")) == ("1\n", "2\n")


def test_its_log_is_left_where_it_says(ran: Workflow) -> None:
    assert ran.read("logs/given.log") == "said\n"


def test_a_rule_without_one_runs_without(ran: Workflow) -> None:
    assert ran.read("plain.txt") == "no image\n"


def test_nothing_is_said_of_containers_that_are_left_out(ran: Workflow) -> None:
    assert "left out" not in ran.read("said")


def test_a_file_that_the_container_would_not_see_is_named_before_anything_runs(ran: Workflow) -> None:
    outside = ran.place / "outside.txt"
    outside.write_text("x")
    text = SNAKEFILE.replace('input: "given.txt"', f'input: "given.txt", "{outside}"')
    ran.write(text)
    said = ran.run("--crankshaft-direct", "--forceall", ok=False)
    assert f"containers of backend 'here' do not see {outside}" in said
