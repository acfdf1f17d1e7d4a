"""BlockingEngine: futures from any thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor, as_completed
from pathlib import Path

import pytest

from crankshaft_core.backends.memory import MemoryBackend, System
from crankshaft_core.blocking import BlockingEngine
from crankshaft_core.config import Config
from crankshaft_core.errors import CancelUnconfirmed, ConfigError, EngineError
from crankshaft_core.journal import Journal
from tests.unit.engine.conftest import QUICK, config, task


@pytest.fixture
def system() -> System:
    return System()


@pytest.fixture
def engine(system: System, tmp_path: Path) -> Iterator[BlockingEngine]:
    with BlockingEngine(
        config(),
        journal=Journal.open(tmp_path / "journal.db"),
        open_backend=lambda _, **_run: MemoryBackend(system, cadence=QUICK),
    ) as engine:
        yield engine


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def test_a_future_gives_the_result(engine: BlockingEngine, system: System) -> None:
    system.instant = True
    assert engine.spawn("m", task()).result(timeout=5).ok


def test_futures_work_with_as_completed(engine: BlockingEngine, system: System) -> None:
    system.instant = True
    futures = [engine.spawn("m", task()) for _ in range(5)]
    assert sum(future.result().ok for future in as_completed(futures, timeout=5)) == 5


def test_tasks_are_spawned_from_any_thread(engine: BlockingEngine, system: System) -> None:
    system.instant = True
    with ThreadPoolExecutor(8) as pool:
        futures = list(pool.map(lambda _: engine.spawn("m", task()), range(50)))
    assert all(future.result(timeout=5).ok for future in futures)


def test_an_unknown_backend_is_refused_at_spawn(engine: BlockingEngine) -> None:
    with pytest.raises(ConfigError, match="no backend named 'lfs'"):
        engine.spawn("lfs", task())


def test_cancel_of_a_future_only_asks(engine: BlockingEngine, system: System) -> None:
    system.ignores_cancel = True
    future = engine.spawn("m", task())
    until(lambda: future.job_id)
    assert future.cancel()
    assert not future.done()
    with pytest.raises(CancelledError):
        future.result(timeout=5)
    assert future.cancelled()


def test_engine_cancel_waits_for_the_end(engine: BlockingEngine, system: System) -> None:
    futures = [engine.spawn("m", task()) for _ in range(3)]
    until(lambda: len(system.records) == 3)
    engine.cancel()
    assert all(future.cancelled() for future in futures)


def test_engine_cancel_names_what_was_not_confirmed(engine: BlockingEngine, system: System) -> None:
    system.deaf = True
    future = engine.spawn("m", task())
    until(lambda: future.job_id)
    with pytest.raises(CancelUnconfirmed, match="job-1"):
        engine.cancel()


def test_what_is_left_running_was_not_told_to_end(engine: BlockingEngine, system: System) -> None:
    future = engine.spawn("m", task())
    until(lambda: future.job_id)
    engine.detach()
    assert future.cancelled()
    assert "cancel" not in system.calls


def test_only_an_engine_with_a_journal_of_its_own_leaves_jobs_running(local: Config) -> None:
    with BlockingEngine(local) as engine, pytest.raises(EngineError, match="a journal of its own"):
        engine.detach()


def test_a_task_can_be_spawned_from_a_subscriber(engine: BlockingEngine, system: System) -> None:
    system.instant = True
    spawned: list[object] = []

    def follow(event: object) -> None:
        if not spawned:
            spawned.append(engine.spawn("m", task("second")))

    engine.subscribe(follow)
    engine.spawn("m", task("first")).result(timeout=5)
    assert spawned[0].result(timeout=5).name == "second"  # type: ignore[attr-defined]


def test_an_engine_that_was_not_entered_says_so() -> None:
    with pytest.raises(EngineError, match="not started"):
        BlockingEngine(config()).spawn("m", task())


@pytest.fixture
def local(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return config()


def test_engines_of_one_configuration_are_one_run(local: Config) -> None:
    with BlockingEngine(local) as first, BlockingEngine(local) as second:
        assert first.run_id == second.run_id


def test_the_last_engine_to_leave_ends_the_thread(local: Config) -> None:
    others = set(threading.enumerate())  # of other tests, which kill clients

    def threads() -> list[str]:
        return [thread.name for thread in threading.enumerate() if thread not in others]

    with BlockingEngine(local):
        with BlockingEngine(local):
            pass
        assert "crankshaft-engine" in threads()
    assert [name for name in threads() if name.startswith("crankshaft")] == []
