"""A rule's own command, as it runs without a Snakemake around it. The commands are really run."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from crankshaft_core.task import Execution
from snakemake_executor_crankshaft.direct import NotDirectError, direct_run
from tests.unit.snakemake.parsed import jobs_of

SNAKEFILE = """
WORD = "from the Snakefile"
NAMES = [
    "names", "system", "given", "strict", "piped", "dashed", "waiting", "outside",
    "huge", "computed", "unknown", "late",
]

rule all:
    input: expand("{name}.s1", name=NAMES)

rule names:
    input: first="Snakefile"
    output: "names.{sample}"
    log: "logs/{sample}.log"
    threads: 2
    params: said=lambda wildcards, threads: f"it's {wildcards.sample} on {threads}"
    resources: mem_mb=512
    shell:
        "printf '%s\\\\n' {params.said:q} {input.first} {output} {log} {threads} {resources.mem_mb} {rule} {WORD:q} "
        "{wildcards.sample} $OMP_NUM_THREADS {{braces}} {conda_env}"

rule system:
    output: "system.s1"
    shell: "echo '{resources.tmpdir}' {resources.tmpdir}/x $TMPDIR $TEMP"

rule given:
    output: "given.s1"
    resources: tmpdir="made here"
    shell: "test -d {resources.tmpdir:q}; echo {resources.tmpdir:q} $TMPDIR"

rule strict:
    output: "strict.s1"
    shell: "echo before; echo $NOT_THERE; echo after"

rule piped:
    output: "piped.s1"
    shell: "echo before; false | cat; echo after"

rule dashed:
    output: "dashed.s1"
    resources: shell_exec="sh"
    shell: "echo $0 $NOT_THERE done"

rule waiting:
    input: "late.txt"
    output: "waiting.s1"
    shell: "cat {input}"

rule upstream:
    output: "late.txt"
    shell: "true"

rule outside:
    output: "outside.s1"
    container: "docker://busybox:1.36"
    shell: "echo '{resources.tmpdir}'; echo $NOT_THERE; echo after"

rule huge:
    output: "huge.s1"
    params: "x" * 70000
    shell: "echo {params}"

rule computed:
    output: "computed.s1"
    resources: tmpdir=lambda wildcards: "/tmp"
    shell: "true"

rule unknown:
    output: "unknown.s1"
    shell: "echo {no_such_name}"

rule late:
    output: "late.s1"
    params: lambda wildcards, resources: resources.tmpdir
    shell: "echo {params}"
"""
SAID = """\
it's s1 on 2
Snakefile
names.s1
logs/s1.log
2
512
names
from the Snakefile
s1
2
{braces}
None
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("direct")


@pytest.fixture(scope="module")
def jobs(place: Path) -> dict[str, Any]:
    return jobs_of(SNAKEFILE, place)


def execution_of(job: Any, place: Path, *, image: str | None = None) -> Execution:
    return direct_run(job).execution(env={}, work_dir=str(place), image=image)


def ran(execution: Execution, place: Path, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    given = {"PATH": os.environ["PATH"], **execution.env, **(env or {})}
    words = [execution.program or "", *execution.args]
    return subprocess.run(words, cwd=place, env=given, capture_output=True, text=True, check=False, timeout=60)


def test_names_in_the_command_are_those_of_the_rule(jobs: dict[str, Any], place: Path) -> None:
    assert ran(execution_of(jobs["names"], place), place).stdout == SAID


def test_the_directory_of_temporary_files_is_the_one_where_it_runs(
    jobs: dict[str, Any], place: Path, tmp_path: Path
) -> None:
    done = ran(execution_of(jobs["system"], place), place, {"TMPDIR": str(tmp_path)})
    assert done.stdout == f"{tmp_path} {tmp_path}/x {tmp_path} {tmp_path}\n"


def test_without_any_set_it_is_the_systems(jobs: dict[str, Any], place: Path) -> None:
    assert ran(execution_of(jobs["system"], place), place, {"TMPDIR": "/nowhere"}).stdout.startswith("/tmp /tmp/x")


def test_one_that_the_rule_names_is_made(jobs: dict[str, Any], place: Path) -> None:
    assert ran(execution_of(jobs["given"], place), place).stdout == "made here made here\n"


@pytest.mark.parametrize("rule", ["strict", "piped"])
def test_bash_is_as_strict_as_under_snakemake(jobs: dict[str, Any], place: Path, rule: str) -> None:
    done = ran(execution_of(jobs[rule], place), place)
    assert (done.stdout, done.returncode) == ("before\n", 1)


def test_a_rule_chooses_its_shell(jobs: dict[str, Any], place: Path) -> None:
    assert ran(execution_of(jobs["dashed"], place), place).stdout == "sh done\n"


def test_prefix_and_suffix_of_all_commands_are_there(jobs: dict[str, Any], place: Path) -> None:
    from snakemake.shell import shell

    shell.prefix("echo prefix; ")
    shell.suffix("; echo suffix")
    try:
        done = ran(execution_of(jobs["strict"], place), place)
    finally:
        shell._process_prefix, shell._process_suffix = None, ""
    assert done.stdout == "prefix\nbefore\n\nafter\nsuffix\n"


def test_an_input_that_is_seen_late_is_waited_for(jobs: dict[str, Any], place: Path) -> None:
    execution = execution_of(jobs["waiting"], place)
    late = place / "late.txt"
    writer = subprocess.Popen(["sh", "-c", f"sleep 0.5; echo here > {late}"])
    assert ran(execution, place).stdout == "here\n"
    writer.wait()
    late.unlink()


def test_an_input_that_never_comes_is_named(jobs: dict[str, Any], place: Path) -> None:
    workflow = jobs["waiting"].rule.workflow
    seconds, workflow.execution_settings.latency_wait = workflow.execution_settings.latency_wait, 0
    done = ran(execution_of(jobs["waiting"], place), place)
    workflow.execution_settings.latency_wait = seconds
    assert done.returncode == 1
    assert done.stderr.startswith("Missing input after 0 seconds on ")
    assert done.stderr.splitlines()[0].endswith(": late.txt")


def test_an_image_without_bash_runs_the_command_in_its_own_shell(
    jobs: dict[str, Any], place: Path, tmp_path: Path
) -> None:
    for name in ("sh", "uname", "dirname", "ls", "sleep"):
        (tmp_path / name).symlink_to(shutil.which(name) or "")
    done = ran(execution_of(jobs["outside"], place, image="busybox:1.36"), place, {"PATH": str(tmp_path)})
    assert (done.stdout, done.returncode) == ("/tmp\n", 2)
    assert "NOT_THERE" in done.stderr


def test_shells_in_an_image_are_called_by_name(jobs: dict[str, Any], place: Path) -> None:
    execution = execution_of(jobs["outside"], place, image="busybox:1.36")
    assert execution.program == "sh"
    assert 'exec bash -c "$command"' in execution.args[1]
    assert execution.image == "busybox:1.36"


def test_the_rules_image_is_known(jobs: dict[str, Any]) -> None:
    assert direct_run(jobs["outside"]).container == "docker://busybox:1.36"


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        ("huge", "its command is longer than 65535 bytes"),
        ("computed", "its tmpdir is computed where it runs: a function"),
        ("unknown", "its command cannot be formatted here: The name 'no_such_name' is unknown"),
        ("late", "its command holds something that is known only where it runs"),
    ],
)
def test_a_command_that_needs_an_inner_snakemake_says_why(jobs: dict[str, Any], rule: str, reason: str) -> None:
    with pytest.raises(NotDirectError) as caught:
        direct_run(jobs[rule])
    assert str(caught.value).startswith(reason)


def test_where_files_travel_directories_logs_and_touched_files_are_made_there(
    jobs: dict[str, Any], tmp_path: Path
) -> None:
    direct = replace(direct_run(jobs["names"]), carried=True)
    (tmp_path / "Snakefile").touch()
    done = ran(direct.execution(env={}, work_dir=None, image=None), tmp_path)
    assert done.stdout == SAID
    assert (tmp_path / "logs" / "s1.log").exists()
