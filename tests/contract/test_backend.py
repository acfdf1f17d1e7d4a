"""The promises of `Backend`, made by every kind."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator

import pytest

from crankshaft_core.backends.base import Attempt, Backend, Cleaning, Job, JobState, Outcome, Phase
from crankshaft_core.errors import StagingError
from crankshaft_core.staging import StagedInput
from crankshaft_core.task import Input, Output, Task, Verdict
from tests.contract.places import Place

_serial = itertools.count(1)
RUN = "kcontr0"
FOREVER = "sleep 1000"


@pytest.fixture
async def backend(place: Place) -> AsyncIterator[Backend]:
    backend = place.open()
    yield backend
    await backend.aclose()


def attempt(task: Task) -> Attempt:
    inputs = tuple(
        StagedInput(item, content=item.content.encode() if isinstance(item.content, str) else item.content)
        for item in task.inputs
    )
    return Attempt(id=f"{RUN}-{next(_serial)}-1", run=RUN, number=1, task=task, inputs=inputs)


async def submitted(backend: Backend, *attempts: Attempt) -> list[Job]:
    ids = await asyncio.gather(*(backend.submit(item) for item in attempts))
    return [Job(item.id, item.run, job_id) for item, job_id in zip(attempts, ids, strict=True)]


async def states(backend: Backend, jobs: list[Job], wanted: set[Phase], patience: float) -> dict[str, JobState]:
    """Poll until every job was seen in a wanted phase."""
    seen: dict[str, JobState] = {}
    deadline = time.monotonic() + patience
    while len(seen) < len(jobs):
        assert time.monotonic() < deadline, f"after {patience} s only {seen} of {jobs}"
        for name, state in (await backend.poll(jobs, sweep=True)).items():
            if state.phase in wanted:
                seen[name] = state
        await asyncio.sleep(0.02)
    return seen


async def outcome(place: Place, backend: Backend, task: Task) -> Outcome:
    jobs = await submitted(backend, attempt(task))
    await states(backend, jobs, {Phase.ENDED}, place.patience)
    return await backend.result(jobs[0])


async def test_a_command_that_ends_with_0_is_ok(place: Place, backend: Backend) -> None:
    ended = await outcome(place, backend, place.task("true"))
    assert (ended.verdict, ended.exit_codes) == (Verdict.OK, (0,))


@pytest.mark.parametrize("code", [1, 3, 77, 127, 130, 255])
async def test_the_exit_code_is_the_commands_own(place: Place, backend: Backend, code: int) -> None:
    ended = await outcome(place, backend, place.task(f"exit {code}"))
    assert (ended.verdict, ended.exit_codes) == (Verdict.FAILED, (code,))


async def test_executions_stop_at_the_first_that_fails(place: Place, backend: Backend) -> None:
    ended = await outcome(place, backend, place.task("true", "exit 4", "true"))
    assert (ended.verdict, ended.exit_codes) == (Verdict.FAILED, (0, 4))


async def test_submit_does_not_wait_for_the_work(place: Place, backend: Backend) -> None:
    begun = time.monotonic()
    jobs = await submitted(backend, attempt(place.task(FOREVER)))
    assert time.monotonic() - begun < place.patience
    await backend.cancel(jobs, force=True)
    await states(backend, jobs, {Phase.ENDED, Phase.MISSING}, place.patience)


@pytest.mark.real
async def test_an_attempt_submitted_twice_runs_once(place: Place, backend: Backend) -> None:
    marks = place.shared / "marks"
    one = attempt(place.task(f"echo ran >> '{marks}'; sleep 0.3"))
    first = await backend.submit(one)
    second = await backend.submit(one.repeated())
    jobs = [Job(one.id, one.run, second)]
    await states(backend, jobs, {Phase.ENDED}, place.patience)
    assert (await backend.result(jobs[0])).exit_codes == (0,)
    await asyncio.sleep(0.5)
    assert marks.read_text() == "ran\n"
    assert first


@pytest.mark.real
async def test_an_attempt_submitted_again_after_its_end_does_not_run_again(place: Place, backend: Backend) -> None:
    marks = place.shared / "marks"
    one = attempt(place.task(f"echo ran >> '{marks}'"))
    jobs = await submitted(backend, one)
    await states(backend, jobs, {Phase.ENDED}, place.patience)
    again = Job(one.id, one.run, await backend.submit(one.repeated()))
    await states(backend, [again], {Phase.ENDED}, place.patience)
    assert (await backend.result(again)).exit_codes == (0,)
    assert marks.read_text() == "ran\n"


async def test_one_poll_answers_for_many_jobs(place: Place, backend: Backend) -> None:
    jobs = await submitted(backend, *(attempt(place.task("true")) for _ in range(12)))
    seen = await states(backend, jobs, {Phase.ENDED}, place.patience)
    assert set(seen) == {job.attempt for job in jobs}


async def test_an_ended_job_is_reported_until_it_is_released(place: Place, backend: Backend) -> None:
    jobs = await submitted(backend, attempt(place.task("true")))
    await states(backend, jobs, {Phase.ENDED}, place.patience)
    for _ in range(3):
        answer = await backend.poll(jobs, sweep=True)
        assert answer[jobs[0].attempt].phase is Phase.ENDED
    await backend.release({jobs[0]: Verdict.OK})


async def test_a_job_the_system_never_had_is_missing_in_a_sweep(place: Place, backend: Backend) -> None:
    known = await submitted(backend, attempt(place.task(FOREVER)))
    stranger = Job(f"{RUN}-zzz-1", RUN, _unknown_id(known[0]))
    deadline = time.monotonic() + place.patience
    while True:
        answer = await backend.poll([*known, stranger], sweep=True)
        if stranger.attempt in answer or time.monotonic() > deadline:
            break
        await asyncio.sleep(0.05)
    assert answer[stranger.attempt].phase is Phase.MISSING
    await backend.cancel(known, force=True)
    await states(backend, known, {Phase.ENDED, Phase.MISSING}, place.patience)


async def test_a_running_job_is_cancelled(place: Place, backend: Backend) -> None:
    jobs = await submitted(backend, attempt(place.task(FOREVER)))
    await states(backend, jobs, {Phase.RUNNING}, place.patience)
    await backend.cancel(jobs, force=False)
    seen = await states(backend, jobs, {Phase.ENDED, Phase.MISSING}, place.patience)
    if seen[jobs[0].attempt].phase is Phase.ENDED:
        assert (await backend.result(jobs[0])).verdict is not Verdict.OK


async def test_cancelling_twice_is_once(place: Place, backend: Backend) -> None:
    jobs = await submitted(backend, attempt(place.task(FOREVER)))
    await states(backend, jobs, {Phase.RUNNING}, place.patience)
    await backend.cancel(jobs, force=False)
    await backend.cancel(jobs, force=False)
    await states(backend, jobs, {Phase.ENDED, Phase.MISSING}, place.patience)
    await backend.cancel(jobs, force=True)


@pytest.mark.real
async def test_force_ends_a_job_that_ignores_the_request(place: Place, backend: Backend) -> None:
    ready = place.shared / "ready"
    stubborn = f"trap '' TERM INT; touch '{ready}'; while true; do sleep 0.1; done"
    jobs = await submitted(backend, attempt(place.task(stubborn)))
    await states(backend, jobs, {Phase.RUNNING}, place.patience)
    deadline = time.monotonic() + place.patience
    while not ready.exists():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)
    await backend.cancel(jobs, force=False)
    await backend.cancel(jobs, force=True)
    await states(backend, jobs, {Phase.ENDED, Phase.MISSING}, place.patience)


@pytest.mark.real
async def test_a_client_that_comes_later_finds_the_job(place: Place, backend: Backend) -> None:
    jobs = await submitted(backend, attempt(place.task("sleep 0.5; exit 5")))
    await backend.aclose()
    later = place.open()
    await states(later, jobs, {Phase.ENDED}, place.patience)
    assert (await later.result(jobs[0])).exit_codes == (5,)
    await later.aclose()


@pytest.mark.real
async def test_a_client_that_comes_later_can_cancel(place: Place, backend: Backend) -> None:
    jobs = await submitted(backend, attempt(place.task(FOREVER)))
    await backend.aclose()
    later = place.open()
    await later.cancel(jobs, force=True)
    await states(later, jobs, {Phase.ENDED, Phase.MISSING}, place.patience)
    await later.aclose()


@pytest.mark.real
async def test_stdout_and_stderr_are_told_apart(place: Place, backend: Backend) -> None:
    ended = await outcome(place, backend, place.task("echo out; echo err >&2"))
    assert (ended.stdout_tail, ended.stderr_tail) == ("out\n", "err\n")


@pytest.mark.real
async def test_what_a_job_writes_can_be_read(place: Place, backend: Backend) -> None:
    jobs = await submitted(backend, attempt(place.task("printf 0123456789")))
    await states(backend, jobs, {Phase.ENDED}, place.patience)
    assert await backend.read(jobs[0], "stdout", 4) == b"456789"


NASTY = "a'b\"c $HOME `id` \\ \\n ; | & * ?\t~ é☃ -rf !x #"


@pytest.mark.real
async def test_a_nasty_variable_arrives_as_it_is(place: Place, backend: Backend) -> None:
    ended = await outcome(place, backend, place.task('printf %s "$NASTY"', env={"NASTY": NASTY}))
    assert ended.stdout_tail == NASTY


@pytest.mark.real
async def test_an_input_with_content_is_there(place: Place, backend: Backend) -> None:
    given = Input(path="data/in.txt", content=NASTY)
    ended = await outcome(place, backend, place.task("cat data/in.txt", inputs=(given,)))
    assert ended.stdout_tail == NASTY


@pytest.mark.real
async def test_an_output_is_collected(place: Place, backend: Backend) -> None:
    wanted = Output(path="made/out.txt")
    one = attempt(place.task("mkdir -p made; printf made > made/out.txt", outputs=(wanted,)))
    jobs = await submitted(backend, one)
    await states(backend, jobs, {Phase.ENDED}, place.patience)
    collected = await backend.collect(jobs[0], [wanted], place.shared / "scratch")
    path = collected["made/out.txt"]
    assert path is not None
    assert path.read_text() == "made"


@pytest.mark.real
async def test_an_output_that_is_not_there_is_named(place: Place, backend: Backend) -> None:
    wanted = Output(path="made/out.txt")
    jobs = await submitted(backend, attempt(place.task("true", outputs=(wanted,))))
    await states(backend, jobs, {Phase.ENDED}, place.patience)
    with pytest.raises(StagingError, match=r"made/out\.txt"):
        await backend.collect(jobs[0], [wanted], place.shared / "scratch")


@pytest.mark.real
async def test_the_times_of_a_job_are_told(place: Place, backend: Backend) -> None:
    before = time.time()
    ended = await outcome(place, backend, place.task("sleep 0.2"))
    assert ended.started is not None
    assert ended.ended is not None
    assert before - 1 <= ended.started <= ended.ended <= time.time() + 1


async def test_a_dry_run_shows_the_command(place: Place, backend: Backend) -> None:
    assert "echo shown" in backend.script(attempt(place.task("echo shown")))


async def test_a_dry_run_shows_no_value_of_a_variable(place: Place, backend: Backend) -> None:
    assert "s3cret" not in backend.script(attempt(place.task("true", env={"TOKEN": "s3cret"})))


async def test_a_place_in_order_is_healthy(place: Place, backend: Backend) -> None:
    health = await backend.check()
    assert health.ok, health


def _unknown_id(known: Job) -> str:
    """An id of the same shape that no job has."""
    head = (known.id or "job-1").rstrip("0123456789")
    return f"{head}987654"


async def test_a_live_job_is_shown_and_nothing_of_it_is_cleaned_away(place: Place, backend: Backend) -> None:
    one = attempt(place.task(FOREVER))
    jobs = await submitted(backend, one)
    await states(backend, jobs, {Phase.RUNNING}, place.patience)
    stranger = place.open("kother0")
    left = await stranger.clean(Cleaning(0, only=RUN))
    shown = await shown_as(stranger, jobs[0], place.patience)
    await stranger.aclose()
    await backend.cancel(jobs, force=True)
    await states(backend, jobs, {Phase.ENDED, Phase.MISSING}, place.patience)
    assert shown == jobs[0]
    assert [item.what for item in left if not item.kept] == []


async def shown_as(backend: Backend, job: Job, patience: float) -> Job:
    """What the system shows of the attempt, once its job has come so far that it is known by its id."""
    deadline = time.monotonic() + patience
    while True:
        for item in await backend.shown():
            if item.job.attempt == job.attempt and item.job.id is not None:
                return item.job
        assert time.monotonic() < deadline, f"{job} is not shown after {patience} s"
        await asyncio.sleep(0.05)


async def test_what_an_ended_run_has_left_is_cleaned_away_and_told(place: Place, backend: Backend) -> None:
    jobs = await submitted(backend, attempt(place.task("echo said")))
    await states(backend, jobs, {Phase.ENDED}, place.patience)
    await backend.result(jobs[0])
    stranger = place.open("kother0")
    told = await stranger.clean(Cleaning(0, only=RUN, dry_run=True))
    gone = await stranger.clean(Cleaning(0, only=RUN))
    again = await stranger.clean(Cleaning(0, only=RUN))
    await stranger.aclose()
    assert [(item.what, item.kept) for item in gone] == [(item.what, "") for item in told]
    assert gone
    assert not again
