"""Jobs that fail: what is said, and how often they are tried."""

from collections.abc import Callable

import pytest

from tests.adapters.snakemake.workflow import Workflow

FAILING = """
    rule a:
        output: "{sample}.txt"
        shell: "echo on stdout; echo why it failed >&2; touch {output}; exit 7"
"""


@pytest.fixture(scope="module")
def said(shared_workflow: Callable[[str], Workflow]) -> str:
    return shared_workflow("failing").write(FAILING).run("s3.txt", ok=False)


def test_it_names_the_job_the_backend_and_its_job_id(said: str) -> None:
    assert "message: a[sample=s3] (local " in said
    assert "external_jobid: " in said


def test_it_shows_the_end_of_stderr(said: str) -> None:
    assert "\n            why it failed\n" in said


def test_it_shows_the_exit_code_of_the_rules_own_command(said: str) -> None:
    assert "returned non-zero exit status 7" in said


def test_it_names_the_files_that_tell_more(said: str) -> None:
    assert "/.snakemake/crankshaft_logs/a/sample=s3/1.err (check log file(s) for error details)" in said


def test_it_holds_nothing_of_the_inner_runs_small_talk(said: str) -> None:
    assert said.count("Building DAG of jobs") == 1
    assert said.count("Shutting down") == 1


def test_it_holds_no_traceback(said: str) -> None:
    assert "Traceback" not in said


def test_the_files_that_tell_more_are_there(workflow: Workflow) -> None:
    said = workflow.write(FAILING).run("s3.txt", "--show-failed-logs", ok=False)
    assert "\non stdout\n" in said
    assert "not found" not in said


@pytest.fixture(scope="module")
def group(shared_workflow: Callable[[str], Workflow]) -> Workflow:
    workflow = shared_workflow("group").write("""
        rule b:
            input: "a.txt"
            output: "b.txt"
            group: "g"
            shell: "echo the second broke >&2; exit 3"
        rule a:
            output: "a.txt"
            group: "g"
            shell: "touch {output}"
    """)
    (workflow.dir / "said").write_text(workflow.run("b.txt", ok=False))
    return workflow


def test_a_failed_group_says_why(group: Workflow) -> None:
    said = group.read("said")
    assert "g[a, b] (local " in said
    assert "    the second broke\n" in said
    assert "Error in rule b" in said


def test_the_words_of_a_failed_group_are_found_by_rule_and_by_its_message(group: Workflow) -> None:
    log = group.dir / ".snakemake" / "crankshaft_logs" / "b" / "all" / "1.err"
    assert "the second broke" in log.read_text()
    assert f"\nLog file: {log.resolve()}\n" in group.read("said")


def test_output_that_was_promised_and_is_not_there_fails_the_job(workflow: Workflow) -> None:
    workflow.write('rule a:\n    output: "a.txt"\n    shell: "true"\n')
    assert "MissingOutputException" in workflow.run("--latency-wait", "0", ok=False)


def test_the_others_go_on_if_told_so(workflow: Workflow) -> None:
    workflow.write("""
        rule all:
            input: "good.txt", "bad.txt"
        rule good:
            output: "good.txt"
            shell: "touch {output}"
        rule bad:
            output: "bad.txt"
            shell: "exit 1"
    """)
    workflow.run("--keep-going", "--jobs", "1", ok=False)
    assert workflow.exists("good.txt")


COUNTING = """
    rule a:
        output: "a.txt"
        {retries}
        {kind}
"""
SHELL = 'shell: "echo run >> count; exit 1"'
RUN = "run:\n            open('count', 'a').write('run\\n'); raise ValueError"


@pytest.mark.parametrize(
    ("retries", "flags", "kind", "times"),
    [
        pytest.param("", [], SHELL, 1, id="none"),
        pytest.param("retries: 2", [], SHELL, 3, id="rule"),
        pytest.param("", ["--retries", "1"], SHELL, 2, id="flag"),
        pytest.param("retries: 1", ["--retries", "3"], RUN, 2, id="rule-over-flag"),
        pytest.param("retries: 1\n        group: 'g'", [], SHELL, 2, id="group"),
    ],
)
def test_a_job_is_tried_once_and_once_more_for_every_retry(
    workflow: Workflow, retries: str, flags: list[str], kind: str, times: int
) -> None:
    workflow.write(COUNTING.format(retries=retries, kind=kind)).run("a.txt", *flags, ok=False)
    assert workflow.read("count").split() == ["run"] * times
