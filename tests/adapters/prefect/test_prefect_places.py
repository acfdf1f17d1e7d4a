"""The same flow in other places, where the worker is the system's own Python: without Prefect, without cloudpickle."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prefect import flow, task

from prefect_crankshaft import CrankshaftTaskRunner
from tests.services.running import ContainerEngine, Slurm, Sshd
from tests.services.tes_server import PROFILES, serving

BARE = f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}"
QUICK = "poll_interval = 0.2\nsweep_interval = 0.5\ngrace = '2s'\nsubmit_rate = 1000\n"

pytestmark = pytest.mark.skipif(not Path(BARE).exists(), reason=f"the system has no {BARE}")

Place = Callable[[Path, pytest.FixtureRequest], str]


def batch(tmp_path: Path, _request: pytest.FixtureRequest) -> str:
    system = shlex.join([sys.executable, "-I", str(Path(__file__).parents[2] / "services" / "fake_batch.py")])
    spool = shlex.quote(str(tmp_path / "spool"))
    return f"""
kind = 'Generic'
work_dir = '{tmp_path / "work"}'
submit = '{system} {spool} submit ~{{script}}'
monitor_all = '{system} {spool} list'
kill = '{system} {spool} kill ~{{job_ids}}'
job_id_regex = '^job (\\d+)$'
states = {{ pending = 'PENDING', running = 'RUNNING' }}
{QUICK}"""


def slurm(tmp_path: Path, request: pytest.FixtureRequest) -> str:
    service: Slurm = request.getfixturevalue("slurm")
    for name, value in service.env.items():
        request.getfixturevalue("monkeypatch").setenv(name, value)
    return f"preset = 'slurm'\nwork_dir = '{tmp_path / 'work'}'\n{QUICK}"


def slurm_by_ssh(_tmp_path: Path, request: pytest.FixtureRequest) -> str:
    request.getfixturevalue("slurm")
    service: Sshd = request.getfixturevalue("sshd")
    return f"""
preset = 'slurm'
{QUICK}
[backends.locale]
kind = 'SSH'
host = 'login.slurm.cluster'
ssh_config = '{service.ssh_config}'
"""


def docker(tmp_path: Path, request: pytest.FixtureRequest) -> str:
    service: ContainerEngine = request.getfixturevalue("docker_engine")
    mounts = ["/usr:/usr:ro", *(f"{place}:{place}:ro" for place in ("/lib", "/lib64") if Path(place).exists())]
    return f"kind = 'Docker'\nhost = '{service.url}'\nwork_dir = '{tmp_path / 'work'}'\nmounts = {mounts}\n"


def tes(tmp_path: Path, request: pytest.FixtureRequest) -> str:
    server = serving(PROFILES["plain-1.1"].but(schemes=None))
    url = server.__enter__().url
    request.addfinalizer(lambda: server.__exit__(None, None, None))
    return f"kind = 'TES'\nurl = '{url}'\nstorage = 'file://{tmp_path}/storage'\npoll_interval = 0.1\n"


PLACES: dict[str, Place] = {"batch": batch, "slurm": slurm, "slurm-by-ssh": slurm_by_ssh, "docker": docker, "tes": tes}
IMAGES = {"docker": "busybox:local", "tes": "any"}


@pytest.fixture(params=PLACES)
def there(request: pytest.FixtureRequest, tmp_path: Path) -> CrankshaftTaskRunner:
    """A runner of that place."""
    config = tmp_path / "there.toml"
    config.write_text("[[backends]]\nname = 'there'\n" + PLACES[request.param](tmp_path, request))
    return CrankshaftTaskRunner("there", config=config, python=BARE, image=IMAGES.get(request.param))


@task
def double(value: Any) -> Any:
    return 2 * value


@task
def modules() -> list[str]:
    sought = []
    for name in ("prefect", "cloudpickle"):
        try:
            sought.append(str(__import__(name).__file__))
        except ImportError:
            sought.append("")
    return sought


def test_results_and_exceptions_come_back(there: CrankshaftTaskRunner) -> None:
    @task
    def fail() -> None:
        raise LookupError("nothing there")

    @flow(task_runner=there)
    def working() -> list[int]:
        failed = fail.submit()
        results = double.map([1, 2, double.submit(3)]).result()
        with pytest.raises(LookupError, match="nothing there"):
            failed.result()
        return results

    assert working() == [2, 4, 12]


def test_only_cloudpickle_comes_along(there: CrankshaftTaskRunner) -> None:
    with there:
        prefect, cloudpickle = there.submit(modules, {}).result()
    assert prefect == ""
    assert "cloudpickle.zip" in cloudpickle


def test_modules_beside_the_flow_come_along(
    there: CrankshaftTaskRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "beside_there.py").write_text("def triple(value):\n    return 3 * value\n")
    monkeypatch.syspath_prepend(str(tmp_path / "own"))
    monkeypatch.delitem(sys.modules, "beside_there", raising=False)
    triple = __import__("beside_there").triple

    @task
    def use(value: int) -> int:
        return int(triple(value))

    with there:
        assert there.submit(use, {"value": 2}).result() == 6


def test_large_values_travel(there: CrankshaftTaskRunner) -> None:
    value = os.urandom(1 << 20)
    with there:
        assert there.submit(double, {"value": value}).result() == 2 * value


def test_without_storage_a_tes_server_is_refused_before_submit(tmp_path: Path) -> None:
    with serving(PROFILES["plain-1.1"]) as server:
        config = tmp_path / "there.toml"
        config.write_text(f"[[backends]]\nname = 'there'\nkind = 'TES'\nurl = '{server.url}'\n")
        with CrankshaftTaskRunner("there", config=config, image="any") as runner:
            future = runner.submit(double, {"value": 1})
            future.wait()
    assert "no storage configured" in str(future.state.message)
