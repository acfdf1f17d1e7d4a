"""A run that is opened again finds its own."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from crankshaft_core.backends.memory import System
from crankshaft_core.engine import Engine
from crankshaft_core.errors import JournalError
from crankshaft_core.events import TaskSubmitted
from crankshaft_core.journal import Journal
from crankshaft_core.task import Execution, Task, Verdict
from tests.unit.engine.conftest import StartEngine, config, task, until


async def killed(engine: Engine) -> None:
    """Let go of everything without a word to the system, as a killed client does."""
    await asyncio.sleep(0.02)
    await engine._close()


async def test_a_live_task_is_attached_to_and_not_run_again(start: StartEngine, system: System) -> None:
    engine = await start().__aenter__()
    engine.spawn("m", task(), key="a")
    await until(lambda: system.records)
    await killed(engine)
    events: list[object] = []
    async with start() as engine:
        engine.subscribe(events.append)
        handle = engine.spawn("m", task(), key="a")
        system.end(next(iter(system.records)))
        assert (await handle).ok
    assert list(system.runs.values()) == [1]


async def test_what_an_engine_detached_from_runs_on_and_is_attached_to(start: StartEngine, system: System) -> None:
    async with start() as engine:
        handle = engine.spawn("m", task(), key="a")
        await until(lambda: handle.job_id)
        await engine.detach()
    assert handle.done()
    async with start() as engine:
        again = engine.spawn("m", task(), key="a")
        system.end(next(iter(system.records)))
        assert (await again).ok
    assert list(system.runs.values()) == [1]


async def test_a_task_that_ended_meanwhile_is_not_run_again(start: StartEngine, system: System) -> None:
    engine = await start().__aenter__()
    engine.spawn("m", task(), key="a")
    await until(lambda: system.records)
    await killed(engine)
    system.end(next(iter(system.records)), Verdict.FAILED, exit_codes=(7,))
    async with start() as engine:
        await asyncio.sleep(0.05)
        assert (await engine.run("m", task(), key="a")).exit_code == 7
    assert list(system.runs.values()) == [1]


async def test_a_task_that_was_finished_gives_its_recorded_result(start: StartEngine, system: System) -> None:
    system.instant = True
    async with start() as engine:
        first = await engine.run("m", task(), key="a")
    async with start() as engine:
        second = await engine.run("m", task(), key="a")
    assert (second.verdict, second.exit_codes, second.attempt) == (first.verdict, first.exit_codes, first.attempt)
    assert list(system.runs.values()) == [1]


async def test_a_task_that_failed_is_run_anew_under_a_further_attempt(start: StartEngine, system: System) -> None:
    async with start() as engine:
        handle = engine.spawn("m", task(), key="a")
        await until(lambda: system.records)
        system.end(next(iter(system.records)), Verdict.FAILED, exit_codes=(1,))
        await handle
        system.instant = True
        assert (await engine.run("m", task(), key="a")).ok
    assert [name.rsplit("-", 1)[1] for name in system.runs] == ["1", "2"]


async def test_one_key_under_way_is_one_task(start: StartEngine, system: System) -> None:
    async with start() as engine:
        first, second = engine.spawn("m", task(), key="a"), engine.spawn("m", task(), key="a")
        await until(lambda: system.records)
        system.end(next(iter(system.records)))
        assert (await first).attempt == (await second).attempt


async def test_a_submit_that_was_only_intended_is_made_under_the_same_attempt(
    start: StartEngine, system: System, tmp_path: Path
) -> None:
    engine = await start().__aenter__()
    engine.spawn("m", task(), key="a")
    await until(lambda: system.records)
    name = next(iter(system.records))
    await killed(engine)
    import sqlite3

    with sqlite3.connect(tmp_path / "journal.db") as database:
        database.execute("update attempts set stage = 'intended', job = null")
    database.close()
    async with start() as engine:
        handle = engine.spawn("m", task(), key="a")
        await until(lambda: handle.job_id)
        system.end(name)
        assert (await handle).attempt == name
    assert system.runs == {name: 1}


async def test_reattached_tasks_take_their_places_first(start: StartEngine, system: System) -> None:
    conf = config(max_tasks=1)
    engine = await start(conf).__aenter__()
    engine.spawn("m", task(), key="a")
    await until(lambda: system.records)
    await killed(engine)
    async with start(conf) as engine:
        new = engine.spawn("m", task(), key="b")
        await asyncio.sleep(0.03)
        assert new.job_id is None
        system.end(next(iter(system.records)))
        await until(lambda: new.job_id)


async def test_a_reopened_run_keeps_its_id_and_uses_no_attempt_twice(start: StartEngine, system: System) -> None:
    system.instant = True
    async with start() as engine:
        first_run, first = engine.run_id, (await engine.run("m", task())).attempt
    async with start() as engine:
        assert engine.run_id == first_run
        assert (await engine.run("m", task())).attempt != first


async def test_attached_tasks_are_announced_as_such(start: StartEngine, system: System) -> None:
    engine = await start().__aenter__()
    engine.spawn("m", task(), key="a")
    await until(lambda: system.records)
    await killed(engine)
    events: list[object] = []
    async with start() as engine:
        engine.subscribe(events.append)
        handle = engine.spawn("m", task(), key="a")
        await until(lambda: any(isinstance(event, TaskSubmitted) and event.attached for event in events))
        handle.cancel()


async def test_a_journal_has_one_owner(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path / "j.db")
    with pytest.raises(JournalError, match="in use by process"):
        Journal.open(tmp_path / "j.db")
    journal.close()
    Journal.open(tmp_path / "j.db").close()


async def test_a_journal_of_another_version_is_refused(tmp_path: Path) -> None:
    import sqlite3

    with sqlite3.connect(tmp_path / "j.db") as database:
        database.execute("pragma user_version = 99")
    database.close()
    with pytest.raises(JournalError, match="version 99; this Crankshaft reads version 1"):
        Journal.open(tmp_path / "j.db")


async def test_a_file_that_is_no_journal_is_refused(tmp_path: Path) -> None:
    (tmp_path / "j.db").write_text("not a database at all, but a long enough text to be looked at as one")
    with pytest.raises(JournalError, match="not a journal that can be read"):
        Journal.open(tmp_path / "j.db")


async def test_no_value_of_a_variable_enters_the_journal(start: StartEngine, system: System, tmp_path: Path) -> None:
    system.instant = True
    secret = Task(executions=(Execution(program="true", args=("s3cret-arg",), env={"TOKEN": "s3cret-value"}),))
    async with start() as engine:
        await engine.run("m", secret, key="a")
    for file in tmp_path.glob("journal.db*"):
        assert b"s3cret" not in file.read_bytes()


async def test_a_temporary_journal_with_nothing_undone_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    journal = Journal.fresh()
    assert list(tmp_path.rglob("*.db"))
    journal.close()
    assert not list(tmp_path.rglob("*.db*"))
