"""The same flow in other places, where the worker is the system's own Python: without Prefect, without cloudpickle."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from prefect import flow, task

from prefect_crankshaft import CrankshaftTaskRunner
from tests.services.running import ContainerEngine, GridEngine, Slurm, Sshd
from tests.services.tes_server import PROFILES, serving

BARE = f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}"
QUICK = "poll_interval = 0.2\nsweep_interval = 0.5\ngrace = '2s'\nsubmit_rate = 1000\n"
LARGE = os.urandom(1 << 20)

pytestmark = pytest.mark.skipif(not Path(BARE).exists(), reason=f"the system has no {BARE}")

Place = Callable[[Path, pytest.FixtureRequest], str]


def local(tmp_path: Path, _request: pytest.FixtureRequest) -> str:
    return f"preset = 'local'\nwork_dir = '{tmp_path}/work'\nmax_tasks = 4\n"


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
    return scheduler("slurm", tmp_path, request)


def sge(tmp_path: Path, request: pytest.FixtureRequest) -> str:
    return scheduler("sge", tmp_path, request)


def scheduler(name: str, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    service: Slurm | GridEngine = request.getfixturevalue(name)
    environment = pytest.MonkeyPatch()
    request.addfinalizer(environment.undo)
    for variable, value in service.env.items():
        environment.setenv(variable, value)
    return f"preset = '{name}'\nwork_dir = '{tmp_path / 'work'}'\n{QUICK}"


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


PLACES: dict[str, Place] = {
    "local": local,
    "batch": batch,
    "slurm": slurm,
    "slurm-by-ssh": slurm_by_ssh,
    "sge": sge,
    "docker": docker,
    "tes": tes,
}
IMAGES = {"docker": "busybox:local", "tes": "any"}


@task
def double(value: Any) -> Any:
    return 2 * value


@task
def fail() -> None:
    raise LookupError("nothing there")


@task
def modules() -> list[str]:
    sought = []
    for name in ("prefect", "cloudpickle"):
        try:
            sought.append(str(__import__(name).__file__))
        except ImportError:
            sought.append("")
    return sought


@task
def tripled(value: int) -> int:
    import beside_there  # type: ignore[import-not-found] # the worker finds it: it travels along

    return int(beside_there.triple(value))


@dataclass(frozen=True)
class Returned:
    """What came back from a place."""

    doubled: list[int]
    error: BaseException | None
    modules: list[str]
    tripled: int
    large: bytes


@flow
def everything() -> Returned:
    failed, found, three, large = fail.submit(), modules.submit(), tripled.submit(2), double.submit(LARGE)
    return Returned(
        doubled=double.map([1, 2, double.submit(3)]).result(),
        error=failed.result(raise_on_failure=False),
        modules=found.result(),
        tripled=three.result(),
        large=large.result(),
    )


@pytest.fixture(scope="module", params=PLACES)
def returned(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Returned]:
    """The flow ran in that place, once for all tests."""
    tmp_path = tmp_path_factory.mktemp("there")
    config = tmp_path / "there.toml"
    config.write_text("[[backends]]\nname = 'there'\n" + PLACES[request.param](tmp_path, request))
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "beside_there.py").write_text("def triple(value):\n    return 3 * value\n")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
        environment.syspath_prepend(str(tmp_path / "own"))
        environment.delitem(sys.modules, "beside_there", raising=False)
        __import__("beside_there")
        runner = CrankshaftTaskRunner("there", config=config, python=BARE, image=IMAGES.get(request.param))
        yield everything.with_options(task_runner=runner)()


def test_results_come_back(returned: Returned) -> None:
    assert returned.doubled == [2, 4, 12]


def test_an_exception_comes_back(returned: Returned) -> None:
    assert isinstance(returned.error, LookupError)
    assert "nothing there" in str(returned.error)


def test_only_cloudpickle_comes_along(returned: Returned) -> None:
    prefect, cloudpickle = returned.modules
    assert prefect == ""
    assert "cloudpickle.zip" in cloudpickle


def test_modules_beside_the_flow_come_along(returned: Returned) -> None:
    assert returned.tripled == 6


def test_large_values_travel(returned: Returned) -> None:
    assert returned.large == 2 * LARGE


def test_without_storage_a_tes_server_is_refused_before_submit(tmp_path: Path) -> None:
    with serving(PROFILES["plain-1.1"]) as server:
        config = tmp_path / "there.toml"
        config.write_text(f"[[backends]]\nname = 'there'\nkind = 'TES'\nurl = '{server.url}'\n")
        with CrankshaftTaskRunner("there", config=config, image="any") as runner:
            future = runner.submit(double, {"value": 1})
            future.wait()
    assert "no storage configured" in str(future.state.message)
