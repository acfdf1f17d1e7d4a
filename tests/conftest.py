"""What all tests share: an environment without the user's own configuration, and real services on request.

A test asks for a service by its fixture (`slurm`, `sge`, `sshd`, `docker_engine`, `swarm`, `podman`), or by
`@pytest.mark.needs("slurm")` when it does not want the value.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pytest
from hypothesis import HealthCheck, settings

from tests.services.running import ContainerEngine, GridEngine, Services, Slurm, Sshd, UnavailableError

if TYPE_CHECKING:
    from xdist.remote import Producer

    from tests.side_by_side import ByService

HERE = Path(__file__).parent

# a busy machine is no reason to fail: what a property costs is for benchmarks to tell
settings.register_profile("crankshaft", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("crankshaft")
FIXTURE_OF = {name: name for name in ("slurm", "sge", "sshd", "swarm", "podman")} | {"docker": "docker_engine"}
FAST_FIRST = ("unit", "contract", "examples", "adapters", "integration")

T = TypeVar("T")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What is fast, and tells most precisely what is wrong, comes first."""
    items.sort(key=_rank)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByService:
    """Of `pytest -n`, whose processes have services of their own each."""
    from tests.side_by_side import ByService

    return ByService(config, log)


def _rank(item: pytest.Item) -> tuple[int, bool]:
    path = item.path
    folder = path.relative_to(HERE).parts[0] if path.is_relative_to(HERE) else ""
    order = FAST_FIRST.index(folder) if folder in FAST_FIRST else len(FAST_FIRST)
    return order, item.get_closest_marker("slow") is not None


@pytest.fixture(scope="session", autouse=True)
def _interruptible() -> None:
    """In the background of a shell SIGINT is ignored, under nohup SIGHUP; what tests start must not inherit that."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, lambda *_: None)  # still of no effect here; exec(3) resets it to the default


@pytest.fixture(scope="session", autouse=True)
def _without_own_configuration(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as environment:
        for name in [
            name for name in os.environ if name.startswith("CRANKSHAFT_") and name != "CRANKSHAFT_TEST_SERVICES"
        ]:
            environment.delenv(name)
        environment.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("config")))
        yield


@pytest.fixture(autouse=True)
def _needs(request: pytest.FixtureRequest) -> None:
    for marker in request.node.iter_markers("needs"):
        for service in marker.args:
            if service not in FIXTURE_OF:
                raise pytest.UsageError(f"no service {service!r} for needs(…); known: {', '.join(sorted(FIXTURE_OF))}")
            request.getfixturevalue(FIXTURE_OF[service])


@pytest.fixture(scope="session")
def services() -> Iterator[Services]:
    """All of them; what was started is stopped at the end."""
    services = Services(HERE / "services")
    yield services
    services.close()


@pytest.fixture(scope="session")
def slurm(services: Services) -> Slurm:
    """A real Slurm, with accounting."""
    return had(services.slurm)


@pytest.fixture(scope="session")
def sge(services: Services) -> GridEngine:
    """A real Grid Engine."""
    return had(services.sge)


@pytest.fixture(scope="session")
def sshd(services: Services) -> Sshd:
    """A real OpenSSH server on loopback."""
    return had(services.sshd)


@pytest.fixture(scope="session")
def docker_engine(services: Services) -> ContainerEngine:
    """A real Docker engine of our own."""
    return had(lambda: services.engine("docker"))


@pytest.fixture(scope="session")
def swarm(services: Services) -> ContainerEngine:
    """Another Docker engine, the manager of a swarm of one node."""
    return had(lambda: services.engine("swarm"))


@pytest.fixture(scope="session")
def podman(services: Services) -> ContainerEngine:
    """Podman's Docker-compatible socket."""
    return had(lambda: services.engine("podman"))


def had(start: Callable[[], T]) -> T:
    """What `start` returns. Where the service cannot be had: a skip that says how to get it, a failure with CI=true."""
    try:
        return start()
    except UnavailableError as why:
        if os.environ.get("CI") == "true":
            pytest.fail(f"with CI=true every service must be there. {why}", pytrace=False)
        pytest.skip(str(why))
