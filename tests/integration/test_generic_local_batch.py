"""Batch mode against a small batch system that really detaches jobs, by scripts that now and then get lost."""

from __future__ import annotations

import asyncio
import itertools
from pathlib import Path

import pytest

from crankshaft_core.backends.base import Job, Phase
from crankshaft_core.config import GenericConfig
from crankshaft_core.errors import (
    AnswerLostError,
    BackendError,
    SubmitDeferred,
    SubmitError,
    SubmitInDoubt,
    TransportError,
)
from crankshaft_core.task import Execution, Verdict
from tests.integration.elsewhere import Elsewhere, Faulty
from tests.integration.running import RUN, attempt, batch, config, opened, outcome, submitted, true, until

NO_JOBS = """
monitor_all = 'true'
kill = 'true'
job_id_regex = '^job (\\d+)$'
"""


@pytest.fixture
def system(tmp_path: Path) -> GenericConfig:
    return config(tmp_path, batch(tmp_path))


def run_dir(root: Path) -> Path:
    return root / "work" / RUN


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


async def test_the_submits_of_one_moment_are_one_round_trip(system: GenericConfig) -> None:
    driver = Faulty()
    async with opened(system, driver=driver) as backend:
        await outcome(backend, attempt("true"))
        driver.scripts.clear()
        jobs = await asyncio.gather(*(submitted(backend, attempt("true")) for _ in range(12)))
        assert len(driver.scripts) == 1
        for job in jobs:
            await until(backend, job, Phase.ENDED)


async def test_two_round_trips_share_four_commands_at_once(tmp_path: Path) -> None:
    text = "submit = 'sleep 0.02; echo job 1'\nsubmit_rate = 1000\nsubmit_burst = 200\n" + NO_JOBS
    async with opened(config(tmp_path, text)) as backend:
        await asyncio.gather(*(backend.submit(attempt("true")) for _ in range(120)))
    lines = (run_dir(tmp_path) / "commands.log").read_text().splitlines()
    edges = [(float(edge), step) for line in lines for edge, step in zip(line.split(), (1, -1), strict=False)]
    under_way = list(itertools.accumulate(step for _, step in sorted(edges)))
    assert (len(lines), max(under_way)) == (120, 4)


async def test_a_submit_command_may_be_a_function_of_the_shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BASH_FUNC_true%%", "() { echo job 7; }")
    async with opened(config(tmp_path, "submit = 'true ~{script}'\n" + NO_JOBS)) as backend:
        assert await backend.submit(attempt("true")) == "7"


async def test_a_poll_is_one_round_trip_for_all(system: GenericConfig) -> None:
    driver = Faulty()
    async with opened(system, driver=driver) as backend:
        jobs = await asyncio.gather(*(submitted(backend, attempt("sleep 30")) for _ in range(10)))
        driver.scripts.clear()
        states = await backend.poll(jobs, sweep=True)
        assert (len(driver.scripts), len(states)) == (1, 10)
        await backend.cancel(jobs, force=True)


async def test_a_poll_without_a_sweep_does_not_trouble_the_system(system: GenericConfig, tmp_path: Path) -> None:
    async with opened(system) as backend:
        job = await submitted(backend, attempt("true"))
        await until(backend, job, Phase.ENDED, sweep=False)
    assert "list" not in (run_dir(tmp_path) / "commands.log").read_text()


async def test_a_submit_that_never_left_may_be_repeated(system: GenericConfig) -> None:
    driver = Faulty()
    async with opened(system, driver=driver) as backend:
        await outcome(backend, attempt("true"))
        driver.lose_calls = 1
        one = attempt("exit 4")
        with pytest.raises(TransportError, match="no route"):
            await backend.submit(one)
        assert (await outcome(backend, one)).exit_codes == (4,)


@pytest.mark.parametrize(("attempts", "refusal"), [(1, SubmitError), (2, SubmitDeferred)])
async def test_a_refused_submit_is_tried_again_where_attempts_are_left(
    tmp_path: Path, attempts: int, refusal: type[SubmitError]
) -> None:
    text = f"submit = 'mkdir {tmp_path}/was-here && exit 1; echo job 7'\nmax_attempts = {attempts}\n"
    one = attempt("true")
    async with opened(config(tmp_path, text + NO_JOBS)) as backend:
        with pytest.raises(SubmitError) as refused:
            await backend.submit(one)
        assert refused.type is refusal
        assert await backend.submit(one) == "7"


async def test_a_submit_whose_answer_is_lost_is_in_doubt_and_then_found(system: GenericConfig, tmp_path: Path) -> None:
    driver = Faulty()
    async with opened(system, driver=driver) as backend:
        await outcome(backend, attempt("true"))
        driver.lose_answers = 1
        one = attempt(f"echo ran >> '{tmp_path}/marks'; sleep 1; exit 4")
        with pytest.raises(SubmitInDoubt, match="broke"):
            await backend.submit(one)
        state = (await backend.poll([Job(one.id, one.run)], sweep=False))[one.id]
        assert state.id == "2"
        job = Job(one.id, one.run, await backend.submit(one.repeated()))
        assert job.id == "2"
        await until(backend, job, Phase.ENDED)
        assert (await backend.result(job)).exit_codes == (4,)
    assert (tmp_path / "marks").read_text() == "ran\n"


async def test_a_poll_whose_answer_is_lost_loses_no_record(system: GenericConfig, tmp_path: Path) -> None:
    driver = Faulty()
    async with opened(system, driver=driver) as backend:
        first, second = [await submitted(backend, attempt("exit 4")) for _ in range(2)]
        await until(backend, first, Phase.ENDED)
        await backend.release({first: Verdict.FAILED})
        await true((run_dir(tmp_path) / "done" / second.attempt).exists)
        driver.lose_answers = 1
        with pytest.raises(AnswerLostError):
            await backend.poll([second], sweep=False)
        assert (await backend.poll([second], sweep=False))[second.attempt].phase is Phase.ENDED


async def test_a_record_is_put_aside_only_once_it_is_released(system: GenericConfig, tmp_path: Path) -> None:
    async with opened(system) as backend:
        job = await submitted(backend, attempt("exit 4"))
        await until(backend, job, Phase.ENDED)
        assert names(run_dir(tmp_path) / "done") == [job.attempt]
        await backend.release({job: Verdict.FAILED})
        await backend.poll([], sweep=False)
        assert (names(run_dir(tmp_path) / "done"), names(run_dir(tmp_path) / "seen")) == ([], [job.attempt])


async def test_what_was_released_last_is_put_aside_at_the_end(system: GenericConfig, tmp_path: Path) -> None:
    async with opened(system) as backend:
        job = await submitted(backend, attempt("true"))
        await until(backend, job, Phase.ENDED)
        await backend.release({job: Verdict.OK})
    assert names(run_dir(tmp_path) / "seen") == [job.attempt]
    assert names(run_dir(tmp_path) / "tasks") == []


async def test_another_client_finds_a_record_that_was_put_aside(system: GenericConfig) -> None:
    async with opened(system) as first:
        job = await submitted(first, attempt("exit 4"))
        await until(first, job, Phase.ENDED)
        await first.release({job: Verdict.FAILED})
    async with opened(system) as second:
        assert (await second.poll([job], sweep=False))[job.attempt].phase is Phase.ENDED
        ended = await second.result(job)
    assert (ended.exit_codes, ended.stdout) == ((4,), ended.stdout)
    assert ended.stdout is not None


async def test_everything_is_private(system: GenericConfig, tmp_path: Path) -> None:
    async with opened(system) as backend:
        await outcome(backend, attempt(Execution(command="true", env={"A": "b"})))
    modes = {
        str(path.relative_to(run_dir(tmp_path))): path.lstat().st_mode & 0o777 for path in run_dir(tmp_path).iterdir()
    }
    assert modes == {
        ".room": 0o600,
        "commands.log": 0o600,
        "done": 0o700,
        "seen": 0o700,
        "setup": 0o600,
        "tasks": 0o700,
        "wrapper": 0o600,
    }


async def test_the_jobs_own_umask_is_not_ours(system: GenericConfig) -> None:
    async with opened(system) as backend:
        assert (await outcome(backend, attempt("umask"))).stdout_tail.strip() != "0077"


async def test_commands_are_logged_with_time_and_status(system: GenericConfig, tmp_path: Path) -> None:
    async with opened(system) as backend:
        job = await submitted(backend, attempt("sleep 0.2"))
        await until(backend, job, Phase.RUNNING, Phase.ENDED)
        await until(backend, job, Phase.ENDED)
    lines = [line.split(" ", 3) for line in (run_dir(tmp_path) / "commands.log").read_text().splitlines()]
    assert {(what, status) for _, _, status, what in lines} == {(f"submit {job.attempt}", "0"), ("list", "0")}
    assert all(float(begin) <= float(end) for begin, end, _, _ in lines)


@pytest.mark.parametrize(
    ("submit", "error", "words"),
    [
        (
            "echo 'sbatch: error: invalid partition: shrot' >&2; exit 1",
            SubmitError,
            "here: sbatch: error: invalid partition: shrot",
        ),
        ("echo 'QOSMaxSubmitJobPerUserLimit' >&2; exit 1", SubmitDeferred, "QOSMaxSubmitJobPerUserLimit"),
        ("echo 'Socket timed out' >&2; exit 1", SubmitInDoubt, "Socket timed out"),
        ("echo hello", SubmitError, "finds no job id"),
        ("no-such-command", SubmitError, "no-such-command: command not found"),
        ("echo 'never closed", SubmitError, "unexpected EOF"),
    ],
)
async def test_what_a_submit_says_is_told_apart(
    tmp_path: Path, submit: str, error: type[BackendError], words: str
) -> None:
    text = f"""
submit = {submit!r}
monitor_all = 'true'
kill = 'true'
job_id_regex = '^job (\\d+)$'
submit_errors = {{ limit = 'QOSMaxSubmit', ambiguous = 'timed out' }}
"""
    async with opened(config(tmp_path, text)) as backend:
        with pytest.raises(error) as caught:
            await backend.submit(attempt("true"))
    assert type(caught.value) is error
    assert words in str(caught.value)


async def test_a_job_that_can_never_start_is_cancelled_and_says_why(tmp_path: Path) -> None:
    text = f"""
submit = 'echo job 7'
monitor_all = 'echo "7|PENDING|PartitionTimeLimit|"'
kill = 'echo ~{{job_ids}} >> {tmp_path}/killed'
job_id_regex = '^job (\\d+)$'
states = {{ pending = 'PENDING' }}
reasons = {{ stuck = 'PartitionTimeLimit' }}
"""
    async with opened(config(tmp_path, text)) as backend:
        job = await submitted(backend, attempt("true"))
        await until(backend, job, Phase.ENDED)
        ended = await backend.result(job)
    assert (ended.verdict, ended.detail) == (Verdict.STUCK, "PartitionTimeLimit")
    assert (tmp_path / "killed").read_text() == "7\n"


async def test_a_job_whose_copy_took_the_lock_is_followed_under_that_id(system: GenericConfig, tmp_path: Path) -> None:
    one = attempt("sleep 1; exit 4")
    async with opened(system) as backend:
        job = await submitted(backend, one)
        await true((run_dir(tmp_path) / "tasks" / one.id / "start").is_symlink)
        other = Job(one.id, one.run, "77")  # what an earlier client was told
        state = (await backend.poll([other], sweep=True))[one.id]
        assert (state.phase, state.id) == (Phase.RUNNING, job.id)
        await until(backend, job, Phase.ENDED)


async def test_a_cancelled_job_in_doubt_loses_the_lock(system: GenericConfig, tmp_path: Path) -> None:
    one = attempt(f"touch '{tmp_path}/ran'")
    async with opened(system) as backend:
        await backend.cancel([Job(one.id, one.run)], force=False)
        assert (await backend.poll([Job(one.id, one.run)], sweep=True))[one.id].phase is Phase.MISSING
        await backend.submit(one)  # it was on its way all the time
        await asyncio.sleep(0.5)
    assert not (tmp_path / "ran").exists()


async def test_a_job_without_a_record_is_explained_by_the_system(tmp_path: Path) -> None:
    text = """
submit = 'echo job 7'
monitor_all = 'true'
kill = 'true'
diagnose = 'echo "7|NODE_FAIL|the node burnt down"'
job_id_regex = '^job (\\d+)$'
verdict = { infra = 'NODE_FAIL' }
"""
    async with opened(config(tmp_path, text)) as backend:
        job = await submitted(backend, attempt("true"))
        await until(backend, job, Phase.MISSING)
        ended = (await backend.diagnose([job]))[job.attempt]
    assert (ended.verdict, ended.detail) == (Verdict.NODE_FAILURE, "7|NODE_FAIL|the node burnt down")


async def test_a_success_without_a_record_is_no_success(tmp_path: Path) -> None:
    text = """
submit = 'echo job 7'
monitor_all = 'true'
kill = 'true'
diagnose = 'echo "7|COMPLETED|"'
job_id_regex = '^job (\\d+)$'
verdict = { ok = 'COMPLETED' }
"""
    async with opened(config(tmp_path, text)) as backend:
        job = await submitted(backend, attempt("true"))
        ended = (await backend.diagnose([job]))[job.attempt]
    assert ended.verdict is Verdict.LOST
    assert "do the workers see" in ended.detail


async def test_the_work_dir_may_be_in_the_home_of_the_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    made = config(tmp_path, batch(tmp_path)).model_copy(update={"work_dir": None})
    async with opened(made, driver=Elsewhere()) as backend:
        ended = await outcome(backend, attempt("pwd"))
    assert ended.stdout_tail.startswith(f"{tmp_path}/home/.crankshaft/{RUN}/tasks/")


async def test_a_work_dir_that_vanished_is_said(system: GenericConfig, tmp_path: Path) -> None:
    async with opened(system) as backend:
        job = await submitted(backend, attempt("true"))
        await until(backend, job, Phase.ENDED)
        run_dir(tmp_path).rename(tmp_path / "gone")
        with pytest.raises(TransportError, match="is gone from this machine"):
            await backend.poll([job], sweep=True)


async def test_a_command_that_is_not_there_is_found_by_check(tmp_path: Path) -> None:
    text = "submit = 'no-such-sbatch ~{script}'\nmonitor_all = 'false'\nkill = 'true'\njob_id_regex = '(x)'"
    async with opened(config(tmp_path, text)) as backend:
        health = await backend.check()
    assert not health.ok
    assert "no-such-sbatch: command not found" in health.summary
    assert "monitor_all ended with exit status 1" in health.summary


async def test_check_says_who_and_where(system: GenericConfig, tmp_path: Path) -> None:
    async with opened(system) as backend:
        health = await backend.check()
    assert health.ok
    assert health.summary.endswith(f" on this machine, work_dir {tmp_path}/work")
    assert not (tmp_path / "work").exists()


async def test_above_the_users_limit_a_task_is_held(tmp_path: Path) -> None:
    listed = " ".join(f"{number}|RUNNING|" for number in range(3))
    text = f"""
submit = 'echo job 7'
monitor_all = 'printf "%s\\n" {" ".join(f'"{job}"' for job in listed.split())}'
kill = 'true'
job_id_regex = '^job (\\d+)$'
states = {{ running = 'RUNNING' }}
"""
    async with opened(config(tmp_path, f"{text}max_user_jobs = 4")) as backend:
        assert await backend.submit(attempt("true")) == "7"
        with pytest.raises(SubmitDeferred, match="the user has 4 jobs, and max_user_jobs is 4"):
            await backend.submit(attempt("true"))


async def test_check_fails_a_template_that_asks_for_terabytes(tmp_path: Path) -> None:
    made = config(tmp_path, batch(tmp_path))
    made = made.model_copy(update={"submit": f"true --mem=~{{ram_mb}}G; {made.submit}"})
    async with opened(made) as backend:
        health = await backend.check()
    assert not health.ok
    assert "write --mem=~{ram_mb}M" in health.summary


async def test_a_late_copys_variables_do_not_stay(system: GenericConfig, tmp_path: Path) -> None:
    one = attempt(Execution(command="exit 4", env={"TOKEN": "s3cret"}))
    async with opened(system) as first:
        job = await submitted(first, one)
        await until(first, job, Phase.ENDED)
        async with opened(system) as second:
            await second.submit(one)
        await first.release({job: Verdict.FAILED})
    assert not (run_dir(tmp_path) / "tasks" / one.id / "env").exists()
