"""What a person reads of a task run: its job, what its function printed and logged, names and tags."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import pytest
from prefect import flow, get_run_logger, tags, task
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, LogFilter, LogFilterFlowRunId, TaskRunFilter
from prefect.runtime import flow_run as this_flow_run

from prefect_crankshaft import CrankshaftTaskRunner
from tests.services.tes_server import PROFILES, serving


def logged(run: UUID, wanted: str) -> list[str]:
    """The flow run's log on the server, once a line with `wanted` has arrived there."""
    with get_client(sync_client=True) as client:
        for _ in range(150):
            logs = client.read_logs(LogFilter(flow_run_id=LogFilterFlowRunId(any_=[run])))
            lines = [log.message for log in logs]
            if any(wanted in line for line in lines):
                return lines
            time.sleep(0.1)
    pytest.fail(f"{wanted!r} is not in {lines}")


def test_the_log_on_the_server_tells_job_prints_and_own_logs(runner: CrankshaftTaskRunner) -> None:
    @task(log_prints=True)
    def talks() -> None:
        print("printed", 7)
        get_run_logger().warning("logged there")

    @flow(task_runner=runner)
    def talking() -> UUID:
        talks.submit().wait()
        return UUID(str(this_flow_run.id))

    run = talking()
    lines = logged(run, "Finished in state Completed")
    assert any(": job " in line and line.endswith(" on place") for line in lines)
    assert any(": job " in line and line.endswith("exit code 0") for line in lines)
    assert "printed 7" in lines
    assert "logged there" in lines


def test_an_own_log_keeps_its_level(runner: CrankshaftTaskRunner, caplog: pytest.LogCaptureFixture) -> None:
    @task
    def warns() -> None:
        get_run_logger().warning("mind the gap")

    with runner:
        runner.submit(warns, {}).wait()
    assert [record.levelname for record in caplog.records if record.message == "mind the gap"] == ["WARNING"]


def test_prints_without_log_prints_are_no_logs(runner: CrankshaftTaskRunner, caplog: pytest.LogCaptureFixture) -> None:
    @task
    def prints() -> None:
        print("for nobody")

    with runner:
        runner.submit(prints, {}).wait()
    assert not [record for record in caplog.records if "for nobody" in record.message]


def test_names_and_tags_are_on_the_server(runner: CrankshaftTaskRunner) -> None:
    @task(task_run_name="align-{sample}", tags=["alignment"])
    def align(sample: str) -> str:
        return sample

    @flow(task_runner=runner)
    def aligning() -> UUID:
        with tags("tonight"):
            align.submit("amber").wait()
        return UUID(str(this_flow_run.id))

    run = aligning()
    with get_client(sync_client=True) as client:
        for _ in range(150):
            found = client.read_task_runs(
                flow_run_filter=FlowRunFilter(id={"any_": [run]}),
                task_run_filter=TaskRunFilter(tags={"all_": ["alignment", "tonight"]}),
            )
            if found:
                break
            time.sleep(0.1)
    assert [task_run.name for task_run in found] == ["align-amber"]


def test_a_task_that_waits_says_so(config: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG", logger="prefect.task_runs")

    @task
    def quick() -> None: ...

    with CrankshaftTaskRunner("place", config=config) as runner:
        runner.submit(quick, {}).wait()
    assert any("waiting for a place" in record.message for record in caplog.records)


def test_an_outage_is_told_once_in_the_log_of_the_flow_run(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    @task
    def stay(ready: str) -> str:
        import time

        Path(ready).touch()
        time.sleep(3)
        return "done"

    def told(text: str) -> list[str]:
        return [record.name for record in caplog.records if text in record.message]

    with serving(PROFILES["plain-1.1"].but(schemes=None)) as server:
        config = tmp_path / "cloud.toml"
        config.write_text(
            f"[[backends]]\nname = 'cloud'\nkind = 'TES'\nurl = '{server.url}'\n"
            f"storage = 'file://{tmp_path}/storage'\npoll_interval = 0.1\n"
        )

        @flow(task_runner=CrankshaftTaskRunner("cloud", config=config, image="any", python=sys.executable))
        def staying() -> list[str]:
            futures = stay.map([str(tmp_path / f"ready-{number}") for number in range(2)])
            until(lambda: len(list(tmp_path.glob("ready-*"))) == 2)
            server.faults.error_rate = 1
            until(lambda: bool(told("2 jobs unaffected")))
            server.faults.error_rate = 0
            return futures.result()

        assert staying() == ["done", "done"]
    assert told("2 jobs unaffected") == ["prefect.flow_runs"]
    assert told("cloud: answers again") == ["prefect.flow_runs"]


def test_a_task_that_is_not_taken_for_now_says_so_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    config = tmp_path / "away.toml"
    config.write_text(
        "[[backends]]\nname = 'away'\nkind = 'TES'\nurl = 'http://127.0.0.1:9'\nstorage = 'file:///tmp'\n"
    )

    @task
    def never() -> None: ...

    with CrankshaftTaskRunner("away", config=config, image="any") as runner:
        runner.submit(never, {}).wait(2)
    told = [record for record in caplog.records if "away takes no more jobs for now" in record.message]
    assert len(told) == 1


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.05)
