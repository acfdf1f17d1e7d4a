"""Which jobs run directly, rule type by rule type, on jobs that Snakemake itself made."""

from typing import Any

import pytest

from snakemake_executor_crankshaft.gate import Flags, reason_against
from tests.unit.snakemake.parsed import jobs_of

SNAKEFILE = """
rule all:
    input: expand("{name}.out", name=NAMES)

rule plain:
    output: "plain.out"
    log: "plain.log"
    threads: 2
    retries: 3
    params: x=1
    resources: mem_mb=100, tmpdir="/scratch"
    shell: "true"

rule temporary:
    output: temp("temporary.out")
    shell: "true"

rule guarded:
    output: protected("guarded.out")
    shell: "true"

rule touched:
    output: touch("touched.out")
    shell: "true"

rule ensured:
    output: ensure("ensured.out", non_empty=True)
    shell: "true"

rule folder:
    output: directory("folder.out")
    shell: "true"

rule updated:
    output: update("updated.out")
    shell: "true"

checkpoint split:
    output: "split.out"
    shell: "true"

rule environment:
    output: "environment.out"
    conda: "env.yaml"
    shell: "true"

rule boxed:
    output: "boxed.out"
    container: "docker://alpine"
    shell: "true"

rule moduled:
    output: "moduled.out"
    envmodules: "bio/bwa"
    shell: "true"

rule cached:
    output: "cached.out"
    cache: True
    shell: "true"

rule python:
    output: "python.out"
    run: print()

rule scripted:
    output: "scripted.out"
    script: "s.py"

rule notebooked:
    output: "notebooked.out"
    notebook: "n.ipynb"

rule wrapped:
    output: "wrapped.out"
    wrapper: "v1/bio/x"

rule tooled:
    output: "tooled.out"
    cwl: "tool.cwl"

rule rendered:
    output: "rendered.out"
    template_engine: "jinja2"

rule shadowed:
    output: "shadowed.out"
    shadow: "minimal"
    shell: "true"

rule measured:
    output: "measured.out"
    benchmark: "measured.tsv"
    shell: "true"

rule handed:
    output: "handed.out"
    handover: True
    shell: "true"

rule writer:
    output: pipe("data")
    shell: "true"

rule reader:
    input: "data"
    output: "reader.out"
    shell: "true"
"""
PLAIN = ["plain", "temporary", "guarded", "touched", "ensured", "folder", "updated", "split"]
IGNORED = ["environment", "boxed", "moduled", "cached"]
"""What Snakemake makes nothing of unless it is told to."""
REASONS = {
    "python": "it runs Python code",
    "scripted": "it has a script",
    "notebooked": "it has a notebook",
    "wrapped": "it has a wrapper",
    "tooled": "it has a CWL tool",
    "rendered": "it renders a template",
    "shadowed": "it has a shadow directory",
    "measured": "it has a benchmark",
    "handed": "it hands over to another system",
    "writer": "it is connected by a pipe or a service",
}


@pytest.fixture(scope="module")
def jobs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    names = [*PLAIN, *IGNORED, *REASONS, "reader"]
    names.remove("writer")
    place = tmp_path_factory.mktemp("gate")
    (place / "env.yaml").write_text("dependencies: []")
    return jobs_of(f"NAMES = {names}\n{SNAKEFILE}", place)


@pytest.mark.parametrize("rule", PLAIN + IGNORED)
def test_it_runs_directly(jobs: dict[str, Any], rule: str) -> None:
    assert reason_against(jobs[rule], Flags()) is None


@pytest.mark.parametrize(("rule", "reason"), REASONS.items())
def test_it_needs_an_inner_snakemake(jobs: dict[str, Any], rule: str, reason: str) -> None:
    assert reason_against(jobs[rule], Flags()) == reason


@pytest.mark.parametrize(
    ("rule", "flags", "reason"),
    [
        ("environment", Flags(conda=True), "it has a conda environment"),
        ("boxed", Flags(apptainer=True), "its container is run by --sdm apptainer"),
        ("moduled", Flags(env_modules=True), "it has environment modules"),
        ("cached", Flags(cache=True), "its output is cached between workflows"),
        ("plain", Flags(storage=True), "files go through a storage provider"),
        ("plain", Flags(precommand=True), "there is a --precommand"),
    ],
)
def test_it_needs_one_where_the_command_line_says_so(
    jobs: dict[str, Any], rule: str, flags: Flags, reason: str
) -> None:
    assert reason_against(jobs[rule], flags) == reason


@pytest.mark.parametrize("rule", PLAIN)
def test_flags_for_software_are_nothing_to_a_rule_that_names_none(jobs: dict[str, Any], rule: str) -> None:
    assert reason_against(jobs[rule], Flags(conda=True, apptainer=True, env_modules=True, cache=True)) is None


def test_a_group_needs_an_inner_snakemake(jobs: dict[str, Any]) -> None:
    from snakemake.jobs import GroupJob

    group = GroupJob("g", [jobs["plain"]], jobs["plain"].dag.workflow.global_resources)
    assert reason_against(group, Flags()) == "it is in a group"


def test_a_file_in_a_storage_needs_an_inner_snakemake(jobs: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    (output,) = jobs["plain"].output
    monkeypatch.setattr(type(output), "is_storage", True)
    assert reason_against(jobs["plain"], Flags()) == "it has files in a storage"
