"""Process mode on this machine."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from crankshaft_core.backends.base import Job, Phase
from crankshaft_core.backends.generic.processes import ProcessId, start_time
from crankshaft_core.config import GenericConfig
from crankshaft_core.errors import StagingError, SubmitError
from crankshaft_core.staging import StagedInput
from crankshaft_core.task import Execution, Input, Output, Verdict
from tests.integration.elsewhere import Elsewhere
from tests.integration.running import RUN, attempt, config, opened, outcome, submitted, true, until


@pytest.fixture
def local(tmp_path: Path) -> GenericConfig:
    return config(tmp_path, "preset = 'local'")


def task_dir(root: Path, name: str) -> Path:
    return root / "work" / RUN / "tasks" / name


async def test_the_childs_end_wakes_the_poller(local: GenericConfig) -> None:
    async with opened(local) as backend:
        woken = asyncio.Event()
        backend.listen(woken.set)
        job = await submitted(backend, attempt("true"))
        async with asyncio.timeout(10):
            await woken.wait()
        assert (await backend.poll([job], sweep=False))[job.attempt].phase is Phase.ENDED


async def test_the_id_is_host_pid_and_start_time(local: GenericConfig) -> None:
    async with opened(local) as backend:
        job = await submitted(backend, attempt("sleep 100"))
        assert job.id is not None
        process = ProcessId.parse(job.id)
        assert process is not None
        assert (process.host, process.started) == (os.uname().nodename, start_time(process.pid))
        await backend.cancel([job], force=True)
        await until(backend, job, Phase.ENDED, Phase.MISSING)


async def test_another_process_of_the_same_number_is_not_taken_for_the_job(local: GenericConfig) -> None:
    other = subprocess.Popen(["sleep", "100"])
    try:
        async with opened(local) as backend:
            started = start_time(other.pid)
            assert started is not None
            job = Job(f"{RUN}-x", RUN, str(ProcessId(os.uname().nodename, other.pid, started - 1)))
            assert (await backend.poll([job], sweep=True))[job.attempt].phase is Phase.MISSING
            await backend.cancel([job], force=True)
            assert other.poll() is None
    finally:
        other.kill()
        other.wait()


async def test_a_job_of_another_machine_is_no_information(local: GenericConfig) -> None:
    async with opened(local) as backend:
        job = Job(f"{RUN}-x", RUN, "elsewhere.example:12:34")
        assert await backend.poll([job], sweep=True) == {}


async def test_memory_and_cpu_time_are_told(local: GenericConfig) -> None:
    ours = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024  # MiB; a smaller child cannot be told from us
    size = ours + 100
    program = f"x = bytearray({size} * 2**20); sum(range(10**6))"
    async with opened(local) as backend:
        ended = await outcome(backend, attempt(Execution(program=sys.executable, args=("-c", program))))
    assert ended.peak_ram is not None
    assert size / 1024 < ended.peak_ram < size / 1024 + 0.1
    assert ended.cpu_time is not None
    assert 0.01 < ended.cpu_time < 30


async def test_the_callers_environment_is_the_tasks(local: GenericConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACTIVATED", "yes")
    async with opened(local) as backend:
        assert (await outcome(backend, attempt("echo $ACTIVATED"))).stdout_tail == "yes\n"


async def test_no_value_of_a_variable_is_ever_in_a_file(local: GenericConfig, tmp_path: Path) -> None:
    async with opened(local) as backend:
        job = await submitted(backend, attempt(Execution(command="sleep 0.3", env={"TOKEN": "s3cret"})))
        found = subprocess.run(["grep", "-r", "s3cret", str(tmp_path)], stdout=subprocess.PIPE, check=False)
        await until(backend, job, Phase.ENDED)
    assert found.stdout == b""


async def test_directories_are_private_and_git_ignores_them(local: GenericConfig, tmp_path: Path) -> None:
    async with opened(local) as backend:
        job = await submitted(backend, attempt("exit 1"))
        await until(backend, job, Phase.ENDED)
    paths = [tmp_path / "work", *(path for path in (tmp_path / "work").rglob("*") if path.is_dir())]
    assert {oct(path.stat().st_mode & 0o777) for path in paths if path.name != "work" or path.parent == tmp_path} == {
        "0o700"
    }
    assert (tmp_path / "work" / ".gitignore").read_text() == "*\n"


async def test_cancelling_leaves_nobody_however_far_they_went(local: GenericConfig, tmp_path: Path) -> None:
    # one child ignores TERM, one has a session of its own, one is nobody's child any more
    daemon = f"sh -c 'trap \"\" TERM; echo $$ >> {tmp_path}/pids; while :; do sleep 0.1; done'"
    command = f"{daemon} & setsid {daemon} & (setsid {daemon} &) ; wait"
    async with opened(local) as backend:
        job = await submitted(backend, attempt(command))
        pids = tmp_path / "pids"
        await true(lambda: pids.exists() and len(pids.read_text().split()) == 3)
        await backend.cancel([job], force=False)
        await backend.cancel([job], force=True)
        await until(backend, job, Phase.ENDED, Phase.MISSING)
    alive = [pid for pid in pids.read_text().split() if start_time(int(pid)) is not None]
    assert [pid for pid in alive if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"] == []


async def test_a_job_ended_by_somebody_else_says_so(local: GenericConfig) -> None:
    async with opened(local) as backend:
        job = await submitted(backend, attempt("sleep 100"))
        await asyncio.sleep(0.3)
        process = ProcessId.parse(job.id or "")
        assert process is not None
        os.kill(process.pid, signal.SIGTERM)
        await until(backend, job, Phase.ENDED)
        ended = await backend.result(job)
    assert (ended.verdict, ended.detail) == (Verdict.CANCELLED, "ended by signal TERM")


async def test_a_killed_wrapper_leaves_nothing_running_and_is_lost(local: GenericConfig, tmp_path: Path) -> None:
    beat = tmp_path / "beat"
    async with opened(local) as backend:
        job = await submitted(backend, attempt(f"while :; do date +%N > '{beat}'; sleep 0.05; done"))
        await true(beat.exists)
        process = ProcessId.parse(job.id or "")
        assert process is not None
        os.kill(process.pid, signal.SIGKILL)
        await until(backend, job, Phase.MISSING)
        ended = (await backend.diagnose([job]))[job.attempt]
        assert ended.verdict is Verdict.LOST
        assert "without an exit record, killed by signal SIGKILL" in ended.detail
        last = beat.read_text()
        await asyncio.sleep(0.3)
        assert beat.read_text() == last


async def test_a_job_in_doubt_that_is_cancelled_can_never_begin(local: GenericConfig, tmp_path: Path) -> None:
    one = attempt(f"touch '{tmp_path}/ran'")
    doubtful = Job(one.id, one.run)
    async with opened(local) as backend:
        await backend.cancel([doubtful], force=False)
        assert (await backend.poll([doubtful], sweep=True))[one.id].phase is Phase.MISSING
        await backend.submit(one)  # it was on its way all the time
        await asyncio.sleep(0.3)
    assert not (tmp_path / "ran").exists()


async def test_a_job_in_doubt_is_found_by_its_lock(local: GenericConfig) -> None:
    one = attempt("sleep 0.5")
    async with opened(local) as first:
        job = await submitted(first, one)
        await until(first, job, Phase.RUNNING)
        lock = task_dir(Path(local.work_dir or "").parent, one.id) / "start"
        async with opened(local) as second:
            await true(lambda: lock.exists() and lock.stat().st_size > 0)
            state = (await second.poll([replace(job, id=None)], sweep=False))[one.id]
            assert (state.phase, state.id) == (Phase.RUNNING, job.id)
        await until(first, job, Phase.ENDED)


async def test_what_is_ours_of_a_successful_task_goes(local: GenericConfig, tmp_path: Path) -> None:
    async with opened(local) as backend:
        job = await submitted(backend, attempt("true"))
        await until(backend, job, Phase.ENDED)
        await backend.release({job: Verdict.OK})
    assert not (tmp_path / "work" / RUN).exists()


async def test_what_a_successful_task_has_written_stays(local: GenericConfig, tmp_path: Path) -> None:
    async with opened(local) as backend:
        job = await submitted(backend, attempt("echo words; echo more > made.txt"))
        await until(backend, job, Phase.ENDED)
        await backend.release({job: Verdict.OK})
    left = sorted(
        str(path.relative_to(task_dir(tmp_path, job.attempt))) for path in task_dir(tmp_path, job.attempt).rglob("*")
    )
    assert left == ["stdout", "work", "work/made.txt"]


@pytest.mark.parametrize(("extra", "verdict"), [("", Verdict.FAILED), ("keep_dirs = true", Verdict.OK)])
async def test_a_failed_tasks_directory_stays_and_any_where_wanted(
    tmp_path: Path, extra: str, verdict: Verdict
) -> None:
    async with opened(config(tmp_path, f"preset = 'local'\n{extra}")) as backend:
        job = await submitted(backend, attempt("true"))
        await until(backend, job, Phase.ENDED)
        await backend.release({job: verdict})
    assert (task_dir(tmp_path, job.attempt) / "job").exists()


async def test_a_released_record_is_put_aside(local: GenericConfig, tmp_path: Path) -> None:
    async with opened(local) as backend:
        job = await submitted(backend, attempt("exit 1"))
        await until(backend, job, Phase.ENDED)
        await backend.release({job: Verdict.FAILED})
    assert (tmp_path / "work" / RUN / "seen" / job.attempt).exists()
    assert not (tmp_path / "work" / RUN / "done" / job.attempt).exists()


async def test_a_read_only_input_is_a_link_and_another_a_copy(local: GenericConfig, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_text("whole")
    inputs = (
        StagedInput(Input(path="a/link", url=source.as_uri()), file=source),
        StagedInput(Input(path="copy", url=source.as_uri(), read_only=False), file=source),
    )
    async with opened(local) as backend:
        ended = await outcome(backend, attempt("cat a/link; echo changed > copy; test -L a/link; ls", inputs=inputs))
    assert (ended.exit_codes, ended.stdout_tail) == ((0,), "wholea\ncopy\n")
    assert source.read_text() == "whole"


async def test_an_input_that_would_overwrite_another_file_is_refused(local: GenericConfig, tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("precious")
    given = StagedInput(Input(path="in.txt", content="other"), content=b"other")
    one = attempt(Execution(command="true", work_dir=str(tmp_path)), inputs=(given,))
    async with opened(local) as backend:
        with pytest.raises(StagingError, match=r"input 'in\.txt' would overwrite .*in\.txt"):
            await backend.submit(one)
    assert (tmp_path / "in.txt").read_text() == "precious"


async def test_wildcards_lead_to_the_directory_of_their_matches(local: GenericConfig) -> None:
    wanted = [Output(path="out/*.txt"), Output(path="one")]
    async with opened(local) as backend:
        job = await submitted(backend, attempt("mkdir out; touch out/a.txt out/b.txt one"))
        await until(backend, job, Phase.ENDED)
        places = await backend.collect(job, wanted, Path("unused"))
    assert {path: place.name for path, place in places.items() if place} == {"out/*.txt": "out", "one": "one"}


async def test_every_output_that_is_not_there_is_named(local: GenericConfig) -> None:
    async with opened(local) as backend:
        job = await submitted(backend, attempt("touch here"))
        await until(backend, job, Phase.ENDED)
        with pytest.raises(StagingError, match=r"did not leave x/\*\.txt, y "):
            await backend.collect(job, [Output(path="here"), Output(path="x/*.txt"), Output(path="y")], Path("unused"))


async def test_output_can_be_followed_across_executions(local: GenericConfig) -> None:
    async with opened(local) as backend:
        one = attempt(Execution(command="echo one", stdout="first"), Execution(command="echo two"))
        job = await submitted(backend, one)
        await until(backend, job, Phase.ENDED)
        assert await backend.read(job, "stdout", 0) == b"one\n"
        assert await backend.read(job, "stdout", 4) == b"two\n"
        assert await backend.read(job, "stdout", 8) == b""


async def test_a_time_limit_survives_the_client(local: GenericConfig) -> None:
    async with opened(local) as first:
        job = await submitted(first, attempt("sleep 100", time="700ms"))
    async with opened(local) as second:
        await until(second, job, Phase.ENDED)
        assert (await second.result(job)).verdict is Verdict.TIME_LIMIT


async def test_an_environment_too_large_is_refused(local: GenericConfig) -> None:
    async with opened(local) as backend:
        with pytest.raises(SubmitError, match="t cannot be started"):
            await backend.submit(attempt(Execution(command="true", env={"BIG": "x" * 200_000})))


async def test_a_work_dir_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "work").write_text("in the way")
    async with opened(config(tmp_path, "preset = 'local'")) as backend:
        with pytest.raises(SubmitError, match="work"):
            await backend.submit(attempt("true"))
        health = await backend.check()
    assert not health.ok
    assert "is no directory" in health.summary


async def test_a_shell_that_is_not_there_is_found_by_check(tmp_path: Path) -> None:
    async with opened(config(tmp_path, "preset = 'local'\nshell = 'no-such-shell -l'")) as backend:
        health = await backend.check()
    assert (health.ok, "no-such-shell: command not found" in health.summary) == (False, True)


async def test_a_client_that_goes_leaves_the_jobs_alone(local: GenericConfig, tmp_path: Path) -> None:
    async with opened(local) as backend:
        await submitted(backend, attempt(f"sleep 0.4; touch '{tmp_path}/ran'"))
    await true((tmp_path / "ran").exists)


async def test_by_script_the_file_of_variables_is_private_and_soon_gone(local: GenericConfig, tmp_path: Path) -> None:
    async with opened(local, driver=Elsewhere()) as backend:
        job = await submitted(backend, attempt(Execution(command="ls -a ..; sleep 0.2", env={"TOKEN": "s3cret"})))
        await until(backend, job, Phase.ENDED)
        assert "env" not in (await backend.result(job)).stdout_tail.split()
    found = subprocess.run(["grep", "-r", "s3cret", str(tmp_path)], stdout=subprocess.PIPE, check=False)
    assert found.stdout == b""


async def test_by_script_cancelling_leaves_nobody(local: GenericConfig, tmp_path: Path) -> None:
    beat = tmp_path / "beat"
    child = f"trap '' TERM; while :; do date +%N > {beat}; sleep 0.05; done"
    async with opened(local, driver=Elsewhere()) as backend:
        job = await submitted(backend, attempt(f'setsid sh -c "{child}" & wait'))
        await true(beat.exists)
        await backend.cancel([job], force=False)
        await backend.cancel([job], force=True)
        await until(backend, job, Phase.ENDED, Phase.MISSING)
        last = beat.read_text()
        await asyncio.sleep(0.3)
        assert beat.read_text() == last


async def test_by_script_outputs_come_over(local: GenericConfig, tmp_path: Path) -> None:
    wanted = [Output(path="out/*.txt"), Output(path="dir", type="DIRECTORY"), Output(path="a b")]
    async with opened(local, driver=Elsewhere()) as backend:
        job = await submitted(backend, attempt("mkdir out dir; echo 1 > out/1.txt; echo 2 > dir/x; echo 3 > 'a b'"))
        await until(backend, job, Phase.ENDED)
        places = await backend.collect(job, wanted, tmp_path / "scratch")
    found = {path: place for path, place in places.items() if place is not None}
    assert (found["out/*.txt"] / "1.txt").read_text() == "1\n"
    assert (found["dir"] / "x").read_text() == "2\n"
    assert found["a b"].read_text() == "3\n"


async def test_a_long_wait_is_not_a_busy_one(local: GenericConfig) -> None:
    async with opened(local) as backend:
        job = await submitted(backend, attempt("sleep 1"))
        begun = time.process_time()
        await asyncio.sleep(0.8)
        assert time.process_time() - begun < 0.1
        await until(backend, job, Phase.ENDED)


async def test_it_can_be_closed_twice(local: GenericConfig) -> None:
    async with opened(local) as backend:
        await backend.aclose()
