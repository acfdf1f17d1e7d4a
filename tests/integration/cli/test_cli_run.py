import json
import os
import sys

import pytest

NASTY = [
    "it's",
    'say "hi"',
    "$HOME `id` $(id)",
    "back\\slash \\n",
    "new\nline\ttab",
    "semi;colon & | > <",
    "ünïcödé ✓",
    "",
    "--leading",
    "-",
    "*?[a-z]",
    " spaces  kept ",
    "~{cpu} %s {}",
]
SHOW_ARGS = "import json, sys; print(json.dumps(sys.argv[1:]))"


def test_stdout_stderr_and_the_exit_code_are_the_commands_own(crankshaft):
    done = crankshaft.run("run", "-q", "--", "sh", "-c", "echo out; echo err >&2; exit 3")
    assert (done.stdout, done.stderr, done.returncode) == (b"out\n", b"err\n", 3)


def test_a_command_that_succeeds_says_nothing_more(crankshaft):
    done = crankshaft.run("run", "--", "true")
    assert (done.stdout, done.stderr, done.returncode) == (b"", b"", 0)


def test_arguments_arrive_byte_for_byte(crankshaft):
    done = crankshaft.run("run", "--", sys.executable, "-c", SHOW_ARGS, *NASTY)
    assert json.loads(done.stdout) == NASTY


def test_the_command_may_stand_without_two_dashes(crankshaft):
    done = crankshaft.run("run", "--name", "n", sys.executable, "-c", SHOW_ARGS, "--name", "--", "x")
    assert json.loads(done.stdout) == ["--name", "--", "x"]


def test_an_argument_with_a_space_is_one_program(crankshaft):
    done = crankshaft.run("run", "--", "hostname -f")
    assert done.returncode == 127
    assert b"there is no program 'hostname -f'; for a shell line use -c" in done.stderr


def test_shell_text_is_read_by_a_shell(crankshaft):
    done = crankshaft.run("run", "--env", "A=b c", "-c", 'for i in 1 2; do echo "$A" $i; done | sort -r')
    assert done.stdout == b"b c 2\nb c 1\n"


def test_bytes_that_are_no_text_come_through(crankshaft):
    done = crankshaft.run("run", "--", "printf", r"\377\376\000\n\001")
    assert done.stdout == b"\xff\xfe\x00\n\x01"


def test_an_argument_that_is_no_text_comes_through(crankshaft):
    done = crankshaft.run("run", "--", "printf", "%s", b"\xff\xfe")
    assert (done.stdout, done.returncode) == (b"\xff\xfe", 0)


def test_five_megabytes_on_both_streams_come_through_in_order(crankshaft):
    program = (
        "import sys\n"
        "for n in range(80_000):\n"
        "    sys.stdout.write(f'{n:063}\\n')\n"
        "    sys.stderr.write(f'{-n:063}\\n')\n"
    )
    done = crankshaft.run("run", "--", sys.executable, "-c", program)
    assert done.stdout == b"".join(b"%063d\n" % n for n in range(80_000))
    assert done.stderr == b"".join(b"%063d\n" % -n for n in range(80_000))


def test_output_is_shown_while_the_task_runs(crankshaft):
    process = crankshaft.start("run", "-c", "echo one; until [ -e go ]; do sleep 0.05; done; echo two")
    assert process.stdout.readline() == b"one\n"
    (crankshaft.cwd / "go").touch()
    assert process.stdout.read() == b"two\n"
    assert process.wait(20) == 0


def test_the_last_words_of_a_task_are_never_lost(crankshaft):
    for n in range(5):
        done = crankshaft.run("run", "-c", f"sleep 0.{n}; echo last words {n}")
        assert done.stdout == b"last words %d\n" % n


def test_standard_input_is_empty(crankshaft):
    assert crankshaft.run("run", "--", "cat", stdin=b"not for the task").stdout == b""


def test_it_runs_in_the_current_directory(crankshaft):
    assert crankshaft.run("run", "--", "pwd", "-P").stdout.strip() == os.fsencode(crankshaft.cwd.resolve())


def test_a_relative_directory_is_relative_to_the_current_one(crankshaft):
    (crankshaft.cwd / "sub dir").mkdir()
    done = crankshaft.run("run", "--cwd", "sub dir", "--", "pwd", "-P")
    assert done.stdout.strip() == os.fsencode((crankshaft.cwd / "sub dir").resolve())


def test_variables_are_set_and_passed_on(crankshaft):
    crankshaft.env = {"CK_ONE": "from $here"}
    done = crankshaft.run("run", "--env", "CK_ONE", "--env", "CK_TWO=a=b", "--", "sh", "-c", 'echo "$CK_ONE" "$CK_TWO"')
    assert done.stdout == b"from $here a=b\n"


def test_no_value_of_a_variable_is_left_on_disk(crankshaft):
    crankshaft.run("run", "--env", "TOKEN=hunter2", "--", "false")
    files = [path for top in (crankshaft.cwd, crankshaft.home) for path in top.rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if b"hunter2" in path.read_bytes()]


def test_a_failure_is_told_on_one_screen(crankshaft):
    done = crankshaft.run("run", "--name", "align", "-c", "exit 7")
    said = done.stderr.decode()
    assert done.returncode == 7
    assert "align: failed, exit code 7" in said
    assert "backend  local" in said
    assert "job      " in said
    assert f"node     {os.uname().nodename}" in said
    assert len(said.splitlines()) <= 24


def test_a_command_ended_by_a_signal_exits_as_a_shell_would(crankshaft):
    assert crankshaft.run("run", "-q", "-c", "kill -KILL $$").returncode == 137


def test_a_time_limit_ends_the_command_and_is_said(crankshaft, marker):
    done = crankshaft.run("run", "--time", "1s", "--env", f"M={marker.word}", "--", "sleep", "300")
    assert done.returncode == 125
    assert "time limit" in done.stderr.decode()
    assert marker.gone()


def test_a_backend_that_refuses_is_a_clear_line_and_125(crankshaft):
    crankshaft.config(
        '[[backends]]\nname = "b"\nkind = "Generic"\nsubmit = "false ~{command}"\n'
        'monitor = "true ~{job_id}"\nkill = "true ~{job_id}"\njob_id_regex = "job (x)"\n'
    )
    done = crankshaft.run("run", "--", "true")
    assert done.returncode == 125
    assert b"Traceback" not in done.stderr
    assert b"b: " in done.stderr


@pytest.mark.parametrize("argv", [("--", "echo", "it's"), ("-c", "echo it's' | cat'")], ids=["program", "shell"])
def test_a_dry_run_prints_and_submits_nothing(crankshaft, argv):
    done = crankshaft.run("run", "--dry-run", *argv)
    assert done.returncode == 0
    assert b"echo" in done.stdout
    assert not crankshaft.submitted()


def test_two_in_one_directory_do_not_meet(crankshaft):
    processes = [crankshaft.start("run", "-c", f"sleep 0.5; echo {n}") for n in range(3)]
    assert [process.communicate(timeout=30)[0] for process in processes] == [b"0\n", b"1\n", b"2\n"]


def test_output_that_nobody_reads_ends_the_task(crankshaft, marker):
    process = crankshaft.start(
        "run", "--env", f"M={marker.word}", "-c", "echo first; while sleep 0.05; do echo more; done"
    )
    assert process.stdout.readline() == b"first\n"
    process.stdout.close()
    assert process.wait(30) == 141
    assert marker.gone()
    assert b"Traceback" not in process.stderr.read()


def test_a_closed_standard_output_is_no_mistake(crankshaft):
    done = crankshaft.start("run", "--", "true", stdout=None, preexec_fn=lambda: os.close(1))
    assert done.wait(30) == 0


def test_a_full_disk_is_said(crankshaft):
    with open("/dev/full", "wb") as full:
        process = crankshaft.start("run", "--", "echo", "hello", stdout=full)
        assert process.wait(30) == 125
    assert b"No space left on device" in process.stderr.read()


def test_a_reader_that_pauses_delays_nothing_but_itself(crankshaft, until):
    process = crankshaft.start("run", "-c", "head -c 1000000 /dev/zero; touch done")
    assert until((crankshaft.cwd / "done").exists)
    assert len(process.communicate(timeout=30)[0]) == 1_000_000


def test_inputs_are_brought_and_outputs_are_fetched(crankshaft):
    (crankshaft.cwd / "elsewhere").mkdir()
    (crankshaft.cwd / "in.txt").write_text("hello")
    argv = ("--cwd", "elsewhere", "--input", "in.txt", "--output", "sub/out.txt")
    done = crankshaft.run("run", *argv, "-c", "mkdir sub; tr a-z A-Z < in.txt > sub/out.txt")
    assert done.returncode == 0
    assert (crankshaft.cwd / "sub" / "out.txt").read_text() == "HELLO"


def test_an_output_that_is_not_left_is_a_failure(crankshaft):
    done = crankshaft.run("run", "--output", "out.txt", "--", "true")
    assert done.returncode == 125
    assert b"out.txt" in done.stderr


def test_a_place_that_cannot_be_reached_is_a_clear_line_and_125(crankshaft):
    crankshaft.config('[[backends]]\nname = "docker"\nkind = "Docker"\nhost = "tcp://127.0.0.1:1"\n')
    done = crankshaft.run("run", "--image", "busybox", "--", "true")
    assert done.returncode == 125
    assert done.stderr.startswith(b"crankshaft: docker: no Docker engine answers at ")
    assert len(done.stderr.splitlines()) == 1
