"""What happens to a task between spawn and its result."""

from __future__ import annotations

import asyncio

import pytest

from crankshaft_core.backends.base import Outcome
from crankshaft_core.backends.memory import System
from crankshaft_core.errors import (
    AuthenticationError,
    BackendError,
    CancelledElsewhereError,
    ConfigError,
    EngineError,
    ExitCodeError,
    LostTaskError,
    NodeFailureError,
    OutOfMemoryError,
    PreemptedError,
    StuckError,
    SubmitDeferred,
    SubmitError,
    SubmitInDoubt,
    TimeLimitError,
    TransportError,
)
from crankshaft_core.events import BackendRecovered, BackendUnreachable, TaskHeld, TaskRetried
from crankshaft_core.task import Verdict
from tests.unit.engine.conftest import StartEngine, config, task, until


async def test_a_task_that_ends_well_gives_its_result(start: StartEngine, system: System) -> None:
    system.instant = True
    async with start() as engine:
        result = await engine.run("m", task("hello"))
    assert (result.ok, result.name, result.backend, result.exit_codes) == (True, "hello", "m", (0,))


async def test_a_non_zero_exit_is_a_result(start: StartEngine, system: System) -> None:
    async with start() as engine:
        handle = engine.spawn("m", task())
        await until(lambda: system.records)
        system.end(next(iter(system.records)), Verdict.FAILED, exit_codes=(3,))
        result = await handle
    assert (result.ok, result.exit_code) == (False, 3)


async def test_check_raises_on_a_non_zero_exit(start: StartEngine, system: System) -> None:
    async with start() as engine:
        handle = engine.spawn("m", task())
        await until(lambda: system.records)
        system.end(next(iter(system.records)), Verdict.FAILED, exit_codes=(3,))
        with pytest.raises(ExitCodeError, match=r"t \(m job-1\): exit code 3"):
            (await handle).check()


@pytest.mark.parametrize(
    ("verdict", "error"),
    [
        (Verdict.OUT_OF_MEMORY, OutOfMemoryError),
        (Verdict.TIME_LIMIT, TimeLimitError),
        (Verdict.CANCELLED, CancelledElsewhereError),
        (Verdict.PREEMPTED, PreemptedError),
        (Verdict.NODE_FAILURE, NodeFailureError),
        (Verdict.STUCK, StuckError),
        (Verdict.REJECTED, SubmitError),
        (Verdict.LOST, LostTaskError),
    ],
)
async def test_what_the_system_ended_is_an_error(
    start: StartEngine, system: System, verdict: Verdict, error: type[BackendError]
) -> None:
    async with start() as engine:
        handle = engine.spawn("m", task())
        await until(lambda: system.records)
        system.end(next(iter(system.records)), verdict, exit_codes=())
        with pytest.raises(error) as caught:
            await handle
    assert caught.value.result is not None
    assert caught.value.result.verdict is verdict


async def test_an_unknown_backend_is_refused_at_spawn(start: StartEngine) -> None:
    async with start() as engine:
        with pytest.raises(ConfigError, match="no backend named 'lfs'; known: "):
            engine.spawn("lfs", task())


async def test_an_engine_that_was_not_entered_says_so(start: StartEngine) -> None:
    engine = start()
    with pytest.raises(EngineError, match="not started"):
        engine.spawn("m", task())
    async with engine:
        pass


async def test_max_tasks_holds(start: StartEngine, system: System) -> None:
    async with start(config(max_tasks=2)) as engine:
        handles = [engine.spawn("m", task()) for _ in range(6)]
        for done in range(6):
            await until(lambda done=done: len(system.runs) == min(6, done + 2))
            await asyncio.sleep(0.01)
            assert len(system.records) <= 2
            system.end(next(name for name, record in system.records.items() if record.outcome is None))
            await until(lambda done=done: sum(handle.done() for handle in handles) == done + 1)


async def test_max_tasks_holds_for_two_engines_of_one_configuration(start: StartEngine, system: System) -> None:
    conf = config(max_tasks=1)
    async with start(conf, journal="a") as first, start(conf, journal="b") as second:
        one, two = first.spawn("m", task()), second.spawn("m", task())
        await until(lambda: system.records)
        await asyncio.sleep(0.02)
        assert len(system.records) == 1
        system.end(next(iter(system.records)))
        await one
        await until(lambda: len(system.runs) == 2)
        system.end(next(name for name, record in system.records.items() if record.outcome is None))
        assert (await two).ok


async def test_a_failed_poll_fails_no_task(start: StartEngine, system: System) -> None:
    system.faults["poll"] = [TransportError("503"), TransportError("503")]
    events: list[object] = []
    async with start() as engine:
        engine.subscribe(events.append)
        handle = engine.spawn("m", task())
        await until(lambda: system.records and not system.faults["poll"])
        system.end(next(iter(system.records)))
        assert (await handle).ok
    kinds = [type(event) for event in events]
    assert (kinds.count(BackendUnreachable), kinds.count(BackendRecovered)) == (1, 1)


async def test_a_missing_job_without_a_reason_is_lost_after_three_looks(start: StartEngine, system: System) -> None:
    async with start() as engine:
        handle = engine.spawn("m", task())
        await until(lambda: system.records)
        system.lose(next(iter(system.records)))
        with pytest.raises(LostTaskError, match="no query has listed it"):
            await handle
    assert system.calls["diagnose"] == 3


async def test_a_missing_job_ends_as_it_was_diagnosed(start: StartEngine, system: System) -> None:
    async with start() as engine:
        handle = engine.spawn("m", task())
        await until(lambda: system.records)
        system.lose(next(iter(system.records)), Outcome(Verdict.NODE_FAILURE, detail="NODE_FAIL c07"))
        with pytest.raises(NodeFailureError, match="NODE_FAIL c07"):
            await handle


async def test_a_job_listed_again_is_not_lost(start: StartEngine, system: System) -> None:
    async with start() as engine:
        handle = engine.spawn("m", task())
        await until(lambda: system.records)
        name = next(iter(system.records))
        system.lose(name)
        await until(lambda: system.calls.get("diagnose", 0) == 2)
        system.end(name)
        assert (await handle).ok


async def test_a_deferred_submit_is_held_and_is_no_attempt(start: StartEngine, system: System) -> None:
    system.instant = True
    system.faults["submit"] = [SubmitDeferred("QOSMaxSubmitJobPerUserLimit", retry_after=0.01) for _ in range(3)]
    events: list[object] = []
    async with start() as engine:
        engine.subscribe(events.append)
        result = await engine.run("m", task())
    assert result.attempt.endswith("-1")
    assert [event.reason for event in events if isinstance(event, TaskHeld)] == ["QOSMaxSubmitJobPerUserLimit"] * 3


async def test_events_name_the_backend_once(start: StartEngine, system: System) -> None:
    system.instant = True
    system.faults["submit"] = [SubmitDeferred("m: a limit", retry_after=0.01)]
    system.faults["poll"] = [TransportError("m: the directory is gone")]
    events: list[object] = []
    async with start() as engine:
        engine.subscribe(events.append)
        await engine.run("m", task())
    reasons = [event.reason for event in events if isinstance(event, TaskHeld | BackendUnreachable)]
    assert reasons == ["a limit", "the directory is gone"]


async def test_who_is_never_let_in_fails_at_once_and_is_not_tried_again(start: StartEngine, system: System) -> None:
    system.faults["submit"] = [AuthenticationError("no key is accepted")]
    async with start(config(max_tasks=1)) as engine:
        handles = [engine.spawn("m", task()) for _ in range(5)]
        for handle in handles:
            with pytest.raises(AuthenticationError, match="no key is accepted"):
                await handle
    assert system.calls["submit"] == 1


async def test_who_was_let_in_before_waits_for_a_new_login(start: StartEngine, system: System) -> None:
    system.instant = True
    events: list[object] = []
    async with start() as engine:
        await engine.run("m", task())
        system.faults["submit"] = [AuthenticationError("token expired")]
        engine.subscribe(events.append)
        handle = engine.spawn("m", task())
        await until(lambda: any(isinstance(event, TaskHeld) for event in events))
        await asyncio.sleep(0.02)
        assert not handle.done()
        assert system.calls["submit"] == 2
        handle.cancel()


async def test_a_refused_submit_fails_the_task(start: StartEngine, system: System) -> None:
    system.faults["submit"] = [SubmitError("invalid partition 'shrot'")]
    async with start() as engine:
        with pytest.raises(SubmitError, match="shrot"):
            await engine.run("m", task())


async def test_a_submit_in_doubt_that_was_taken_runs_once(start: StartEngine, system: System) -> None:
    system.faults["submitted"] = [SubmitInDoubt("Socket timed out")]
    async with start() as engine:
        handle = engine.spawn("m", task())
        await until(lambda: handle.job_id)
        system.end(next(iter(system.records)))
        assert (await handle).ok
    assert list(system.runs.values()) == [1]
    assert system.calls["submit"] == 1


async def test_a_submit_in_doubt_that_was_not_taken_is_repeated(start: StartEngine, system: System) -> None:
    system.instant = True
    system.faults["submit"] = [SubmitInDoubt("Socket timed out")]
    async with start() as engine:
        assert (await engine.run("m", task())).ok
    assert list(system.runs.values()) == [1]
    assert system.calls["submit"] == 2


async def test_the_engine_retries_nothing_by_default(start: StartEngine, system: System) -> None:
    async with start() as engine:
        handle = engine.spawn("m", task())
        await until(lambda: system.records)
        system.end(next(iter(system.records)), Verdict.PREEMPTED)
        with pytest.raises(PreemptedError):
            await handle
    assert len(system.runs) == 1


async def test_a_retry_is_a_new_attempt_with_a_name_of_its_own(start: StartEngine, system: System) -> None:
    events: list[object] = []
    async with start(config(more='retry = { attempts = 2, on = ["node_failure"] }')) as engine:
        engine.subscribe(events.append)
        handle = engine.spawn("m", task())
        await until(lambda: system.records)
        system.end(next(iter(system.records)), Verdict.NODE_FAILURE)
        await until(lambda: len(system.runs) == 2)
        system.end(list(system.runs)[1])
        result = await handle
    assert [name.rsplit("-", 1)[1] for name in system.runs] == ["1", "2"]
    assert result.attempt == list(system.runs)[1]
    assert [event.verdict for event in events if isinstance(event, TaskRetried)] == [Verdict.NODE_FAILURE]


async def test_the_last_attempt_after_a_preemption_asks_for_a_machine_that_stays(
    start: StartEngine, system: System
) -> None:
    async with start(config(more='retry = { attempts = 2, on = ["preempted"] }')) as engine:
        handle = engine.spawn("m", task(preemptible=True))
        await until(lambda: system.records)
        system.end(next(iter(system.records)), Verdict.PREEMPTED)
        await until(lambda: len(system.runs) == 2)
        second = system.records[list(system.runs)[1]]
        assert second.attempt.task.resources.preemptible is False
        system.end(second.attempt.id)
        await handle


async def test_a_task_over_its_time_is_ended_by_the_engine(start: StartEngine, system: System) -> None:
    async with start() as engine:
        with pytest.raises(TimeLimitError, match="asked time"):
            await engine.run("m", task(time="50ms"))
    assert system.calls["cancel"] == 1


async def test_defaults_lie_under_the_tasks_own_values(start: StartEngine, system: System) -> None:
    async with start(config(more="defaults = { cpu = 2.0, ram = 8.0 }")) as engine:
        handle = engine.spawn("m", task(ram="16GiB"))
        await until(lambda: system.records)
        wanted = system.records[next(iter(system.records))].attempt.task.resources
        assert (wanted.cpu, wanted.ram) == (2.0, 16.0)
        handle.cancel()


async def test_jobs_that_have_ended_are_released(start: StartEngine, system: System) -> None:
    system.instant = True
    async with start() as engine:
        await asyncio.gather(*(engine.run("m", task()) for _ in range(5)))
    assert system.records == {}


async def test_a_subscriber_that_fails_takes_no_task_down(
    start: StartEngine, system: System, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(event: object) -> None:
        raise RuntimeError("mine")

    system.instant = True
    async with start() as engine:
        engine.subscribe(broken)
        assert (await engine.run("m", task())).ok
    assert "a subscriber failed on TaskQueued" in caplog.text
