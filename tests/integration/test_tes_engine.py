"""TES through the engine: retries, doubts, outages and cancelling as a caller sees them."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from crankshaft_core.config import Config
from crankshaft_core.engine import Engine
from crankshaft_core.errors import (
    AuthenticationError,
    CancelUnconfirmed,
    NodeFailureError,
    PreemptedError,
    StagingError,
    SubmitError,
)
from crankshaft_core.events import Event, LoginRefused, TaskRetried
from crankshaft_core.notices import Notices
from crankshaft_core.task import Execution, Task, Verdict
from tests.integration.tes_client import task
from tests.services.tes_server import PROFILES, Faults, TesServer

PLAIN = PROFILES["plain-1.1"]


def config(server: TesServer, more: str = "", *, cancel_timeout: str = "20s") -> Config:
    return Config.parse(
        f"[[backends]]\nname = 'tes'\nkind = 'TES'\nurl = '{server.url}'\npoll_interval = 0.05\nsweep_interval = 0.1\n"
        f"grace = '300ms'\nkill_after = '1s'\ncancel_timeout = '{cancel_timeout}'\n{more}"
    )


ENV_ADVICE = "{ env } cannot change in a running process; use { file } or { command }"


async def test_a_token_that_expires_is_one_line_that_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CK_TOKEN", "t0k")
    faults = Faults(logins=frozenset({"Bearer t0k"}))
    said: list[str] = []
    events: list[Event] = []
    async with TesServer(PLAIN, faults=faults, pretend=60) as server:
        more = "http = { auth = { type = 'bearer', token = { env = 'CK_TOKEN' } } }"
        async with Engine(config(server, more, cancel_timeout="300ms")) as engine:
            for subscriber in (events.append, Notices(said.append)):
                engine.subscribe(subscriber)
            alive = [engine.spawn("tes", task()) for _ in range(3)]
            await until(lambda: all(handle.job_id for handle in alive))
            faults.logins = frozenset()
            waiting = [engine.spawn("tes", task()) for _ in range(2)]
            await until(lambda: any(isinstance(event, LoginRefused) for event in events))
            await asyncio.sleep(0.3)
            assert not any(handle.done() for handle in (*alive, *waiting))
            with pytest.raises(CancelUnconfirmed):
                await engine.cancel()
    assert len(said) == 1, said
    line = rf"tes: 401, token expired \(.*\)\. 3 jobs continue, submits wait\. {re.escape(ENV_ADVICE)}\."
    assert re.fullmatch(line, said[0])


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.01)


async def test_a_preempted_task_is_tried_again_and_at_last_on_a_machine_that_stays() -> None:
    faults = Faults(endings=["PREEMPTED", "PREEMPTED"])
    events: list[Event] = []
    async with TesServer(PLAIN, faults=faults) as server:
        async with Engine(config(server, "retry = { attempts = 3, on = ['preempted'] }")) as engine:
            engine.subscribe(events.append)
            result = await engine.run("tes", task("echo fine", resources={"preemptible": True}))
        assert (result.ok, result.stdout_tail) == (True, "fine\n")
        assert [item["resources"]["preemptible"] for item in server.tasks.values()] == [True, True, False]
        assert len({item["name"] for item in server.tasks.values()}) == 3
    assert [event.verdict for event in events if isinstance(event, TaskRetried)] == [Verdict.PREEMPTED] * 2


@pytest.mark.parametrize(("state", "error"), [("PREEMPTED", PreemptedError), ("SYSTEM_ERROR", NodeFailureError)])
async def test_without_retry_the_caller_is_told_what_the_system_said(state: str, error: type[Exception]) -> None:
    async with TesServer(PLAIN, faults=Faults(endings=[state])) as server, Engine(config(server)) as engine:
        with pytest.raises(error, match="spot capacity was reclaimed"):
            await engine.run("tes", task())


NOT_SET = "{ env = 'CK_NOT_SET' }"


@pytest.mark.parametrize(
    ("more", "key"),
    [
        (f"http = {{ auth = {{ type = 'bearer', token = {NOT_SET} }} }}", "http.auth.token"),
        (f"http = {{ auth = {{ type = 'basic', username = 'me', password = {NOT_SET} }} }}", "http.auth.password"),
        (f"http = {{ auth = {{ type = 'header', name = 'X-Key', value = {NOT_SET} }} }}", "http.auth.value"),
        (f"http = {{ basic_auth_token = {NOT_SET} }}", "http.basic_auth_token"),
        (f"storage = {{ url = 'memory://in', options = {{ key = {NOT_SET} }} }}", "storage memory://in: options.key"),
    ],
)
async def test_a_secret_that_is_not_set_fails_every_task_at_once_and_names_its_place(more: str, key: str) -> None:
    async with TesServer(PLAIN) as server, Engine(config(server, more)) as engine, asyncio.timeout(5):
        answers = await asyncio.gather(*(engine.run("tes", task()) for _ in range(3)), return_exceptions=True)
        assert not server.tasks
    for answer in answers:
        assert isinstance(answer, AuthenticationError | StagingError)
        assert f"backend 'tes', {key}: the secret {{ env = 'CK_NOT_SET' }} is not there" in str(answer)


@pytest.mark.parametrize("name", PROFILES)
async def test_many_tasks_through_storms_and_lost_answers_run_once_each(name: str) -> None:
    faults = Faults(error_rate=0.08, drop_rate=0.05)
    async with TesServer(PROFILES[name], faults=faults) as server:
        async with Engine(config(server, "max_tasks = 200")) as engine:
            results = await asyncio.gather(*(engine.run("tes", task(f"exit {n % 3}")) for n in range(30)))
        assert [result.exit_code for result in results] == [n % 3 for n in range(30)]
        names = Counter(item["name"] for item in server.tasks.values() if item["state"] != "CANCELED")
        assert len(names) == 30
        assert set(names.values()) == {1}


async def test_an_outage_in_the_middle_fails_no_task() -> None:
    async with TesServer(PLAIN) as server, Engine(config(server)) as engine:
        handles = [engine.spawn("tes", task("sleep 0.5; exit 4")) for _ in range(5)]
        while not all(handle.job_id for handle in handles):
            await asyncio.sleep(0.01)
        await server.hang_up()
        await asyncio.sleep(1.0)
        await server.listen()
        assert [(await handle).exit_code for handle in handles] == [4] * 5


async def test_tasks_spawned_during_an_outage_wait_and_run() -> None:
    async with TesServer(PLAIN) as server:
        await server.hang_up()
        async with Engine(config(server)) as engine:
            handles = [engine.spawn("tes", task("exit 5")) for _ in range(5)]
            await asyncio.sleep(0.5)
            await server.listen()
            assert [(await handle).exit_code for handle in handles] == [5] * 5
        assert len(server.tasks) == 5


async def test_cancelling_everything_is_confirmed_by_the_server() -> None:
    async with TesServer(PROFILES["planetary"], workers=4) as server, Engine(config(server)) as engine:
        handles = [engine.spawn("tes", task("sleep 60")) for _ in range(10)]
        while not all(handle.job_id for handle in handles):
            await asyncio.sleep(0.01)
        await engine.cancel()
        assert {item["state"] for item in server.tasks.values()} == {"CANCELED"}


async def test_a_task_cancelled_while_its_create_is_in_doubt_is_not_left_running() -> None:
    faults = Faults(dropped_creates=1)
    async with TesServer(PLAIN, faults=faults) as server:
        async with Engine(config(server)) as engine:
            handle = engine.spawn("tes", task("sleep 60"))
            while not server.tasks:
                await asyncio.sleep(0.005)
            handle.cancel()
            await handle.wait()
        assert {item["state"] for item in server.tasks.values()} == {"CANCELED"}


async def test_a_limit_on_time_is_kept_by_the_engine() -> None:
    async with TesServer(PLAIN) as server, Engine(config(server)) as engine:
        with pytest.raises(Exception, match="time limit"):
            await engine.run("tes", task("sleep 60", resources={"time": "300ms"}))
        assert {item["state"] for item in server.tasks.values()} == {"CANCELED"}


async def test_what_the_server_refuses_is_an_error_of_that_task_alone() -> None:
    async with TesServer(PLAIN.but(schemes=frozenset({"https"}))) as server, Engine(config(server)) as engine:
        bad = engine.spawn("tes", task(inputs=({"path": "/a", "url": "s3://b/a"},)))
        good = engine.spawn("tes", task())
        with pytest.raises(SubmitError, match="unsupported scheme"):
            await bad
        assert (await good).ok


async def test_a_file_without_storage_is_an_error_before_anything_is_sent(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    async with TesServer(PLAIN) as server, Engine(config(server)) as engine:
        with pytest.raises(StagingError, match="Configure `storage`"):
            await engine.run("tes", task(inputs=({"path": "a", "url": (tmp_path / "a").as_uri()},)))
        assert server.requests["create"] == 0


async def test_a_task_without_image_is_an_error_before_anything_is_sent() -> None:
    async with TesServer(PLAIN) as server, Engine(config(server)) as engine:
        with pytest.raises(SubmitError, match="names no image"):
            await engine.run("tes", Task(executions=(Execution(command="true"),)))
        assert server.requests["create"] == 0


async def test_outputs_reach_the_callers_directory(tmp_path: Path) -> None:
    work = task("echo done > o.txt", outputs=({"path": "o.txt", "url": (tmp_path / "kept/o.txt").as_uri()},))
    async with TesServer(PLAIN) as server:
        async with Engine(config(server, f"storage = 'file://{tmp_path}/storage'")) as engine:
            result = await engine.run("tes", work)
    assert result.ok
    assert (tmp_path / "kept/o.txt").read_text() == "done\n"
