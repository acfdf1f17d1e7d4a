"""What tasks ask for: by the runner, by decorator, by context; each overrides the former."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from prefect import flow, task

from crankshaft_core.errors import ConfigError
from prefect_crankshaft import CrankshaftTaskRunner, crankshaft_options


@task
def variable(name: str) -> str | None:
    return os.environ.get(name)


@pytest.fixture
def two(config: Path) -> Path:
    """Another backend besides, which the variable PLACE tells from the first."""
    with config.open("a") as file:
        file.write('\n[[backends]]\nname = "other"\nextends = "place"\nenv = { PLACE = "other" }\n')
    return config


def test_one_flow_uses_several_backends(two: Path) -> None:
    @flow(task_runner=CrankshaftTaskRunner("place", config=two))
    def several() -> tuple[str | None, str | None]:
        here = variable.submit("PLACE")
        with crankshaft_options(backend="other"):
            there = variable.submit("PLACE")
        return here.result(), there.result()

    assert several() == (None, "other")


def test_the_variable_overrides_the_runners_backend(two: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRANKSHAFT_BACKEND", "other")
    with CrankshaftTaskRunner("place", config=two) as runner:
        assert runner.submit(variable, {"name": "PLACE"}).result() == "other"


def test_the_configuration_may_be_the_text_of_a_variable(two: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRANKSHAFT_CONFIG_TOML", two.read_text())
    with CrankshaftTaskRunner("other") as runner:
        assert runner.submit(variable, {"name": "PLACE"}).result() == "other"


def test_the_decorator_survives_with_options(config: Path) -> None:
    @task
    @crankshaft_options(env={"WHO": "decorator"})
    def who() -> str:
        return os.environ["WHO"]

    with CrankshaftTaskRunner("place", config=config, env={"WHO": "runner"}) as runner:
        assert runner.submit(who.with_options(name="renamed", retries=1), {}).result() == "decorator"


def test_the_context_overrides_the_decorator_and_variables_are_overlaid(config: Path) -> None:
    @task
    @crankshaft_options(env={"WHO": "decorator", "ALSO": "decorator"})
    def who() -> tuple[str, str, str]:
        return os.environ["WHO"], os.environ["ALSO"], os.environ["ALWAYS"]

    with CrankshaftTaskRunner("place", config=config, env={"ALWAYS": "runner"}) as runner:
        with crankshaft_options(env={"WHO": "context"}):
            assert runner.submit(who, {}).result() == ("context", "decorator", "runner")


def test_a_resource_may_grow_with_the_attempt(config: Path) -> None:
    seen: list[int] = []

    def more(attempt: int) -> int:
        seen.append(attempt)
        return attempt

    @task(retries=1)
    @crankshaft_options(ram=more)
    def fail() -> None:
        raise ValueError("again")

    with CrankshaftTaskRunner("place", config=config) as runner:
        runner.submit(fail, {}).wait()
    assert seen == [1, 2]


def test_an_unknown_option_is_refused_at_once() -> None:
    with pytest.raises(ConfigError, match="unknown memory; known: attributes, backend, batch, cpu"):
        CrankshaftTaskRunner("place", memory=4)


def test_a_bad_value_is_refused_at_once() -> None:
    with pytest.raises(ConfigError, match="time"):
        crankshaft_options(time=90)


def test_an_unknown_backend_is_refused_when_the_runner_is_entered(config: Path) -> None:
    runner = CrankshaftTaskRunner("lfs", config=config)
    with pytest.raises(ConfigError, match="no backend named 'lfs'; known: place"):
        runner.__enter__()


def test_max_workers_is_understood(config: Path, tmp_path: Path) -> None:
    @task
    def alone() -> bool:
        import time

        (tmp_path / "busy").mkdir()
        time.sleep(0.2)
        (tmp_path / "busy").rmdir()
        return True

    with CrankshaftTaskRunner("place", config=config, max_workers=1) as runner:
        futures = [runner.submit(alone, {}) for _ in range(3)]
        assert all(future.result() for future in futures)
