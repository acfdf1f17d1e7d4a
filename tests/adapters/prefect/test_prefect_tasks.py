"""What tasks take and give: they run in processes of the backend, Prefect's engine in this one."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from prefect import allow_failure, flow, task, unmapped
from prefect.futures import as_completed
from prefect.utilities.annotations import quote
from pydantic import BaseModel

from prefect_crankshaft import CrankshaftTaskRunner


class Sample(BaseModel):
    name: str
    reads: int


@dataclass
class Point:
    x: int


@task
def double(value: Any) -> Any:
    return 2 * value


@task
def add(left: int, right: int) -> int:
    return left + right


@task
def total(values: list[int]) -> int:
    return sum(values)


@task
def fail() -> None:
    raise ValueError("on purpose")


@task
def process() -> int:
    return os.getpid()


@task
def place() -> str:
    return os.getcwd()


@task
def kind_of(value: object) -> str:
    return type(value).__name__


@task
def same(value: Any) -> Any:
    return value


def test_a_task_runs_in_another_process(runner: CrankshaftTaskRunner) -> None:
    with runner:
        assert runner.submit(process, {}).result() != os.getpid()


def test_a_task_runs_in_the_working_directory_of_the_flow(runner: CrankshaftTaskRunner) -> None:
    with runner:
        assert runner.submit(place, {}).result() == os.getcwd()


def test_an_async_task_is_awaited_on_the_worker(runner: CrankshaftTaskRunner) -> None:
    @task
    async def later(value: int) -> int:
        await asyncio.sleep(0.01)
        return value + 1

    @flow(task_runner=runner)
    async def asynchronous() -> int:
        return later.submit(1).result()

    assert asyncio.run(asynchronous()) == 2


def test_map_gives_the_results_in_order(runner: CrankshaftTaskRunner) -> None:
    @flow(task_runner=runner)
    def mapped() -> list[int]:
        return double.map([1, 2, 3]).result()

    assert mapped() == [2, 4, 6]


def test_unmapped_is_the_same_for_all(runner: CrankshaftTaskRunner) -> None:
    @flow(task_runner=runner)
    def mapped() -> list[int]:
        return total.map([[1], [2]]).result() + add.map([1, 2], unmapped(10)).result()

    assert mapped() == [1, 2, 11, 12]


def test_futures_are_parameters_also_within_lists(runner: CrankshaftTaskRunner) -> None:
    @flow(task_runner=runner)
    def nested() -> int:
        one = double.submit(1)
        return total.submit([one, double.submit(one), 3]).result()

    assert nested() == 2 + 4 + 3


def test_a_task_waits_for_others(runner: CrankshaftTaskRunner, tmp_path: Path) -> None:
    @task
    def write() -> None:
        (tmp_path / "written").touch()

    @task
    def written() -> bool:
        return (tmp_path / "written").exists()

    @flow(task_runner=runner)
    def ordered() -> bool:
        return written.submit(wait_for=[write.submit()]).result()

    assert ordered()


def test_what_depends_on_a_failed_task_does_not_run(runner: CrankshaftTaskRunner) -> None:
    with runner:
        failed = runner.submit(fail, {})
        after = runner.submit(double, {"value": failed})
        after.wait()
        assert after.state.name == "NotReady"


def test_allow_failure_gives_the_exception(runner: CrankshaftTaskRunner) -> None:
    with runner:
        assert runner.submit(kind_of, {"value": allow_failure(runner.submit(fail, {}))}).result() == "ValueError"


def test_quoted_values_are_not_looked_into(runner: CrankshaftTaskRunner) -> None:
    with runner:
        assert runner.submit(total, {"values": quote([1, 2])}).result() == 3


def test_as_completed_yields_the_fastest_first(runner: CrankshaftTaskRunner) -> None:
    @task
    def sleep(seconds: float) -> float:
        import time

        time.sleep(seconds)
        return seconds

    with runner:
        slow, fast = runner.submit(sleep, {"seconds": 3}), runner.submit(sleep, {"seconds": 0})
        assert [future.result() for future in as_completed([slow, fast])] == [0, 3]


@pytest.mark.parametrize(
    "value", [Sample(name="amber", reads=7), Point(3), {"a": {1, 2}}, None, b"\0" * 10, float("inf")], ids=repr
)
def test_values_come_back_equal_and_of_their_class(value: object, runner: CrankshaftTaskRunner) -> None:
    with runner:
        back = runner.submit(same, {"value": value}).result()
    assert back == value
    assert type(back) is type(value)


def test_arrays_travel(runner: CrankshaftTaskRunner) -> None:
    with runner:
        assert (runner.submit(double, {"value": np.arange(5)}).result() == 2 * np.arange(5)).all()


def test_tables_travel(runner: CrankshaftTaskRunner) -> None:
    table = pd.DataFrame({"sample": ["amber", "beryl"], "reads": [7, 8]}).set_index("sample")
    with runner:
        pd.testing.assert_frame_equal(runner.submit(double, {"value": table}).result(), 2 * table)


def test_fifty_megabytes_travel_in_and_out(runner: CrankshaftTaskRunner) -> None:
    value = os.urandom(1 << 20) * 50
    with runner:
        assert runner.submit(same, {"value": value}).result() == value


def test_closures_and_lambdas_travel(runner: CrankshaftTaskRunner) -> None:
    @task
    def apply(function: Any, value: int) -> int:
        return function(value)

    offset = 5
    with runner:
        assert runner.submit(apply, {"function": lambda value: value + offset, "value": 1}).result() == 6


def test_a_generator_gives_its_items(runner: CrankshaftTaskRunner) -> None:
    @task
    def count(most: int) -> Iterator[int]:
        yield from range(most)

    @task
    async def count_later(most: int) -> AsyncIterator[int]:
        for number in range(most):
            yield number

    with runner:
        assert runner.submit(count, {"most": 3}).result() == [0, 1, 2]
        assert runner.submit(count_later, {"most": 2}).result() == [0, 1]


def test_a_flow_within_a_flow_uses_its_own_runner(runner: CrankshaftTaskRunner) -> None:
    @flow(task_runner=runner)
    def inner(value: int) -> int:
        return double.submit(value).result()

    @flow(task_runner=runner)
    def outer() -> int:
        return double.submit(inner(3)).result()

    assert outer() == 12


def test_modules_beside_the_flow_are_importable(
    runner: CrankshaftTaskRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "beside_the_flow.py").write_text("def triple(value):\n    return 3 * value\n")
    monkeypatch.syspath_prepend(str(tmp_path))

    @task
    def use(value: int) -> int:
        from beside_the_flow import triple  # type: ignore[import-not-found]

        return triple(value)

    with runner:
        assert runner.submit(use, {"value": 2}).result() == 6
