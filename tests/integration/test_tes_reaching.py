"""Finding the server, being let in, and bearing what a network and a busy server do."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import time
from pathlib import Path

import pytest

from crankshaft_core.backends.base import Job, Phase
from crankshaft_core.errors import AuthenticationError, SubmitDeferred, SubmitError, TransportError
from tests.integration.tes_client import attempt, client, ended, outcome, task
from tests.services.tes_server import PROFILES, Faults, TesServer

PLAIN = PROFILES["plain-1.1"]


@pytest.mark.parametrize("base", ["", "/ga4gh/tes/v1", "/v1"])
async def test_the_api_is_found_under_the_usual_paths(base: str) -> None:
    async with TesServer(PLAIN.but(bases=(base,))) as server, client(server) as backend:
        assert (await outcome(backend, task("exit 3"))).exit_codes == (3,)


async def test_the_address_as_given_comes_first() -> None:
    async with TesServer(PLAIN.but(bases=("/my/tes",))) as server, client(f"{server.url}/my/tes/") as backend:
        assert (await outcome(backend, task())).exit_codes == (0,)
        assert server.requests["elsewhere"] == 0


async def test_the_api_is_looked_for_once() -> None:
    async with TesServer(PLAIN) as server, client(server) as backend:
        await asyncio.gather(*(backend.submit(attempt(task())) for _ in range(10)))
        assert server.requests["info"] == 1


async def test_an_address_without_tes_is_named_with_what_was_tried() -> None:
    async with TesServer(PLAIN.but(bases=("/elsewhere",))) as server, client(server) as backend:
        with pytest.raises(SubmitError, match=rf"no TES server at {server.url}: tried .*/v1/service-info \(404\)"):
            await backend.submit(attempt(task()))


async def test_where_nothing_listens_nothing_is_submitted_and_it_may_be_tried_again() -> None:
    async with TesServer(PLAIN) as server:
        url = server.url
    async with client(url) as backend:
        with pytest.raises(TransportError, match="service-info"):
            await backend.submit(attempt(task()))


async def test_a_server_that_comes_up_later_is_found() -> None:
    server = TesServer(PLAIN)
    async with server:
        url = server.url
        await server.hang_up()
        async with client(url) as backend:
            with pytest.raises(TransportError):
                await backend.submit(attempt(task()))
            await server.listen()
            async with asyncio.timeout(10):
                while not server.tasks:
                    with contextlib.suppress(TransportError):
                        await backend.submit(attempt(task()))
                    await asyncio.sleep(0.05)


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.mark.parametrize(
    ("http", "header"),
    [
        ({"auth": {"type": "basic", "username": "me", "password": "pä:ss"}}, basic("me", "pä:ss")),
        ({"auth": {"type": "bearer", "token": "t0k"}}, "Bearer t0k"),
        ({"auth": {"type": "header", "name": "Authorization", "value": "Special x"}}, "Special x"),
        ({"basic_auth_token": "bWU6cHc="}, "Basic bWU6cHc="),
    ],
)
async def test_every_kind_of_login_is_let_in(http: dict[str, object], header: str) -> None:
    faults = Faults(logins=frozenset({header}))
    async with TesServer(PLAIN, faults=faults) as server, client(server, http=http) as backend:
        assert (await outcome(backend, task())).exit_codes == (0,)


async def test_without_a_login_the_message_says_so() -> None:
    async with TesServer(PLAIN, faults=Faults(logins=frozenset({"Bearer t"}))) as server, client(server) as backend:
        with pytest.raises(AuthenticationError, match=r"401, token expired \(GET .*\)\. Set `http\.auth`"):
            await backend.submit(attempt(task()))


async def test_a_token_that_changed_is_read_again_on_401(tmp_path: Path) -> None:
    secret = tmp_path / "token"
    secret.write_text("old\n")
    faults = Faults(logins=frozenset({"Bearer old"}))
    http = {"auth": {"type": "bearer", "token": {"file": str(secret)}}}
    async with TesServer(PLAIN, faults=faults) as server, client(server, http=http) as backend:
        await outcome(backend, task())
        faults.logins = frozenset({"Bearer new"})
        secret.write_text("new\n")
        assert (await outcome(backend, task())).exit_codes == (0,)


async def test_a_login_that_is_refused_is_not_tried_again_and_again() -> None:
    faults = Faults(logins=frozenset({basic("me", "right")}))
    http = {"auth": {"type": "basic", "username": "me", "password": "wrong"}}
    async with TesServer(PLAIN, faults=faults) as server, client(server, http=http) as backend:
        for _ in range(20):
            with pytest.raises(AuthenticationError):
                await backend.submit(attempt(task()))
        assert server.requests.total() == 1


async def test_a_vault_is_not_asked_once_per_task(tmp_path: Path) -> None:
    command = f"echo asked >> {tmp_path}/log; echo t0k"
    http = {"auth": {"type": "bearer", "token": {"command": command}}}
    async with TesServer(PLAIN, faults=Faults(logins=frozenset({"Bearer other"}))) as server:
        async with client(server, http=http) as backend:
            for _ in range(30):
                with pytest.raises(AuthenticationError):
                    await backend.submit(attempt(task()))
    assert len((tmp_path / "log").read_text().splitlines()) == 2


async def test_many_submits_with_an_expired_token_lead_to_few_requests(tmp_path: Path) -> None:
    secret = tmp_path / "token"
    secret.write_text("old")
    faults = Faults(logins=frozenset({"Bearer old"}))
    http = {"auth": {"type": "bearer", "token": {"file": str(secret)}}}
    async with TesServer(PLAIN, faults=faults) as server, client(server, http=http) as backend:
        await outcome(backend, task())
        before = server.requests.total()
        faults.logins = frozenset({"Bearer new"})
        answers = await asyncio.gather(*(backend.submit(attempt(task())) for _ in range(50)), return_exceptions=True)
        assert {type(answer) for answer in answers} == {AuthenticationError}
        assert server.requests.total() - before <= 8  # those under way at once


async def test_a_secret_appears_in_no_message() -> None:
    faults = Faults(logins=frozenset({"Bearer other"}))
    http = {"auth": {"type": "bearer", "token": "s3cr3t-token"}}
    async with TesServer(PLAIN, faults=faults) as server, client(server, http=http) as backend:
        with pytest.raises(AuthenticationError) as caught:
            await backend.submit(attempt(task()))
        assert "s3cr3t" not in f"{caught.value!r} {caught.value.__cause__!r} {await backend.check()}"


@pytest.mark.parametrize("retry_after", ["7", None])
async def test_too_many_requests_defer_a_submit(retry_after: str | None) -> None:
    faults = Faults(retry_after=retry_after)
    async with TesServer(PLAIN, faults=faults) as server, client(server) as backend:
        await backend.submit(attempt(task()))
        faults.busy = 1
        with pytest.raises(SubmitDeferred, match="429 slow down") as caught:
            await backend.submit(attempt(task()))
        assert caught.value.retry_after == (7.0 if retry_after else None)


async def test_the_servers_wish_to_wait_holds_for_all_submits() -> None:
    faults = Faults(retry_after="60")
    async with TesServer(PLAIN, faults=faults) as server, client(server) as backend:
        await backend.submit(attempt(task()))
        faults.busy = 1
        before = server.requests["create"]
        for _ in range(10):
            with pytest.raises(SubmitDeferred):
                await backend.submit(attempt(task()))
        assert server.requests["create"] == before + 1


async def test_questions_are_repeated_through_a_storm() -> None:
    faults = Faults()
    async with TesServer(PLAIN, faults=faults) as server, client(server) as backend:
        one = attempt(task("exit 5"))
        job = Job(one.id, one.run, await backend.submit(one))
        await ended(backend, job)
        faults.storm(0.3)
        assert (await backend.result(job)).exit_codes == (5,)


async def test_a_dead_server_gets_one_request_per_back_off_and_not_one_per_task() -> None:
    async with TesServer(PLAIN) as server, client(server) as backend:
        await backend.submit(attempt(task()))
        before = server.requests.total()
        server.faults.storm(60.0)
        deadline = time.monotonic() + 2.0
        refused = 0
        while time.monotonic() < deadline:
            answers = await asyncio.gather(
                *(backend.submit(attempt(task())) for _ in range(20)), return_exceptions=True
            )
            refused += sum(isinstance(answer, Exception) for answer in answers)
            await asyncio.sleep(0.02)
        assert refused > 500
        assert server.requests.total() - before < 20


async def test_a_server_that_hangs_up_and_comes_back_keeps_its_jobs() -> None:
    async with TesServer(PLAIN) as server, client(server) as backend:
        one = attempt(task("sleep 0.2; exit 6"))
        job = Job(one.id, one.run, await backend.submit(one))
        await server.hang_up()
        with pytest.raises(TransportError):
            await backend.poll([job], sweep=False)
        await server.listen()
        await ended(backend, job)
        assert (await backend.result(job)).exit_codes == (6,)


async def test_a_server_restarted_with_its_state_still_knows_the_job(tmp_path: Path) -> None:
    state = tmp_path / "tasks.jsonl"
    async with TesServer(PLAIN, state=state) as server:
        port = int(server.url.rsplit(":", 1)[1])
        async with client(server) as backend:
            one = attempt(task("exit 6"))
            job = Job(one.id, one.run, await backend.submit(one))
            await ended(backend, job)
    async with TesServer(PLAIN, state=state, port=port) as server, client(server) as backend:
        assert (await ended(backend, job))[job.attempt].phase is Phase.ENDED
        assert (await backend.result(job)).exit_codes == (6,)


async def test_a_refusal_is_told_with_method_url_words_and_hint() -> None:
    profile = PLAIN.but(schemes=frozenset({"https"}))
    async with TesServer(profile) as server, client(server) as backend:
        one = attempt(task(inputs=({"path": "/d/a", "url": "s3://b/a"},)), backend, scratch=Path("/nonexistent"))
        with pytest.raises(SubmitError, match=r"POST http://.*/tasks: 400 input URL s3://b/a uses an unsupp"):
            await backend.submit(one)


@pytest.mark.parametrize("name", PROFILES)
async def test_check_names_the_server_its_version_and_the_login(name: str) -> None:
    async with TesServer(PROFILES[name]) as server, client(server) as backend:
        health = await backend.check()
        assert health.ok
        assert health.summary.startswith(f"{name} 7.2")
        assert health.summary.endswith("no login asked for")


async def test_check_says_what_the_server_ignores() -> None:
    async with TesServer(PROFILES["tesk"]) as server, client(server) as backend:
        await outcome(backend, task())
        assert "it ignores filters: states are asked task by task" in (await backend.check()).notes


async def test_check_of_a_dead_server_says_so() -> None:
    async with TesServer(PLAIN) as server:
        url = server.url
    async with client(url) as backend:
        health = await backend.check()
        assert not health.ok
        assert url in health.summary
