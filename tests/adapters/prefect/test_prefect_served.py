"""Flows that a server starts, by `serve` or by the worker of a process pool: configured, cancelled from the API."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.exceptions import ObjectNotFound
from prefect.states import Cancelling

FLOW = """
import os, time
from pathlib import Path
from prefect import flow, task
from prefect_crankshaft import CrankshaftTaskRunner

@task
def stay(place, number, seconds):
    Path(place, f"body-{number}").write_text(str(os.getpid()))
    time.sleep(seconds)
    return os.environ["SITE"]

@flow(task_runner=CrankshaftTaskRunner("laptop"))
def staying(place: str, seconds: float):
    sites = stay.map([place] * 3, range(3), seconds).result()
    Path(place, "sites").write_text(" ".join(sites))

if __name__ == "__main__":
    staying.serve("served")
"""
BACKEND = """
[[backends]]
name = "{name}"
preset = "local"
work_dir = "{work}"
max_tasks = 4
poll_interval = 0.1
prologue = "export SITE={name}"
"""


SERVE = [sys.executable, "staying.py"]
WORKER = [sys.executable, "-m", "prefect", "worker", "start", "--pool", "cluster", "--type", "process"]


@pytest.fixture(scope="module", params=["served", "pooled"])
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, prefect_url: str, _prefect_home: Path
) -> Iterator[UUID]:
    """The deployment of a flow that one process serves, or starts as a pool's worker.

    All that it knows of backends is in the process's variables.
    """
    place = tmp_path_factory.mktemp("served")
    (place / "staying.py").write_text(FLOW)
    if request.param == "pooled":
        deploy(place)
    with pytest.MonkeyPatch.context() as environment:
        for name, value in {
            "PREFECT_API_URL": prefect_url,
            "PREFECT_HOME": str(_prefect_home),
            "PREFECT_RUNNER_POLL_FREQUENCY": "1",
            "PREFECT_WORKER_QUERY_SECONDS": "1",
            "PREFECT_WORKER_PREFETCH_SECONDS": "1",
            "XDG_STATE_HOME": str(place / "state"),
            "CRANKSHAFT_BACKEND": "laptop" if request.param == "pooled" else "cluster",
            "CRANKSHAFT_CONFIG_TOML": "".join(
                BACKEND.format(name=name, work=place / "work") for name in ("laptop", "cluster")
            ),
        }.items():
            environment.setenv(name, value)
        serving = subprocess.Popen(WORKER if request.param == "pooled" else SERVE, cwd=place)
    try:
        until(lambda: deployment(request.param) is not None)
        yield deployment(request.param)
    finally:
        serving.terminate()
        serving.wait(60)


def deploy(place: Path) -> None:
    """For the worker of a pool, as `prefect deploy` would; what it sets overrides the worker's variables."""
    with get_client(sync_client=True) as client:
        client.create_work_pool(WorkPoolCreate(name="cluster", type="process"))
        flow = client.create_flow_from_name("staying")
        client.create_deployment(
            flow,
            "pooled",
            entrypoint="staying.py:staying",
            path=str(place),
            work_pool_name="cluster",
            job_variables={"env": {"CRANKSHAFT_BACKEND": "cluster"}},
            parameter_openapi_schema={},
        )


def deployment(name: str) -> UUID | None:
    with get_client(sync_client=True) as client:
        try:
            return client.read_deployment_by_name(f"staying/{name}").id
        except ObjectNotFound:
            return None


def started(deployment: UUID, place: Path, seconds: float) -> UUID:
    parameters = {"place": str(place), "seconds": seconds}
    with get_client(sync_client=True) as client:
        return client.create_flow_run_from_deployment(deployment, parameters=parameters).id


def ended(run: UUID) -> str:
    """The name of its state, once that is final."""
    with get_client(sync_client=True) as client:
        until(lambda: (state := client.read_flow_run(run).state) is not None and state.is_final())
        return str(client.read_flow_run(run).state_name)


def until(condition: Callable[[], bool], *, seconds: float = 90) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.1)


def lives(process: int) -> bool:
    state = Path(f"/proc/{process}/stat")
    return state.exists() and state.read_text().rsplit(")", 1)[1].split()[0] != "Z"


def test_a_served_flow_is_configured_by_variables(served: UUID, tmp_path: Path) -> None:
    run = started(served, tmp_path, 0)
    assert ended(run) == "Completed"
    assert (tmp_path / "sites").read_text() == "cluster cluster cluster"


def test_a_flow_run_cancelled_from_the_api_leaves_nothing_running(served: UUID, tmp_path: Path) -> None:
    run = started(served, tmp_path, 300)
    until(lambda: len(list(tmp_path.glob("body-*"))) == 3)
    bodies = [int(path.read_text()) for path in tmp_path.glob("body-*")]
    with get_client(sync_client=True) as client:
        client.set_flow_run_state(run, Cancelling())
    assert ended(run) == "Cancelled"
    assert not [body for body in bodies if lives(body)]
