"""The wrapper, run by bash as a scheduler or we would run it."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from crankshaft_core.backends.generic.local_runs import LocalRun
from crankshaft_core.backends.generic.records import Record
from crankshaft_core.backends.generic.rendering import Renderer
from crankshaft_core.task import Execution
from tests.unit.generic.making import BATCH, attempt, config, renderer


class Bench:
    """One run's directory, and jobs started in it."""

    def __init__(self, root: Path, text: str = "submit = '~{command}'", *, env_file: bool = False) -> None:
        made = config(text)
        self.renderer: Renderer = renderer(root / "run", made, env_file=env_file)
        self.run = LocalRun(self.renderer.run, setup=made.wrapper_env or "", prologue=made.prologue or "")
        self.directory = root / "run" / "tasks" / "k1-1"

    def write(self, *commands: str | Execution, **resources: object) -> Path:
        job = self.renderer.job(attempt(*commands, **resources))
        self.run.write(job)
        return Path(job.paths.job)

    def start(self, job: Path, **env: str) -> subprocess.Popen[bytes]:
        log = self.directory.joinpath("wrapper.log").open("ab")
        with log:
            return subprocess.Popen(
                ["bash", str(job)], env=os.environ | env, stdin=subprocess.DEVNULL, stderr=log, start_new_session=True
            )

    def do(self, *commands: str | Execution, env: dict[str, str] | None = None, **resources: object) -> Record:
        job = self.start(self.write(*commands, **resources), **(env or {}))
        job.wait(30)
        return self.record()

    def record(self) -> Record:
        record = self.run.record("k1-1")
        assert record is not None, self.run.log("k1-1")
        return record

    def wait_for(self, path: Path) -> None:
        deadline = time.monotonic() + 20
        while not path.exists():
            assert time.monotonic() < deadline, self.run.log("k1-1")
            time.sleep(0.01)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_the_record_tells_code_times_host_and_cause(bench: Bench) -> None:
    before = time.time()
    record = bench.do("exit 3")
    assert (record.exit_codes, record.why, record.node) == ((3,), "exit", os.uname().nodename)
    assert before - 0.1 <= record.started <= record.ended <= time.time() + 0.1


def test_it_leaves_nothing_but_the_record_in_done(bench: Bench) -> None:
    bench.do("true")
    assert [path.name for path in (bench.directory.parents[1] / "done").iterdir()] == ["k1-1"]


def test_every_execution_has_its_code(bench: Bench) -> None:
    assert bench.do("true", "exit 5", "true").exit_codes == (0, 5)


def test_executions_share_the_streams_in_order(bench: Bench) -> None:
    bench.do("echo one; echo err >&2", "echo two")
    assert (bench.directory / "stdout").read_text() == "one\ntwo\n"


def test_one_file_can_take_both_streams(bench: Bench, tmp_path: Path) -> None:
    both = str(tmp_path / "both")
    bench.do(Execution(command="echo out; echo err >&2; echo out", stdout=both, stderr=both))
    assert Path(both).read_text() == "out\nerr\nout\n"


def test_the_directory_of_an_output_file_is_made(bench: Bench, tmp_path: Path) -> None:
    bench.do(Execution(command="echo here", stdout=str(tmp_path / "new" / "deep" / "out")))
    assert (tmp_path / "new" / "deep" / "out").read_text() == "here\n"


def test_standard_input_is_a_file_or_nothing(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "in").write_text("words")
    bench.do(Execution(command="cat", stdin=str(tmp_path / "in")), "cat")
    assert (bench.directory / "stdout").read_text() == "words"


def test_it_runs_where_it_was_told_to(bench: Bench, tmp_path: Path) -> None:
    bench.do(Execution(command="pwd -P", work_dir=str(tmp_path)))
    assert (bench.directory / "stdout").read_text() == f"{tmp_path.resolve()}\n"


def test_a_relative_directory_is_made_within_the_tasks_own(bench: Bench) -> None:
    bench.do(Execution(command="pwd", work_dir="sub/dir"))
    assert (bench.directory / "stdout").read_text() == f"{bench.directory}/work/sub/dir\n"


def test_a_missing_directory_is_said_and_nothing_runs(bench: Bench, tmp_path: Path) -> None:
    record = bench.do(Execution(command=f"touch '{tmp_path}/ran'", work_dir="/nowhere/at/all"))
    assert (record.exit_codes, record.why) == ((125,), "broken")
    assert record.detail == f"cannot enter the working directory /nowhere/at/all on {os.uname().nodename}"
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("stream", ["stdin", "stdout", "stderr"])
def test_a_stream_that_cannot_be_opened_is_said(bench: Bench, stream: str) -> None:
    record = bench.do(Execution.model_validate({"command": "true", stream: "/proc/nowhere/file"}))
    assert record.why == "broken"
    assert "/proc/nowhere/file" in record.detail


def test_a_program_that_is_not_there_is_127(bench: Bench) -> None:
    assert bench.do(Execution(program="no-such-program")).exit_codes == (127,)


def test_a_program_with_a_leading_dash_is_no_option(bench: Bench) -> None:
    assert bench.do(Execution(program="-c")).exit_codes == (127,)


def test_the_configured_shell_runs_the_command(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "submit = '~{command}'\nshell = 'sh -eu'")
    assert bench.do("false; exit 9").exit_codes == (1,)


def test_variables_come_from_a_file_that_is_gone_when_the_command_starts(tmp_path: Path) -> None:
    bench = Bench(tmp_path, env_file=True)
    bench.do(Execution(command=f"grep -rlF -- \"$TOKEN\" '{bench.directory}'; ls", env={"TOKEN": "s3cret"}))
    assert (bench.directory / "stdout").read_text() == ""


def test_a_nasty_variable_arrives_from_the_file(tmp_path: Path) -> None:
    bench = Bench(tmp_path, env_file=True)
    value = "a'b\"c $HOME `id` \\ \n\t~ é☃ #"
    bench.do(Execution(program="printenv", args=("TOKEN",), env={"TOKEN": value}))
    assert (bench.directory / "stdout").read_text() == f"{value}\n"


def test_the_file_of_variables_is_private(tmp_path: Path) -> None:
    bench = Bench(tmp_path, env_file=True)
    bench.write(Execution(command="true", env={"A": "b"}))
    assert (bench.directory / "env").stat().st_mode & 0o777 == 0o600


def test_each_execution_sees_its_own_variables(tmp_path: Path) -> None:
    bench = Bench(tmp_path, env_file=True)
    show = 'echo "${A-unset} ${B-unset}"'
    bench.do(Execution(command=show, env={"A": "1"}), Execution(command=show, env={"B": "2"}))
    assert (bench.directory / "stdout").read_text() == "1 unset\nunset 2\n"


@pytest.mark.parametrize("name", ["PATH", "IFS", "RANDOM", "i", "task", "run", "HOSTNAME", "BASH_ENV", "LC_ALL"])
def test_a_variable_of_any_name_arrives_and_harms_nothing(tmp_path: Path, name: str) -> None:
    bench = Bench(tmp_path, env_file=True)
    program = Execution(program="/usr/bin/printenv", args=(name,), env={name: "x y:z"})
    assert bench.do(program).exit_codes == (0,)
    assert (bench.directory / "stdout").read_text() == "x y:z\n"
    assert (bench.directory / "stderr").read_text() == ""


def test_the_wrappers_own_names_are_not_passed_on(bench: Bench) -> None:
    bench.do(Execution(program="env"))
    assert "_ck_" not in (bench.directory / "stdout").read_text()


def test_the_prologue_sees_the_variables_and_the_command_what_it_sets(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "submit = '~{command}'\nprologue = 'export P=\"$A and more\"'", env_file=True)
    bench.do(Execution(command='echo "$P"', env={"A": "some"}))
    assert (bench.directory / "stdout").read_text() == "some and more\n"


def test_a_prologue_that_fails_stops_the_command(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "submit = '~{command}'\nprologue = 'module load nothing/of/the/kind'")
    assert bench.do("echo ran").exit_codes == (125,)
    assert (bench.directory / "stdout").read_text() == ""


# --- the start lock


def test_a_second_copy_does_nothing(bench: Bench, tmp_path: Path) -> None:
    job = bench.write(f"echo ran >> '{tmp_path}/marks'; sleep 0.3")
    copies = [bench.start(job) for _ in range(4)]
    assert {copy.wait(20) for copy in copies} == {0}
    assert (tmp_path / "marks").read_text() == "ran\n"


def test_a_copy_that_comes_before_the_first_has_written_its_name_does_nothing(bench: Bench) -> None:
    job = bench.write("true")
    (bench.directory / "start").touch()
    assert bench.start(job).wait(20) == 0
    assert bench.run.record("k1-1") is None


def test_what_was_claimed_does_not_start(bench: Bench) -> None:
    job = bench.write("true")
    assert bench.run.claim("k1-1", "cancelled") == "cancelled"
    assert bench.start(job).wait(20) == 0
    assert bench.run.record("k1-1") is None


def test_what_was_started_cannot_be_claimed(bench: Bench) -> None:
    bench.do("true")
    assert bench.run.claim("k1-1", "cancelled") == bench.record().job_id


def test_a_record_without_its_end_is_none(bench: Bench) -> None:
    bench.do("true")
    file = Path(bench.run.paths.done) / "k1-1"
    file.write_text(file.read_text().removesuffix("\n"))
    assert bench.run.record("k1-1") is None


def test_the_lock_names_the_schedulers_job(tmp_path: Path) -> None:
    bench = Bench(tmp_path, BATCH)
    bench.do("true", env={"SLURM_JOB_ID": "4711"})
    assert bench.run.owner("k1-1") == "4711"
    assert bench.record().job_id == "4711"


def test_a_process_inside_an_allocation_does_not_take_its_id(bench: Bench) -> None:
    bench.do("true", env={"SLURM_JOB_ID": "4711"})
    assert bench.run.owner("k1-1") != "4711"


def test_a_copy_under_another_id_leaves_no_record_of_its_own(tmp_path: Path) -> None:
    bench = Bench(tmp_path, BATCH)
    job = bench.write("sleep 0.5")
    first = bench.start(job, SLURM_JOB_ID="1")
    bench.wait_for(bench.directory / "stdout")
    assert bench.start(job, SLURM_JOB_ID="2").wait(20) == 0
    first.wait(20)
    assert bench.record().job_id == "1"


def test_a_requeue_under_the_same_id_runs_nothing_and_says_so(tmp_path: Path) -> None:
    bench = Bench(tmp_path, BATCH)
    job = bench.write(f"echo ran >> '{tmp_path}/marks'; sleep 100")
    first = bench.start(job, SLURM_JOB_ID="7")
    bench.wait_for(tmp_path / "marks")
    os.killpg(first.pid, signal.SIGKILL)  # the node died
    first.wait()
    subprocess.run(["pkill", "-KILL", "-s", str(first.pid)], check=False)
    bench.start(job, SLURM_JOB_ID="7").wait(20)
    record = bench.record()
    assert (record.exit_codes, record.why) == ((), "requeued")
    assert (tmp_path / "marks").read_text() == "ran\n"


def test_a_requeue_after_the_end_keeps_the_record(tmp_path: Path) -> None:
    bench = Bench(tmp_path, BATCH)
    bench.do("exit 4", env={"SLURM_JOB_ID": "7"})
    bench.start(bench.directory / "job", SLURM_JOB_ID="7").wait(20)
    assert bench.record().exit_codes == (4,)


def test_a_batch_job_exits_with_the_last_code(tmp_path: Path) -> None:
    bench = Bench(tmp_path, BATCH)
    assert bench.start(bench.write("true", "exit 6"), JOB_ID="9").wait(20) == 6


# --- signals and leftovers

GROUP = """
trap 'echo got {0} >> "$M"; exit 8' {0}
sh -c 'trap "echo child >> \\"\\$M\\"; exit" {0}; touch "$M.ready"; while :; do sleep 0.05; done'
"""


@pytest.mark.parametrize("name", ["TERM", "INT", "USR1", "USR2", "XCPU"])
def test_a_signal_reaches_the_whole_group(bench: Bench, tmp_path: Path, name: str) -> None:
    marks = tmp_path / "marks"
    job = bench.start(bench.write(Execution(command=GROUP.format(name), env={})), M=str(marks))
    bench.wait_for(tmp_path / "marks.ready")
    job.send_signal(getattr(signal, f"SIG{name}"))
    job.wait(20)
    assert sorted(marks.read_text().splitlines()) == ["child", f"got {name}"]
    assert (bench.record().exit_codes, bench.record().why) == ((8,), f"signal:{name}")


def test_a_command_that_ends_well_all_the_same_is_ok(bench: Bench, tmp_path: Path) -> None:
    command = f"trap 'exit 0' TERM; touch '{tmp_path}/ready'; while :; do sleep 0.05; done"
    job = bench.start(bench.write(command))
    bench.wait_for(tmp_path / "ready")
    job.terminate()
    job.wait(20)
    assert (bench.record().exit_codes, bench.record().why) == ((0,), "exit")


def test_no_further_execution_begins_after_term(bench: Bench, tmp_path: Path) -> None:
    command = f"trap 'exit 0' TERM; touch '{tmp_path}/ready'; while :; do sleep 0.05; done"
    job = bench.start(bench.write(command, f"touch '{tmp_path}/ran'"))
    bench.wait_for(tmp_path / "ready")
    job.terminate()
    job.wait(20)
    assert (bench.record().exit_codes, bench.record().why) == ((0,), "signal:TERM")
    assert not (tmp_path / "ran").exists()


def test_what_was_cancelled_while_it_was_being_started_runs_nothing(bench: Bench, tmp_path: Path) -> None:
    job = bench.write(f"touch '{tmp_path}/ran'")
    (bench.directory / "unwanted").touch()  # as `Scheduler.add_cancel` leaves it; the signal itself reached nobody
    bench.start(job).wait(20)
    assert (bench.record().exit_codes, bench.record().why) == ((), "signal:TERM")
    assert not (tmp_path / "ran").exists()


def test_a_warning_does_not_keep_the_next_execution_from_beginning(bench: Bench, tmp_path: Path) -> None:
    command = f"trap 'exit 0' USR1; touch '{tmp_path}/ready'; while :; do sleep 0.05; done"
    job = bench.start(bench.write(command, "true"))
    bench.wait_for(tmp_path / "ready")
    job.send_signal(signal.SIGUSR1)
    job.wait(20)
    assert (bench.record().exit_codes, bench.record().why) == ((0, 0), "exit")


def test_what_the_command_leaves_running_is_ended(bench: Bench, tmp_path: Path) -> None:
    beat = tmp_path / "beat"
    bench.do(f"(while :; do date +%N > '{beat}'; sleep 0.02; done) & while [ ! -e '{beat}' ]; do :; done")
    last = (tmp_path / "beat").read_text()
    time.sleep(0.2)
    assert (tmp_path / "beat").read_text() == last


def test_a_time_limit_ends_it_and_says_so(bench: Bench) -> None:
    begun = time.monotonic()
    record = bench.do("sleep 100", time="500ms")
    assert (record.exit_codes, record.why) == ((143,), "time")
    assert time.monotonic() - begun < 10


def test_a_time_limit_ends_what_ignores_term(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "submit = '~{command}'\nkill_after = '300ms'")
    record = bench.do("trap '' TERM; while :; do sleep 0.1; done", time="300ms")
    assert (record.exit_codes, record.why) == ((137,), "time")


def test_a_time_limit_ends_what_has_left_the_group(bench: Bench, tmp_path: Path) -> None:
    beat = f"while :; do date +%N > '{tmp_path}/beat'; sleep 0.02; done"
    bench.do(f'setsid sh -c "{beat}" & sleep 100', time="500ms")
    last = (tmp_path / "beat").read_text()
    time.sleep(0.2)
    assert (tmp_path / "beat").read_text() == last


def test_a_limit_that_is_not_reached_changes_nothing(bench: Bench) -> None:
    begun = time.monotonic()
    assert bench.do("true", time="100s").why == "exit"
    assert time.monotonic() - begun < 10


def test_a_stopped_command_is_waited_for(bench: Bench, tmp_path: Path) -> None:
    job = bench.start(bench.write(f"touch '{tmp_path}/ready'; kill -STOP $$; exit 3"))
    bench.wait_for(tmp_path / "ready")
    time.sleep(0.2)
    assert job.poll() is None
    subprocess.run(["pkill", "-CONT", "-s", str(job.pid)], check=True)
    job.wait(20)
    assert bench.record().exit_codes == (3,)
