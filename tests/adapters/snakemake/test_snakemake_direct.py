"""Direct mode with the real command line: what Snakemake does around a job, it still does."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.adapters.snakemake.workflow import Workflow

CONFIG = """
    [[backends]]
    name = "here"
    kind = "Generic"
    submit = "~{ram_mb?echo ~{ram_mb} >> asked;} ~{command}"
"""
SNAKEFILE = """
    envvars: "CK_SECRET"
    WORD = "word"

    rule all:
        input: "joined.txt", "guarded.txt", "touched.txt", "made", "scripted.txt", "stale.txt", "gathered.txt"
    rule given:
        output: temp("given.{x}.txt")
        log: "logs/{x}/given.log"
        threads: 2
        params: lambda wildcards, threads: f"{wildcards.x}'s {threads}"
        shell: "echo {params:q} {WORD} $OMP_NUM_THREADS $CK_SECRET > {output}; echo said > {log}"
    rule joined:
        input: lambda wildcards: ["given.one.txt", "given.two.txt"]
        output: "joined.txt"
        shell: "cat {input} > {output}"
    rule guarded:
        output: protected("guarded.txt")
        shell: "echo > {output}"
    rule touched:
        output: touch("touched.txt")
        shell: "true"
    rule made:
        output: directory("made")
        shell: "mkdir {output}; touch {output}/one {output}/two"
    rule stale:
        output: "stale.txt", "deep/er/stale.txt"
        shell: "test ! -e stale.txt; touch {output}"
    rule scripted:
        output: "scripted.txt"
        script: "script.py"
    checkpoint split:
        output: directory("parts")
        shell: "mkdir parts; touch parts/1 parts/2"
    def parts(wildcards):
        where = checkpoints.split.get().output[0]
        return expand("part.{n}", n=glob_wildcards(where + "/{n,[0-9]+}").n)
    rule part:
        output: temp("part.{n}")
        shell: "echo {wildcards.n} > {output}"
    rule gathered:
        input: parts
        output: "gathered.txt"
        shell: "cat {input} | sort > {output}"
"""


@pytest.fixture(scope="module")
def ran(shared_workflow: Callable[[str], Workflow]) -> Workflow:
    workflow = shared_workflow("direct")
    workflow.env = {"CK_SECRET": "it's"}
    workflow.write(SNAKEFILE, **{"script.py": "open(snakemake.output[0], 'w').close()", "stale.txt": "from before"})
    said = workflow.run("--crankshaft-direct", "--crankshaft-report", "--forcerun", "stale", "--jobs", "4")
    (workflow.dir / "said").write_text(said)
    return workflow


def test_only_what_needs_it_runs_through_an_inner_snakemake(ran: Workflow) -> None:
    lines = [line for line in ran.read("said").splitlines() if "does not run directly" in line]
    assert lines == ["rule scripted does not run directly: it has a script"]
    assert ran.exists("scripted.txt")


def test_commands_are_filled_in_and_get_their_variables(ran: Workflow) -> None:
    assert ran.read("joined.txt") == "one's 2 word 2 it's\ntwo's 2 word 2 it's\n"


def test_logs_are_in_their_directories(ran: Workflow) -> None:
    assert ran.read("logs/one/given.log") == "said\n"


def test_temporary_files_are_gone(ran: Workflow) -> None:
    assert not ran.exists("given.one.txt")


def test_protected_files_are_read_only(ran: Workflow) -> None:
    assert not (ran.dir / "guarded.txt").stat().st_mode & stat.S_IWUSR


def test_touched_files_and_directories_are_there(ran: Workflow) -> None:
    assert ran.exists("touched.txt")
    assert ran.exists("made/two")


def test_what_was_there_before_is_removed_first_and_directories_are_made(ran: Workflow) -> None:
    assert ran.exists("deep/er/stale.txt")
    assert ran.read("stale.txt") == ""


def test_checkpoints_are_evaluated_again(ran: Workflow) -> None:
    assert ran.read("gathered.txt") == "1\n2\n"


def test_metadata_is_written(ran: Workflow) -> None:
    records = [
        json.loads(file.read_text()) for file in (ran.dir / ".snakemake" / "metadata").rglob("*") if file.is_file()
    ]
    (joined,) = [record for record in records if record["rule"] == "joined"]
    assert joined["shellcmd"] == "cat given.one.txt given.two.txt > joined.txt"
    assert joined["input"] == ["given.one.txt", "given.two.txt"]
    assert joined["incomplete"] is False


def test_nothing_is_left_to_be_done(ran: Workflow) -> None:
    assert "Nothing to be done" in ran.run("--crankshaft-direct", "--dry-run")


def test_the_table_has_a_line_for_each_rule(ran: Workflow) -> None:
    lines = ran.read("said").splitlines()
    table = [line.split() for line in lines[lines.index(next(line for line in lines if line.startswith("rule   "))) :]]
    assert [row[1] for row in table if row and row[0] == "given"] == ["2"]


def test_logs_of_jobs_that_came_to_a_good_end_are_gone(ran: Workflow) -> None:
    assert [file for file in (ran.dir / ".snakemake" / "crankshaft_logs").rglob("*") if file.is_file()] == []


FAILING = """
    rule all:
        input: "broken.txt", "nothing.txt", "empty.txt"
    rule broken:
        output: "broken.txt"
        log: "broken.log"
        retries: 2
        resources: mem_mb=lambda wildcards, attempt: 1024 * attempt
        shell: "echo run >> count; echo why > {log}; touch {output}; echo it broke >&2; exit 7"
    rule nothing:
        output: "nothing.txt"
        log: "nothing.log"
        shell: "echo done, or so it thinks >&2"
    rule empty:
        output: ensure("empty.txt", non_empty=True)
        shell: "touch {output}"
"""


@pytest.fixture(scope="module")
def failed(shared_workflow: Callable[[str], Workflow]) -> Workflow:
    workflow = shared_workflow("direct-failed").write(FAILING, CONFIG)
    said = workflow.run("--crankshaft-direct", "--keep-going", "--latency-wait", "0", "--jobs", "1", ok=False)
    (workflow.dir / "said").write_text(said)
    return workflow


def test_the_job_its_backend_and_its_own_exit_code_are_named(failed: Workflow) -> None:
    assert "message: broken (here " in failed.read("said")
    assert "exit code 7" in failed.read("said")
    assert "\n            it broke\n" in failed.read("said")


def test_output_of_a_failed_job_is_removed_and_its_log_is_not(failed: Workflow) -> None:
    assert not failed.exists("broken.txt")
    assert failed.read("broken.log") == "why\n"


def test_the_body_runs_once_and_once_more_for_every_retry(failed: Workflow) -> None:
    assert failed.read("count").split() == ["run"] * 3


def test_every_attempt_asks_anew(failed: Workflow) -> None:
    assert failed.read("asked").split() == ["1024", "2048", "3072"]


def test_output_that_is_not_there_or_not_right_fails_the_job(failed: Workflow) -> None:
    assert "MissingOutputException in rule nothing" in failed.read("said")
    assert "Detected unexpected empty output files" in failed.read("said")


def test_output_that_is_not_there_has_the_job_and_its_logs_named(failed: Workflow) -> None:
    (line,) = (line for line in failed.read("said").splitlines() if line.startswith("nothing (here "))
    assert "ended with exit code 0" in line
    assert line.endswith(f"Its logs: {failed.dir}/.snakemake/crankshaft_logs/nothing/all/1.err, nothing.log")


def test_every_attempts_words_are_kept_by_rule(failed: Workflow) -> None:
    logs = failed.dir / ".snakemake" / "crankshaft_logs" / "broken" / "all"
    assert [Path(logs, f"{attempt}.err").read_text() for attempt in (1, 2, 3)] == ["it broke\n"] * 3
    assert str(logs / "3.err") in failed.read("said")


def test_an_exception_in_the_scheduler_leaves_nothing_running(workflow: Workflow) -> None:
    workflow.write("""
        rule all:
            input: "long.txt", "wrong.txt"
        rule long:
            output: "long.txt"
            priority: 1
            shell: "touch began; sleep 600; touch {output}"
        rule given:
            output: "given.txt"
            shell: "until test -e began; do sleep 0.1; done; touch {output}"
        rule wrong:
            input: "given.txt"
            output: "wrong.txt"
            shell: "touch {output} {no_such_name}"
    """)
    said = workflow.run("--crankshaft-direct", "--jobs", "2", ok=False)
    assert "Cancelling 1 jobs" in said
    assert workflow.processes() == []
