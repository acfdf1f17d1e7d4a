"""Outside judges: the cases of Snakemake's own suite that run jobs on a cluster, pointed at Crankshaft.

    git clone --depth 1 https://github.com/snakemake/snakemake
    pip install pytest-mock
    python tests/adapters/snakemake/judges.py snakemake [arguments for pytest]

Runs the tests of the checkout with this file as a pytest plugin: those with `cluster=` get our executor, on this
machine, in place of the executor cluster-generic and its `qsub`; the others are not run. What is about cluster-generic
itself, and not about executors, is left out by name: see `NOT_ABOUT_EXECUTORS`.
"""

from __future__ import annotations

import inspect
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

_COUNTS = "counts lines that its qsub wrote, while its status command says that every job has failed"
NOT_ABOUT_EXECUTORS: Mapping[str, str] = {
    "test_global_resource_limits_limit_scheduling_of_groups": _COUNTS,
    "test_new_resources_can_be_defined_as_local": _COUNTS,
    "test_resource_prefix_does_not_affect_scope_overwrite": _COUNTS,
    "test_resources_can_be_overwritten_as_global": _COUNTS,
    "test_nodelocal": "its qsub makes the node, with files of its own",
    "test_group_job_failure_events": "wants each error told twice, as cluster-generic does",
}
CLUSTER = """
[[backends]]
name = "cluster"
kind = "Generic"
max_tasks = 3
submit = ": ~{gpu_model?~{gpu_model}}; ~{command}"
env = { JOBID = "1" }
"""
S3_PORT = 9000
"""Where their S3 is expected."""
THEIRS = "cluster-generic"
SETTINGS = """
[pytest]
timeout = 300
"""


def main(checkout: Path, arguments: list[str]) -> int:
    """Run the judges of this checkout of Snakemake."""
    here = Path(__file__).parent
    with tempfile.TemporaryDirectory(prefix="judges-") as directory:
        shutil.copytree(checkout / "tests", Path(directory, "tests"), symlinks=True)
        Path(directory, "pytest.ini").write_text(SETTINGS)
        files = [f"tests/{name}.py" for name in ("tests", "test_logging")]
        command = [sys.executable, "-m", "pytest", "-p", "judges", "-q", "-rfEs", "--tb=short", *files, *arguments]
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        environment = {**os.environ, "PYTHONPATH": str(here), "PATH": path, "CRANKSHAFT_CONFIG_TOML": CLUSTER}
        return subprocess.run(command, cwd=directory, env=environment, check=False).returncode


def pytest_configure() -> None:
    """Our executor under the name of theirs."""
    from snakemake.api import DAGApi
    from snakemake_interface_executor_plugins.registry import ExecutorPluginRegistry

    from snakemake_executor_plugin_crankshaft import ExecutorSettings

    get_plugin, execute = ExecutorPluginRegistry.get_plugin, DAGApi.execute_workflow

    def get(registry: Any, name: str) -> Any:
        return _TheirPlugin if name == THEIRS else get_plugin(registry, name)

    def execute_by_ours(api: Any, executor: str = "local", **settings: Any) -> Any:
        if executor == THEIRS:
            executor, settings["executor_settings"] = "crankshaft", ExecutorSettings()
        return execute(api, executor=executor, **settings)

    ExecutorPluginRegistry.get_plugin = get
    DAGApi.execute_workflow = execute_by_ours


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Only what runs on a cluster, and is about executors."""
    left_out = [item for item in items if not _is_about_executors(item)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


@pytest.fixture(scope="session", autouse=True)
def s3() -> Iterator[None]:
    """In place of a MinIO."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", port=S3_PORT)
    server.start()
    yield
    server.stop()


@dataclass(frozen=True)
class _TheirSettings:
    submit_cmd: str
    status_cmd: str | None = None


class _TheirPlugin:
    settings_cls = _TheirSettings


def _is_about_executors(item: pytest.Item) -> bool:
    source = inspect.getsource(item.function) if isinstance(item, pytest.Function) else ""
    return re.search(r"^[^#\n]*\bcluster=", source, re.MULTILINE) is not None and item.name not in NOT_ABOUT_EXECUTORS


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
