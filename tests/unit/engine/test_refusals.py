"""Tasks that a system refuses, one like the other."""

from __future__ import annotations

import pytest

from crankshaft_core.backends.memory import System
from crankshaft_core.config import Config
from crankshaft_core.engine.blame import located
from crankshaft_core.engine.refusals import Refusals
from crankshaft_core.errors import AuthenticationError, SubmitError, SubmitInDoubt
from crankshaft_core.events import Event, LoginRefused, TasksRefused
from crankshaft_core.notices import Notices, line_of
from tests.unit.engine.conftest import StartEngine, config, task, until
from tests.unit.engine.fast_clock import run_fast

WORDS = "hpc: invalid partition"
ADVICE = "{ env } cannot change in a running process; use { file } or { command }"


async def outcomes(start: StartEngine, names: list[str], *, max_tasks: int = 100, more: str = "") -> list[Event]:
    """Spawn tasks of these names at once, and wait for all."""
    events: list[Event] = []
    async with start(config(max_tasks=max_tasks, more=more)) as engine:
        engine.subscribe(events.append)
        handles = [engine.spawn("m", task(name)) for name in names]
        for handle in handles:
            await handle.wait()
    return events


def refusals(events: list[Event]) -> list[TasksRefused]:
    return [event for event in events if isinstance(event, TasksRefused)]


async def test_forty_refusals_in_the_same_words_are_one_line_with_their_count(
    start: StartEngine, system: System
) -> None:
    system.faults["submit"] = [SubmitError("m: invalid partition 'shrot'") for _ in range(40)]
    events = await outcomes(start, ["align"] * 40)
    assert [line_of(event) for event in refusals(events)] == ["m: invalid partition 'shrot'. 40 tasks not submitted."]


async def test_the_line_of_the_configuration_is_told(start: StartEngine, system: System) -> None:
    system.faults["submit"] = [SubmitError("invalid partition 'shrot'. Known: short, long") for _ in range(2)]
    events = await outcomes(start, ["a", "b"], more='queue = "shrot"')
    assert [line_of(event) for event in refusals(events)] == [
        "m: invalid partition 'shrot' (<text>:6). Known: short, long. 2 tasks not submitted."
    ]


@pytest.mark.parametrize(
    ("more", "words", "told"),
    [
        ('queue = "shrot"', 'unknown queue "shrot".', 'unknown queue "shrot" (f.toml:5).'),
        ("queue = 'shrot'", "no queue shrot.", "no queue shrot (f.toml:5)."),
        ('queue = "shrot"', "unknown queue shrot-2", "unknown queue shrot-2"),
        (
            "attributes = { qos = 'nil' }",
            "Invalid qos specification",
            "Invalid qos specification (qos = 'nil', f.toml:5)",
        ),
        ("account = 'lab'", "Invalid account or", "Invalid account or (account = 'lab', f.toml:5)"),
        ("queues = [{ name = 'long' }]", "no queue long", "no queue long (f.toml:5)"),
        ("", "Invalid account or", "Invalid account or"),
    ],
)
def test_what_is_complained_of_is_found_in_the_configuration(more: str, words: str, told: str) -> None:
    text = f"[[backends]]\nname = 'm'\nkind = 'Generic'\nsubmit = '~{{command}}'\n{more}"
    made = Config.parse(text, source="f.toml")
    assert located(words, made, made.backends["m"]) == told


async def test_a_single_refusal_is_told_by_its_task_alone(start: StartEngine, system: System) -> None:
    system.faults["submit"] = [SubmitError("no")]
    assert refusals(await outcomes(start, ["a"])) == []


async def test_after_ten_refusals_of_one_request_it_is_not_tried_any_more(start: StartEngine, system: System) -> None:
    system.faults["submit"] = [SubmitError("no") for _ in range(1000)]
    events = await outcomes(start, ["align"] * 50, max_tasks=1)
    assert system.calls["submit"] == 10
    assert refusals(events)[-1].count == 50


async def test_who_is_not_tried_gets_the_same_words(start: StartEngine, system: System) -> None:
    system.faults["submit"] = [SubmitError("no such queue") for _ in range(1000)]
    async with start(config(max_tasks=1)) as engine:
        handles = [engine.spawn("m", task()) for _ in range(11)]
        for handle in handles:
            with pytest.raises(SubmitError, match="no such queue"):
                await handle


async def test_another_request_is_tried_all_the_same(start: StartEngine, system: System) -> None:
    system.instant = True
    system.faults["submit"] = [SubmitError("no") for _ in range(10)]
    await outcomes(start, [*["bad"] * 20, "good"], max_tasks=1)
    assert list(system.runs.values()) == [1]


async def test_ten_different_requests_refused_in_the_same_words_stop_all(start: StartEngine, system: System) -> None:
    system.faults["submit"] = [SubmitError("no such account") for _ in range(1000)]
    await outcomes(start, [f"t{number}" for number in range(50)], max_tasks=1)
    assert system.calls["submit"] == 10


async def test_refusals_in_different_words_stop_nothing(start: StartEngine, system: System) -> None:
    system.faults["submit"] = [SubmitError(f"input {number} is no URL") for number in range(50)]
    await outcomes(start, ["align"] * 50, max_tasks=1)
    assert system.calls["submit"] == 50


def test_a_success_in_between_begins_the_count_anew() -> None:
    async def count() -> None:
        told = Refusals(publish=print)
        for _ in range(9):
            told.refused("hpc", task(), SubmitError(WORDS))
        told.accepted()
        told.refused("hpc", task(), SubmitError(WORDS))
        assert told.standing(task()) is None
        told.close()

    run_fast(count())


def test_after_a_minute_one_is_tried_again() -> None:
    async def count() -> None:
        import asyncio

        told = Refusals(publish=print)
        for _ in range(10):
            told.refused("hpc", task(), SubmitError(WORDS))
        assert told.standing(task()) is not None
        await asyncio.sleep(61)
        assert [told.standing(task()) is None for _ in range(3)] == [True, False, False]
        told.close()

    run_fast(count())


def test_refusals_that_come_one_by_one_are_told_ever_more_seldom() -> None:
    events: list[Event] = []

    async def count() -> None:
        told = Refusals(publish=events.append)
        for _ in range(100):
            told.refused("hpc", task(), SubmitError(WORDS))
            told.tell()
        told.close()

    run_fast(count())
    assert [event.count for event in refusals(events)] == [2, 4, 8, 16, 32, 64, 100]


async def test_an_expired_token_is_one_line_that_says_what_to_do(start: StartEngine, system: System) -> None:
    said: list[str] = []
    events: list[Event] = []
    async with start() as engine:
        alive = [engine.spawn("m", task()) for _ in range(2)]
        await until(lambda: all(handle.job_id for handle in alive))
        system.faults["submit"] = [AuthenticationError("m: 401, token expired", advice=ADVICE)]
        for subscriber in (events.append, Notices(said.append)):
            engine.subscribe(subscriber)
        waiting = [engine.spawn("m", task()) for _ in range(3)]
        await until(lambda: any(isinstance(event, LoginRefused) for event in events))
        system.end(next(iter(system.records)))
        await alive[0]
        calls = system.calls["submit"]
        assert not any(handle.done() for handle in waiting)
    assert said == [f"m: 401, token expired. 2 jobs continue, submits wait. {ADVICE}."]
    assert calls == 3, "a job that ends is no reason to try the login again"


async def test_a_new_login_that_a_poll_was_let_in_with_is_tried_for_submits_at_once(
    start: StartEngine, system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crankshaft_core.engine.outages.LOCKED_OUT", 0.05)  # of polls; submits wait their five minutes
    expired = AuthenticationError("m: 401, token expired")
    async with start() as engine:
        alive = engine.spawn("m", task())
        await until(lambda: alive.job_id)
        system.faults["submit"] = [expired]
        waiting = engine.spawn("m", task())
        await until(lambda: not system.faults["submit"])
        system.faults["poll"] = [expired]
        await until(lambda: waiting.job_id)
        for name in list(system.records):
            system.end(name)
        assert (await waiting).ok


async def test_submits_in_doubt_one_after_the_other_are_tried_one_at_a_time(start: StartEngine, system: System) -> None:
    system.instant = True
    system.faults["submit"] = [SubmitInDoubt("Unable to contact slurm controller") for _ in range(5)]
    events: list[Event] = []
    async with start() as engine:
        engine.subscribe(events.append)
        handles = [engine.spawn("m", task()) for _ in range(8)]
        assert [(await handle).ok for handle in handles] == [True] * 8
    held = [line_of(event) for event in events if type(event).__name__ == "TaskHeld"]
    assert held == ["m takes no more jobs for now: Unable to contact slurm controller"]
