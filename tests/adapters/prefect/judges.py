"""Outside judges: the runner tests of Prefect, prefect-dask and prefect-ray, pointed at Crankshaft's task runner.

    git clone --depth 1 https://github.com/PrefectHQ/prefect
    python tests/adapters/prefect/judges.py prefect [arguments for pytest]

Copies their three test files into a temporary directory and runs them with this file as a pytest plugin: in place of
the runners of Prefect, Dask and Ray they get ours. What is about a thread pool, a process pool, a Dask or a Ray
cluster, and not about task runners, is left out by name: see `NOT_ABOUT_RUNNERS`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import types
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any, ClassVar

import pytest

from crankshaft_core.config import Config
from prefect_crankshaft import CrankshaftTaskRunner

FILES = {
    "test_prefect.py": "tests/test_task_runners.py",
    "test_dask.py": "src/integrations/prefect-dask/tests/test_task_runners.py",
    "test_ray.py": "src/integrations/prefect-ray/tests/test_task_runners.py",
}
NOT_ABOUT_RUNNERS = (
    "max_workers",  # read from a private attribute
    "pool_is_saturated",
    "default_max_workers",
    "message_processor",
    "initialize",
    "stop_message_forwarding",
    "cached_context",
    "executor_shutdown",
    "cancel_all",  # looks into a private table
    "subprocess_",  # monkeypatches in the process pool's own process
    "TestUnpicklingFuture",
    "TestPrefectTaskRunner",
    "test_equality",  # of two ProcessPoolTaskRunners
    "dask_task_key",
    "dask_cluster",
    "cluster_class",
    "performance_report",
    "dataframe",  # of Dask's own
    "test_exit_does_not_shutdown_pre_existing_ray",
    "test_exit_shuts_down_ray",
)
ROOM = """
[[backends]]
name = "local"
kind = "Generic"
preset = "local"
max_tasks = 16
"""
SETTINGS = """
[pytest]
asyncio_mode = auto
timeout = 180
filterwarnings =
    ignore
"""


def main(checkout: Path, arguments: list[str]) -> int:
    """Run the judges of this checkout of Prefect."""
    here = Path(__file__).parent
    with tempfile.TemporaryDirectory(prefix="judges-") as directory:
        for name, path in FILES.items():
            shutil.copy(checkout / path, Path(directory, name))
        Path(directory, "pytest.ini").write_text(SETTINGS)
        command = [sys.executable, "-m", "pytest", "-p", "judges", "-q", "-rA", *arguments]
        environment = {**os.environ, "PYTHONPATH": str(here), "PREFECT_HOME": f"{directory}/home"}
        return subprocess.run(command, cwd=directory, env=environment, check=False).returncode


def pytest_configure() -> None:
    """What the judges import, with our runner under the names of theirs."""
    for name, values in STAND_INS.items():
        module = types.ModuleType(name)
        vars(module).update(values)
        module.__path__ = []
        sys.modules[name] = module
    sys.modules.setdefault("pandas", types.ModuleType("pandas"))
    import prefect.testing.fixtures

    vars(prefect.testing.fixtures).update(
        hosted_api_server=hosted_api_server, use_hosted_api_server=use_hosted_api_server
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put our runner into the tests; leave out what is not about runners, and the clusters beyond the default one."""
    for module in {item.module for item in items if isinstance(item, pytest.Function)}:
        vars(module).update(dict.fromkeys(("ThreadPoolTaskRunner", "ProcessPoolTaskRunner"), Ours))
    sys.modules.pop("pandas", None)  # or Prefect would take the stand-in for pandas
    left_out = [item for item in items if _is_left_out(item)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


@pytest.fixture(scope="session", autouse=True)
def prefect_server() -> Iterator[None]:
    """A Prefect server of their own on loopback."""
    from prefect.testing.utilities import prefect_test_harness

    with prefect_test_harness(server_startup_timeout=180):
        yield


@pytest.fixture(scope="session")
def hosted_api_server() -> None:
    """In place of a second server, which prefect-ray's tests start for the workers of a cluster."""


@pytest.fixture
def use_hosted_api_server() -> None:
    """Likewise."""


class Ours(CrankshaftTaskRunner):
    """Our runner, whatever cluster was asked for, and room for the tests that want several tasks at once."""

    cluster_kwargs: ClassVar[dict[str, object]] = {}

    def __init__(self, *_arguments: object, **_settings: object) -> None:
        super().__init__("local", config=Config.parse(ROOM))


class _Anything:
    def __getattr__(self, name: str) -> Any:
        return _Anything()

    def __call__(self, *_: object, **__: object) -> Any:
        return _Anything()


def _is_left_out(item: pytest.Item) -> bool:
    parameters = getattr(item, "callspec", None)
    runner = parameters.params.get("task_runner") if parameters else None
    cluster = runner is not None and not runner.__name__.startswith("default_")
    return cluster or any(word in item.nodeid for word in NOT_ABOUT_RUNNERS)


STAND_INS: dict[str, dict[str, Any]] = {
    "prefect_dask": {"DaskTaskRunner": Ours},
    "prefect_dask.task_runners": {"PrefectDaskFuture": object},
    "distributed": {"LocalCluster": _Anything, "Client": _Anything},
    "dask": {},
    "dask.dataframe": {},
    "prefect_ray": {"RayTaskRunner": Ours},
    "prefect_ray.context": {"remote_options": lambda **_: nullcontext()},
    "ray": {"is_initialized": lambda: False},
    "ray.cluster_utils": {"Cluster": _Anything},
}


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
