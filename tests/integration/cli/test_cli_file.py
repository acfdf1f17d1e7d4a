import json
import os
import pty
import re


def test_a_file_of_tasks_is_run_and_summed_up(crankshaft):
    lines = [json.dumps({"name": f"t{n}", "command": f"echo {n} > out-{n}"}) for n in range(8)]
    done = crankshaft.run("run", "--file", crankshaft.tasks(*lines))
    assert done.returncode == 0
    assert re.match(rb"8 tasks in \d+\.\d s: 8 ok\nslowest: t\d ", done.stdout)
    assert done.stderr == b""
    assert sorted(path.name for path in crankshaft.cwd.glob("out-*")) == [f"out-{n}" for n in range(8)]


def test_a_failure_is_told_and_counted_and_the_exit_code_is_1(crankshaft):
    file = crankshaft.tasks('{"command": "true"}', '{"name": "bad", "command": "echo why >&2; exit 7"}')
    done = crankshaft.run("run", "--file", file)
    assert done.returncode == 1
    assert b"2 tasks" in done.stdout
    assert b": 1 ok, 1 failed" in done.stdout
    assert re.search(rb"crankshaft: bad \(local .*\): exit code 7\. stderr: why\n", done.stderr)


def test_what_the_system_ended_is_counted_by_its_verdict(crankshaft):
    done = crankshaft.run("run", "--file", crankshaft.tasks('{"command": "sleep 60", "time": "1s"}'))
    assert done.returncode == 1
    assert b"0 ok, 1 time limit" in done.stdout


def test_tasks_are_read_from_standard_input(crankshaft):
    done = crankshaft.run("run", "--file", "-", stdin=b'{"command": "echo hi > out"}\n')
    assert done.returncode == 0
    assert (crankshaft.cwd / "out").read_bytes() == b"hi\n"


def test_a_whole_task_may_stand_in_a_line(crankshaft):
    task = {"name": "two", "executions": [{"command": "echo 1 > a"}, {"program": "cp", "args": ["a", "b"]}]}
    assert crankshaft.run("run", "--file", crankshaft.tasks(json.dumps(task))).returncode == 0
    assert (crankshaft.cwd / "b").read_bytes() == b"1\n"


def test_options_hold_where_a_line_says_nothing(crankshaft):
    file = crankshaft.tasks('{"command": "sleep 5", "time": "1s"}', '{"command": "sleep 2"}')
    done = crankshaft.run("run", "--time", "30s", "--file", file)
    assert b"1 ok, 1 time limit" in done.stdout


def test_every_bad_line_is_told_and_nothing_is_submitted(crankshaft):
    good = '{"command": "touch ran"}'
    file = crankshaft.tasks(
        good,
        "what",
        '{"command": "x", "memory": 4}',
        '{"command": "x", "backend": "lfs"}',
        '{"command": "x", "cwd": "nowhere"}',
        '{"command": "x", "image": "busybox"}',
        good,
    )
    done = crankshaft.run("run", "--file", file)
    *problems, last = done.stderr.decode().splitlines()
    assert done.returncode == 125
    assert [line.split(": ")[1] for line in problems] == [f"T.jsonl:{n}" for n in range(2, 7)]
    assert "did you mean 'ram'?" in problems[1]
    assert "no backend named 'lfs'; known: local" in problems[2]
    assert "nowhere: no such directory" in problems[3]
    assert "image" in problems[4]
    assert last == "crankshaft: nothing was submitted"
    assert not (crankshaft.cwd / "ran").exists()
    assert not crankshaft.submitted()


def test_a_dry_run_prints_every_script_and_submits_nothing(crankshaft):
    done = crankshaft.run("run", "--dry-run", "--file", crankshaft.tasks('{"name": "a", "program": "hostname"}'))
    assert done.returncode == 0
    assert done.stdout.startswith(b"# T.jsonl:1: a on local\n")
    assert b"hostname" in done.stdout
    assert not crankshaft.submitted()


def test_output_is_plain_when_it_is_no_terminal(crankshaft):
    done = crankshaft.run("run", "--file", crankshaft.tasks('{"command": "sleep 0.5"}', '{"command": "false"}'))
    assert b"\x1b" not in done.stdout + done.stderr
    assert b"\r" not in done.stdout + done.stderr


def test_a_person_at_a_terminal_sees_a_bar_and_gets_the_cursor_back(crankshaft):
    ours, theirs = pty.openpty()
    file = crankshaft.tasks(*['{"command": "sleep 0.4"}'] * 3, '{"command": "exit 7", "name": "bad"}')
    process = crankshaft.start("run", "--file", file, stderr=theirs)
    os.close(theirs)
    drawn = b"".join(iter(lambda: _read(ours), b""))
    os.close(ours)
    assert process.wait(20) == 1
    assert re.search(rb"\d/4", drawn)
    assert b"exit code 7" in drawn
    assert drawn.count(b"\x1b[?25h") == drawn.count(b"\x1b[?25l") == 1


def _read(descriptor):
    try:
        return os.read(descriptor, 65536)
    except OSError:  # EIO: the other side of the terminal is closed
        return b""
