"""Several calls in one job: each has its own state, retries and future."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from prefect import flow, task
from prefect.client.schemas.objects import State

from prefect_crankshaft import CrankshaftTaskRunner


@pytest.fixture
def batched(config: Path) -> CrankshaftTaskRunner:
    return CrankshaftTaskRunner("place", config=config, batch=3)


@task
def job(number: int) -> str:
    return f"{number} {os.getppid()}"


@task(retries=1)
def odd(number: int) -> int:
    if number % 2 == 0:
        raise ValueError(f"{number} is even")
    return number


@task
def may_die(number: int) -> int:
    if number == 1:
        os._exit(4)
    return number


def test_calls_share_jobs(batched: CrankshaftTaskRunner) -> None:
    @flow(task_runner=batched)
    def mapped() -> list[str]:
        return job.map(range(7)).result()

    parents = [text.split()[1] for text in mapped()]
    assert len(parents) == 7
    assert len(set(parents)) == 3


def test_each_call_has_a_state_of_its_own(batched: CrankshaftTaskRunner) -> None:
    @flow(task_runner=batched)
    def mapped() -> list[State[int]]:
        futures = odd.map(range(3))
        futures.wait()
        return [future.state for future in futures]

    states = mapped(return_state=True).result(raise_on_failure=False)
    assert [state.name for state in states] == ["Failed", "Completed", "Failed"]


def test_a_call_that_dies_takes_only_itself_with_it(batched: CrankshaftTaskRunner) -> None:
    with batched:
        futures = [batched.submit(may_die, {"number": number}) for number in range(3)]
        for future in futures:
            future.wait()
    assert [future.state.name for future in futures] == ["Completed", "Crashed", "Completed"]
    assert "exit code 4" in str(futures[1].state.message)
