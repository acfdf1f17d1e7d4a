import os
import re
import signal
import subprocess

import pytest

TREE = "echo ready; sleep 300 & (sleep 300 & wait) & wait"
"""A task with children and grandchildren."""
STUBBORN = "trap '' TERM INT; echo ready; while :; do sleep 0.2; done"


def started(crankshaft, marker, text, *argv, **options):
    process = crankshaft.start("run", "--env", f"M={marker.word}", *argv, "-c", text, **options)
    assert process.stdout.readline() == b"ready\n"
    return process


@pytest.mark.parametrize(
    ("number", "code", "name"),
    [(signal.SIGINT, 130, "Ctrl-C"), (signal.SIGTERM, 143, "SIGTERM"), (signal.SIGHUP, 129, "SIGHUP")],
)
def test_a_signal_cancels_what_runs_and_says_so(crankshaft, marker, number, code, name):
    process = started(crankshaft, marker, TREE)
    assert marker.pids()
    process.send_signal(number)
    _, said = process.communicate(timeout=30)
    assert process.returncode == code
    assert f"{name}: cancelling 1 task (once more leaves at once)" in said.decode()
    assert "cancelled 1 task; nothing is left running" in said.decode()
    assert marker.gone()


def test_output_from_before_the_end_is_still_shown(crankshaft, marker):
    process = started(crankshaft, marker, "trap 'echo goodbye; exit 1' TERM; echo ready; while :; do sleep 0.1; done")
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=30)[0] == b"goodbye\n"


def test_a_task_that_ignores_term_is_killed_in_the_end(crankshaft, marker):
    crankshaft.config('[[backends]]\nname = "local"\nkind = "Generic"\npreset = "local"\nkill_after = "0.5s"\n')
    process = started(crankshaft, marker, STUBBORN)
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 130
    assert marker.gone()


def test_a_second_signal_leaves_at_once_and_says_what_is_left(crankshaft, marker):
    process = started(crankshaft, marker, STUBBORN)
    process.send_signal(signal.SIGINT)
    assert b"cancelling 1 task" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    assert process.wait(3) == 130
    said = process.stderr.read().decode()
    assert "leaving at once; this may still be running:" in said
    job = re.search(r"local \S+:(\d+):\d+$", said, re.MULTILINE)
    assert job is not None
    assert int(job[1]) in marker.pids()


def test_the_second_signal_may_be_another_one(crankshaft, marker):
    process = started(crankshaft, marker, STUBBORN)
    process.send_signal(signal.SIGTERM)
    assert b"SIGTERM: cancelling 1 task" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    assert process.wait(3) == 130


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT])
def test_an_ignored_signal_stays_ignored(crankshaft, marker, number):
    process = started(
        crankshaft,
        marker,
        "echo ready; until [ -e go ]; do sleep 0.05; done; echo done",
        preexec_fn=lambda: signal.signal(number, signal.SIG_IGN),
    )
    process.send_signal(number)
    (crankshaft.cwd / "go").touch()
    assert process.communicate(timeout=30)[0] == b"done\n"
    assert process.returncode == 0


def test_a_signal_is_heard_though_nobody_reads_our_output(crankshaft, marker, until):
    process = started(crankshaft, marker, "echo ready; head -c 1000000 /dev/zero; touch full; sleep 300")
    assert until((crankshaft.cwd / "full").exists)
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 130
    assert marker.gone()


def test_a_signal_to_the_whole_group_as_a_terminal_sends_it_is_one_signal(crankshaft, marker):
    process = started(crankshaft, marker, TREE, start_new_session=True)
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert b"nothing is left running" in said


def test_with_many_tasks_those_that_run_and_those_that_wait_are_cancelled(crankshaft, marker, until):
    crankshaft.config('[[backends]]\nname = "local"\nkind = "Generic"\npreset = "local"\nmax_tasks = 2\n')
    line = f'{{"command": "touch started-$$; sleep 300", "env": {{"M": "{marker.word}"}}}}'
    process = crankshaft.start("run", "--file", crankshaft.tasks(*[line] * 6))
    assert until(lambda: len(list(crankshaft.cwd.glob("started-*"))) == 2)
    process.send_signal(signal.SIGINT)
    out, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert b"Ctrl-C: cancelling 6 tasks" in said
    assert b"cancelled 6 tasks; nothing is left running" in said
    assert b"6 tasks in" in out
    assert b"6 cancelled" in out
    assert marker.gone()
    assert len(list(crankshaft.cwd.glob("started-*"))) == 2


def test_leaving_many_names_only_what_may_run(crankshaft, marker, until):
    crankshaft.config('[[backends]]\nname = "local"\nkind = "Generic"\npreset = "local"\nmax_tasks = 1\n')
    command = "trap '' TERM; touch started; while :; do sleep 0.2; done"
    lines = [f'{{"name": "t{n}", "command": "{command}", "env": {{"M": "{marker.word}"}}}}' for n in range(3)]
    process = crankshaft.start("run", "--file", crankshaft.tasks(*lines))
    assert until((crankshaft.cwd / "started").exists)
    process.send_signal(signal.SIGINT)
    assert b"cancelling 3 tasks" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    assert process.wait(3) == 130
    left = process.stderr.read().decode()
    assert re.search(r"^  t0: local \S+:\d+:\d+$", left, re.MULTILINE)
    assert "t1" not in left


def test_a_signal_before_the_tasks_are_read_just_leaves(crankshaft):
    process = crankshaft.start("run", "--file", "-", stdin=subprocess.PIPE)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(2)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=10)
    assert process.returncode == 130
    assert b"Traceback" not in said
