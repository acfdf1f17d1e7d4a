"""Creates whose answer is lost: one task is kept, whatever becomes of the others."""

from __future__ import annotations

import asyncio

import pytest

from crankshaft_core.backends.base import Attempt, Job, Phase
from crankshaft_core.backends.tes import TESBackend
from crankshaft_core.errors import SubmitInDoubt
from tests.integration.tes_client import attempt, client, ended, seen, task
from tests.services.tes_server import PROFILES, Faults, Profile, TesServer

EVERY = pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
PLAIN = PROFILES["plain-1.1"]


async def doubtful(backend: TESBackend, one: Attempt) -> Job:
    with pytest.raises(SubmitInDoubt):
        await backend.submit(one)
    return Job(one.id, one.run, None)


def alive(server: TesServer) -> list[str]:
    return [task_id for task_id, known in server.tasks.items() if known["state"] not in ("CANCELED", "CANCELING")]


async def alive_are(server: TesServer, wanted: list[str]) -> None:
    """The server takes a moment to end what it was asked to."""
    async with asyncio.timeout(8):
        while alive(server) != wanted:
            await asyncio.sleep(0.02)


@EVERY
async def test_a_task_whose_answer_got_lost_is_found_by_the_next_poll(profile: Profile) -> None:
    async with TesServer(profile, faults=Faults(dropped_creates=1)) as server, client(server) as backend:
        job = await doubtful(backend, attempt(task("exit 4")))
        state = (await ended(backend, job))[job.attempt]
        assert [state.id] == list(server.tasks)
        assert (await backend.result(Job(job.attempt, job.run, state.id))).exit_codes == (4,)


@EVERY
async def test_one_that_never_arrived_is_created_by_the_second_submit(profile: Profile) -> None:
    async with TesServer(profile, faults=Faults(failed_creates=1)) as server, client(server) as backend:
        one = attempt(task())
        job = await doubtful(backend, one)
        assert await backend.poll([job], sweep=True) == {}
        task_id = await backend.submit(one.repeated())
        assert list(server.tasks) == [task_id]


@EVERY
async def test_one_that_did_arrive_is_found_by_the_second_submit(profile: Profile) -> None:
    async with TesServer(profile, faults=Faults(dropped_creates=1)) as server, client(server) as backend:
        one = attempt(task())
        await doubtful(backend, one)
        task_id = await backend.submit(one.repeated())
        assert list(server.tasks) == [task_id]


@EVERY
async def test_another_client_of_the_run_finds_it_as_well(profile: Profile) -> None:
    async with TesServer(profile, faults=Faults(dropped_creates=1)) as server:
        one = attempt(task())
        async with client(server) as backend:
            await doubtful(backend, one)
        async with client(server) as later:
            assert [await later.submit(one.repeated())] == list(server.tasks)


@EVERY
async def test_one_that_arrives_late_is_surplus_and_is_cancelled(profile: Profile) -> None:
    faults = Faults(late_creates=1, stall=0.3)
    async with TesServer(profile, faults=faults) as server, client(server) as backend:
        one = attempt(task("sleep 30"))
        await doubtful(backend, one)
        kept = await backend.submit(one.repeated())
        job = Job(one.id, one.run, kept)
        while len(server.tasks) < 2:
            await asyncio.sleep(0.05)
        await backend.poll([job], sweep=True)
        await alive_are(server, [kept])
        assert (await backend.poll([job], sweep=True))[one.id].phase in {Phase.QUEUED, Phase.RUNNING}


async def test_surplus_of_a_client_that_leaves_is_cancelled() -> None:
    async with TesServer(PLAIN, faults=Faults(late_creates=1, stall=0.2)) as server:
        async with client(server) as backend:
            one = attempt(task("sleep 30"))
            await doubtful(backend, one)
            kept = await backend.submit(one.repeated())
            await asyncio.sleep(0.4)
            assert len(alive(server)) == 2
        await alive_are(server, [kept])


async def test_the_outputs_of_two_copies_cannot_mix(tmp_path_factory: pytest.TempPathFactory) -> None:
    storage = tmp_path_factory.mktemp("storage").as_uri()
    faults = Faults(late_creates=1, stall=0.05)
    async with TesServer(PLAIN, faults=faults) as server, client(server, storage=storage) as backend:
        one = attempt(task("echo x > o", outputs=({"path": "o"},)))
        await doubtful(backend, one)
        await backend.submit(one.repeated())
        await asyncio.sleep(0.2)
        first, second = (known["outputs"][0]["url"] for known in server.tasks.values())
        assert first != second


async def test_an_answer_that_takes_too_long_is_a_doubt() -> None:
    faults = Faults(stalled_creates=1, stall=5.0)
    async with TesServer(PLAIN, faults=faults) as server, client(server, http={"timeout": 0.2}) as backend:
        job = await doubtful(backend, attempt(task()))
        assert (await ended(backend, job))[job.attempt].id in server.tasks


async def test_a_submit_cancelled_in_the_middle_is_a_doubt_too() -> None:
    faults = Faults(stalled_creates=1, stall=5.0)
    async with TesServer(PLAIN, faults=faults) as server, client(server) as backend:
        one = attempt(task())
        submitting = asyncio.ensure_future(backend.submit(one))
        while not server.tasks:
            await asyncio.sleep(0.01)
        submitting.cancel()
        await asyncio.gather(submitting, return_exceptions=True)
        assert [await backend.submit(one.repeated())] == list(server.tasks)


@EVERY
async def test_a_doubt_that_is_cancelled_does_not_run(profile: Profile) -> None:
    async with TesServer(profile, faults=Faults(dropped_creates=1)) as server, client(server) as backend:
        job = await doubtful(backend, attempt(task("sleep 30")))
        await backend.cancel([job], force=False)
        state = (await seen(backend, job, phases={Phase.ENDED, Phase.MISSING}))[job.attempt]
        assert state.phase is Phase.ENDED
        assert [known["state"] for known in server.tasks.values()] == ["CANCELED"]


async def test_a_cancelled_doubt_that_never_arrived_is_missing() -> None:
    async with TesServer(PLAIN, faults=Faults(failed_creates=1)) as server, client(server) as backend:
        job = await doubtful(backend, attempt(task()))
        await backend.cancel([job], force=False)
        assert (await seen(backend, job, phases={Phase.MISSING}))[job.attempt].phase is Phase.MISSING
        assert not server.tasks


async def test_a_cancelled_doubt_that_arrives_late_is_cancelled_at_the_latest_when_the_client_leaves() -> None:
    async with TesServer(PLAIN, faults=Faults(late_creates=1, stall=0.2)) as server:
        async with client(server) as backend:
            job = await doubtful(backend, attempt(task("sleep 30")))
            await backend.cancel([job], force=False)
            await asyncio.sleep(0.4)
            assert len(alive(server)) == 1
        await alive_are(server, [])


async def test_another_runs_tasks_are_left_alone() -> None:
    async with TesServer(PROFILES["tesk"]) as server:
        async with client(server, run="kother") as other:
            stranger = await other.submit(attempt(task("sleep 30"), run="kother"))
        server.faults.dropped_creates = 1
        async with client(server) as backend:
            job = await doubtful(backend, attempt(task()))
            await ended(backend, job)
        assert stranger in alive(server)


async def test_many_lost_answers_lead_to_no_second_task_and_to_no_lost_one() -> None:
    faults = Faults(error_rate=0.05, drop_rate=0.1)
    async with TesServer(PLAIN, faults=faults, pretend=0.1) as server, client(server) as backend:
        attempts = [attempt(task()) for _ in range(150)]
        jobs = await asyncio.gather(*(_until_accepted(backend, one) for one in attempts))
        await ended(backend, *jobs, patience=60)
        assert len(alive(server)) == 150
        names = {known["name"] for known in server.tasks.values()}
        assert len(names) == 150


async def _until_accepted(backend: TESBackend, one: Attempt) -> Job:
    while True:
        try:
            return Job(one.id, one.run, await backend.submit(one))
        except SubmitInDoubt:
            one = one.repeated()
            await asyncio.sleep(0.1)
