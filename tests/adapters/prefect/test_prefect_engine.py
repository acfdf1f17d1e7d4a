"""What Prefect's engine gives tasks goes on as ever: retries, time limits, caches, transactions, hooks, names, tags."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prefect import flow, tags, task
from prefect.cache_policies import INPUTS
from prefect.client.orchestration import get_client
from prefect.context import TagsContext
from prefect.transactions import transaction

from prefect_crankshaft import CrankshaftTaskRunner


@pytest.fixture
def count(tmp_path: Path) -> Callable[[], int]:
    """How often the bodies ran, which write a byte each to `runs`."""
    return lambda: len((tmp_path / "runs").read_bytes()) if (tmp_path / "runs").exists() else 0


def test_a_failed_task_is_retried(runner: CrankshaftTaskRunner, tmp_path: Path, count: Callable[[], int]) -> None:
    @task(retries=2, retry_delay_seconds=[0.1, 0.2], retry_jitter_factor=0.1)
    def third_time() -> str:
        with (tmp_path / "runs").open("ab") as runs:
            runs.write(b".")
        if (tmp_path / "runs").stat().st_size < 3:
            raise ValueError("not yet")
        return "at last"

    with runner:
        assert runner.submit(third_time, {}).result() == "at last"
    assert count() == 3


def test_a_job_that_died_is_retried(runner: CrankshaftTaskRunner, tmp_path: Path) -> None:
    @task(retries=1)
    def dies_once() -> str:
        import os

        if not (tmp_path / "died").exists():
            (tmp_path / "died").touch()
            os._exit(9)
        return "lives"

    with runner:
        assert runner.submit(dies_once, {}).result() == "lives"


def test_a_task_over_its_time_is_stopped_and_timed_out(runner: CrankshaftTaskRunner) -> None:
    @task(timeout_seconds=0.5)
    def sleeps() -> None:
        try:
            time.sleep(30)
        except Exception:
            time.sleep(30)

    with runner:
        future = runner.submit(sleeps, {})
        with pytest.raises(TimeoutError, match=r"exceeded timeout of 0\.5 second"):
            future.result()
        assert future.state.name == "TimedOut"


def test_time_in_the_queue_does_not_count(config: Path) -> None:
    @task(timeout_seconds=2)
    def sleeps() -> None:
        time.sleep(1)

    with CrankshaftTaskRunner("place", config=config, max_tasks=1) as runner:
        futures = [runner.submit(sleeps, {}) for _ in range(3)]
        assert [future.result() for future in futures] == [None] * 3


def test_a_cached_result_starts_no_job(runner: CrankshaftTaskRunner, tmp_path: Path, count: Callable[[], int]) -> None:
    @task(cache_policy=INPUTS, persist_result=True, result_storage_key=None)
    def costly(place: str) -> int:
        with open(f"{place}/runs", "ab") as runs:
            runs.write(b".")
        return 7

    with runner:
        first, second = (runner.submit(costly, {"place": str(tmp_path)}).result() for _ in range(2))
    assert (first, second, count()) == (7, 7, 1)


def test_a_failed_transaction_rolls_back(runner: CrankshaftTaskRunner) -> None:
    undone: list[str] = []

    @task
    def write() -> str:
        return "written"

    @write.on_rollback
    def undo(_transaction: Any) -> None:
        undone.append("written")

    @task
    def fail() -> None:
        raise ValueError("too bad")

    @flow(task_runner=runner)
    def transact() -> None:
        with transaction():
            write.submit().result()
            fail.submit().result()

    with pytest.raises(ValueError, match="too bad"):
        transact()
    assert undone == ["written"]


def test_hooks_are_called_in_this_process(runner: CrankshaftTaskRunner) -> None:
    seen: list[str] = []

    @task(on_running=[lambda *_: seen.append("running")], on_failure=[lambda *_: seen.append("failed")])
    def fail() -> None:
        raise ValueError("on purpose")

    with runner:
        runner.submit(fail, {}).wait()
    assert seen == ["running", "failed"]


def test_task_runs_are_named_by_their_parameters(runner: CrankshaftTaskRunner) -> None:
    @task(task_run_name="align-{sample}")
    def align(sample: str) -> str:
        from prefect.runtime import task_run

        return str(task_run.name)

    with runner:
        assert runner.submit(align, {"sample": "amber"}).result() == "align-amber"


def test_tags_are_known_on_the_worker(runner: CrankshaftTaskRunner) -> None:
    @task
    def tagged() -> set[str]:
        return set(TagsContext.get().current_tags)

    with runner, tags("one", "two"):
        assert runner.submit(tagged, {}).result() == {"one", "two"}


def test_no_more_run_at_once_than_their_tag_allows(runner: CrankshaftTaskRunner, tmp_path: Path) -> None:
    @task(tags=["licence"])
    def alone() -> bool:
        import time

        (tmp_path / "busy").mkdir()
        time.sleep(0.2)
        (tmp_path / "busy").rmdir()
        return True

    with get_client(sync_client=True) as client:
        client.create_concurrency_limit("licence", 1)
    with runner:
        futures = [runner.submit(alone, {}) for _ in range(3)]
        assert [future.result() for future in futures] == [True] * 3


def test_a_retry_condition_is_asked_here(
    runner: CrankshaftTaskRunner, count: Callable[[], int], tmp_path: Path
) -> None:
    def never(*_: object) -> bool:
        return False

    @task(retries=3, retry_condition_fn=never)
    def fail() -> None:
        with (tmp_path / "runs").open("ab") as runs:
            runs.write(b".")
        raise ValueError("once is enough")

    with runner:
        runner.submit(fail, {}).wait()
    assert count() == 1


def test_a_runner_must_be_started() -> None:
    @task
    def never() -> None: ...

    with pytest.raises(RuntimeError, match="Task runner is not started"):
        CrankshaftTaskRunner().submit(never, {})


def test_a_duplicate_is_equal_and_another(config: Path) -> None:
    runner = CrankshaftTaskRunner("place", config=config, cpu=2, env={"A": "1"})
    assert runner.duplicate() == runner
    assert runner.duplicate() is not runner
    assert runner != CrankshaftTaskRunner("place", config=config, cpu=3)
