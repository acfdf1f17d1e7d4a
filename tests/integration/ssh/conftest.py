"""A server for all tests that leave it as it was, servers to order for the others, and drivers that get closed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from crankshaft_core.drivers.ssh import SSHDriver, SSHSettings
from tests.conftest import had
from tests.integration.ssh.server import Server, serving

OpenDriver = Callable[..., SSHDriver]
StartServer = Callable[..., Server]


@pytest.fixture(params=["paramiko", "openssh"])
def client(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Shared by many tests, with exactly the two sessions that are promised."""
    with ExitStack() as stack:
        yield had(lambda: stack.enter_context(serving(tmp_path_factory.mktemp("sshd") / "server", MaxSessions="2")))


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[StartServer]:
    """Servers of the test's own: `start_server(MaxSessions="1")`."""
    with ExitStack() as stack:
        count = 0

        def start(**rules: str) -> Server:
            nonlocal count
            count += 1
            return had(lambda: stack.enter_context(serving(tmp_path / f"sshd{count}", **rules)))

        yield start


@pytest.fixture
async def open_driver() -> AsyncIterator[OpenDriver]:
    """Drivers for settings, closed when the test ends."""
    drivers: list[SSHDriver] = []

    def open_(settings: SSHSettings, **more: Any) -> SSHDriver:
        drivers.append(SSHDriver(settings, **more))
        return drivers[-1]

    yield open_
    for driver in drivers:
        await driver.aclose()


@pytest.fixture
def driver(server: Server, client: str, open_driver: OpenDriver) -> SSHDriver:
    """On the shared server."""
    return open_driver(server.settings(client=client))


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of the client's own, without keys, agent or ssh_config of whoever runs the tests."""
    home = tmp_path / "client-home"
    (home / ".ssh").mkdir(parents=True, mode=0o700)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    return home
