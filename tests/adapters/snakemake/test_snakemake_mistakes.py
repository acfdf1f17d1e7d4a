"""A user's mistakes: one clear message, no traceback, and no job submitted."""

import pytest

from tests.adapters.snakemake.workflow import Workflow

TWO_RULES = """
    rule b:
        input: "a.txt"
        output: "b.txt"
        {resources}
        shell: "touch {{output}}"
    rule a:
        output: "a.txt"
        shell: "touch {{output}}; touch ran"
"""
TOML = """
    [[backends]]
    name = "docker-less"
    kind = "Generic"
    submit = "~{command}"
"""


def refused(workflow: Workflow, *args: str, resources: str = "", config: str | None = None) -> str:
    said = workflow.write(TWO_RULES.format(resources=resources), config).run("b.txt", *args, ok=False)
    assert not workflow.exists("ran"), said
    assert "Traceback" not in said
    assert said.count("WorkflowError") == 1
    return said


def test_an_unknown_backend(workflow: Workflow) -> None:
    said = refused(workflow, "--crankshaft-backend", "lfs")
    assert "no backend named 'lfs'; known: local" in said


def test_an_unknown_backend_of_a_rule_that_comes_later(workflow: Workflow) -> None:
    said = refused(workflow, resources="resources: crankshaft_backend='lfs'", config=TOML)
    assert "rule 'b': crankshaft_backend=lfs: no backend named 'lfs'; known: docker-less" in said


def test_a_configuration_file_that_is_not_there(workflow: Workflow) -> None:
    assert "missing.toml" in refused(workflow, "--crankshaft-config", "missing.toml")


def test_a_configuration_that_is_no_toml(workflow: Workflow) -> None:
    assert "Crankshaft.toml" in refused(workflow, config="[[backends]\nname =")


def test_a_configuration_with_several_mistakes_tells_all(workflow: Workflow) -> None:
    said = refused(workflow, config=TOML + "    memory = 3\n    max_tasks = 0\n")
    assert "memory" in said
    assert "max_tasks" in said


def test_several_backends_and_none_named(workflow: Workflow) -> None:
    said = refused(workflow, config=TOML + TOML.replace("docker-less", "other"))
    assert "docker-less, other" in said


@pytest.mark.parametrize("resource", ["constraint='haswell'", "nodes=2", "slurm_extra='--nice=1'", "gpu='a100:2'"])
def test_resources_the_backend_cannot_give(workflow: Workflow, resource: str) -> None:
    said = refused(workflow, resources=f"resources: {resource}")
    assert f"rule 'b': {resource.replace(chr(39), '')}: " in said


def test_resources_that_are_only_known_later_fail_their_job_alone(workflow: Workflow) -> None:
    late = "resources: qos=lambda wildcards, input: open(input[0]).name and 'long'"
    said = workflow.write(TWO_RULES.format(resources=late)).run("b.txt", ok=False)
    assert workflow.exists("ran")
    assert "qos=long: backend 'local' has no use for 'qos'" in said
    assert "Traceback" not in said


def test_immediate_submit(workflow: Workflow) -> None:
    said = refused(workflow, "--immediate-submit", "--notemp")
    assert "--immediate-submit: executor crankshaft follows its jobs to their end" in said


def test_a_partition_without_queues_is_said_and_does_no_harm(workflow: Workflow) -> None:
    workflow.write(TWO_RULES.format(resources="resources: slurm_partition='short'"))
    said = workflow.run("b.txt")
    assert said.count("backend 'local' has no use for slurm_partition=short of rule 'b'") == 1
