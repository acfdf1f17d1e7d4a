"""Cancelling: asked, confirmed, escalated, given up."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest

from crankshaft_core.backends.base import Attempt, Cadence
from crankshaft_core.backends.memory import MemoryBackend, System
from crankshaft_core.engine import Engine
from crankshaft_core.errors import CancelUnconfirmed, SubmitInDoubt, TransportError
from crankshaft_core.events import TaskCancelled
from crankshaft_core.journal import Journal
from tests.unit.engine.conftest import QUICK, StartEngine, config, task, until


async def test_a_running_task_is_cancelled_and_confirmed(start: StartEngine, system: System) -> None:
    events: list[object] = []
    async with start() as engine:
        engine.subscribe(events.append)
        handle = engine.spawn("m", task())
        await until(lambda: handle.job_id)
        handle.cancel()
        with pytest.raises(asyncio.CancelledError):
            await handle
    assert system.calls["cancel"] == 1
    assert isinstance(events[-1], TaskCancelled)


async def test_a_task_without_a_place_is_cancelled_without_a_submit(start: StartEngine, system: System) -> None:
    async with start(config(max_tasks=1)) as engine:
        first, second = engine.spawn("m", task()), engine.spawn("m", task())
        await until(lambda: first.job_id)
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        assert len(system.runs) == 1
        system.end(next(iter(system.records)))
        assert (await first).ok


async def test_a_cancelled_wait_gives_its_place_in_the_queue_away(start: StartEngine, system: System) -> None:
    async with start(config(max_tasks=1)) as engine:
        first, second, third = (engine.spawn("m", task()) for _ in range(3))
        await until(lambda: first.job_id)
        second.cancel()
        system.end(next(iter(system.records)))
        await first
        await until(lambda: third.job_id)


async def test_a_job_that_ignores_the_request_is_forced(start: StartEngine, system: System) -> None:
    system.ignores_cancel = True
    async with start() as engine:
        handle = engine.spawn("m", task())
        await until(lambda: handle.job_id)
        handle.cancel()
        with pytest.raises(asyncio.CancelledError):
            await handle
    assert (system.calls["cancel"], system.calls["kill"]) == (1, 1)


async def test_a_job_asked_to_end_is_given_time_before_it_is_forced(start: StartEngine, system: System) -> None:
    system.ignores_cancel = True
    async with start(cadence=dataclasses.replace(QUICK, kill_after=0.3, cancel_timeout=2)) as engine:
        handle = engine.spawn("m", task())
        await until(lambda: handle.job_id)
        handle.cancel()
        await until(lambda: system.calls.get("cancel"))
        await asyncio.sleep(0.1)
        assert "kill" not in system.calls
        await handle.wait()
        assert system.calls["kill"] == 1


async def test_what_is_never_confirmed_is_named(start: StartEngine, system: System) -> None:
    system.deaf = True
    async with start() as engine:
        handle = engine.spawn("m", task())
        await until(lambda: handle.job_id)
        handle.cancel()
        with pytest.raises(CancelUnconfirmed, match="t \\(m job-1\\): asked to end") as caught:
            await handle
    assert caught.value.job_ids == ("job-1",)


async def test_leaving_the_context_names_what_was_not_confirmed(start: StartEngine, system: System) -> None:
    system.deaf = True
    engine = await start().__aenter__()
    handle = engine.spawn("m", task())
    await until(lambda: handle.job_id)
    with pytest.raises(CancelUnconfirmed, match="not confirmed to have ended: job-1"):
        await engine.__aexit__(None, None, None)


async def test_a_cancel_that_cannot_be_delivered_is_repeated(start: StartEngine, system: System) -> None:
    system.faults["cancel"] = [TransportError("down"), TransportError("down")]
    async with start() as engine:
        handle = engine.spawn("m", task())
        await until(lambda: handle.job_id)
        handle.cancel()
        with pytest.raises(asyncio.CancelledError):
            await handle
    assert system.calls["cancel"] == 3


async def test_a_submit_under_way_completes_and_is_then_cancelled(system: System, tmp_path) -> None:
    class Slow(MemoryBackend):
        async def submit(self, attempt: Attempt) -> str:
            entered.set()
            await go_on.wait()
            return await super().submit(attempt)

    entered, go_on = asyncio.Event(), asyncio.Event()
    journal = Journal.open(tmp_path / "j")
    async with Engine(config(), journal=journal, open_backend=lambda _, run_id: Slow(system, cadence=QUICK)) as engine:
        handle = engine.spawn("m", task())
        await entered.wait()
        handle.cancel()
        await asyncio.sleep(0.02)
        assert not handle.done()
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await handle
    assert list(system.runs.values()) == [1]
    assert system.calls["cancel"] == 1


async def test_a_cancelled_run_returns_when_the_end_is_confirmed(start: StartEngine, system: System) -> None:
    async with start() as engine:
        running = asyncio.create_task(engine.run("m", task()))
        await until(lambda: system.records)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert system.calls["cancel"] == 1
        assert engine.live == ()


async def test_a_second_cancel_does_not_interrupt_the_first(start: StartEngine, system: System) -> None:
    system.ignores_cancel = True
    async with start() as engine:
        running = asyncio.create_task(engine.run("m", task()))
        await until(lambda: system.records)
        running.cancel()
        await until(lambda: system.calls.get("cancel"))
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert engine.live == ()


async def test_leaving_the_context_cancels_what_is_left(start: StartEngine, system: System) -> None:
    async with start() as engine:
        handles = [engine.spawn("m", task()) for _ in range(4)]
        await until(lambda: len(system.records) == 4)
    assert all(handle.done() for handle in handles)
    assert system.calls["cancel"] == 1, "all in one call"


async def test_a_task_that_ends_well_before_the_kill_gives_its_result(start: StartEngine, system: System) -> None:
    async with start(cadence=Cadence(poll=5, kill_after=9, cancel_timeout=9)) as engine:
        handle = engine.spawn("m", task())
        await until(lambda: handle.job_id)
        system.end(next(iter(system.records)))
        handle.cancel()
        assert (await handle).ok


async def test_a_submit_in_doubt_is_cancelled_without_a_second_submit(start: StartEngine, system: System) -> None:
    system.faults["submit"] = [SubmitInDoubt("Socket timed out")]
    async with start() as engine:
        handle = engine.spawn("m", task())
        await until(lambda: system.calls.get("submit"))
        handle.cancel()
        with pytest.raises(asyncio.CancelledError):
            await handle
    assert system.calls["submit"] == 1
    assert system.runs == {}


async def test_engine_cancel_ends_every_task(start: StartEngine, system: System) -> None:
    async with start() as engine:
        handles = [engine.spawn("m", task()) for _ in range(3)]
        await until(lambda: len(system.records) == 3)
        await engine.cancel()
        assert all(handle.done() for handle in handles)
