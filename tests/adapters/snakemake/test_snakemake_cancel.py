"""Workflows that are ended from outside leave nothing running."""

import signal
import subprocess

import pytest

from tests.adapters.snakemake.workflow import Workflow, until

# a rule's command with a child of its own, in the background and deaf to the terminal
LONG = """
    rule all:
        input: "a.txt", "b.txt"
    rule long:
        output: "{x}.txt"
        shell: "(trap '' HUP INT; sleep 600; true) & touch {wildcards.x}.began; sleep 600; touch {output}"
"""
STUBBORN = """
    rule stubborn:
        output: "a.txt"
        shell: "trap '' TERM INT; touch a.began; while true; do sleep 1; done"
"""


def begun(workflow: Workflow, snakefile: str, *args: str) -> "subprocess.Popen[str]":
    process = workflow.write(snakefile).start(*args)
    names = ["a.began", "b.began"] if snakefile == LONG else ["a.began"]
    until(lambda: all(workflow.exists(name) for name in names) or process.poll() is not None)
    assert process.poll() is None, process.communicate()[0]
    return process


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"])
def test_nothing_is_left_running(workflow: Workflow, sign: signal.Signals) -> None:
    process = begun(workflow, LONG)
    process.send_signal(sign)
    said, _ = process.communicate(timeout=60)
    assert workflow.processes() == []
    assert process.returncode == 1
    assert "Traceback" not in said
    assert "Error in rule" not in said


def test_a_job_that_ignores_sigterm_is_killed(workflow: Workflow) -> None:
    process = begun(workflow, STUBBORN)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert workflow.processes() == []


def test_a_rules_command_has_time_to_clean_up(workflow: Workflow) -> None:
    process = begun(
        workflow,
        """
        rule careful:
            output: "a.txt"
            shell: "trap 'sleep 2; touch cleaned; exit 1' TERM; touch a.began; sleep 600 & wait"
        """,
    )
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert workflow.exists("cleaned")


def test_a_second_ctrl_c_names_what_is_left(workflow: Workflow) -> None:
    process = begun(workflow, STUBBORN)
    process.send_signal(signal.SIGINT)
    assert process.stdout is not None
    seen = ""
    while "Cancelling 1 jobs" not in seen:
        seen += process.stdout.readline()
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=60)
    assert "Left before it was confirmed that these have ended: stubborn (local " in said
    assert "Traceback" not in said
    assert process.returncode == 1
    end_all(workflow)


def test_sigterm_may_let_running_jobs_finish(workflow: Workflow) -> None:
    workflow.write("""
        rule all:
            input: "b.txt"
        rule a:
            output: "a.txt"
            shell: "touch a.began; until test -e go; do sleep 0.1; done; touch {output}"
        rule b:
            input: "a.txt"
            output: "b.txt"
            shell: "touch {output}"
    """)
    process = workflow.start("--crankshaft-sigterm", "finish")
    until(lambda: workflow.exists("a.began"))
    process.send_signal(signal.SIGTERM)
    assert process.stdout is not None
    seen = ""
    while "Will exit after finishing" not in seen:
        seen += process.stdout.readline()
    (workflow.dir / "go").touch()
    process.communicate(timeout=60)
    assert workflow.exists("a.txt")
    assert not workflow.exists("b.txt")


def test_sigterm_may_leave_jobs_running_for_the_next_snakemake(workflow: Workflow) -> None:
    workflow.write("""
        rule a:
            output: "a.txt"
            shell: "echo run >> count; touch a.began; until test -e go; do sleep 0.1; done; touch {output}"
    """)
    process = workflow.start("--crankshaft-direct", "--crankshaft-sigterm", "leave")
    until(lambda: workflow.exists("a.began"))
    process.send_signal(signal.SIGTERM)
    said, _ = process.communicate(timeout=60)
    assert "SIGTERM. Left running: a (local " in said
    (workflow.dir / "go").touch()
    workflow.run("--crankshaft-direct", "--rerun-incomplete")
    assert workflow.read("count").split() == ["run"]


def test_a_failed_job_lets_the_others_finish(workflow: Workflow) -> None:
    workflow.write("""
        rule all:
            input: "slow.txt", "bad.txt"
        rule slow:
            output: "slow.txt"
            shell: "touch slow.began; until test -e bad.ran; do sleep 0.1; done; sleep 1; touch {output}"
        rule bad:
            output: "bad.txt"
            shell: "until test -e slow.began; do sleep 0.1; done; touch bad.ran; exit 1"
    """).run(ok=False)
    assert workflow.exists("slow.txt")


def test_an_ended_workflow_can_be_taken_up_again(workflow: Workflow) -> None:
    process = begun(workflow, LONG)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    workflow.write(LONG.replace("sleep 600", "true")).run("--rerun-incomplete")
    assert workflow.exists("a.txt")
    assert workflow.exists("b.txt")


def end_all(workflow: Workflow) -> None:
    import os
    from pathlib import Path

    for proc in Path("/proc").glob("[0-9]*"):
        try:
            if str(workflow.place).encode() in (proc / "environ").read_bytes():
                os.kill(int(proc.name), signal.SIGKILL)
        except OSError:
            continue
