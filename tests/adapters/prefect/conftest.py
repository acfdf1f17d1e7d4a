"""A Prefect server on loopback for the whole session, and the places where flows run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from prefect.settings import PREFECT_API_URL, PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW, temporary_settings
from prefect.testing.utilities import prefect_test_harness

from prefect_crankshaft import CrankshaftTaskRunner


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Prefect leaves connections of its own to the garbage collector."""
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.filterwarnings("ignore:.*unclosed.*:ResourceWarning"))
            item.add_marker(pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"))


@pytest.fixture(scope="session")
def _prefect_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    home = tmp_path_factory.mktemp("prefect")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("PREFECT_HOME", str(home))
        environment.setenv("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
        environment.setenv("PREFECT_SERVER_LOGGING_LEVEL", "ERROR")
        environment.setenv("PREFECT_SERVER_TASKS_TAG_CONCURRENCY_SLOT_WAIT_SECONDS", "0.2")
        yield home


@pytest.fixture(scope="session", autouse=True)
def prefect_url(_prefect_home: Path) -> Iterator[str]:
    """The server's URL, also for flows in processes of their own."""
    quiet = temporary_settings({PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW: "ignore"})  # many tests have no flow
    with quiet, prefect_test_harness(server_startup_timeout=240):
        yield str(PREFECT_API_URL.value())


@pytest.fixture(autouse=True)
def state_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where journals and results are kept."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture
def environment(prefect_url: str, _prefect_home: Path) -> dict[str, str]:
    """For flows in processes of their own."""
    return {**os.environ, "PREFECT_API_URL": prefect_url, "PREFECT_HOME": str(_prefect_home)}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """This machine, with room for several tasks at once, polled often."""
    path = tmp_path / "Crankshaft.toml"
    path.write_text(f"""
[[backends]]
name = "place"
kind = "Generic"
preset = "local"
work_dir = "{tmp_path / "work"}"
max_tasks = 8
poll_interval = 0.05
kill_after = "1s"
""")
    return path


@pytest.fixture
def runner(config: Path) -> CrankshaftTaskRunner:
    """Not entered yet."""
    return CrankshaftTaskRunner("place", config=config)
