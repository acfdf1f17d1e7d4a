"""However a job ends, the task run gets the right state and a message that a person can act on."""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from prefect import task
from prefect.client.schemas.objects import State
from prefect.exceptions import CrashedRun

from prefect_crankshaft import CrankshaftTaskRunner, crankshaft_options
from prefect_crankshaft.failures import RemoteTraceback


def final(runner: CrankshaftTaskRunner, tested: Any, **parameters: Any) -> State[Any]:
    with runner:
        future = runner.submit(tested, parameters)
        future.wait(60)
        return future.state


def test_an_exception_comes_with_its_remote_traceback(runner: CrankshaftTaskRunner) -> None:
    @task
    def fail() -> None:
        raise LookupError("nothing there")

    state = final(runner, fail)
    assert state.name == "Failed"
    with pytest.raises(LookupError, match="nothing there") as caught:
        state.result()
    assert isinstance(caught.value.__cause__, RemoteTraceback)
    assert 'raise LookupError("nothing there")' in str(caught.value.__cause__)
    assert "/worker/" not in str(caught.value.__cause__)


def test_an_exception_of_a_class_of_ones_own_is_of_that_class(runner: CrankshaftTaskRunner) -> None:
    class OwnError(Exception):
        pass

    @task
    def fail() -> None:
        raise OwnError("mine")

    with pytest.raises(OwnError, match="mine"):
        final(runner, fail).result()


def test_an_exception_that_cannot_be_pickled_keeps_its_text(runner: CrankshaftTaskRunner) -> None:
    @task
    def fail() -> None:
        class AwkwardError(Exception):
            def __init__(self, one: str, two: str) -> None:
                super().__init__(f"{one} and {two}")

        raise AwkwardError("this", "that")

    with pytest.raises(RuntimeError, match="AwkwardError: this and that"):
        final(runner, fail).result()


def test_a_job_that_exits_is_crashed_with_its_exit_code_and_last_line(runner: CrankshaftTaskRunner) -> None:
    @task
    def leave() -> None:
        print("no licence left", file=sys.stderr, flush=True)
        os._exit(3)

    state = final(runner, leave)
    assert state.name == "Crashed"
    assert "exit code 3" in str(state.message)
    assert "no licence left" in str(state.message)


def test_the_result_of_a_crashed_task_is_an_exception_that_can_be_caught(runner: CrankshaftTaskRunner) -> None:
    @task
    def leave() -> None:
        os._exit(3)

    with pytest.raises(CrashedRun, match="exit code 3"):
        final(runner, leave).result()


def test_a_killed_job_is_crashed(runner: CrankshaftTaskRunner) -> None:
    @task
    def kill() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    state = final(runner, kill)
    assert state.name == "Crashed"
    assert "137" in str(state.message)


def test_sys_exit_and_interrupts_in_the_function_crash_it_alone(runner: CrankshaftTaskRunner) -> None:
    @task
    def leave() -> None:
        sys.exit("had enough")

    state = final(runner, leave)
    assert state.name == "Crashed"
    assert "had enough" in str(state.message)


def test_a_job_over_its_time_limit_is_timed_out(runner: CrankshaftTaskRunner) -> None:
    @task
    @crankshaft_options(time="1s")
    def sleep() -> None:
        import time

        time.sleep(60)

    state = final(runner, sleep)
    assert state.name == "TimedOut"
    assert "time limit" in str(state.message)


def test_an_argument_that_cannot_be_pickled_is_named(runner: CrankshaftTaskRunner) -> None:
    @task
    def take(lock: object) -> None: ...

    state = final(runner, take, lock=threading.Lock())
    assert state.name == "Failed"
    assert "argument 1 of type lock cannot be pickled" in str(state.message)


def test_a_result_that_cannot_be_pickled_is_named(runner: CrankshaftTaskRunner) -> None:
    @task
    def give() -> object:
        return threading.Lock()

    state = final(runner, give)
    assert state.name == "Failed"
    assert "result of type lock cannot be pickled" in str(state.message)


def test_a_missing_module_is_named_with_what_to_do(runner: CrankshaftTaskRunner) -> None:
    @task
    def use() -> None:
        import no_such_module  # type: ignore[import-not-found] # noqa: F401

    state = final(runner, use)
    assert state.name == "Failed"
    assert "No module named 'no_such_module'" in str(state.message)
    assert "Install it there" in str(state.message)


def test_no_python_there_is_said_so(runner: CrankshaftTaskRunner) -> None:
    @task
    @crankshaft_options(python="python9.9")
    def never() -> None: ...

    state = final(runner, never)
    assert state.name == "Crashed"
    needed = "Python {}.{}".format(*sys.version_info)
    assert f"has no python9.9; this flow needs {needed} there." in str(state.message)


def test_another_version_of_python_is_said_so(runner: CrankshaftTaskRunner, tmp_path: Path) -> None:
    other = tmp_path / "python"
    other.write_text(f'#!/bin/sh\nLC_ALL=C sed -i "1s/.*/3.2/" payload\nexec {sys.executable} "$@"\n')
    other.chmod(0o755)

    @task
    @crankshaft_options(python=str(other))
    def never() -> None: ...

    state = final(runner, never)
    assert state.name == "Crashed"
    assert "this flow needs Python 3.2; here is 3." in str(state.message)


def test_a_result_cut_short_is_said_so(runner: CrankshaftTaskRunner, tmp_path: Path) -> None:
    cutting = tmp_path / "python"
    cutting.write_text(f'#!/bin/sh\n{sys.executable} "$@"\ntruncate -s -70 result\n')
    cutting.chmod(0o755)

    @task
    @crankshaft_options(python=str(cutting))
    def give() -> str:
        return "whole"

    state = final(runner, give)
    assert state.name == "Crashed"
    assert "its result was cut short" in str(state.message)


def test_a_forged_result_is_not_loaded(runner: CrankshaftTaskRunner, tmp_path: Path) -> None:
    forging = tmp_path / "python"
    forging.write_text(
        f'#!/bin/sh\n{sys.executable} "$@"\nprintf X | dd of=result bs=1 seek=60 conv=notrunc 2>/dev/null\n'
    )
    forging.chmod(0o755)

    @task
    @crankshaft_options(python=str(forging))
    def give() -> str:
        return "whole"

    assert final(runner, give).name == "Crashed"


def test_an_unknown_backend_fails_before_anything_is_submitted(runner: CrankshaftTaskRunner) -> None:
    @task
    @crankshaft_options(backend="lfs")
    def never() -> None: ...

    state = final(runner, never)
    assert state.name == "Failed"
    assert "no backend named 'lfs'; known: place" in str(state.message)


def test_a_refused_submit_is_crashed_with_the_words_of_the_system(tmp_path: Path) -> None:
    config = tmp_path / "refusing.toml"
    config.write_text(
        f"""
[[backends]]
name = "queue"
kind = "Generic"
work_dir = "{tmp_path / "work"}"
submit = "echo 'invalid partition shrot' >&2; exit 1; ~{{script}}"
monitor = "true ~{{job_id}}"
kill = "true ~{{job_id}}"
job_id_regex = "job (\\\\d+)"
"""
    )

    @task
    def never() -> None: ...

    state = final(CrankshaftTaskRunner("queue", config=config), never)
    assert state.name == "Crashed"
    assert "invalid partition shrot" in str(state.message)
