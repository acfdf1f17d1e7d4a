"""Polling, results and cancelling, on every known server and with the faults of each."""

from __future__ import annotations

import asyncio

import pytest

from crankshaft_core.backends.base import Job, Phase
from crankshaft_core.backends.tes import TESBackend
from crankshaft_core.errors import TransportError
from crankshaft_core.task import Verdict
from tests.integration.tes_client import RUN, attempt, client, ended, outcome, seen, task
from tests.services.tes_server import PROFILES, Faults, Profile, TesServer

EVERY = pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
PLAIN = PROFILES["plain-1.1"]


async def submitted(backend: TESBackend, count: int, command: str = "true") -> list[Job]:
    attempts = [attempt(task(command)) for _ in range(count)]
    ids = await asyncio.gather(*(backend.submit(one) for one in attempts))
    return [Job(one.id, one.run, task_id) for one, task_id in zip(attempts, ids, strict=True)]


@EVERY
async def test_jobs_over_many_pages_are_all_seen_to_end(profile: Profile) -> None:
    async with TesServer(profile.but(largest_page=7, refuses_large_page=False), pretend=0.05) as server:
        async with client(server) as backend:
            jobs = await submitted(backend, 30)
            states = await ended(backend, *jobs)
            assert len(states) == 30


async def test_a_sweep_of_thousands_takes_few_requests() -> None:
    profile = PLAIN.but(largest_page=400)
    quick = TesServer(profile, pretend=600, workers=5000, validate=False)
    async with quick as server, client(server) as backend:
        jobs = await submitted(backend, 1200)
        await backend.poll(jobs, sweep=False)
        before = server.requests.total()
        states = await backend.poll(jobs, sweep=True)
        assert len(states) == 1200
        assert server.requests.total() - before == 3


async def test_a_run_of_many_pages_is_not_listed_at_every_poll() -> None:
    async with TesServer(PLAIN.but(largest_page=20), pretend=600, workers=500) as server, client(server) as backend:
        jobs = await submitted(backend, 60)
        await backend.poll(jobs, sweep=False)
        before = server.requests.total()
        assert {len(await backend.poll(jobs, sweep=False)) for _ in range(5)} == {0}
        assert server.requests.total() == before


async def test_a_few_jobs_of_a_long_run_are_asked_for_one_by_one() -> None:
    async with TesServer(PLAIN.but(largest_page=10), pretend=0.01, workers=500) as server, client(server) as backend:
        jobs = await submitted(backend, 50)
        await ended(backend, *jobs)
        late = await submitted(backend, 1, "sleep 30")
        await backend.poll(late, sweep=False)
        before = server.requests.copy()
        await backend.poll(late, sweep=False)
        assert server.requests["list"] - before["list"] <= 1


async def test_an_ended_job_is_not_asked_about_again() -> None:
    async with TesServer(PLAIN) as server, client(server) as backend:
        jobs = await submitted(backend, 3)
        await ended(backend, *jobs)
        before = server.requests.total()
        states = await backend.poll(jobs, sweep=True)
        assert {state.phase for state in states.values()} == {Phase.ENDED}
        assert server.requests.total() == before


async def test_a_page_token_that_comes_again_does_not_go_on_for_ever() -> None:
    faults = Faults(repeat_token=True)
    async with TesServer(PLAIN.but(largest_page=5), faults=faults) as server, client(server) as backend:
        jobs = await submitted(backend, 12)
        states = await asyncio.wait_for(backend.poll(jobs, sweep=True), 5)
        assert Phase.MISSING not in {state.phase for state in states.values()}


async def test_a_page_that_is_too_much_for_the_server_is_halved() -> None:
    faults = Faults(largest_page=300)
    async with TesServer(PLAIN, faults=faults, pretend=60) as server, client(server) as backend:
        jobs = await submitted(backend, 3)
        backend_states = await asyncio.wait_for(backend.poll(jobs, sweep=True), 60)
        assert len(backend_states) == 3
        before = server.requests["list"]
        await backend.poll(jobs, sweep=True)
        assert server.requests["list"] == before + 1


async def test_a_server_that_ignores_filters_is_asked_job_by_job() -> None:
    async with TesServer(PLAIN, faults=Faults(ignore_filters=True)) as server, client(server) as backend:
        jobs = await submitted(backend, 5)
        await ended(backend, *jobs)
        assert server.requests["get"] >= 5


async def test_a_job_that_a_listing_leaves_out_is_not_missing() -> None:
    async with TesServer(PLAIN) as server, client(server) as backend:
        jobs = await submitted(backend, 3, "sleep 30")
        server.faults.hidden.add(str(jobs[1].id))
        states = await backend.poll(jobs, sweep=True)
        assert {state.phase for state in states.values()} <= {Phase.QUEUED, Phase.RUNNING}
        assert len(states) == 3


async def test_a_filter_that_hides_everything_is_given_up() -> None:
    async with TesServer(PLAIN) as server, client(server) as backend:
        jobs = await submitted(backend, 3, "sleep 30")
        server.faults.hidden.update(str(job.id) for job in jobs)
        for _ in range(3):
            assert len(await backend.poll(jobs, sweep=True)) == 3


@EVERY
async def test_a_job_that_the_server_forgot_is_missing_and_nothing_is_known_of_it(profile: Profile) -> None:
    async with TesServer(profile) as server, client(server) as backend:
        kept, lost = await submitted(backend, 2, "sleep 30")
        del server.tasks[str(lost.id)]
        states = await backend.poll([kept, lost], sweep=True)
        assert (states[lost.attempt].phase, states[kept.attempt].phase is Phase.MISSING) == (Phase.MISSING, False)
        assert await backend.diagnose([lost]) == {}


async def test_diagnose_tells_how_a_job_ended_that_was_only_overlooked() -> None:
    async with TesServer(PLAIN) as server, client(server) as backend:
        (job,) = await submitted(backend, 1, "exit 9")
        await ended(backend, job)
        async with client(server) as later:
            assert (await later.diagnose([job]))[job.attempt].exit_codes == (9,)


@pytest.mark.parametrize("profile", [PLAIN, PROFILES["tesk"]], ids=["by listing", "one by one"])
async def test_a_failed_poll_tells_nothing_of_any_job(profile: Profile) -> None:
    async with TesServer(profile) as server, client(server, http={"retries": 0}) as backend:
        jobs = await submitted(backend, 3)
        await ended(backend, *jobs[:1])
        server.faults.storm(60)
        with pytest.raises(TransportError):
            await backend.poll(jobs[1:], sweep=True)


@pytest.mark.parametrize(
    ("state", "verdict"),
    [("PREEMPTED", Verdict.PREEMPTED), ("SYSTEM_ERROR", Verdict.NODE_FAILURE), ("CANCELED", Verdict.CANCELLED)],
)
async def test_what_the_system_did_is_told_with_its_words(state: str, verdict: Verdict) -> None:
    async with TesServer(PLAIN, faults=Faults(endings=[state])) as server, client(server) as backend:
        result = await outcome(backend, task())
        assert result.verdict is verdict
        assert "spot capacity was reclaimed" in result.detail


async def test_a_task_that_the_server_repeated_counts_as_it_came_out_last() -> None:
    async with TesServer(PLAIN, faults=Faults(server_retries=1)) as server, client(server) as backend:
        result = await outcome(backend, task("echo fine"))
        assert (result.exit_codes, result.stdout_tail) == ((0,), "fine\n")


@EVERY
async def test_exit_codes_of_several_executors(profile: Profile) -> None:
    async with TesServer(profile) as server, client(server) as backend:
        result = await outcome(backend, task("true", "exit 3", "true"))
        assert (result.verdict, result.exit_codes) == (Verdict.FAILED, (0, 3))


async def test_an_exit_code_is_not_believed_before_the_end() -> None:
    async with TesServer(PROFILES["poiesis"]) as server, client(server) as backend:
        (job,) = await submitted(backend, 1, "sleep 30")
        await seen(backend, job, phases={Phase.RUNNING})
        with pytest.raises(TransportError, match="is RUNNING again"):
            await backend.result(job)


@EVERY
async def test_the_whole_of_stdin_reaches_a_command(profile: Profile) -> None:
    async with TesServer(profile) as server, client(server) as backend:
        work = task(
            inputs=({"path": "in.txt", "content": "some words"},),
            executions=({"image": "i", "program": "cat", "stdin": "in.txt"},),
        )
        one = attempt(work, backend)
        job = Job(one.id, one.run, await backend.submit(one))
        await ended(backend, job)
        assert (await backend.result(job)).stdout_tail == "some words"


async def test_an_image_that_is_missing_is_the_systems_error() -> None:
    async with TesServer(PLAIN) as server, client(server) as backend:
        result = await outcome(backend, task(executions=({"image": "missing:1", "command": "true"},)))
        assert (result.verdict, "image missing:1 not found" in result.detail) == (Verdict.NODE_FAILURE, True)


@EVERY
async def test_many_jobs_are_cancelled_together(profile: Profile) -> None:
    async with TesServer(profile, pretend=600, workers=100) as server, client(server) as backend:
        jobs = await submitted(backend, 40)
        await backend.cancel(jobs, force=False)
        await ended(backend, *jobs)
        assert {known["state"] for known in server.tasks.values()} == {"CANCELED"}


async def test_a_job_that_is_known_to_have_ended_is_not_cancelled() -> None:
    async with TesServer(PROFILES["poiesis"]) as server, client(server) as backend:
        (job,) = await submitted(backend, 1, "exit 3")
        await ended(backend, job)
        await backend.cancel([job], force=True)
        assert [known["state"] for known in server.tasks.values()] == ["EXECUTOR_ERROR"]


@EVERY
async def test_cancelling_a_job_that_ended_meanwhile_is_no_error(profile: Profile) -> None:
    async with TesServer(profile) as server, client(server) as backend:
        (job,) = await submitted(backend, 1)
        while next(iter(server.tasks.values()))["state"] != "COMPLETE":
            await asyncio.sleep(0.01)
        await backend.cancel([job], force=False)
        assert (await ended(backend, job))[job.attempt].reason == "COMPLETE"


async def test_cancelling_at_a_dead_server_names_what_was_not_asked() -> None:
    async with TesServer(PLAIN) as server, client(server, http={"retries": 0}) as backend:
        (job,) = await submitted(backend, 1, "sleep 30")
        server.faults.storm(60)
        with pytest.raises(TransportError, match=str(job.id)):
            await backend.cancel([job], force=False)


async def test_a_client_that_leaves_before_a_cancel_is_confirmed_says_so(caplog: pytest.LogCaptureFixture) -> None:
    async with TesServer(PLAIN) as server:
        async with client(server) as backend:
            (job,) = await submitted(backend, 1, "sleep 30")
            await backend.cancel([job], force=False)
        assert f"asked to end, not confirmed: {job.id}" in caplog.text
        assert f"crankshaft-run={RUN}" in caplog.text
