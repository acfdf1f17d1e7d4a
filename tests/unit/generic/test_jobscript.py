"""The files of an attempt."""

from __future__ import annotations

import json

import pytest

from crankshaft_core.backends.generic.jobscript import read_header
from crankshaft_core.backends.generic.local_runs import Header
from crankshaft_core.errors import SubmitError
from crankshaft_core.task import Execution
from tests.unit.generic.making import BATCH, attempt, config, renderer

ROOT = "/w/k1"


def test_a_shell_command_is_a_file_of_its_own_unchanged() -> None:
    text = "echo 'a'\n\t$HOME \\ é"
    files = renderer(ROOT).job(attempt(text)).files()
    assert files[f"{ROOT}/tasks/k1-1/cmd.0"] == text.encode()


def test_a_program_needs_no_file() -> None:
    job = renderer(ROOT).job(attempt(Execution(program="echo", args=("a b",))))
    assert list(job.files()) == [f"{ROOT}/tasks/k1-1/job"]
    assert "exec -- echo 'a b'" in job.script()


def test_bytes_that_are_no_text_are_kept() -> None:
    odd = b"\xff\xfe".decode("utf-8", "surrogateescape")
    assert renderer(ROOT).job(attempt(odd)).files()[f"{ROOT}/tasks/k1-1/cmd.0"] == b"\xff\xfe"


def test_the_header_finds_the_files_again() -> None:
    job = renderer(ROOT).job(attempt(Execution(command="x", work_dir="/data", stdout="out.txt"), "y"))
    tasks = f"{ROOT}/tasks/k1-1"
    assert Header.read(job.script()) == Header("/data", ["/data/out.txt", f"{tasks}/stdout"], [f"{tasks}/stderr"] * 2)


def test_a_name_cannot_break_out_of_the_header() -> None:
    job = renderer(ROOT).job(attempt("true", name="x\n. /etc/passwd\n{}"))
    assert read_header(job.script())["name"] == "x\n. /etc/passwd\n{}"
    assert ". /etc/passwd" not in job.script().splitlines()


def test_what_is_no_job_of_ours_has_no_header() -> None:
    assert Header.read("#!/bin/bash\necho hello\n") is None


def test_no_value_of_a_variable_is_in_the_script() -> None:
    job = renderer(ROOT, env_file=True).job(attempt(Execution(command="x", env={"TOKEN": "s3cret"})))
    assert "s3cret" not in job.script()


@pytest.mark.parametrize("name", ["a.b", "1x", "a b", "é", "UID", "SHELLOPTS", "BASH_FUNC_f%%"])
def test_a_variable_that_no_shell_can_set_is_refused(name: str) -> None:
    job = renderer(ROOT, env_file=True).job(attempt(Execution(command="x", env={name: "1"})))
    with pytest.raises(SubmitError, match="is not the name of a variable that a shell can set"):
        job.files()


def test_the_backends_own_variables_stand_under_the_tasks() -> None:
    made = config("submit = '~{command}'\nenv = { A = 'site', B = 'site' }")
    job = renderer(ROOT, made).job(attempt(Execution(command="x", env={"B": "task"})))
    assert job.steps[0].env == {"A": "site", "B": "task"}


def test_in_process_mode_the_filled_submit_is_the_work() -> None:
    made = config("submit = 'nice -n ~{niceness} ~{command}'\nattributes = { niceness = '5' }")
    job = renderer(ROOT, made).job(attempt(Execution(program="echo", args=("a b",))))
    assert job.files()[f"{ROOT}/tasks/k1-1/cmd.0"] == b"nice -n 5 echo 'a b'"


def test_a_template_without_a_script_gets_the_job_as_its_command() -> None:
    made = config(BATCH.replace("'sbatch --mem=~{ram_mb}M ~{script}'", '"""sbatch --wrap=\'~{command}\'"""'))
    made_renderer = renderer("/w w/k1", made)
    one = attempt("true")
    command = made_renderer.submit_command(one, made_renderer.job(one))
    assert command == """sbatch --wrap='bash '\\''/w w/k1/tasks/k1-1/job'\\'''"""


def test_an_image_is_refused_where_nothing_runs_it() -> None:
    with pytest.raises(
        SubmitError, match=r"align names the image 'samtools:1\.19', and this backend runs no containers"
    ):
        renderer(ROOT).job(attempt(Execution(command="x", image="samtools:1.19")))


@pytest.mark.parametrize(
    "text", ["submit = '~{command}'\nignore_image = true", "submit = 'docker run ~{image} ~{command}'"]
)
def test_an_image_is_taken_where_it_is_ignored_or_asked_for(text: str) -> None:
    assert renderer(ROOT, config(text)).job(attempt(Execution(command="x", image="busybox")))


def test_the_header_is_one_line_of_json() -> None:
    second = renderer(ROOT).job(attempt("true")).script().splitlines()[1]
    assert json.loads(second.removeprefix("# crankshaft "))["attempt"] == "k1-1"
