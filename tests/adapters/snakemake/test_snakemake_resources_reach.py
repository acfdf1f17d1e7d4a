"""What a rule asks for arrives at the backend of its choice."""

from collections.abc import Callable

import pytest

from tests.adapters.snakemake.workflow import Workflow

CONFIG = """
    default = "small"

    [[backends]]
    name = "small"
    kind = "Generic"
    defaults = { ram = 3, disk = 7 }
    env = { PLACE = "small" }
    submit = "echo ~{cpu} ~{ram_mb} ~{disk_mb} ~{time_min?~{time_min}} > asked.~{job_name}; ~{command}"

    [[backends]]
    name = "big"
    kind = "Generic"
    env = { PLACE = "big" }
    submit = "echo ~{cpu} ~{ram_mb} ~{gpu} ~{queue} ~{qos} >> wanted; ~{command}"
"""

SNAKEFILE = """
    rule all:
        input: "a.txt", "b.txt", "c.txt"
    rule a:
        output: "a.txt"
        threads: 2
        resources: mem_mb=1536, runtime="2h", disk_mb=2048
        shell: "cat asked.* > {output}; echo $PLACE >> {output}; rm asked.*"
    rule b:
        output: "b.txt"
        resources: crankshaft_backend="big", mem_mb_per_cpu=512, gpu=1, slurm_partition="long", qos="high"
        threads: 2
        shell: "cat wanted > {output}; echo $PLACE >> {output}"
    rule c:
        input: "a.txt"
        output: "c.txt"
        shell: "cat asked.* > {output}"
"""


@pytest.fixture(scope="module")
def ran(shared_workflow: Callable[[str], Workflow]) -> Workflow:
    workflow = shared_workflow("resources").write(SNAKEFILE, CONFIG)
    (workflow.dir / "said").write_text(workflow.run("--jobs", "1", "--default-resources", "io=1"))
    return workflow


def test_cores_memory_disk_and_time_reach_the_submit_command(ran: Workflow) -> None:
    assert ran.read("a.txt").splitlines()[0].split() == ["2", "1536", "2048", "120"]


def test_a_rule_runs_where_it_asks_to(ran: Workflow) -> None:
    assert ran.read("a.txt").splitlines()[1] == "small"
    assert ran.read("b.txt").splitlines()[1] == "big"


def test_gpus_queue_and_qos_reach_the_submit_command(ran: Workflow) -> None:
    assert ran.read("b.txt").splitlines()[0].split() == ["2", "1024", "1", "long", "high"]


def test_a_rule_that_asks_for_nothing_gets_the_backends_defaults(ran: Workflow) -> None:
    assert ran.read("c.txt").split() == ["1", "3072", "7168"]


def test_the_smaller_of_both_limits_is_said(ran: Workflow) -> None:
    assert "backend 'small': at most 1 jobs at once (--jobs)" in ran.read("said")


def test_resources_are_asked_anew_for_every_attempt(workflow: Workflow) -> None:
    workflow.write(
        """
        rule a:
            output: "a.txt"
            retries: 2
            resources: mem_mb=lambda wildcards, attempt: 1024 * attempt
            shell: "cat asked > {output}; test $(wc -l < asked) = 3"
        """,
        """
        [[backends]]
        name = "b"
        kind = "Generic"
        submit = "echo ~{ram_mb} >> asked; ~{command}"
        """,
    )
    workflow.run()
    assert workflow.read("a.txt").split() == ["1024", "2048", "3072"]
